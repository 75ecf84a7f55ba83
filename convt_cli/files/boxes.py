"""Boxes of .npy files: parts of arrays that need not fit into memory, read and written in place.

A box has a slice of every axis, each with both ends and without a step.  In the file it is a number
of runs of equal length: each is one plain read or write at its own offset.  The file is not mapped
into memory, so one that becomes shorter meanwhile gives an error and not a signal (SIGBUS), and no
memory is taken for what has been read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import shown
from convt_cli.files.archive import without_idle_bytes
from convt_cli.files.damage import damaged
from convt_cli.files.npy import Header, header_bytes
from convt_cli.io.reading import require_unchanged, unreadable
from convt_cli.operators.dtypes import Array

Box = tuple[slice, ...]
"""One slice(start, stop) for each axis."""

SUPPORTED = hasattr(os, "preadv") and hasattr(os, "pwrite")
"""Whether this system can read and write at offsets of a file."""

_PIECE = 4 * 2**20
"""Bytes of one part where a whole file is read from its beginning to its end."""
_GAP = 4096
"""Bytes between two runs that are read as well, if they are no more: one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredShape:
    """The `shape` of an array, and the `order` of its axes in the file, the slowest first."""

    shape: Shape
    order: tuple[int, ...]

    def in_file(self, of_axes: tuple[Any, ...]) -> tuple[Any, ...]:
        """One thing for each axis, such as the sizes, put in the file's order."""
        return tuple(of_axes[axis] for axis in self.order)


class BoxReader:
    """Reads boxes of the array behind `header` in `file`; threads can share it."""

    def __init__(self, file: BinaryIO, name: str, header: Header, stored: StoredShape) -> None:
        self._file, self._name, self._header, self._stored = file, name, header, stored
        self._status = os.fstat(file.fileno())

    @property
    def size(self) -> int:
        """How many numbers the array has."""
        return prod(self._stored.shape)

    def read(self, box: Box) -> Array:
        """The numbers of a box, with the axes of the array, in native byte order.

        Raises FileError (E401), ArrayError (E303).
        """
        stored, size = self._stored, self._header.dtype.itemsize
        shape, inside = stored.in_file(stored.shape), stored.in_file(box)
        wider = without_small_gaps(shape, inside, _GAP // size)
        numbers = self._numbers(*runs(shape, wider)).reshape([_length(part) for part in wider])
        # The part of the wider box that was asked for, still with its axes in the file's order.
        wanted = zip(inside, wider, strict=True)
        kept = numbers[tuple(slice(p.start - w.start, p.stop - w.start) for p, w in wanted)]
        return kept.transpose(np.argsort(stored.order))

    def require_unchanged(self) -> None:
        """Raise FileError (E401) where the file was written since the reader was made."""
        require_unchanged(self._name, self._status, os.fstat(self._file.fileno()))

    def pieces(self) -> Iterator[Array]:
        """All the numbers in the file's order, in parts of a few MiB with one axis.

        Raises FileError (E401), ArrayError (E303).
        """
        most = _PIECE // self._header.dtype.itemsize
        for start in range(0, self.size, most):
            yield self._numbers([start], min(most, self.size - start))

    def _numbers(self, starts: list[int], length: int) -> Array:
        """(runs * length): the runs of `length` numbers that begin at the elements `starts`."""
        numbers = np.empty(len(starts) * length, self._header.dtype)
        size = length * numbers.itemsize
        target = numbers.view(np.uint8).data
        for number, start in enumerate(starts):
            offset = self._header.length + start * numbers.itemsize
            self._fill(target[number * size : (number + 1) * size], offset)
        return numbers if numbers.dtype.isnative else numbers.astype(numbers.dtype.newbyteorder())

    def _fill(self, target: memoryview, offset: int) -> None:
        """Read the bytes from `offset` on until `target` is full."""
        while target:
            try:
                done = os.preadv(self._file.fileno(), [target], offset)
            except OSError as error:
                raise unreadable(self._name, error) from None
            if not done:
                raise damaged(shown(self._name), f"it ended at byte {offset} while it was read")
            target, offset = target[done:], offset + done


class BoxWriter:
    """Writes a .npy array into the empty `file`, box by box; threads can share it.

    The room on the disk is taken at once, so that a disk that is too full is found before the
    work begins.  Every method raises what the system raises.
    """

    def __init__(
        self, file: BinaryIO, shape: Shape, dtype: np.dtype[Any], stored: StoredShape
    ) -> None:
        header = header_bytes(shape, dtype)
        file.write(header)
        file.flush()
        self._file, self._offset, self._stored = file, len(header), stored
        _reserve(file.fileno(), len(header) + prod(shape) * dtype.itemsize)

    def write(self, box: Box, values: Array) -> None:
        """Write `values`, whose axes are those of the array, in the place of a box."""
        stored = self._stored
        starts, length = runs(stored.in_file(stored.shape), stored.in_file(box))
        numbers = without_idle_bytes(
            np.ascontiguousarray(values.transpose(stored.order)).reshape(-1)
        )
        size = length * numbers.itemsize
        source = numbers.view(np.uint8).data
        for number, start in enumerate(starts):
            offset = self._offset + start * numbers.itemsize
            self._put(source[number * size : (number + 1) * size], offset)

    def _put(self, source: memoryview, offset: int) -> None:
        """Write all bytes of `source` from `offset` on."""
        while source:
            done = os.pwrite(self._file.fileno(), source, offset)
            source, offset = source[done:], offset + done


def runs(shape: Shape, box: Box) -> tuple[list[int], int]:
    """(first element of every run, elements of a run) of a box of a row-major array.

    A run goes on over every trailing axis that the box has whole.

    >>> runs((2, 3, 4), (slice(0, 2), slice(1, 3), slice(0, 4)))
    ([4, 16], 8)
    """
    # (size, first, past) of every axis; the axes from `cut` on are one run
    parts = [(size, part.start, part.stop) for size, part in zip(shape, box, strict=True)]
    cut = len(parts) - 1
    while cut > 0 and parts[cut][1:] == (0, parts[cut][0]):
        cut -= 1
    starts = [0]
    for size, first, past in parts[:cut]:
        starts = [start * size + place for start in starts for place in range(first, past)]
    length = 1
    for size, first, past in parts[cut:]:
        starts = [start * size + first for start in starts]
        length *= past - first
    return starts, length


def without_small_gaps(shape: Shape, box: Box, most: int) -> Box:
    """A box that also holds the small gaps between the runs of `box`, so that there are fewer runs.

    A gap is small if it has at most `most` elements and is no longer than the run before it: it
    takes less time to read it than to begin another read behind it.

    >>> without_small_gaps((100, 32), (slice(0, 9), slice(0, 27)), 50)
    (slice(0, 9, None), slice(0, 32, None))
    """
    wider, inner = list(box), 1
    for axis in reversed(range(len(shape))):
        gap = shape[axis] - _length(box[axis])
        if gap > _length(box[axis]) or gap * inner > most:
            break
        wider[axis] = slice(0, shape[axis])
        inner *= shape[axis]
    return tuple(wider)


def _length(part: slice) -> int:
    length: int = part.stop - part.start
    return length


def _reserve(descriptor: int, size: int) -> None:
    """Make a file `size` bytes long, and take the room on the disk if the file system can."""
    os.truncate(descriptor, size)
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS):
                raise
