"""State that outlives a call is emptied by one function, and no result depends on it."""

from __future__ import annotations

import functools
import gc
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from convt_cli import conv, conv_matrix, conv_transpose
from convt_cli.operators import threads
from convt_cli.operators.caches import clear_caches
from convt_cli.operators.kernels import scratch
from tests.operators.kernels.test_kernels import Array, assert_same_bytes, random_numbers

ROOMS = ("convt_cli.operators", "convt_cli.arithmetic")


@pytest.fixture(autouse=True)
def _clear() -> Iterator[None]:
    clear_caches()
    yield
    clear_caches()


def caches() -> dict[str, Any]:
    """Every lru_cache of the two rooms, found without a list of them."""
    kind = type(functools.lru_cache(maxsize=1)(print))
    found = [one for one in gc.get_objects() if isinstance(one, kind)]
    return {
        f"{one.__module__}.{one.__qualname__}": one
        for one in found
        if one.__module__.startswith(ROOMS)
    }


def filled() -> list[str]:
    """The caches that hold something."""
    return [name for name, one in caches().items() if one.cache_info().currsize]


def results() -> list[Array]:
    """What fills caches: every kernel but `taps`, the matrix, and the default pool."""
    weight = random_numbers((64, 64, 3, 3), np.float32)
    wide = random_numbers((64, 100, 100), np.float32)
    narrow = random_numbers((512, 4, 4), np.float32)
    large = random_numbers((512, 64, 4, 4), np.float32)
    matrix = conv_matrix(weight[:4, :4], (9, 9), stride=2, padding=1)
    return [
        conv(wide, weight, padding=1),
        conv_transpose(narrow, large, stride=2, padding=1),
        matrix.data,
        matrix.indices,
    ]


def test_they_are_empty_afterwards() -> None:
    results()
    assert len(filled()) >= 8
    assert scratch._KEPT.idle
    clear_caches()
    assert filled() == []
    assert scratch._KEPT.buffers == scratch._KEPT.idle == {}


def test_a_call_afterwards_gives_the_same_bytes() -> None:
    before = results()
    clear_caches()
    for one, other in zip(results(), before, strict=True):
        assert_same_bytes(one, other)


def test_the_default_pool_ends_and_the_next_call_starts_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "granted", lambda: 2)
    together, names = threading.Barrier(2), set()

    def work(_task: int) -> None:
        together.wait(timeout=10)
        names.add(threading.current_thread().name)

    threads.each(work, range(2), use_default_pool=True)
    first = names.copy()
    clear_caches()
    assert first.isdisjoint(thread.name for thread in threading.enumerate())
    threads.each(work, range(2), use_default_pool=True)
    assert len(first) == len(names - first) == 2


def test_an_array_in_use_keeps_its_memory() -> None:
    with scratch.lent():
        held = scratch.scratch("total", (8,), np.dtype(np.float64))
        held[...] = 1
        clear_caches()
        scratch.scratch("total", (8,), np.dtype(np.float64))[...] = 2
        assert (held == 1).all()


def test_without_a_pool_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "granted", lambda: 1)
    assert threads._default_pool() is None
    clear_caches()
    assert "convt_cli.operators.threads._default_pool" not in filled()
