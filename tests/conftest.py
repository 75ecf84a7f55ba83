"""What tests share: specs in a folder of their own, and convt run in process or as a process."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

import convt_cli
from convt_cli.commands import main
from convt_cli.errors import Diagnostic
from convt_cli.io import memory
from convt_cli.spec.load import check_spec

# How many drawn examples an assumption turns down, and how long one takes, is left to chance and
# to the machine: neither says that the code is wrong.
settings.register_profile(
    "convt",
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)
settings.load_profile("convt")

PACKAGE = Path(convt_cli.__file__).parent
"""The folder of the package under test."""

_TERMINAL_VARIABLES = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE")

UNTRACED = (
    *(
        f"tests/faults/test_{name}"
        for name in ("03", "07", "08", "10", "12", "14", "19", "20", "21", "26", "27", "36_names")
    ),
    "tests/analysis/test_coverage.py",
    "tests/arithmetic/questions/test_solver.py",
    "tests/arithmetic/test_averages.py",
    "tests/arithmetic/test_axis.py",
    *(f"tests/operators/kernels/test_{name}.py" for name in ("kernels", "polyphase", "products")),
    *(f"tests/operators/matrix/test_{name}.py" for name in ("bands", "build")),
    *(f"tests/operators/test_{name}.py" for name in ("dtypes", "routes", "tiles")),
    "tests/reports/test_guide.py",
    "tests/test_configs.py",
    "test_the_unet_closes_where_it_resolves",
    "test_values_of_groups_that_nearly_agree_are_told_apart",
)
"""Tests of many cases whose lines others run too: coverage would double their time."""

# What hundreds of processes import is compiled once, wherever the tests run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # As a shell leaves it for its background jobs; those that the tests start would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)

GUIDE = """
    input: [1, 4, 4]
    layers:
      - {type: conv, out_channels: 1, kernel_size: 3, weight: {fill: index}, bias: [100]}
    """
"""One layer whose C is 4 by 16: a 3 by 3 kernel of 1 to 9 over a 4 by 4 input."""

ZFNET = """
    input: [3, 224, 224]
    layers:
      - {type: conv, out_channels: 96, kernel_size: 7, stride: 2, padding: 1, expect: [96,110,110]}
      - {type: max_pool, kernel_size: 3, stride: 2, ceil_mode: true, expect: [96, 55, 55]}
      - {type: conv, out_channels: 256, kernel_size: 5, stride: 2, expect: [256, 26, 26]}
      - {type: max_pool, kernel_size: 3, stride: 2, ceil_mode: true, expect: [256, 13, 13]}
      - {type: conv, out_channels: 384, kernel_size: 3, padding: 1, expect: [384, 13, 13]}
      - {type: conv, out_channels: 384, kernel_size: 3, padding: 1, expect: [384, 13, 13]}
      - {type: conv, out_channels: 256, kernel_size: 3, padding: 1, expect: [256, 13, 13]}
      - {type: max_pool, kernel_size: 3, stride: 2, expect: [256, 6, 6]}
    """
"""The sizes of Zeiler and Fergus's network: 224, 110, 55, 26, 13, 6."""


@dataclass(frozen=True)
class Outcome:
    """What one run of convt came to."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    @property
    def document(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.stdout)

    @property
    def codes(self) -> list[str]:
        """The codes of the diagnostics on standard error, in their order."""
        return re.findall(r"error\[(E\d+)\]", self.err)


def assert_refused(outcome: Outcome, code: str, *, status: int = 2) -> None:
    """convt gave up with one coded diagnostic on standard error, and nothing but that."""
    assert outcome.codes == [code], outcome.err
    assert "Traceback" not in outcome.err
    assert (outcome.status, outcome.out) == (status, "")


def assert_quiet(outcome: Outcome) -> None:
    """convt did what it was asked to, and had nothing to say."""
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")


class Run(Protocol):
    """convt on some arguments, in this process."""

    def __call__(self, *arguments: str | Path, stdin: bytes = b"") -> Outcome: ...


class Shell(Protocol):
    """convt on some arguments, as a process of its own."""

    def __call__(
        self, *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Outcome: ...


class WriteSpec(Protocol):
    """Text written into the test's folder; its name comes back."""

    def __call__(self, text: str, name: str = "net.yaml") -> str: ...


Found = Callable[[str | bytes], tuple[Diagnostic, ...]]
"""What is wrong with the text of a spec, `expect` included."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark those of UNTRACED, for pytest-cov."""
    for item in items:
        if any(name in item.nodeid for name in UNTRACED):
            item.add_marker("no_cover")


@pytest.fixture(autouse=True, scope="session")
def _no_terminal() -> Iterator[None]:
    """The terminal that pytest itself runs in says nothing about what convt prints."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _TERMINAL_VARIABLES:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _nothing_is_negligible(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small requests ask for memory as well, so that tests can refuse them."""
    monkeypatch.setattr(memory, "NEGLIGIBLE", 0)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working folder for the time of the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def spec(folder: Path) -> WriteSpec:
    """Writes a spec into the test's folder; indentation around it is taken off."""

    def write(text: str, name: str = "net.yaml") -> str:
        (folder / name).write_text(textwrap.dedent(text), encoding="utf-8")
        return name

    return write


@pytest.fixture
def run(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsysbinary: pytest.CaptureFixture[bytes],
) -> Run:
    """Runs convt in this process, in the test's folder."""

    def run(*arguments: str | Path, stdin: bytes = b"") -> Outcome:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsysbinary.readouterr()
        status = main.run([os.fspath(argument) for argument in arguments])
        return Outcome(status, *capsysbinary.readouterr())

    return run


def command_line(*arguments: str | Path) -> list[str]:
    """convt as a command of this interpreter."""
    return [sys.executable, "-m", "convt_cli", *(os.fspath(argument) for argument in arguments)]


def environment(**changes: str) -> dict[str, str]:
    """The variables of a process that finds the package under test."""
    return {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **changes}


@pytest.fixture
def shell(folder: Path) -> Shell:
    """Runs convt as a process, in the test's folder; it is killed after a minute."""

    def shell(
        *arguments: str | Path, stdin: bytes = b"", env: Mapping[str, str] | None = None
    ) -> Outcome:
        done = subprocess.run(
            command_line(*arguments),
            cwd=folder,
            env=environment(**(env or {})),
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return shell


@pytest.fixture(scope="session")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """Checks a text as a spec called net.yaml; indentation around a string is taken off."""
    path = tmp_path_factory.mktemp("found") / "net.yaml"

    def found(text: str | bytes) -> tuple[Diagnostic, ...]:
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return tuple(replace(problem, spec="net.yaml") for problem in check_spec(str(path)))

    return found
