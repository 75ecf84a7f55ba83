"""Layers that move, add or drop elements."""

from __future__ import annotations

from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.models.keras.config import field
from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.translation import Activation, short_pairs


def _flatten(operation: Operation) -> Activation:
    source = operation.source
    if operation.word("data_format", "channels_last", "channels_first") == "channels_first":
        # Keras brings the channels, its first axis, behind all others
        order = operation.axes_of_own(source)
        return operation.layer("flatten", operation.ordered(source, (*order[1:], order[0])))
    return operation.reshaped(source, (prod(source.shape),))


def _reshape(operation: Operation) -> Activation:
    source = operation.source
    asked = field(operation.config, "target_shape", list)
    sizes = tuple(field({"target_shape": size}, "target_shape", int) for size in asked)
    return operation.reshaped(source, _completed(operation, source.shape, sizes))


def _completed(operation: Operation, source: Shape, asked: Shape) -> Shape:
    """`asked`, with the size that the others leave in place of -1."""
    known = prod(size for size in asked if size != -1)
    found = tuple(prod(source) // known if size == -1 and known > 0 else size for size in asked)
    if prod(found) != prod(source) or min(found, default=0) < 1:
        operation.refuse(f"{prod(source)} elements have no shape {list(asked)}", code="E120")
    return found


def _permute(operation: Operation) -> Activation:
    source = operation.source
    rank = len(source.shape)
    asked = field(operation.config, "dims", list)
    dims = [field({"dims": one}, "dims", int) for one in asked]
    if sorted(dims) != list(range(1, rank + 1)):
        operation.refuse(f"its dims are {dims} for {rank} axes", code="E127")
    # by Keras's new axes, the old ones as a spec counts them; then by the spec's new axes
    own = tuple(operation.axis(one, source) for one in dims)
    order = operation.from_own_shape(own)
    if list(order) == sorted(order):
        return operation.layer("identity", source)
    return operation.layer("transpose", source, axes=order)


def _pad(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    pairs = operation.pairs("padding", len(source.shape) - 1)
    return operation.channels_back(operation.layer("pad", source, padding=short_pairs(pairs)))


def _crop(operation: Operation) -> Activation:
    source = operation.channels_front(operation.source)
    pairs = operation.pairs("cropping", len(source.shape) - 1)
    return operation.channels_back(operation.layer("crop", source, padding=short_pairs(pairs)))


def _repeat(operation: Operation) -> Activation:
    """A vector as every row of a matrix."""
    source, count = operation.source, operation.count("n")
    if len(source.shape) != 1:
        operation.refuse("it repeats what is no vector")
    column = operation.layer("reshape", source, shape=(*source.shape, 1))
    repeated = operation.layer("upsample", column, output_size=count)
    if operation.from_own_shape((0, 1)) == (1, 0):
        return repeated
    return operation.layer("transpose", repeated, axes=(1, 0))


OPERATORS: dict[str, Translator] = {
    "Flatten": _flatten,
    "Reshape": _reshape,
    "Permute": _permute,
    "RepeatVector": _repeat,
    **{f"ZeroPadding{rank}D": _pad for rank in (1, 2, 3)},
    **{f"Cropping{rank}D": _crop for rank in (1, 2, 3)},
}
