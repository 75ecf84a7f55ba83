"""Any list of arguments ends with a documented status, and never with a traceback."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from textwrap import dedent

import click
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from convt_cli.commands import main
from tests.conftest import GUIDE, Outcome

VALUES = [
    *("net.yaml", "bad.yaml", "missing.yaml", ".", "-", "", "x.csv", "y.npy", "x.npz#a", "x.png"),
    *("out.npy", "out.npz", "out.csv", "out.mtx", "out.mat", "out.petsc", "nowhere/y.npy", "a.zip"),
    *("1,4,4", "input=1,4,4", "inptu=1,4,4", "1,1", "0,1,1", "9007199254740992,1,1", "1,,4", "=1"),
    *("0", "1", "3", "-1", "1..3", "3..1", "1..99999999", "1,2", "1e3", "0x10", "9" * 5000, "½"),
    *("conv1", "relu1", "conv", "json", "text", "csv", "markdown", "float32", "int8", "complex64"),
    *("pytorch", "tensorflow,onnx", "onnx,", "inf", "2", "E105", "e105", "E999", "channels_last"),
    *("é", "\udcff", "a\nb", "\x1b[31m", "--", "-h", "--version", "-o", "--input", "--no", "-zzz"),
]
"""What may stand anywhere: files that are there and are not, numbers, words, and oddities."""


def options_of(command: click.Command) -> list[str]:
    return [name for parameter in command.params for name in parameter.opts if name[0] == "-"]


def commands() -> dict[str, list[str]]:
    """Every command's options."""
    context = click.Context(main.group)
    found = {name: main.group.get_command(context, name) for name in main.COMMANDS}
    return {name: options_of(command) for name, command in found.items() if command}


COMMANDS = commands()


@st.composite
def argument_lists(draw: st.DrawFn) -> list[str]:
    """A command, or something like one, with its own and other options and values."""
    command = draw(st.sampled_from([*COMMANDS] * 3 + ["shaeps", "", "-h", "--version", "--", "é"]))
    values = st.sampled_from(VALUES) | st.text(st.characters(exclude_characters="/\\"), max_size=6)
    own = st.sampled_from(COMMANDS.get(command) or ["--force"])
    pair = st.tuples(own, values).map(list)
    joined = st.tuples(own, values).map(lambda both: [f"{both[0]}={both[1]}"])
    part = st.one_of(pair, pair, joined, own.map(lambda one: [one]), values.map(lambda one: [one]))
    beginning = draw(
        st.sampled_from([["net.yaml"], ["net.yaml", "x.csv"], ["net.yaml", "y.npy"], []])
    )
    rest = draw(st.lists(part, max_size=5))
    return [command, *beginning, *(one for each in rest for one in each)]


@pytest.fixture(scope="module")
def _files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A folder with files of every kind, which is the working folder."""
    folder, before = tmp_path_factory.mktemp("drawn"), os.getcwd()
    os.chdir(folder)
    Path("net.yaml").write_text(dedent(GUIDE), encoding="utf-8")
    Path("bad.yaml").write_text("input: [1, 4\n", encoding="utf-8")
    Path("x.csv").write_text("1,2\n3,4\n", encoding="utf-8")
    np.save("y.npy", np.ones((1, 4, 4)))
    np.savez("x.npz", a=np.ones((1, 2, 2)))
    yield
    os.chdir(before)


def outcome_of(arguments: list[str]) -> Outcome:
    """convt in this process, reading nothing."""
    out, err = (io.TextIOWrapper(io.BytesIO(), errors="surrogateescape") for _ in range(2))
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO())
    try:
        with redirect_stdout(out), redirect_stderr(err):
            status = main.run(arguments)
    finally:
        sys.stdin = before
    out.flush()
    err.flush()
    return Outcome(status, out.buffer.getvalue(), err.buffer.getvalue())


@pytest.mark.usefixtures("_files")
@settings(derandomize=True, max_examples=200)
@given(arguments=argument_lists())
@example(arguments=[])
@example(arguments=["shapes", "net.yaml", "--input", "1,4,4", "--input", "1,5,5"])
def test_26_any_arguments_end_with_a_documented_status(arguments: list[str]) -> None:
    outcome = outcome_of(arguments)
    found = arguments[:1] in (["check"], ["verify"])
    assert outcome.status in ({0, 1, 2} if found else {0, 2})
    assert b"Traceback" not in outcome.stderr
    if outcome.status == 2:
        assert b"Error: " in outcome.stderr or b"error[E" in outcome.stderr or not arguments
