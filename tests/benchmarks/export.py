"""`convt matrix -o FILE` as a whole process: its speed over np.save of as many bytes, its memory.

Run with `python -m tests.benchmarks.export` from the project's folder.  Both sides end with an
fsync of the file; np.save is given an array that is there already.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = """
input: [64, 56, 56]
layers: [{type: conv, out_channels: 64, kernel_size: 3, padding: 1, weight: {fill: normal}}]
"""
"""C has 1.13e8 entries, 1.35 GB."""

CASES = (
    ("C.npz",),
    ("C.npz", "--transpose"),
    ("C.npz", "--sparse-format", "csc"),
    ("C.npz", "--sparse-format", "csc", "--transpose"),
    ("C.npz", "--sparse-format", "coo"),
    ("C.npz", "--sparse-format", "coo", "--transpose"),
)
SMALL_CASES = (
    ("C.npz", "--compress"),
    ("C.npz", "--compress", "--transpose"),
    ("C.npz", "--compress", "--sparse-format", "coo"),
    ("C.mtx",),
    ("C.mtx", "--transpose"),
)
"""Slower ones, of the same layer with 8 channels at its input."""

SAVE = """
import os, sys, time
import numpy as np

array = np.ones(int(sys.argv[2]) // 8)
start = time.perf_counter()
with open(sys.argv[1], "wb") as file:
    np.save(file, array)
    file.flush()
    os.fsync(file.fileno())
print(time.perf_counter() - start)
"""


def export(folder: Path, name: str, *options: str) -> tuple[float, int, int]:
    """Seconds, bytes written, and the largest resident bytes of the process."""
    path = folder / name
    arguments = ("-m", "convt_cli", "matrix", str(folder / "net.yaml"), "-o", str(path), *options)
    start = time.perf_counter()
    pid = os.posix_spawn(sys.executable, (sys.executable, *arguments), os.environ)
    _, status, usage = os.wait4(pid, 0)
    taken = time.perf_counter() - start
    if status:
        raise SystemExit(f"convt matrix {' '.join(options)} ended with {status}")
    size = path.stat().st_size
    path.unlink()
    return taken, size, usage.ru_maxrss * 1024


def saved(folder: Path, size: int) -> float:
    """The seconds np.save takes for `size` bytes, in a process of its own.

    Here the array would count as the memory of the processes started afterwards.
    """
    path = folder / "plain.npy"
    command = (sys.executable, "-c", SAVE, str(path), str(size))
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    path.unlink()
    return float(done.stdout)


def row(folder: Path, runs: int, case: tuple[str, ...]) -> str:
    """One line of the table: the best of `runs` interleaved runs."""
    exports, saves = [], []
    for _ in range(runs):
        exports.append(export(folder, *case))
        saves.append(saved(folder, exports[-1][1]))
    taken, size, _ = min(exports)
    largest = max(resident for *_, resident in exports)
    speed = min(saves) / taken
    return f"{' '.join(case):<44}{size:>14,}{taken:>9.2f}{speed:>10.2f}{largest / 1e6:>10.0f}"


def main() -> None:
    """Print one row per case."""
    print(f"{'options':<44}{'bytes':>14}{'seconds':>9}{'of save':>10}{'RSS, MB':>10}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for runs, channels, cases in ((3, 64, CASES), (1, 8, SMALL_CASES)):
            spec = SPEC.replace("[64,", f"[{channels},")
            (folder / "net.yaml").write_text(spec, encoding="utf-8")
            for case in cases:
                print(row(folder, runs, case), flush=True)


if __name__ == "__main__":
    main()
