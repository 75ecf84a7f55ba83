"""Strict YAML: from text to scalars, lists and mappings, each with its place.

A spec uses the part of YAML 1.2 in which a text has only one meaning.  Plain scalars follow the
core schema (`010` is ten, `no` is a word); anchors, aliases, merge keys, tags, equal keys and
further documents are problems, as are nesting and size beyond bounds.  The bounds are checked on
the parser's events, before anything is built of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from yaml.scanner import ScannerError

from convt_cli.errors import shown
from convt_cli.spec.source import Place, Problems, place_of

MOST_DEPTH = 32
"""Levels of lists and mappings inside each other; a spec needs about 8."""

MOST_VALUES = 500_000
"""Events of the parser: scalars, and the beginnings and ends of lists and mappings."""

_MOST_DIGITS = 40
"""Digits of an integer that is converted; 2^53 has 16, and converting very long ones is slow."""

_LOOKAHEAD = 1024
"""Characters by which the scanner may be ahead: YAML's limit for a key without `?`."""

_Loader: Any = getattr(yaml, "CLoader", yaml.Loader)
"""libyaml's parser where PyYAML was built with it, as it is many times as fast."""

_CONSTANTS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{
        sign + word: float(sign + "inf")
        for sign in ("", "+", "-")
        for word in (".inf", ".Inf", ".INF")
    },
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
"""Words that the core schema of YAML 1.2 gives a value."""

_DECIMAL = re.compile(r"[-+]?[0-9]+")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")

_TAG_DIRECTIVE = re.compile("(?:(?<=[\n\r\x85\u2028\u2029])|\\A)%TAG")
"""%TAG at the beginning of a line; YAML knows more ends of lines than `^` does."""


class TooLong(NamedTuple):
    """An integer with more digits than any key can use, in place of its value."""

    digits: int


class Scalar(NamedTuple):
    """A single value and its text; `value` is a str where it is quoted, or a word."""

    value: str | int | float | bool | TooLong | None
    text: str
    place: Place


class Sequence(NamedTuple):
    """A list."""

    items: list[Node]
    place: Place


class Mapping(NamedTuple):
    """A mapping: (key, value) by the key's text, in the order of the file."""

    entries: dict[str, tuple[Scalar, Node]]
    place: Place


class Unusable(NamedTuple):
    """In place of a node whose problem has been noted already."""

    place: Place


Node = Scalar | Sequence | Mapping | Unusable


def parse(problems: Problems) -> Node:
    """The one document of a spec, its problems noted.  Raises SpecError for broken YAML."""
    _require_no_directive(problems)
    try:
        return _document(_bounded(problems.text, problems), problems)
    except yaml.YAMLError as error:
        _require_nothing_earlier(error, problems)
        _note_syntax(error, problems)
        raise problems.error() from None


def describe(node: Node) -> str:
    """What a node is, in words that can follow "got"."""
    if isinstance(node, Sequence):
        return f"a list of {len(node.items)}"
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Scalar):
        if isinstance(node.value, TooLong):
            return f"an integer of {node.value.digits} digits"
        if node.value is None:
            return "nothing"
        quoted = isinstance(node.value, str)
        return f"'{shown(node.text)}'" if quoted else shown(node.text)
    return "nothing"


def resolve_plain(text: str) -> str | int | float | bool | TooLong | None:
    """The value of a plain scalar (one without quotes) under YAML 1.2's core schema.

    >>> [resolve_plain(text) for text in ("010", "0x10", "3:30", "1e3", "no", "true", "~")]
    [10, 16, '3:30', 1000.0, 'no', True, None]
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _DECIMAL.fullmatch(text):
        return int(text) if len(text) <= _MOST_DIGITS else TooLong(len(text.lstrip("+-")))
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0) if len(text) <= _MOST_DIGITS else TooLong(len(text) - 2)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _require_no_directive(problems: Problems) -> None:
    """Raise SpecError (E004) for %TAG, of which many are slow: each is compared with all before."""
    directive = _TAG_DIRECTIVE.search(problems.text)
    if directive:
        problems.add(
            place_of(problems.text[: directive.start()]),
            "E004",
            "tags are not used in a spec",
            value="got the directive %TAG",
            help="leave the directive out",
        )
        raise problems.error()


def _require_nothing_earlier(error: yaml.YAMLError, problems: Problems) -> None:
    """Raise SpecError for an earlier error than `error`, which stands further behind in the text.

    The scanner reads ahead of the parser's events, because any node may turn out to be a key, so
    its errors come before the events of the text in front of them.  That matters for deep nesting
    alone: newer versions of libyaml give up at a thousand open brackets, older ones do not.
    """
    start = error.context_mark or error.problem_mark if isinstance(error, ScannerError) else None
    before = problems.text[: start.index] if start else ""
    ahead = before[-_LOOKAHEAD:]
    if start is None or ahead.count("[") + ahead.count("{") <= MOST_DEPTH:
        return
    # parse the text in front once more: it raises SpecError where it breaks a bound
    found = Problems(problems.spec, problems.text)
    try:
        _document(_bounded(before, found), found)
    except yaml.YAMLError as earlier:
        if _mark(earlier).index < start.index:
            _note_syntax(earlier, found)
            raise found.error() from None


def _bounded(text: str, problems: Problems) -> Iterator[Any]:
    """The parser's events.  Raises SpecError (E007) beyond the bounds of depth and number."""
    depth = values = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
            depth -= 1
        values += 1
        if depth > MOST_DEPTH:
            rule, value = f"a spec nests at most {MOST_DEPTH} levels", "one level more begins here"
        elif values > MOST_VALUES:
            rule, value = f"a spec has at most {MOST_VALUES:,} values", "one more begins here"
        else:
            yield event
            continue
        problems.add(_place(event), "E007", rule, value=value, help="keep weights in a .npy file")
        raise problems.error()


def _document(events: Iterator[Any], problems: Problems) -> Node:
    """The root of the first document; a second one is noted."""
    root: Node = Unusable(Place(0, 0))
    documents = 0
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents == 2:
                problems.add(
                    _place(event),
                    "E006",
                    "a spec is one document",
                    value="a second begins here",
                    help="put it into a file of its own",
                )
            continue
        if isinstance(event, (yaml.ScalarEvent, yaml.CollectionStartEvent, yaml.AliasEvent)):
            node = _node(event, events, problems)
            root = node if documents == 1 else root
    return root


def _node(event: Any, events: Iterator[Any], problems: Problems) -> Node:
    """The node that begins with `event`; the rest of it is taken from `events`."""
    place = _place(event)
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        _note_anchor(event, place, problems)
    if isinstance(event, yaml.AliasEvent):
        return Unusable(place)
    if event.tag is not None:
        problems.add(
            place,
            "E004",
            "tags are not used in a spec",
            value=f"got {shown(event.tag)}",
            help="leave the tag out; quote the value to make it a string",
        )
    if isinstance(event, yaml.ScalarEvent):
        value = resolve_plain(event.value) if event.implicit[0] else event.value
        return Scalar(value, event.value, place)
    if isinstance(event, yaml.SequenceStartEvent):
        return _sequence(event, events, problems)
    return _mapping(event, events, problems)


def _sequence(start: Any, events: Iterator[Any], problems: Problems) -> Sequence:
    items: list[Node] = []
    for event in events:
        if isinstance(event, yaml.SequenceEndEvent):
            return Sequence(items, _place(start, event))
        items.append(_node(event, events, problems))
    return Sequence(items, _place(start))


def _mapping(start: Any, events: Iterator[Any], problems: Problems) -> Mapping:
    entries: dict[str, tuple[Scalar, Node]] = {}
    for event in events:
        if isinstance(event, yaml.MappingEndEvent):
            return Mapping(entries, _place(start, event))
        key = _node(event, events, problems)
        value = _node(next(events), events, problems)
        if not isinstance(key, Scalar):
            if not isinstance(key, Unusable):
                problems.add(key.place, "E103", "a key is a word", value=f"got {describe(key)}")
        elif key.text == "<<":
            problems.add(
                key.place,
                "E003",
                "merge keys are not used in a spec",
                value="got <<",
                help="say under `defaults:` what layers have in common",
            )
        elif key.text in entries:
            first = entries[key.text][0].place.line + 1
            problems.add(
                key.place,
                "E005",
                "a key stands once in a mapping",
                value=f"'{shown(key.text)}' stands on line {first} already",
                help="remove one",
            )
        else:
            entries[key.text] = key, value
    return Mapping(entries, _place(start))


def _note_anchor(event: Any, place: Place, problems: Problems) -> None:
    alias = isinstance(event, yaml.AliasEvent)
    problems.add(
        place,
        "E003",
        f"{'aliases' if alias else 'anchors'} are not used in a spec",
        value=f"got {'*' if alias else '&'}{shown(event.anchor)}",
        help="say under `defaults:` what layers have in common",
    )


def _note_syntax(error: yaml.YAMLError, problems: Problems) -> None:
    """Note what the parser says (E002)."""
    mark = _mark(error)
    place = Place(mark.line, mark.column) if mark else Place(0, 0)
    reason = getattr(error, "problem", None) or str(error)
    problems.add(place, "E002", "this is not well-formed YAML", value=shown(reason))


def _mark(error: yaml.YAMLError) -> Any:
    """The mark where the parser gave up; None if the error has none."""
    return getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)


def _place(first: Any, last: Any = None) -> Place:
    """The place of what `first` begins and `last` ends; its first character if on several lines."""
    start, end = first.start_mark, (last or first).end_mark
    width = end.column - start.column if end.line == start.line else 1
    return Place(start.line, start.column, width)
