"""In how many threads a command computes."""

from __future__ import annotations

import sys

import click

from convt_cli.io.loading import one_thread_per_product
from convt_cli.io.processors import granted


def compute_by_tiles() -> None:
    """Let the command compute tiles in several threads; call it before anything imports NumPy."""
    count = _threads_for_tiles()
    from convt_cli.operators.threads import tiles_at_once

    click.get_current_context().with_resource(tiles_at_once(count))


def _threads_for_tiles() -> int:
    """How many threads to work in, each of which computes its matrix products alone.

    A BLAS that splits a product among threads adds up in another order for each number of threads.
    So it gets one thread, and whole tiles go to as many as it would have had, which changes no byte
    of the result.  A BLAS that is loaded already keeps its threads, and tiles get one.
    """
    if "numpy" in sys.modules:
        return 1
    count = granted()
    one_thread_per_product()
    return count
