"""The graph: fields of other kinds, names, places, and what nodes become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from convt_cli.errors import ConvtError, FileError, SpecError
from convt_cli.models.load import load_model, load_spec
from convt_cli.models.text import spec_text
from tests.conftest import Run, assert_refused
from tests.models.pt2.samples import conv_program, meta, node, program, write_program
from tests.models.same import assert_same_network

pytestmark = pytest.mark.usefixtures("folder")

Change = Callable[[dict[str, Any]], object]


def graph(found: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = found["graph_module"]["graph"]
    return value


WRONG: dict[str, Change] = {
    "no graph module": lambda found: found.pop("graph_module"),
    "no version": lambda found: found.pop("schema_version"),
    "a version of another kind": lambda found: found.update(schema_version={"major": True}),
    "nodes are a mapping": lambda found: graph(found).update(nodes={}),
    "a node is a text": lambda found: graph(found).update(nodes=["conv"]),
    "a node without inputs": lambda found: graph(found)["nodes"][0].pop("inputs"),
    "an argument is a list": lambda found: graph(found)["nodes"][0]["inputs"][0].update(arg=[]),
    "a tensor without a name": lambda found: graph(found)["nodes"][0]["inputs"][0].update(
        arg={"as_tensor": {"name": 1}}
    ),
    "metadata is a list": lambda found: graph(found)["nodes"][0].update(metadata=[]),
    "sizes are a number": lambda found: graph(found)["tensor_values"]["x"].update(sizes=4),
    "no signature": lambda found: found["graph_module"].pop("signature"),
    "an input that nothing gives": lambda found: graph(found)["nodes"].reverse(),
    "an output that nothing gives": lambda found: graph(found)["nodes"].pop(),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_field_of_another_kind_is_refused(run: Run, name: str) -> None:
    changed = conv_program()
    WRONG[name](changed)
    write_program(changed)
    assert_refused(run("shapes", "m.pt2"), "E405")


@pytest.mark.parametrize("kind", ["as_graph", "as_device", "as_complex", "", "as_ints"])
def test_an_argument_of_a_kind_that_no_layer_takes_is_refused_by_name(kind: str) -> None:
    changed = conv_program()
    value = ["a"] if kind == "as_ints" else {}
    graph(changed)["nodes"][0]["inputs"].append({"name": "stride", "arg": {kind: value}})
    with pytest.raises(SpecError, match="its stride is not known"):
        load_spec(write_program(changed))


@pytest.mark.parametrize("size", [0, -1, 2**54])
def test_sizes_that_no_tensor_has_are_refused(size: int) -> None:
    changed = conv_program()
    graph(changed)["tensor_values"]["x"]["sizes"][2] = {"as_int": size}
    with pytest.raises(ConvtError):
        load_spec(write_program(changed))


def test_a_shape_that_is_not_the_recorded_one_is_refused() -> None:
    changed = conv_program()
    graph(changed)["tensor_values"]["c"]["sizes"][2] = {"as_int": 4}
    with pytest.raises(SpecError, match=r"gives \[1, 2, 3, 3\], the file records \[1, 2, 4, 3\]"):
        load_spec(write_program(changed))


class TestOpenSizes:
    def opened(self, entry: dict[str, Any], axis: int = 2) -> str:
        changed = conv_program()
        graph(changed)["tensor_values"]["x"]["sizes"][axis] = {"as_expr": entry}
        return write_program(changed)

    def test_the_example_stands_for_one(self) -> None:
        path = self.opened({"expr_str": "s0", "hint": {"as_int": 5}})
        assert load_spec(path).inputs == (("input", (3, 5, 5)),)

    def test_without_an_example_it_has_to_be_given(self) -> None:
        path = self.opened({"expr_str": "s0", "hint": None})
        with pytest.raises(ConvtError, match="the sizes of every input are known"):
            load_spec(path)
        assert load_spec(path, input={"x": (3, 5, 7)}).output == (2, 3, 5)

    def test_an_open_batch_needs_none(self) -> None:
        path = self.opened({"expr_str": "s0", "hint": None}, axis=0)
        assert load_spec(path).output == (2, 3, 3)


class TestNames:
    @pytest.mark.parametrize(
        ("stack", "name"),
        [
            ("L,,a.Net;L.b,b.0,torch.nn.modules.conv.Conv2d", "b.0"),
            ("L,,a.Net;L.b,b.0@1,torch.nn.modules.conv.Conv2d", "b.0"),
            ("L,,a.Net;L.b,b,torch.nn.modules.container.Sequential", "c"),
            ("L,,a.Net;L.b,b,mine.Conv", "c"),
            ("", "c"),
            (None, "c"),
            (";,;", "c"),
        ],
    )
    def test_a_layer_is_called_as_its_module(self, stack: object, name: str) -> None:
        changed = conv_program()
        graph(changed)["nodes"][0]["metadata"] = {"nn_module_stack": stack}
        assert load_spec(write_program(changed)).layers[0].name == name

    def test_several_layers_of_one_call(self) -> None:
        stack = {"nn_module_stack": "L__self__act,act,torch.nn.modules.activation.ReLU"}
        nodes = [
            node("relu.default", "a", stack, self="x"),
            node("sigmoid.default", "y", stack, self="a"),
        ]
        shape = (1, 3, 5, 5)
        path = write_program(program(nodes, dict.fromkeys("xay", shape), {}))
        assert [layer.name for layer in load_spec(path).layers] == ["act/relu", "act"]


TRACE = """\
  File "/home/me/net.py", line 11, in forward
    y = self.body(x)
  File "/usr/lib/python3/site-packages/torch/nn/modules/conv.py", line 565, in forward
    return self._conv_forward(input, self.weight, self.bias)"""


@pytest.mark.parametrize(
    ("trace", "place"), [(TRACE, " at /home/me/net.py:11"), ("", ""), (None, ""), ("File x", "")]
)
def test_a_problem_names_the_line_of_the_models_code(trace: object, place: str) -> None:
    changed = conv_program()
    graph(changed)["nodes"][0].update(
        target="torch.ops.torchvision.nms.default", metadata={"stack_trace": trace}
    )
    with pytest.raises(SpecError) as caught:
        load_spec(write_program(changed))
    (problem,) = caught.value.diagnostics
    assert problem.message == f"node 'c' (torchvision.nms){place} cannot be said in a spec"
    assert (problem.spec, problem.line, problem.layer) == ("m.pt2", 0, "c")


IMAGE = (2, 4, 6, 8)
LINES: list[tuple[dict[str, Any], tuple[int, ...], str]] = [
    (node("leaky_relu.default", "y", self="x", negative_slope=2), IMAGE, "leaky_relu, alpha: 2.0"),
    (node("add.Tensor", "y", self="x", other=2), IMAGE, "scale, bias: 2.0"),
    (node("elu.default", "y", self="x", alpha=1e-7), IMAGE, "elu, alpha: 1e-07"),
    (
        node("clamp.default", "y", self="x", min=-1.5, max=2),
        IMAGE,
        "clip, minimum: -1.5, maximum: 2.0",
    ),
    (
        node("clamp.default", "y", self="x", min={"as_float": "-Infinity"}, max=2.0),
        IMAGE,
        "clip, maximum: 2.0",
    ),
    (node("rsqrt.default", "y", self="x"), IMAGE, "power, exponent: -0.5"),
    (node("relu6.default", "y", self="x"), IMAGE, "clip, minimum: 0.0, maximum: 6.0"),
    (node("clamp.default", "y", self="x", max=float("inf")), IMAGE, "identity"),
    (node("softmax.int", "y", self="x", dim=-1), IMAGE, "softmax, axis: 2"),
    (
        node("layer_norm.default", "y", input="x", normalized_shape=[8], eps=0.1),
        IMAGE,
        "layer_norm, normalized_axes: [2], eps: 0.1, affine: false",
    ),
    (
        node("batch_norm.default", "y", input="x", training=False, eps=0.5),
        IMAGE,
        (
            "batch_norm, eps: 0.5, affine: false,\n"
            '     stands_for: "batch_norm by the numbers of its batch"'
        ),
    ),
    (
        node("reflection_pad2d.default", "y", self="x", padding=[1, 1, 2, 2]),
        (2, 4, 10, 10),
        "pad, padding: [2, 1], mode: reflect",
    ),
    (
        node("pow.Tensor_Scalar", "y", self="x", exponent=3),
        IMAGE,
        "mul, from: [input, input, input]",
    ),
    (node("expand.default", "y", self="x", size=[2, -1, 6, 8]), IMAGE, "identity"),
    (node("rsub.Scalar", "y", self="x", other=2.0), IMAGE, "scale, weight: -1.0, bias: 2.0"),
    (node("div.Tensor", "y", self="x", other=4), IMAGE, "scale, weight: 0.25"),
    (node("div.Tensor", "y", self="x", other=0), IMAGE, "identity, stands_for: div"),
    (node("mul.Tensor", "y", self="x", other="x"), IMAGE, "mul, from: [input, input]"),
    (
        node("upsample_nearest2d.vec", "y", input="x", scale_factors={"as_floats": [2.0, 0.5]}),
        (2, 4, 12, 4),
        "upsample, scale_factor: [2, 1/2]",
    ),
    (
        node("unsqueeze.default", "y", self="x", dim=2),
        (2, 4, 1, 6, 8),
        "reshape, shape: [4, 1, 6, 8]",
    ),
    (
        node("permute.default", "y", self="x", dims=[0, 3, 1, 2]),
        (2, 8, 4, 6),
        "transpose, axes: [2, 0, 1]",
    ),
    (
        node("slice.Tensor", "y", self="x", dim=3, start=1, end=-1),
        (2, 4, 6, 6),
        "slice, axis: 2, begin: 1, end: 7",
    ),
]
"""(node, shape that it gives, the layer that it becomes)."""


@pytest.mark.parametrize(("one", "shape", "line"), LINES, ids=[line for *_, line in LINES])
def test_a_node_becomes_a_layer(one: dict[str, Any], shape: tuple[int, ...], line: str) -> None:
    path = write_program(program([one], {"x": IMAGE, "y": shape}, {}))
    imported = load_model(path, "m.pt2")
    text = spec_text(imported, title="net", model="m.pt2")
    assert f"{{name: y, type: {line}}}" in text
    assert_same_network(imported, text)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "the batch moved": (node("transpose.int", "y", self="x", dim0=0, dim1=1), "the batch axis"),
    "the batch reshaped": (node("view.default", "y", self="x", size=[8, 6, 8]), "not the batch"),
    "an axis that is not there": (node("squeeze.dim", "y", self="x", dim=9), "axis 9 of 4"),
    "a part of the batch": (node("slice.Tensor", "y", self="x", dim=0, end=1), "of the batch"),
    "one of the batch": (node("select.int", "y", self="x", dim=0, index=1), "of the batch"),
    "nothing": (node("slice.Tensor", "y", self="x", dim=1, start=3, end=2), "takes [3:2:1] of 4"),
    "a part beyond": (node("narrow.default", "y", self="x", dim=1, start=2, length=5), "[2:7:1]"),
    "a padded batch": (
        node("constant_pad_nd.default", "y", self="x", pad=[0, 0, 0, 0, 0, 0, 1, 1]),
        "pads the batch",
    ),
    "a mean over the batch": (node("mean.dim", "y", self="x", dim=[0]), "reduces the batch"),
    "a softmax over the batch": (node("softmax.int", "y", self="x", dim=0), "over the batch"),
    "parts of no length": (node("split.Tensor", "y", self="x", split_size=0), "have 0 elements"),
    "more parts than it has": (
        node("chunk.default", "y", self="x", chunks=4, dim=1), "4 has not 1 parts of 1",
    ),
    "repeated channels": (
        node("expand.default", "y", self="x", size=[2, 8, 6, 8]), "repeats channels",
    ),
    "no weight": (node("conv2d.default", "y", input="x"), "its weight is missing"),
    "a weight that is computed": (node("conv2d.default", "y", input="x", weight="x"), "computed"),
    "batches joined": (node("cat.default", "y", tensors=["x", "x"]), "joins batches"),
    "no product": (node("matmul.default", "y", self="x", other="x"), "computed from"),
    "a stride of 0": (node("max_pool2d.default", "y", self="x", kernel_size=[2], stride=[0]), "0"),
    "a list too long": (node("avg_pool2d.default", "y", self="x", kernel_size=[2] * 3), "2 axes"),
    "other elements": (node("view.default", "y", self="x", size=[2, 5, -1]), "has no shape [2, 5"),
    "no shape": (node("view.default", "y", self="x"), "its shape is missing"),
    "half a pad": (node("pad.default", "y", self="x", pad=[1, 2, 3]), "3 numbers for 4 axes"),
    "an endless pad": (node("pad.default", "y", self="x", pad=[2**60, 0]), "beyond 2^53"),
    "groups": (node("channel_shuffle.default", "y", self="x", groups=3), "do not divide its 4"),
    "three scales": (
        node("upsample_nearest2d.vec", "y", input="x", scale_factors={"as_floats": [2.0] * 3}),
        "it has 3 scale_factors for 2 axes",
    ),
    "a scale of 0": (
        node("upsample_nearest2d.vec", "y", input="x", scale_factors={"as_floats": [0.0, 1.0]}),
        "its scale_factors are not known",
    ),
    "a text for a number": (
        node("leaky_relu.default", "y", self="x", negative_slope={"as_string": "0.1"}),
        "its negative_slope is not known",
    ),
    "an illegal layer": (node("pixel_shuffle.default", "y", self="x", upscale_factor=3), "9"),
    "an eps below 0": (node("group_norm.default", "y", input="x", num_groups=2, eps=-1.0), "eps"),
    "an endless slope": (
        node("leaky_relu.default", "y", self="x", negative_slope=float("inf")), "slope is inf",
    ),
    "a product by what is endless": (
        node("celu.default", "y", self="x", alpha=1e-320), "it multiplies by inf",
    ),
    "nothing of each": (node("expand.default", "y", self="x", size=[2, 4, 0, 8]), "cannot become"),
    "not known": (node("lstm.input", "y", input="x"), "no layer type does what it does"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_spec_cannot_say_is_refused_with_the_reason(name: str) -> None:
    one, reason = REFUSED[name]
    path = write_program(program([one], {"x": IMAGE, "y": IMAGE}, {}))
    with pytest.raises(SpecError) as caught:
        load_spec(path)
    (problem,) = caught.value.diagnostics
    assert reason in f"{problem.message}: {problem.value}"


@pytest.mark.parametrize(
    ("sizes", "reason"),
    [
        ((2, 3, 3), "its weight is [2, 3, 3], its source [1, 3, 5, 5]"),
        ((2, 3, 0, 3), "its weight is [2, 3, 0, 3]"),
        ((2, 4, 3, 3), "its weight is for 4 channels, its source has 3"),
    ],
)
def test_a_weight_that_does_not_fit_its_source_is_refused(
    sizes: tuple[int, ...], reason: str
) -> None:
    changed = conv_program()
    graph(changed)["tensor_values"]["w"] = meta(sizes)
    with pytest.raises(SpecError) as caught:
        load_spec(write_program(changed))
    assert reason in caught.value.diagnostics[0].value


def test_what_only_stands_in_is_a_warning() -> None:
    nodes = [node("tan.default", "a", self="x"), node("relu.default", "y", self="a")]
    path = write_program(program(nodes, dict.fromkeys("xay", IMAGE), {}))
    (warning,) = load_spec(path).warnings
    assert (warning.code, warning.value) == ("W004", "identity stands for tan, once")


def test_a_value_given_by_no_input_is_no_network() -> None:
    nothing = node("zeros.default", "y", size=[1, 3])
    with pytest.raises(FileError, match="no output depends on one"):
        load_spec(write_program(program([nothing], {"x": IMAGE, "y": (1, 3)}, {})))


def test_an_input_that_is_no_tensor_is_refused_where_it_is_read() -> None:
    changed = conv_program()
    specs = changed["graph_module"]["signature"]["input_specs"]
    specs[0] = {"custom_obj": {"arg": {"name": "w", "class_fqn": "a.B"}, "custom_obj_name": "w"}}
    with pytest.raises(SpecError, match="it reads the input 'w', which is no tensor"):
        load_spec(write_program(changed))


@pytest.mark.parametrize(
    ("target", "arguments"),
    [
        ("max_pool2d.default", {"kernel_size": [2, 2]}),
        ("avg_pool2d.default", {"kernel_size": [2, 2]}),
        ("adaptive_avg_pool2d.default", {"output_size": [1, 1]}),
        ("upsample_nearest2d.default", {"output_size": [8, 8]}),
    ],
)
def test_a_window_over_a_vector_is_refused(
    run: Run, target: str, arguments: dict[str, Any]
) -> None:
    changed = conv_program()
    graph(changed)["nodes"][0] = node(target, "c", input="x", **arguments)
    write_program(changed)
    assert_refused(run("shapes", "m.pt2", "--input", "3"), "E119")


@pytest.mark.parametrize("size", [0, -5, 2**60])
def test_an_input_that_no_spec_can_have_is_refused(run: Run, size: int) -> None:
    changed = conv_program()
    graph(changed)["tensor_values"]["x"]["sizes"][2] = {"as_int": size}
    write_program(changed)
    assert_refused(run("shapes", "m.pt2"), "E506")


def test_a_constant_without_elements_is_refused(run: Run) -> None:
    changed = conv_program()
    graph(changed)["nodes"][1] = node("add.Tensor", "y", self="c", other="k")
    graph(changed)["tensor_values"]["k"] = meta((0,))
    specs = changed["graph_module"]["signature"]["input_specs"]
    specs.insert(0, {"parameter": {"arg": {"name": "k"}, "parameter_name": "k"}})
    write_program(changed)
    outcome = run("shapes", "m.pt2")
    assert_refused(outcome, "E505")
    assert "its constant has no elements" in outcome.err


@pytest.mark.parametrize("arguments", [{}, {"dim": 2, "keepdim": True}], ids=str)
def test_the_largest_of_one_tensor_is_no_layer(run: Run, arguments: dict[str, Any]) -> None:
    """That of two is a stand-in."""
    changed = conv_program()
    graph(changed)["nodes"][1] = node("max.dim", "y", self="c", **arguments)
    write_program(changed)
    outcome = run("shapes", "m.pt2")
    assert_refused(outcome, "E505")
    assert "no layer type does what it does" in outcome.err


def test_a_name_with_half_of_a_character_is_refused(run: Run) -> None:
    """No spec could hold it."""
    changed = conv_program()
    specs = changed["graph_module"]["signature"]["input_specs"]
    specs[0]["parameter"]["parameter_name"] = "\ud800"
    write_program(changed)
    assert_refused(run("shapes", "m.pt2"), "E405")
