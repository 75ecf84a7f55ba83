"""A signal ends convt with 128 and its number, whatever it is doing, and nothing is said.

Not while it computes, compresses, waits or works in threads, nor while it loads modules, is a
signal lost.  What is left on the disk at each moment is in `test_05_signals`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from tests.commands.test_streams import finished
from tests.conftest import GUIDE, Outcome, WriteSpec, command_line, environment
from tests.faults.outputs import write_inputs
from tests.faults.test_05_signals import SIGNALS
from tests.faults.waiting import has_nothing_to_do, wait_until

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


def assert_ended(process: subprocess.Popen[bytes], number: signal.Signals, status: int) -> None:
    """On a signal the process ends with its status, and says nothing."""
    assert process.poll() is None
    process.send_signal(number)
    outcome = finished(process)
    assert (outcome.status, outcome.err.strip()) == (status, "")


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
        wait_until(lambda: has_nothing_to_do(process))  # the pipe is full
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


SLOW = """
    input: [64, 40, 40]
    layers: [{type: conv, out_channels: 64, kernel_size: 25, padding: 12, weight: w.npy}]
    """

Process = subprocess.Popen[bytes]

Busy = Callable[[str], AbstractContextManager[Process]]


@pytest.fixture
def busy(folder: Path, spec: WriteSpec) -> Busy:
    """Starts convt in a number of threads on work that takes long, and waits until it writes."""
    np.save("w.npy", np.ones((64, 64, 25, 25)))
    np.save("x.npy", np.ones((20, 64, 40, 40)))
    Path("y.npy").write_bytes(b"old")
    command = command_line("apply", spec(SLOW), "x.npy", "--forward", "-o", "y.npy", "--force")

    @contextmanager
    def start(threads: str) -> Iterator[Process]:
        env = environment(OPENBLAS_NUM_THREADS=threads)
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=env, stdout=pipe, stderr=pipe) as process:
            try:
                wait_until(lambda: list(folder.glob(".convt-*")))
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
        assert_ended(process, number, status)
    assert Path("y.npy").read_bytes() == b"old"
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["net.yaml", "w.npy", "x.npy", "y.npy"]


# --- while modules load -----------------------------------------------------------------------


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
    """The outcome of convt with a signal just before the module number `wanted` is loaded."""
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


@pytest.mark.parametrize(
    ("command", "wanted", "number", "status"),
    [
        (LOADING[0], 1, signal.SIGTERM, 143),
        (LOADING[0], 60, signal.SIGINT, 130),
        (LOADING[1], 2, signal.SIGINT, 130),
        (LOADING[1], 200, signal.SIGTERM, 143),
        (LOADING[1], 320, signal.SIGINT, 130),
        (LOADING[2], 200, signal.SIGINT, 130),
        (LOADING[2], 320, signal.SIGTERM, 143),
    ],
)
def test_05_a_signal_while_modules_load_ends_convt(
    folder: Path, command: str, wanted: int, number: signal.Signals, status: int
) -> None:
    write_inputs(folder)
    assert_ended_while_loading(wanted, command, number, status)


@pytest.mark.slow
@pytest.mark.parametrize("wanted", range(3, 500, 25))
@pytest.mark.parametrize("command", LOADING[1:])
def test_05_so_it_does_at_any_module(folder: Path, command: str, wanted: int) -> None:
    write_inputs(folder)
    assert_ended_while_loading(wanted, command, signal.SIGINT, 130)


def test_05_a_signal_in_the_last_import_keeps_its_status(folder: Path) -> None:
    """The alarm that raises it again may come while the handlers are put back."""
    (folder / "last.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGTERM)\n")
    program = """if True:
        import signal, time
        from convt_cli.io.signals import Unwinding, end_at_once
        replace = signal.signal
        def slow(number, handler):
            before = replace(number, handler)
            if number == signal.SIGALRM and signal.getitimer(signal.ITIMER_REAL)[0]:
                time.sleep(0.1)
            return before
        end_at_once()
        with Unwinding():
            import last
            signal.signal = slow
        """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(PYTHONPATH=os.pathsep.join((str(folder), environment()["PYTHONPATH"]))),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (143, b"")


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
