"""Tiles are computed in the threads that were asked for, and the results do not depend on them."""

from __future__ import annotations

import contextvars
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from convt_cli.operators import threads
from convt_cli.operators.matrix_free import apply_forward, apply_transpose
from convt_cli.operators.threads import by_channels, each, tiles_at_once
from tests.operators.kernels.test_kernels import assert_same_bytes, random_numbers, square

LAYER = square((64, 64), (60, 60), 3)


@pytest.mark.parametrize("forward", [True, False])
@pytest.mark.parametrize("count", [2, 3])
def test_results_have_the_same_bytes_in_any_number_of_threads(forward: bool, count: int) -> None:
    weight = random_numbers(LAYER.weight_shape, np.float32)
    source = random_numbers((2, *LAYER.input_shape), np.float32)
    apply = apply_forward if forward else apply_transpose
    alone = apply(LAYER, weight, source)
    with tiles_at_once(count):
        assert_same_bytes(apply(LAYER, weight, source), alone)


def names_of(count: int, tasks: int, *, use_default_pool: bool = False) -> set[str]:
    """The names of the threads that did the tasks, `count` of which wait for each other."""
    together, names = threading.Barrier(count), set()

    def work(_task: int) -> None:
        together.wait(timeout=10)
        names.add(threading.current_thread().name)

    each(work, list(range(tasks)), use_default_pool=use_default_pool)
    return names


def test_tasks_are_done_side_by_side_within() -> None:
    with tiles_at_once(3):
        assert len(names_of(3, 3)) == 3
    assert names_of(1, 3) == {threading.current_thread().name}


@pytest.mark.parametrize("count", [0, 1])
def test_one_thread_is_the_callers(count: int) -> None:
    with tiles_at_once(count):
        assert names_of(1, 3) == {threading.current_thread().name}


def test_one_task_is_done_in_the_callers_thread() -> None:
    with tiles_at_once(2):
        assert names_of(1, 1) == {threading.current_thread().name}


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


def in_a_child(work: Callable[[], int]) -> int:
    """The exit status of a forked child that does the work, or of killing it after 20 seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a fork beside threads may lead to is the point
        child = os.fork()
    if not child:
        os._exit(work())
    deadline = time.monotonic() + 20
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


@needs_fork
def test_a_forked_child_has_as_many_threads() -> None:
    with tiles_at_once(2):
        assert len(names_of(2, 2)) == 2
        assert in_a_child(lambda: len(names_of(2, 2))) == 2


def test_after_the_pools_end_tasks_are_done_in_the_callers_thread() -> None:
    with tiles_at_once(2):
        context = contextvars.copy_context()
        names_of(2, 2)
    assert context.run(names_of, 1, 3) == {threading.current_thread().name}


LATE = """
import sys, threading, time
import numpy as np
from convt_cli import conv
from convt_cli.operators import threads

threads.granted = lambda: 2
x, weight = np.ones((16, 224, 224), np.float32), np.ones((16, 16, 3, 3), np.float32)
if "begun" in sys.argv:
    conv(x, weight, padding=1)

def late():
    while threading.main_thread().is_alive():
        time.sleep(0.01)
    print(conv(x, weight, padding=1)[0, 1, 1])

threading.Thread(target=late).start()
"""


@pytest.mark.parametrize("argument", ["begun", "first"])
def test_when_the_interpreter_ends_tasks_are_done_in_the_callers_thread(argument: str) -> None:
    """The main thread has ended, and with it the threads of all pools."""
    command = [sys.executable, "-c", LATE, argument]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr) == ("144.0\n", "")


@pytest.fixture
def _three_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The default pool has three threads, and is closed at the end."""
    monkeypatch.setattr(threads, "granted", lambda: 3)
    threads._default_pool.cache_clear()
    yield
    pool = threads._default_pool()
    if pool is not None:
        pool.close()
    threads._default_pool.cache_clear()


@pytest.mark.usefixtures("_three_processors")
class TestDefaultPool:
    """The pool for callers that did not choose a number of threads."""

    def test_tasks_are_done_side_by_side(self) -> None:
        first, second = (names_of(3, 3, use_default_pool=True) for _ in range(2))
        assert len(first) == 3
        assert first == second

    def test_only_where_it_is_asked_for(self) -> None:
        assert names_of(1, 3) == {threading.current_thread().name}

    def test_is_off_where_one_thread_was_chosen(self) -> None:
        with tiles_at_once(1):
            assert names_of(1, 3, use_default_pool=True) == {threading.current_thread().name}

    def test_gives_way_to_a_number_that_was_chosen(self) -> None:
        with tiles_at_once(2):
            assert len(names_of(2, 2, use_default_pool=True)) == 2

    def test_is_none_on_one_processor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threads, "granted", lambda: 1)
        assert names_of(1, 3, use_default_pool=True) == {threading.current_thread().name}

    @needs_fork
    def test_a_task_that_has_tasks_does_them_in_its_own_thread(self) -> None:
        def most_names() -> int:
            inner: list[set[str]] = []
            each(
                lambda _: inner.append(names_of(1, 3, use_default_pool=True)),
                range(6),
                use_default_pool=True,
            )
            return max(map(len, inner))

        assert in_a_child(most_names) == 1  # or it waits for itself

    @needs_fork
    def test_a_forked_child_starts_threads_of_its_own(self) -> None:
        assert len(names_of(3, 3, use_default_pool=True)) == 3
        assert in_a_child(lambda: len(names_of(3, 3, use_default_pool=True))) == 3

    @pytest.mark.parametrize("forward", [True, False])
    def test_results_of_rows_have_the_same_bytes(self, forward: bool) -> None:
        layer = square((64, 64), (100, 100), 3)
        weight = random_numbers(layer.weight_shape, np.float32)
        source = random_numbers((2, *layer.input_shape), np.float32)
        apply = apply_forward if forward else apply_transpose
        with tiles_at_once(1):
            alone = apply(layer, weight, source)
        assert_same_bytes(apply(layer, weight, source), alone)
        pool = threads._default_pool()
        assert pool is not None
        assert pool._executor is not None


@pytest.mark.parametrize("count", [1, 2, 3])
def test_results_are_handed_over_in_the_order_of_the_tasks(count: int) -> None:
    told: list[int] = []
    with tiles_at_once(count):
        each(lambda task: -task, iter(range(100)), told.append)
    assert told == [-task for task in range(100)]


def test_the_first_tasks_failure_is_raised() -> None:
    last_has_failed = threading.Event()

    def work(task: int) -> None:
        if task == 0:
            last_has_failed.wait(timeout=10)
        else:
            last_has_failed.set()
        raise ValueError(task)

    with tiles_at_once(2), pytest.raises(ValueError, match="0"):
        each(work, [0, 1])


@pytest.mark.parametrize("error", [ValueError(), KeyboardInterrupt(), SystemExit(143)])
def test_after_a_failure_running_tasks_end_and_the_rest_is_cancelled(
    error: BaseException,
) -> None:
    begun: list[int] = []
    ended: list[int] = []

    def work(task: int) -> None:
        begun.append(task)
        time.sleep(0.05)
        ended.append(task)

    def done(_nothing: None) -> None:
        raise error

    with tiles_at_once(2):
        with pytest.raises(type(error)):
            each(work, iter(range(50)), done)
        assert sorted(begun) == sorted(ended)
        assert 1 <= len(begun) <= 6


def test_no_thread_warns_of_an_overflow() -> None:
    weight = np.full(LAYER.weight_shape, 1e300)
    source = np.full((1, *LAYER.input_shape), 1e300)
    with warnings.catch_warnings(), tiles_at_once(2):
        warnings.simplefilter("error")
        assert np.isinf(apply_forward(LAYER, weight, source)).any()


@pytest.mark.parametrize("together", [1, 7, 24, 10**6])
@pytest.mark.parametrize(
    "shape", [(2, 5), (2, 5, 3), (1, 1, 4, 4), (0, 3, 2), (2, 0, 2), (2, 3, 0)]
)
def test_every_channel_is_done_once(
    monkeypatch: pytest.MonkeyPatch, shape: tuple[int, ...], together: int
) -> None:
    monkeypatch.setattr(threads, "_ELEMENTS_AT_ONCE", together)
    done = np.zeros(shape, int)
    counts = []

    def work(part: slice) -> None:
        done[:, part] += 1
        counts.append(done[:, part].shape[1])

    by_channels(work, shape)
    assert (done == 1).all()
    per_channel = done.size // max(1, shape[1])
    assert all(count == 1 or count * per_channel <= together for count in counts)
