"""Every step: linear ones by the dot test, others by finite differences, the rules by hand.

Each type stands in a network of its own, between two convolutions where it has several sources.
"""

from __future__ import annotations

import numpy as np
import pytest

from convt_cli.analysis.backward.layers import STEPS, step_type
from convt_cli.analysis.backward.run import Recorded, prepared, run, way_to
from convt_cli.analysis.backward.step import BackKind
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.vocabulary import RULES, Rule
from convt_cli.files.weights import Weights
from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec
from tests.oracle import Array

ONE = "input: {shape}\nlayers: [{{name: last, {keys}}}]"
FLAT = "input: {shape}\nlayers: [{{type: flatten}}, {{name: last, {keys}}}]"
TWO = """
    input: {shape}
    layers:
      - {{name: a, type: conv, out_channels: 4, kernel_size: 1}}
      - {{name: b, type: global_avg_pool, from: input}}
      - {{name: last, {keys}}}
    """

KEYS = {
    "conv": "type: conv, out_channels: 6, kernel_size: 3, stride: 2, padding: 1, groups: 2, bias: "
    "[1, 2, 3, 4, 5, 6]",
    "conv_transpose": "type: conv_transpose, out_channels: 6, kernel_size: 3, stride: 2, groups: 2",
    "scale": "type: scale, weight: [1, -2, 3, 4], bias: [1, 0, 2, 0]",
    "max_pool": "type: max_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true",
    "avg_pool": "type: avg_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true",
    "adaptive_max_pool": "type: adaptive_max_pool, output_size: [2, 4]",
    "adaptive_avg_pool": "type: adaptive_avg_pool, output_size: [2, 7]",
    "max_unpool": "type: max_unpool, pool: p",
    "lrn": "type: lrn, size: 3, alpha: 2, beta: 0.6",
    "group_norm": "type: group_norm, num_groups: 2, weight: [1, 2, 3, 4], bias: [1, 0, 2, 1]",
    "layer_norm": "type: layer_norm, normalized_axes: [0, 2], eps: 0.1",
    "instance_norm": "type: instance_norm, weight: [1, 2, 3, 4]",
    "batch_norm": "type: batch_norm, running_mean: [1, 2, 3, 4], running_var: [1, 4, 9, 0.5], "
    "weight: [2, 1, 1, 3], bias: [0, 1, 0, 1]",
    "prelu": "type: prelu, num_parameters: 4, weight: [0.1, 0.2, 2, 0]",
    "softmax": "type: softmax, axis: 1",
    "log_softmax": "type: log_softmax, axis: 1",
    "function": "type: function, function: erf",
    "power": "type: power, exponent: 3",
    "linear": "type: linear, out_features: 7, bias: [1, 2, 3, 4, 5, 6, 7]",
    "upsample": "type: upsample, scale_factor: 1.5",
    "slice": "type: slice, axis: 1, begin: -1, end: 1, step: -2",
    "pad": "type: pad, padding: [[1, 2], [0, 3]]",
    "crop": "type: crop, padding: [[1, 2], [0, 3]]",
    "pixel_shuffle": "type: pixel_shuffle, factor: 2",
    "pixel_unshuffle": "type: pixel_unshuffle, factor: 2",
    "reshape": "type: reshape, shape: [16, -1]",
    "transpose": "type: transpose, axes: [2, 0, 1]",
    "concat": "type: concat, axis: 1, from: [a, input]",
    "add": "type: add, from: [a, b, a]",
    "mul": "type: mul, from: [a, b]",
}
WITHOUT_STEP = ()
"""The layer types that do nothing to arrays; `tests.test_registries` holds all others to a step."""
UNPOOLED = """
    input: {shape}
    layers:
      - {{name: p, type: max_pool, kernel_size: 2}}
      - {{name: last, {keys}}}
    """
TEXTS = {"linear": FLAT, "max_unpool": UNPOOLED, **dict.fromkeys(("concat", "add", "mul"), TWO)}


def network_of(spec: WriteSpec, name: str) -> Network:
    keys = KEYS.get(name, f"type: {name}")
    return load_spec(spec(TEXTS.get(name, ONE).format(keys=keys, shape="[4, 6, 8]")))


def recorded(network: Network, image: Array) -> Recorded:
    ready = prepared(way_to(network, "last"), Weights(network), image.dtype)
    return run(ready, image)


def normal(shape: tuple[int, ...], seed: int = 0) -> Array:
    array: Array = np.random.default_rng(seed).standard_normal(shape)
    return array


def of_kind(*kinds: BackKind) -> list[str]:
    steps = {name: STEPS.get(definition) for name, definition in LAYER_TYPES.items()}
    return [name for name, step in steps.items() if step is not None and step.kind in kinds]


class TestLinear:
    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize("name", of_kind(BackKind.LINEAR))
    def test_the_way_back_is_the_transpose(self, spec: WriteSpec, name: str, rule: Rule) -> None:
        """<A x, y> = <x, Aᵀ y>, where A x is what remains without the bias."""
        network = network_of(spec, name)
        x = normal((2, *network.inputs[0][1]))
        there, zero = recorded(network, x), recorded(network, np.zeros_like(x))
        y = normal(there.activations.shape, seed=1)
        forward = (there.activations - zero.activations) * y
        assert forward.sum() == pytest.approx((x * there.down(y, rule)).sum(), rel=1e-10)
        assert forward.any()

    def test_a_bias_is_added_on_the_way_up_alone(self, spec: WriteSpec) -> None:
        network = network_of(spec, "conv")
        x = np.zeros((1, *network.inputs[0][1]))
        there = recorded(network, x)
        assert there.activations[0, :, 1, 1].tolist() == [1, 2, 3, 4, 5, 6]
        assert not there.down(np.zeros_like(there.activations), "gradient").any()


class TestOthers:
    @pytest.mark.parametrize(
        "name", of_kind(BackKind.SWITCHED, BackKind.RECTIFIER, BackKind.SMOOTH)
    )
    def test_the_gradient_is_that_of_small_differences(self, spec: WriteSpec, name: str) -> None:
        network = network_of(spec, name)
        shape = (1, *network.inputs[0][1])
        x, step = 3 * normal(shape), 1e-6 * normal(shape, seed=1)
        y = normal(recorded(network, x).activations.shape, seed=2)
        above, below = (recorded(network, x + sign * step).activations for sign in (1, -1))
        expected = ((above - below) * y).sum() / 2
        found = (recorded(network, x).down(y, "gradient") * step).sum()
        assert found == pytest.approx(expected, rel=1e-5)

    @pytest.mark.parametrize("name", of_kind(BackKind.SWITCHED, BackKind.SMOOTH))
    def test_guided_is_the_gradient_where_there_is_no_sign_to_keep(
        self, spec: WriteSpec, name: str
    ) -> None:
        network = network_of(spec, name)
        there = recorded(network, normal((1, *network.inputs[0][1])))
        y = normal(there.activations.shape, seed=2)
        assert np.array_equal(there.down(y, "guided"), there.down(y, "gradient"))

    @pytest.mark.parametrize("name", of_kind(BackKind.SMOOTH))
    def test_deconvnet_has_no_way_back_through_what_is_smooth(self, name: str) -> None:
        assert [STEPS[LAYER_TYPES[name]].has_way_back(rule) for rule in RULES] == [
            False,
            True,
            True,
        ]


RECTIFIERS = [
    # type, rule, what comes back for signals -1 and 2 at the forward inputs -3, 0, 4 and 7
    ("relu", "deconvnet", [[0, 0, 0, 0], [2, 2, 2, 2]]),
    ("relu", "gradient", [[0, 0, -1, -1], [0, 0, 2, 2]]),
    ("relu", "guided", [[0, 0, 0, 0], [0, 0, 2, 2]]),
    ("leaky_relu", "deconvnet", [[0, 0, 0, 0], [2, 2, 2, 2]]),
    ("leaky_relu", "gradient", [[-0.01, -0.01, -1, -1], [0.02, 0.02, 2, 2]]),
    ("leaky_relu", "guided", [[0, 0, 0, 0], [0.02, 0.02, 2, 2]]),
    ("prelu", "gradient", [[-0.25, -0.25, -1, -1], [0.5, 0.5, 2, 2]]),
    ("clip", "deconvnet", [[0, 0, 0, 0], [2, 2, 2, 2]]),
    ("clip", "gradient", [[0, 0, -1, 0], [0, 0, 2, 0]]),
    ("clip", "guided", [[0, 0, 0, 0], [0, 0, 2, 0]]),
]


@pytest.mark.parametrize(("name", "rule", "expected"), RECTIFIERS)
def test_a_rectifier_by_each_rule(
    spec: WriteSpec, name: str, rule: Rule, expected: list[list[float]]
) -> None:
    network = load_spec(spec(f"input: [1, 4]\nlayers: [{{name: last, type: {name}}}]"))
    there = recorded(network, np.array([[[-3.0, 0, 4, 7]]]))
    found = [there.down(np.full((1, 1, 4), signal), rule)[0, 0].tolist() for signal in (-1.0, 2.0)]
    assert found == expected


class TestTable:
    @pytest.mark.parametrize(
        ("framework", "mode", "size", "known"),
        [
            ("pytorch", "bicubic", 3, True),
            ("jax", "linear", 9, True),
            ("jax", "linear", 3, False),
            ("jax", "nearest", 3, True),
            ("tensorflow", "area", 2, True),
            ("tensorflow", "area", 3, False),
        ],
    )
    def test_an_upsample_has_one_unless_its_weights_are_not_known(
        self, spec: WriteSpec, framework: str, mode: str, size: int, known: bool
    ) -> None:
        keys = f"type: upsample, output_size: {size}, mode: {mode}"
        text = f"framework: {framework}\n" + ONE.format(shape="[1, 4, 4]", keys=keys)
        network = load_spec(spec(text))
        assert (step_type(network.layers[0], FRAMEWORKS[framework]) is not None) is known

    @pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "area"])
    @pytest.mark.parametrize("size", ["[9, 11]", "[3, 17]"])
    def test_an_upsample_goes_back_by_its_transpose(
        self, spec: WriteSpec, mode: str, size: str
    ) -> None:
        keys = f"type: upsample, output_size: {size}, mode: {mode}"
        network = load_spec(spec(ONE.format(shape="[2, 6, 8]", keys=keys)))
        there = recorded(network, x := normal((1, 2, 6, 8)))
        y = normal(there.activations.shape, seed=1)
        down = there.down(y, "gradient")
        assert (there.activations * y).sum() == pytest.approx((x * down).sum(), rel=1e-10)


class TestPools:
    """Which elements an average counts, by framework."""

    @pytest.mark.parametrize(
        ("framework", "more", "expected"),
        [
            ("pytorch", "", [[1, 3, 2]]),
            ("pytorch", ", count_include_pad: false", [[1.5, 3, 3]]),
            ("onnx", "", [[1.5, 3, 3]]),
            ("caffe", "", [[1, 3, 2]]),
        ],
    )
    def test_padding_counts_by_the_framework_s_rule(
        self, spec: WriteSpec, framework: str, more: str, expected: list[list[float]]
    ) -> None:
        keys = f"type: avg_pool, kernel_size: 3, stride: 2, padding: 1{more}"
        text = f"framework: {framework}\n" + ONE.format(shape="[1, 5]", keys=keys)
        image = np.array([[[1.0, 2, 3, 4, 2]]])
        assert recorded(load_spec(spec(text)), image).activations[0].tolist() == expected

    def test_same_padding_never_counts_in_tensorflow(self, spec: WriteSpec) -> None:
        keys = "type: avg_pool, kernel_size: 2, stride: 2, padding: same"
        text = "framework: tensorflow\n" + ONE.format(shape="[1, 5]", keys=keys)
        found = recorded(load_spec(spec(text)), np.array([[[1.0, 3, 2, 4, 7]]]))
        assert found.activations[0].tolist() == [[2, 3, 7]]


class TestNumbers:
    @pytest.mark.parametrize(
        ("framework", "weight"),
        [("pytorch", [[1, 2, 3], [4, 5, 6]]), ("keras", [[1, 4], [2, 5], [3, 6]])],
    )
    def test_a_matrix_is_stored_as_the_framework_has_it(
        self, spec: WriteSpec, framework: str, weight: list[list[int]]
    ) -> None:
        keys = f"type: linear, out_features: 2, weight: {weight}, bias: [10, 20]"
        text = f"framework: {framework}\n" + FLAT.format(shape="[3, 1]", keys=keys)
        network = load_spec(spec(text))
        found = recorded(network, np.array([[[1.0], [10], [100]]]))
        assert found.activations.tolist() == [[331, 674]]

    def test_a_matrix_may_have_no_bias(self, spec: WriteSpec) -> None:
        keys = "type: linear, out_features: 1, weight: [[1, 2, 3]], bias: false"
        network = load_spec(spec(FLAT.format(shape="[3, 1]", keys=keys)))
        assert recorded(network, np.ones((1, 3, 1))).activations.tolist() == [[6]]

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ("", [1, 10]),
            (", weight: [2, 3]", [2, 30]),
            (", bias: [5, 6]", [6, 16]),
            (", weight: [2, 3], bias: true", [2, 30]),
            (", weight: 2.5", [2.5, 25]),
            (", weight: [2], bias: 3", [5, 23]),
        ],
    )
    def test_a_scale_has_what_it_is_given(
        self, spec: WriteSpec, keys: str, expected: list[float]
    ) -> None:
        network = load_spec(spec(ONE.format(shape="[2, 1]", keys=f"type: scale{keys}")))
        found = recorded(network, np.array([[[1.0], [10]]]))
        assert found.activations[0, :, 0].tolist() == expected

    def test_pixels_are_shuffled_as_pytorch_does(self, spec: WriteSpec) -> None:
        network = load_spec(
            spec(ONE.format(shape="[4, 1, 1]", keys="type: pixel_shuffle, factor: 2"))
        )
        found = recorded(network, np.arange(4.0).reshape(1, 4, 1, 1))
        assert found.activations[0].tolist() == [[[0, 1], [2, 3]]]
