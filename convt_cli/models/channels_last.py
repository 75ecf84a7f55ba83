"""Formats that store the channels of an activation last: (batch, *spatial, channels).

A spec's shapes are (channels, *spatial) whatever the format, so an axis has another number there,
and elements are counted in another order.  What rearranges them is put into transposes around a
reshape, and only where it makes a difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TypeVar

from convt_cli.arithmetic.convolution import Shape
from convt_cli.models.translation import Activation, Translation

_T = TypeVar("_T")


def channels_first(shape: tuple[_T, ...]) -> tuple[_T, ...]:
    """(channels, *spatial) of (*spatial, channels).

    >>> channels_first((4, 5, 3)), channels_first((10,))
    ((3, 4, 5), (10,))
    """
    return (*shape[-1:], *shape[:-1])


def channels_last(shape: tuple[_T, ...]) -> tuple[_T, ...]:
    """(*spatial, channels) of (channels, *spatial)."""
    return (*shape[1:], *shape[:1])


def full_shape(source: Activation) -> Shape:
    """(batch, *spatial, channels): the shape that the format has for `source`."""
    return (source.batch, *channels_last(source.shape))


def spec_axis(operation: Translation, axis: int, rank: int) -> int:
    """The axis in a spec's shape of the axis of a format's shape of `rank` axes.

    Raises Untranslatable for an axis that is not there, and for that of the batch.
    """
    found = operation.counted(axis, rank)
    if found == 0:
        operation.refuse("it acts along the batch")
    return 0 if found == rank - 1 else found


def reshaped(operation: Translation, source: Activation, full: Shape) -> Activation:
    """A layer, or several, with the elements of `source` in the format's shape `full`."""
    if len(full) < 2 or full[0] != source.batch:
        operation.refuse(f"the first axis of {list(full)} is not the batch")
    target = channels_first(full[1:])
    if target == source.shape:
        return operation.layer("identity", source)
    if target[0] == source.shape[0] and len(target) > 1:  # positions are regrouped, and no more
        return operation.layer("reshape", source, shape=target)
    ordered = source
    if not _is_line(source.shape):
        ordered = operation.layer("transpose", source, axes=channels_last(_axes(source.shape)))
    if len(target) == 1:
        return operation.layer("flatten", ordered)
    if _is_line(target):
        return operation.layer("reshape", ordered, shape=target)
    apart = operation.layer("reshape", ordered, shape=full[1:])
    return operation.layer("transpose", apart, axes=channels_first(_axes(target)))


def reordered(operation: Translation, source: Activation, order: Sequence[int]) -> Activation:
    """A layer that brings the format's axes of `source` into another order, the batch first."""
    rank = len(source.shape) + 1
    if sorted(order) != list(range(rank)) or order[0] != 0:
        operation.refuse(f"{list(order)} does not leave the batch axis where it is")
    axes = tuple(0 if axis == rank - 1 else axis for axis in channels_first(tuple(order[1:])))
    if axes == _axes(source.shape):
        return operation.layer("identity", source)
    return operation.layer("transpose", source, axes=axes)


def _is_line(shape: Shape) -> bool:
    """Whether the elements are in one order, channels first or last."""
    return shape[0] == 1 or prod(shape[1:]) == 1


def _axes(shape: Shape) -> Shape:
    return tuple(range(len(shape)))
