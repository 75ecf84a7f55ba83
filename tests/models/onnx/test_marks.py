"""Numbers that stay in the file: read from their places, and not before they are asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import FileError
from convt_cli.models.onnx.file import Model, open_model
from convt_cli.models.onnx.marks import KEPT
from tests.conftest import environment

onnx = pytest.importorskip("onnx")

make, stored = onnx.helper.make_node, onnx.numpy_helper.from_array

MIB = 2**20


def value(name: str, shape: Any = None) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def graph_of(nodes: list[Any], tensors: list[Any], *outputs: str, **parts: Any) -> Any:
    given = [value(name) for name in outputs]
    return onnx.helper.make_graph(nodes, "net", [], given, tensors, **parts)


def model_of(graph: Any) -> bytes:
    opsets = [onnx.helper.make_opsetid("", 17)]
    made = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return bytes(made.SerializeToString())


def opened(content: bytes) -> Model:
    Path("m.onnx").write_bytes(content)
    return open_model("m.onnx")


def numbers(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path) -> None:
    pass


def test_numbers_of_any_size_are_those_that_onnx_reads() -> None:
    """The sizes are around the bound, and around those at which a length takes a byte more."""
    sizes = [0, 1, *range(KEPT // 4 - 1, KEPT // 4 + 3), 4095, 4096, 4097, 2**19 - 1, 2**19, 10**6]
    arrays = {f"w{size}": numbers(size) for size in sizes}
    content = model_of(graph_of([], [stored(one, name) for name, one in arrays.items()]))
    model = opened(content)
    expected = onnx.load_from_string(content).graph.initializer
    assert list(model.graph.constants) == [one.name for one in expected]
    for one in expected:
        found = np.frombuffer(model.content(one.name), np.float32)
        np.testing.assert_array_equal(found, onnx.numpy_helper.to_array(one))


class TestPlaces:
    WEIGHT = stored(numbers(9, 1000), "w")

    def assert_read(self, graph: Any, name: str) -> None:
        content = opened(model_of(graph)).content(name)
        assert content == onnx.numpy_helper.to_array(self.WEIGHT).tobytes()

    def test_in_a_constant_node(self) -> None:
        self.assert_read(graph_of([make("Constant", [], ["w"], value=self.WEIGHT)], []), "w")

    def test_in_a_graph_inside_a_node(self) -> None:
        branch = graph_of([make("Identity", ["w"], ["y"])], [self.WEIGHT], "y")
        flag = stored(np.array(True), "flag")
        node = make("If", ["flag"], ["out"], then_branch=branch, else_branch=branch)
        self.assert_read(graph_of([node], [flag]), "out/then_branch/w")

    @pytest.mark.parametrize("as_pairs", [True, False])
    def test_in_a_sparse_tensor(self, as_pairs: bool) -> None:
        """The dense tensor is small enough to be known on import; its parts have marks."""
        dense = np.where(numbers(64, 64) > 0, numbers(64, 64), 0)
        places = np.argwhere(dense) if as_pairs else np.flatnonzero(dense)
        values = stored(dense[dense != 0], "w")
        made = onnx.helper.make_sparse_tensor(values, stored(places, "places"), dense.shape)
        model = opened(model_of(graph_of([], [], sparse_initializer=[made])))
        assert model.content("w") == model.graph.constants["w"].packed == dense.tobytes()


def head(number: int, size: int) -> bytes:
    """What is in front of a field's content, with a length of 5 bytes where fewer would do."""
    bits = [size >> 7 * place & 127 for place in range(5)]
    return bytes([number << 3 | 2, *(one | 128 for one in bits[:4]), bits[4]])


def field(number: int, content: bytes) -> bytes:
    return head(number, len(content)) + content


class TestWire:
    """What protobuf may write, and `onnx` does not."""

    def tensor(self, *raw: bytes) -> bytes:
        """A uint8 tensor of 3000 numbers."""
        shape = b"\x08\xb8\x17\x10\x02"
        return shape + field(8, b"w") + b"".join(field(9, one) for one in raw)

    def assert_as_onnx(self, content: bytes) -> None:
        (expected,) = onnx.ModelProto.FromString(content).graph.initializer
        assert opened(content).content("w") == expected.raw_data

    def test_lengths_that_are_longer_than_they_need_to_be(self) -> None:
        self.assert_as_onnx(field(7, field(5, self.tensor(b"\1\2\3" * 1000))))

    @pytest.mark.parametrize("before", [5, KEPT, KEPT + 1, 2999, 9000])
    def test_of_numbers_that_are_given_twice_the_last_count(self, before: int) -> None:
        raw = (bytes(before), b"\1\2\3" * 1000)
        self.assert_as_onnx(field(7, field(5, self.tensor(*raw))))

    def test_parts_of_a_graph_come_together(self) -> None:
        first, second = field(7, field(2, b"net" * 999)), field(5, self.tensor(b"\1\2\3" * 1000))
        self.assert_as_onnx(first + field(7, second))

    def test_a_group_is_passed_over(self) -> None:
        """Fields in it have numbers of their own: this one only looks like a graph."""
        group = b"\x0b" + field(7, b"\xff" * 3000) + b"\x0c"
        self.assert_as_onnx(group + field(7, field(5, self.tensor(b"\1\2\3" * 1000))))

    def test_numbers_that_are_a_mark_are_numbers(self) -> None:
        mark = (0).to_bytes(8, "little") + (3000).to_bytes(8, "little")
        self.assert_as_onnx(field(7, field(5, self.tensor(mark + bytes(3000 - len(mark))))))

    @pytest.mark.parametrize("size", [0, 16, KEPT, KEPT + 1, 2999, 3001, 10_000])
    def test_there_are_as_many_as_the_shape_takes(self, size: int) -> None:
        with pytest.raises(FileError, match=rf"3000 bytes, and has {size}") as caught:
            opened(field(7, field(5, self.tensor(bytes(size)))))
        assert caught.value.code == "E405"


def test_a_file_that_is_written_again_is_refused() -> None:
    model = opened(model_of(graph_of([], [stored(numbers(9, 1000), "w")])))
    with open("m.onnx", "ab") as file:
        file.write(b"\x08\x08")
    with pytest.raises(FileError, match="changed meanwhile") as caught:
        model.content("w")
    assert caught.value.code == "E401"


SHAPES = """
from convt_cli.commands.main import run
assert not run(["shapes", "m.onnx"])
with open("/proc/self/status") as file:
    print(next(int(line.split()[1]) for line in file if line.startswith("VmHWM")))
"""


def hollow(size: int) -> None:
    """A model with a convolution whose weight takes `size` bytes, which are a hole in the file."""
    channels = size // 36
    weight = onnx.TensorProto(name="w", data_type=1, dims=[channels, 1, 3, 3])
    graph = graph_of([make("Conv", ["x", "w"], ["y"], kernel_shape=[3, 3])], [], "y")
    graph.input.append(value("x", [1, 1, 8, 8]))
    opsets = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)
    model.ClearField("graph")
    # from the innermost out: the numbers, the tensor, the graph
    inner, behind = b"", 36 * channels
    for number, before in (
        (9, weight.SerializeToString()),
        (5, graph.SerializeToString()),
        (7, model.SerializeToString()),
    ):
        inner = before + head(number, len(inner) + behind) + inner
    Path("m.onnx").write_bytes(inner)
    os.truncate("m.onnx", len(inner) + behind)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("size", [200 * MIB, 2000 * MIB])
def test_shapes_do_not_read_weights(size: int) -> None:
    hollow(size)
    done = subprocess.run(
        [sys.executable, "-c", SHAPES],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        timeout=60,
        check=True,
    )
    *table, peak = done.stdout.decode().splitlines()
    assert any(f"{size // 36}×6×6" in line for line in table)
    assert 1024 * int(peak) < 60 * MIB
