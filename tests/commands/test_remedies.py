"""A remedy that a message names is pasted, and the error is gone."""

from __future__ import annotations

import json
import re
import shlex
from typing import ClassVar

import pytest

from convt_cli.arithmetic.layers import LAYER_TYPES
from tests.conftest import Found, Outcome, Run, WriteSpec

INPUT = "input: [4, 8, 8]\n"


def net(*layers: str, top: str = INPUT) -> str:
    """A spec of these layers, each the inside of a mapping."""
    return top + "layers:\n" + "".join(f"  - {{{layer}}}\n" for layer in layers)


def the_help(found: Found, text: str, code: str) -> str:
    """The remedy of a spec's only problem, which must have this code."""
    (problem,) = found(text)
    assert problem.code == code
    return problem.help


def quoted(remedy: str, start: str = "") -> str:
    """The first text in backquotes of a remedy, which begins with `start`."""
    pasted = re.search(rf"`({re.escape(start)}[^`]*)`", remedy)
    assert pasted, remedy
    return pasted[1]


def run_quoted(run: Run, remedy: str, start: str, *more: str) -> Outcome:
    """The outcome of the command in a remedy."""
    convt, *arguments = shlex.split(quoted(remedy, start))
    assert convt == "convt"
    return run(*arguments, *more)


class TestWordsOfOtherTools:
    """E101, E104: the layer is written with the word that is suggested."""

    TYPES = (
        *("Conv2D", "Conv2d", "conv2d", "Convolution", "tf.conv", "ConvTranspose2d"),
        *("Conv2DTranspose", "Deconvolution", "MaxPool2d", "MaxPooling2D", "AveragePooling2D"),
        *("AvgPool2d", "AveragePool", "GlobalAveragePooling2D", "GlobalMaxPool", "UpSampling2D"),
        *(
            "Resize",
            "ZeroPadding2D",
            "ZeroPad2d",
            "Cropping2D",
            "BatchNormalization",
            "BatchNorm2d",
        ),
        *(
            "LayerNormalization",
            "Dense",
            "Gemm",
            "InnerProduct",
            "Linear",
            "Eltwise",
            "Concatenate",
        ),
        *("Permute", "PixelShuffle", "DepthToSpace", "SpaceToDepth", "LeakyReLU", "ReLU", "ReLU6"),
        *("SELU", "Hardswish", "Softsign", "LogSoftmax", "Dropout2d", "Lrn", "Identity"),
    )
    KEYS: ClassVar[dict[str, str]] = {
        "conv": "out_channels: 4, kernel_size: 3",
        "conv_transpose": "out_channels: 4, kernel_size: 3",
        **dict.fromkeys(("max_pool", "avg_pool"), "kernel_size: 2"),
        "upsample": "scale_factor: 2",
        **dict.fromkeys(("pad", "crop"), "padding: 1"),
        **dict.fromkeys(("pixel_shuffle", "pixel_unshuffle"), "factor: 2"),
        "transpose": "axes: [0, 2, 1]",
        "linear": "out_features: 3",
        **dict.fromkeys(("add", "concat"), "from: [input, input]"),
    }

    @pytest.mark.parametrize("word", TYPES)
    def test_a_type_has_one_here(self, found: Found, word: str) -> None:
        remedy = the_help(found, net(f"type: {word}"), "E104")
        meant = re.fullmatch(r"did you mean '(\w+)'\?|use (\w+) with `(stands_for: \w+)`.*", remedy)
        assert meant, remedy
        name = meant[1] or meant[2]
        assert name in LAYER_TYPES
        keys = ", ".join(filter(None, (f"type: {name}", self.KEYS.get(name), meant[3])))
        assert found(net(*["type: flatten"] * (name == "linear"), keys)) == ()

    @pytest.mark.parametrize("word", ["depthwise_conv", "DepthwiseConv2D", "depthwise"])
    def test_a_depthwise_conv_is_one_in_groups(self, found: Found, word: str) -> None:
        remedy = the_help(found, net(f"type: {word}"), "E104")
        assert (
            remedy == "use conv with groups and out_channels both set to the channels of its source"
        )
        keys = "type: conv, groups: 4, out_channels: 4, kernel_size: 3, expect: [4, 6, 6]"
        assert found(net(keys)) == ()

    @pytest.mark.parametrize("word", ["separable_conv", "SeparableConv2D"])
    def test_a_separable_conv_is_two(self, found: Found, run: Run, word: str) -> None:
        remedy = the_help(found, net(f"type: {word}"), "E104")
        assert remedy.startswith("use two convs: one with groups and out_channels both set to")
        assert quoted(remedy) == "kernel_size: 1"
        both = (
            "type: conv, groups: 4, out_channels: 4, kernel_size: 3, bias: false",
            f"type: conv, out_channels: 7, {quoted(remedy)}, expect: [7, 6, 6]",
        )
        assert found(net(*both)) == ()
        outcome = run("shapes", "-", "--format", "json", stdin=net(*both).encode())
        (network,) = outcome.document["networks"]
        assert sum(one["parameters"] for one in network["layers"]) == 4 * 9 + 4 * 7 + 7

    @pytest.mark.parametrize(
        ("layer", "key", "value"),
        [
            ("type: conv, out_channels: 4, kernel_size: 3", "strides", "1"),
            ("type: conv, out_channels: 4, kernel_size: 3", "dilation_rate", "1"),
            ("type: conv, out_channels: 4, kernel_size: 3", "feature_group_count", "4"),
            ("type: conv, out_channels: 4, kernel_size: 3", "in_features", "4"),
            ("type: conv, out_channels: 4, kernel_size: 3", "use_bias", "false"),
            ("type: conv, kernel_size: 3", "filters", "5"),
            ("type: conv, kernel_size: 3", "out_features", "5"),
            ("type: conv, kernel_size: 3", "num_output", "5"),
            ("type: conv, out_channels: 4", "kernelSize", "3"),
            ("type: max_pool", "pool_size", "2"),
            ("type: pixel_shuffle", "upscale_factor", "2"),
            ("type: pixel_unshuffle", "blocksize", "2"),
            ("type: transpose", "perm", "[1, 0, 2]"),
            ("type: upsample, scale_factor: 2", "interpolation", "nearest"),
            ("type: linear", "units", "3"),
            ("type: linear, out_features: 3", "in_channels", "256"),
        ],
    )
    def test_a_key_has_one_here(self, found: Found, layer: str, key: str, value: str) -> None:
        before = ["type: flatten"] * layer.startswith("type: linear")
        remedy = the_help(found, net(*before, f"{layer}, {key}: {value}"), "E101")
        meant = re.fullmatch(r"did you mean '(\w+)'\?", remedy)
        assert meant
        assert found(net(*before, f"{layer}, {meant[1]}: {value}")) == ()

    @pytest.mark.parametrize(("word", "meant"), [("SAME_UPPER", "same"), ("SAME", "same")])
    def test_a_padding_word_is_not_mistaken_for_its_opposite(
        self, found: Found, word: str, meant: str
    ) -> None:
        remedy = the_help(
            found, net(f"type: conv, out_channels: 1, kernel_size: 3, padding: {word}"), "E104"
        )
        assert remedy == f"did you mean '{meant}'?"

    def test_no_recipe_repeats_a_control_character(self, found: Found) -> None:
        assert the_help(found, net('type: "se\\e[lu"'), "E104").isprintable()


class TestDeclaredSizes:
    """E114: the number that is suggested, and the key left out."""

    @pytest.mark.parametrize(
        ("layers", "key"),
        [
            (["type: conv, out_channels: 1, kernel_size: 1, in_channels: 3"], "in_channels"),
            (
                ["type: conv_transpose, out_channels: 1, kernel_size: 1, in_channels: 3"],
                "in_channels",
            ),
            (["type: flatten", "type: linear, out_features: 1, in_features: 3"], "in_features"),
        ],
    )
    def test_is_the_source_s(self, found: Found, layers: list[str], key: str) -> None:
        remedy = the_help(found, net(*layers), "E114")
        assert remedy.endswith(f"or leaves {key} out")
        last = layers[-1]
        assert found(net(*layers[:-1], last.replace(f"{key}: 3", quoted(remedy)))) == ()
        assert found(net(*layers[:-1], last.replace(f", {key}: 3", ""))) == ()

    @pytest.mark.parametrize("text", ["nn.Conv2d({}, 8, 1)", "nn.Linear({}, 4)"])
    def test_in_an_expression_it_is_the_number_alone(self, run: Run, text: str) -> None:
        """An argument is written by its place there, and can't be left out."""
        outcome = run("check", text.format(5), "--input", "3,3,3")
        remedy = re.search(r"help: write (\d+);", outcome.out)
        assert remedy, outcome.out
        assert run("check", text.format(remedy[1]), "--input", "3,3,3").status == 0


SKIP = """
    input: [1, {size}, {size}]
    layers:
      - {{name: a, type: conv, out_channels: 4, kernel_size: 3, padding: 1}}
      - {{name: down, type: conv, out_channels: 4, kernel_size: 3, stride: 2, padding: 1}}
      - {{name: up, from: down, {up}}}
      - {{name: act, type: relu}}
      - {{name: join, type: {join}, from: [act, a]}}
    """
# (size, the layer up): the size is rounded down by the stride, and comes back as another one
UPS = [
    (16, "type: conv_transpose, out_channels: 4, kernel_size: 3, stride: 2, padding: 1"),
    (15, "type: conv_transpose, out_channels: 4, kernel_size: 4, stride: 2, padding: 2"),
    (15, "type: conv_transpose, out_channels: 4, kernel_size: 3, stride: 2, padding: 1, {}"),
    (15, "type: upsample, scale_factor: 2"),
    (15, "type: upsample, scale_factor: 2, mode: bilinear"),
]


class TestSourcesThatDoNotFit:
    """E115: an output_size, and a size of the input."""

    @pytest.mark.parametrize(("size", "up"), UPS)
    @pytest.mark.parametrize("join", ["add", "concat"])
    def test_the_layer_above_takes_the_output_size(
        self, found: Found, size: int, up: str, join: str
    ) -> None:
        up = up.format("output_padding: 1")
        text = SKIP.format(size=size, up=up, join=join)
        remedy = the_help(found, text, "E115")
        assert remedy.startswith("give up `output_size: ")
        instead = re.search(r"`output_size: [^`]*` in place of (\w+)", remedy)
        kept = re.sub(rf", {instead[1]}: \d+", "", up) if instead else up
        assert found(SKIP.format(size=size, up=f"{kept}, {quoted(remedy)}", join=join)) == ()

    def test_the_command_names_the_spec(self, run: Run, spec: WriteSpec) -> None:
        name = spec(SKIP.format(size=15, up=UPS[3][1], join="add"), "my net.yaml")
        error = run("check", name).out
        outcome = run_quoted(run, error, "convt solve --sizes", "--format", "json")
        assert outcome.status == 0
        fitting = [axis["sizes"] for axis in outcome.document["sizes"]]
        size = next(size for size in fitting[0] if size in fitting[1] and size > 3)
        assert run("check", name, "--input", f"1,{size},{size}").status == 0

    def test_neither_is_named_where_it_would_not_help(self, found: Found) -> None:
        one = "name: a, type: conv, out_channels: 3, kernel_size: 1"
        remedy = the_help(found, net(one, "type: add, from: [a, input]"), "E115")
        assert "solve" not in remedy
        assert "output_size" not in remedy
        pasted = f"type: conv, out_channels: 4, {quoted(remedy)}, from: a, name: b"
        assert found(net(one, pasted, "type: add, from: [b, input]")) == ()

    def test_one_number_of_axes(self, found: Found) -> None:
        text = net("name: f, type: flatten", "type: add, from: [f, input]")
        assert the_help(found, text, "E115") == (
            "bring them to one number of axes with reshape or flatten"
        )
        both = ("name: f, type: flatten", "name: g, type: flatten, from: input")
        assert found(net(*both, "type: add, from: [f, g]")) == ()

    def test_channels_that_differ_beside_the_axis_of_a_concat(self, found: Found) -> None:
        one = "name: a, type: conv, out_channels: 3, kernel_size: 1"
        remedy = the_help(found, net(one, "type: concat, axis: 1, from: [a, input]"), "E115")
        pasted = f"type: conv, out_channels: 4, {quoted(remedy)}, from: a, name: b"
        assert found(net(one, pasted, "type: concat, axis: 1, from: [b, input]")) == ()

    def test_an_output_size_that_a_layer_on_the_way_changes_is_not_named(
        self, found: Found
    ) -> None:
        text = SKIP.format(size=15, up=UPS[3][1], join="add").replace(
            "type: relu", "type: conv, out_channels: 4, kernel_size: 3, padding: [[0, 0], [1, 1]]"
        )
        assert "output_size" not in the_help(found, text, "E115")

    def test_a_size_that_no_output_size_reaches_is_not_promised(self, found: Found) -> None:
        text = SKIP.format(
            size=15,
            up="type: conv_transpose, out_channels: 4, kernel_size: 9, stride: 2",
            join="add",
        )
        assert "output_size" not in the_help(found, text, "E115")


EXPECTED = [
    ("type: conv, out_channels: 4, kernel_size: 3", [4, 8, 8]),
    ("type: conv, out_channels: 4, kernel_size: 7, stride: 2", [4, 4, 4]),
    ("type: conv, out_channels: 4, kernel_size: 3, dilation: 2", [4, 8, 8]),
    ("type: conv, out_channels: 4, kernel_size: [1, 3]", [4, 8, 7]),
    ("type: conv, out_channels: 4, kernel_size: 1", [4, 4, 4]),
    ("type: conv_transpose, out_channels: 4, kernel_size: 4, stride: 2", [4, 16, 16]),
    ("type: conv_transpose, out_channels: 4, kernel_size: 3, stride: 2, padding: 1", [4, 16, 16]),
    ("type: conv_transpose, out_channels: 4, kernel_size: 2", [4, 24, 24]),
    ("type: max_pool, kernel_size: 3, stride: 2", [4, 5, 5]),
    ("type: avg_pool, kernel_size: 2, stride: 3", [4, 4, 4]),
]
"""A layer over 8 by 8 and what it is expected to give, which another padding or window does."""


class TestExpect:
    """E201: the search that is named finds windows, and the key that is named suffices."""

    @pytest.mark.parametrize("framework", ["pytorch", "keras", "onnx"])
    @pytest.mark.parametrize(("layer", "expect"), EXPECTED)
    def test_the_search_finds_what_leads_there(
        self, run: Run, found: Found, layer: str, expect: list[int], framework: str
    ) -> None:
        top = f"framework: {framework}\n{INPUT}"
        remedy = the_help(found, net(f"name: c, {layer}, expect: {expect}", top=top), "E201")
        assert (f"--framework {framework}" in remedy) == (framework != "pytorch")
        outcome = run_quoted(run, remedy, "convt solve", "--format", "json")
        assert outcome.status == 0
        first = outcome.document["solutions"][0]
        axis = next(n for n in (1, 2) if f"--output-size {expect[n]} " in remedy)
        transposed = layer.startswith("type: conv_transpose")
        kind = "conv_transpose" if transposed else "conv"
        window = {key: first[key] for key in ("kernel_size", "stride", "dilation")}
        keys = window | {"padding": [first["padding"]]}
        if transposed and first["output_padding"]:
            keys |= {"output_padding": first["output_padding"]}
        pasted = f"type: {kind}, out_channels: 4, {json.dumps(keys)[1:-1]}"
        line = f"framework: {framework}\ninput: [4, 8]\n"
        assert found(net(f"{pasted}, expect: [4, {expect[axis]}]", top=line)) == ()

    @pytest.mark.parametrize("layer", ["max_pool, kernel_size: 3, stride: 2"])
    def test_a_pool_gets_its_ceil_mode(self, found: Found, layer: str) -> None:
        text = net(f"type: {layer}, expect: [4, 4, 4]")
        pasted = quoted(the_help(found, text, "E201"))
        assert pasted == "ceil_mode: true"
        assert found(net(f"type: {layer}, {pasted}, expect: [4, 4, 4]")) == ()
        back = net(f"type: {layer}, ceil_mode: true, expect: [4, 3, 3]")
        assert quoted(the_help(found, back, "E201")) == "ceil_mode: false"

    def test_a_convolution_gets_its_channels(self, found: Found) -> None:
        layer = "type: conv, out_channels: 4, kernel_size: 1, expect: [6, 8, 8]"
        remedy = the_help(found, net(layer), "E201")
        assert found(net(layer.replace("out_channels: 4", quoted(remedy)))) == ()

    @pytest.mark.parametrize(
        ("layer", "expect"),
        [
            ("type: relu", [4, 8, 9]),
            ("type: flatten", [255]),
            ("type: flatten", [4, 8, 8]),
            ("type: upsample, scale_factor: 2", [4, 15, 15]),
            ("type: conv, out_channels: 4, kernel_size: 1", [4, 8]),
            ("type: conv, out_channels: 4, kernel_size: 1", [4, 900, 900]),
            ("type: conv, out_channels: 4, kernel_size: 2001, padding: 1000", [4, 7, 7]),
        ],
    )
    def test_any_other_layer_gets_its_own_shape(
        self, found: Found, layer: str, expect: list[int]
    ) -> None:
        remedy = the_help(found, net(f"{layer}, expect: {expect}"), "E201")
        assert "solve" not in remedy
        assert found(net(f"{layer}, {quoted(remedy, 'expect')}")) == ()


class TestOutputSize:
    """E118: the nearest size is reached."""

    UP = "type: conv_transpose, out_channels: 1, kernel_size: 4, stride: 2"

    @pytest.mark.parametrize(
        ("framework", "padding", "key", "value"),
        [
            *(("pytorch", 1, "output_size", size) for size in (3, 14, 18, 99)),
            ("keras", "same", "output_padding", 0),
        ],
    )
    def test_the_nearest_can_be_reached(
        self, found: Found, framework: str, padding: int | str, key: str, value: int
    ) -> None:
        top = f"framework: {framework}\n{INPUT}"
        layer = f"{self.UP}, padding: {padding}"
        remedy = the_help(found, net(f"{layer}, {key}: {value}", top=top), "E118")
        field, nearest = remedy.removeprefix("the nearest is ").split()
        assert field == key
        assert found(net(f"{layer}, {key}: {nearest}", top=top)) == ()
        step = 1 if int(nearest) > value else -1
        assert found(net(f"{layer}, {key}: {int(nearest) - step}", top=top)) != ()


class TestPoolPadding:
    """E113: every way out that is named is taken by the framework's pools."""

    @pytest.mark.parametrize("word", ["valid", "half", "[[0, 1], [1, 0]]"])
    def test_can_be_used(self, found: Found, word: str) -> None:
        layer = "type: max_pool, kernel_size: 3, padding: "
        remedy = the_help(found, net(f"{layer}same"), "E113")
        assert remedy == "use valid or half, or write [before, after] pairs"
        assert found(net(layer + word)) == ()


class TestReshape:
    """E120: the sizes that are named have as many elements."""

    @pytest.mark.parametrize("shape", [[4, 63], [5, 8, 8], [4, 8, 9], [128, 3], [4, 8, 4]])
    def test_one_size_is_another(self, found: Found, shape: list[int]) -> None:
        remedy = the_help(found, net(f"type: reshape, shape: {shape}"), "E120")
        pasted = re.search(r"write (\[[\d, ]+\])", remedy)
        assert pasted
        assert found(net(f"type: reshape, shape: {pasted[1]}")) == ()

    @pytest.mark.parametrize("shape", [[5, 7], [-1, 5], [300, 300]])
    def test_where_that_does_not_do_the_product_is_named(
        self, found: Found, shape: list[int]
    ) -> None:
        remedy = the_help(found, net(f"type: reshape, shape: {shape}"), "E120")
        assert remedy == "choose sizes whose product is 256"


class TestNamedInputs:
    """E503: the name that is suggested is one of the spec's."""

    TWO = (
        "input: {image: [1, 4, 4], mask: [2, 4, 4]}\nlayers: [{type: concat, from: [image, mask]}]"
    )
    ONE = "input: [1, 4, 4]\nlayers: [{type: relu}]"
    NONE = "layers: [{type: relu}]"

    @pytest.mark.parametrize(
        ("text", "option"),
        [
            (TWO, "1,4,4"),
            (TWO, "imgae=1,4,4"),
            (TWO, "maks=2,4,4"),
            (ONE, "x=1,5,5"),
            (NONE, "x=1,5,5"),
        ],
    )
    def test_can_be_given(self, run: Run, spec: WriteSpec, text: str, option: str) -> None:
        outcome = run("shapes", spec(text), "--input", option)
        assert outcome.codes == ["E503"]
        remedy = re.search(r"write (--input \S+);", outcome.err)
        assert remedy
        assert run("shapes", "net.yaml", *remedy[1].split()).status == 0
