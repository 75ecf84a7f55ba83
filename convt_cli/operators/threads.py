"""Tasks in several threads, mostly tiles: each by itself, so no byte of a result depends on it.

NumPy releases the interpreter's lock while it multiplies and copies.  More threads help only
where BLAS computes each product in a single one.  A caller that has seen to this chooses how many
tiles are computed at once: `tiles_at_once`.  Otherwise tiles are computed one after the other,
except those whose products are all too small for BLAS to divide: these go to the default pool,
with a thread for each processor.  `tiles_at_once(1)` turns that off as well.
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

_IN_FLIGHT = 16
"""Tasks in flight at once, running, waiting or finished: it bounds the memory of their results."""

_ELEMENTS_AT_ONCE = 2**18
"""Elements of the channels that `by_channels` does at a time: a megabyte of float32, which fits
the cache."""

_Task = TypeVar("_Task")
_Done = TypeVar("_Done")


class _ThreadPool:
    """A pool whose threads start with its first task, and once more in a forked child."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._executor: ThreadPoolExecutor | None = None
        self._process = 0
        self._is_closed = False

    def submit(self, work: Callable[[_Task], _Done], task: _Task) -> Future[_Done]:
        """The future of work(task), in a thread; or finished, where no thread can be had.

        There is none after `close`, and none while the interpreter ends.
        """
        try:
            return self._running_executor().submit(_inside, work, task)
        except RuntimeError:
            return _done_at_once(work, task)

    def close(self) -> None:
        """Wait for the threads to end; tasks submitted later are done in the caller's thread."""
        self._is_closed = True
        if self._executor is not None and self._process == os.getpid():
            self._executor.shutdown()

    def _running_executor(self) -> ThreadPoolExecutor:
        """The executor of this process.  Raises RuntimeError where it can have no threads."""
        if self._is_closed:
            raise RuntimeError
        if self._executor is None or self._process != os.getpid():  # no thread outlives a fork
            self._executor, self._process = self._started_executor(), os.getpid()
        return self._executor

    def _started_executor(self) -> ThreadPoolExecutor:
        """A new executor whose threads have all started.

        An executor starts its threads with the first tasks, and one that fails to start a thread
        has queued the task all the same: a caller that then does it itself would do it twice.  So
        all threads start here, with tasks that only wait.  Raises RuntimeError where a thread
        cannot start, and closes the pool.
        """
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # seldom needed

        executor, gate = ThreadPoolExecutor(self._count), threading.Event()
        try:
            # Each thread waits at the gate, so that the next task needs a thread of its own.
            for _ in range(self._count):
                executor.submit(gate.wait)
        except RuntimeError:
            self._is_closed = True
            raise
        finally:
            gate.set()
        return executor


def _inside(work: Callable[[_Task], _Done], task: _Task) -> _Done:
    """work(task), within which `each` is sequential: a task must not wait for its own pool."""
    token = _CHOSEN_POOL.set(None)
    try:
        return work(task)
    finally:
        _CHOSEN_POOL.reset(token)


def _done_at_once(work: Callable[[_Task], _Done], task: _Task) -> Future[_Done]:
    """The finished future of work(task), done in the caller's thread."""
    from concurrent.futures import Future  # noqa: PLC0415  # seldom needed

    future: Future[_Done] = Future()
    try:
        future.set_result(_inside(work, task))
    except BaseException as error:  # whoever asks for the result gets it
        future.set_exception(error)
    return future


_CHOSEN_POOL: ContextVar[_ThreadPool | None] = ContextVar("pool")
"""The pool chosen by `tiles_at_once`; None means one task after the other."""


@contextmanager
def tiles_at_once(count: int) -> Iterator[None]:
    """Within, C x and Cᵀ y are computed `count` tiles at a time.

    With 1 no pool is used, not even the default one.  The choice holds for this thread, as every
    context variable does.
    """
    pool = _ThreadPool(count) if count > 1 else None
    token = _CHOSEN_POOL.set(pool)
    try:
        yield
    finally:
        if pool is not None:
            pool.close()
        _CHOSEN_POOL.reset(token)


@cache
def _default_pool() -> _ThreadPool | None:
    """The default pool, for callers that did not choose a number of threads.

    None on a single processor.
    """
    count = granted()
    return _ThreadPool(count) if count > 1 else None


def close_default_pool() -> None:
    """End the threads of the default pool; the next call that wants it starts a new one."""
    if _default_pool.cache_info().currsize:
        pool = _default_pool()
        _default_pool.cache_clear()
        if pool is not None:
            pool.close()


def each(
    work: Callable[[_Task], _Done],
    tasks: Iterable[_Task],
    done: Callable[[_Done], object] = bool,
    *,
    use_default_pool: bool = False,
) -> None:
    """Call work(task) for every task, and `done` with each result, in the order of the tasks.

    The tasks run in the pool of `tiles_at_once`; outside of it one after the other, or, with
    `use_default_pool`, in the default pool.  A task that calls `each` itself does so sequentially.
    Where several tasks fail, the exception of the first is raised, after the others have ended.
    """

    def quiet(task: _Task) -> _Done:
        with np.errstate(all="ignore"):  # every thread has its own; see `functions.apply`
            return work(task)

    rest = iter(tasks)
    first = list(islice(rest, 2))  # enough to see whether a pool is worth its start
    pool = _CHOSEN_POOL.get(_default_pool() if use_default_pool else None)
    if pool is None or len(first) < 2:
        for task in chain(first, rest):
            done(quiet(task))
    else:
        _side_by_side(pool, quiet, chain(first, rest), done)


def by_channels(work: Callable[[slice], object], shape: Sequence[int]) -> None:
    """Call `work` with slices of channels that make up arrays of `shape`, (batch, channels, ...).

    A slice has about `_ELEMENTS_AT_ONCE` elements, or a single channel.
    """
    batch, channels, *sizes = shape
    count = max(1, _ELEMENTS_AT_ONCE // max(1, batch * prod(sizes)))
    each(work, [slice(first, first + count) for first in range(0, channels, count)])


def _side_by_side(
    pool: _ThreadPool,
    work: Callable[[_Task], _Done],
    tasks: Iterable[_Task],
    done: Callable[[_Done], object],
) -> None:
    """`each` in a pool, with at most `_IN_FLIGHT` tasks submitted and not yet handed to `done`."""
    waiting: deque[Future[_Done]] = deque()

    def settle() -> None:
        # The future is removed last: should this be interrupted, the clean-up still waits for it.
        done(waiting[0].result())
        waiting.popleft()

    try:
        for task in tasks:
            if len(waiting) == _IN_FLIGHT:
                settle()
            waiting.append(pool.submit(work, task))
        while waiting:
            settle()
    finally:
        # After a failure: cancel from the last on, as those have most likely not started.
        for future in reversed(waiting):
            if not future.cancel():
                future.exception()  # waits for its end
