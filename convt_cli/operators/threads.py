"""Tiles in several threads: each is computed by itself, so no byte of a result depends on it.

NumPy lets go of the interpreter while it multiplies and copies.  Threads help where BLAS does
its products in one thread; so whoever sees to that says how many tiles may be done at a time,
and without a word they are done one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

import numpy as np

_POOL: ContextVar[Executor | None] = ContextVar("pool", default=None)

_Task = TypeVar("_Task")


@contextmanager
def tiles_at_once(count: int) -> Iterator[None]:
    """Within, C x and Cᵀ y are computed `count` tiles at a time."""
    if count < 2:
        yield
        return
    with ThreadPoolExecutor(count) as pool:
        token = _POOL.set(pool)
        try:
            yield
        finally:
            _POOL.reset(token)
            pool.shutdown(cancel_futures=True)


def each(work: Callable[[_Task], None], tasks: Sequence[_Task]) -> None:
    """Do every task; of several failures that of the first task is raised."""
    pool = _POOL.get()
    if pool is None or len(tasks) < 2:
        for task in tasks:
            work(task)
        return

    def quiet(task: _Task) -> None:
        with np.errstate(all="ignore"):  # every thread has its own; see `functions.apply`
            work(task)

    for done in [pool.submit(quiet, task) for task in tasks]:
        done.result()
