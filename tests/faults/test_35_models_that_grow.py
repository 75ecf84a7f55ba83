"""Small ONNX models that become large: refused in time, with the bytes needed and there."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import FileError, RequestError
from convt_cli.io import memory
from convt_cli.models.onnx import file as onnx_file
from convt_cli.models.onnx import wire
from convt_cli.models.onnx.file import open_model
from convt_cli.models.onnx.weights import OnnxWeights
from convt_cli.models.onnx.wire import parsing_needs
from tests.conftest import Run, assert_refused, environment
from tests.files.samples import onnx_weights

onnx = pytest.importorskip("onnx")

MIB = 2**20
NEEDED = r"[0-9.]+ [KMG]iB (are )?needed, [0-9.]+ [KMG]iB there"


def length(number: int) -> bytes:
    """A number as protobuf writes it, 7 bits a byte."""
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + length(rest) if rest else bytes([low])


def field(number: int, content: bytes) -> bytes:
    """A message, a text or bytes as a field of a message."""
    return length(number << 3 | 2) + length(len(content)) + content


def model(graph: bytes) -> bytes:
    return field(7, graph)


def named(number: int) -> bytes:
    return b"%06d" % number


def node(number: int) -> bytes:
    """A node with an output of its own."""
    return field(1, field(2, named(number)))


def attribute(number: int) -> bytes:
    return field(5, field(1, named(number)) + b"\x18\x05\xa0\x01\x02")


def constant(number: int) -> bytes:
    """An int64 constant of 100 numbers."""
    return field(5, b"\x08\x64\x10\x07" + field(8, named(number)) + field(9, bytes(800)))


GROWING: dict[str, Callable[[int], bytes]] = {
    "empty nodes": lambda count: field(1, b"") * count,
    "nodes": lambda count: b"".join(map(node, range(count))),
    "inputs of a node": lambda count: field(1, field(1, b"") * count),
    "attributes": lambda count: field(1, b"".join(map(attribute, range(count)))),
    "integers": lambda count: field(1, field(5, field(8, b"\5" * count) + b"\xa0\x01\x07")),
    "constants": lambda count: b"".join(map(constant, range(count))),
    "numbers": lambda count: field(
        5, b"\x08" + length(count) + b"\x10\x07" + field(7, bytes(count))
    ),
    "shapes": lambda count: field(13, b"") * count,
}

MEASURED = """
import sys
from convt_cli.errors import ConvtError
from convt_cli.models.onnx.file import open_model
from convt_cli.models.onnx.convert import convert
import onnx
def peak():  # ru_maxrss is at least what the process had that began this one
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
before = peak()
try:
    convert(open_model(sys.argv[1]).graph, "m.onnx", partial=True)
except ConvtError as error:
    print(error, file=sys.stderr)
print(peak() - before)
"""


def measured(path: Path) -> int:
    """The bytes by which importing a model makes a process grow."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, str(path)],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return int(done.stdout)


@pytest.mark.parametrize("kind", GROWING)
def test_35_what_is_asked_for_is_at_least_what_is_taken(
    folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "m.onnx").write_bytes(model(GROWING[kind](50_000)))
    asked: list[int] = []
    monkeypatch.setattr(memory, "require", lambda needed, *_, **__: asked.append(needed))
    with suppress(FileError):
        open_model("m.onnx")
    assert measured(folder / "m.onnx") < max(asked) + 10 * MIB


@pytest.mark.parametrize("kind", ["empty nodes", "inputs of a node", "attributes", "shapes"])
def test_35_more_parts_than_can_be_counted_are_refused(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """The bound is lower here, as counting to it takes seconds."""
    for module in (wire, onnx_file):
        monkeypatch.setattr(module, "MOST_FIELDS", 40_000)
    made = GROWING[kind](100)
    repeats = 40_000 // 100 + 1
    one = kind in {"inputs of a node", "attributes"}
    graph = field(1, GROWING[kind](100)[3:] * repeats) if one else made * repeats
    (folder / "m.onnx").write_bytes(model(graph))
    outcome = run("import", "m.onnx", "-o", "m.yaml")
    assert_refused(outcome, "E501")
    assert re.search(rf"over 40,000, for which {NEEDED}", outcome.err)


@pytest.mark.parametrize("kind", GROWING)
def test_35_a_model_that_does_not_fit_is_not_parsed(
    run: Run, folder: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = model(GROWING[kind](20_000))
    (folder / "m.onnx").write_bytes(content)
    monkeypatch.setattr(memory, "available", lambda: 3 * len(content))
    monkeypatch.setattr(onnx_file, "_parsed", lambda *_: pytest.fail("it was parsed"))
    outcome = run("import", "m.onnx", "-o", "m.yaml")
    assert_refused(outcome, "E501")
    assert re.search(NEEDED, outcome.err)


def test_35_a_number_without_an_end_takes_no_time() -> None:
    content = b"\xff" * 10**7
    assert parsing_needs(content, onnx.ModelProto.DESCRIPTOR).fields == 1


def test_35_running_out_of_memory_is_not_a_damaged_file(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Message:
        DESCRIPTOR = onnx.ModelProto.DESCRIPTOR

        @staticmethod
        def FromString(content: bytes) -> None:  # noqa: N802  # protobuf's name
            raise ValueError("Error parsing message: Arena alloc failed")

    monkeypatch.setattr(onnx_file, "_message_type", lambda: Message)
    (folder / "m.onnx").write_bytes(b"\x08\x08")
    outcome = run("import", "m.onnx", "-o", "m.yaml")
    assert_refused(outcome, "E501")
    assert "cut short" not in outcome.err


# --- chains of constants ------------------------------------------------------------------------


def chained(count: int, last: list[Any], **constants: Any) -> OnnxWeights:
    """r0 is a Range of 2^13 floats, r1, r2, ... are sums of it; `last` gives w of them."""
    make, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    numbers = {"a": np.float32(0), "b": np.float32(2**13), "c": np.float32(1), **constants}
    nodes = [
        make("Range", ["a", "b", "c"], ["r0"]),
        *(make("Add", [f"r{n}", "r0"], [f"r{n + 1}"]) for n in range(count)),
        *last,
    ]
    tensors = [tensor(np.asarray(one), name) for name, one in numbers.items()]
    graph = onnx.helper.make_graph(nodes, "net", [], [], tensors)
    onnx.save(onnx.helper.make_model(graph), "m.onnx")
    return onnx_weights("m.onnx")


@pytest.fixture
def _one_mebibyte(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for 32 arrays of 2^13 floats."""
    monkeypatch.setattr(memory, "available", lambda: MIB)


@pytest.mark.usefixtures("_one_mebibyte")
class TestChains:
    def test_what_nothing_reads_any_more_is_let_go_of(self) -> None:
        weights = chained(399, [onnx.helper.make_node("Identity", ["r399"], ["w"])])
        np.testing.assert_array_equal(weights.read("w"), 400 * np.arange(2**13, dtype=np.float32))

    def test_what_is_still_read_counts_together(self) -> None:
        every = [f"r{number}" for number in range(400)]
        with pytest.raises(RequestError, match=NEEDED) as caught:
            chained(399, [onnx.helper.make_node("Max", every, ["w"])]).read("w")
        assert caught.value.code == "E501"

    def test_a_view_keeps_what_it_is_a_view_of(self) -> None:
        """Each Slice keeps one number, and with it the array that the number is in."""
        make = onnx.helper.make_node
        slices = [make("Slice", [f"r{n}", "zero", "one"], [f"s{n}"]) for n in range(400)]
        joined = make("Concat", [f"s{n}" for n in range(400)], ["w"], axis=0)
        bounds = {"zero": np.array([0]), "one": np.array([1])}
        with pytest.raises(RequestError, match=NEEDED):
            chained(399, [*slices, joined], **bounds).read("w")

    def test_views_of_one_array_count_once(self) -> None:
        make = onnx.helper.make_node
        views = [make("Reshape", ["r1", "all"], [f"v{n}"]) for n in range(100)]
        last = make("Max", [f"v{n}" for n in range(100)], ["w"])
        weights = chained(
            1,
            [*views[:1], *(make("Identity", ["v0"], one.output) for one in views[1:]), last],
            all=np.array([-1]),
        )
        assert weights.read("w").shape == (2**13,)

    def test_one_constant_that_is_read_often_is_there_once(self) -> None:
        large = np.zeros(2**15, np.float32)
        weights = chained(0, [onnx.helper.make_node("Max", ["k"] * 1000, ["w"])], k=large)
        assert weights.read("w").shape == large.shape

    @pytest.mark.parametrize(
        ("last", "constants"),
        [
            (["Expand", "r0", "shape"], {"shape": [64, 2**13]}),
            (["Tile", "r0", "shape"], {"shape": [64]}),
            (["Gather", "r0", "many"], {"many": np.zeros(2**17, np.int8)}),
            (["Cast", "r0"], {}),
        ],
        ids=lambda one: one[0] if isinstance(one, list) else "",
    )
    def test_what_grows_is_asked_for_or_costs_nothing(
        self, last: list[str], constants: dict[str, Any]
    ) -> None:
        operator, *inputs = last
        attributes = {"to": 11} if operator == "Cast" else {}
        grown = onnx.helper.make_node(operator, inputs, ["g"], **attributes)
        summed = onnx.helper.make_node("Add", ["g", "g"], ["w"])
        arrays = {name: np.asarray(one) for name, one in constants.items()}
        weights = chained(0, [grown, summed], **arrays)
        if operator == "Cast":
            assert weights.read("w").nbytes == 2**16
            return
        with pytest.raises((RequestError, FileError)):
            weights.read("w")
