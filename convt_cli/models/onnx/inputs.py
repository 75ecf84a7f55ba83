"""Which inputs of a model a spec can have, and in which shape."""

from __future__ import annotations

from collections.abc import Iterable

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST
from convt_cli.arithmetic.layers.base import MAX_RANK
from convt_cli.errors import RequestError, shown
from convt_cli.models.onnx.graph import Input


def require_known_names(override: Iterable[str], known: list[str]) -> None:
    for name in override:
        if name not in known:
            named = ", ".join(map(shown, known))
            raise RequestError(
                "E503",
                "--input names an input of the model",
                value=f"got '{shown(name)}'" if name else "got a shape without a name",
                help=f"its inputs are {named}",
            )


def input_shape(one: Input, override: Shape | None) -> Shape:
    """The shape of an input of the spec, without a batch axis.  Raises RequestError (E506)."""
    if override is not None:
        return override
    if one.shape is None or not is_image(one):
        raise RequestError(
            "E506",
            f"an input is [batch, channels, *spatial] with 1 to {MAX_RANK} spatial axes",
            value=f"'{shown(one.name)}' {axes_of(one)}",
            help="import the part of the model that reads images"
            if one.shape is not None
            else f"give its shape without the batch, as in --input {shown(one.name)}=3,224,224",
        )
    sizes = one.shape[1:] if len(one.shape) > 2 else (*one.shape[1:], 1)
    known = tuple(size for size in sizes if size is not None and size <= LARGEST)
    if len(known) < len(sizes):
        example = ",".join("N" if size is None else str(size) for size in sizes)
        raise RequestError(
            "E506",
            "the sizes of every input are known, and at most 2^53",
            value=f"'{shown(one.name)}' is {shown(list(one.shape))}",
            help=f"give them, as in --input {shown(one.name)}={example}",
        )
    return known


def is_image(one: Input) -> bool:
    """Whether an input has as many axes as a spec's; one without spatial axes gets one."""
    return one.shape is not None and 2 <= len(one.shape) <= MAX_RANK + 2


def axes_of(one: Input) -> str:
    return "has no shape in the model" if one.shape is None else f"has {len(one.shape)} axes"
