"""Which elements a Resize takes, against ONNX's own reference implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from convt_cli.models.onnx.nearest import Sampling

TRANSFORMATIONS = (
    *("half_pixel", "pytorch_half_pixel", "asymmetric"),
    *("align_corners", "half_pixel_symmetric"),
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def taken(sampling: Sampling, size: int, scale: float) -> list[int]:
    """The elements that the reference implementation takes of an axis."""
    resize = helper.make_node(
        "Resize",
        ["x", "", "scales"],
        ["y"],
        mode="nearest",
        coordinate_transformation_mode=sampling.transformation,
        nearest_mode=sampling.rounding,
    )
    graph = helper.make_graph(
        [resize],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [size])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [helper.make_tensor("scales", TensorProto.FLOAT, [1], [scale])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)])
    (result,) = ReferenceEvaluator(model).run(None, {"x": np.arange(size, dtype=np.float32)})
    return [int(value) for value in result]


samplings = st.builds(Sampling, st.sampled_from(TRANSFORMATIONS), st.sampled_from(ROUNDINGS))


@given(sampling=samplings, size=st.integers(1, 12), eighths=st.integers(1, 40))
def test_floors_are_what_the_reference_takes(sampling: Sampling, size: int, eighths: int) -> None:
    assume(size * eighths % 8 == 0)  # the reference takes a fraction of an output for one
    scale = eighths / 8  # exact in float32, as is what is computed from it
    output = size * eighths // 8
    floors = [number * size // output for number in range(output)]
    if sampling.takes_floors(size, output, scale):
        assert taken(sampling, size, scale) == floors


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling("asymmetric", "floor"),
        Sampling("half_pixel", "round_prefer_floor"),
        Sampling("pytorch_half_pixel", "round_prefer_ceil"),
    ],
)
@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_whole_factors_take_floors_however_they_are_found(sampling: Sampling, scale: int) -> None:
    assert sampling.takes_floors(7, 7 * scale, float(scale))
    assert taken(sampling, 7, float(scale)) == [number // scale for number in range(7 * scale)]


@pytest.mark.parametrize("sampling", [Sampling("half_pixel", "ceil"), Sampling("none", "floor")])
def test_others_do_not(sampling: Sampling) -> None:
    assert not sampling.takes_floors(3, 6, 2.0)
