"""Specs in other encodings, with other line ends, and files that are no text at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Found, Run, assert_refused
from tests.spec.texts import WHOLE, places


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_24_utf_8_and_utf_16_with_a_mark_are_read(found: Found, encoding: str) -> None:
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    assert found(mark + f"name: é日本\n{WHOLE}".encode(encoding)) == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_24_columns_count_characters_and_no_mark(found: Found, encoding: str) -> None:
    text = "input: [1, 4]\nlayers: [{name: é日𝕏, type: rely}]\n"
    assert places(found(text.encode(encoding))) == [("E104", 2, 28, 4)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028", "\u2029"], ids=ascii)
def test_24_every_line_end_of_yaml_ends_a_line(found: Found, end: str) -> None:
    text = end.join(["input: [1, 4]", "", "layers:", "- type: rely", ""])
    assert places(found(text.encode())) == [("E104", 4, 9, 4)]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\x85", "\u2028"], ids=ascii)
def test_24_the_excerpt_is_the_line_without_its_end(found: Found, end: str) -> None:
    (problem,) = found(f"input: [1, 4]{end}layers: [{{type: rely}}]{end}".encode())
    assert problem.excerpt == "layers: [{type: rely}]"


@pytest.mark.parametrize(
    ("content", "line", "column", "value"),
    [
        (b"caf\xe9", 1, 4, "byte 0xe9 at offset 3 is not"),
        (b"a\n\n  \xc0\x80", 3, 3, "byte 0xc0 at offset 5 is not"),
        (b"\xed\xa0\x80", 1, 1, "byte 0xed at offset 0 is not"),
        (b"\xef\xbb\xbfcaf\xe9", 1, 4, "byte 0xe9 at offset 6 is not"),
        (b"\xff\xfei\0n", 1, 2, "byte 0x6e at offset 4 is not"),
        (b"a\x7f", 1, 2, "character U+007F at offset 1"),
        (b"i\0n\0", 1, 2, "character U+0000 at offset 1"),
        (b"a: 1\nb:\x1b[31m", 2, 3, "character U+001B at offset 7"),
        (b"\xff\xfe\0\0a\0\0\0", 1, 1, "character U+0000 at offset 0"),
        (b"\xef\xbf\xbe", 1, 1, "character U+FFFE at offset 0"),
    ],
)
def test_24_the_first_byte_that_is_no_text_is_named_with_its_offset(
    found: Found, content: bytes, line: int, column: int, value: str
) -> None:
    (problem,) = found(content)
    assert places((problem,)) == [("E001", line, column, 1)]
    assert problem.value == value


def test_24_a_binary_file_is_refused(found: Found) -> None:
    assert {one.code for one in found(b"\x89PNG\r\n\x1a\n\0\0")} == {"E001"}


def test_24_tabs_separate_but_do_not_indent(found: Found) -> None:
    assert found("input:\t[1,\t4]\t# tab\nlayers: [\t{type: relu}]\n") == ()
    assert places(found("input: [1, 4]\nlayers:\n\t- type: relu\n")) == [("E002", 3, 1, 1)]


SAID = {
    "latin-1": (f"name: café\n{WHOLE}".encode("latin-1"), "E001", "byte 0xe9 at offset 9"),
    "utf-8, cut": (f"{WHOLE}# é".encode()[:-1], "E001", "byte 0xc3 at offset 39"),
    "utf-16, cut": (WHOLE.encode("utf-16")[:-1], "E001", "byte 0x0a at offset 74"),
    "utf-16 without a mark": (WHOLE.encode("utf-16-le"), "E001", "character U+0000 at offset 1"),
    "utf-32": (WHOLE.encode("utf-32"), "E001", "character U+0000 at offset 0"),
    "shift jis": ("name: 日本\n".encode("shift_jis"), "E001", "byte 0x93 at offset 6"),
    "cp1252": (b"# \x93quoted\x94\n", "E001", "byte 0x93 at offset 2"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", "E001", "byte 0x89 at offset 0"),
    "an array": (b"\x93NUMPY\x01\0", "E001", "byte 0x93 at offset 0"),
    "zeros": (b"\0" * 100, "E001", "character U+0000 at offset 0"),
    "nothing": (b"", "E008", "got nothing"),
    "a mark alone": (b"\xef\xbb\xbf", "E008", "got nothing"),
    "lines of nothing": (b"\r\n" * 9, "E008", "got nothing"),
}
"""The bytes of files that are no spec, the code of each, and what is said of it."""


@pytest.mark.parametrize("content", SAID)
@pytest.mark.parametrize(("command", "status"), [("check", 1), ("shapes", 2), ("table", 2)])
def test_24_what_is_no_spec_fails_every_command(
    run: Run, folder: Path, command: str, status: int, content: str
) -> None:
    data, code, said = SAID[content]
    (folder / "net.yaml").write_bytes(data)
    outcome = run(command, "net.yaml")
    assert outcome.status == status
    assert f"error[{code}]" in outcome.out + outcome.err
    assert said in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize("content", SAID)
def test_24_what_is_no_spec_is_none_on_standard_input(run: Run, content: str) -> None:
    data, code, said = SAID[content]
    outcome = run("shapes", "-", stdin=data)
    assert_refused(outcome, code)
    assert outcome.err.startswith("-:")
    assert said in outcome.err


@pytest.mark.parametrize("content", [name for name, (_, code, _) in SAID.items() if code == "E001"])
def test_24_the_encoding_that_was_tried_is_named(found: Found, content: str) -> None:
    data = SAID[content][0]
    (problem,) = found(data)
    encoding = "UTF-16-LE" if data.startswith(b"\xff\xfe") else "UTF-8"
    assert f"text in {encoding}" in problem.message or f"file in {encoding}" in problem.help


@pytest.mark.parametrize(
    "content",
    [
        WHOLE.encode("utf-8-sig"),
        WHOLE.encode("utf-16"),
        b"\xfe\xff" + WHOLE.encode("utf-16-be"),
        WHOLE.replace("\n", "\r\n").encode(),
        WHOLE.replace("\n", "\r").encode(),
        WHOLE.replace(" ", "\t").replace("layers:", "layers:\t").encode(),
        WHOLE.rstrip("\n").encode(),
    ],
    ids=["mark", "utf-16", "utf-16-be", "crlf", "cr", "tabs", "no last line end"],
)
@pytest.mark.parametrize("path", ["net.yaml", "-"])
def test_24_what_is_one_is_read(run: Run, folder: Path, path: str, content: bytes) -> None:
    (folder / "net.yaml").write_bytes(content)
    outcome = run("shapes", path, "--format", "csv", stdin=content)
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1].startswith(f"{path},relu1,relu,,1x4,1x4,")
