"""Quantised networks: convt computes without rounding what ONNX Runtime computes with it.

The numbers are held to the runtime's within what rounding makes of them, which is far less than a
wrong scale or zero point would.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.run import prepared, run, way_to
from convt_cli.files.weights import Weights
from convt_cli.models.load import load_model, load_spec
from tests.peers.test_onnx_numbers import F32, node, runtime, write_model

pytestmark = pytest.mark.peers

SHAPE = (2, 4, 6, 5)
SOURCE = {"xs": F32(4 / 255), "xz": np.uint8(128)}
RESULT = {"ys": F32(0.05), "yz": np.uint8(120)}
QUANTISE = node("QuantizeLinear", "x xs xz", "q")
DEQUANTISE = node("DequantizeLinear", "r ys yz")
DYNAMIC = node("DynamicQuantizeLinear", "x", "q xs xz")


def bytes_of(*shape: int, dtype: Any = np.int8) -> Any:
    return np.random.default_rng(sum(shape)).integers(-100, 100, shape).astype(dtype)


WEIGHT = {
    "w": bytes_of(3, 4, 3, 2),
    "ws": np.array([0.004, 0.002, 0.003], F32),
    "wz": np.zeros(3, np.int8),
    "b": bytes_of(3, dtype=np.int32) * 200,
}
MATRIX = {"m": bytes_of(5, 3, dtype=np.uint8), "ms": F32(0.003), "mz": np.uint8(120)}
TURNED = {
    "n": bytes_of(7, 120),
    "ns": F32(0.004),
    "nz": np.int8(3),
    "c": np.full(7, 9000, np.int32),
}

CASES: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "conv": (
        [QUANTISE, node("QLinearConv", "q xs xz w ws wz ys yz b", "r", pads=[1, 0, 1, 1])],
        WEIGHT,
        1,
    ),
    "product": ([QUANTISE, node("QLinearMatMul", "q xs xz m ms mz ys yz", "r")], MATRIX, 1),
    "gemm": (
        [
            QUANTISE,
            node("Flatten", "q", "f"),
            node("QGemm", "f xs xz n ns nz c ys yz", "r", transB=1, contributed=True),
        ],
        TURNED,
        1,
    ),
    "sum": (
        [
            QUANTISE,
            node("QLinearAveragePool", "q xs xz xs xz", "a", kernel_shape=[3, 3],
                 pads=[1, 1, 1, 1], contributed=True),
            node("QLinearAdd", "a xs xz q xs xz ys yz", "r", contributed=True),
        ],
        {},
        1,
    ),
    "join": (
        [
            QUANTISE,
            node("MaxPool", "q", "a", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
            node("QLinearSigmoid", "q xs xz ss sz", "s", contributed=True),
            node("QLinearConcat", "ys yz a xs xz s ss sz", "r", axis=1, contributed=True),
        ],
        {"ss": F32(1 / 256), "sz": np.uint8(0)},
        1,
    ),
    "conv-integer": (
        [
            DYNAMIC,
            node("ConvInteger", "q w xz vz", "i"),
            node("Cast", "i", "f", to=1),
            node("Mul", "xs us", "s"),
            node("Mul", "f s"),
        ],
        {"w": WEIGHT["w"], "vz": np.int8(7), "us": F32(0.004)},
        0,
    ),
    "product-integer": (
        [
            DYNAMIC,
            node("MatMulInteger", "q m xz mz", "i"),
            node("Cast", "i", "f", to=1),
            node("Mul", "xs ms", "s"),
            node("Mul", "f s"),
        ],
        MATRIX,
        0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_numbers_are_the_runtimes_but_for_rounding(case: str, tmp_path: Path) -> None:
    nodes, constants, is_quantised = CASES[case]
    path = tmp_path / "net.onnx"
    given = {**SOURCE, **RESULT, **constants} if is_quantised else constants
    write_model(path, [*nodes, *[DEQUANTISE] * is_quantised], given, shape=SHAPE, opset=17)
    x = np.clip(np.random.default_rng(0).normal(size=SHAPE), -1.9, 1.9).astype(F32)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"x": x})
    network = load_spec(path)
    assert not any(layer.stands_for for layer in network.layers)
    found = run(prepared(way_to(network, "y"), Weights(network), x.dtype), x).activations
    assert np.linalg.norm(found - wanted) < 0.03 * np.linalg.norm(wanted)
    assert all("without rounding" in message for message in load_model(str(path), "m").messages)
