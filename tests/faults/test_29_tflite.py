"""`.tflite` files that are damaged: cut, flipped, with offsets and counts that lie.

Whatever the bytes, convt reads a network or raises an error with a code, and it reads within bounds
that do not depend on what the file claims to hold.
"""

from __future__ import annotations

import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from convt_cli.errors import ConvtError, FileError
from convt_cli.files.weights import Weights
from convt_cli.models.load import load_spec
from tests.faults.rows import trying
from tests.models.tflite.cases import CASES
from tests.models.tflite.samples import Op, Sample, Vector, flatbuffer, op, packed

pytestmark = pytest.mark.usefixtures("folder")

PATH = Path("net.tflite")

LIES = (0, 1, 2, 3, 7, 2**16, 2**31 - 1, 2**31, 2**32 - 4, 2**32 - 1)
"""Numbers of 32 bits to put in place of offsets, counts, sizes and axes."""

KINDS = (
    "FULLY_CONNECTED along",
    "dequantised per channel",
    "STRIDED_SLICE dropping",
    "sparse blocks",
)


def outcome(content: bytes) -> str:
    """The code of the error that a file raises, also with its weights; "" where it is read."""
    PATH.write_bytes(content)
    try:
        network = load_spec(PATH, partial=True)
        weights = Weights(network)
        for layer in network.layers:
            if layer.weight_source is not None:
                weights.weight(layer)
                weights.bias(layer)
    except ConvtError as error:
        return error.code
    return ""


def places(kind: str, content: bytes) -> range:
    """A third of the places in a file, other ones for each of three kinds."""
    return range([*KINDS].index(kind) % 3, len(content), 3)


@pytest.mark.parametrize("kind", KINDS)
class TestDamage:
    def test_a_file_that_was_cut_is_no_model(self, kind: str) -> None:
        content = packed(CASES[kind])
        assert outcome(content) == ""
        for length in places(kind, content):
            with trying(length):
                assert outcome(content[:length]) == "E405"

    def test_flipped_bits_lead_to_a_model_or_an_error(self, kind: str) -> None:
        content = packed(CASES[kind])
        for place in places(kind, content):
            flipped = content[place] ^ 1 << place % 8
            with trying(place):
                outcome(content[:place] + bytes([flipped]) + content[place + 1 :])

    def test_numbers_that_lie_lead_to_a_model_or_an_error(self, kind: str) -> None:
        content = packed(CASES[kind])
        for place in range(0, len(content) - 3, 4):
            lie = LIES[place // 4 % len(LIES)]
            with trying(place, lie):
                outcome(content[:place] + struct.pack("<I", lie) + content[place + 4 :])


def test_a_file_of_nothing_and_of_another_kind() -> None:
    for content in (b"", b"\0" * 7, b"\0" * 100, b"PK\3\4" * 10, b"\xff" * 100):
        with trying(content):
            assert outcome(content) == "E405"


def test_an_offset_to_itself() -> None:
    assert outcome(struct.pack("<I4s", 0, b"TFL3") + bytes(60)) == "E405"


def test_an_input_without_elements() -> None:
    for operator in ("conv groups", "RELU", "RESHAPE to the rest", "MEAN all kept"):
        sample = CASES[operator]
        with trying(operator):
            empty = Sample(sample.nodes, {"x": (1, 7, 6, 0)}, sample.constants)
            assert outcome(packed(empty)) == "E405"


def test_an_output_that_is_no_tensor() -> None:
    node = {0: ("I", 0), 1: Vector("i", (0,)), 2: Vector("i", (-1,))}
    graph = {0: [{3: "x", 0: Vector("i", (1, 4))}], 1: Vector("i", (0,)), 3: [node]}
    graph[2] = Vector("i", (0,))
    assert outcome(flatbuffer({0: ("I", 3), 1: [{}], 2: [graph], 4: [{}]})) == "E405"


@pytest.mark.parametrize(
    ("nodes", "inputs", "said"),
    [
        ([op("RELU", "x", "y"), op("TANH", "x", "y")], ("x",), "'y' is given twice"),
        ([op("RELU", "x", "x")], ("x",), "'x' is given twice"),
        ([op("ADD", "x z", "y"), op("RELU", "x", "z")], ("x",), "'z' is read before"),
        ([op("RELU", "x", "y")], ("x", "x"), "'x' is given twice"),
    ],
)
def test_a_graph_that_contradicts_itself(
    nodes: list[Op], inputs: tuple[str, ...], said: str
) -> None:
    sample = Sample(nodes, {"x": (1, 4)})
    graph = {1: Vector("i", [sample.names.index(name) for name in inputs])}
    PATH.write_bytes(packed(sample, graph))
    with pytest.raises(FileError, match=said):
        load_spec(PATH)


def test_another_version() -> None:
    sample = CASES["RELU"]
    PATH.write_bytes(packed(Sample(sample.nodes, sample.inputs, model={0: ("I", 2)})))
    with pytest.raises(FileError, match=r"reads version 3 of .tflite files: .* has version 2"):
        load_spec(PATH)


def test_a_vector_that_many_tables_share_is_counted_for_each() -> None:
    """A file of a few hundred kB would else become a graph of thousands of millions of numbers."""
    PATH.write_bytes(_sharing())
    tracemalloc.start()
    try:
        with pytest.raises(FileError, match=r"it has more than 2,000,000 numbers"):
            load_spec(PATH)
        assert tracemalloc.get_traced_memory()[1] < 300 * 2**20
    finally:
        tracemalloc.stop()


def _sharing() -> bytes:
    """A model with 20,000 nodes, all of which are one table with 20,000 inputs."""
    node = {1: Vector("i", [0] * 20_000), 2: Vector("i", [1])}
    tensors = [{3: name, 0: Vector("i", (1, 4))} for name in ("x", "y")]
    graph = {0: tensors, 1: Vector("i", [0]), 2: Vector("i", [1]), 3: [node] * 20_000}
    return flatbuffer({0: ("I", 3), 1: [{}], 2: [graph], 4: [{}]})


def test_constants_behind_very_many_nodes_are_found() -> None:
    count = 3000
    nodes = [op("RESHAPE", f"w{number}", f"w{number + 1}") for number in range(count)]
    last = op("FULLY_CONNECTED", f"x w{count}", "y")
    shapes = {f"w{number}": {0: Vector("i", (2, 4))} for number in range(1, count + 1)}
    stored = {"w0": np.ones((2, 4), np.float32)}
    PATH.write_bytes(packed(Sample([*nodes, last], {"x": (1, 4)}, stored, tensors=shapes)))
    network = load_spec(PATH)
    np.testing.assert_array_equal(Weights(network).weight(network.layers[0]), np.ones((2, 4)))


def test_shapes_do_not_read_weights() -> None:
    sample = CASES["FULLY_CONNECTED without bias"]
    size, place = 2**32, 2**20
    shape = {"w": {0: Vector("i", (2**13, 2**17)), 1: ("b", 0), 2: ("I", 1)}}
    model = {4: [{}, {1: ("Q", place), 2: ("Q", size)}]}
    inputs = {"x": (1, 2**17)}
    PATH.write_bytes(packed(Sample(sample.nodes, inputs, {}, tensors=shape, model=model)))
    os.truncate(PATH, place + size)  # a hole, which takes no room on the disk
    tracemalloc.start()
    try:
        assert load_spec(PATH).output == (2**13,)
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()


def test_a_buffer_beyond_the_file() -> None:
    """Buffers of large models lie behind the flatbuffer, at a place that the buffer names."""
    for place, size in ((10**6, 8), (8, 10**6), (2**63, 2**63), (2**64 - 1, 2**64 - 1)):
        with trying(place, size):
            sample = CASES["FULLY_CONNECTED without bias"]
            buffers = [{}, {1: ("Q", place), 2: ("Q", size)}]
            content = packed(
                Sample(sample.nodes, sample.inputs, sample.constants, model={4: buffers})
            )
            assert outcome(content) == "E405"
