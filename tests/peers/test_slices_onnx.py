"""ONNX Runtime as a peer for slices: which elements each begin, end and step takes."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from convt_cli.arithmetic.layers.rearranging import Slice

onnx: Any = pytest.importorskip("onnx")
onnxruntime: Any = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.peers


def slicing() -> Any:
    """A session that slices `x`, a vector of any length, by `b`, `e` and `s`."""
    helper, int64 = onnx.helper, onnx.TensorProto.INT64
    node = helper.make_node("Slice", ["x", "b", "e", "a", "s"], ["y"])
    inputs = [helper.make_tensor_value_info(name, int64, [None]) for name in "xbes"]
    axis = onnx.numpy_helper.from_array(np.array([0]), "a")
    output = helper.make_tensor_value_info("y", int64, [None])
    graph = helper.make_graph([node], "g", inputs, [output], [axis])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString())


@pytest.mark.parametrize("size", [1, 2, 5])
def test_a_slice_takes_the_same_elements(size: int) -> None:
    session = slicing()
    places = range(-7, 8)
    for begin, end, step in product(places, places, (-3, -2, -1, 1, 2, 3)):
        given = {
            "x": np.arange(size),
            **{k: np.array([v]) for k, v in zip("bes", (begin, end, step))},
        }
        (theirs,) = session.run(None, given)
        mine = Slice(axis=0, begin=begin, end=end, step=step).elements(size)
        assert list(mine) == theirs.tolist()
