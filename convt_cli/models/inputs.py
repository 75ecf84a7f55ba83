"""Inputs of models: which of them a spec can have, and in which shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST
from convt_cli.arithmetic.layers.base import MAX_RANK
from convt_cli.errors import RequestError, shown

OpenShape = tuple[int | None, ...]
"""A shape with the batch axis in front; None for a size that the model leaves open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """An input of a model; `shape` is None where the model does not say even how many axes."""

    name: str
    shape: OpenShape | None


def require_known_names(override: Iterable[str], known: list[str]) -> None:
    """Raise RequestError (E503) if --input names an input that the model does not have."""
    for name in override:
        if name not in known:
            named = ", ".join(map(shown, known))
            raise RequestError(
                "E503",
                "--input names an input of the model",
                value=f"got '{shown(name)}'" if name else "got a shape without a name",
                help=f"its inputs are {named}",
            )


def input_shape(given: Input, override: Shape | None) -> Shape:
    """(channels, *spatial) of an input of the spec.  Raises RequestError (E506)."""
    if override is not None:
        return override
    if given.shape is None or not is_image(given):
        raise RequestError(
            "E506",
            f"an input is [batch, channels, *spatial] with 0 to {MAX_RANK} spatial axes",
            value=f"'{shown(given.name)}' {axes_of(given)}",
            help="--partial leaves it out with all that depends on it"
            if given.shape is not None
            else f"give its shape without the batch, as in --input {shown(given.name)}=3,224,224",
        )
    sizes = given.shape[1:]
    known = tuple(size for size in sizes if size is not None and 1 <= size <= LARGEST)
    if len(known) < len(sizes):
        example = ",".join("N" if size is None else str(size) for size in sizes)
        raise RequestError(
            "E506",
            "the sizes of every input are known, from 1 to 2^53",
            value=f"'{shown(given.name)}' is {shown(list(given.shape))}",
            help=f"give them, as in --input {shown(given.name)}={example}",
        )
    return known


def is_image(given: Input) -> bool:
    """Whether an input has a batch axis, channels, and at most `MAX_RANK` spatial axes."""
    return given.shape is not None and 2 <= len(given.shape) <= MAX_RANK + 2


def axes_of(given: Input) -> str:
    """How many axes an input has, for a message."""
    return "has no shape in the model" if given.shape is None else f"has {len(given.shape)} axes"
