"""What a spec may say: its keys, the kinds of their values, names, sources, defaults, weights.

Every diagnostic has its code, its line, and under its caret exactly the words at fault; a run
reports every problem of a spec, in the order of its lines.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convt_cli.arithmetic.keys import (
    FileReference,
    Fill,
    Inline,
)
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.network import Network
from convt_cli.errors import RequestError, SpecError
from convt_cli.spec.layer_spec import fields_of
from convt_cli.spec.load import load_spec
from tests.conftest import Found
from tests.spec.texts import CONV, INPUT, Seen, assert_found, layer, net, required, seen

Load = Callable[[str], Network]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Loads a text as a spec called net.yaml."""

    def load(text: str) -> Network:
        path = tmp_path / "net.yaml"
        path.write_text(text, encoding="utf-8")
        return load_spec(str(path))

    return load


class TestTop:
    def test_the_smallest_spec(self, load: Load) -> None:
        network = load("input: [1, 28, 28]\nlayers: [{type: relu}]")
        assert (network.name, network.framework) == ("net", "pytorch")
        assert network.inputs == (("input", (1, 28, 28)),)
        assert [layer.name for layer in network.layers] == ["relu1"]

    def test_it_may_name_itself_and_its_framework(self, load: Load) -> None:
        network = load(net("type: relu", top=f"name: my net\nframework: pytorch\n{INPUT}"))
        assert (network.name, network.framework) == ("my net", "pytorch")

    @pytest.mark.parametrize(
        ("top", "expected"),
        [
            ("nam: x", ("E101", 2, "nam")),
            ("'': x", ("E101", 2, "''")),
            ("1: x", ("E101", 2, "1")),
            ("name: 3", ("E103", 2, "3")),
            ("name: ''", ("E103", 2, "''")),
            ("name: [a]", ("E103", 2, "[a]")),
            ("name: true", ("E103", 2, "true")),
            ("framework: pytorhc", ("E104", 2, "pytorhc")),
            ("framework: PyTorch", ("E104", 2, "PyTorch")),
            ("framework: 3", ("E103", 2, "3")),
            ("framework: [pytorch]", ("E103", 2, "[pytorch]")),
            ("defaults: 4", ("E103", 2, "4")),
            ("defaults: [conv]", ("E103", 2, "[conv]")),
            ("defaults: {conf: {}}", ("E104", 2, "conf")),
            ("defaults: {conv: 3}", ("E103", 2, "3")),
            ("defaults: {conv: {strid: 1}}", ("E101", 2, "strid")),
            ("defaults: {conv: {name: a}}", ("E101", 2, "name")),
            ("defaults: {conv: {type: conv}}", ("E101", 2, "type")),
            ("defaults: {conv: {from: input}}", ("E101", 2, "from")),
            ("defaults: {conv: {expect: [1, 1]}}", ("E101", 2, "expect")),
            ("defaults: {conv: {stride: 0}}", ("E107", 2, "0")),
        ],
    )
    def test_what_it_cannot_say(self, found: Found, top: str, expected: Seen) -> None:
        assert_found(found, net("type: relu", top=f"{INPUT}\n{top}"), expected)

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("layers: [{type: relu}]", ("E102", 1, "l")),
            (INPUT, ("E102", 1, "i")),
            (f"{INPUT}\nlayers:", ("E103", 2, "")),
            (f"{INPUT}\nlayers: []", ("E103", 2, "[]")),
            (f"{INPUT}\nlayers: {{type: relu}}", ("E103", 2, "{type: relu}")),
            (f"{INPUT}\nlayers: relu", ("E103", 2, "relu")),
        ],
    )
    def test_input_and_layers_are_required(self, found: Found, text: str, expected: Seen) -> None:
        assert_found(found, text, expected)


class TestInput:
    @pytest.mark.parametrize("sizes", ["[1, 4]", "[1, 4, 5]", "[1, 4, 5, 6]", "\n  - 1\n  - 4"])
    def test_it_has_channels_and_one_to_three_axes(self, load: Load, sizes: str) -> None:
        assert load(f"input: {sizes}\nlayers: [{{type: relu}}]").inputs[0][1][:2] == (1, 4)

    def test_several_are_named_and_the_first_is_the_default_source(self, load: Load) -> None:
        network = load(net("type: relu", top="input: {b: [1, 4], a: [2, 5]}"))
        assert network.inputs == (("b", (1, 4)), ("a", (2, 5)))
        assert network.layers[0].sources == ("b",)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("3", ("E103", 1, "3")),
            ("'[1, 4]'", ("E103", 1, "'[1, 4]'")),
            ("[]", ("E103", 1, "[]")),
            ("[1, 1, 2, 3, 4]", ("E119", 1, "[1, 1, 2, 3, 4]")),
            ("[1, 0]", ("E107", 1, "0")),
            ("[1, -4]", ("E107", 1, "-4")),
            ("[1, 4.0]", ("E103", 1, "4.0")),
            ("[1, true]", ("E103", 1, "true")),
            ("[1, [4]]", ("E103", 1, "[4]")),
            ("[1, 9007199254740993]", ("E107", 1, "9007199254740993")),
            ("{}", ("E103", 1, "{}")),
            ("{a: 3}", ("E103", 1, "3")),
            ("{a: [1, 1, 2, 3, 4]}", ("E119", 1, "[1, 1, 2, 3, 4]")),
        ],
    )
    def test_what_it_cannot_be(self, found: Found, value: str, expected: Seen) -> None:
        assert_found(found, net("type: relu", top=f"input: {value}"), expected)

    def test_the_largest_size_is_two_to_the_53(self, found: Found) -> None:
        assert found(net("type: relu", top="input: [1, 9007199254740992]")) == ()


class TestVectors:
    @pytest.mark.parametrize("top", ["input: [400]", "input: {a: [400], b: [1, 4]}"])
    def test_an_input_may_have_no_spatial_axes(self, load: Load, top: str) -> None:
        network = load(net("type: relu", "type: linear, out_features: 7", top=top))
        assert network.inputs[0][1] == (400,)
        assert network.output == (7,)

    def test_a_convolution_needs_spatial_axes(self, found: Found) -> None:
        assert_found(found, net(CONV, top="input: [400]"), ("E119", 3, "conv"))


class TestOutputs:
    TOP = f"{INPUT}\noutputs: "
    LAYERS = ("type: relu, name: a", CONV, "type: relu, name: c, from: a")

    def test_without_the_key_it_is_the_last_layers(self, load: Load) -> None:
        network = load(net(*self.LAYERS))
        assert (network.outputs, network.output) == (("c",), (2, 8, 8))

    def test_they_come_in_the_order_that_is_written(self, load: Load) -> None:
        network = load(net(*self.LAYERS, top=self.TOP + "[conv1, a]"))
        assert network.output_shapes == {"conv1": (4, 6, 6), "a": (2, 8, 8)}
        assert list(network.output_shapes) == ["conv1", "a"]
        assert network.output == (4, 6, 6)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("a", ("E103", 2, "a")),
            ("[]", ("E103", 2, "[]")),
            ("[3]", ("E103", 2, "3")),
            ("[a, zzz]", ("E108", 2, "zzz")),
            ("[input]", ("E108", 2, "input")),
            ("[a, conv1, a]", ("E109", 2, "a")),
        ],
    )
    def test_what_they_cannot_be(self, found: Found, value: str, expected: Seen) -> None:
        assert_found(found, net(*self.LAYERS, top=self.TOP + value), expected)

    def test_a_layer_that_cannot_be_resolved_is_the_only_problem(self, found: Found) -> None:
        text = net("type: max_pool, name: p, kernel_size: 9", top=self.TOP + "[p]")
        assert_found(found, text, ("E110", 4, "9"))


class TestLike:
    CROP = "type: crop, like: "

    def test_names_an_input(self, load: Load) -> None:
        network = load(net(f"{self.CROP}b", top="input: {a: [2, 9], b: [1, 3]}"))
        assert network.output == (2, 3)
        assert network.layers[0].sources == ("a",)

    def test_names_a_layer(self, load: Load) -> None:
        pool = "type: max_pool, name: p, kernel_size: 2"
        network = load(net(pool, f"{self.CROP}p, from: input"))
        assert network.output == (2, 4, 4)
        assert network.layers[-1].sources == ("input",)

    @pytest.mark.parametrize(
        ("name", "expected"),
        [("zzz", ("E108", 3, "zzz")), ("crop1", ("E108", 3, "crop1")), ("3", ("E103", 3, "3"))],
    )
    def test_names_what_stands_above(self, found: Found, name: str, expected: Seen) -> None:
        assert_found(found, net(f"{self.CROP}{name}"), expected)

    def test_a_default_cannot_name_a_layer(self, found: Found) -> None:
        text = net("type: crop", top=f"{INPUT}\ndefaults: {{crop: {{like: input}}}}")
        assert ("E108", 2, "input") in seen(text, found(text))


class TestNumber:
    @pytest.mark.parametrize(
        ("text", "value"), [("0.2", 0.2), ("1e-3", 0.001), ("3", 3.0), ("-1", -1.0)]
    )
    def test_is_a_float(self, load: Load, text: str, value: float) -> None:
        definition: Any = load(net(f"type: leaky_relu, alpha: {text}")).layers[0].definition
        assert (type(definition.alpha), definition.alpha) == (float, value)

    @pytest.mark.parametrize("text", [".nan", ".inf", "true", "x", "'1'", "[1]", "~", "1/3"])
    def test_what_it_cannot_be(self, found: Found, text: str) -> None:
        problems = seen(net(f"type: elu, alpha: {text}"), found(net(f"type: elu, alpha: {text}")))
        assert problems == [("E103", 3, text)]

    @pytest.mark.parametrize(
        ("text", "code"), [("-1e-9", "E107"), ("-1", "E107"), ("0", None), ("0.0", None)]
    )
    def test_can_have_a_least_value(self, found: Found, text: str, code: str | None) -> None:
        problems = found(net(f"type: batch_norm, eps: {text}"))
        assert [one.code for one in problems] == [code] * (code is not None)


class TestRearranged:
    """A weight that is an array of a file in another order of axes and another shape."""

    def test_its_parts(self, load: Load) -> None:
        text = f"{CONV}, weight: {{from: w.npz#a/b, axes: [1, 0], shape: [4, 2, 3, 3]}}"
        definition: Any = load(net(text)).layers[0].definition
        assert definition.weight == FileReference(
            file="w.npz", key="a/b", axes=(1, 0), shape=(4, 2, 3, 3)
        )
        assert load(net(text)).weight_files == ("w.npz",)

    @pytest.mark.parametrize(
        ("weight", "expected"),
        [
            ("{from: 3}", ("E103", 3, "3")),
            ("{from: '#a'}", ("E103", 3, "'#a'")),
            ("{from: w.npy, axes: [1, 1]}", ("E127", 3, "[1, 1]")),
            ("{from: w.npy, axes: [1, 2]}", ("E127", 3, "[1, 2]")),
            ("{from: w.npy, axes: 1}", ("E103", 3, "1")),
            ("{from: w.npy, shape: [4, -1]}", ("E107", 3, "-1")),
            ("{from: w.npy, axis: [1]}", ("E101", 3, "axis")),
            ("{from: w.npy, fill: ones}", ("E101", 3, "fill")),
            ("{axes: [1, 0]}", ("E101", 3, "axes")),
        ],
    )
    def test_what_it_cannot_be(self, found: Found, weight: str, expected: Seen) -> None:
        assert_found(found, net(f"{CONV}, weight: {weight}"), expected)


class TestNames:
    def test_a_layer_without_one_has_its_type_and_running_number(self, load: Load) -> None:
        network = load(net("type: relu", "type: tanh", "type: relu, name: a", "type: relu"))
        assert [layer.name for layer in network.layers] == ["relu1", "tanh1", "a", "relu3"]

    @pytest.mark.parametrize("name", ["no", "'3'", '"a b"', "é日", "3:30"])
    def test_a_word_or_a_quoted_text_is_one(self, load: Load, name: str) -> None:
        (layer,) = load(net(f"type: relu, name: {name}")).layers
        assert layer.name == name.strip("'\"")

    @pytest.mark.parametrize("name", ["3", "''", "~", "1e3", "true", "[a]", "{a: b}"])
    def test_anything_else_is_none(self, found: Found, name: str) -> None:
        assert_found(found, net(f"type: relu, name: {name}"), ("E103", 3, name))

    @pytest.mark.parametrize(
        ("layers", "expected"),
        [
            (("type: relu, name: x", "type: tanh, name: x"), ("E109", 4, "x")),
            (("type: relu, name: input",), ("E109", 3, "input")),
            (("type: relu, name: relu2", "type: relu"), ("E109", 4, "relu")),
        ],
    )
    def test_no_two_share_one(self, found: Found, layers: tuple[str, ...], expected: Seen) -> None:
        assert_found(found, net(*layers), expected)

    def test_the_message_says_where_the_other_stands(self, found: Found) -> None:
        (problem,) = found(net("type: relu, name: x", "type: relu, name: x"))
        assert "line 3" in problem.value


class TestFrom:
    def test_without_it_a_layer_reads_the_one_before(self, load: Load) -> None:
        network = load(net("type: relu", "type: tanh", "type: elu"))
        assert [layer.sources for layer in network.layers] == [("input",), ("relu1",), ("tanh1",)]

    def test_it_names_one_source_or_several(self, load: Load) -> None:
        layers = ("type: relu", "type: tanh, from: input", "type: add, from: [relu1, tanh1]")
        assert load(net(*layers)).layers[-1].sources == ("relu1", "tanh1")

    def test_a_source_may_be_named_twice(self, load: Load) -> None:
        assert load(net("type: concat, from: [input, input]")).output == (4, 8, 8)

    @pytest.mark.parametrize(
        ("layers", "expected"),
        [
            (("type: relu, from: nowhere",), ("E108", 3, "nowhere")),
            (("type: relu, from: later", "type: relu, name: later"), ("E108", 3, "later")),
            (("type: relu, name: me, from: me",), ("E108", 3, "me")),
            (("type: relu, from: relu1",), ("E108", 3, "relu1")),
            (("type: add, from: [input, nowhere]",), ("E108", 3, "nowhere")),
            (("type: relu, from: 3",), ("E103", 3, "3")),
            (("type: relu, from: ~",), ("E103", 3, "~")),
            (("type: relu, from: [[input]]",), ("E103", 3, "[input]")),
            (("type: relu, from: {a: b}",), ("E103", 3, "{a: b}")),
        ],
    )
    def test_it_names_what_stands_above_and_nothing_else(
        self, found: Found, layers: tuple[str, ...], expected: Seen
    ) -> None:
        assert_found(found, net(*layers), expected)

    def test_an_empty_list_names_nothing_and_is_refused(self, found: Found) -> None:
        text = net("type: relu, from: []", "type: tanh")
        assert [(line, words) for _, line, words in seen(text, found(text))] == [(3, "[]")]

    def test_every_unknown_source_is_reported(self, found: Found) -> None:
        text = net("type: add, from: [a, b, input]")
        assert_found(found, text, ("E108", 3, "a"), ("E108", 3, "b"))


class TestExpect:
    def test_it_may_be_left_out_or_met(self, found: Found) -> None:
        assert found(net("type: relu, expect: [2, 8, 8]", "type: relu")) == ()

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            ("3", ("E103", 3, "3")),
            ("[]", ("E103", 3, "[]")),
            ("[2, x]", ("E103", 3, "x")),
            ("[2, 0]", ("E107", 3, "0")),
            ("[2, -1, 8]", ("E107", 3, "-1")),
            ("[2, 8]", ("E201", 3, "[2, 8]")),
            ("[2, 8, 8, 1]", ("E201", 3, "[2, 8, 8, 1]")),
            ("[2, 8, 9]", ("E201", 3, "[2, 8, 9]")),
        ],
    )
    def test_it_is_a_shape_and_the_right_one(
        self, found: Found, value: str, expected: Seen
    ) -> None:
        assert_found(found, net(f"type: relu, expect: {value}"), expected)


class TestDefaults:
    def test_they_hold_for_every_layer_of_their_type(self, load: Load) -> None:
        top = f"{INPUT}\ndefaults: {{conv: {{kernel_size: 3, padding: 1}}}}"
        layers = ("type: conv, out_channels: 4", "type: conv, out_channels: 5")
        assert [layer.output for layer in load(net(*layers, top=top)).layers] == [
            (4, 8, 8),
            (5, 8, 8),
        ]

    def test_a_layer_overrides_them_key_by_key(self, load: Load) -> None:
        top = f"{INPUT}\ndefaults: {{conv: {{kernel_size: [3, 3], padding: 1, bias: false}}}}"
        network = load(net("type: conv, out_channels: 1, kernel_size: [1, 5]", top=top))
        definition: Any = network.layers[0].definition
        assert (definition.kernel_size, definition.padding, definition.bias) == ((1, 5), 1, False)

    def test_they_say_nothing_to_other_types(self, load: Load) -> None:
        top = f"{INPUT}\ndefaults: {{max_pool: {{stride: 1}}}}"
        assert load(net("type: avg_pool, kernel_size: 2", top=top)).output == (2, 4, 4)

    @pytest.mark.parametrize(
        ("default", "expected"),
        [
            ("kernel_size: 0", ("E107", 2, "0")),
            ("kernel_size: 3, output_padding: 2, stride: 2", ("E105", 2, "2")),
            ("kernel_size: 3, groups: 2", ("E111", 2, "2")),
            ("kernel_size: 3, padding: same", ("E113", 2, "same")),
            ("kernel_size: [3, 3, 3]", ("E106", 2, "[3, 3, 3]")),
        ],
    )
    def test_what_is_wrong_with_them_is_reported_once(
        self, found: Found, default: str, expected: Seen
    ) -> None:
        top = f"{INPUT}\ndefaults: {{conv_transpose: {{{default}}}}}"
        layers = ["type: conv_transpose, out_channels: 3, from: input"] * 3
        assert_found(found, net(*layers, top=top), expected)

    def test_a_value_of_the_layer_s_own_is_reported_where_it_stands(self, found: Found) -> None:
        top = f"{INPUT}\ndefaults: {{max_pool: {{kernel_size: 2}}}}"
        assert_found(found, net("type: max_pool, kernel_size: 9", top=top), ("E110", 4, "9"))

    def test_a_layer_can_mend_a_default_that_does_not_suit_it(self, found: Found) -> None:
        top = f"{INPUT}\ndefaults: {{conv: {{kernel_size: 9, out_channels: 1}}}}"
        assert found(net("type: conv, kernel_size: 3", top=top)) == ()

    def test_a_type_that_no_layer_has_is_let_pass(self, found: Found) -> None:
        assert found(net("type: relu", top=f"{INPUT}\ndefaults: {{conv: {{stride: 2}}}}")) == ()


class TestKeys:
    @pytest.mark.parametrize("layer_type", LAYER_TYPES)
    def test_an_unknown_one_is_refused_in_every_type(self, found: Found, layer_type: str) -> None:
        text = net(f"type: {layer_type}, zzz: 1")
        assert ("E101", 3, "zzz") in seen(text, found(text))

    @pytest.mark.parametrize(
        ("layer_type", "key"),
        [
            (layer_type, key)
            for layer_type in LAYER_TYPES
            for key, field in fields_of(layer_type).items()
            if field.required
        ],
    )
    def test_a_required_one_is_missed(self, found: Found, layer_type: str, key: str) -> None:
        keys = required(layer_type)
        del keys[key]
        text = net("type: max_pool, kernel_size: 1, name: pool", layer(layer_type, keys))
        assert_found(found, text, ("E102", 4, layer_type))
        assert found(text)[0].message == f"{layer_type} needs {key}"

    @pytest.mark.parametrize(
        ("written", "expected"),
        [
            ("name: a", ("E102", 3, "{name: a}")),
            ("type: cnov", ("E104", 3, "cnov")),
            ("type: Conv", ("E104", 3, "Conv")),
            ("type: ~", ("E103", 3, "~")),
            ("type: [conv]", ("E103", 3, "[conv]")),
        ],
    )
    def test_a_layer_has_a_type(self, found: Found, written: str, expected: Seen) -> None:
        assert_found(found, net(written), expected)

    @pytest.mark.parametrize("written", ["3", "[a]", "relu", "~"])
    def test_a_layer_is_a_mapping(self, found: Found, written: str) -> None:
        assert_found(found, f"{INPUT}\nlayers: [{written}]", ("E103", 2, written))

    def test_a_layer_without_a_usable_type_can_still_be_named(self, found: Found) -> None:
        text = net("type: rely, name: a", "type: relu, from: a")
        assert_found(found, text, ("E104", 3, "rely"))


class TestValues:
    @pytest.mark.parametrize(
        ("key", "text", "value"),
        [
            ("kernel_size", "3", 3),
            ("kernel_size", "010", 10),
            ("kernel_size", "0x3", 3),
            ("kernel_size", "+3", 3),
            ("kernel_size", "[1, 2]", (1, 2)),
            ("stride", "[2, 0o1]", (2, 1)),
            ("padding", "0", 0),
            ("padding", "[0, 1]", (0, 1)),
            ("padding", "[[0, 1], [2, 3]]", ((0, 1), (2, 3))),
            ("padding", "valid", "valid"),
            ("padding", "half", "half"),
            ("padding", "full", "full"),
            ("padding", "causal", "causal"),
            ("padding", "same", "same"),
            ("padding_mode", "circular", "circular"),
            ("bias", "true", True),
            ("bias", "False", False),
            ("bias", "b.npy", FileReference(file="b.npy")),
            ("bias", "[1, 2, 3, 4]", Inline(shape=(4,), values=(1, 2, 3, 4))),
            ("weight", "w.npy", FileReference(file="w.npy")),
            ("weight", "w.npz#up1", FileReference(file="w.npz", key="up1")),
            ("weight", "w.npz#a#b", FileReference(file="w.npz", key="a#b")),
            ("weight", "'12'", FileReference(file="12")),
            ("weight", "{fill: ones}", Fill(fill="ones")),
            ("weight", "{fill: index}", Fill(fill="index")),
            ("weight", "{fill: bilinear}", Fill(fill="bilinear")),
            ("weight", "{fill: normal, seed: 7}", Fill(fill="normal", seed=7)),
            ("weight", "{seed: 7, fill: normal}", Fill(fill="normal", seed=7)),
        ],
    )
    def test_what_a_conv_reads(self, load: Load, key: str, text: str, value: object) -> None:
        keys = {"out_channels": "4", "kernel_size": "3", key: text}
        network = load(net(layer("conv", keys), top="input: [2, 20, 20]"))
        assert getattr(network.layers[0].definition, key) == value

    @pytest.mark.parametrize(
        ("text", "shape", "values"),
        [
            ("[[[1, 2]]]", (1, 1, 2), (1, 2)),
            ("[[[0x0A, 1.5]]]", (1, 1, 2), (10, 1.5)),
            ("[[[.5, -.inf]]]", (1, 1, 2), (0.5, float("-inf"))),
            ("[[[010, 9007199254740992]]]", (1, 1, 2), (10, 2**53)),
        ],
    )
    def test_nested_lists_are_a_weight(
        self, load: Load, text: str, shape: tuple[int, ...], values: tuple[int | float, ...]
    ) -> None:
        keys = {"out_channels": "1", "kernel_size": "2", "weight": text}
        definition: Any = load(net(layer("conv", keys), top="input: [1, 4]")).layers[0].definition
        assert definition.weight == Inline(shape=shape, values=values)

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ("kernel_size: 3.0", ("E103", "3.0")),
            ("kernel_size: 1e0", ("E103", "1e0")),
            ("kernel_size: '3'", ("E103", "'3'")),
            ("kernel_size: true", ("E103", "true")),
            ("kernel_size: 3:30", ("E103", "3:30")),
            ("kernel_size: 1_0", ("E103", "1_0")),
            ("kernel_size: .nan", ("E103", ".nan")),
            ("kernel_size: 2020-13-45", ("E103", "2020-13-45")),
            ("kernel_size: ~", ("E103", "~")),
            ("kernel_size: []", ("E103", "[]")),
            ("kernel_size: {a: 1}", ("E103", "{a: 1}")),
            ("kernel_size: [[3, 3]]", ("E103", "[3, 3]")),
            ("kernel_size: [3, x]", ("E103", "x")),
            ("kernel_size: 0", ("E107", "0")),
            ("kernel_size: [3, 0]", ("E107", "0")),
            ("kernel_size: 9007199254740993", ("E107", "9007199254740993")),
            ("kernel_size: -9007199254740993", ("E107", "-9007199254740993")),
            ("kernel_size: 3, stride: 0", ("E107", "0")),
            ("kernel_size: 3, dilation: -1", ("E107", "-1")),
            ("kernel_size: 3, groups: 0", ("E107", "0")),
            ("kernel_size: 3, groups: [1]", ("E103", "[1]")),
            ("kernel_size: 3, in_channels: 0", ("E107", "0")),
            ("kernel_size: 3, padding: -1", ("E107", "-1")),
            ("kernel_size: 3, padding: [-1, 0]", ("E107", "-1")),
            ("kernel_size: 3, padding: [[0, -1], [0, 0]]", ("E107", "-1")),
            ("kernel_size: 3, padding: sam", ("E104", "sam")),
            ("kernel_size: 3, padding: []", ("E103", "[]")),
            ("kernel_size: 3, padding: {}", ("E103", "{}")),
            ("kernel_size: 3, padding: true", ("E103", "true")),
            ("kernel_size: 3, padding: 1.0", ("E103", "1.0")),
            ("kernel_size: 3, padding: [valid, 1]", ("E103", "valid")),
            ("kernel_size: 3, padding: [[1, 2], 3]", ("E103", "3")),
            ("kernel_size: 3, padding: [[1, 2, 3]]", ("E103", "[1, 2, 3]")),
            ("kernel_size: 3, padding: [[1]]", ("E103", "[1]")),
            ("kernel_size: 3, padding_mode: zero", ("E104", "zero")),
            ("kernel_size: 3, padding_mode: 0", ("E103", "0")),
            ("kernel_size: 3, bias: yes.npy, weight: 3", ("E103", "3")),
            ("kernel_size: 3, bias: 1", ("E103", "1")),
            ("kernel_size: 3, bias: ~", ("E103", "~")),
            ("kernel_size: 3, weight: true", ("E103", "true")),
            ("kernel_size: 3, weight: ~", ("E103", "~")),
            ("kernel_size: 3, weight: ''", ("E103", "''")),
            ("kernel_size: 3, weight: '#k'", ("E103", "'#k'")),
            ('kernel_size: 3, weight: "a\\0"', ("E103", '"a\\0"')),
            ("kernel_size: 3, weight: []", ("E103", "[]")),
            ("kernel_size: 3, weight: [[]]", ("E103", "[[]]")),
            ("kernel_size: 3, weight: [a]", ("E103", "a")),
            ("kernel_size: 3, weight: [true]", ("E103", "true")),
            ("kernel_size: 3, weight: [1, [2]]", ("E103", "[2]")),
            ("kernel_size: 3, weight: [[1], 2]", ("E103", "2")),
            ("kernel_size: 3, weight: [[1], [1, 2]]", ("E103", "[1, 2]")),
            ("kernel_size: 3, weight: [9007199254740993]", ("E107", "9007199254740993")),
            ("kernel_size: 3, weight: {}", ("E102", "{}")),
            ("kernel_size: 3, weight: {seed: 1}", ("E102", "{seed: 1}")),
            ("kernel_size: 3, weight: {fill: one}", ("E104", "one")),
            ("kernel_size: 3, weight: {fill: 1}", ("E103", "1")),
            ("kernel_size: 3, weight: {fill: ones, sed: 1}", ("E101", "sed")),
            ("kernel_size: 3, weight: 2", ("E103", "2")),
            ("kernel_size: 3, bias: 2.5", ("E103", "2.5")),
            ("kernel_size: 3, weight: {fill: ones, seed: -1}", ("E107", "-1")),
            ("kernel_size: 3, weight: {fill: ones, seed: 1.0}", ("E103", "1.0")),
        ],
    )
    def test_what_a_conv_refuses(self, found: Found, keys: str, expected: tuple[str, str]) -> None:
        code, words = expected
        assert_found(found, net(f"type: conv, out_channels: 4, {keys}"), (code, 3, words))

    @pytest.mark.parametrize(
        ("written", "code", "words"),
        [
            ("type: max_pool, kernel_size: 2, ceil_mode: yes", "E103", "yes"),
            ("type: max_pool, kernel_size: 2, ceil_mode: 1", "E103", "1"),
            ("type: max_pool, kernel_size: 2, count_include_pad: 1", "E101", "count_include_pad"),
            ("type: avg_pool, kernel_size: 2, dilation: 2", "E125", "2"),
            ("type: avg_pool, kernel_size: 2, count_include_pad: 0", "E103", "0"),
            ("type: global_avg_pool, kernel_size: 2", "E101", "kernel_size"),
            ("type: reshape, shape: 4", "E103", "4"),
            ("type: reshape, shape: [-2]", "E107", "-2"),
            ("type: reshape, shape: [-1, -1]", "E120", "[-1, -1]"),
            ("type: reshape, shape: [0, 4]", "E120", "[0, 4]"),
            ("type: reshape, shape: [0, -1]", "E120", "[0, -1]"),
            ("type: reshape, shape: [-1, 0, -1]", "E120", "[-1, 0, -1]"),
            ("type: pad, padding: same", "E103", "same"),
            ("type: crop, padding: [[1, 2], [x, 1]]", "E103", "x"),
            ("type: concat, axis: -1", "E107", "-1"),
            ("type: upsample", "E102", "upsample"),
            ("type: upsample, scale_factor: 2, output_size: 4", "E122", "2"),
            ("type: upsample, scale_factor: 0", "E107", "0"),
            ("type: upsample, scale_factor: -0.5", "E107", "-0.5"),
            ("type: upsample, scale_factor: 0.0", "E107", "0.0"),
            ("type: upsample, scale_factor: 1e300", "E107", "1e300"),
            ("type: upsample, scale_factor: .inf", "E107", ".inf"),
            ("type: upsample, scale_factor: .nan", "E107", ".nan"),
            ("type: upsample, scale_factor: 3:2", "E103", "3:2"),
            ("type: upsample, scale_factor: 3/0", "E107", "3/0"),
            ("type: upsample, scale_factor: 0/3", "E107", "0/3"),
            ("type: upsample, scale_factor: -3/2", "E103", "-3/2"),
            ("type: upsample, scale_factor: 3/2/1", "E103", "3/2/1"),
            ("type: upsample, scale_factor: true", "E103", "true"),
            ("type: upsample, scale_factor: []", "E103", "[]"),
            ("type: upsample, scale_factor: [1.5, x]", "E103", "x"),
            ("type: upsample, scale_factor: 2, mode: cubist", "E104", "cubist"),
            ("type: adaptive_avg_pool, output_size: 0", "E107", "0"),
            ("type: adaptive_max_pool, output_size: [1, 2.5]", "E103", "2.5"),
            ("type: pixel_shuffle, factor: [2, 2]", "E103", "[2, 2]"),
            ("type: transpose, axes: [0, 2, 2]", "E127", "[0, 2, 2]"),
            ("type: transpose, axes: [-1, 0, 1]", "E107", "-1"),
            ("type: scale, weight: true", "E103", "true"),
            ("type: concat, axis: channels", "E103", "channels"),
            ("type: linear, out_features: 0", "E107", "0"),
            ("type: conv_transpose, out_channels: 1, kernel_size: 3, padding_mode: circular",
             "E104", "circular"),
            ("type: conv, out_channels: 1, kernel_size: 3, output_padding: 1",
             "E101", "output_padding"),
            ("type: relu, out_channels: 1", "E101", "out_channels"),
        ],
    )  # fmt: skip
    def test_what_other_types_refuse(
        self, found: Found, written: str, code: str, words: str
    ) -> None:
        assert_found(found, net(written), (code, 3, words))

    @pytest.mark.parametrize("text", ["3.0", "1e3"])
    def test_a_whole_float_is_told_how_to_be_written(self, found: Found, text: str) -> None:
        (problem,) = found(net(f"type: conv, kernel_size: 1, out_channels: {text}"))
        assert problem.help == f"write {int(float(text))}"


class TestReporting:
    def test_no_more_than_a_thousand_problems_are_told(self, found: Found) -> None:
        layers = "".join(f"  - {{type: relu, from: none{n}}}\n" for n in range(1500))
        problems = found(f"input: [1, 4]\nlayers:\n{layers}")
        assert [one.code for one in problems] == ["E108"] * 1000 + ["E007"]
        assert problems[-1].line == 1002

    def test_all_problems_come_in_one_run_in_the_order_of_their_lines(self, found: Found) -> None:
        text = (
            "name: 3\n"
            "frame: x\n"
            "input: [2, 8, 8]\n"
            "defaults: {conv: {strid: 1, padding: x}, max_pool: {kernel_size: 2}}\n"
            "layers:\n"
            "  - {type: conv, out_channels: 4, kernel_size: 0, padding: 0}\n"
            "  - {type: max_pool, from: nowhere}\n"
            "  - {type: unknown}\n"
            "  - {type: max_pool, from: input, stride: a, ceil_mode: b, expect: [2, 4]}\n"
            "  - {type: linear, out_features: 2, from: input}\n"
            "  - {type: relu, from: input, expect: [1, 8, 8]}\n"
        )
        assert_found(
            found,
            text,
            ("E103", 1, "3"),
            ("E101", 2, "frame"),
            ("E101", 4, "strid"),
            ("E104", 4, "x"),
            ("E107", 6, "0"),
            ("E108", 7, "nowhere"),
            ("E104", 8, "unknown"),
            ("E103", 9, "a"),
            ("E103", 9, "b"),
            ("E119", 10, "linear"),
            ("E201", 11, "[1, 8, 8]"),
        )

    @pytest.mark.parametrize(
        ("text", "count"),
        [
            (net("type: conv"), 2),
            ("name: x\n", 2),
            ("input: {a: [0], b: 3}\nlayers: [{type: relu}]\n", 2),
            ("input: [x, 0, 4]\nlayers: [{type: relu}]\n", 2),
            (net("type: relu, expect: [0, x, 8]"), 2),
            (net("type: conv, out_channels: 1, kernel_size: [0, x]"), 2),
            (net(f"{CONV}, weight: {{fil: ones, sed: 1}}"), 2),
            (net("type: conv_transpose, out_channels: 3, kernel_size: 3, groups: 2,"
                 " output_padding: 1"), 2),
        ],
    )  # fmt: skip
    def test_one_problem_does_not_hide_another(self, found: Found, text: str, count: int) -> None:
        assert len(found(text)) >= count

    @pytest.mark.parametrize(
        "keys",
        ["stride: 0", "from: nowhere", "expect: 3", "expect: [1, 1]", "zzz: 1", "weight: 3"],
    )
    def test_a_problem_of_a_layer_names_the_layer(self, found: Found, keys: str) -> None:
        (problem,) = found(net(f"{CONV}, name: my layer, {keys}"))
        assert problem.layer == "my layer"

    def test_the_last_layer_of_many_is_found_on_its_line(self, found: Found) -> None:
        text = net(*["type: relu"] * 300, "type: rely")
        assert_found(found, text, ("E104", 303, "rely"))

    def test_an_error_says_how_many_there_are(self, load: Load) -> None:
        with pytest.raises(
            SpecError, match=r"net\.yaml:3:12: unknown type: got 'a' \(and 1 more\)"
        ):
            load(net("type: a", "type: b"))

    def test_load_spec_does_not_judge_expect(self, load: Load) -> None:
        assert load(net("type: relu, expect: [9, 9]")).output == (2, 8, 8)

    @pytest.mark.parametrize(
        ("override", "inputs"),
        [
            ({"": (1, 5, 6)}, (("input", (1, 5, 6)),)),
            ({"input": (1, 5, 6)}, (("input", (1, 5, 6)),)),
        ],
    )
    def test_an_input_can_be_replaced(
        self, tmp_path: Path, override: dict[str, tuple[int, ...]], inputs: object
    ) -> None:
        path = tmp_path / "net.yaml"
        path.write_text(net("type: relu"), encoding="utf-8")
        assert load_spec(str(path), input=override).inputs == inputs

    def test_an_input_that_the_spec_does_not_have_cannot_be_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "net.yaml"
        path.write_text(net("type: relu"), encoding="utf-8")
        with pytest.raises(RequestError, match="no input 'other'"):
            load_spec(str(path), input={"other": (1, 5)})
