"""Pools on arrays and their adjoints: maxima with switches, sums and means of windows.

A pool is computed axis by axis, the last axis first; on each, a `Walk` lists for every tap the
outputs and the inputs that it joins.  Arrays are floating and (batch, channels, *sizes), with one
walk for each size.  Padding is never read.  Which windows a layer has is not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.spans import Span
from convt_cli.operators.dtypes import Array
from convt_cli.operators.threads import by_channels

Walks = Sequence["Walk"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """A window moving along one axis: for each tap, equally long slices (outputs, inputs).

    Output n of the first slice reads input n of the second.  Taps are in the order of the window,
    so that the first tap that joins an output is the first of its window inside the input.
    """

    input_size: int
    output_size: int
    taps: tuple[tuple[slice, slice], ...]


def window_walk(axis: Axis) -> Walk:
    """The walk of a window of the same taps at all positions.

    >>> window_walk(Axis.conv(input_size=5, kernel_size=2, stride=2, before=1)).taps
    ((slice(1, 3, None), slice(1, 4, 2)), (slice(0, 3, None), slice(0, 5, 2)))
    """
    taps = []
    for tap in range(axis.kernel_size):
        first, past = axis.outputs_of_tap(tap)
        if past > first:
            start = first * axis.stride - axis.before + tap * axis.dilation
            stop = start + (past - first - 1) * axis.stride + 1
            taps.append((slice(first, past), slice(start, stop, axis.stride)))
    return Walk(input_size=axis.input_size, output_size=axis.output_size, taps=tuple(taps))


def span_walk(span: Span | None, input_size: int, output_size: int) -> Walk:
    """The walk of windows that vary along the axis, such as adaptive ones; None is all of it.

    >>> span_walk(Span(per=2), 2, 4).taps
    ((slice(0, 3, 2), slice(0, 2, 1)), (slice(1, 4, 2), slice(0, 2, 1)))
    """
    found = Span(step=input_size, last=input_size - 1) if span is None else span
    return Walk(
        input_size=input_size,
        output_size=output_size,
        taps=tuple(_taps_of_span(found, input_size, output_size)),
    )


def _taps_of_span(span: Span, input_size: int, output_size: int) -> Iterator[tuple[slice, slice]]:
    """The taps of a walk: outputs `per` apart have windows that are `step` inputs apart."""
    for output in range(min(span.per, output_size)):
        first, last = span.of(output)
        for start in range(first, min(last, input_size - 1) + 1):
            outputs = (output_size - 1 - output) // span.per + 1
            count = min(outputs, (input_size - 1 - start) // span.step + 1)
            yield (
                slice(output, output + (count - 1) * span.per + 1, span.per),
                slice(start, start + (count - 1) * span.step + 1, span.step),
            )


# --- maxima -----------------------------------------------------------------------------------


def max_pool(x: Array, walks: Walks) -> tuple[Array, Array]:
    """(the largest element of each window, its switch), each (batch, channels, *output sizes).

    A switch is the element's row-major position among the spatial ones; of equal elements that of
    the first.  A window with no element gives -inf, and the switch -1.
    """
    shape = (*x.shape[:2], *(walk.output_size for walk in walks))
    largest, switches = np.empty(shape, x.dtype), np.empty(shape, _index_dtype(walks))

    def fill(part: slice) -> None:
        largest[:, part], switches[:, part] = _max_pool(x[:, part], walks)

    by_channels(fill, x.shape)
    return largest, switches


def _max_pool(x: Array, walks: Walks) -> tuple[Array, Array]:
    """`max_pool` of some channels: on each axis the largest of the maxima on those behind it."""
    largest, switches, step = x, np.zeros((), _index_dtype(walks)), 1
    for number in reversed(range(len(walks))):
        # What each position of this axis adds to a row-major index: (input size, 1, ...)
        places = np.arange(walks[number].input_size, dtype=switches.dtype) * step
        placed = switches + places.reshape(-1, *(1 for _ in walks[number + 1 :]))
        # (batch, channels, *sizes before pooling this axis): the index of each of `largest`
        placed = np.broadcast_to(placed, largest.shape)
        largest, switches = _largest_along(number, walks[number], largest, placed)
        step *= walks[number].input_size
    return largest, switches


def _index_dtype(walks: Walks) -> np.dtype[np.int32] | np.dtype[np.int64]:
    """The dtype of switches: int32 where it holds every position."""
    small = prod(walk.input_size for walk in walks) < 2**31
    return np.dtype(np.int32) if small else np.dtype(np.int64)


def _largest_along(number: int, walk: Walk, x: Array, placed: Array) -> tuple[Array, Array]:
    """(the largest element of each window along one axis, its value in `placed`)."""
    shape = _resized(x, number, walk.output_size)
    largest, switches = np.full(shape, -np.inf, x.dtype), np.full(shape, -1, placed.dtype)
    for outputs, inputs in walk.taps:
        # `there` and `switch` are views of the outputs that have this tap
        one = x[_at(number, inputs)]
        there, switch = largest[_at(number, outputs)], switches[_at(number, outputs)]
        switch += (placed[_at(number, inputs)] - switch) * (one > there)  # faster than np.where
        np.maximum(there, one, out=there)
    return largest, switches


def max_pool_transpose(y: Array, switches: Array, walks: Walks) -> Array:
    """Each element of y added at the position of its switch; zeros elsewhere."""
    x = np.empty((*y.shape[:2], *(walk.input_size for walk in walks)), y.dtype)

    def fill(part: slice) -> None:
        x[:, part] = _max_pool_transpose(y[:, part], switches[:, part], x[:, part].shape)

    by_channels(fill, x.shape)
    return x


def _max_pool_transpose(y: Array, switches: Array, shape: tuple[int, ...]) -> Array:
    """`max_pool_transpose` of some channels, where `shape` is that of the result."""
    batch, channels, *sizes = shape
    # (batch, channels, 1, ...): where each channel begins in the flat result
    starts = np.arange(batch * channels).reshape(batch, channels, *(1 for _ in sizes)) * prod(sizes)
    x = np.zeros(prod(shape), y.dtype)
    places, met = switches + starts, switches >= 0
    if met.all():
        np.add.at(x, places.ravel(), y.ravel())
    else:
        np.add.at(x, places[met], y[met])
    return x.reshape(shape)


def max_unpool(y: Array, switches: Array, sizes: Sequence[int]) -> Array:
    """(batch, channels, *sizes): each element of y at the position of its switch, else zeros.

    A switch counts in the row-major order of `sizes`, whatever the sizes were that it was found
    in, as in `torch.nn.MaxUnpool2d`; of several elements for one position the last one stays.
    """
    x = np.zeros((*y.shape[:2], prod(sizes)), y.dtype)
    np.put_along_axis(x, _in_rows(switches), _in_rows(y), axis=2)
    return x.reshape(*y.shape[:2], *sizes)


def max_unpool_transpose(x: Array, switches: Array) -> Array:
    """The element of x at the position of each switch, of the switches' shape."""
    taken: Array = np.take_along_axis(_in_rows(x), _in_rows(switches), axis=2)
    return taken.reshape(switches.shape)


def _in_rows(x: Array) -> Array:
    """(batch, channels, positions)."""
    return x.reshape(*x.shape[:2], -1)


# --- sums and means ---------------------------------------------------------------------------


def window_sum(x: Array, walks: Walks) -> Array:
    """(batch, channels, *output sizes): the sum of the elements of each window."""
    for number in reversed(range(len(walks))):
        total = np.zeros(_resized(x, number, walks[number].output_size), x.dtype)
        for outputs, inputs in walks[number].taps:
            total[_at(number, outputs)] += x[_at(number, inputs)]
        x = total
    return x


def window_sum_transpose(y: Array, walks: Walks) -> Array:
    """(batch, channels, *input sizes): each element of y added to all elements of its window."""
    for number in range(len(walks)):
        total = np.zeros(_resized(y, number, walks[number].input_size), y.dtype)
        for outputs, inputs in walks[number].taps:
            total[_at(number, inputs)] += y[_at(number, outputs)]
        y = total
    return y


def elements_met(walks: Walks) -> list[Array]:
    """(output size,) per axis: how many elements of the input each window has."""
    counts = []
    for walk in walks:
        count = np.zeros(walk.output_size, np.int64)
        for outputs, _ in walk.taps:
            count[outputs] += 1
        counts.append(count)
    return counts


def taps_within(axes: Sequence[Axis], paddings: Sequence[int]) -> list[Array]:
    """(output size,) per axis: how many taps each window has before the end of the padding.

    `paddings` are those behind each axis; the last window may go past them (ceil_mode).
    """
    counts = []
    for axis, padding in zip(axes, paddings, strict=True):
        starts = np.arange(axis.output_size) * axis.stride - axis.before
        # Taps before the end: ceil((end - start) / dilation)
        room = -(-(axis.input_size + padding - starts) // axis.dilation)
        counts.append(np.clip(room, 0, axis.kernel_size))
    return counts


def divided(x: Array, counts: Sequence[Array]) -> Array:
    """x divided by the `counts` of its position on every axis, (size,) each; 0 counts as 1."""
    for number, count in enumerate(counts):
        shaped = np.maximum(count, 1).reshape(-1, *(1 for _ in counts[number + 1 :]))
        x = x / shaped.astype(x.dtype)
    return x


def _resized(x: Array, number: int, size: int) -> tuple[int, ...]:
    """The shape of x with another size on one spatial axis."""
    return (*x.shape[: 2 + number], size, *x.shape[3 + number :])


def _at(number: int, which: slice) -> tuple[slice, ...]:
    """The index for `which` of one spatial axis, and all of the others."""
    return (slice(None),) * (2 + number) + (which,)
