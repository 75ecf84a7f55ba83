"""The report of `analyze`: a row for each layer's C, with shortcuts beside the true values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from convt_cli.analysis.coverage import Coverage
from convt_cli.analysis.singular.values import Shortcuts, Spectrum
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.shuffles import Shuffle
from convt_cli.errors import Diagnostic
from convt_cli.reports.cells import number, off
from convt_cli.reports.per_layer import LayerResults, NetworkResults, fill_notes, per_layer_report
from convt_cli.reports.table import Cell, CellKind, Report, Table, column


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """The results for the C of one layer's `convolution`, whose entries have `itemsize` bytes.

    `shuffles` are the pixel_shuffle layers behind the layer, and `phase_differences` says for each,
    by its name, how far the kernel sums of the phases differ; one that was not examined is missing.
    """

    convolution: Convolution
    itemsize: int
    coverage: Coverage
    spectrum: Spectrum
    shortcuts: Shortcuts
    shuffles: tuple[Shuffle, ...] = ()
    phase_differences: Mapping[str, float] = field(default_factory=dict)


Analyzed = NetworkResults[Analysis]

_COLUMNS = (
    column("layer"),
    column("nnz", kind=CellKind.AMOUNT),
    column("density", optional=3),
    column("bytes", kind=CellKind.AMOUNT, optional=4),
    column("singular_value_max", "largest"),
    column("singular_value_max_error_estimate", "error estimate", optional=10),
    column("singular_value_min", "smallest"),
    column("singular_value_min_error_estimate", "error estimate", optional=10),
    column("condition_number", "condition"),
    column("method", "found by", optional=9),
    column("reshaped_kernel_norm", "kernel norm", optional=5),
    column("reshaped_kernel_off", "norm off", optional=5),
    column("reshaped_kernel_norm_root_taps", "norm·√taps", optional=7),
    column("reshaped_root_taps_off", "norm·√taps off", optional=7),
    column("circular_norm", "circular", optional=6),
    column("circular_off", "circular off", optional=6),
    column("overlap", optional=2),
    column("checkerboard"),
    column("unread_inputs", "unread", kind=CellKind.TALLY, optional=1),
)


def analysis_report(analyzed: Analyzed, problems: Sequence[Diagnostic]) -> Report:
    """One table per network; `problems` of specs and layers that could not be analyzed."""
    return per_layer_report(analyzed, problems, table=_table, document=_document)


def _table(network: Network, layers: LayerResults[Analysis]) -> Table:
    return Table(
        title=f"{network.name} ({network.rules.title}), C of every layer",
        columns=_COLUMNS,
        rows=tuple(_row(layer, analysis) for layer, analysis in layers),
        notes=tuple(_notes(layers)),
        spec=network.spec,
    )


def _row(layer: NetworkLayer, analysis: Analysis) -> tuple[Cell, ...]:
    spectrum, shortcuts = analysis.spectrum, analysis.shortcuts
    largest, smallest = spectrum.largest, spectrum.smallest
    counts = analysis.coverage
    estimates = (shortcuts.reshaped, shortcuts.reshaped_root_taps, shortcuts.circular)
    return (
        layer.name,
        analysis.convolution.nnz,
        number(_density(analysis.convolution), 3),
        analysis.convolution.matrix_bytes(analysis.itemsize),
        number(largest.value),
        number(largest.error_estimate, 1),
        None if smallest is None else number(smallest.value),
        None if smallest is None else number(smallest.error_estimate, 1),
        number(spectrum.condition_number, 4),
        spectrum.method,
        *(cell for one in estimates for cell in (number(one), off(one, largest.value))),
        _range_text((counts.overlap_min, counts.overlap_max)),
        verdict(layer, analysis),
        counts.unread_inputs,
    )


def verdict(layer: NetworkLayer, analysis: Analysis) -> str:
    """Whether Cᵀ with constant taps leaves a constant even, away from the borders, in words.

    Where a pixel_shuffle stands behind the layer, the two are judged together instead: whether
    both of them, with the layer's own taps, leave a constant even.
    """
    if analysis.shuffles:
        return "; ".join(_shuffle_verdict(layer, one, analysis) for one in analysis.shuffles)
    counts = analysis.coverage
    if counts.interior is None:
        return "even everywhere" if counts.is_even else "no interior"
    if counts.is_even:
        return "even in the interior"
    return f"uneven: {_range_text(counts.interior)}, period {_joined_sizes(counts.period)}"


def _shuffle_verdict(layer: NetworkLayer, shuffle: Shuffle, analysis: Analysis) -> str:
    difference = analysis.phase_differences.get(shuffle.name)
    if difference is None:
        return f"not judged with {shuffle.name}"
    aside = ", its bias aside" if layer.bias_source is not None else ""
    if not difference:
        return f"even with {shuffle.name}{aside}"
    return f"uneven with {shuffle.name}{aside}: kernel sums differ by {100 * difference:.3g} %"


def _density(convolution: Convolution) -> float:
    return convolution.nnz / prod(convolution.matrix_shape)


def _range_text(pair: tuple[int, int]) -> str:
    low, high = pair
    return str(low) if low == high else f"{low} to {high}"


def _joined_sizes(shape: Shape) -> str:
    return "×".join(map(str, shape))


def _notes(layers: LayerResults[Analysis]) -> Iterator[str]:
    if not layers:
        yield "No conv or conv_transpose layer."
        return
    yield (
        "largest, smallest: singular values of C; an error estimate is not proved.  kernel norm: "
        "that of the kernel as a matrix out × in·taps; circular: C with circular padding."
    )
    unknown = [layer.name for layer, one in layers if one.spectrum.smallest is None]
    if unknown:
        yield f"The smallest singular value is not known: {', '.join(unknown)}."
    for layer, analysis in layers:
        if analysis.coverage.is_even is False:
            yield f"{layer.name}: {_remedy(analysis)}"
    yield from fill_notes(layers)


def _remedy(analysis: Analysis) -> str:
    counts = analysis.coverage
    if counts.even_kernel_size is None:
        return "a dilation with no factor in common with the stride would make the overlap even."
    size = _joined_sizes(counts.even_kernel_size)
    own = _joined_sizes(analysis.convolution.kernel_size)
    return f"kernel_size {size} in place of {own} would make the overlap even."


def _document(layer: NetworkLayer, analysis: Analysis) -> dict[str, object]:
    counts, spectrum, shortcuts = analysis.coverage, analysis.spectrum, analysis.shortcuts
    smallest = spectrum.smallest
    return {
        "shape": analysis.convolution.matrix_shape,
        "nnz": analysis.convolution.nnz,
        "density": _density(analysis.convolution),
        "bytes": analysis.convolution.matrix_bytes(analysis.itemsize),
        "singular_value_max": spectrum.largest.value,
        "singular_value_max_error_estimate": spectrum.largest.error_estimate,
        "singular_value_min": None if smallest is None else smallest.value,
        "singular_value_min_error_estimate": None if smallest is None else smallest.error_estimate,
        "condition_number": spectrum.condition_number,
        "method": spectrum.method,
        "reshaped_kernel_norm": shortcuts.reshaped,
        "reshaped_kernel_norm_root_taps": shortcuts.reshaped_root_taps,
        "circular_norm": shortcuts.circular,
        "overlap_min": counts.overlap_min,
        "overlap_max": counts.overlap_max,
        "interior_overlap": counts.interior,
        "overlap_period": counts.period,
        "checkerboard": verdict(layer, analysis),
        "even_kernel_size": counts.even_kernel_size,
        "unread_inputs": counts.unread_inputs,
    }
