"""Specs written around one layer or one value, and what is said of them."""

from __future__ import annotations

from convt_cli.arithmetic.keys import EarlierLayer, Sizes
from convt_cli.errors import Diagnostic
from convt_cli.spec.layer_spec import fields_of
from tests.conftest import Found

REST = "layers: [{type: relu}]\n"
WHOLE = f"input: [1, 4]\n{REST}"

Place = tuple[str, int, int, int]
"""Code, line, column and width of a diagnostic."""

Seen = tuple[str, int, str]
"""Code, line and underlined words of a diagnostic."""

SAMPLES = {Sizes: "[-1]", EarlierLayer: "pool"}
"""A right value for keys of a kind that does not take 1."""

INPUT = "input: [2, 8, 8]"
CONV = "type: conv, out_channels: 4, kernel_size: 3"


def net(*layers: str, top: str = INPUT) -> str:
    """A spec with one layer a line: the first stands on the third line where `top` is one line."""
    return f"{top}\nlayers:\n" + "".join(f"  - {{{layer}}}\n" for layer in layers)


def seen(text: str, diagnostics: tuple[Diagnostic, ...]) -> list[Seen]:
    lines = text.split("\n")
    return [
        (one.code, one.line, lines[one.line - 1][one.column - 1 :][: one.width])
        for one in diagnostics
    ]


def required(layer_type: str) -> dict[str, str]:
    """The keys that a type requires, each with a right value."""
    fields = fields_of(layer_type).items()
    return {key: SAMPLES.get(type(one.kind), "1") for key, one in fields if one.required}


def layer(layer_type: str, keys: dict[str, str]) -> str:
    """A layer of this type, as `net` takes it."""
    return ", ".join(f"{key}: {value}" for key, value in {"type": layer_type, **keys}.items())


def assert_found(found: Found, text: str, *expected: Seen) -> None:
    """These, in this order, are all the problems of a spec."""
    assert seen(text, found(text)) == list(expected)


def places(diagnostics: tuple[Diagnostic, ...]) -> list[Place]:
    return [(one.code, one.line, one.column, one.width) for one in diagnostics]
