"""C as a sparse matrix in CSR form, built without a loop over its rows.

Row (channel, o_1, ..., o_r) holds the taps whose input exists.  On one axis the taps inside are
a range that changes only where some tap enters or leaves the input, so the outputs of an axis
fall into at most 2 * kernel_size + 1 runs that see the same taps.  In a product of runs, a
block, all rows look alike: their entries lie at constant strides in `data`, and one broadcast
write fills them all.  The column indices of one output channel are those of every channel of
its group; other groups add a constant.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise, product
from math import prod

import numpy as np
from numpy.lib.stride_tricks import as_strided
from scipy.sparse import csr_array

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array, require_numeric
from convt_cli.operators.folded import folded_positions, without_padding


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Neighbouring outputs of one axis that see the same taps, and the entries before them."""

    first: int
    past: int
    taps: slice
    entries_before: int

    @property
    def length(self) -> int:
        return self.past - self.first

    @property
    def tap_count(self) -> int:
        return int(self.taps.stop - self.taps.start)


def build_matrix(convolution: Convolution, weight: Array) -> csr_array:
    """C with C[output, input] = the weight's tap there; y.ravel() = C @ x.ravel().

    `weight` is (out_channels, in_channels // groups, *kernel_size) and gives C its dtype.  The
    result is canonical: column indices sorted, no duplicates, zeros of the weight stored.
    Raises ArrayError (E302) for a dtype that scipy.sparse has not, RequestError (E501) when C
    does not fit into memory.
    """
    require_matrix_dtype(require_numeric(weight, "the weight"))
    memory.require(
        convolution.matrix_bytes(weight.dtype.itemsize),
        f"C with {convolution.nnz:,} entries",
        help="apply it without the matrix (--method direct), or use a smaller input",
    )
    if convolution.padding_mode != "zeros":
        return _folded_matrix(convolution, weight)
    runs = [_runs(axis) for axis in convolution.axes]
    index = np.dtype(convolution.index_dtype)
    data = np.empty((convolution.out_channels, _channel_entries(convolution)), weight.dtype)
    indices = np.empty(data.shape, index)
    _fill_data(data, convolution, weight, runs)
    _fill_indices(indices, convolution, runs)
    matrix = csr_array(
        (data.ravel(), indices.ravel(), _row_pointers(convolution, runs)),
        shape=convolution.matrix_shape,
    )
    matrix.has_canonical_format = True  # sorted and without duplicates, by construction
    return matrix


def require_matrix_dtype(weight: Array) -> None:
    """Raise ArrayError (E302) for float16, which no scipy.sparse matrix holds."""
    if weight.dtype == np.float16:
        raise ArrayError(
            "E302",
            "a sparse matrix holds no float16",
            value="got dtype float16",
            help="convert the weight to float32",
        )


def _runs(axis: Axis) -> list[_Run]:
    edges = {0, axis.output_size}
    for tap in range(axis.kernel_size):
        edges.update(axis.outputs_of_tap(tap))
    runs, entries = [], 0
    for first, past in pairwise(sorted(edges)):
        taps = slice(*axis.taps_of_output(first))
        runs.append(_Run(first=first, past=past, taps=taps, entries_before=entries))
        entries += (past - first) * runs[-1].tap_count
    return runs


def _channel_entries(convolution: Convolution) -> int:
    """The number of entries in the rows of one output channel."""
    return convolution.nnz // convolution.out_channels


def _row_pointers(convolution: Convolution, runs: list[list[_Run]]) -> Array:
    counts = np.array([convolution.weight_shape[1]], np.int64)
    for axis_runs in runs:
        lengths = [run.length for run in axis_runs]
        axis_counts = np.repeat([run.tap_count for run in axis_runs], lengths)
        counts = np.multiply.outer(counts, axis_counts).ravel()
    rows, _ = convolution.matrix_shape
    pointers = np.zeros(rows + 1, convolution.index_dtype)
    np.cumsum(np.tile(counts, convolution.out_channels), out=pointers[1:])
    return pointers


def _blocks(
    convolution: Convolution, runs: list[list[_Run]]
) -> Iterator[tuple[tuple[_Run, ...], int, tuple[int, ...]]]:
    """Every block with entries: its runs, its offset among a channel's entries, its row strides.

    With T_a entries on axis a in all and m_a in each output of the block's run, an output of
    axis a starts prod(m_b, b < a) * (entries before it) * prod(T_b, b > a) after the first.
    """
    totals = [run[-1].entries_before + run[-1].length * run[-1].tap_count for run in runs]
    after = [prod(totals[number + 1 :]) for number in range(len(totals))]
    inner = convolution.weight_shape[1]
    for block in product(*runs):
        counts = [run.tap_count for run in block]
        if not all(counts):
            continue
        lead = list(accumulate(counts, lambda a, b: a * b, initial=inner))
        offset = sum(lead[n] * run.entries_before * after[n] for n, run in enumerate(block))
        yield block, offset, tuple(lead[n + 1] * after[n] for n in range(len(block)))


def _view(entries: Array, offset: int, strides: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """The rows of a block as an array (channels, *outputs, in_channels // groups, *taps).

    `entries` is (channels, entries of a channel); the axes behind the outputs are contiguous.
    """
    item = entries.itemsize
    inner = shape[1 + len(strides) :]
    tail = list(accumulate(inner[:0:-1], lambda a, b: a * b, initial=1))[::-1]
    steps = (entries.shape[1], *strides, *tail)
    return as_strided(entries[:, offset:], shape, tuple(step * item for step in steps))


def _fill_data(
    data: Array, convolution: Convolution, weight: Array, runs: list[list[_Run]]
) -> None:
    channels, inner = weight.shape[:2]
    for block, offset, strides in _blocks(convolution, runs):
        taps = weight[:, :, *(run.taps for run in block)]
        outputs = tuple(run.length for run in block)
        view = _view(data, offset, strides, (channels, *outputs, inner, *taps.shape[2:]))
        view[...] = taps.reshape(channels, *(1 for _ in outputs), inner, *taps.shape[2:])


def _fill_indices(indices: Array, convolution: Convolution, runs: list[list[_Run]]) -> None:
    """Write the columns of the first channel by blocks, then copy them to the others."""
    _, inner, *_ = convolution.weight_shape
    for block, offset, strides in _blocks(convolution, runs):
        starts, taps = _block_columns(convolution, block, indices.dtype.type)
        shape = (1, *starts.shape, inner, *taps.shape[1:])
        view = _view(indices[:1], offset, strides, shape)[0]
        starts = starts.reshape(*starts.shape, *(1 for _ in taps.shape))
        np.add(starts, taps, out=view)
    per_group = convolution.out_channels // convolution.groups
    columns_per_group = convolution.matrix_shape[1] // convolution.groups
    indices[1:per_group] = indices[0]
    for group in range(1, convolution.groups):
        rows = slice(group * per_group, (group + 1) * per_group)
        np.add(indices[0], indices.dtype.type(group * columns_per_group), out=indices[rows])


def _block_columns(
    convolution: Convolution, block: tuple[_Run, ...], index: type[np.signedinteger]
) -> tuple[Array, Array]:
    """(*outputs) columns of tap 0 in channel 0, and (in_channels // groups, *taps) added to them.

    The first can be negative where tap 0 lies in the padding; every sum is a column.
    """
    sizes = [axis.input_size for axis in convolution.axes]
    steps = [prod(sizes[number + 1 :]) for number in range(len(sizes))]
    starts = np.zeros((), index)
    taps = np.arange(convolution.weight_shape[1], dtype=index) * index(prod(sizes))
    for axis, run, step in zip(convolution.axes, block, steps, strict=True):
        outputs = np.arange(run.first, run.past, dtype=np.int64) * axis.stride - axis.before
        offsets = np.arange(run.taps.start, run.taps.stop, dtype=np.int64) * axis.dilation
        starts = np.add.outer(starts, (outputs * step).astype(index))
        taps = np.add.outer(taps, (offsets * step).astype(index))
    return starts, taps


def _folded_matrix(convolution: Convolution, weight: Array) -> csr_array:
    """C over the padded input, its columns folded onto the input and equal ones added up."""
    matrix = build_matrix(without_padding(convolution), weight)
    columns = np.arange(convolution.in_channels)
    for axis in convolution.axes:
        folded = folded_positions(axis, convolution.padding_mode)
        columns = np.add.outer(columns * axis.input_size, folded).ravel()
    folded_indices = columns.astype(convolution.index_dtype)[matrix.indices]
    result = csr_array((matrix.data, folded_indices, matrix.indptr), shape=convolution.matrix_shape)
    result.sum_duplicates()
    return result
