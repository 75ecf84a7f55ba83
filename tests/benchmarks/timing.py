"""Interleaved timing of two things: the machine's drift falls on both alike."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median


def seconds(action: Callable[[], object]) -> float:
    """How long `action` takes once."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ratio(first: Callable[[], object], second: Callable[[], object], runs: int) -> float:
    """The median over `runs` pairs of the time of `first` over that of `second`."""
    first(), second()  # what is only done once does not count
    return median(seconds(first) / seconds(second) for _ in range(runs))


def best_ratio(first: Callable[[], object], second: Callable[[], object], runs: int) -> float:
    """The best time of `first` over the best time of `second`, of `runs` interleaved runs."""
    first(), second()
    pairs = [(seconds(first), seconds(second)) for _ in range(runs)]
    return min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)


def python(*arguments: str) -> Callable[[], object]:
    """A run of this Python as a whole process, its output thrown away."""
    command: Sequence[str] = (sys.executable, *arguments)
    return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
