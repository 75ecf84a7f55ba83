"""The zip file: what is read of it, and every file that is no `.pt2`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from convt_cli.models.load import load_spec
from tests.conftest import Run, assert_refused
from tests.models.pt2.samples import conv_entries, conv_program, write_entries, write_program

pytestmark = pytest.mark.usefixtures("folder")


def test_a_whole_file_is_read(run: Run) -> None:
    write_entries(conv_entries())
    network = load_spec("m.pt2")
    assert [(layer.name, layer.output) for layer in network.layers] == [
        ("body.0", (2, 3, 3)),
        ("y", (2, 3, 3)),
    ]
    assert run("check", "m.pt2").out == "checked 1 spec: no problems\n"


def test_shapes_need_no_weights() -> None:
    entries = conv_entries()
    del entries["net/data/weights/weight_0"]
    write_entries(entries)
    assert load_spec("m.pt2").output == (2, 3, 3)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 200, b"text", b"\x80\x04\x95.", b"PK\5\6" + b"\xff" * 18, b"PK\3\4" * 50],
    ids=["empty", "zeros", "text", "pickle", "huge directory", "headers"],
)
def test_what_is_no_zip_file_is_refused(run: Run, folder: Path, content: bytes) -> None:
    (folder / "m.pt2").write_bytes(content)
    assert_refused(run("shapes", "m.pt2"), "E405")


@pytest.mark.parametrize("count", [0, 2])
def test_there_is_one_graph(run: Run, count: int) -> None:
    entries = {f"net{number}/models/model.json": b"{}" for number in range(count)}
    write_entries({"serialized_state_dict.pt": b"x", **entries})
    outcome = run("shapes", "m.pt2")
    assert_refused(outcome, "E405")
    assert "PyTorch 2.9 or newer" in outcome.err


def test_big_endian_numbers_are_refused(run: Run) -> None:
    write_entries({**conv_entries(), "net/byteorder": b"big"})
    assert_refused(run("shapes", "m.pt2"), "E405")


def test_a_pipe_is_refused(run: Run, folder: Path) -> None:
    os.mkfifo(folder / "m.pt2")
    assert_refused(run("shapes", "m.pt2"), "E401")


@pytest.mark.parametrize(
    ("version", "remedy"),
    [((9, 0), "use a newer convt"), ((7, 3), "save it again"), ((2**40, 0), "a newer convt")],
)
def test_another_version_of_the_schema_is_refused(
    run: Run, version: tuple[int, int], remedy: str
) -> None:
    changed = conv_program()
    changed["schema_version"] = dict(zip(("major", "minor"), version))
    write_program(changed)
    outcome = run("shapes", "m.pt2")
    assert_refused(outcome, "E405")
    assert f"this one has version {version[0]}.{version[1]}" in outcome.err
    assert remedy in outcome.err


def test_a_newer_minor_version_is_read() -> None:
    changed = conv_program()
    changed["schema_version"]["minor"] = 99
    assert load_spec(write_program(changed)).output == (2, 3, 3)


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[]", b"{", b'{"a": 1} x', b"\xff\xfe{}", b"[" * 100_000, b'{"a":' * 50_000),
        b'{"schema_version": {"major": ' + b"9" * 5000 + b"}}",
    ],
    ids=["empty", "list", "cut", "more", "bytes", "deep list", "deep mapping", "long integer"],
)
def test_a_text_that_is_no_graph_is_refused(run: Run, content: bytes) -> None:
    write_program(content)
    assert_refused(run("shapes", "m.pt2"), "E405")
