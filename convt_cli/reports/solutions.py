"""The reports of `solve`: layers between two sizes, and input sizes at which a network closes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.questions.bounds import Bounds, runs
from convt_cli.arithmetic.questions.closing import Closing, OpenNetwork, Shapes, furthest
from convt_cli.arithmetic.questions.solver import Question, Solution
from convt_cli.reports.table import VERSION, Cell, CellKind, Column, Report, Table, column

MOST_LISTED = 100_000
"""The most sizes that a document lists; of more it has the rule and the count alone."""
_EXAMPLES = 6
"""The most sizes that a table cell lists."""

_SOURCES = column("input_sizes", "input size")
_OUTPUT_PADDING = column("output_padding", kind=CellKind.TALLY)
_OVERLAP = column("overlap")


def solutions_report(
    question: Question,
    bounds: Bounds,
    found: Sequence[Solution],
    *,
    limit: int | None = None,
    strides: Sequence[int] = (),
) -> Report:
    """The first `limit` solutions, or all of them.

    Where there are none, a note names the `strides` that would have solutions.
    """
    shown = found[:limit]
    table = Table(
        title=_title(question, len(shown), len(found)),
        columns=_columns(question),
        rows=tuple(_row(question, one) for one in shown),
        notes=tuple(_notes(question, bounds, shown, len(found), strides)),
    )
    document = {
        "version": VERSION,
        "type": question.layer_type,
        "framework": question.framework.name,
        "input_size": question.input_size,
        "output_size": question.output_size,
        "count": len(found),
        "solutions": [_document(question, one) for one in shown],
    }
    return Report(tables=(table,), plain=lambda: document)


def _title(question: Question, shown: int, count: int) -> str:
    source = "any size" if question.input_size is None else f"{question.input_size:,}"
    asked = f"{question.layer_type} ({question.framework.title}), {source} to"
    number = f"the {shown:,} simplest of {count:,}" if shown < count else f"{count or 'no'}"
    return f"{asked} {question.output_size:,}: {number} solution{'' if count == 1 else 's'}"


def _columns(question: Question) -> tuple[Column, ...]:
    return (
        *((_SOURCES,) if question.input_size is None else ()),
        column("kernel_size", kind=CellKind.COUNT),
        column("stride", kind=CellKind.COUNT),
        column("padding"),
        *((_OUTPUT_PADDING,) if question.is_transposed else ()),
        column("dilation", kind=CellKind.COUNT),
        *((_OVERLAP,) if question.is_transposed else ()),
        *((column("word"),) if question.input_size is not None else ()),
    )


def _row(question: Question, one: Solution) -> tuple[Cell, ...]:
    cells: dict[str, Cell] = {
        "input_sizes": _run_text(*one.input_sizes),
        "kernel_size": one.kernel_size,
        "stride": one.stride,
        "padding": f"{one.before}, {one.after}",
        "output_padding": one.output_padding,
        "dilation": one.dilation,
        "overlap": _overlap(one),
        "word": one.word,
    }
    return tuple(cells[one.name] for one in _columns(question))


def _document(question: Question, one: Solution) -> dict[str, object]:
    document: dict[str, object] = {
        "kernel_size": one.kernel_size,
        "stride": one.stride,
        "padding": [one.before, one.after],
        "output_padding": one.output_padding,
        "dilation": one.dilation,
    }
    if question.is_transposed:
        document["overlap"] = _overlap(one)
    if question.input_size is None:
        document["input_sizes"] = list(one.input_sizes)
    else:
        document["word"] = one.word
    return document


def _overlap(one: Solution) -> str:
    return "even" if one.has_even_overlap else "uneven"


def _notes(
    question: Question,
    bounds: Bounds,
    shown: Sequence[Solution],
    count: int,
    strides: Sequence[int],
) -> Iterator[str]:
    yield f"Searched: {_bounds_text(question, bounds)}."
    if count == 0:
        yield _remedy(question, strides)
    if len(shown) < count:
        yield f"{count - len(shown):,} more: narrow the search, or print all with --limit {count}."
    if any(one.word for one in shown):
        yield "word: the padding that, with output_padding left out, comes to the same."
    if question.is_transposed and shown:
        yield (
            "overlap: uneven can show as a checkerboard; it is even where stride divides "
            + "kernel_size and has no divisor in common with dilation."
        )
    if not question.is_transposed and question.input_size is None and shown:
        yield (
            "A conv_transpose with the same numbers leads back to the last size of a row with "
            + "output_padding stride - 1, to the one before with one less, and so on."
        )


def _remedy(question: Question, strides: Sequence[int]) -> str:
    """The advice for a search without solutions: which option to change."""
    size = question.input_size or question.output_size
    longer = question.output_size > size
    if strides:
        return f"There are some with --stride {','.join(map(str, strides))}."
    if longer != question.is_transposed and question.output_size != size:
        other = "conv_transpose" if longer else "conv"
        return f"Try --type {other}, or a larger --kernel-size or --padding."
    return "Try a larger --kernel-size, or other strides."


def _bounds_text(question: Question, bounds: Bounds) -> str:
    parts = {
        "kernel_size": _values_text(bounds.kernel_size),
        "stride": _values_text(bounds.stride),
        "padding": _values_text(bounds.padding)
        if bounds.padding
        else "0..effective kernel - 1 on a side",
        "dilation": _values_text(bounds.dilation),
    }
    if question.is_transposed and bounds.output_padding:
        parts["output_padding"] = _values_text(bounds.output_padding)
    return ", ".join(f"{name} {text}" for name, text in parts.items())


def _values_text(values: Sequence[int]) -> str:
    return ",".join(_run_text(*run) for run in runs(values))


def _run_text(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}..{last}"


def sizes_report(
    spec: str,
    graph: OpenNetwork,
    base: Mapping[str, Shape] | None,
    closings: Sequence[Closing],
    up_to: int,
) -> Report:
    """For each spatial axis of the first input, the sizes at which the network closes.

    `base` are the input shapes from which one axis at a time was varied, and at which the network
    closes; None where no such shapes are known.
    """
    sizes = graph.inputs[0][1][1:]
    table = Table(
        title=f"{graph.name} ({graph.framework.title}): input sizes at which every layer fits",
        columns=(
            column("axis"),
            column("size", "written", CellKind.COUNT),
            column("rule", "sizes that fit"),
            column("nearest"),
            column("count", f"up to {up_to:,}", CellKind.COUNT),
            column("sizes", "which are"),
        ),
        rows=_size_rows(sizes, closings, up_to),
        notes=tuple(_size_notes(graph, base, closings)),
        spec=spec,
    )
    document = {
        "version": VERSION,
        "spec": spec,
        "name": graph.name,
        "framework": graph.framework.name,
        "input": _input_document(dict(graph.inputs)),
        "up_to": up_to,
        "sizes": [
            _size_document(axis, size, closing, up_to)
            for axis, (size, closing) in enumerate(zip(sizes, closings, strict=True))
        ],
    }
    return Report(tables=(table,), plain=lambda: document)


def _size_rows(
    sizes: Shape, closings: Sequence[Closing], up_to: int
) -> tuple[tuple[Cell, ...], ...]:
    """One row for each axis; axes with equal size and result share one, under all their numbers."""
    alike: dict[tuple[int, Closing], list[int]] = {}
    for axis, key in enumerate(zip(sizes, closings, strict=True)):
        alike.setdefault(key, []).append(axis)
    return tuple(
        (
            ", ".join(map(str, axes)),
            size,
            str(closing.sizes),
            ", ".join(map(str, closing.sizes.nearest(size))),
            closing.sizes.count(up_to),
            _examples(closing, up_to),
        )
        for (size, closing), axes in alike.items()
    )


def _examples(closing: Closing, up_to: int) -> str:
    """The sizes up to `up_to` as text: all of a few, else the first ones and the last."""
    first = list(islice(closing.sizes.up_to(up_to), _EXAMPLES + 1))
    if len(first) <= _EXAMPLES:
        return ", ".join(map(str, first))
    last = closing.sizes.nearest(up_to)[0]
    return ", ".join([*map(str, first[: _EXAMPLES - 1]), "...", str(last)])


def _size_notes(
    graph: OpenNetwork, base: Mapping[str, Shape] | None, closings: Sequence[Closing]
) -> Iterator[str]:
    written = dict(graph.inputs)
    refused = _refusal_text(graph.shapes_on(written))
    if refused:
        yield f"As written, {_input_text(written)}, it does not fit: {refused}."
    if base is None:
        last = _refusal_text(furthest(graph))
        also = "that" if last == refused else last
        yield f"No size for all axes mends {also}."
        yield "Mend the layer itself, or give other sizes or channels with --input."
    elif len(closings) > 1 or len(written) > 1:
        yield f"Each axis varies by itself, with {_input_text(base)} elsewhere."
    if any(" j" in str(closing.sizes) for closing in closings):
        yield "j is 0, 1, 2 and so on."
    tried = [closing.tried for closing in closings if closing.tried is not None]
    if tried:
        yield f"Sizes that follow no rule were looked for up to {max(tried):,}."


def _refusal_text(trace: Shapes) -> str:
    """The layer that refuses its input, and why; empty where no layer does."""
    return "" if trace.refused is None else ": ".join(map(str, trace.refused))


def _size_document(axis: int, size: int, closing: Closing, up_to: int) -> dict[str, object]:
    count = closing.sizes.count(up_to)
    return {
        "axis": axis,
        "size": size,
        "nearest": closing.sizes.nearest(size),
        "progressions": [
            {"first": one.first, "step": one.step} for one in closing.sizes.progressions
        ],
        "alone": list(closing.sizes.alone),
        "alone_up_to": closing.tried,
        "count": count,
        "sizes": list(closing.sizes.up_to(up_to)) if count <= MOST_LISTED else None,
    }


def _input_text(inputs: Mapping[str, Shape]) -> str:
    if len(inputs) == 1:
        return f"input {list(*inputs.values())}"
    return ", ".join(f"{name} {list(shape)}" for name, shape in inputs.items())


def _input_document(inputs: Mapping[str, Shape]) -> object:
    if len(inputs) == 1:
        return list(*inputs.values())
    return {name: list(shape) for name, shape in inputs.items()}
