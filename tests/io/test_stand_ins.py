"""Pointers of Git LFS and web pages in place of files: each is said to be that, by every reader."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Run, WriteSpec, assert_refused

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n"
)
STAND_INS = {
    "a pointer of Git LFS": POINTER,
    "a web page": b"\n<!DOCTYPE html>\n<html lang=en>\n",
    "a web page without a type": b"<HTML><head>",
    "an answer of a server": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
}

ONE_LAYER = """
    input: [1, 4, 4]
    layers: [{type: conv, out_channels: 1, kernel_size: 3, weight: "WEIGHT", bias: false}]
    """


@pytest.mark.parametrize("kind", STAND_INS)
class TestWhatIsToldApart:
    @pytest.mark.parametrize("name", ["m.pt2", "m.onnx", "m.pt", "m.yaml", "m.bin", "m"])
    def test_a_network(self, run: Run, folder: Path, name: str, kind: str) -> None:
        if name.endswith("onnx"):
            pytest.importorskip("onnx")
        (folder / name).write_bytes(STAND_INS[kind])
        outcome = run("shapes", name)
        assert_refused(outcome, "E401")
        assert f"{name} is a {'pointer' if STAND_INS[kind] == POINTER else 'web page'}" in (
            outcome.err
        )

    @pytest.mark.parametrize(
        "weight", ["w.npy", "w.npz#a", "w.safetensors#a", "w.onnx#a", "w.pt2#a", "w.pth#a"]
    )
    def test_a_weight(self, run: Run, spec: WriteSpec, weight: str, kind: str) -> None:
        if ".onnx" in weight:
            pytest.importorskip("onnx")
        name = weight.partition("#")[0]
        Path(name).write_bytes(STAND_INS[kind])
        outcome = run("matrix", spec(ONE_LAYER.replace("WEIGHT", weight)), "-o", "C.npz")
        assert_refused(outcome, "E401")
        assert f"{name} is a " in outcome.err

    @pytest.mark.parametrize("array", ["x.npy", "x.npz"])
    def test_an_array(self, run: Run, spec: WriteSpec, array: str, kind: str) -> None:
        Path(array).write_bytes(STAND_INS[kind])
        path = spec(ONE_LAYER.replace("WEIGHT", "w.npy"))
        np.save("w.npy", np.ones((1, 1, 3, 3)))
        outcome = run("apply", path, array, "-o", "y.npy")
        assert_refused(outcome, "E401")
        assert f"{array} is a " in outcome.err


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "the model {folder}/m.onnx has its numbers in another file: w.bin is not there"),
        (POINTER, "w.bin is a pointer of Git LFS"),
    ],
    ids=["missing", "pointer"],
)
def test_the_data_of_a_model(
    run: Run, spec: WriteSpec, folder: Path, content: bytes | None, said: str
) -> None:
    onnx = pytest.importorskip("onnx")
    tensor = onnx.TensorProto(name="w", data_type=1, dims=[1, 1, 3, 3], data_location=1)
    tensor.external_data.add(key="location", value="w.bin")
    tensor.external_data.add(key="offset", value="4096")
    model = onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], [tensor]))
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    if content is not None:
        (folder / "w.bin").write_bytes(content)
    outcome = run("matrix", spec(ONE_LAYER.replace("WEIGHT", "m.onnx#w")), "-o", "C.npz")
    assert_refused(outcome, "E401")
    assert said.format(folder=folder) in outcome.err


def test_what_is_only_damaged_is_said_to_be_that(run: Run, folder: Path) -> None:
    (folder / "m.pt2").write_bytes(b"version 2 of something")
    assert_refused(run("shapes", "m.pt2"), "E405")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="there is no such file")
def test_what_fails_while_it_is_read_is_damaged(run: Run, spec: WriteSpec) -> None:
    """A regular file, none of whose bytes can be read."""
    Path("x.npy").symlink_to("/proc/self/mem")
    np.save("w.npy", np.ones((1, 1, 3, 3)))
    path = spec(ONE_LAYER.replace("WEIGHT", "w.npy"))
    assert_refused(run("apply", path, "x.npy", "-o", "y.npy"), "E303")


def test_a_pointer_outside_of_the_folder_is_not_looked_at(
    run: Run, spec: WriteSpec, folder: Path
) -> None:
    (folder / "sub").mkdir()
    (folder / "w.npy").write_bytes(POINTER)
    outcome = run(
        "matrix", spec(ONE_LAYER.replace("WEIGHT", "../w.npy"), "sub/net.yaml"), "-o=C.npz"
    )
    assert_refused(outcome, "E404")
