"""The numbers of activations and norms: what a spec gives, else what the framework has."""

from __future__ import annotations

from typing import Any

import pytest

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, at_opset
from convt_cli.arithmetic.keys import FileReference, Inline
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.activations import (
    Clip,
    Elu,
    Function,
    Gelu,
    HardSigmoid,
    HardSwish,
    LeakyRelu,
    LogSoftmax,
    Power,
    Softmax,
)
from convt_cli.arithmetic.layers.base import Geometry, Spans
from convt_cli.arithmetic.layers.norms import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Lrn
from convt_cli.arithmetic.layers.pointwise import PRelu
from convt_cli.errors import GeometryError

FILE = FileReference(file="w.npy")
Keys = dict[str, Any]
Refusal = tuple[str, str]


def ones(*shape: int) -> Inline:
    count = 1
    for size in shape:
        count *= size
    return Inline(shape=shape, values=(1,) * count)


def refusal(layer: Definition, source: Shape, framework: str = "pytorch") -> Refusal:
    for error in layer.problems(FRAMEWORKS[framework]):
        return error.code, error.field
    with pytest.raises(GeometryError) as caught:
        layer.resolve((source,), FRAMEWORKS[framework])
    return caught.value.code, caught.value.field


class TestActivations:
    @pytest.mark.parametrize(
        "layer",
        [
            *(LeakyRelu(), Elu(), Clip(), HardSigmoid(), HardSwish(), Gelu()),
            *(Function(function="erf"), Power(exponent=-0.5)),
        ],
        ids=str,
    )
    def test_keep_the_shape_and_read_one_element(self, layer: Definition) -> None:
        for framework in FRAMEWORKS.values():
            assert layer.resolve(((3, 4, 5),), framework) == Geometry(output=(3, 4, 5))

    def test_what_is_given_comes_first(self) -> None:
        for framework in FRAMEWORKS.values():
            assert LeakyRelu(alpha=0.2).slope(framework) == 0.2
            assert Elu(alpha=0.5).limit(framework) == 0.5
            assert HardSigmoid(alpha=0.3, beta=0.1).line(framework) == (0.3, 0.1)
            assert Gelu(approximate="none").uses_tanh(framework) is False
        assert HardSwish(alpha=0.3, beta=0.1).line == (0.3, 0.1)

    @pytest.mark.parametrize(
        ("framework", "slope", "hard", "tanh"),
        [
            ("pytorch", 0.01, 1 / 6, False),
            ("onnx", 0.01, 0.2, False),
            ("keras", 0.3, 1 / 6, False),
            ("tensorflow", 0.2, 1 / 6, False),
            ("jax", 0.01, 1 / 6, True),
            ("caffe", 0.0, 1 / 6, False),
        ],
    )
    def test_what_is_left_out_is_the_frameworks(
        self, framework: str, slope: float, hard: float, tanh: bool
    ) -> None:
        rules = FRAMEWORKS[framework]
        assert LeakyRelu().slope(rules) == slope
        assert HardSigmoid().line(rules) == (hard, 0.5)
        assert Gelu().uses_tanh(rules) is tanh
        assert Elu().limit(rules) == 1

    def test_a_clip_has_its_bounds_in_order(self) -> None:
        assert refusal(Clip(minimum=1, maximum=0), (3,)) == ("E107", "minimum")
        assert not list(Clip(minimum=1, maximum=1).problems(FRAMEWORKS["pytorch"]))

    @pytest.mark.parametrize(
        ("framework", "opset", "axes"),
        [
            ("pytorch", None, (0,)),
            ("keras", None, (0,)),
            ("onnx", 13, (2,)),
            ("onnx", 12, (0, 1, 2)),
        ],
    )
    def test_a_softmax_sums_along_the_frameworks_axis(
        self, framework: str, opset: int | None, axes: Shape
    ) -> None:
        rules = FRAMEWORKS[framework]
        rules = rules if opset is None else at_opset(rules, opset)
        assert Softmax().axes(3, rules) == axes
        assert Softmax(axis=1).axes(3, rules) == (1,)
        assert Softmax().axes(1, rules) == (0,)

    def test_a_softmax_reads_all_of_its_axis(self) -> None:
        assert LogSoftmax(axis=1).axes(3, FRAMEWORKS["onnx"]) == (1,)
        dependence = Softmax(axis=1).resolve(((3, 4, 5),), FRAMEWORKS["pytorch"]).dependence
        assert isinstance(dependence, Spans)
        assert [span is None for span in dependence.axes] == [True, False]
        assert refusal(Softmax(axis=3), (3, 4, 5)) == ("E107", "axis")


class TestPRelu:
    @pytest.mark.parametrize(
        ("framework", "slopes", "stored"),
        [
            ("pytorch", None, (1,)),
            ("pytorch", 3, (3,)),
            ("keras", None, (4, 5, 3)),
            ("onnx", 60, (3, 4, 5)),
        ],
    )
    def test_its_weight_is_stored_as_the_framework_has_it(
        self, framework: str, slopes: int | None, stored: Shape
    ) -> None:
        rules = FRAMEWORKS[framework]
        layer = PRelu(num_parameters=slopes)
        assert layer.stored_shape((3, 4, 5), rules) == stored
        written = PRelu(num_parameters=slopes, weight=ones(*stored))
        assert written.resolve(((3, 4, 5),), rules) == layer.resolve(((3, 4, 5),), rules)

    def test_its_weight_has_that_shape(self) -> None:
        assert refusal(PRelu(weight=ones(3)), (3, 4)) == ("E121", "weight")


NORMS = {
    "batch_norm_eps": BatchNorm,
    "instance_norm_eps": InstanceNorm,
    "group_norm_eps": GroupNorm,
    "layer_norm_eps": LayerNorm,
}


class TestNorms:
    @pytest.mark.parametrize("name", NORMS)
    def test_eps_is_the_given_one_or_the_frameworks(self, name: str) -> None:
        for framework in FRAMEWORKS.values():
            assert NORMS[name]().epsilon(framework) == getattr(framework.numbers, name)
            assert NORMS[name](eps=0.0).epsilon(framework) == 0

    @pytest.mark.parametrize(
        ("keys", "count"),
        [
            ({}, 14),
            ({"affine": False}, 0),
            ({"bias": False}, 7),
            ({"affine": False, "bias": False}, 0),
            ({"weight": ones(7), "bias": ones(7)}, 14),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("norm", [BatchNorm, GroupNorm])
    def test_have_a_scale_and_a_shift(self, norm: Any, keys: Keys, count: int) -> None:
        geometry = norm(**keys).resolve(((7, 4),), FRAMEWORKS["pytorch"])
        assert geometry == Geometry(output=(7, 4), parameters=count)

    def test_an_instance_norm_with_a_weight_is_affine(self) -> None:
        rules = FRAMEWORKS["pytorch"]
        assert InstanceNorm(weight=FILE).resolve(((7, 4),), rules).parameters == 14
        assert InstanceNorm(weight=FILE, bias=False).resolve(((7, 4),), rules).parameters == 7

    @pytest.mark.parametrize(
        ("layer", "expected"),
        [
            (BatchNorm(affine=False, weight=FILE), ("E122", "weight")),
            (LayerNorm(affine=False, bias=True), ("E122", "bias")),
            (BatchNorm(running_mean=FILE), ("E102", "running_mean")),
            (BatchNorm(running_var=FILE), ("E102", "running_var")),
            (BatchNorm(running_mean=ones(3), running_var=FILE), ("E121", "running_mean")),
            (GroupNorm(num_groups=4), ("E111", "num_groups")),
            (LayerNorm(weight=ones(6)), ("E121", "weight")),
            (InstanceNorm(bias=ones(2)), ("E121", "bias")),
        ],
        ids=str,
    )
    def test_refuse(self, layer: Definition, expected: Refusal) -> None:
        assert refusal(layer, (6, 5)) == expected

    def test_groups_are_the_given_ones_or_the_frameworks(self) -> None:
        keras = FRAMEWORKS["keras"]
        assert GroupNorm().groups(FRAMEWORKS["pytorch"]) is None
        assert GroupNorm().groups(keras) == 32
        assert refusal(GroupNorm(), (6, 5), "keras") == ("E111", "num_groups")
        assert GroupNorm(num_groups=3).resolve(((6, 5),), keras).parameters == 12

    @pytest.mark.parametrize(
        ("framework", "axes", "stored"),
        [
            ("pytorch", (1, 0), (0, 1)),
            ("pytorch", None, (0, 1, 2)),
            ("keras", (0, 2), (2, 0)),
            ("keras", (2, 1), (1, 2)),
        ],
    )
    def test_a_layer_norm_stores_its_axes_in_the_frameworks_order(
        self, framework: str, axes: Shape | None, stored: Shape
    ) -> None:
        layer = LayerNorm(normalized_axes=axes)
        assert layer.stored_axes(3, FRAMEWORKS[framework]) == stored


class TestLrn:
    @pytest.mark.parametrize(
        ("framework", "window", "numbers"),
        [
            ("pytorch", None, (1, 1e-4, 0.75)),
            ("onnx", None, (1, 1e-4, 0.75)),
            ("caffe", (2, 2), (1, 1 / 5, 0.75)),
            ("tensorflow", (5, 5), (1, 1, 0.5)),
        ],
    )
    def test_what_is_left_out_is_the_frameworks(
        self, framework: str, window: Any, numbers: Any
    ) -> None:
        rules = FRAMEWORKS[framework]
        assert Lrn().window(rules) == window
        assert Lrn().numbers(rules) == numbers

    def test_what_is_given_comes_first(self) -> None:
        layer = Lrn(size=3, k=2.0, alpha=6.0, beta=0.5)
        assert layer.numbers(FRAMEWORKS["caffe"]) == (2, 2, 0.5)
        assert layer.numbers(FRAMEWORKS["tensorflow"]) == (2, 6, 0.5)

    def test_only_pytorch_has_an_even_window(self) -> None:
        assert Lrn(size=4).window(FRAMEWORKS["pytorch"]) == (2, 1)
        assert not list(Lrn(size=4).problems(FRAMEWORKS["pytorch"]))
        assert refusal(Lrn(size=4), (6, 5), "onnx") == ("E125", "size")

    def test_reads_its_window_of_channels(self) -> None:
        dependence = Lrn(size=3).resolve(((6, 5),), FRAMEWORKS["pytorch"]).dependence
        assert isinstance(dependence, Spans)
        assert dependence.channels is not None
        assert dependence.channels[0].of(2) == (1, 3)
        unknown = Lrn().resolve(((6, 5),), FRAMEWORKS["pytorch"]).dependence
        assert isinstance(unknown, Spans)
        assert unknown.channels is not None
        assert unknown.channels[0].of(2) == (0, 5)
