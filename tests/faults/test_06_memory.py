"""What does not fit into memory is refused before it is allocated, by every command.

The budget is the least of what the system has, the control group allows and RLIMIT_AS leaves; the
message says how much is needed, how much is there, and what to do instead.  Nothing is ever left
to whoever kills processes that take too much.
"""

from __future__ import annotations

import re
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from convt_cli.io import memory
from tests.conftest import GUIDE, Outcome, Run, WriteSpec, assert_refused, environment
from tests.faults.rows import trying

SPECS = {
    "huge": """
        input: [1, 1000000]
        layers: [{type: conv, out_channels: 1000000, kernel_size: 1, weight: {fill: ones}}]
        """,
    "tall": """
        input: [1, 4]
        layers: [{type: conv_transpose, out_channels: 1, kernel_size: 1, stride: STRIDE}]
        """,
    "down": """
        input: [1, SIZE]
        layers: [{type: conv, out_channels: 1, kernel_size: 2, stride: STRIDE}]
        """,
    "folded": """
        input: [1, SIZE]
        layers:
          - {type: conv, out_channels: 1, kernel_size: 3, padding: 1, padding_mode: circular}
        """,
}
"""A matrix of 10^12 entries; an output, and two inputs, of a size that is given."""

FAR = "[0-9.,]+ [TPE]iB needed, [0-9.,]+ \\w+ there"
NEEDED = "[0-9.,]+ [KMGT]iB needed, [0-9.,]+ \\w+ there"


@pytest.fixture
def ready(spec: WriteSpec, folder: Path) -> Path:
    """The folder with specs whose arrays have 10^12 elements, and small arrays."""
    return prepared(spec, folder, 10**12)


@pytest.fixture
def small(spec: WriteSpec, folder: Path) -> Path:
    """The folder with specs whose arrays have 10^6 elements, and small arrays."""
    return prepared(spec, folder, 10**6)


def prepared(spec: WriteSpec, folder: Path, size: int) -> Path:
    """The folder with the specs, for arrays of about `size` elements, and small arrays."""
    for name, text in SPECS.items():
        sizes = text.replace("STRIDE", str(size)).replace("SIZE", str(size + 2))
        spec(sizes, f"{name}.yaml")
    np.save("four.npy", np.ones((1, 4)))
    np.save("two.npy", np.ones((1, 2)))
    return folder


@contextmanager
def little_allocated() -> Iterator[None]:
    """Within the block far less is allocated than what the commands here would need."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100 * 2**20


REFUSED = [
    ("matrix huge.yaml --sparse-format bsr -o C.npz", "E501"),
    ("matrix huge.yaml --sparse-format dia -o C.npz", "E501"),
    ("matrix folded.yaml -o C.npz", "E402"),
    ("matrix huge.yaml -o C.npz", "E402"),
    ("matrix huge.yaml --transpose -o C.npz", "E402"),
    ("matrix huge.yaml --sparse-format csc -o C.npz", "E402"),
    ("matrix huge.yaml --sparse-format coo -o C.npz", "E402"),
    ("matrix huge.yaml -o C.mtx", "E402"),
    ("apply tall.yaml four.npy -o x.npz", "E501"),
    ("apply tall.yaml four.npy -o x.csv", "E501"),
    ("apply tall.yaml four.npy -o -", "E501"),
    ("apply tall.yaml four.npy --method direct -o x.npz", "E501"),
    ("apply tall.yaml four.npy --method matrix -o x.npy", "E501"),
    ("apply tall.yaml four.npy --method zero-insert -o x.npy", "E501"),
    ("apply down.yaml two.npy -o x.npz", "E501"),
    ("invert down.yaml two.npy -o x.npy", "E501"),
    ("reconstruct tall.yaml four.npy --layer conv_transpose1", "E501"),
    ("stimulus tall.yaml --layer conv_transpose1 --unit 0,1 -o x.npy", "E501"),
    ("stimulus down.yaml --layer conv1 --unit 0,0 -o x.npy", "E501"),
    ("analyze down.yaml", "E501"),
    ("analyze tall.yaml", "E501"),
    ("verify huge.yaml", "E501"),
    ("verify tall.yaml", "E501"),
    ("verify down.yaml", "E501"),
]
"""Commands that would allocate, or write, more than there is; a disk is refused with E402."""


@pytest.mark.parametrize(("command", "code"), REFUSED)
def test_06_what_needs_terabytes_is_refused_with_the_bytes_and_a_way_out(
    run: Run, ready: Path, command: str, code: str
) -> None:
    names = {path.name for path in ready.iterdir()}
    with little_allocated():
        outcome = run(*command.split())
    assert outcome.codes == [code]
    assert (outcome.status, "Traceback" in outcome.err) == (2, False)
    assert re.search(FAR, outcome.err)
    assert "= help: " in outcome.err
    assert {path.name for path in ready.iterdir()} == names


def test_06_an_array_file_of_terabytes_is_refused_before_any_of_it_is_made(
    run: Run, ready: Path
) -> None:
    assert_refused(run("apply", "tall.yaml", "four.npy", "-o", "x.npy"), "E402")
    assert not Path("x.npy").exists()
    assert list(ready.glob(".convt-*")) == []


@pytest.mark.parametrize(
    "command", ["matrix huge.yaml --dry-run", "shapes huge.yaml tall.yaml", "check down.yaml",
                "table tall.yaml", "compare tall.yaml", "solve --sizes tall.yaml",
                "solve --input-size 1000000000000 --output-size 3"],
)  # fmt: skip
def test_06_what_only_counts_needs_no_memory(run: Run, ready: Path, command: str) -> None:
    with little_allocated():
        assert run(*command.split()).status == 0


@pytest.mark.parametrize(
    "ranges",
    ["--input-size 1..100000 --kernel-size 1..100000",
     "--input-size 1..1000 --kernel-size 1..1000 --stride 1..1000 --padding 0..1000"],
)  # fmt: skip
def test_06_a_sweep_over_huge_ranges_is_refused(run: Run, folder: Path, ranges: str) -> None:
    with little_allocated():
        outcome = run("table", "--type", "conv", *ranges.split())
    assert_refused(outcome, "E503")
    assert re.search("at most 100,000 rows: this one has [0-9,]{14,}", outcome.err)


def test_06_a_range_of_more_values_than_a_sweep_takes_is_refused(run: Run, folder: Path) -> None:
    with little_allocated():
        ranges = ("--input-size", "1..9007199254740992", "--kernel-size", "3")
        outcome = run("table", "--type", "conv", *ranges)
    assert (outcome.status, "more than 100,000 values" in outcome.err) == (2, True)


def test_06_the_size_of_a_matrix_of_10_to_the_12_entries_can_be_asked_for(
    run: Run, ready: Path
) -> None:
    outcome = run("matrix", "huge.yaml", "--dry-run", "--format", "json")
    assert outcome.document["nnz"] == 10**12
    assert outcome.document["bytes"] == 10**12 * (8 + 8) + (10**12 + 1) * 8


@pytest.mark.parametrize("fill", ["ones", "index", "bilinear", "normal"])
def test_06_a_weight_that_does_not_fit_is_refused(run: Run, spec: WriteSpec, fill: str) -> None:
    text = f"""
        input: [1, 100]
        layers:
          - type: conv
            out_channels: 1000000000000
            kernel_size: 100
            weight: {{fill: {fill}}}
        """
    with little_allocated():
        outcome = run("matrix", spec(text), "-o", "C.npz")
    assert_refused(outcome, "E501")
    assert re.search(FAR, outcome.err)


def test_06_diagonals_that_do_not_fit_are_refused(
    run: Run, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "available", lambda: 4000)
    outcome = run("matrix", spec(GUIDE), "-o", "C.npz", "--sparse-format", "dia")
    assert outcome.status == 0
    monkeypatch.setattr(memory, "available", lambda: 1500)
    outcome = run("matrix", spec(GUIDE), "-o", "D.npz", "--sparse-format", "dia")
    assert_refused(outcome, "E501")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv"])
def test_06_an_array_that_does_not_fit_is_refused(
    run: Run, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    np.save("x.npy", np.ones((4, 4)))
    np.savez("x.npz", np.ones((4, 4)))
    np.savetxt("x.csv", np.ones((4, 4)), delimiter=",")
    monkeypatch.setattr(memory, "available", lambda: 100)
    assert_refused(run("apply", spec(GUIDE), name, "-o", "y.csv"), "E501")


# --- control groups ---------------------------------------------------------------------------

MEGABYTES = 3 * 2**20
GROUPS = {
    "own group": {
        "/proc/self/cgroup": "0::/user/job\n",
        "/sys/fs/cgroup/user/job/memory.max": f"{2 * MEGABYTES}\n",
        "/sys/fs/cgroup/user/job/memory.current": f"{MEGABYTES}\n",
    },
    "group above": {
        "/proc/self/cgroup": "0::/user/job\n",
        "/sys/fs/cgroup/user/job/memory.max": "max\n",
        "/sys/fs/cgroup/user/job/memory.current": "10\n",
        "/sys/fs/cgroup/user/memory.max": f"{2 * MEGABYTES}\n",
        "/sys/fs/cgroup/user/memory.current": f"{MEGABYTES}\n",
    },
    "version 1": {
        "/sys/fs/cgroup/memory/memory.limit_in_bytes": f"{2 * MEGABYTES}\n",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes": f"{MEGABYTES}\n",
    },
}
"""What the system's files say where a group has three megabytes left."""


@pytest.mark.parametrize(
    "command",
    ["matrix folded.yaml -o C.npz", "apply tall.yaml four.npy -o x.npz",
     "apply down.yaml two.npy --method matrix -o x.npz", "invert down.yaml two.npy -o x.npy",
     "reconstruct tall.yaml four.npy --layer conv_transpose1", "verify tall.yaml",
     "stimulus tall.yaml --layer conv_transpose1 --unit 0,1 -o x.npy"],
    ids=lambda command: command.split()[0],
)  # fmt: skip
def test_06_what_a_control_group_does_not_allow_is_refused(
    run: Run, small: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Arrays of eight megabytes: the machine has room for them, and the group has not."""
    infinity = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    for group, its_files in GROUPS.items():
        files = {"/proc/meminfo": "MemAvailable:  99999999 kB\n", **its_files}
        with trying(group), monkeypatch.context() as patch:
            patch.setattr(memory, "_read", lambda path, files=files: files.get(str(path), ""))
            patch.setattr(resource, "getrlimit", lambda _: infinity)
            outcome = run(*command.split())
            assert (outcome.status, outcome.codes) == (2, ["E501"])
            assert re.search(NEEDED, outcome.err)
            assert "3.0 MiB there" in outcome.err


# --- address space ----------------------------------------------------------------------------


def limited(megabytes: int, *arguments: str) -> Outcome:
    """convt with `megabytes` of address space left once it has been imported."""
    code = (
        "import re, resource, sys; import scipy.sparse, convt_cli.operators.matrix.build;"
        "import convt_cli.analysis.verify, convt_cli.analysis.invert;"
        "import convt_cli.analysis.singular.values;"
        "from convt_cli.commands.main import run;"
        "used = int(re.search('VmSize:.* (.*) kB', open('/proc/self/status').read())[1]) * 1024;"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {megabytes} * 2**20,) * 2);"
        "sys.exit(run(sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *arguments],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


needs_proc = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


@needs_proc
@pytest.mark.parametrize(
    "command",
    ["matrix folded.yaml -o C.npz", "apply tall.yaml four.npy -o x.npz",
     "invert down.yaml two.npy -o x.npy", "analyze tall.yaml",
     "stimulus down.yaml --layer conv1 --unit 0,1 -o x.npy"],
    ids=lambda command: command.split()[0],
)  # fmt: skip
def test_06_what_the_address_space_does_not_hold_is_refused(
    spec: WriteSpec, folder: Path, command: str
) -> None:
    prepared(spec, folder, 2 * 10**7)
    names = {path.name for path in folder.iterdir()}
    outcome = limited(60, *command.split())
    assert outcome.codes == ["E501"]
    assert (outcome.status, "Traceback" in outcome.err) == (2, False)
    assert re.search(r"[0-9.,]+ [MG]iB .*, [0-9.,]+ \w+ there", outcome.err)
    assert {path.name for path in folder.iterdir()} == names


@needs_proc
@pytest.mark.parametrize("entries", [2_000_000, 20_000_000])
def test_06_a_matrix_larger_than_what_is_left_is_refused(
    folder: Path, spec: WriteSpec, entries: int
) -> None:
    spec(f"""
        input: [1, {entries // 10}]
        layers: [{{type: conv, out_channels: 10, kernel_size: 1, weight: {{fill: ones}}}}]
        """)
    outcome = limited(20, "matrix", "net.yaml", "-o", "C.npz")
    assert_refused(outcome, "E501")
    assert "needed" in outcome.err
    assert [path.name for path in folder.iterdir()] == ["net.yaml"]


@needs_proc
def test_06_a_border_that_is_too_long_to_count_is_refused(folder: Path, spec: WriteSpec) -> None:
    spec("""
        input: [1, 4]
        layers:
          - type: conv
            out_channels: 1
            kernel_size: 3
            padding: 1073741824
            padding_mode: replicate
        """)
    outcome = limited(200, "shapes", "net.yaml", "--format", "json")
    assert (outcome.status, outcome.codes) == (2, ["E116"])


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory ran out: 3.0 MiB there"),
        (MemoryError("Unable to allocate 9 TiB"), "unable to allocate 9 TiB, 3.0 MiB there"),
    ],
)
def test_06_memory_that_runs_out_unforeseen_is_one_error(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, error: MemoryError, said: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(memory, "available", lambda: MEGABYTES)
    monkeypatch.setattr("convt_cli.commands.table.guide_report", fail)
    outcome = run("table")
    assert_refused(outcome, "E501")
    assert said in outcome.err
