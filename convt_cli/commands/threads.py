"""How many threads a command computes in."""

from __future__ import annotations

import os
import sys

import click

BLAS_VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
MOST_THREADS = 4


def compute_by_tiles() -> None:
    """Let the command compute tiles side by side; to be called before anything imports NumPy."""
    count = _one_thread_per_product()
    from convt_cli.operators.threads import tiles_at_once

    click.get_current_context().with_resource(tiles_at_once(count))


def _one_thread_per_product() -> int:
    """How many threads to work with, each of which does its matrix products alone.

    A BLAS that splits a product among threads adds up in another order for every number of
    them.  So it gets one, and whole tiles go to as many threads as it would have had, which
    changes no byte of the result.  One that has begun already keeps its own threads.
    """
    if "numpy" in sys.modules:
        return 1
    wanted = [os.environ.get(name, "") for name in BLAS_VARIABLES]
    asked = [int(value) for value in wanted if value.isdecimal() and int(value)]
    os.environ.update(dict.fromkeys(BLAS_VARIABLES, "1"))
    return min(asked[0] if asked else _processors(), MOST_THREADS)


def _processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
