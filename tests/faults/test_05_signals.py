"""Signals end convt with 128 and their number, whatever it is doing, and nothing is left.

The target is what it was or the new file whole, the temporary file is gone, and nothing is said.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

from convt_cli.io import drafts, writing
from convt_cli.io.writing import output
from tests.commands.test_streams import finished
from tests.conftest import (
    GUIDE,
    Outcome,
    Run,
    WriteSpec,
    assert_quiet,
    command_line,
    environment,
)
from tests.faults.calls import watched
from tests.faults.children import Children, children
from tests.faults.outputs import FEW_FILES, Output, write_inputs

OLD = b"what stood there before"
NEW = b"what is to stand there"

SIGNALS = [
    pytest.param(signal.SIGINT, 130, id="SIGINT"),
    pytest.param(signal.SIGTERM, 143, id="SIGTERM"),
]


UNHARMFUL = {"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH", "SIGINFO"}
UNHARMFUL |= set() if sys.platform == "linux" else {"SIGIO"}
STOPPING = {"SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU"}
OF_FAULTS = {"SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP", "SIGEMT"}
IGNORED_BY_PYTHON = {"SIGPIPE", "SIGXFSZ"}
"""What a process gets that writes to nobody, or beyond a limit; the call fails as well."""


ENDING = [
    pytest.param(number, id=number.name)
    for number in sorted(signal.valid_signals())
    if isinstance(number, signal.Signals)
    if number.name not in {"SIGKILL", *UNHARMFUL, *STOPPING, *OF_FAULTS, *IGNORED_BY_PYTHON}
]
"""The signals that end a process from outside, but for SIGKILL; of those without a name, two."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Children]]:
    """A folder with what the commands read, and the process whose children work there."""
    folder = write_inputs(tmp_path_factory.mktemp("ended"))
    np.save(folder / "large.npy", np.ones((2000, 1, 2, 2)))
    with children(folder) as process:
        yield folder, process


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


def put(path: Path, content: bytes | None) -> None:
    """Let `path` hold `content`, or not be there."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
@pytest.mark.parametrize("one", FEW_FILES)
def test_05_before_any_call_a_signal_leaves_the_old_file_or_the_new_one(
    place: tuple[Path, Children],
    one: Output,
    before: bytes | None,
    number: signal.Signals,
    status: int,
) -> None:
    folder, process = place
    target = folder / one.name
    process.warm(one.arguments(one.name, force=True))
    new = target.read_bytes()
    names = {path.name for path in folder.iterdir()}
    found = []
    for call in range(1000):
        put(target, before)
        ended = process.ended_at_call(
            one.arguments(one.name, force=before is not None), call, number
        )
        found.append(content_of(target))
        assert {path.name for path in folder.iterdir()} <= names
        if ended == 0:
            break
        assert ended == status
    first_new = found.index(new)
    assert found == [before] * first_new + [new] * (len(found) - first_new)
    assert first_new >= 5  # open, write, fsync, close, replace or link


@pytest.mark.parametrize("number", ENDING)
def test_05_every_signal_that_ends_a_process_leaves_the_old_file_and_nothing_else(
    place: tuple[Path, Children], number: int
) -> None:
    folder, process = place
    command = ["apply", "net.yaml", "large.npy", "-o", "x.npy", "--force"]
    process.warm(command)
    put(folder / "x.npy", OLD)
    names = {path.name for path in folder.iterdir()}
    assert process.ended_at_call(command, 3, number) == 128 + number
    assert {path.name for path in folder.iterdir()} == names
    assert content_of(folder / "x.npy") == OLD


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGUSR1])
def test_05_a_signal_that_is_ignored_or_handled_stays_so(
    run: Run, spec: WriteSpec, number: signal.Signals
) -> None:
    taken: list[int] = []
    name = spec(GUIDE)
    for handler in (signal.SIG_IGN, lambda number, _: taken.append(number)):
        before = signal.signal(number, handler)
        try:
            with watched(lambda _: os.kill(os.getpid(), number)):
                assert_quiet(run("shapes", name, "-o", "out.txt", "--force"))
            assert signal.getsignal(number) == handler
        finally:
            signal.signal(number, before)
    assert set(taken) == {number}


@pytest.mark.slow
def test_05_a_limit_on_processor_time_leaves_nothing(spec: WriteSpec, folder: Path) -> None:
    """SIGXCPU comes from the system itself, while convt writes."""
    script = 'ulimit -S -t 2 && exec "$@"'
    command = command_line("matrix", spec(LARGE), "--input", "1,3000,3000", "-o", "C.mtx")
    done = subprocess.run(
        ["sh", "-c", script, "sh", *command], env=environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGXCPU, b"")
    assert b"Traceback" not in done.stderr
    assert [path.name for path in folder.iterdir()] == ["net.yaml"]


def ended_at_random(place: tuple[Path, Children], seed: int) -> None:
    """End a child that computes and writes two files in turn, and look at what it left."""
    folder, process = place
    chance = random.Random(seed)
    number, status = chance.choice([(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    commands = [
        ["apply", "net.yaml", "large.npy", "-o", name, "--force"] for name in ("a.npy", "a.npz")
    ]
    possible = []
    for command in commands:
        process.warm(command)
        possible.append((folder / command[4]).read_bytes())
    for command in commands:
        (folder / command[4]).write_bytes(OLD)
    delay = 0.01 + chance.uniform(0, 0.05)
    assert process.ended_after(commands, delay, number) in (status, -number)
    for command, new in zip(commands, possible):
        assert (folder / command[4]).read_bytes() in (OLD, new)
    assert list(folder.glob(".convt-*")) == []


@pytest.mark.parametrize("seed", range(6))
def test_05_at_a_random_time_a_signal_leaves_whole_files(
    place: tuple[Path, Children], seed: int
) -> None:
    ended_at_random(place, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 36))
def test_05_at_thirty_random_times_a_signal_leaves_whole_files(
    place: tuple[Path, Children], seed: int
) -> None:
    ended_at_random(place, seed)


# --- processes ---------------------------------------------------------------------------------


GREEDY = """
    input: [64, 40, 40]
    layers: [{type: conv, out_channels: 64, kernel_size: 25, padding: 12}]
    """
"""A layer whose product takes seconds for the arrays of a batch of twenty."""

LARGE = """
    input: [1, 300, 300]
    layers: [{type: conv, out_channels: 5, kernel_size: 3, weight: {fill: normal}}]
    """
"""A matrix of four million entries, which takes seconds to compress."""


@contextmanager
def started(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """convt as a process with pipes."""
    with subprocess.Popen(
        command_line(*arguments),
        env=environment(OPENBLAS_NUM_THREADS="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds; fail after half a minute."""
    for _ in range(3000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it never came to that")


def assert_ended(process: subprocess.Popen[bytes], number: signal.Signals, status: int) -> None:
    """On a signal the process ends with its status, and says nothing."""
    assert process.poll() is None
    process.send_signal(number)
    outcome = finished(process)
    assert (outcome.status, outcome.err.strip()) == (status, "")


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_05_a_signal_ends_a_command_that_computes(
    folder: Path, spec: WriteSpec, number: signal.Signals, status: int
) -> None:
    np.save("x.npy", np.ones((20, 64, 40, 40)))
    (folder / "y.npy").write_bytes(b"old")
    before = sorted(path.name for path in folder.iterdir())
    spec(GREEDY)
    arguments = ("apply", "net.yaml", "x.npy", "--forward", "-o", "y.npy", "--force")
    with started(*arguments) as process:
        wait_until(lambda: cpu_seconds(process.pid) > 1.2)
        assert_ended(process, number, status)
    assert (folder / "y.npy").read_bytes() == b"old"
    assert sorted(path.name for path in folder.iterdir()) == sorted(["net.yaml", *before])


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_05_a_signal_ends_a_command_that_compresses_and_leaves_the_old_file(
    folder: Path, spec: WriteSpec, number: signal.Signals, status: int
) -> None:
    (folder / "C.npz").write_bytes(b"old")
    arguments = ("matrix", spec(LARGE), "--compress", "-o", "C.npz", "--force")
    with started(*arguments) as process:
        wait_until(lambda: len(list(folder.iterdir())) == 3)
        assert_ended(process, number, status)
    assert (folder / "C.npz").read_bytes() == b"old"
    assert sorted(path.name for path in folder.iterdir()) == ["C.npz", "net.yaml"]


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_05_a_signal_ends_a_command_whose_reader_does_not_read(
    spec: WriteSpec, number: signal.Signals, status: int
) -> None:
    with started("matrix", spec(LARGE), "-o", "-") as process:
        assert process.stdout is not None
        assert process.stdout.read(1) == b"P"
        time.sleep(0.3)  # until the pipe is full
        assert_ended(process, number, status)


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_05_a_signal_ends_a_command_that_waits_for_an_array(
    spec: WriteSpec, folder: Path, number: signal.Signals, status: int
) -> None:
    with started("apply", spec(GUIDE), "-", "-o", "x.npy") as process:
        assert process.stdin is not None
        stream = BytesIO()
        np.save(stream, np.ones((20_000, 1, 2, 2)))
        process.stdin.write(stream.getvalue()[:200_000])
        process.stdin.flush()  # more than a pipe holds: it has been read from
        assert_ended(process, number, status)
    assert [path.name for path in folder.iterdir()] == ["net.yaml"]


SLOW = """
    input: [64, 40, 40]
    layers: [{type: conv, out_channels: 64, kernel_size: 25, padding: 12, weight: w.npy}]
    """

Process = subprocess.Popen[bytes]

Busy = Callable[[str], AbstractContextManager[Process]]


@pytest.fixture
def busy(folder: Path, spec: WriteSpec) -> Busy:
    """Starts convt with so many threads on work that takes long, and waits for it to write."""
    np.save("w.npy", np.ones((64, 64, 25, 25)))
    np.save("x.npy", np.ones((40, 64, 40, 40)))
    Path("y.npy").write_bytes(b"old")
    command = command_line("apply", spec(SLOW), "x.npy", "--forward", "-o", "y.npy", "--force")

    @contextmanager
    def start(threads: str) -> Iterator[Process]:
        env = environment(OPENBLAS_NUM_THREADS=threads)
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe) as process:
            wait_until(lambda: list(folder.glob(".convt-*")))
            time.sleep(0.2)
            try:
                yield process
            finally:
                process.kill()

    return start


@pytest.mark.parametrize("threads", ["1", "2"])
@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_05_by_a_signal_work_in_threads_ends_soon_and_leaves_the_old_file(
    folder: Path, busy: Busy, *, threads: str, number: signal.Signals, status: int
) -> None:
    with busy(threads) as process:
        begun = time.monotonic()
        assert_ended(process, number, status)
        assert time.monotonic() - begun < 30
    assert Path("y.npy").read_bytes() == b"old"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["net.yaml", "w.npy", "x.npy", "y.npy"]


# --- between any two instructions -------------------------------------------------------------

TRACED = {writing.__file__, drafts.__file__, contextlib.__file__}


class Ended(BaseException):
    """What a signal raises in these tests."""


class EndAt:
    """A trace function that raises Ended before the instruction of one number.

    Python runs the handlers of signals between instructions, and nowhere else.
    """

    def __init__(self, instruction: int) -> None:
        self.count = 0
        self._instruction = instruction

    def __call__(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any] | None:
        if frame.f_code.co_filename not in TRACED:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.count += 1
            if self.count == self._instruction + 1:
                sys.settrace(None)
                raise Ended
        return self


def write_new(target: Path, *, force: bool) -> None:
    with output(str(target), force=force) as file:
        file.write(NEW)


def ended_at(instruction: int, target: Path, *, force: bool) -> bool:
    """Whether writing `target` came to that instruction, at which it ended."""
    tracing = sys.gettrace()
    try:
        sys.settrace(EndAt(instruction))
        write_new(target, force=force)
    except Ended:
        return True
    finally:
        sys.settrace(tracing)
    return False


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a file that nobody was there to close
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
def test_05_between_any_two_instructions_a_signal_leaves_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None, links: bool
) -> None:
    if not links:
        monkeypatch.setattr("os.link", no_link)
    target, ended, instruction = tmp_path / "out", True, 0
    missed = []
    while ended:
        put(target, before)
        ended = ended_at(instruction, target, force=before is not None)
        assert content_of(target) in (before, NEW)
        if {path.name for path in tmp_path.iterdir()} - {"out"}:
            missed.append(instruction)
            for path in tmp_path.glob(".convt*"):
                path.unlink()
        instruction += 1
    assert missed == []
    assert content_of(target) == NEW
    assert instruction > 100


def no_link(*_: object) -> None:
    raise PermissionError(1, "no links here")


@pytest.mark.parametrize(("number", "status"), SIGNALS)
def test_05_a_signal_while_the_command_line_is_loaded_ends_it(
    folder: Path, number: signal.Signals, status: int
) -> None:
    (folder / "click").mkdir()
    sending = f"import os\nos.kill(os.getpid(), {int(number)})\nfor _ in range(10**9): pass"
    (folder / "click" / "__init__.py").write_text(sending, encoding="utf-8")
    paths = os.pathsep.join((str(folder), environment()["PYTHONPATH"]))
    done = subprocess.run(
        command_line("--version"),
        env=environment(PYTHONPATH=paths),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, b"", b"")


# --- while modules load -----------------------------------------------------------------------

AT_IMPORT = """
import os, signal, sys
number, wanted = int(sys.argv[1]), int(sys.argv[2])
sys.argv[1:] = sys.argv[3:]

class Counting:
    count = 0
    def find_spec(self, *_):
        Counting.count += 1
        if Counting.count == wanted:
            os.kill(os.getpid(), number)

from convt_cli.__main__ import main
sys.meta_path.append(Counting())
sys.meta_path.insert(0, sys.meta_path.pop())
main()
"""
"""A program that sends itself a signal when the n-th module is looked for."""


def signalled_at_import(wanted: int, number: int, *arguments: str) -> Outcome:
    """What comes of convt that gets a signal while it looks for the module of one number."""
    done = subprocess.run(
        [sys.executable, "-c", AT_IMPORT, str(number), str(wanted), *arguments],
        env=environment(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


LOADING = ["shapes net.yaml", "analyze net.yaml", "apply net.yaml y.npy -o out.npy"]


def assert_ended_while_loading(wanted: int, command: str, number: int, status: int) -> None:
    """It ends with the signal's status, or has loaded fewer modules; and says nothing."""
    before = set(os.listdir())
    outcome = signalled_at_import(wanted, number, *command.split())
    assert outcome.err == ""
    assert outcome.status in (status, 0)
    assert {*os.listdir()} - before <= {"out.npy"}
    if outcome.status == 0:
        assert wanted > 100


@pytest.mark.parametrize(("number", "status"), SIGNALS)
@pytest.mark.parametrize("wanted", [1, 2, 60, 200, 320])
@pytest.mark.parametrize("command", LOADING)
def test_05_a_signal_while_modules_load_ends_convt(
    folder: Path, command: str, wanted: int, number: signal.Signals, status: int
) -> None:
    write_inputs(folder)
    assert_ended_while_loading(wanted, command, number, status)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", range(3, 500, 7))
@pytest.mark.parametrize("command", LOADING[1:])
def test_05_so_it_does_at_any_module(folder: Path, command: str, wanted: int) -> None:
    write_inputs(folder)
    assert_ended_while_loading(wanted, command, signal.SIGINT, 130)


@pytest.mark.parametrize("wrapping", ["importing", "destroying", "swallowing an import error"])
def test_05_a_signal_is_not_lost_where_python_drops_exceptions(folder: Path, wrapping: str) -> None:
    """In an import it can be taken for the import's failure, and a destructor drops it."""
    code = {
        "importing": "os.kill(os.getpid(), signal.SIGTERM)\nsleep()",
        "destroying": "class Dying:\n    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n        sleep()\nDying()",
        "swallowing an import error": "try:\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    sleep()\nexcept BaseException:\n    raise ImportError('no room') from None",
    }[wrapping]
    lines = "import os, signal, time\ndef sleep():\n    for _ in range(2): time.sleep(0.001)\n"
    loaded = folder / "loaded.py"
    loaded.write_text(lines + (code if wrapping != "destroying" else ""), encoding="utf-8")
    program = (
        "import sys, time\nfrom convt_cli.io.signals import Unwinding\n"
        "with Unwinding():\n    import loaded\n"
        + ("    import os, signal\n    sleep = loaded.sleep\n" if wrapping == "destroying" else "")
        + (textwrap.indent(code, "    ") + "\n" if wrapping == "destroying" else "")
        + "    for _ in range(1000): time.sleep(0.01)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(PYTHONPATH=os.pathsep.join((str(folder), environment()["PYTHONPATH"]))),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (143, b"")
