"""Names of files, layers and arrays, whatever they hold: they reach nothing raw.

A terminal, a makefile, a spreadsheet and a markdown table each read some characters as more than
text.  What convt prints has names with such characters written out, or is refused.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import string
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import visible
from convt_cli.render.formats import as_csv, as_json, as_markdown
from convt_cli.render.text import as_text
from convt_cli.reports.table import Report, Table, column
from tests.conftest import GUIDE, Outcome, Run, WriteSpec, assert_quiet, assert_refused
from tests.faults.rows import trying

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

OLD, BETWEEN, NEWER = 1000, 2000, 3000
"""Times of files; none of them lies ahead, of which make would warn."""

PRINTABLE = [letter for letter in string.printable if letter != "/"]

DIRECTIVES = [
    *("include", "-include", "sinclude", "define", "endef", "undefine", "override", "export"),
    *("unexport", "private", "vpath", "ifdef", "ifndef", "ifeq", "ifneq", "else", "endif", "load"),
]
SPECIAL = [
    *(".PHONY", ".SUFFIXES", ".DEFAULT", ".PRECIOUS", ".INTERMEDIATE", ".SECONDARY"),
    *(".SECONDEXPANSION", ".DELETE_ON_ERROR", ".IGNORE", ".SILENT", ".ONESHELL", ".POSIX"),
    *(".EXPORT_ALL_VARIABLES", ".NOTPARALLEL", ".LOW_RESOLUTION_TIME", ".WAIT", ".NOTINTERMEDIATE"),
]
MAKE_NAMES = {
    "letters": [f"a{letter}b" for letter in "azAZ"],
    "in the middle": [f"a{letter}b" for letter in PRINTABLE if letter not in string.ascii_letters],
    "in front": [
        f"{letter}touch ran" for letter in PRINTABLE if letter not in string.ascii_letters
    ],
    "at the end": [f"a{letter}" for letter in string.punctuation if letter != "/"],
    "programs": [
        *("`touch ran`", "$(shell touch ran)", "$$(shell touch ran)", "${shell touch ran}"),
        *("a;touch ran", "a\nran:\n\ttouch ran"),
    ],
    "escapes": ["a\\ b", "a\\\\ b", "a\\#b", "~root", "-f", "--eval=x", "a: b"],
    "odd": [
        *("a\udcffb", "\udc9b", "\u202ea", "a\u2066", "é日", "a\u00a0b", ".npy", ".c.o"),
        "a\x1b[2J",
    ],
    "directives": DIRECTIVES,
    "special": SPECIAL,
}
"""Names of files by what is odd about them; a letter as any other stands for all the letters."""

SPOOFS = ["\x1b[2J", "\x1b]0;x\x07", "\x9b2J", "\r", "\n", "\x7f", "\x00"]
SPOOFS += [*map(chr, range(0x202A, 0x202F)), *map(chr, range(0x2066, 0x206A))]
SPOOFS += ["\u200e", "\u200f", "\u061c", "\u2028", "\u2029", "\ufeff", "\U000e0041", "\udc9b"]
"""What moves the cursor, turns the text round, ends the line or is not there to see."""


def with_weight(name: str) -> str:
    """A spec whose layer's weight is this file."""
    layer = {"type": "conv", "out_channels": 1, "kernel_size": 1, "weight": name}
    return json.dumps({"input": [1, 4], "layers": [layer]})


def make(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["make", *arguments], capture_output=True, check=False)


def is_remade(target: str) -> bool:
    """Whether make would make `target`; whatever it would run, or has to say, is a failure."""
    done = make("-q", "--", target)
    assert not Path("ran").exists()
    assert done.stderr == b""
    assert done.returncode in (0, 1)
    return done.returncode == 1


def assert_makes_after(target: str, name: str) -> None:
    """make leaves the target alone until the file is newer, and runs no part of a name."""
    Path("Makefile").write_text("none:\ninclude rules.d\n%:\n\t@:\n", encoding="utf-8")
    for file in (target, "net.yaml", "w.bin", name):
        Path(file).touch()
        os.utime(file, (OLD, OLD))
    os.utime(target, (BETWEEN, BETWEEN))
    assert not is_remade(target)
    os.utime(name, (NEWER, NEWER))
    assert is_remade(target)


def assert_refused_visibly(outcome: Outcome, code: str) -> None:
    assert_refused(outcome, code)
    assert outcome.err.replace("\n", "").isprintable()
    assert not Path("rules.d").exists()


def each_in_a_folder(kind: str, folder: Path) -> Iterator[str]:
    """The names of a kind, each with an empty working folder of its own."""
    for number, name in enumerate(MAKE_NAMES[kind]):
        (folder / str(number)).mkdir()
        os.chdir(folder / str(number))
        yield name


@needs_make
@pytest.mark.parametrize("kind", MAKE_NAMES)
class TestMake:
    def test_36_a_weight_file_s_name_is_right_or_refused(
        self, run: Run, folder: Path, kind: str
    ) -> None:
        for name in each_in_a_folder(kind, folder):
            with trying(name):
                Path("net.yaml").write_text(with_weight(name), encoding="utf-8")
                outcome = run("deps", "net.yaml", "--target", "out", "-o", "rules.d")
                if outcome.status:
                    assert_refused_visibly(outcome, outcome.codes[0])
                    continue
                assert_quiet(outcome)
                assert_makes_after("out", name.partition("#")[0])
                Path("Makefile").write_text(
                    "out:\n\t@ls -d -- $^ && touch out\ninclude rules.d\n", encoding="utf-8"
                )
                make("out")
                assert not Path("ran").exists()

    def test_36_so_is_a_target_s(self, run: Run, folder: Path, kind: str) -> None:
        for name in each_in_a_folder(kind, folder):
            with trying(name):
                Path("net.yaml").write_text(with_weight("w.bin"), encoding="utf-8")
                arguments = ("deps", "net.yaml", "--target", name, "--target", "x")
                assert_right_or_refused(run(*arguments, "-o", "rules.d"), name)

    def test_36_and_a_spec_s(self, run: Run, folder: Path, kind: str) -> None:
        for name in each_in_a_folder(kind, folder):
            with trying(name):
                Path(name).write_text(with_weight("w.bin"), encoding="utf-8")
                assert_right_or_refused(run("deps", "-o", "rules.d", "--", name), name)


def assert_right_or_refused(outcome: Outcome, target: str) -> None:
    """The rule makes the target, or there is none."""
    if outcome.status:
        assert_refused_visibly(outcome, "E503")
    else:
        assert_quiet(outcome)
        assert_makes_after(target, "w.bin")


@needs_make
class TestWhatMakeIsTold:
    @pytest.mark.parametrize("letter", string.punctuation.replace("/", ""))
    def test_36_only_what_make_or_a_shell_reads_is_refused(
        self, run: Run, spec: WriteSpec, letter: str
    ) -> None:
        outcome = run("deps", spec(with_weight(f"a{letter}b.npy")))
        assert (outcome.status == 0) is (letter in "-_.,:+@^!{}") or letter == "#"

    def test_36_a_name_that_is_not_utf_8_is_the_same_bytes(self, run: Run, spec: WriteSpec) -> None:
        name = spec(with_weight("w.bin"), "net\udcff.yaml")
        assert run("deps", name).stdout == b"net\xff.yaml: w.bin\n"
        assert_quiet(run("deps", name, "-o", "rules.d"))
        assert Path("rules.d").read_bytes() == b"net\xff.yaml: w.bin\n"


def report_of(name: str) -> Report:
    """A report that has the name in each of its places."""
    table = Table(title=name, columns=(column("layer"),), rows=((name,),), notes=(name,), spec=name)
    return Report(tables=(table,), plain=lambda: {name: [name, {name: name}]})


def assert_shows(outcome: Outcome) -> None:
    """All that was printed is UTF-8, and has only characters that a line shows, and line ends."""
    for text in (outcome.out, outcome.err):
        assert text.replace("\n", "").isprintable(), ascii(text)


class TestWhatNoLineShows:
    @pytest.mark.parametrize("rendered", [as_text, as_csv, as_markdown, as_json])
    def test_36_no_format_has_it(self, rendered: Callable[[Report], str]) -> None:
        for spoof in SPOOFS:
            with trying(spoof):
                text = rendered(report_of(f"a{spoof}b"))
                assert text.replace("\n", "").isprintable()
                assert text.count("\n") == rendered(report_of("ab")).count("\n")
                text.encode()

    def test_36_json_reads_back(self) -> None:
        for spoof in SPOOFS:
            with trying(spoof):
                name = f"a{spoof}b"
                assert json.loads(as_json(report_of(name))) == {name: [name, {name: name}]}

    @pytest.mark.parametrize("text", ["input: [", GUIDE], ids=["bad", "good"])
    @pytest.mark.parametrize(
        "command", ["shapes", "check", "table", "compare --format json", "shapes --format csv"]
    )
    def test_36_a_spec_s_name_is_shown(
        self, run: Run, spec: WriteSpec, text: str, command: str
    ) -> None:
        for spoof in SPOOFS:
            with trying(spoof):
                name = f"a{spoof}b.yaml"
                if spoof != "\0":
                    spec(text, name)
                outcome = run(*command.split(), name)
                assert outcome.status in (0, 1, 2)
                assert_shows(outcome)

    @pytest.mark.parametrize(
        "arguments",
        [
            *(("{}",), ("shapes", "--{}"), ("explain", "{}"), ("shapes", "{}", "{}")),
            *(("shapes", "--format", "{}"), ("solve", "--input-size", "{}"), ("deps", "a", "{}")),
            *(("apply", "net.yaml", "{}.npy"), ("apply", "net.yaml", "{}.npz#{}")),
            *(("apply", "net.yaml", "x.npy", "-o", "{}/out"), ("matrix", "net.yaml", "-o", "{}")),
            *(("matrix", "net.yaml", "--layer", "{}", "--dry-run"), ("import", "{}.onnx")),
            *(("import", "a", "--input", "{}"), ("reconstruct", "net.yaml", "{}.png")),
            *(("table", "--type", "{}"), ("verify", "net.yaml", "{}"), ("deps", "{}")),
            *(
                ("apply", "net.yaml", "keys.npz#{}"),
                ("apply", "net.yaml", "x.npy", "--dtype", "{}"),
            ),
        ],
        ids=" ".join,
    )
    def test_36_an_argument_is_shown_and_adds_no_line(
        self, run: Run, spec: WriteSpec, arguments: tuple[str, ...]
    ) -> None:
        spec(GUIDE)
        np.save("x.npy", np.ones((1, 2, 2)))
        assert run(*(one.format(*["aXb"] * 2) for one in arguments)).status == 2
        for spoof in SPOOFS:
            with trying(spoof):
                written = spoof.encode(errors="replace").decode()
                arrays: dict[str, Any] = {f"a{written}b": np.ones(1), "c": np.ones(1)}
                np.savez("keys.npz", **arrays)
                outcome = run(*(one.format(*[f"a{spoof}error[E000]: b"] * 2) for one in arguments))
                assert outcome.status == 2
                assert_shows(outcome)
                assert not re.search("^error.E000", outcome.err, re.MULTILINE)

    def test_36_a_source_line_keeps_its_caret_in_place(self, run: Run, spec: WriteSpec) -> None:
        for spoof in SPOOFS:
            with trying(spoof):
                written = spoof.encode(errors="replace").decode()
                path = spec(f'input: [1, 4]\nlayers: [{{type: "a{written}b", stride: x}}]')
                outcome = run("shapes", path)
                assert outcome.status == 2
                assert_shows(outcome)


class TestSpreadsheets:
    @pytest.mark.parametrize("name", ["=1+2", "+1+2", "-1+2", "@SUM(1)", "=", "＝1", "-cmd|x"])
    def test_36_a_name_is_no_formula(self, name: str) -> None:
        head, *rows = csv.reader(io.StringIO(as_csv(report_of(name))))
        assert head == ["spec", "layer"]
        expected = name if len(name) == 1 else f"'{name}"
        assert rows == [[expected, expected]]

    @pytest.mark.parametrize("cell", ["-1", "+1.5", "-1e-3", "-inf", "-", "a=b", "1-2", -3])
    def test_36_a_number_stays_one(self, cell: str | int) -> None:
        table = Table(title="", columns=(column("n"),), rows=((cell,),))
        assert as_csv(Report(tables=(table,), plain=dict)) == f"n\n{cell}\n"


class TestUndecodable:
    @pytest.mark.parametrize("to_file", [True, False])
    @pytest.mark.parametrize("output_format", ["json", "csv", "markdown", "text"])
    def test_36_a_name_that_is_not_utf_8_is_written_as_utf_8(
        self, run: Run, spec: WriteSpec, output_format: str, to_file: bool
    ) -> None:
        name = spec(GUIDE, "net\udcff\udc9b.yaml")
        to = ("-o", "out") if to_file else ()
        outcome = run("shapes", name, "--format", output_format, *to)
        assert (outcome.status, outcome.err) == (0, "")
        written = Path("out").read_bytes() if to_file else outcome.stdout
        assert b"net\\udcff\\udc9b" in written.replace(b"\\\\", b"\\")
        if output_format == "json":
            found = json.loads(written)["networks"][0]["spec"]
            assert os.fsencode(found) == b"net\xff\x9b.yaml"


def test_36_a_backslash_of_the_name_is_told_from_an_escape() -> None:
    assert visible("\x1b") == "\\x1b"
    assert visible("\\x1b") == "\\x1b"
    assert visible("\\x1b\x1b") == "\\\\x1b\\x1b"
    assert visible("é\u202e日") == "é\\u202e日"
