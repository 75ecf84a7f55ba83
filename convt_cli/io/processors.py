"""How many threads the environment grants to work on arrays."""

from __future__ import annotations

import os

from convt_cli.io.environment import integer
from convt_cli.io.memory import MOST_THREADS, has_room_for_threads

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""The variables that say how many threads a BLAS takes; the first that is set counts."""


def granted() -> int:
    """How many threads to work in: those of the BLAS variables, else one for each processor.

    At most `MOST_THREADS`, and one where a limit on the process's memory leaves no room for more.
    """
    if not has_room_for_threads():
        return 1
    asked = [count for count in map(_asked, BLAS_VARIABLES) if count]
    return min(asked[0] if asked else _processors(), MOST_THREADS)


def _asked(name: str) -> int | None:
    """The threads that a variable asks for, or None.

    OMP_NUM_THREADS can have a number for each level of nesting; the first one counts.
    """
    return integer(name, separator=",")


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
