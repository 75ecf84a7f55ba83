"""Arrays that are read in another form: layout, batch, size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import numpy as np

from convt_cli.analysis.diagnose.bounds import Reckoning
from convt_cli.analysis.diagnose.changes.variant import Variant
from convt_cli.analysis.diagnose.subject import Finish, Subject
from convt_cli.arithmetic.convolution import Shape
from convt_cli.operators.dtypes import Array

_FIRST, _LAST = "channels_first", "channels_last"


def layout(subject: Subject) -> Iterator[Variant]:
    """Channels that stand on the other side, in an array or only in the order of its numbers."""
    got, shape = subject.got, subject.shape
    if got.ndim == len(shape) > 2:
        if got.shape == _last(shape):
            yield _read_as(subject, np.moveaxis(got, -1, 1), "the array has its channels last")
        if got.shape == shape:
            other = np.moveaxis(got.reshape(_last(shape)), -1, 1)
            text = "the array's numbers are in the order channels_last"
            yield _read_as(subject, other, text)
            other = np.moveaxis(got, 1, -1).reshape(shape)
            text = "the array's numbers were channels_last and were moved as if they were not"
            yield _read_as(subject, other, text)
    yield from _layout_of_sources(subject)
    yield from _layout_of_weight(subject)


def _read_as(subject: Subject, got: Array, text: str) -> Variant:
    return Variant(
        change="layout",
        subject=replace(subject, got=got),
        was=_FIRST,
        becomes=_LAST,
        text=text,
    )


def _layout_of_sources(subject: Subject) -> Iterator[Variant]:
    if len(subject.sources) > 1:
        return
    flat = subject.sources[0].shape
    shape = (flat[0], *subject.unflattened) if subject.unflattened else flat
    if len(shape) < 3:
        return
    source = subject.sources[0].reshape(shape)
    found = {
        "x is read as channels_last": np.moveaxis(source.reshape(_last(shape)), -1, 1),
        "x was channels_last and is read as channels_first": np.moveaxis(source, 1, -1).reshape(
            shape
        ),
    }
    for text, other in found.items():
        yield Variant(
            change="layout",
            subject=subject.with_sources(other.reshape(flat)),
            was=_FIRST,
            becomes=_LAST,
            text=text,
        )


def _layout_of_weight(subject: Subject) -> Iterator[Variant]:
    """A kernel whose numbers are stored with the taps first, (*kernel_size, in, out)."""
    if subject.convolution is None:
        return
    weight = subject.prepared.parameters["weight"]
    count = weight.ndim
    order = (*range(2, count), 1, 0)
    turned = weight.transpose(order)
    back = tuple(int(axis) for axis in np.argsort(order))
    for other in (turned.reshape(weight.shape), weight.reshape(turned.shape).transpose(back)):
        yield Variant(
            change="layout",
            subject=subject.with_parameters(weight=other),
            was="(out, in, *kernel_size)",
            becomes="(*kernel_size, in, out)",
            text="the weight's numbers are read in the order (*kernel_size, in, out)",
            common=False,
        )


def batch(subject: Subject) -> Iterator[Variant]:
    """A batch axis that is lost, or stands elsewhere."""
    got, (count, *shape) = subject.got, subject.shape
    if got.ndim == len(shape) + 1 and got.shape == (shape[0], count, *shape[1:]):
        yield _batched(subject, got.swapaxes(0, 1), count, "batch and channels are exchanged")
    if count == 1:
        return
    if got.shape in (tuple(shape), (1, *shape)):
        for item in range(min(count, 8)):
            one = subject.with_sources(*(source[item : item + 1] for source in subject.sources))
            text = f"item {item} of the batch alone"
            yield _batched(one, got.reshape(1, *shape), 1, text)
    if got.shape == subject.shape:
        firsts = (np.broadcast_to(source[:1], source.shape) for source in subject.sources)
        text = "every item of the batch is the result of the first"
        yield _batched(subject.with_sources(*firsts), got, count, text)


def _batched(subject: Subject, got: Array, becomes: int, text: str) -> Variant:
    return Variant(
        change="batch",
        subject=replace(subject, got=got),
        was=subject.shape[0],
        becomes=becomes,
        text=text,
    )


def size(subject: Subject) -> Iterator[Variant]:
    """The output with rows cut off, or zeros added, at its ends."""
    got, shape = subject.got, subject.shape
    if got.ndim != len(shape) or got.shape[:2] != shape[:2] or got.shape == shape:
        return
    sides = [("behind", "in front") if a != b else ("",) for a, b in zip(got.shape[2:], shape[2:])]
    for chosen in product(*sides):
        moved = [
            (wanted - own, side == "in front")
            for wanted, own, side in zip(got.shape[2:], shape[2:], chosen, strict=True)
        ]
        yield Variant(
            change="size",
            subject=subject.with_finish(_resized(moved)),
            was=[*shape[2:]],
            becomes=[*got.shape[2:]],
            text=f"the output is cut off or filled up with zeros {_places(chosen)}",
        )


def _places(sides: tuple[str, ...]) -> str:
    return " and ".join(dict.fromkeys(side for side in sides if side))


def _resized(moved: list[tuple[int, bool]]) -> Finish:
    """The output with so many more or fewer elements on each axis, in front or behind."""

    def finish(found: Reckoning, _: Array) -> Reckoning:
        return Reckoning(
            values=_with_size(found.values, moved),
            errors=_with_size(found.errors, moved),
            overflows=_with_size(found.overflows, moved),
        )

    return finish


def _with_size(array: Array, moved: list[tuple[int, bool]]) -> Array:
    for axis, (more, in_front) in enumerate(moved, start=2):
        pads = [(0, 0)] * array.ndim
        pads[axis] = (max(0, more), 0) if in_front else (0, max(0, more))
        array = np.pad(array, pads)
        kept = slice(-more if in_front else 0, None if in_front or more >= 0 else more)
        array = array[(slice(None),) * axis + (kept if more < 0 else slice(None),)]
    return array


def _last(shape: Shape) -> Shape:
    """(batch, channels, *spatial) as (batch, *spatial, channels)."""
    return (shape[0], *shape[2:], shape[1])
