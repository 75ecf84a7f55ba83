"""C x and Cᵀ y from one .npy file into another, tile by tile: neither needs to fit into memory.

The tiles follow from the layer alone (`operators.tiles`).  Each is computed by itself, from one box
of the source to one box of the result, so the bytes are those of the same tiles in memory, for any
number of threads and however a batch is split.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.errors import ArrayError
from convt_cli.files.boxes import BoxReader, BoxWriter, StoredShape
from convt_cli.files.layout import Form, axes_in_file, form_of, shape_in_file
from convt_cli.files.npy import opened_npy
from convt_cli.files.weights import cast
from convt_cli.io import memory
from convt_cli.io.progress import Progress
from convt_cli.io.writing import output
from convt_cli.operators.dtypes import (
    Array,
    exact_sum,
    finish,
    require_numeric,
    result_dtype,
    working_dtype,
)
from convt_cli.operators.matrix_free import MatrixFree
from convt_cli.operators.threads import each
from convt_cli.operators.tiles import Tile

_SIDE_BY_SIDE_BYTES = 32 * 2**20
"""Bytes of a task's boxes where the numbers of several items lie side by side in the file."""
_PLANNED_BYTES = 128 * 2**20
"""Bytes that the boxes of a task take at most, except where a dilated kernel spans far more."""

_Task = tuple[slice, Tile]
"""(items of the batch, the tile to compute of each of them)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """Applying C (`forward`) or Cᵀ of a convolution, with the dtype and the bias to use.

    `dtype`, if there is one, is what the source is cast to; `bias` is (channels, 1, ..., 1).
    """

    convolution: Convolution
    weight: Array
    forward: bool
    bias: Array | None
    dtype: np.dtype[Any] | None

    @property
    def shapes(self) -> tuple[Shape, Shape]:
        """(channels, *spatial) of the source and of the result."""
        both = self.convolution.input_shape, self.convolution.output_shape
        return both if self.forward else both[::-1]

    def form(self, shape: Shape, layout: str, *, text: bool) -> Form:
        """The form of a source of `shape`.  Raises ArrayError (E301)."""
        before, after = self.shapes
        try:
            return form_of(shape, before, layout, text=text)
        except ArrayError as error:
            with suppress(ArrayError):
                form_of(shape, after, layout, text=text)
                turn = "leave --forward out" if self.forward else "pass --forward"
                error.help = f"this is the shape of the layer's other side: {turn}"
            raise

    def cast(self, source: Array) -> Array:
        """The source in the dtype asked for, if one was.  Raises ArrayError (E302)."""
        return source if self.dtype is None else cast(source, self.dtype, "array")

    def biased(self, result: Array) -> Array:
        """The result, (..., channels, *sizes), plus the bias.  Raises ArrayError (E304)."""
        return result if self.bias is None else exact_sum(result, self.bias)


def apply_by_tiles(
    action: Action,
    source: str,
    target: str,
    layout: str,
    *,
    force: bool,
    progress: Progress,
) -> None:
    """Apply an action with zero padding to the file `source`, and write the file `target`.

    Both are .npy files that can be read and written at any place.  Raises FileError (E401, E402,
    E403, E406), ArrayError (E301, E302, E303, E304), RequestError (E501).
    """
    before, after = action.shapes
    with opened_npy(source) as (file, header):
        form = action.form(header.shape, layout, text=False)
        batch = header.shape[0] if form.batched else 1
        rank = len(before) - 1
        order = axes_in_file(form, rank, fortran=header.fortran)
        reader = BoxReader(file, source, header, StoredShape(shape=(batch, *before), order=order))
        tiling = _Tiling(action, _sample(action, header.dtype, reader, progress))
        at_once = tiling.items_at_once(side_by_side=order[-1] == 0)
        with output(target, force=force) as sink:
            stored = StoredShape(
                shape=(batch, *after), order=axes_in_file(form, rank, fortran=False)
            )
            shape = shape_in_file(form, batch, after)
            writer = BoxWriter(sink, shape, tiling.dtype, stored)

            def work(task: _Task) -> int:
                """How many numbers of the result were computed and written."""
                items, tile = task
                tiling.require_memory(tile, items.stop - items.start)
                channels = slice(0, before[0]), slice(0, after[0])
                part = reader.read((items, channels[0], *tile.sources))
                result = tiling.applied(tile, part)
                writer.write((items, channels[1], *tile.results), result)
                return int(result.size)

            with progress("applying", prod(stored.shape)) as advance:
                each(work, tiling.tasks(batch, at_once), advance)
            reader.require_unchanged()  # before the target is published


def _sample(action: Action, dtype: np.dtype[Any], reader: BoxReader, progress: Progress) -> Array:
    """What the working dtype follows from: the least and greatest number of an integer source.

    An array in the dtype that the source is cast to, empty if that is no integer.  Raises FileError
    (E401), ArrayError (E302, E303).
    """
    sample = action.cast(require_numeric(np.empty(0, dtype), "the array"))
    if result_dtype(sample, action.weight).kind not in "iu":
        return sample
    extremes: list[int] = []
    with progress("measuring", reader.size) as advance:
        for piece in reader.pieces():
            numbers = action.cast(piece)
            extremes = [*extremes, int(numbers.min()), int(numbers.max())]
            extremes = [min(extremes), max(extremes)]
            advance(len(piece))
    return np.array(extremes, sample.dtype)


class _Tiling:
    """Applies an action to boxes of its source; `sample` is what `_sample` gives."""

    def __init__(self, action: Action, sample: Array) -> None:
        weight = action.weight
        self._action = action
        self._result = result_dtype(sample, weight)
        self._working = working_dtype(sample, weight, weight.size)
        with np.errstate(all="ignore"):
            converted = weight.astype(self._working, copy=False)
        self._direct = MatrixFree(action.convolution, converted, forward=action.forward)
        self.dtype = action.biased(np.empty(0, self._result)).dtype

    def items_at_once(self, *, side_by_side: bool) -> int:
        """How many items of the batch one task reads: more where they lie `side_by_side`.

        They do where the batch is the file's fastest axis: reading one item alone would then be a
        read for each of its numbers.
        """
        if not side_by_side:
            return self._direct.items_together
        tile = next(self._direct.tiles())
        sizes = (part.stop - part.start for part in tile.sources)
        before, after = (shape[0] for shape in self._action.shapes)
        values = before * prod(sizes) + after * prod(tile.result_sizes)
        size: int = values * self._working.itemsize
        return max(self._direct.items_together, _SIDE_BY_SIDE_BYTES // size)

    def tasks(self, batch: int, at_once: int) -> Iterator[_Task]:
        """The tasks of a whole batch: group of items by group, and in each tile by tile."""
        for first in range(0, batch, at_once):
            for tile in self._direct.tiles():
                yield slice(first, min(first + at_once, batch)), tile

    def require_memory(self, tile: Tile, items: int) -> None:
        """Ask for the memory of a tile's boxes: a dilated kernel's can span all of the source.

        Raises RequestError (E501).
        """
        before, after = (shape[0] for shape in self._action.shapes)
        read = before * prod(part.stop - part.start for part in tile.sources)
        values = 2 * read + after * prod(tile.result_sizes)
        needed = items * values * self._working.itemsize
        if needed > _PLANNED_BYTES:
            what = "what a part of the result is computed from"
            memory.require(needed, what, help="use a machine with more memory")

    def applied(self, tile: Tile, source: Array) -> Array:
        """The box of the result, (items, channels, *sizes), from the tile's box of the source."""
        numbers = self._action.cast(source).astype(self._working, copy=False)
        channels = self._action.shapes[1][0]
        result = np.empty((len(source), channels, *tile.result_sizes), self._working)
        for first in range(0, len(source), self._direct.items_together):
            items = slice(first, first + self._direct.items_together)
            self._direct.fill(tile, numbers[items], result[items])
        return self._action.biased(finish(result, self._result))
