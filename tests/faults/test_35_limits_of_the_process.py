"""Limits on address space, data and threads: success, or one coded diagnostic within seconds.

The libraries that convt stands on end the process, interrupt it or try for ever where memory or a
thread is refused to them while they load.  So convt asks first: the message says how much is
needed and how much is there.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from convt_cli import __main__ as process
from convt_cli.errors import RequestError
from convt_cli.io import loading, memory, processors
from convt_cli.io.loading import _Watch
from convt_cli.operators.threads import each, tiles_at_once
from tests.conftest import Outcome, Run, WriteSpec, command_line, environment
from tests.faults.outputs import FILES, Output, write_inputs
from tests.faults.rows import trying

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's limits")

WITHIN = 30
"""Seconds that no run may take, on a machine that does much else."""

WITHOUT_NUMPY = ["--version", "--help", "shapes net.yaml", "check net.yaml", "table",
                 "compare net.yaml", "explain E105"]  # fmt: skip
WITH_NUMPY = ["matrix net.yaml -o C.npz", "apply net.yaml y.npy -o x.out.npy",
              "analyze net.yaml", "verify net.yaml"]  # fmt: skip


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    return write_inputs(folder)


def limited(limit: int, megabytes: int, *arguments: str) -> Outcome:
    """convt as a process of which a limit is so many megabytes."""
    done = subprocess.run(
        command_line(*arguments),
        env=environment(),
        capture_output=True,
        timeout=WITHIN,
        check=False,
        preexec_fn=lambda: resource.setrlimit(limit, (megabytes * 2**20,) * 2),
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_done_or_refused(outcome: Outcome) -> None:
    """It has done what it was asked to, or says that memory is too little, and only that."""
    refused = outcome.codes == ["E501"] and outcome.status == 2
    assert refused or (outcome.status == 0 and not outcome.codes), outcome
    assert "Traceback" not in outcome.err
    assert "OpenBLAS" not in outcome.err
    if refused:
        assert outcome.err.count("\n") == 2
        assert outcome.out == ""


@pytest.mark.parametrize(
    ("command", "megabytes"),
    [*((command, 36) for command in WITHOUT_NUMPY), ("--version", 20), ("check net.yaml", 26)],
)
def test_35_a_small_address_space_is_enough_or_is_said_to_be_too_small(
    ready: Path, command: str, megabytes: int
) -> None:
    outcome = limited(resource.RLIMIT_AS, megabytes, *command.split())
    assert_done_or_refused(outcome)
    assert outcome.status == (0 if megabytes == 36 else 2)


@pytest.mark.parametrize(
    ("command", "megabytes"),
    [
        *((command, 600) for command in WITH_NUMPY),
        *zip(cycle(WITH_NUMPY), [24, 64, 128, 180, 256, 180, 256]),
    ],
)
def test_35_numpy_is_loaded_where_there_is_room_for_it(
    ready: Path, command: str, megabytes: int
) -> None:
    outcome = limited(resource.RLIMIT_AS, megabytes, *command.split())
    assert_done_or_refused(outcome)
    if megabytes < 100:
        assert outcome.status == 2
    if megabytes == 600:
        assert outcome.status == 0


SIZES = [16, 20, 22, 24, 28, 32, 48, 64, 96, *range(112, 420, 12), 500, 700, 1000]


@pytest.mark.slow
@pytest.mark.parametrize("one", FILES)
def test_35_every_command_comes_to_an_end_in_any_address_space(ready: Path, one: Output) -> None:
    """Each of them in three sizes; together they have all of them."""
    first = [param.values[0] for param in FILES].index(one)
    for megabytes in (SIZES * 3)[first :: len(SIZES) // 2 + 1][:3]:
        with trying(megabytes):
            (ready / one.name).unlink(missing_ok=True)
            outcome = limited(resource.RLIMIT_AS, megabytes, *one.arguments(one.name))
            if megabytes > 16:  # where Python itself has no room it cannot say much
                assert_done_or_refused(outcome)
            assert (ready / one.name).exists() == (outcome.status == 0)


@pytest.mark.parametrize(
    ("command", "megabytes"),
    [
        ("shapes net.yaml", 8),
        ("shapes net.yaml", 400),
        ("analyze net.yaml", 40),
        ("analyze net.yaml", 80),
        ("analyze net.yaml", 400),
    ],
)
def test_35_a_limit_on_data_is_one_too(ready: Path, command: str, megabytes: int) -> None:
    """`ulimit -d` counts what is promised and can be written, as BLAS takes its buffers."""
    outcome = limited(resource.RLIMIT_DATA, megabytes, *command.split())
    assert_done_or_refused(outcome)
    if megabytes == 400:
        assert outcome.status == 0


def test_35_the_message_says_what_is_needed_and_what_is_there(ready: Path) -> None:
    outcome = limited(resource.RLIMIT_AS, 100, "analyze", "net.yaml")
    assert "the package numpy does not fit into memory" in outcome.err
    assert re.search(r"[0-9.]+ MiB needed, [0-9.]+ MiB there", outcome.err)
    assert "ulimit -v" in outcome.err


# --- asking before packages are loaded --------------------------------------------------------

MEGABYTE = 2**20


def set_limits(patch: pytest.MonkeyPatch, *, used: dict[str, int], limit: int) -> None:
    """Let a limit leave what is not used of it, and the machine have much."""
    status = "".join(f"{name}: {size // 1024} kB\n" for name, size in used.items())
    files = {"/proc/meminfo": "MemAvailable: 99999999 kB\n", "/proc/self/status": status}
    patch.setattr(memory, "_read", lambda path: files.get(str(path), ""))
    patch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    patch.setattr(memory, "_set_aside", lambda: 0)


@pytest.mark.parametrize("field", ["VmSize", "VmData"])
@pytest.mark.parametrize("package", loading._NEEDS)
def test_35_a_package_is_refused_where_a_byte_is_missing(
    monkeypatch: pytest.MonkeyPatch, package: str, field: str
) -> None:
    need = loading._NEEDS[package]
    wanted = need.address_space if field == "VmSize" else need.data
    set_limits(monkeypatch, used={field: MEGABYTE}, limit=wanted + MEGABYTE)
    assert _Watch().find_spec(package, None) is None
    set_limits(monkeypatch, used={field: MEGABYTE}, limit=wanted + MEGABYTE - 1)
    with pytest.raises(RequestError, match="does not fit into memory") as caught:
        _Watch().find_spec(package, None)
    assert caught.value.code == "E501"


@pytest.mark.parametrize("package", loading._NEEDS)
def test_35_so_it_is_where_a_container_has_less(
    monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    need = loading._NEEDS[package].resident
    room = {"/proc/meminfo": f"MemAvailable: {need // 1024 - 1} kB\n"}
    monkeypatch.setattr(memory, "_read", lambda path: room.get(str(path), ""))
    with pytest.raises(RequestError, match="does not fit into memory"):
        _Watch().find_spec(package, None)


def test_35_what_was_granted_once_is_not_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """SciPy's two parts that bring its BLAS take it once."""
    asked: list[object] = []
    monkeypatch.setattr(loading, "require_for", lambda need, _: asked.append(need))
    watch = _Watch()
    for name in ("scipy", "scipy.linalg", "scipy.special", "scipy.linalg", "scipy.io", "json"):
        watch.find_spec(name, None)
    assert len(asked) == 2


def test_35_the_needs_are_what_packages_take(ready: Path) -> None:
    """With less than is asked for, they can no longer be loaded: so it is not far too much."""
    code = (
        "import re\ndef size(): return int(re.search('VmPeak:.* (.*) kB',"
        " open('/proc/self/status').read())[1]) * 1024\n"
        "import json, click, convt_cli.commands.main\nbefore = size()\n"
        "import numpy, numpy.random, numpy.linalg\nprint(size() - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        check=True,
    )
    taken = int(done.stdout)
    assert taken < loading._NEEDS["numpy"].address_space < 3 * taken


@pytest.mark.parametrize(("limit", "expected"), [(2**30, 1), (2**32, 3), (None, 3)])
def test_35_little_memory_is_not_spent_on_threads(
    monkeypatch: pytest.MonkeyPatch, limit: int | None, expected: int
) -> None:
    monkeypatch.setattr(memory, "least_limit", lambda: limit)
    monkeypatch.setattr(processors, "_processors", lambda: 3)
    for name in processors.BLAS_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert processors.granted() == expected


@pytest.mark.parametrize(
    ("error", "is_limited", "code"),
    [
        (ImportError("x.so: failed to map segment"), True, "E501"),
        (SystemError("error return without exception set"), True, "E501"),
        (ImportError("x.so: undefined symbol"), False, "E504"),
    ],
)
def test_35_a_library_that_cannot_be_loaded_is_one_error(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str,
    *, is_limited: bool,
) -> None:  # fmt: skip
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("convt_cli.commands.table.guide_report", fail)
    monkeypatch.setattr(memory, "least_limit", lambda: 2**40 if is_limited else None)
    outcome = run("table")
    assert (outcome.status, outcome.codes) == (2, [code])


def test_35_a_limit_without_room_to_look_it_up_is_one_error(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(error: Exception) -> None:
        raise error

    monkeypatch.setattr(memory, "least_limit", lambda: fail(MemoryError()))
    monkeypatch.setattr(process, "_run", lambda: fail(SystemError("error return without one")))
    for name in ("gc", "end_at_once"):
        monkeypatch.setattr(process, name, Mock())
    with pytest.raises(SystemExit) as caught:
        process.main()
    assert caught.value.code == 2
    assert capfd.readouterr().err.startswith("error[E501]: memory ran out")


# --- threads ----------------------------------------------------------------------------------


def without_threads(*words: str) -> Outcome:
    """A process that may begin no thread; root may always, so it runs as another user."""
    command = ["prlimit", "--nproc=1", *words]
    if os.getuid() == 0:
        command = [
            *("setpriv", "--reuid=65534", "--clear-groups", "--inh-caps=-all,+dac_override"),
            *("--bounding-set=-all,+dac_override", "--ambient-caps=+dac_override", *command),
        ]
    done = subprocess.run(
        command,
        env=environment(OPENBLAS_NUM_THREADS="3", OMP_NUM_THREADS="3"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


needs_tools = pytest.mark.skipif(
    not (shutil.which("setpriv") and shutil.which("prlimit")), reason="needs util-linux"
)


@needs_tools
def test_35_the_test_of_threads_tests_something(folder: Path) -> None:
    """NumPy alone is interrupted by its BLAS, which says so."""
    outcome = without_threads(sys.executable, "-c", "import numpy")
    if outcome.status == 0:
        pytest.skip("this BLAS begins no threads, or the limit does not hold here")
    assert "pthread_create failed" in outcome.err


@needs_tools
@pytest.mark.parametrize(
    "command",
    ["matrix net.yaml -o C.npz", "apply many.yaml many.npy -o x.out.npy", "verify net.yaml",
     "import m.onnx -o m.yaml"],
)  # fmt: skip
def test_35_without_threads_convt_works_on_in_one(
    run: Run, ready: Path, spec: WriteSpec, command: str
) -> None:
    if command.startswith("import"):
        pytest.importorskip("onnx")
    spec(
        """
        input: [2, 60, 60]
        layers: [{type: conv, out_channels: 4, kernel_size: 3, weight: {fill: index}}]
        """,
        "many.yaml",
    )
    np.save("many.npy", np.ones((30, 4, 58, 58)))
    ready.chmod(0o777)
    outcome = without_threads(*command_line(*command.split()))
    assert (outcome.status, outcome.err) == (0, "")
    written = [path for path in ready.iterdir() if path.stat().st_uid == 65534]
    contents = {path.name: path.read_bytes() for path in written}
    for path in written:
        path.unlink()
    assert run(*command.split()) == outcome
    assert {name: Path(name).read_bytes() for name in contents} == contents


@pytest.mark.parametrize("there_are", [0, 1, 2])
def test_35_every_task_is_done_once_where_threads_run_out(
    monkeypatch: pytest.MonkeyPatch, there_are: int
) -> None:
    """An executor that cannot begin a thread has taken the task all the same."""
    begun: list[int] = []
    start = threading.Thread.start

    def scarce(thread: threading.Thread) -> None:
        if len(begun) >= there_are:
            raise RuntimeError("can't start new thread")
        begun.append(1)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", scarce)
    done: list[int] = []

    def work(task: int) -> int:
        time.sleep(0.002)
        done.append(task)
        return task

    results: list[int] = []
    with tiles_at_once(3):
        each(work, range(20), results.append)
    assert sorted(done) == list(range(20)) == results


def test_35_an_executor_without_threads_keeps_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pool guards against: this is how Python's own executor is."""

    def none(_: object) -> None:
        raise RuntimeError("can't start new thread")

    executor = ThreadPoolExecutor(1)
    monkeypatch.setattr(threading.Thread, "start", none)
    with pytest.raises(RuntimeError):
        executor.submit(print)
    assert executor._work_queue.qsize() == 1
