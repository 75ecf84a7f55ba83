"""How many threads the environment grants to work on arrays."""

from __future__ import annotations

import os

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""What says how many threads a BLAS takes."""

MOST_THREADS = 4


def granted() -> int:
    """As many as a BLAS is told to take, or as this process has processors; few of many."""
    # OMP_NUM_THREADS can have a number for each level of nesting; the first one counts.
    wanted = [os.environ.get(name, "").partition(",")[0].strip() for name in BLAS_VARIABLES]
    asked = [int(value) for value in wanted if value.isdecimal() and int(value)]
    return min(asked[0] if asked else _processors(), MOST_THREADS)


def _processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
