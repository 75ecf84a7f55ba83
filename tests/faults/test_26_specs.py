"""Any text is a spec or a list of diagnostics, and nothing but a ConvtError leaves its reader."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convt_cli.commands import main
from convt_cli.errors import Diagnostic, SpecError
from convt_cli.render.diagnostics import diagnostic_text
from convt_cli.spec.load import check_spec, load_spec
from tests.conftest import Found
from tests.faults.drawn import mutated, specs
from tests.spec.texts import WHOLE

INDICATORS = st.sampled_from([*"-?:,[]{}#&*!|>'\"%@` \n\t~<.=_0123456789xoeabc\\", "\r\n", "input"])


def assert_within(text: str, diagnostics: tuple[Diagnostic, ...]) -> None:
    """Every diagnostic points at a place of the text, or just behind its end, and can be shown."""
    lines = re.split("\r\n|[\n\r\x85\u2028\u2029]", text)
    ends = [len(lines[one.line - 1]) for one in diagnostics]
    assert all(1 <= one.column <= end + 1 for one, end in zip(diagnostics, ends))
    assert all(one.width >= 1 for one in diagnostics)
    assert all(one.code in diagnostic_text(one) for one in diagnostics)


@settings(derandomize=True, max_examples=200)
@given(text=st.lists(INDICATORS, max_size=60).map("".join))
@example(text="? \n- !<x> &a *b\n---\n...\n")
@example(text="%TAG ! x\n--- !y z")
def test_26_made_of_indicators_is_a_document_or_diagnostics(found: Found, text: str) -> None:
    assert_within(text, found(text.encode()))


@settings(derandomize=True, max_examples=200)
@given(text=st.text(max_size=60))
@example(text="﻿a: ﻿b")
def test_26_is_a_document_or_diagnostics(found: Found, text: str) -> None:
    assert_within(text.removeprefix("\ufeff"), found(text.encode()))


@settings(derandomize=True, max_examples=100)
@given(content=st.binary(max_size=60))
@example(content=b"\xff\xfe\xd8")
def test_26_any_bytes_are_a_document_or_diagnostics(found: Found, content: bytes) -> None:
    problems = found(content)
    assert all(one.line >= 1 and one.column >= 1 for one in problems)
    assert all(diagnostic_text(one) for one in problems)


@settings(derandomize=True, max_examples=100)
@given(
    start=st.integers(0, len(WHOLE)),
    past=st.integers(0, len(WHOLE)),
    patch=st.lists(INDICATORS, max_size=4).map("".join),
)
def test_26_a_patched_spec_is_a_document_or_diagnostics(
    found: Found, start: int, past: int, patch: str
) -> None:
    text = WHOLE[:start] + patch + WHOLE[past:]
    assert_within(text, found(text.encode()))


# --- specs that are nearly right --------------------------------------------------------------

TOKENS = [
    *(b"*a", b"&a ", b"!!int ", b"<<: ", b"---\n", b"...\n", b"%TAG ! x\n", b"? ", b"- ", b": "),
    *(
        b"[" * 40,
        b"- " * 40,
        b"|\n",
        b"'",
        b'"',
        b"#",
        b"\t",
        b"\r\n",
        b"\xc2\x85",
        b"\xe2\x80\xa8",
    ),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\x1b[31m", b"\xed\xa0\x80", b"9" * 5000, b"0x10"),
    *(b"-1", b"1e999", b".nan", b"1_000", b"010", b"3:30", b"no", b"~", b"9007199254740993"),
]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a drawn spec is written."""
    return tmp_path_factory.mktemp("drawn") / "net.yaml"


def assert_handled(path: Path, content: bytes) -> None:
    """A spec is checked and loaded, or it has problems and is refused: both alike."""
    path.write_bytes(content)
    problems = [one for one in check_spec(str(path)) if one.code != "E201"]
    assert all(len(diagnostic_text(one)) < 5000 for one in problems)
    if problems:
        with pytest.raises(SpecError):
            load_spec(str(path))
    else:
        load_spec(str(path))


@settings(derandomize=True, max_examples=120)
@given(text=specs())
def test_26_a_drawn_spec_is_a_network_or_diagnostics(path: Path, text: str) -> None:
    assert_handled(path, text.encode())


@settings(derandomize=True, max_examples=100)
@given(content=specs().map(str.encode).flatmap(lambda whole: mutated([whole], TOKENS)))
def test_26_a_drawn_spec_with_bytes_changed_is_a_network_or_diagnostics(
    path: Path, content: bytes
) -> None:
    assert_handled(path, content)


@settings(derandomize=True, max_examples=25)
@given(text=specs())
def test_26_a_drawn_spec_gets_a_documented_status(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    quiet = ("--format", "json", "-o", str(path.with_suffix(".json")), "--force")
    for command in ("shapes", "table", "compare"):
        assert main.run([command, str(path), *quiet]) in (0, 2)
    assert main.run(["check", str(path), *quiet]) in (0, 1)
