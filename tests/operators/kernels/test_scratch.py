"""Scratch arrays of one thread and kind share memory; others share none."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest

from convt_cli.arithmetic.axis import Axis
from convt_cli.operators.kernels import im2col, scratch
from convt_cli.operators.kernels.products import multiply
from convt_cli.operators.matrix_free import MatrixFree, apply_forward
from tests.operators.kernels.test_kernels import (
    Array,
    Forced,
    assert_same_bytes,
    convolution_of,
    every_chosen,
    force,
    random_numbers,
)

FLOAT64 = np.dtype(np.float64)


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins with no memory kept, and with room for a kilobyte."""
    monkeypatch.setattr(scratch, "_KEPT", scratch._Kept())
    monkeypatch.setattr(scratch, "_LARGEST_KEPT", 1024)


def array(kind: str, *shape: int, dtype: Any = FLOAT64) -> Array:
    return scratch.scratch(kind, shape, np.dtype(dtype))


class TestSharing:
    @pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2), (128,), (2, 3, 4), (200, 100)])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64])
    def test_an_array_has_the_shape_and_dtype_asked_for(
        self, shape: tuple[int, ...], dtype: Any
    ) -> None:
        got = array("sent", *shape, dtype=dtype)
        assert (got.shape, got.dtype) == (shape, dtype)
        assert got.flags.writeable
        assert got.flags.c_contiguous

    @pytest.mark.parametrize(("first", "second"), [(128, 128), (128, 3), (1, 1)])
    def test_one_kind_shares_memory(self, first: int, second: int) -> None:
        assert np.shares_memory(array("sent", first), array("sent", second))

    @pytest.mark.parametrize("size", [1, 128, 200], ids=["small", "all that is kept", "larger"])
    @pytest.mark.parametrize("dtype", [np.float32, np.complex128])
    def test_an_array_begins_with_a_line_of_the_cache(self, size: int, dtype: Any) -> None:
        assert array("sent", size, dtype=dtype).ctypes.data % 64 == 0

    @pytest.mark.parametrize("length", [1, 15, 16, 17, 32, 100])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128, np.int64])
    def test_each_row_begins_with_one_too_if_asked_for(self, length: int, dtype: Any) -> None:
        rows = scratch.scratch_rows("sent", (2, 3, length), np.dtype(dtype))
        assert (rows.shape, rows.dtype) == ((2, 3, length), dtype)
        assert rows.ctypes.data % 64 == 0
        lines, rest = divmod(rows.strides[1], 64)
        assert (rest, lines % 2) == (0, 1)
        assert lines * 64 < rows[0, 0].nbytes + 128
        assert rows.strides[0] == 3 * rows.strides[1]

    def test_one_kind_shares_memory_whatever_the_dtype(self) -> None:
        assert np.shares_memory(array("sent", 8), array("sent", 4, dtype=np.complex64))

    def test_memory_grows_with_what_is_asked_for(self) -> None:
        small, large = array("sent", 2), array("sent", 128)
        assert not np.shares_memory(small, large)
        assert np.shares_memory(large, array("sent", 2))

    def test_kinds_share_nothing(self) -> None:
        assert not np.shares_memory(array("sent", 128), array("total", 128))

    def test_what_is_larger_than_the_most_is_fresh(self) -> None:
        assert np.shares_memory(array("sent", 128), array("sent", 128))
        assert not np.shares_memory(array("sent", 129), array("sent", 129))

    def test_what_is_larger_than_the_most_is_not_kept(self) -> None:
        kept, larger = array("sent", 128), array("sent", 129)
        again = array("sent", 128)
        assert np.shares_memory(kept, again)
        assert not np.shares_memory(larger, again)

    def test_threads_share_nothing(self) -> None:
        both, got = Barrier(2, timeout=10), list[Array]()

        def work() -> None:
            got.append(array("sent", 128))
            both.wait()

        threads = [Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not np.shares_memory(got[0], got[1])


def test_what_interrupts_a_use_has_memory_of_its_own() -> None:
    """Such as a signal handler that computes a convolution in the middle of another."""
    with scratch.lent():
        first = array("sent", 128)
        with scratch.lent():
            inner = array("sent", 128)
        assert np.shares_memory(array("sent", 128), first)
    assert not np.shares_memory(inner, first)
    with scratch.lent():
        assert np.shares_memory(array("sent", 128), first)


def test_a_call_within_a_call_changes_no_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    force(monkeypatch, im2col.PartialIm2col, 10**6)
    monkeypatch.setattr(scratch, "_LARGEST_KEPT", 2**23)
    axis = Axis.conv(input_size=20, kernel_size=3, before=1, after=1)
    convolution = convolution_of(6, 10, axis, axis)
    weight = random_numbers(convolution.weight_shape, np.float64)
    x = random_numbers((1, *convolution.input_shape), np.float64)
    expected = apply_forward(convolution, weight, x)
    interrupted = list[Array]()

    def interrupt(*arguments: Any, **named: Any) -> None:
        if not interrupted:
            interrupted.append(x)
            interrupted.append(apply_forward(convolution, weight, -x))
        multiply(*arguments, **named)

    monkeypatch.setattr(im2col, "multiply", interrupt)
    assert_same_bytes(apply_forward(convolution, weight, x), expected)
    assert_same_bytes(interrupted[1], -expected)


@every_chosen
@pytest.mark.parametrize("kept", [0, 2**23], ids=["all fresh", "all kept"])
def test_threads_that_compute_at_once_give_the_bytes_of_one(
    monkeypatch: pytest.MonkeyPatch, forced: Forced, kept: int
) -> None:
    monkeypatch.setattr(scratch, "_LARGEST_KEPT", kept)
    force(monkeypatch, forced.kernel, 64)
    axis = Axis.conv(input_size=40, kernel_size=3, stride=2, before=1, after=1)
    convolution = forced.suited(convolution_of(6, 10, axis, axis, groups=2))
    before, after = forced.shapes(convolution)
    source = random_numbers((1, *before), np.float64)
    weight = random_numbers(convolution.weight_shape, np.float64)

    def filled(threads: int) -> Array:
        """The result of one `MatrixFree` shared by several threads; every tile is done 5 times."""
        plan = MatrixFree(convolution, weight, forward=forced.forward)
        result = np.zeros((1, *after))

        def work(tile: Any) -> None:
            plan.fill(tile, source[:, :, *tile.sources], result[:, :, *tile.results])

        with ThreadPoolExecutor(threads) as pool:
            assert not any(pool.map(work, [*plan.tiles()] * 5))
        return result

    assert_same_bytes(filled(4), filled(1))
