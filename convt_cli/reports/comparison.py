"""The report of `compare`: layers under several frameworks, their sizes, pads and values.

There is a table for each layer, with a row for each framework.  The notes below it give the rules
of the frameworks that refuse the layer as written, what tools of one framework disagree on, and for
each other framework the line of code that computes what the layer's own framework computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.comparison import Reading, Symmetric, axes_of, symmetric
from convt_cli.errors import Diagnostic
from convt_cli.reports.code_lines import Line, layer_line
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

_COLUMNS = (
    column("layer", optional=1),
    column("framework"),
    column("output", kind=CellKind.SHAPE),
    column("padding"),
    column("output_padding"),
    column("values"),
)
_FLIPPED = "the kernel must be flipped: transpose_kernel=True"
"""The note where JAX's conv_transpose takes the kernel the other way round."""
_SYMMETRIC = ("pytorch", "caffe")
"""The frameworks whose layers pad both sides alike; the first alone has output_padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A layer of a network, resolved by each framework; the reading of its own comes first."""

    network: Network
    layer: NetworkLayer
    readings: tuple[Reading, ...]

    @property
    def own(self) -> Reading:
        return self.readings[0]

    @property
    def is_transposed(self) -> bool:
        return self.layer.type == "conv_transpose"

    @property
    def symmetric(self) -> Symmetric | None:
        """The symmetric padding nearest to a convolution's own, where that is not symmetric."""
        convolution = self.layer.geometry.convolution
        if convolution is None or convolution.padding_mode != "zeros":
            return None
        return symmetric(axes_of(self.layer.geometry), adjoint=self.is_transposed)

    def line(self, framework: Framework) -> Line:
        """The line that computes in `framework` what the layer's own framework computes."""
        return layer_line(self.layer, self.network.rules, framework.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """How many layers of each type of a network were not compared."""

    network: Network
    types: Mapping[str, int]

    def __str__(self) -> str:
        counted = ", ".join(f"{name} × {count}" for name, count in self.types.items())
        return f"Not compared, as convt knows no difference for them: {counted}."


def comparison_report(
    layers: Sequence[Compared],
    problems: Sequence[Diagnostic],
    left_out: Sequence[LeftOut] = (),
) -> Report:
    """One table per layer; `problems` of specs without a network go into the document.

    Layers that were not compared are named below the last table of their network, or in a table
    without rows where the network has no other.
    """
    return Report(
        tables=tuple(_tables(layers, left_out)),
        plain=lambda: {
            "version": VERSION,
            "layers": [_layer_document(compared) for compared in layers],
            "not_compared": [
                {"spec": one.network.spec, "types": dict(one.types)} for one in left_out
            ],
            "problems": [problem.document() for problem in problems],
        },
    )


def _tables(layers: Sequence[Compared], left_out: Sequence[LeftOut]) -> Iterator[Table]:
    # by identity, as two specs may hold equal networks
    unmentioned = {id(one.network): one for one in left_out if one.types}
    last = {id(compared.network): compared for compared in layers}
    for compared in layers:
        table = _table(compared)
        if last[id(compared.network)] is compared:
            rest = unmentioned.pop(id(compared.network), None)
            if rest is not None:
                table = replace(table, notes=(*table.notes, str(rest)))
        yield table
    for one in unmentioned.values():
        title = f"{one.network.name} ({one.network.rules.title})"
        yield Table(
            title=title, columns=_COLUMNS, rows=(), notes=(str(one),), spec=one.network.spec
        )


def _table(compared: Compared) -> Table:
    layer, network = compared.layer, compared.network
    return Table(
        title=(
            f"{network.name} ({network.rules.title}), {layer.name}: {layer.type}, "
            f"input {list(layer.inputs[0])}"
        ),
        columns=_COLUMNS,
        rows=tuple(_row(compared, reading) for reading in compared.readings),
        notes=tuple(_notes(compared)),
        spec=network.spec,
    )


def _row(compared: Compared, reading: Reading) -> tuple[Cell, ...]:
    name = (compared.layer.name, reading.framework.name)
    if reading.geometry is None:
        return (*name, None, None, None, "refused")
    pads = " ".join(f"({axis.before},{axis.after})" for axis in reading.axes) or None
    extras = " ".join(str(axis.output_padding) for axis in reading.axes)
    return (
        *name,
        reading.geometry.output,
        pads,
        extras if compared.is_transposed else None,
        "as written" if reading is compared.own else _values(reading),
    )


def _values(other: Reading) -> str:
    """How the values differ from those of the layer's own framework, in a few words."""
    if other.shift is None:
        return f"other {other.difference}"
    flipped = ", flipped" if other.is_flipped else ""
    return f"shifted by {_signed(other.shift)}{flipped}" if any(other.shift) else f"equal{flipped}"


def _signed(shift: Shape) -> str:
    """The shift with its sign: `+1` where all axes have the same, else `(+1, 0)`."""
    texts = [f"{by:+d}" if by else "0" for by in shift]
    return texts[0] if len(set(shift)) == 1 else f"({', '.join(texts)})"


def _notes(compared: Compared) -> Iterator[str]:
    own = compared.own.framework.name
    if any(reading.shift is not None and any(reading.shift) for reading in compared.readings):
        yield _shift_note(own, is_transposed=compared.is_transposed)
    yield from _padding_notes(compared)
    for reading in compared.readings:
        yield from (f"{reading.framework.name} refuses it: {error}." for error in reading.errors)
        yield from (f"{reading.framework.name}'s tools: {text}." for text in reading.disagreements)
    if any(reading.is_flipped for reading in compared.readings):
        yield f"Between jax and the others {_FLIPPED}."
    lines = [(one.framework.name, compared.line(one.framework)) for one in compared.readings[1:]]
    if lines:
        yield f"To have the values of {own}:"
    yield from (f"  {name}{_line_text(line)}" for name, line in lines)


def _line_text(line: Line) -> str:
    """The line, with its input sizes in front unless it holds for all; or why there is none."""
    if line.text is None:
        return f": convt knows no single line for this, as {line.reason}"
    narrow = line.condition is not None and line.condition.is_narrow
    return f"{f' ({line.condition})' if narrow else ''}: {line.text}"


def _shift_note(own: str, *, is_transposed: bool) -> str:
    what = "its output begins" if is_transposed else "its windows read the input"
    return f"Shifted by +1: {what} one element further on than in {own}."


def _padding_notes(compared: Compared) -> Iterator[str]:
    """What the symmetric padding does in frameworks that refuse the word the spec has for it."""
    usual = compared.symmetric
    if usual is None:
        return
    taking = _SYMMETRIC[:1] if any(usual.output_padding) else _SYMMETRIC
    refusing = [one.framework.name for one in compared.readings if one.geometry is None]
    names = [name for name in refusing if name in taking]
    if names:
        yield (
            f"The usual {_padding_text(usual)} of {' and '.join(names)} gives the same size, "
            f"but values shifted by {_signed(usual.shift)}."
        )


def _padding_text(usual: Symmetric) -> str:
    text = f"padding={_plain(usual.padding)}"
    if any(usual.output_padding):
        text += f", output_padding={_plain(usual.output_padding)}"
    return text


def _plain(values: Shape) -> str:
    return str(values[0]) if len(set(values)) == 1 else str(values)


def _layer_document(compared: Compared) -> dict[str, object]:
    usual = compared.symmetric
    return {
        "spec": compared.network.spec,
        "layer": compared.layer.name,
        "type": compared.layer.type,
        "line": compared.layer.line or None,
        "input": compared.layer.inputs[0],
        "symmetric": None if usual is None else _symmetric_document(usual, compared.is_transposed),
        "frameworks": [_reading_document(compared, reading) for reading in compared.readings],
    }


def _symmetric_document(usual: Symmetric, is_transposed: bool) -> dict[str, object]:
    return {
        "padding": usual.padding,
        "output_padding": usual.output_padding if is_transposed else None,
        "shift": usual.shift,
    }


def _reading_document(compared: Compared, reading: Reading) -> dict[str, object]:
    geometry, axes = reading.geometry, reading.axes
    line = compared.line(reading.framework)
    accepted = geometry is not None
    return {
        "framework": reading.framework.name,
        "accepted": accepted,
        "error": "; ".join(reading.errors) or None,
        "output": geometry.output if geometry is not None else None,
        "padding": [(axis.before, axis.after) for axis in axes] if axes else None,
        "output_padding": (
            [axis.output_padding for axis in axes] if accepted and compared.is_transposed else None
        ),
        "shift": reading.shift,
        "equal": reading.is_equal,
        "code": line.text,
        "condition": None if line.condition is None else str(line.condition),
        "note": "; ".join(_document_notes(reading, line)) or None,
        "dissent": reading.disagreements,
    }


def _document_notes(reading: Reading, line: Line) -> Iterator[str]:
    if reading.is_flipped:
        yield _FLIPPED
    if line.reason is not None:
        yield f"convt knows no single line for this, as {line.reason}"
