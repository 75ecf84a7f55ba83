"""Files that were cut: every kind of input that convt reads, ended after every byte of it.

What is left of a binary file is never an array, and no command writes anything from it.  What is
left of a text is read where it is itself a text of that kind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.files.images import read_image
from convt_cli.files.safetensors import read_safetensors
from convt_cli.io import memory
from convt_cli.spec.load import load_spec
from tests.conftest import GUIDE, Found, Outcome, Run, Shell, WriteSpec, assert_refused
from tests.files.samples import (
    ARRAYS,
    Array,
    code_of,
    npy_bytes,
    onnx_weights,
    outcome_of,
    picture_bytes,
    safetensors_bytes,
)

X = np.arange(4.0).reshape(1, 2, 2)
W = np.arange(9.0).reshape(1, 1, 3, 3)

NETWORK = """\
name: net
framework: pytorch
input: {image: [3, 16, 16], mask: [1, 16, 16]}
defaults:
  conv: {kernel_size: 3, padding: [[1, 1], [1, 1]], bias: false}
layers:
  - {name: a, type: conv, from: image, out_channels: 2, weight: {fill: normal, seed: 5}}
  - {name: b, type: concat, from: [a, mask], expect: [3, 16, 16]}
  - type: conv_transpose
    out_channels: 1
    kernel_size: 4   # a comment
    stride: 2
    padding: 1
    weight: "w.npz#up"
"""
"""A spec of most things that one can hold, its last byte the end of a line."""


@pytest.fixture(autouse=True)
def _small_requests_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look up the memory there is would take most of the time of thousands of tiny files."""
    monkeypatch.setattr(memory, "NEGLIGIBLE", 2**20)


def cut_short(content: bytes, read: Callable[[bytes], str], wanted: str) -> dict[int, str]:
    """What comes of a file ended after so many bytes, wherever that is something else."""
    found = {length: read(content[:length]) for length in range(len(content))}
    return {length: outcome for length, outcome in found.items() if outcome != wanted}


@pytest.mark.usefixtures("folder")
class TestArrays:
    @pytest.mark.parametrize("name", ARRAYS)
    def test_07_an_array_cut_at_any_length_is_refused(self, name: str) -> None:
        file = name.partition(",")[0]
        assert outcome_of(ARRAYS[name], file) == "array"
        assert cut_short(ARRAYS[name], lambda part: outcome_of(part, file), "E303") == {}

    def test_07_a_matrix_cut_at_any_length_is_refused(self, run: Run, spec: WriteSpec) -> None:
        assert run("matrix", spec(GUIDE), "-o", "C.npz", "--compress").status == 0
        content = Path("C.npz").read_bytes()
        assert outcome_of(content, "C.npz#data") == "array"
        assert cut_short(content, lambda part: outcome_of(part, "C.npz#data"), "E303") == {}

    def test_07_a_stream_cut_at_any_length_is_refused(self, run: Run, spec: WriteSpec) -> None:
        path = spec(GUIDE)

        def code(part: bytes) -> str:
            outcome = run("apply", path, "-", "-o", "out.npy", stdin=part)
            assert (outcome.status, outcome.out) == (2, "")
            return "".join(outcome.codes)

        assert cut_short(npy_bytes(X), code, "E303") == {}
        assert not Path("out.npy").exists()

    def test_07_a_file_that_is_applied_by_tiles_and_cut_at_any_length_is_refused(
        self, run: Run, spec: WriteSpec
    ) -> None:
        path = spec(GUIDE)

        def code(part: bytes) -> str:
            Path("x.npy").write_bytes(part)
            outcome = run("apply", path, "x.npy", "-o", "out.npy")
            assert (outcome.status, outcome.out) == (2, "")
            return "".join(outcome.codes)

        assert cut_short(npy_bytes(X), code, "E303") == {}
        assert not Path("out.npy").exists()

    @pytest.mark.parametrize("name", ["x.csv", "x.txt"])
    def test_07_a_text_cut_at_any_length_is_read_where_it_is_still_one(self, name: str) -> None:
        delimiter = "," if name == "x.csv" else " "
        rows = [["-1.5", "20", "3e2"], ["4", "0.25", "-6"], ["inf", "8", "91"]]
        content = "".join(delimiter.join(row) + "\n" for row in rows).encode()
        found = {n: outcome_of(content[:n], name) for n in range(len(content))}
        expected = {
            n: "array" if are_rows(content[:n].decode(), delimiter) else "E303"
            for n in range(len(content))
        }
        assert found == expected
        assert set(found.values()) == {"array", "E303"}


def are_rows(text: str, delimiter: str) -> bool:
    """Whether a text is lines of numbers, of the same number each."""
    rows = [line.split(delimiter if delimiter == "," else None) for line in text.splitlines()]
    return bool(rows) and all(map(is_number, chain(*rows))) and len(set(map(len, rows))) == 1


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


PIXELS = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)


@pytest.mark.usefixtures("folder")
class TestOtherFormats:
    @pytest.mark.parametrize("key", ["w", "b"])
    def test_07_safetensors_cut_at_any_length_are_refused(self, key: str) -> None:
        def code(part: bytes) -> str:
            Path("w.safetensors").write_bytes(part)
            return code_of(lambda: read_safetensors("w.safetensors", key))

        assert code(safetensors_bytes()) == "read"
        assert cut_short(safetensors_bytes(), code, "E303") == {}

    @pytest.mark.parametrize(
        ("picture_format", "pixels", "options"),
        [
            pytest.param("PNG", PIXELS, {}, id="png"),
            pytest.param("PNG", PIXELS[..., 0], {"compress_level": 0}, id="png, grey, stored"),
            pytest.param("JPEG", PIXELS, {"progressive": True}, id="jpeg, progressive"),
            pytest.param("JPEG", PIXELS, {"restart_marker_blocks": 1}, id="jpeg, in parts"),
            pytest.param("JPEG", PIXELS[..., 0], {}, id="jpeg, grey"),
        ],
    )
    def test_07_a_picture_cut_at_any_length_is_refused(
        self, picture_format: str, pixels: Array, options: dict[str, Any]
    ) -> None:
        name = "x.png" if picture_format == "PNG" else "x.jpg"

        def code(part: bytes) -> str:
            Path(name).write_bytes(part)
            return code_of(lambda: read_image(name, (3, 6, 7)))

        content = picture_bytes(picture_format, pixels, **options)
        assert code(content) == "read"
        assert cut_short(content, code, "E303") == {}

    def test_07_a_model_cut_at_any_length_is_refused_or_has_its_whole_graph(self) -> None:
        """Behind the graph stand the opsets alone, whose numbers no weight depends on."""
        onnx = pytest.importorskip("onnx")
        graph = onnx.helper.make_graph([], "g", [], [], [onnx.numpy_helper.from_array(W, "w")])
        content: bytes = onnx.helper.make_model(graph).SerializeToString()
        whole = content.index(W.tobytes()) + W.nbytes

        def code(part: bytes) -> str:
            Path("m.onnx").write_bytes(part)
            return code_of(lambda: onnx_weights("m.onnx").read("w"))

        assert code(content) == "read"
        wrong = cut_short(content, code, "E405")
        assert set(wrong.values()) <= {"read"}
        assert min(wrong, default=whole) >= whole

    def test_07_data_outside_of_a_model_cut_at_any_length_are_refused(self) -> None:
        onnx = pytest.importorskip("onnx")
        tensor = onnx.TensorProto(name="w", data_type=11, dims=W.shape, data_location=1)
        for key, value in {"location": "w.bin", "offset": "8", "length": str(W.nbytes)}.items():
            tensor.external_data.add(key=key, value=value)
        graph = onnx.helper.make_graph([], "g", [], [], [tensor])
        Path("m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
        model = onnx_weights("m.onnx")

        def code(part: bytes) -> str:
            Path("w.bin").write_bytes(part)
            return code_of(lambda: model.read("w"))

        assert code(bytes(8) + W.tobytes()) == "read"
        assert cut_short(bytes(8) + W.tobytes(), code, "E405") == {}

    @pytest.mark.parametrize("kept", [0, 7, 8, 9, 50])
    def test_07_data_outside_of_a_model_that_become_shorter_are_refused(
        self, monkeypatch: pytest.MonkeyPatch, kept: int
    ) -> None:
        """They are cut after their size was looked at, and before they are read."""
        onnx = pytest.importorskip("onnx")
        tensor = onnx.TensorProto(name="w", data_type=11, dims=W.shape, data_location=1)
        tensor.external_data.add(key="location", value="w.bin")
        graph = onnx.helper.make_graph([], "g", [], [], [tensor])
        Path("m.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
        Path("w.bin").write_bytes(W.tobytes())
        model = onnx_weights("m.onnx")
        monkeypatch.setattr(memory, "require", lambda *_, **__: os.truncate("w.bin", kept))
        assert code_of(lambda: model.read("w")) == "E401"


class TestSpecs:
    def test_07_a_spec_cut_at_any_length_is_one_or_has_coded_problems(
        self, found: Found, folder: Path
    ) -> None:
        assert found(NETWORK.encode()) == ()
        problems = {n: found(NETWORK[:n].encode()) for n in range(len(NETWORK))}
        whole = [n for n, those in problems.items() if not those]
        assert all(one.code[0] == "E" and one.line for those in problems.values() for one in those)
        assert len(problems) - len(whole) > 400
        assert set(map(load, (NETWORK[:n] for n in whole))) <= {1, 2, 3}

    @pytest.mark.parametrize("length", [0, 10, 60, 200, 330])
    def test_07_a_cut_spec_has_status_1_under_check_and_2_elsewhere(
        self, run: Run, spec: WriteSpec, length: int
    ) -> None:
        path = spec(NETWORK[:length])
        assert run("check", path).status == 1
        outcome = run("shapes", path)
        assert (outcome.status, outcome.out) == (2, "")
        assert outcome.codes


def load(text: str) -> int:
    """The number of layers of a spec that is right."""
    Path("whole.yaml").write_text(text, encoding="utf-8")
    return len(load_spec("whole.yaml").layers)


ONE_LAYER = """
    input: [3, 6, 7]
    layers: [{name: c, type: conv, out_channels: 1, kernel_size: 1, weight: WEIGHT, bias: false}]
    """

Command = tuple[str, ...]

READERS: list[tuple[str, Command]] = [
    ("x.npy", ("apply", "net.yaml", "x.npy", "--forward")),
    ("x.npy", ("apply", "net.yaml", "x.npy", "--forward", "--method", "matrix")),
    ("y.npz", ("apply", "net.yaml", "y.npz")),
    ("w.npy", ("apply", "net.yaml", "y.npz")),
    ("w.npy", ("matrix", "net.yaml")),
    ("x.npy", ("reconstruct", "net.yaml", "x.npy", "--layer", "c")),
    ("x.png", ("reconstruct", "net.yaml", "x.png", "--layer", "c")),
    ("x.jpg", ("reconstruct", "net.yaml", "x.jpg", "--layer", "c")),
    ("w.npy", ("reconstruct", "net.yaml", "x.npy", "--layer", "c")),
    ("y.npz", ("invert", "net.yaml", "y.npz", "--layer", "c")),
    ("w.npy", ("invert", "net.yaml", "y.npz", "--layer", "c")),
    ("x.npy", ("stimulus", "net.yaml", "--layer", "c", "--unit", "0,0,0", "--at", "x.npy")),
    ("w.npy", ("stimulus", "net.yaml", "--layer", "c", "--unit", "0,0,0")),
]
"""What is cut, and a command that reads it and writes out.npz."""


@pytest.fixture
def material(spec: WriteSpec) -> None:
    """Whole files for all of `READERS`."""
    spec(ONE_LAYER.replace("WEIGHT", "w.npy"))
    np.save("w.npy", np.ones((1, 3, 1, 1)))
    np.save("x.npy", np.ones((3, 6, 7)))
    np.savez("y.npz", y=np.ones((1, 6, 7)))
    Path("x.png").write_bytes(picture_bytes("PNG", PIXELS))
    Path("x.jpg").write_bytes(picture_bytes("JPEG", PIXELS))


def outputs(command: Iterable[str]) -> Command:
    """A command that writes over a file."""
    return (*command, "-o", "out.npz", "--force")


def cut_in_half(name: str) -> None:
    content = Path(name).read_bytes()
    Path(name).write_bytes(content[: len(content) // 2])


def assert_untouched(outcome: Outcome, folder: Path) -> None:
    """The command failed by the cut file alone, and the output that was there still is."""
    assert_refused(outcome, "E303")
    assert (folder / "out.npz").read_bytes() == b"old \xff"
    assert not list(folder.glob(".*")) + list(folder.glob("*.tmp"))


@pytest.mark.usefixtures("material")
class TestCommands:
    @pytest.mark.parametrize(("name", "command"), READERS, ids=str)
    def test_07_no_command_writes_from_a_cut_file(
        self, run: Run, folder: Path, name: str, command: Command
    ) -> None:
        assert run(*outputs(command)).status == 0
        Path("out.npz").write_bytes(b"old \xff")
        cut_in_half(name)
        assert_untouched(run(*outputs(command)), folder)

    @pytest.mark.parametrize("command", ["verify", "analyze"])
    def test_07_no_command_reports_of_a_cut_file(self, run: Run, command: str) -> None:
        assert run(command, "net.yaml").status == 0
        cut_in_half("w.npy")
        outcome = run(command, "net.yaml")
        assert (outcome.status, outcome.codes) == (2, ["E303"])

    @pytest.mark.slow
    @pytest.mark.parametrize(("name", "command"), READERS, ids=str)
    def test_07_no_process_writes_from_a_cut_file(
        self, shell: Shell, folder: Path, name: str, command: Command
    ) -> None:
        Path("out.npz").write_bytes(b"old \xff")
        cut_in_half(name)
        assert_untouched(shell(*outputs(command)), folder)
