"""The report of `diagnose`: the verdict on each layer, what explains it, and the code to write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from convt_cli.analysis.diagnose.diagnosis import Diagnosis
from convt_cli.analysis.diagnose.search import Explanation
from convt_cli.analysis.diagnose.verdict import Largest, Verdict
from convt_cli.arithmetic.network import Network
from convt_cli.errors import shape_text, shown
from convt_cli.reports.cells import finite, number
from convt_cli.reports.code_lines import layer_line
from convt_cli.reports.table import VERSION, Cell, CellKind, Report, Table, column

_COLUMNS = (
    column("layer"),
    column("verdict"),
    column("differing", kind=CellKind.COUNT),
    column("of", kind=CellKind.COUNT),
    column("at", kind=CellKind.SHAPE, optional=2),
    column("got", optional=1),
    column("expected", optional=1),
    column("bound", optional=1),
    column("explanation"),
)
_VERDICTS: tuple[Verdict, ...] = ("equal", "rounding", "different")
_KEYS = ("padding", "stride", "dilation", "padding_mode", "ceil_mode")
"""The changes that are keys of a layer, so that --set can make them."""
_MOST_LISTED = 8
"""How many layers that were not judged a note lists before it says how many more there are."""
_SMALL = (
    "Its differences are beyond the bound of single elements, yet small all together: Winograd "
    "and FFT algorithms do that."
)


def diagnosis_report(network: Network, found: Diagnosis) -> Report:
    """The report on a single layer."""
    return Report(
        tables=(_table(network, [found], ()),),
        plain=lambda: {"version": VERSION, **_document(network, found)},
    )


def dump_report(
    network: Network, judged: Sequence[Diagnosis], not_judged: Mapping[str, str]
) -> Report:
    """The report on all layers of a network; the first guilty one comes first in its notes."""
    first = next((one.layer.name for one in judged if one.verdict == "different"), None)
    return Report(
        tables=(_table(network, judged, (_counted(judged), *_left_notes(not_judged))),),
        plain=lambda: {
            "version": VERSION,
            "layers": [_document(network, one) for one in judged],
            "first": first,
            "not_judged": [*not_judged],
            "reasons": dict(not_judged),
        },
    )


def _table(network: Network, judged: Sequence[Diagnosis], more: tuple[str, ...]) -> Table:
    return Table(
        title=f"{network.name} ({network.rules.title})",
        columns=_COLUMNS,
        rows=tuple(_row(one) for one in judged),
        notes=(*_notes(network, judged), *more),
        quiet=frozenset(n for n, one in enumerate(judged) if one.verdict != "different"),
        spec=network.spec,
    )


def _row(found: Diagnosis) -> tuple[Cell, ...]:
    figures: tuple[Cell, ...] = (None, None, None, None)
    if found.largest is not None:
        worst = found.largest
        figures = (
            ",".join(map(str, worst.at)),
            number(worst.got),
            number(worst.expected),
            number(worst.bound, 3),
        )
    said = "; ".join(dict.fromkeys(_kinds(one) for one in found.explanations))
    return (
        found.layer.name,
        found.verdict,
        found.differing,
        found.count,
        *figures,
        said or ("none" if found.verdict == "different" else None),
    )


def _kinds(explanation: Explanation) -> str:
    """The words for the changes of an explanation: `flip`, or `flip and bias`."""
    behind = explanation.also
    return explanation.change if behind is None else f"{explanation.change} and {_kinds(behind)}"


def _notes(network: Network, judged: Sequence[Diagnosis]) -> Iterator[str]:
    guilty = [one for one in judged if one.verdict == "different"]
    if len(judged) > 1 and guilty:
        yield f"The first layer that is wrong is {shown(guilty[0].layer.name)}."
    for one in guilty:
        yield from _guilty_notes(network, one)
    for name, layers in _by_precision(judged).items():
        listed = _listed(layers)
        yield f"Within the bound of sums in {name}: {listed}."


def _counted(judged: Sequence[Diagnosis]) -> str:
    """How many layers were judged, and how."""
    counts = Counter(one.verdict for one in judged)
    counted = ", ".join(f"{counts[word]} {word}" for word in _VERDICTS if counts[word])
    return f"Judged, {len(judged)}: {counted}."


def _guilty_notes(network: Network, found: Diagnosis) -> Iterator[str]:
    name = shown(found.layer.name)
    if found.got != found.expected and found.largest is None:
        yield f"{name} has {shape_text(found.got)}, expected is {shape_text(found.expected)}."
    for one in found.explanations:
        yield f"{name}: {_sentence(one)}"
    if not found.explanations:
        yield f"{name}: no change that convt knows explains all of it."
    if found.is_small_in_norm:
        yield _SMALL
    if found.precision is not None and not found.explanations:
        yield f"`--accumulator {found.precision}` would call it rounding."
    for framework, line in code_of(network, found).items():
        yield f"The values of the spec in {framework}: {line}"
    settings = [setting_of(found, one) for one in found.explanations]
    yield from (f"If the array is right, the spec is with {one}" for one in settings if one)


def setting_of(found: Diagnosis, explanation: Explanation) -> str | None:
    """The option by which the spec describes the array; None where one key does not say it."""
    direct = found.layer.type != "conv_transpose"
    is_key = explanation.change in _KEYS and (direct or explanation.change != "padding")
    if not is_key or explanation.also is not None or explanation.key.endswith(" zeros"):
        return None
    value = str(explanation.becomes).lower() if explanation.change == "ceil_mode" else None
    return f"--set '{shown(found.layer.name)}.{explanation.change}={value or explanation.becomes}'"


def _sentence(explanation: Explanation) -> str:
    """An explanation for people: what changed, from what to what."""
    behind = "" if explanation.also is None else f" And {_sentence(explanation.also)}"
    became = f"{_value(explanation.was)} -> {_value(explanation.becomes)}"
    return f"{explanation.text} ({explanation.change} {became}).{behind}"


def _value(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def code_of(network: Network, found: Diagnosis) -> dict[str, str]:
    """The line that gives the right values, by framework.

    It is a line of each framework that an explanation names, else of the network's own.
    """
    if not found.explanations:
        return {}
    named = [one.framework for one in found.explanations if one.framework is not None]
    names = dict.fromkeys(named or [network.rules.name])
    lines = {name: layer_line(found.layer, network.rules, name).text for name in names}
    return {name: text for name, text in lines.items() if text is not None}


def _by_precision(judged: Sequence[Diagnosis]) -> dict[str, list[str]]:
    """The layers that differ by rounding, by the widest type whose sums explain it."""
    found: dict[str, list[str]] = {}
    for one in judged:
        if one.verdict == "rounding":
            found.setdefault(one.precision or one.accumulator, []).append(shown(one.layer.name))
    return found


def _left_notes(not_judged: Mapping[str, str]) -> Iterator[str]:
    if not_judged:
        yield f"Not judged, {len(not_judged)}: {_listed([shown(name) for name in not_judged])}."
    for name, reason in [*not_judged.items()][:_MOST_LISTED]:
        yield f"  {shown(name)}: {reason}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    return ", ".join(names[:_MOST_LISTED]) + more


def _document(network: Network, found: Diagnosis) -> dict[str, object]:
    return {
        "layer": found.layer.name,
        "verdict": found.verdict,
        "differing": found.differing,
        "rounded": found.rounded,
        "of": found.count,
        "shape": {"got": [*found.got], "expected": [*found.expected]},
        "accumulator": found.accumulator,
        "precision": found.precision,
        "largest": None if found.largest is None else _largest_document(found.largest),
        "explanations": [_explanation_document(one) for one in found.explanations],
        "hint": _SMALL if found.is_small_in_norm else None,
        "code": code_of(network, found),
    }


def _largest_document(largest: Largest) -> dict[str, object]:
    return {
        "at": [*largest.at],
        "got": finite(largest.got),
        "expected": finite(largest.expected),
        "bound": finite(largest.bound),
    }


def _explanation_document(explanation: Explanation) -> dict[str, object]:
    document: dict[str, object] = {
        "change": explanation.change,
        "was": explanation.was,
        "is": explanation.becomes,
        "text": explanation.text,
        "framework": explanation.framework,
    }
    if explanation.also is not None:
        document["also"] = _explanation_document(explanation.also)
    return document
