"""The same command twice writes the same bytes, whatever the time, the seed and the threads.

No output holds a date, an order of a set or a byte that nobody set.
"""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest

from convt_cli.files.archive import Pieces, write_npy
from convt_cli.files.arrays import read_array, write_array
from convt_cli.files.boxes import BoxWriter, StoredShape
from convt_cli.operators.dtypes import Array
from tests.conftest import Run, Shell
from tests.faults.outputs import FILES, SAID, STREAMS, Output, write_inputs


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    return write_inputs(folder)


@pytest.mark.parametrize("one", FILES)
def test_27_a_file_has_the_same_bytes_again(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, one: Output
) -> None:
    """And in another year, and in a time zone far away."""
    assert run(*one.arguments("first-" + one.name)).status == 0
    now = time.time()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: now + 10**8)
        patch.setenv("TZ", "Pacific/Auckland")
        patch.setenv("SOURCE_DATE_EPOCH", "1000000000")
        time.tzset()
        assert run(*one.arguments("second-" + one.name)).status == 0
    time.tzset()
    contents = [Path(f"{word}-{one.name}").read_bytes() for word in ("first", "second")]
    assert contents[0] == contents[1].replace(b"second-", b"first-")


@pytest.mark.parametrize("command", [*SAID, *STREAMS])
def test_27_standard_output_has_the_same_bytes_again(run: Run, ready: Path, command: str) -> None:
    assert run(*command.split()) == run(*command.split())


SEEDS = [{"PYTHONHASHSEED": seed} for seed in ("1", "2", "3")]
THREADS = [
    {"OPENBLAS_NUM_THREADS": count, "OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}
    for count in ("1", "2", "4")
]


@pytest.mark.parametrize(
    "command",
    ["shapes net.yaml --format json", "compare net.yaml", "matrix net.yaml -o -",
     "reconstruct deep.yaml image.npy --layer last -o -"],
)  # fmt: skip
def test_27_no_output_hangs_on_the_order_of_a_set(ready: Path, shell: Shell, command: str) -> None:
    assert len({shell(*command.split(), env=env) for env in SEEDS[:2]}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("command", [*SAID[1::4], *STREAMS[1::3]])
def test_27_no_command_s_output_hangs_on_the_order_of_a_set(
    ready: Path, shell: Shell, command: str
) -> None:
    assert len({shell(*command.split(), env=env) for env in SEEDS[1:]}) == 1


WIDE = """\
input: [24, 17, 19]
layers:
  - {name: up, type: conv_transpose, out_channels: 33, kernel_size: 4, stride: 2, padding: 1,
     weight: {fill: normal, seed: 3}}
"""
"""Channels that a BLAS divides among threads unevenly."""


@pytest.mark.parametrize(
    "command",
    [
        pytest.param("matrix wide.yaml --compress -o TARGET", marks=pytest.mark.slow),
        "apply wide.yaml wide.npy -o TARGET",
        "invert wide.yaml out.npy --max-iterations 3 -o TARGET",
        "reconstruct wide.yaml wide.npy --layer up -o TARGET",
        pytest.param(
            "stimulus wide.yaml --layer up --unit 1,5,5 -o TARGET", marks=pytest.mark.slow
        ),
    ],
    ids=lambda command: str(command).split()[0],
)
def test_27_no_file_hangs_on_the_number_of_threads(
    ready: Path, shell: Shell, run: Run, command: str
) -> None:
    Path("wide.yaml").write_text(WIDE, encoding="utf-8")
    np.save("wide.npy", np.random.default_rng(1).standard_normal((24, 17, 19)))
    np.save("out.npy", np.random.default_rng(2).standard_normal((33, 34, 38)))
    found = set()
    for number, env in enumerate(THREADS[:2]):
        one = Output(command, f"{number}.npz" if "matrix" in command else f"{number}.npy")
        assert shell(*one.arguments(one.name), env=env).status == 0
        found.add(Path(one.name).read_bytes())
    assert len(found) == 1


X87 = np.finfo(np.longdouble).nmant == 63


def scribbled(dtype: str, size: int) -> Array:
    """Numbers in long doubles, whose idle bytes are anything."""
    numbers = np.linspace(0, 1, size).astype(dtype)
    numbers.view(np.uint8).reshape(-1, 16)[:, 10:] = np.frombuffer(os.urandom(6), np.uint8)
    return numbers


@pytest.mark.skipif(not X87, reason="its long doubles have no idle bytes")
@pytest.mark.parametrize("dtype", ["longdouble", "clongdouble"])
class TestLongDoubles:
    """Of the sixteen bytes of an x87 number six are idle, and keep what was there before."""

    @pytest.mark.parametrize("name", ["a.npy", "a.npz"])
    def test_27_bytes_that_no_number_sets_are_not_written(
        self, folder: Path, dtype: str, name: str
    ) -> None:
        found = set()
        for _ in range(2):
            write_array(name, scribbled(dtype, 12).reshape(3, 4), force=True)
            found.add(Path(name).read_bytes())
        assert len(found) == 1
        assert np.array_equal(read_array(name).ravel(), scribbled(dtype, 12))

    def test_27_nor_of_an_array_that_is_written_in_pieces(self, dtype: str) -> None:
        found = set()
        for _ in range(2):
            stream, array = io.BytesIO(), scribbled(dtype, 12)
            parts = [array[:5], array[5:]]
            write_npy(stream, Pieces(size=12, dtype=array.dtype, parts=parts))
            found.add(stream.getvalue())
        assert len(found) == 1

    def test_27_nor_of_a_part_of_a_file(self, folder: Path, dtype: str) -> None:
        found, stored = set(), StoredShape(shape=(1, 3, 4), order=(0, 1, 2))
        for _ in range(2):
            array = scribbled(dtype, 12).reshape(1, 3, 4)
            with open("a.npy", "wb") as file:
                writer = BoxWriter(file, stored.shape, array.dtype, stored)
                for row in range(3):
                    box = slice(0, 1), slice(row, row + 1), slice(0, 4)
                    writer.write(box, array[box])
            found.add(Path("a.npy").read_bytes())
        assert len(found) == 1
        assert np.array_equal(np.load("a.npy").ravel(), scribbled(dtype, 12))

    @pytest.mark.parametrize("method", ["direct", "matrix", "zero-insert"])
    def test_27_an_applied_layer_writes_the_same_bytes(
        self, run: Run, ready: Path, dtype: str, method: str
    ) -> None:
        found = set()
        for name in ("a.npy", "b.npy"):
            np.save("long.npy", scribbled(dtype, 4).reshape(1, 2, 2))
            assert run("apply", "net.yaml", "long.npy", "--method", method, "-o", name).status == 0
            found.add(Path(name).read_bytes())
        assert len(found) == 1

    def test_27_a_matrix_is_the_same_bytes(self, run: Run, ready: Path, dtype: str) -> None:
        found = set()
        for sparse_format in ("csr", "bsr"):
            for _ in range(2):
                np.save("w.npy", scribbled(dtype, 9).reshape(1, 1, 3, 3))
                options = ("--sparse-format", sparse_format, "-o", "C.npz", "--force")
                assert run("matrix", "net.yaml", *options).status == 0
                found.add(Path("C.npz").read_bytes())
        assert len(found) == 2
