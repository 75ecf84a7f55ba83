"""A spec handed to the arithmetic: each error at its key, and no error that hides another.

A layer that cannot be resolved passes on the shape it was expected to give; without one, what
stands behind it is left alone.  Any mapping of the right form loads or has diagnostics.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.keys import (
    FILLS,
    Bias,
    EarlierLayer,
    EarlierShape,
    FactorPerAxis,
    Flag,
    Number,
    PaddingPerAxis,
    Sizes,
    Weight,
    Word,
)
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.network import Network
from convt_cli.errors import Diagnostic
from convt_cli.render.diagnostics import diagnostic_text
from convt_cli.spec.layer_spec import Field, fields_of
from convt_cli.spec.load import load_spec
from tests.conftest import ZFNET, Found

Load = Callable[[str], Network]

INPUT = "input: [2, 8, 8]"
CONV = "type: conv, out_channels: 4, kernel_size: 3"
UP = "type: conv_transpose, out_channels: 3, kernel_size: 3"


def net(*layers: str, top: str = INPUT) -> str:
    """A spec with one layer a line, the first on the third."""
    return f"{top}\nlayers:\n" + "".join(f"  - {{{layer}}}\n" for layer in layers)


def words(text: str, one: Diagnostic) -> str:
    """What stands over the carets."""
    return text.split("\n")[one.line - 1][one.column - 1 :][: one.width]


def assert_at(found: Found, text: str, code: str, line: int, key: str) -> Diagnostic:
    """The one problem of a spec has this code and stands under this value."""
    (problem,) = found(text)
    assert (problem.code, problem.line, words(text, problem)) == (code, line, key)
    return problem


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a text as a spec called net.yaml."""

    def load(text: str) -> Network:
        path = tmp_path / "net.yaml"
        path.write_text(textwrap.dedent(text), encoding="utf-8")
        return load_spec(str(path))

    return load


class TestPlaces:
    @pytest.mark.parametrize(
        ("layer", "code", "key"),
        [
            (f"{CONV}, stride: [1, 2, 3]", "E106", "[1, 2, 3]"),
            (f"{CONV}, dilation: [1]", "E106", "[1]"),
            (f"{CONV}, padding: [[0, 1]]", "E106", "[[0, 1]]"),
            ("type: conv, out_channels: 4, kernel_size: [3, 9]", "E110", "[3, 9]"),
            ("type: conv, out_channels: 4, kernel_size: 9", "E110", "9"),
            (f"{CONV}, groups: 3", "E111", "3"),
            (f"{CONV}, groups: 4", "E111", "4"),
            (f"{CONV}, stride: 2, padding: same", "E113", "same"),
            (f"{CONV}, padding: same_lower", "E113", "same_lower"),
            (f"{CONV}, in_channels: 3", "E114", "3"),
            (f"{CONV}, padding: 8, padding_mode: reflect", "E116", "8"),
            (f"{CONV}, weight: [[[1]]]", "E121", "[[[1]]]"),
            (f"{CONV}, bias: [1, 2, 3]", "E121", "[1, 2, 3]"),
            (f"{CONV}, from: [input, input]", "E115", "[input, input]"),
            (f"{UP}, output_padding: 1", "E105", "1"),
            (f"{UP}, padding: 9", "E112", "9"),
            (f"{UP}, stride: 2, output_size: 19", "E118", "19"),
            (f"{UP}, output_size: 10, stride: [2, 2, 2]", "E106", "[2, 2, 2]"),
            (f"{UP}, stride: 2, output_padding: 1, output_size: 18", "E122", "1"),
            ("type: max_pool, kernel_size: 3, padding: 2", "E117", "2"),
            ("type: max_pool, kernel_size: 9", "E110", "9"),
            ("type: avg_pool, kernel_size: 2, padding: same", "E113", "same"),
            ("type: linear, out_features: 2", "E119", "linear"),
            ("type: reshape, shape: [3, -1]", "E120", "[3, -1]"),
            ("type: crop, padding: [[4, 4], [0, 0]]", "E112", "[[4, 4], [0, 0]]"),
            ("type: concat, axis: 3, from: [input, input]", "E107", "3"),
            ("type: add, from: [input]", "E115", "[input]"),
            ("type: add", "E115", "add"),
            ("type: relu, from: [input, input]", "E115", "[input, input]"),
        ],
    )
    def test_an_error_stands_at_its_key(
        self, found: Found, layer: str, code: str, key: str
    ) -> None:
        assert_at(found, net(layer), code, 3, key)

    def test_a_key_that_was_left_out_is_reported_at_the_type(self, found: Found) -> None:
        assert_at(found, net("type: flatten", CONV), "E119", 4, "conv")

    def test_a_default_is_reported_where_it_stands(self, found: Found) -> None:
        text = net("type: max_pool", top="input: [2, 8, 8]\ndefaults: {max_pool: {kernel_size: 9}}")
        assert_at(found, text, "E110", 2, "9")

    def test_the_message_names_the_axis(self, found: Found) -> None:
        problem = assert_at(
            found, net("type: conv, out_channels: 1, kernel_size: [3, 9]"), "E110", 3, "[3, 9]"
        )
        assert problem.value.endswith("on axis 1")

    def test_numbers_of_a_linear_bias_are_counted(self, found: Found) -> None:
        text = net("type: flatten", "type: linear, out_features: 2, bias: [1, 2, 3]")
        assert_at(found, text, "E121", 4, "[1, 2, 3]")

    def test_every_problem_of_one_layer_is_reported(self, found: Found) -> None:
        problems = found(net(f"{UP}, groups: 2, output_padding: 1"))
        assert [one.code for one in problems] == ["E111", "E105"]


class TestGoingOn:
    BROKEN = "type: conv, out_channels: 4, kernel_size: 9"

    def test_behind_a_broken_layer_its_expectation_is_taken(self, found: Found) -> None:
        text = net(f"{self.BROKEN}, expect: [4, 2, 2]", "type: max_pool, kernel_size: 3")
        assert [(one.code, one.line) for one in found(text)] == [("E110", 3), ("E110", 4)]

    def test_an_expectation_further_down_is_judged_by_it(self, found: Found) -> None:
        text = net(f"{self.BROKEN}, expect: [4, 2, 2]", "type: relu, expect: [4, 2, 3]")
        problem = found(text)[1]
        assert (problem.code, problem.line) == ("E201", 4)
        assert problem.value == "expected [4, 2, 3], the arithmetic gives [4, 2, 2]"

    @pytest.mark.parametrize(
        "broken",
        [BROKEN, "type: conv, out_channels: 4", "type: cnov", "type: relu, from: nowhere"],
    )
    def test_without_one_what_stands_behind_is_left_alone(self, found: Found, broken: str) -> None:
        text = net(broken, "type: max_pool, kernel_size: 99", "type: relu, expect: [9, 9]")
        assert [one.line for one in found(text)] == [3]

    def test_what_does_not_read_it_is_judged_all_the_same(self, found: Found) -> None:
        text = net(self.BROKEN, "type: max_pool, kernel_size: 99, from: input")
        assert [(one.code, one.line) for one in found(text)] == [("E110", 3), ("E110", 4)]

    def test_a_join_with_a_broken_source_is_left_alone(self, found: Found) -> None:
        text = net(f"name: a, {self.BROKEN}", "type: add, from: [input, a], expect: [1, 1]")
        assert [one.line for one in found(text)] == [3]

    def test_an_unmet_expectation_is_not_passed_on(self, found: Found) -> None:
        text = net("type: relu, expect: [2, 9, 9]", "type: tanh, expect: [2, 8, 8]")
        assert [(one.code, one.line) for one in found(text)] == [("E201", 3)]

    @pytest.mark.parametrize("name", ["input", "a"])
    def test_a_name_given_twice_with_shapes_of_two_ranks_is_no_more_than_that(
        self, found: Found, name: str
    ) -> None:
        broken = f"type: relu, name: {name}, from: nowhere, expect: [2, 8, 8, 8]"
        text = net("type: relu, name: a", broken, "type: max_pool, kernel_size: 2")
        assert [(one.code, one.line) for one in found(text)] == [("E109", 4), ("E108", 4)]

    def test_behind_an_input_that_cannot_be_read_nothing_is_judged(self, found: Found) -> None:
        text = net("type: max_pool, kernel_size: 99", top="input: [2]")
        assert [one.code for one in found(text)] == ["E119"]


class TestExpect:
    @pytest.mark.parametrize("shape", ["[4, 6]", "[4, 6, 7]", "[6, 6, 4]", "[4, 6, 6, 1]"])
    def test_another_shape_is_reported_at_it(self, found: Found, shape: str) -> None:
        problem = assert_at(found, net(f"{CONV}, expect: {shape}"), "E201", 3, shape)
        assert problem.value == f"expected {shape}, the arithmetic gives [4, 6, 6]"
        assert (problem.layer, "conv1" in problem.message) == ("conv1", True)

    def test_the_sizes_of_zf_net_hold(self, found: Found) -> None:
        assert found(ZFNET) == ()

    def test_zf_net_without_padding_and_with_floor_pooling_is_caught(self, found: Found) -> None:
        text = ZFNET.replace("stride: 2, padding: 1", "stride: 2").replace(", ceil_mode: true", "")
        problems = found(text)
        assert {one.code for one in problems} == {"E201"}
        assert problems[0].value == "expected [96, 110, 110], the arithmetic gives [96, 109, 109]"

    def test_zf_net_with_floor_pooling_alone_is_caught(self, found: Found) -> None:
        (problem, *_) = found(ZFNET.replace(", ceil_mode: true", ""))
        assert problem.value == "expected [96, 55, 55], the arithmetic gives [96, 54, 54]"


class TestNetwork:
    def test_resolved_twice_is_equal(self, load: Load) -> None:
        assert load(ZFNET) == load(ZFNET)

    def test_other_sizes_make_another(self, load: Load) -> None:
        assert load(ZFNET) != load(ZFNET.replace("224, 224", "224, 225"))

    def test_its_output_is_its_last_layer_s(self, load: Load) -> None:
        assert load(net(CONV, "type: relu, from: input")).output == (2, 8, 8)

    def test_a_layer_remembers_its_line_and_its_inputs(self, load: Load) -> None:
        layers = load(net(CONV, "type: add, from: [conv1, conv1]")).layers
        assert [(one.line, one.inputs) for one in layers] == [
            (3, ((2, 8, 8),)),
            (4, ((4, 6, 6), (4, 6, 6))),
        ]

    @pytest.mark.parametrize(
        ("first", "second", "counted"),
        [
            ("weight: w.npz#a, bias: w.npz#b", "weight: w.npz#a, bias: w.npz#b", 0),
            ("weight: w.npz#a, bias: w.npz#b", "weight: w.npz#a", 3),
            ("weight: w.npz#a, bias: false", "weight: w.npz#a, bias: w.npz#b", 3),
            ("bias: w.npz#b", "weight: w.npz#c, bias: w.npz#b", 9),
            ("weight: w.npz#a", "weight: v.npz#a", 12),
            ("weight: w.npz#a", "weight: {fill: ones}", 12),
        ],
    )
    def test_a_tensor_of_two_layers_counts_once(
        self, load: Load, first: str, second: str, counted: int
    ) -> None:
        """Each has a matrix of 3 x 3 and a shift of 3."""
        layers = (f"{{type: linear, out_features: 3, {keys}}}" for keys in (first, second))
        network = load(f"input: [3]\nlayers: [{', '.join(layers)}]")
        assert network.layers[1].geometry.parameters == counted

    def test_a_scale_by_one_tensor_twice_counts_once(self, load: Load) -> None:
        scales = ", ".join(["{type: scale, bias: w.npz#b}"] * 2)
        network = load(f"input: [3]\nlayers: [{scales}]")
        assert [layer.geometry.parameters for layer in network.layers] == [3, 0]

    def test_the_statistics_of_a_norm_count_with_its_weight(self, load: Load) -> None:
        norms = ", ".join(["{type: batch_norm, weight: w.npz#g, bias: w.npz#b}"] * 2)
        network = load(f"framework: keras\ninput: [3]\nlayers: [{norms}]")
        counts = [(one.geometry.parameters, one.geometry.not_trained) for one in network.layers]
        assert counts == [(12, 6), (0, 0)]

    def test_weight_files_come_once_each_in_the_order_of_the_file(self, load: Load) -> None:
        layers = (
            f"{CONV}, weight: b.npz#w, bias: b.npz#b",
            "type: conv, out_channels: 1, kernel_size: 1, weight: a.npy, bias: c.npy",
            "type: flatten",
            "type: linear, out_features: 2, bias: d.npy",
        )
        assert load(net(*layers)).weight_files == ("b.npz", "a.npy", "c.npy", "d.npy")

    def test_weight_files_of_a_scale_are_listed_too(self, load: Load) -> None:
        layer = "type: scale, weight: w.npz#a, bias: b.npy"
        assert load(net(layer)).weight_files == ("w.npz", "b.npy")

    @pytest.mark.parametrize(
        ("layers", "output"),
        [
            ((f"{UP}, stride: 2, padding: 1",), (3, 15, 15)),
            ((f"{UP}, stride: 2, padding: 1, output_padding: 1",), (3, 16, 16)),
            ((f"{UP}, stride: 2, padding: 1, output_size: [15, 16]",), (3, 15, 16)),
            ((f"{UP}, dilation: 2, padding: causal",), (3, 8, 8)),
            (("type: pad, padding: [[1, 2], [0, 3]]", "type: crop, padding: 1"), (2, 9, 9)),
            (("type: max_pool, kernel_size: 3, ceil_mode: true",), (2, 3, 3)),
            (("type: avg_pool, kernel_size: 3, stride: 1, padding: 1",), (2, 8, 8)),
            (("type: global_avg_pool",), (2, 1, 1)),
            (("type: flatten", "type: linear, out_features: 5"), (5,)),
            (("type: reshape, shape: [-1, 4]",), (32, 4)),
            (("type: relu", "type: concat, from: [input, relu1], axis: 1"), (2, 16, 8)),
            (("type: adaptive_avg_pool, output_size: [3, 20]",), (2, 3, 20)),
            (("type: upsample, scale_factor: 1.1",), (2, 8, 8)),
            (("type: upsample, scale_factor: [1.5, 25e-2], mode: bicubic",), (2, 12, 2)),
            (
                ("type: upsample, output_size: 100", "type: upsample, scale_factor: 0.29"),
                (2, 28, 28),  # 100 * 0.29 is 28.999999999999996 in double precision
            ),
            (
                ("type: upsample, output_size: 100", "type: upsample, scale_factor: 29/100"),
                (2, 29, 29),
            ),
            (("type: upsample, output_size: 5, mode: area",), (2, 5, 5)),
            (("type: pixel_unshuffle, factor: 4",), (32, 2, 2)),
            (("type: reshape, shape: [8, 4, 4]", "type: pixel_shuffle, factor: 2"), (2, 8, 8)),
            (("type: transpose, axes: [2, 0, 1]",), (8, 2, 8)),
            (("type: global_max_pool", "type: mul, from: [input, global_max_pool1]"), (2, 8, 8)),
            (("type: scale, weight: [2, 3]",), (2, 8, 8)),
            (("type: global_max_pool", "type: add, from: [input, global_max_pool1]"), (2, 8, 8)),
        ],
    )
    def test_shapes_worked_out_by_hand(
        self, load: Load, layers: tuple[str, ...], output: tuple[int, ...]
    ) -> None:
        assert load(net(*layers)).output == output


WRONG: st.SearchStrategy[Any] = st.sampled_from(
    [
        *(0, -1, 2**53 + 1, 10**50, 1.0, 0.5, float("nan"), True, None),
        *("x", "same", "3", "a\nb", "w.npz#k", "é日", {}, {"fill": "x"}, {"a": [1]}),
        *([], [1, 2, 3, 4], [[1, 2]], [[1, 2], 3], [None]),
    ]
)
NAMES = st.sampled_from(["a", "b", "c", "input", "conv1", "relu1", "no", "\x07", "é"])


def right_values(field: Field) -> st.SearchStrategy[Any]:
    """Values of a key's own kind; whether they fit the layer is another question."""
    small = st.integers(1, 4)
    match field.kind:
        case Sizes():
            return st.lists(st.integers(-1, 8), min_size=1, max_size=4)
        case PaddingPerAxis():
            pairs = st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=2), max_size=3)
            words = st.sampled_from(["same", "half", "full", "valid", "causal"])
            return st.one_of(st.integers(0, 2), pairs, words)
        case FactorPerAxis():
            return st.one_of(small, st.lists(st.floats(0.25, 4), min_size=1, max_size=3))
        case Flag():
            return st.booleans()
        case Word(choices=choices):
            return st.sampled_from(choices)
        case Weight() | Bias():
            numbers = st.lists(st.lists(st.integers(-2, 2), max_size=2), max_size=2)
            fills = st.fixed_dictionaries({"fill": st.sampled_from(FILLS)})
            rearranged = st.just({"from": "w.npz#a", "axes": [1, 0]})
            return st.one_of(fills, numbers, rearranged, st.just("w.npy"), st.booleans())
        case EarlierLayer() | EarlierShape():
            return NAMES
        case Number():
            return st.one_of(small, st.floats(-2, 2))
        case _:
            return st.one_of(small, st.lists(small, min_size=1, max_size=3))


COMMON: dict[str, st.SearchStrategy[Any]] = {
    "name": NAMES,
    "from": st.one_of(st.just("input"), NAMES, st.lists(NAMES, max_size=3)),
    "expect": st.lists(st.integers(1, 8), min_size=1, max_size=4),
}


@st.composite
def layers(draw: st.DrawFn, wrong: int) -> dict[str, Any]:
    """One layer; every value has `wrong` chances in ten to be of no kind at all."""
    layer_type = draw(st.sampled_from(list(LAYER_TYPES)))
    fields = fields_of(layer_type)
    values = {key: right_values(field) for key, field in fields.items()} | COMMON
    likely = {key for key, field in fields.items() if field.required}
    layer: dict[str, Any] = {"type": layer_type}
    for key, right in values.items():
        if draw(st.integers(0, 9)) < (9 if key in likely else 2):
            layer[key] = draw(WRONG if draw(st.integers(0, 9)) < wrong else right)
    return layer


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    """A spec of a few layers; half of them have values that are wrong on purpose."""
    wrong = draw(st.sampled_from([0, 1]))
    spec: dict[str, Any] = {
        "input": draw(st.lists(st.integers(1, 8), min_size=1, max_size=4)),
        "layers": draw(st.lists(layers(wrong), min_size=1, max_size=4)),
    }
    if draw(st.booleans()):
        layer_type = draw(st.sampled_from(list(LAYER_TYPES)))
        spec["defaults"] = {layer_type: {"kernel_size": draw(st.integers(1, 4))}}
    if wrong:
        spec[draw(st.sampled_from(["input", "layers", "defaults", "name", "zzz"]))] = draw(WRONG)
    return spec


class TestAnyMapping:
    @settings(deadline=None, max_examples=300)
    @given(spec=specs(), flow=st.sampled_from([True, False, None]))
    def test_loads_or_has_diagnostics_within_the_text(
        self, found: Found, spec: dict[str, Any], flow: bool | None
    ) -> None:
        text = yaml.safe_dump(spec, default_flow_style=flow, allow_unicode=True, sort_keys=False)
        lines = text.split("\n")
        problems = found(text.encode())
        assert all(1 <= one.column <= len(lines[one.line - 1]) + 1 for one in problems)
        assert all(one.code in diagnostic_text(one) for one in problems)
        assert [one.line for one in problems] == sorted(one.line for one in problems)

    @settings(deadline=None, max_examples=200)
    @given(spec=specs())
    def test_that_has_no_diagnostics_has_all_its_layers(
        self, found: Found, tmp_path_factory: pytest.TempPathFactory, spec: dict[str, Any]
    ) -> None:
        text = yaml.safe_dump(spec, allow_unicode=True, sort_keys=False)
        path = tmp_path_factory.getbasetemp() / "any.yaml"
        path.write_text(text, encoding="utf-8")
        if all(one.code == "E201" for one in found(text.encode())):
            assert len(load_spec(str(path)).layers) == len(spec["layers"])
