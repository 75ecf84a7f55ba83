"""Pickles under every name and in every place: none is ever loaded, nor is it advised to.

Each holds a canary, which makes a folder when it is unpickled.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import GUIDE, Outcome, Run, Shell, WriteSpec, assert_refused
from tests.files.samples import Canary, npy_bytes, npz_bytes, objects_of, outcome_of

ONE_LAYER = """
    input: [1, 4, 4]
    layers:
      - {type: conv, out_channels: 1, kernel_size: 3, weight: "WEIGHT", bias: "BIAS"}
    """


@pytest.fixture
def canary(folder: Path) -> Iterator[Canary]:
    """What must not be unpickled while the test runs."""
    song = folder / "song"
    yield Canary(song)
    assert not song.exists()


def test_16_the_canary_sings(folder: Path) -> None:
    pickle.loads(pickle.dumps(Canary(folder / "song")))
    assert (folder / "song").exists()


def zip_of_torch(canary: Canary) -> bytes:
    """What torch.save writes: an archive whose first member is a pickle."""
    members = {
        "archive/data.pkl": pickle.dumps(canary, 2),
        "archive/byteorder": b"little",
        "archive/data/0": bytes(36),
        "archive/version": b"3\n",
    }
    return npz_bytes(members)


def record(canary: Canary) -> np.ndarray[Any, Any]:
    """A structured array with one field of objects."""
    array = np.zeros(1, [("a", "f8"), ("b", object)])
    array["b"][0] = canary
    return array


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("kind", ["objects", "record"])
@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.npz#a"])
def test_16_an_array_of_objects_is_refused(
    canary: Canary, version: tuple[int, int], kind: str, name: str
) -> None:
    array = objects_of(canary) if kind == "objects" else record(canary)
    content = npy_bytes(array, version)
    whole = content if name == "x.npy" else npz_bytes({"a.npy": content}, zipfile.ZIP_DEFLATED)
    assert outcome_of(whole, name) in {"E302", "E303"}


def test_16_one_is_refused_because_of_its_dtype(canary: Canary, run: Run, spec: WriteSpec) -> None:
    """Whose pickle is as long as the pointers that its header speaks of."""
    head, _, _ = npy_bytes(objects_of(canary)).partition(b"\n")
    song = pickle.dumps(canary)
    count = (len(song) + 7) // 8
    text = head.replace(b"(1,)", f"({count},)".encode().ljust(4))
    Path("x.npy").write_bytes(text[: len(head)] + b"\n" + song.ljust(8 * count, b"."))
    outcome = run("apply", spec(GUIDE), "x.npy", "-o", "y.npy")
    assert_refused(outcome, "E302")
    assert "dtype object" in outcome.err


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.npz#a", "x.csv", "x.txt"])
def test_16_a_pickle_under_an_array_s_name_is_refused(
    canary: Canary, name: str, protocol: int
) -> None:
    assert outcome_of(pickle.dumps(canary, protocol), name) == "E303"


@pytest.mark.parametrize("key", ["", "#a", "#b", "#archive/data.pkl", "#archive/data/0"])
@pytest.mark.parametrize("kind", ["pickles", "torch", "one pickle"])
def test_16_a_pickle_in_an_archive_is_refused(canary: Canary, kind: str, key: str) -> None:
    song = pickle.dumps(canary)
    members = {"a.npy": song, "b": song} if kind == "pickles" else {"data.pkl": song}
    content = zip_of_torch(canary) if kind == "torch" else npz_bytes(members)
    assert outcome_of(content, f"x.npz{key}") in {"E303", "E401"}


NAMES = [
    *("m.pt", "m.pth", "m.pkl", "m.joblib", "m.bin", "m.ckpt", "m.npy.pkl"),
    *("m.pt#weight", "m.pth#weight", "m.pkl#weight"),
]


def contents_of_torch(canary: Canary) -> dict[str, bytes]:
    return {"old": pickle.dumps(canary, 2), "new": zip_of_torch(canary)}


@pytest.mark.parametrize("kind", ["old", "new"])
@pytest.mark.parametrize("name", NAMES)
class TestNames:
    """Files of torch and of others that pickle are refused by their names, unopened."""

    def test_16_as_an_array(
        self, canary: Canary, run: Run, spec: WriteSpec, kind: str, name: str
    ) -> None:
        Path(name.partition("#")[0]).write_bytes(contents_of_torch(canary)[kind])
        self.assert_named(run("apply", spec(GUIDE), name, "-o", "y.npy"))

    def test_16_as_a_weight(
        self, canary: Canary, run: Run, spec: WriteSpec, kind: str, name: str
    ) -> None:
        Path(name.partition("#")[0]).write_bytes(contents_of_torch(canary)[kind])
        path = spec(ONE_LAYER.replace("WEIGHT", name).replace('"BIAS"', "false"))
        self.assert_named(run("matrix", path, "-o", "C.npz", "--allow-outside"))

    def assert_named(self, outcome: Outcome) -> None:
        assert_refused(outcome, "E401")
        assert ".npy" in outcome.err or ".safetensors" in outcome.err
        assert "pickle" not in outcome.err.lower()


COMMANDS = [
    ("apply", "x.npy", "-o", "y.npy"),
    ("apply", "x.npz", "-o", "y.npy"),
    ("apply", "x.npz#a", "-o", "y.npz"),
    ("apply", "-", "-o", "y.npy"),
    ("apply", "x.npy", "-o", "y.npy", "--method", "matrix"),
    ("apply", "x.npy", "-o", "y.npy", "--dtype", "float32", "--forward"),
    ("invert", "x.npy", "--layer", "conv1", "-o", "y.npy"),
    ("reconstruct", "x.npy", "--layer", "conv1", "-o", "y.npy"),
    ("reconstruct", "x.npz#a", "--layer", "conv1", "--batch", "-o", "y.npy"),
    ("stimulus", "--layer", "conv1", "--unit", "0,0,0", "--at", "x.npy", "-o", "y.npy"),
]


class TestCommands:
    @pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
    def test_16_no_command_loads_an_array_of_objects(
        self, canary: Canary, run: Run, spec: WriteSpec, arguments: tuple[str, ...]
    ) -> None:
        array = npy_bytes(objects_of(canary))
        Path("x.npy").write_bytes(array)
        Path("x.npz").write_bytes(npz_bytes({"a.npy": array}))
        command, *others = arguments
        self.assert_silent(run(command, spec(GUIDE), *others, stdin=array))

    @pytest.mark.parametrize(
        "reference", ["w.npy", "w.npz", "w.npz#a", "w.safetensors", "w.onnx#a"]
    )
    @pytest.mark.parametrize("place", ["WEIGHT", "BIAS"])
    def test_16_nor_a_weight_or_a_bias_that_is_one(
        self, canary: Canary, run: Run, spec: WriteSpec, reference: str, place: str
    ) -> None:
        array = npy_bytes(objects_of(canary))
        Path("w.npy").write_bytes(array)
        Path("w.npz").write_bytes(npz_bytes({"a.npy": array}))
        Path("w.safetensors").write_bytes(pickle.dumps(canary))
        Path("w.onnx").write_bytes(pickle.dumps(canary))
        np.save("x.npy", np.ones((1, 4, 4)))
        np.save("good.npy", np.ones((1, 1, 3, 3)))
        text = ONE_LAYER.replace(place, reference).replace("WEIGHT", "good.npy")
        path = spec(text.replace('"BIAS"', "false"))
        self.assert_silent(run("apply", path, "x.npy", "--forward", "--bias", "-o", "y.npy"))

    @pytest.mark.parametrize("source", ["x.npy", "-"])
    def test_16_nor_does_a_process(
        self, canary: Canary, shell: Shell, spec: WriteSpec, source: str
    ) -> None:
        array = npy_bytes(objects_of(canary))
        Path("x.npy").write_bytes(array)
        self.assert_silent(shell("apply", spec(GUIDE), source, "-o", "y.npy", stdin=array))

    def assert_silent(self, outcome: Outcome) -> None:
        """One coded error, no word of pickles, and nothing written."""
        assert outcome.status == 2
        assert len(outcome.codes) == 1, outcome.err
        assert "pickle" not in outcome.err.lower()
        assert not Path("y.npy").exists()


def test_16_a_spec_is_never_one(canary: Canary, run: Run) -> None:
    tag = "!!python/object/apply:os.mkdir [song]"
    for content in (pickle.dumps(canary), f"input: {tag}\nlayers: []\n".encode(), tag.encode()):
        Path("net.yaml").write_bytes(content)
        outcome = run("shapes", "net.yaml")
        assert outcome.status == 2
        assert outcome.codes


def test_16_what_is_written_holds_no_pickle(run: Run, spec: WriteSpec) -> None:
    np.save("x.npy", np.ones((1, 2, 2)))
    assert run("apply", spec(GUIDE), "x.npy", "-o", "y.npz").status == 0
    assert run("matrix", "net.yaml", "-o", "C.npz").status == 0
    for name in ("y.npz", "C.npz"):
        with np.load(io.BytesIO(Path(name).read_bytes()), allow_pickle=False) as archive:
            assert all(archive[key].dtype.kind in "bfiS" for key in archive.files)
