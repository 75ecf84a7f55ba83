"""convt apply from one .npy file to another: the same bytes whatever the threads, the route and
the batch, and within a bounded memory.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.lib import format as npy

from convt_cli.files import apply
from convt_cli.files.tiled import Action, apply_by_tiles
from convt_cli.io import memory
from tests.conftest import (
    GUIDE,
    Run,
    Shell,
    WriteSpec,
    assert_quiet,
    assert_refused,
    environment,
)
from tests.cost import cost, needs_a_measure

ODD = """
    input: [100, 37, 41]
    layers:
      - {type: conv_transpose, out_channels: 333, kernel_size: 4, stride: 2, padding: 1,
         weight: {fill: normal, seed: 3}}
    """
"""Channels that a BLAS divides among threads unevenly, and a product of several tiles."""


MEGABYTE = 2**20


def normal(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(1).standard_normal(shape, np.float32)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources of the calls of `apply_by_tiles`."""
    seen: list[str] = []

    def call(action: Action, source: str, *arguments: Any, **options: Any) -> None:
        seen.append(source)
        apply_by_tiles(action, source, *arguments, **options)

    monkeypatch.setattr(apply, "apply_by_tiles", call)
    return seen


class TestRoutes:
    @pytest.mark.parametrize("options", [(), ("--method", "direct"), ("--dtype", "float32")])
    @pytest.mark.parametrize("target", ["x.npy", "link.npy"])
    def test_npy_to_npy_goes_by_tiles(
        self, run: Run, spec: WriteSpec, calls: list[str], options: tuple[str, ...], target: str
    ) -> None:
        np.save("y.npy", np.ones((1, 2, 2)))
        np.save("real.npy", np.ones(1))
        Path("link.npy").symlink_to("real.npy")
        assert_quiet(run("apply", spec(GUIDE), "y.npy", "-o", target, "--force", *options))
        assert calls == ["y.npy"]
        assert np.load(target).shape == (1, 4, 4)

    @pytest.mark.parametrize(
        ("names", "options"),
        [
            (("y.npz", "x.npy"), ()),
            (("y.csv", "x.npy"), ()),
            (("-", "x.npy"), ()),
            (("y.npy", "x.npz"), ()),
            (("y.npy", "x.csv"), ()),
            (("y.npy", "-"), ()),
            (("y.npy", "null.npy"), ()),
            (("y.npy", "x.npy"), ("--method", "matrix")),
            (("y.npy", "x.npy"), ("--method", "zero-insert")),
        ],
        ids=str,
    )
    def test_anything_else_goes_through_memory(
        self,
        run: Run,
        spec: WriteSpec,
        calls: list[str],
        names: tuple[str, str],
        options: tuple[str, ...],
    ) -> None:
        np.save("y.npy", np.ones((1, 2, 2)))
        np.savez("y.npz", np.ones((1, 2, 2)))
        Path("y.csv").write_text("1,1\n1,1\n", encoding="utf-8")
        Path("null.npy").symlink_to(os.devnull)
        arguments = ("apply", spec(GUIDE), names[0], "-o", names[1], *options)
        outcome = run(*arguments, stdin=Path("y.npy").read_bytes())
        assert (outcome.status, outcome.err, calls) == (0, "", [])

    def test_folded_padding_goes_through_memory(
        self, run: Run, spec: WriteSpec, calls: list[str]
    ) -> None:
        np.save("y.npy", np.ones((1, 4, 4)))
        folded = GUIDE.replace(
            "kernel_size: 3", "kernel_size: 3, padding: 1, padding_mode: reflect"
        )
        assert_quiet(run("apply", spec(folded), "y.npy", "-o", "x.npy"))
        assert calls == []

    def test_what_goes_by_tiles_need_not_fit_into_memory(
        self, run: Run, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(memory, "available", lambda: 10**6)
        np.save("y.npy", np.ones((10**5, 1, 2, 2)))
        assert_quiet(run("apply", spec(GUIDE), "y.npy", "-o", "x.npy"))
        assert_refused(run("apply", "net.yaml", "y.npy", "-o", "x.npz"), "E501")

    @pytest.mark.parametrize("name", ["x.npy", "missing/x.npy"])
    def test_a_source_cut_short_is_refused_before_a_target_is_opened(
        self, run: Run, spec: WriteSpec, folder: Path, name: str
    ) -> None:
        np.save("y.npy", np.ones((1, 2, 2)))
        os.truncate("y.npy", 150)
        assert_refused(run("apply", spec(GUIDE), "y.npy", "-o", name), "E303")
        assert sorted(path.name for path in folder.iterdir()) == ["net.yaml", "y.npy"]


class TestThreads:
    @pytest.mark.parametrize("options", [(), ("--dtype", "float32")], ids=["float64", "float32"])
    def test_and_routes_do_not_change_a_byte(
        self, shell: Shell, spec: WriteSpec, options: tuple[str, ...]
    ) -> None:
        np.save("y.npy", normal(2, 100, 37, 41))
        found = set()
        for threads in ("1", "2", "4"):
            env = {"OPENBLAS_NUM_THREADS": threads}
            name = f"x{threads}.npy"
            assert_quiet(shell("apply", spec(ODD), "y.npy", "-o", name, *options, env=env))
            found.add(Path(name).read_bytes())
        for threads in ("1", "2"):
            stdin, env = Path("y.npy").read_bytes(), {"OPENBLAS_NUM_THREADS": threads}
            outcome = shell("apply", "net.yaml", "-", "-o", "-", *options, stdin=stdin, env=env)
            found.add(outcome.stdout)
        assert [len(content) for content in found] == [Path("x1.npy").stat().st_size]

    def test_nor_does_splitting_a_batch(self, shell: Shell, spec: WriteSpec) -> None:
        batch = normal(2, 100, 37, 41)
        np.save("y.npy", batch)
        assert_quiet(shell("apply", spec(ODD), "y.npy", "-o", "x.npy", "--dtype", "float32"))
        together = np.load("x.npy")
        for item, expected in zip(batch, together, strict=True):
            np.save("y.npy", item)
            options = ("-o", "x.npy", "--dtype", "float32", "--force")
            assert_quiet(shell("apply", "net.yaml", "y.npy", *options))
            assert np.load("x.npy").tobytes() == expected.tobytes()

    def test_scipy_is_not_needed(self, spec: WriteSpec, shell: Shell, folder: Path) -> None:
        (folder / "scipy").mkdir()
        (folder / "scipy" / "__init__.py").write_text("raise ImportError", encoding="utf-8")
        np.save("y.npy", np.ones((1, 2, 2)))
        paths = os.pathsep.join((str(folder), environment()["PYTHONPATH"]))
        env = {"PYTHONPATH": paths}
        assert_quiet(shell("apply", spec(GUIDE), "y.npy", "-o", "x.npy", env=env))
        assert shell("apply", "net.yaml", "y.npy", "-o", "x.npz", env=env).status != 0


def sparse(name: str, shape: tuple[int, ...], dtype: str) -> None:
    """A file of zeros that takes no room on the disk."""
    with open(name, "wb") as file:
        described = {"descr": dtype, "fortran_order": False, "shape": shape}
        npy.write_array_header_1_0(file, described)
        file.truncate(file.tell() + int(np.prod(shape)) * np.dtype(dtype).itemsize)


@pytest.mark.slow
@needs_a_measure
class TestMemory:
    @pytest.mark.parametrize(
        ("batch", "item", "kernel_size", "dtype"),
        [((), (4, 16384, 6000), 8, "<f4"), ((120_000,), (3, 32, 32), 3, "<i4")],
        ids=["one item", "many items"],
    )
    def test_is_bounded(
        self,
        folder: Path,
        spec: WriteSpec,
        *,
        batch: tuple[int, ...],
        item: tuple[int, ...],
        kernel_size: int,
        dtype: str,
    ) -> None:
        path = spec(f"""
            input: {[*item]}
            layers:
              - {{type: conv, out_channels: 2, kernel_size: {kernel_size}, stride: 8,
                 weight: w.npy}}
            """)
        np.save("w.npy", np.ones((2, item[0], kernel_size, kernel_size), dtype))
        sparse("x.npy", (*batch, *item), dtype)
        taken = cost("apply", path, "x.npy", "--forward", "-o", "y.npy")
        assert Path("x.npy").stat().st_size > 1400 * MEGABYTE
        assert taken.status == 0
        assert taken.memory < 600 * MEGABYTE
