"""Tiles in several threads: each is computed by itself, so no byte of a result depends on it.

NumPy lets go of the interpreter while it multiplies and copies.  Threads help where BLAS does
its products in one thread; so whoever sees to that says how many tiles may be done at a time.
Without a word they are done one after the other, unless their products are all too small for
BLAS to divide: then a pool that is kept does as many tiles at a time as there are processors.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import chain, islice
from math import prod
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from convt_cli.io.processors import granted

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

_AHEAD = 16
"""So many tasks are begun, or wait for a thread, before the first of them has ended."""

_TOGETHER = 2**18
"""Elements that are done at a time where each channel is done by itself: they fit the cache."""

_Task = TypeVar("_Task")
_Done = TypeVar("_Done")


class _Pool:
    """Threads that begin when there is first work for several of them, in each process anew."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._executor: ThreadPoolExecutor | None = None
        self._process = 0
        self._is_closed = False

    def begin(self, work: Callable[[_Task], _Done], task: _Task) -> Future[_Done]:
        """The task in a thread; done at once where there are none, as when the interpreter ends."""
        try:
            return self._begun().submit(_inside, work, task)
        except RuntimeError:
            return _done_at_once(work, task)

    def close(self) -> None:
        """End the threads; what begins later is done at once."""
        self._is_closed = True
        if self._executor is not None and self._process == os.getpid():
            self._executor.shutdown()

    def _begun(self) -> ThreadPoolExecutor:
        """The threads.  Raises RuntimeError where there can be none."""
        if self._is_closed:
            raise RuntimeError
        if self._executor is None or self._process != os.getpid():  # no thread outlives a fork
            self._executor, self._process = self._all_begun(), os.getpid()
        return self._executor

    def _all_begun(self) -> ThreadPoolExecutor:
        """An executor whose threads have all begun.

        One that cannot begin another thread has taken the task all the same, and would do it a
        second time when one of its threads is free.  Raises RuntimeError where one cannot begin,
        for good.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # seldom needed

        executor, gate = ThreadPoolExecutor(self._count), threading.Event()
        try:
            for _ in range(self._count):
                executor.submit(gate.wait)
        except RuntimeError:
            self._is_closed = True
            raise
        finally:
            gate.set()
        return executor


def _inside(work: Callable[[_Task], _Done], task: _Task) -> _Done:
    token = _POOL.set(None)
    try:
        return work(task)
    finally:
        _POOL.reset(token)


def _done_at_once(work: Callable[[_Task], _Done], task: _Task) -> Future[_Done]:
    from concurrent.futures import Future  # noqa: PLC0415  # seldom needed

    future: Future[_Done] = Future()
    try:
        future.set_result(_inside(work, task))
    except BaseException as error:  # whoever asks for the result gets it
        future.set_exception(error)
    return future


_POOL: ContextVar[_Pool | None] = ContextVar("pool")
"""What was said: a pool, or None where tasks are to be done one after the other."""


@contextmanager
def tiles_at_once(count: int) -> Iterator[None]:
    """Within, C x and Cᵀ y are computed `count` tiles at a time."""
    pool = _Pool(count) if count > 1 else None
    token = _POOL.set(pool)
    try:
        yield
    finally:
        if pool is not None:
            pool.close()
        _POOL.reset(token)


@cache
def _kept() -> _Pool | None:
    """The pool of those who have said nothing."""
    count = granted()
    return _Pool(count) if count > 1 else None


def each(
    work: Callable[[_Task], _Done],
    tasks: Iterable[_Task],
    done: Callable[[_Done], object] = bool,
    *,
    unasked: bool = False,
) -> None:
    """Do every task, and tell `done` in their order what each has come to.

    They are done in as many threads as was said; with `unasked` also where nothing was.  What a
    task does in a thread is done one after the other there.  Of several failures that of the
    first task is raised; the others have ended by then.
    """

    def quiet(task: _Task) -> _Done:
        with np.errstate(all="ignore"):  # every thread has its own; see `functions.apply`
            return work(task)

    rest = iter(tasks)
    first = list(islice(rest, 2))
    pool = _POOL.get(_kept() if unasked else None)
    if pool is None or len(first) < 2:
        for task in chain(first, rest):
            done(quiet(task))
    else:
        _side_by_side(pool, quiet, chain(first, rest), done)


def by_channels(work: Callable[[slice], object], shape: Sequence[int]) -> None:
    """Do `work` for all channels of arrays (batch, channels, ...) of `shape`, some at a time."""
    batch, channels, *sizes = shape
    count = max(1, _TOGETHER // max(1, batch * prod(sizes)))
    each(work, [slice(first, first + count) for first in range(0, channels, count)])


def _side_by_side(
    pool: _Pool,
    work: Callable[[_Task], _Done],
    tasks: Iterable[_Task],
    done: Callable[[_Done], object],
) -> None:
    waiting: deque[Future[_Done]] = deque()

    def settle() -> None:
        done(waiting[0].result())
        waiting.popleft()

    try:
        for task in tasks:
            if len(waiting) == _AHEAD:
                settle()
            waiting.append(pool.begin(work, task))
        while waiting:
            settle()
    finally:
        for future in reversed(waiting):  # those that have not begun first
            if not future.cancel():
                future.exception()  # waits for its end
