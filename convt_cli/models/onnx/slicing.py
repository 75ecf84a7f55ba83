"""The elements that a Slice takes, by the rules of ONNX, which are not quite Python's."""

from __future__ import annotations

from collections.abc import Callable

_ALL = (2**31 - 1, 2**63 - 1)
"""The largest int32 and int64: as an end they mean "as far as it goes", backwards as well."""

Integers = Callable[[int, str], tuple[int, ...] | None]
"""Gives a list of a node, by the number of its input or by its attribute in older opsets."""


def taken(shape: tuple[int, ...], integers: Integers) -> list[range]:
    """The places that a Slice takes along every axis of `shape`.  Raises ValueError."""
    starts, ends = integers(1, "starts") or (), integers(2, "ends") or ()
    axes = integers(3, "axes") or tuple(range(len(starts)))
    steps = integers(4, "steps") or (1,) * len(starts)
    counts = [len(one) for one in (starts, ends, axes, steps)]
    if len(set(counts)) > 1:
        raise ValueError("it has {} starts, {} ends, {} axes and {} steps".format(*counts))
    found: dict[int, range] = {}  # by axis
    for axis, start, end, step in zip(axes, starts, ends, steps):
        number = counted(axis, len(shape))
        if number in found:
            raise ValueError(f"it names axis {number} twice")
        found[number] = _places(shape[number], start, end, step)
    return [found.get(number, range(size)) for number, size in enumerate(shape)]


def _places(size: int, start: int, end: int, step: int) -> range:
    """The places that start:end:step takes along an axis of `size`.

    A start or an end below 0 counts from the end.  A start that still lies outside moves to the
    nearest place, and an end to the nearest place or one past it.  The largest int32 and int64
    are as far as it goes, in ONNX Runtime backwards as well.

    >>> list(_places(4, -100, -200, -1)), list(_places(4, 1, 99, 2))
    ([0], [1, 3])
    """
    if step == 0:
        raise ValueError("it goes by steps of 0")
    if step < 0 and end in _ALL:
        end = -size - 1  # becomes -1 below, one in front of the first place
    start, end = (place + size if place < 0 else place for place in (start, end))
    if step > 0:
        return range(min(max(start, 0), size), min(max(end, 0), size), step)
    return range(min(max(start, 0), size - 1), min(max(end, -1), size - 1), step)


def as_slice(places: range) -> slice:
    """`places` as a slice; one that goes backwards to place 0 has no stop, as -1 is the last."""
    if not places:
        return slice(0, 0)
    return slice(places.start, places.stop if places.stop >= 0 else None, places.step)


def counted(axis: int, rank: int) -> int:
    """`axis`, or `axis` + `rank` where it is negative.  Raises ValueError."""
    if not -rank <= axis < rank:
        raise ValueError(f"it names axis {axis} of {rank}")
    return axis % rank
