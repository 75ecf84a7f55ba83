"""A layer applied from file to file, tile by tile: the bytes of the route in memory, and no file
where that route has none.

Tiles are made tiny, so that small layers have many of them.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.vocabulary import LAYOUTS
from convt_cli.errors import ConvtError
from convt_cli.files import boxes, tiled
from convt_cli.files.arrays import read_array, write_array
from convt_cli.files.layout import arrange, give_back
from convt_cli.files.tiled import Action, apply_by_tiles
from convt_cli.io import memory
from convt_cli.io.progress import Advance
from convt_cli.operators import matrix_free
from convt_cli.operators.functions import apply
from convt_cli.operators.kernels import choice
from convt_cli.operators.kernels.workload import Workload
from convt_cli.operators.routes import route
from convt_cli.operators.threads import tiles_at_once
from tests import oracle
from tests.strategies import geometry, with_arrays, zero_padded_convolutions

Array = NDArray[Any]

FORMS = ("single", "batch", "flat")
PLAIN = Convolution(
    out_channels=3,
    in_channels=2,
    axes=(
        Axis.conv(input_size=9, kernel_size=3, stride=2, before=1, after=1),
        Axis.conv(input_size=11, kernel_size=2, dilation=2),
    ),
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tiles of a few positions, and pieces of a few numbers."""
    set_positions(monkeypatch, 4)
    monkeypatch.setattr(boxes, "_PIECE", 80)


def set_positions(patch: pytest.MonkeyPatch, positions: int) -> None:
    """Let every tile have about this many positions."""

    def tiny(work: Workload) -> choice.Choice:
        return replace(choice.cheapest(work), positions=positions)

    patch.setattr("convt_cli.operators.matrix_free.cheapest", tiny)


def no_progress(_label: str, _total: int) -> AbstractContextManager[Advance]:
    return nullcontext(lambda _amount: None)


def action(
    convolution: Convolution, weight: Array, *, forward: bool = True, dtype: str | None = None
) -> Action:
    wanted = None if dtype is None else np.dtype(dtype)
    return Action(convolution=convolution, weight=weight, forward=forward, bias=None, dtype=wanted)


def biased(convolution: Convolution, weight: Array, bias: Array) -> Action:
    """C, with a bias of one number per channel."""
    column = bias.reshape(-1, *(1 for _ in convolution.axes))
    return Action(convolution=convolution, weight=weight, forward=True, bias=column, dtype=None)


def by_tiles(
    what: Action, folder: Path, array: Array, layout: str = LAYOUTS[0], threads: int = 1
) -> bytes:
    """The file written for an array, tile by tile."""
    np.save(folder / "x.npy", array)
    names = f"{folder}/x.npy", f"{folder}/y.npy"
    with tiles_at_once(threads):
        apply_by_tiles(what, *names, layout, force=True, progress=no_progress)
    return (folder / "y.npy").read_bytes()


def in_memory(what: Action, folder: Path, array: Array, layout: str = LAYOUTS[0]) -> bytes:
    """The file written from the result of the whole array, computed at once."""
    np.save(folder / "x.npy", array)
    expected = what.shapes[0]
    batch, form = arrange(read_array(f"{folder}/x.npy"), expected, layout, text=False)
    applied = route("direct", forward=what.forward)
    native = batch.astype(batch.dtype.newbyteorder("="))
    result = apply(applied, what.convolution, what.weight, what.cast(native), expected)
    write_array(f"{folder}/z.npy", give_back(what.biased(result), form, text=False), force=True)
    return (folder / "z.npy").read_bytes()


def in_file(array: Array, form: str, layout: str) -> Array:
    """(batch, channels, *spatial) in a form and a layout."""
    placed = np.moveaxis(array, 1, -1) if layout == "channels_last" else array
    if form == "batch":
        return placed
    item: Array = placed[0]
    return item.ravel() if form == "flat" else item


def sample(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    """Numbers of a dtype, integers small."""
    values = np.random.default_rng(seed).standard_normal(shape)
    kind = np.dtype(dtype).kind
    if kind in "iu":
        values = np.abs(values) * 3
    array: Array = values + 1j * values[::-1] if kind == "c" else values
    return array.astype(dtype)


class TestResults:
    @settings(
        deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150
    )
    @given(
        drawn=with_arrays(zero_padded_convolutions()),
        forward=st.booleans(),
        place=st.tuples(st.sampled_from(FORMS), st.sampled_from(LAYOUTS)),
        fortran=st.booleans(),
        threads=st.integers(1, 3),
    )
    def test_are_those_of_brute_force(
        self,
        tmp_path: Path,
        *,
        drawn: tuple[Convolution, Array, Array, Array],
        forward: bool,
        place: tuple[str, str],
        fortran: bool,
        threads: int,
    ) -> None:
        convolution, weight, x, y = drawn
        sizes = [axis.input_size for axis in convolution.axes]
        matrix = oracle.matrix(weight, sizes, **geometry(convolution))
        item, operator = (x, matrix) if forward else (y, matrix.T)
        what = action(convolution, weight, forward=forward)
        batch = np.stack([item, 2 * item, -item])
        source = in_file(batch, *place)
        source = np.asfortranarray(source) if fortran else source
        by_tiles(what, tmp_path, source, place[1], threads)
        expected = (batch.reshape(3, -1) @ operator.T).reshape(3, *what.shapes[1])
        result = np.load(tmp_path / "y.npy")
        np.testing.assert_array_equal(result, in_file(expected, *place))
        assert result.dtype == np.int64

    @pytest.mark.parametrize(
        ("positions", "together"),
        [(4, 1), (10**9, 1), (10**9, 10**9), (10**9, 30_000)],
        ids=["many tiles", "one by one", "all together", "some together"],
    )
    @pytest.mark.parametrize("threads", [1, 3])
    @pytest.mark.parametrize("layout", LAYOUTS)
    @pytest.mark.parametrize("forward", [True, False])
    def test_have_the_bytes_of_the_route_in_memory(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        forward: bool,
        layout: str,
        threads: int,
        positions: int,
        together: int,
    ) -> None:
        set_positions(monkeypatch, positions)
        what = action(PLAIN, sample(PLAIN.weight_shape, "float32"), forward=forward)
        source = in_file(sample((5, *what.shapes[0]), "float32", 1), "batch", layout)
        monkeypatch.setattr(matrix_free, "_TOGETHER_BYTES", 1)
        expected = in_memory(what, tmp_path, source, layout)
        monkeypatch.setattr(matrix_free, "_TOGETHER_BYTES", together)
        assert by_tiles(what, tmp_path, source, layout, threads) == expected
        assert len(expected) > 128

    @pytest.mark.parametrize(
        "dtype",
        [
            *("int8", "uint8", "int32", "uint64", "float16", "float32"),
            *("complex64", ">i2", ">f2", ">f8", ">c16"),
        ],
    )
    @pytest.mark.parametrize("wanted", [None, "float16", "complex64"])
    def test_of_any_dtype_have_them(self, tmp_path: Path, dtype: str, wanted: str | None) -> None:
        if wanted == "float16" and np.dtype(dtype).kind == "c":
            pytest.skip("what is complex does not become real")
        weight = np.ones(PLAIN.weight_shape, wanted or np.dtype(dtype).newbyteorder("="))
        what = action(PLAIN, weight, dtype=wanted)
        source = sample((2, *PLAIN.input_shape), dtype)
        assert by_tiles(what, tmp_path, source) == in_memory(what, tmp_path, source)

    @pytest.mark.parametrize("dtype", ["float32", "int16", "int64"])
    @pytest.mark.parametrize("threads", [1, 2])
    def test_with_a_bias_have_them(self, tmp_path: Path, dtype: str, threads: int) -> None:
        what = biased(PLAIN, sample(PLAIN.weight_shape, "int8"), np.array([7, -7, 300], "int16"))
        source = sample((2, *PLAIN.input_shape), dtype)
        found = by_tiles(what, tmp_path, source, threads=threads)
        assert found == in_memory(what, tmp_path, source)

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("place", ["weight", "source"])
    def test_that_are_no_numbers_come_quietly_in_every_thread(
        self, tmp_path: Path, value: float, place: str
    ) -> None:
        weight = sample(PLAIN.weight_shape, "float32")
        source = sample((3, *PLAIN.input_shape), "float32", 1) * np.float32(1e38)
        (weight if place == "weight" else source)[0, 0, 1, 1] = value
        what = action(PLAIN, weight)
        assert by_tiles(what, tmp_path, source, threads=3) == in_memory(what, tmp_path, source)

    def test_of_a_weight_that_is_not_finite_do_not_depend_on_the_items_beside(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_positions(monkeypatch, 10**9)
        wide = replace(PLAIN, in_channels=40, axes=(Axis.conv(input_size=9, kernel_size=3),))
        weight, source = sample(wide.weight_shape, "float32"), sample((4, 40, 9), "float32", 1)
        source[:, 0] = np.abs(source[:, 0]) + 1
        weight[0, 0, 0], source[2, 0, 3] = np.inf, 0  # times one another they are no number
        what = action(wide, weight)
        assert by_tiles(what, tmp_path, source) == in_memory(what, tmp_path, source)

    def test_of_a_batch_in_fortran_order_take_no_more_reads_than_one_item_s(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[int] = []
        real = os.preadv

        def counted(*arguments: Any) -> int:
            calls.append(real(*arguments))
            return calls[-1]

        monkeypatch.setattr(os, "preadv", counted)
        what = action(PLAIN, sample(PLAIN.weight_shape, "float32"))
        reads = []
        for batch in (1, 5):
            calls.clear()
            source = np.asfortranarray(sample((batch, *PLAIN.input_shape), "float32"))
            by_tiles(what, tmp_path, source)
            reads.append(len(calls))
        assert reads[0] == reads[1] > 1

    @pytest.mark.parametrize("layout", LAYOUTS)
    def test_of_a_batch_are_those_of_its_items(self, tmp_path: Path, layout: str) -> None:
        what = action(PLAIN, sample(PLAIN.weight_shape, "float64"))
        batch = in_file(sample((5, *PLAIN.input_shape), "float64", 1), "batch", layout)
        by_tiles(what, tmp_path, batch, layout, 2)
        together = np.load(tmp_path / "y.npy").tobytes()
        singles = []
        for item in batch:
            by_tiles(what, tmp_path, item, layout)
            singles.append(np.load(tmp_path / "y.npy").tobytes())
        assert together == b"".join(singles)

    def test_of_one_axis_lie_row_major_with_the_channels_last(self, tmp_path: Path) -> None:
        line = Convolution(
            out_channels=3, in_channels=2, axes=(Axis.conv(input_size=30, kernel_size=3),)
        )
        what = action(line, sample(line.weight_shape, "float64"))
        source = sample((30, 2), "float64", 1)
        found = by_tiles(what, tmp_path, source, "channels_last")
        assert found == in_memory(what, tmp_path, source, "channels_last")
        assert b"'fortran_order': False" in found


class TestIntegers:
    @pytest.mark.parametrize("item", [0, 4, 8])
    @pytest.mark.parametrize("sign", [1, -1])
    def test_are_exact_where_a_single_number_is_large(
        self, tmp_path: Path, item: int, sign: int
    ) -> None:
        source = np.zeros((9, *PLAIN.input_shape), np.int64)
        source[item, -1, -1, -1] = sign * (2**55 + 1)
        what = action(PLAIN, np.ones(PLAIN.weight_shape, np.int64))
        assert by_tiles(what, tmp_path, source) == in_memory(what, tmp_path, source)
        assert np.abs(np.load(tmp_path / "y.npy")).max() == 2**55 + 1

    @pytest.mark.parametrize(
        ("dtype", "value"), [("int8", 100), ("int64", 2**60), ("uint64", 2**63)]
    )
    @pytest.mark.parametrize("threads", [1, 3])
    def test_that_overflow_are_refused(
        self, tmp_path: Path, dtype: str, value: int, threads: int
    ) -> None:
        source = np.zeros((9, *PLAIN.input_shape), dtype)
        source[-1] = value
        what = action(PLAIN, np.ones(PLAIN.weight_shape, dtype))
        with pytest.raises(ConvtError) as caught:
            by_tiles(what, tmp_path, source, threads=threads)
        assert caught.value.code == "E304"
        assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]

    @pytest.mark.parametrize("value", [0.5, np.nan, 2.0**63])
    def test_that_a_dtype_cannot_hold_are_refused(self, tmp_path: Path, value: float) -> None:
        source = np.zeros((9, *PLAIN.input_shape))
        source[-1, -1, -1, -1] = value
        what = action(PLAIN, np.ones(PLAIN.weight_shape, np.int64), dtype="int64")
        with pytest.raises(ConvtError) as caught:
            by_tiles(what, tmp_path, source)
        assert caught.value.code == "E302"
        assert [path.name for path in tmp_path.iterdir()] == ["x.npy"]


class TestProgress:
    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("dtype", ["float32", "int32"])
    def test_ends_at_its_total(self, tmp_path: Path, threads: int, dtype: str) -> None:
        seen: dict[str, list[int]] = {}

        def progress(label: str, total: int) -> AbstractContextManager[Advance]:
            seen[label] = [total]
            return nullcontext(seen[label].append)

        np.save(tmp_path / "x.npy", sample((5, *PLAIN.input_shape), dtype))
        what = action(PLAIN, sample(PLAIN.weight_shape, dtype))
        names = f"{tmp_path}/x.npy", f"{tmp_path}/y.npy"
        with tiles_at_once(threads):
            apply_by_tiles(what, *names, LAYOUTS[0], force=False, progress=progress)
        assert [*seen] == (["applying"] if dtype == "float32" else ["measuring", "applying"])
        assert all(sum(parts) == total and len(parts) > 1 for total, *parts in seen.values())


def test_a_tile_that_reaches_over_too_much_of_its_source_is_refused_with_its_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axis = Axis.conv(input_size=100_001, kernel_size=2, dilation=100_000)
    what = action(Convolution(out_channels=1, in_channels=1, axes=(axis,)), np.ones((1, 1, 2)))
    source = np.ones((1, 100_001))
    by_tiles(what, tmp_path, source)
    monkeypatch.setattr(tiled, "_PLANNED_BYTES", 2**20)
    monkeypatch.setattr(memory, "available", lambda: 2 * source.nbytes)
    with pytest.raises(ConvtError, match=r"1\.5 MiB needed, 1\.5 MiB there") as caught:
        by_tiles(what, tmp_path, source)
    assert caught.value.code == "E501"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npy"]


class FailingPlaces:
    """os.pwrite or os.preadv that fails from its Nth call on."""

    def __init__(self, name: str, calls: int, number: int) -> None:
        self.real, self.calls, self.number = getattr(os, name), calls, number

    def __call__(self, *arguments: Any) -> Any:
        self.calls -= 1
        if self.calls < 0:
            raise OSError(self.number, os.strerror(self.number))
        return self.real(*arguments)


@pytest.mark.parametrize("threads", [1, 3])
class TestFailures:
    @pytest.fixture
    def old(self, tmp_path: Path) -> Iterator[Path]:
        """A target that holds something, and after the test still does, alone with its source."""
        (tmp_path / "y.npy").write_bytes(b"old")
        yield tmp_path
        assert (tmp_path / "y.npy").read_bytes() == b"old"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy", "y.npy"]

    @pytest.mark.parametrize("calls", [0, 1, 10, 40])
    @pytest.mark.parametrize(
        "fault", [("pwrite", errno.ENOSPC, "E402"), ("preadv", errno.EIO, "E401")], ids=str
    )
    def test_in_the_middle_leave_the_target(
        self,
        old: Path,
        monkeypatch: pytest.MonkeyPatch,
        threads: int,
        calls: int,
        fault: tuple[str, int, str],
    ) -> None:
        name, number, code = fault
        what = action(PLAIN, sample(PLAIN.weight_shape, "float32"))
        source = sample((5, *PLAIN.input_shape), "float32")
        monkeypatch.setattr(os, name, FailingPlaces(name, calls, number))
        with pytest.raises(ConvtError) as caught:
            by_tiles(what, old, source, threads=threads)
        assert caught.value.code == code

    def test_of_a_source_that_is_written_meanwhile_leave_the_target(
        self, old: Path, monkeypatch: pytest.MonkeyPatch, threads: int
    ) -> None:
        def overwrite(*arguments: Any) -> boxes.BoxWriter:
            with (old / "x.npy").open("r+b") as file:
                file.seek(-4, os.SEEK_END)
                file.write(b"9999")
            os.utime(old / "x.npy", (1, 1))
            return boxes.BoxWriter(*arguments)

        monkeypatch.setattr(tiled, "BoxWriter", overwrite)
        what = action(PLAIN, sample(PLAIN.weight_shape, "float32"))
        with pytest.raises(ConvtError, match="was changed meanwhile") as caught:
            by_tiles(what, old, sample((5, *PLAIN.input_shape), "float32"), threads=threads)
        assert caught.value.code == "E401"

    @pytest.mark.parametrize("kept", [0, 128, 1000])
    def test_of_a_source_that_becomes_shorter_leave_the_target(
        self, old: Path, monkeypatch: pytest.MonkeyPatch, threads: int, kept: int
    ) -> None:
        def cut(*arguments: Any) -> boxes.BoxWriter:
            os.truncate(old / "x.npy", kept)
            return boxes.BoxWriter(*arguments)

        monkeypatch.setattr(tiled, "BoxWriter", cut)
        what = action(PLAIN, sample(PLAIN.weight_shape, "float32"))
        with pytest.raises(ConvtError) as caught:
            by_tiles(what, old, sample((5, *PLAIN.input_shape), "float32"), threads=threads)
        assert caught.value.code == "E303"

    def test_are_told_in_the_order_of_the_tiles(self, old: Path, threads: int) -> None:
        source = np.zeros((5, *PLAIN.input_shape), np.int8)
        source[1:] = np.array([100, 110, 120, 127]).reshape(-1, 1, 1, 1)
        what = action(PLAIN, np.full(PLAIN.weight_shape, 2, np.int8))
        messages = set()
        for _ in range(5):
            with pytest.raises(ConvtError) as caught:
                by_tiles(what, old, source, threads=threads)
            messages.add(str(caught.value))
        assert len(messages) == 1

    @pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), MemoryError()])
    def test_of_any_kind_leave_the_target(
        self, old: Path, monkeypatch: pytest.MonkeyPatch, threads: int, error: BaseException
    ) -> None:
        def progress(_label: str, _total: int) -> AbstractContextManager[Advance]:
            def advance(_amount: int) -> None:
                raise error

            return nullcontext(advance)

        np.save(old / "x.npy", sample((5, *PLAIN.input_shape), "float32"))
        what = action(PLAIN, sample(PLAIN.weight_shape, "float32"))
        names = f"{old}/x.npy", f"{old}/y.npy"
        with pytest.raises(type(error)), tiles_at_once(threads):
            apply_by_tiles(what, *names, LAYOUTS[0], force=True, progress=progress)
