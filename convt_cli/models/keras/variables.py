"""The numbers of layers by their names, such as `outer/inner/kernel`, and where a file has them.

A `.keras` numbers the variables of a layer and names layers after their classes:
`layers/conv2d_1/vars/0`.  An `.h5` lists those of each outermost layer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from convt_cli.models.keras.config import Layer

_CONV = (("kernel", ""), ("bias", "use_bias"))
_SEPARABLE = (("depthwise_kernel", ""), ("pointwise_kernel", ""), ("bias", "use_bias"))
_AFFINE = (("gamma", "scale"), ("beta", "center"))

_VARIABLES: dict[str, tuple[tuple[str, str], ...]] = {
    **{f"Conv{rank}D": _CONV for rank in (1, 2, 3)},
    **{f"Conv{rank}DTranspose": _CONV for rank in (1, 2, 3)},
    **{f"DepthwiseConv{rank}D": _CONV for rank in (1, 2)},
    **{f"SeparableConv{rank}D": _SEPARABLE for rank in (1, 2)},
    "Dense": _CONV,
    "BatchNormalization": (*_AFFINE, ("moving_mean", ""), ("moving_variance", "")),
    "LayerNormalization": _AFFINE,
    "GroupNormalization": _AFFINE,
    "PReLU": (("alpha", ""),),
    "Normalization": (("mean", ""), ("variance", "")),
}
"""By a layer's class, its variables in their order, each with the key that says if it is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Where a file holds a variable: it is number `number` of the layer `path`.

    `folder` are the names of groups in a `.keras`, and `path` the layers' names.
    """

    path: tuple[str, ...]
    folder: tuple[str, ...]
    number: int


def variables_of(model: Layer) -> dict[str, Variable]:
    """All variables of a model's layers, by their names."""
    return dict(_variables(model, (), ()))


def names_of(layer: Layer) -> tuple[str, ...]:
    """The names of the variables of one layer, in their order."""
    listed = _VARIABLES.get(layer.kind, ())
    return tuple(name for name, key in listed if layer.config.get(key, True))


def _variables(
    model: Layer, path: tuple[str, ...], folder: tuple[str, ...]
) -> Iterator[tuple[str, Variable]]:
    used: Counter[str] = Counter()
    for layer in model.layers:
        if layer.is_function:
            continue
        group = _snake(layer.kind)
        number = used[group]
        used[group] += 1
        inner = (*path, layer.name)
        place = (*folder, f"{group}_{number}" if number else group)
        yield from _variables(layer, inner, place)
        for index, name in enumerate(names_of(layer)):
            key = "/".join((*inner, name))
            yield key, Variable(path=inner, folder=place, number=index)


def _snake(kind: str) -> str:
    """The name of a class as Keras writes it in paths.

    >>> _snake("Conv2DTranspose"), _snake("BatchNormalization"), _snake("PReLU")
    ('conv2d_transpose', 'batch_normalization', 'p_re_lu')
    """
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()
