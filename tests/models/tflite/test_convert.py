"""Graphs of `.tflite` files as layers: their names, what is said of them, and what is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import RequestError, SpecError
from convt_cli.models.imported import ImportedModel
from convt_cli.models.load import load_model, load_spec
from tests.models.tflite.cases import IMAGE, ONES, RELU6, SAME, VALID, integers, single, weights
from tests.models.tflite.samples import Op, Sample, Stored, Vector, op, quantization, saved

pytestmark = pytest.mark.usefixtures("folder")

CONV: Mapping[str, Any] = {"padding": SAME, **ONES}
RELU = op("RELU", "x", "y")


def imported(sample: Sample, **options: Any) -> ImportedModel:
    return load_model(saved(sample), "net.tflite", **options)


def names(sample: Sample, **options: Any) -> list[tuple[str, str]]:
    """The name and the type of every layer."""
    return [(one.name, one.type) for one in imported(sample, **options).layers.values()]


def refused(sample: Sample, **options: Any) -> str:
    """What is said of a graph that a spec cannot say."""
    with pytest.raises((SpecError, RequestError)) as caught:
        imported(sample, **options)
    return str(caught.value)


def chain(*nodes: Op, **constants: Any) -> Sample:
    return Sample(nodes, {"x": IMAGE}, constants)


class TestNames:
    def test_a_layer_is_called_as_the_tensor_that_it_gives(self) -> None:
        first = op("RELU", "x", "net/relu/Relu;net/bn/FusedBatchNormV3")
        second = op("TANH", first.outputs[0], "StatefulPartitionedCall:0")
        assert names(chain(first, second)) == [
            ("net/relu/Relu", "relu"),
            ("StatefulPartitionedCall:0", "tanh"),
        ]

    def test_the_layers_before_it_are_called_by_their_types(self) -> None:
        node = op("CONV_2D", "x w", "out", **CONV, activation=RELU6)
        assert names(chain(node, w=weights(5, 1, 1, 4))) == [("out/conv", "conv"), ("out", "clip")]

    def test_each_part_has_the_name_of_its_tensor(self) -> None:
        node = Op("SPLIT", ["a", "x"], ["one", "two"], {0: 2})
        sample = Sample([node], {"x": IMAGE}, {"a": integers(3)[0]}, ["one", "two"])
        assert names(sample) == [("one", "slice"), ("two", "slice")]

    def test_a_part_that_nothing_reads_is_no_layer(self) -> None:
        node = Op("SPLIT", ["a", "x"], ["one", "two"], {0: 2})
        assert names(Sample([node], {"x": IMAGE}, {"a": integers(3)[0]}, ["two"])) == [
            ("two", "slice")
        ]

    def test_equal_names_of_tensors_are_told_apart(self) -> None:
        same = {"y": {3: "same"}, "z": {3: "same"}}
        sample = Sample([RELU, op("TANH", "y", "z")], {"x": IMAGE}, tensors=same)
        assert [name for name, _ in names(sample)] == ["same", "same_2"]
        assert [layer.name for layer in load_spec("net.tflite").layers] == ["same", "same_2"]

    def test_inputs_and_outputs_are_called_as_in_the_signature(self) -> None:
        sample = Sample(
            [op("ADD", "serving:0 serving:1", "call:0")], {"serving:0": IMAGE, "serving:1": IMAGE}
        )
        entries = {"left": 0, "right": 1}
        signature = {
            0: [{0: name, 1: ("I", number)} for name, number in entries.items()],
            1: [{0: "sum", 1: ("I", 2)}],
        }
        found = imported(Sample(sample.nodes, sample.inputs, model={7: [signature]}))
        assert [name for name, _ in found.inputs] == ["left", "right"]
        assert list(found.outputs) == ["sum"]


class TestShapes:
    def test_channels_come_first(self) -> None:
        found = imported(single("MAX_POOL_2D", _pool(2)))
        assert found.inputs == (("x", (4, 7, 6)),)
        assert [layer.output for layer in found.layers.values()] == [(4, 3, 3)]

    def test_sizes_left_open_are_asked_for(self) -> None:
        open_sizes = {"x": {7: Vector("i", (-1, -1, -1, 4))}}
        sample = Sample([RELU], {"x": (1, 1, 1, 4)}, tensors=open_sizes)
        with pytest.raises(RequestError) as caught:
            imported(sample)
        assert caught.value.code == "E506"
        assert "--input x=4,N,N" in caught.value.help
        assert imported(sample, override={"": (4, 9, 8)}).layers[1].output == (4, 9, 8)

    def test_an_open_batch_is_one(self) -> None:
        sample = Sample([RELU], {"x": IMAGE}, tensors={"x": {7: Vector("i", (-1, 7, 6, 4))}})
        assert imported(sample).layers[1].output == (4, 7, 6)

    def test_another_shape_than_the_file_records_is_refused(self) -> None:
        wrong = {"y": {0: Vector("i", (1, 7, 6, 5))}}
        said = refused(Sample([RELU], {"x": IMAGE}, tensors=wrong))
        assert "its layer gives [1, 7, 6, 4], the file records [1, 7, 6, 5]" in said

    def test_what_it_records_is_not_asked_of_another_input(self) -> None:
        recorded = {"y": {0: Vector("i", IMAGE)}}
        sample = Sample([RELU], {"x": IMAGE}, tensors=recorded)
        assert imported(sample, override={"x": (4, 3, 3)}).layers[1].output == (4, 3, 3)

    def test_a_shape_is_computed_from_the_sizes_of_the_input(self) -> None:
        """As converters write tf.reshape(x, [tf.shape(x)[0], -1, tf.shape(x)[3] * 2])."""
        nodes = [
            op("SHAPE", "x", "s"),
            op("STRIDED_SLICE", "s zero one one", "batch", shrink_axis_mask=1),
            op("GATHER", "s last", "channels", axis=0),
            op("MUL", "channels two", "more"),
            Op("PACK", ["batch", "rest", "more"], ["t"], {0: 3}),
            op("RESHAPE", "x t", "y"),
        ]
        constants = {
            "zero": integers(0),
            "one": integers(1),
            "last": integers(3),
            "two": integers(2)[0],
            "rest": integers(-1)[0],
        }
        sample = Sample(nodes, {"x": IMAGE}, constants)
        assert load_spec(saved(sample)).output == (8, 21)
        assert load_spec("net.tflite", input={"": (6, 8, 2)}).output == (12, 8)

    def test_a_resize_to_twice_the_size_of_its_source(self) -> None:
        nodes = [
            op("SHAPE", "x", "s"),
            op("STRIDED_SLICE", "s one three step", "size"),
            op("MUL", "size two", "twice"),
            op("RESIZE_NEAREST_NEIGHBOR", "x twice", "y"),
        ]
        numbers = {"one": 1, "three": 3, "step": 1, "two": 2}
        constants = {name: integers(number) for name, number in numbers.items()}
        assert load_spec(saved(Sample(nodes, {"x": IMAGE}, constants))).output == (4, 14, 12)
        assert load_spec("net.tflite", input={"": (4, 3, 5)}).output == (4, 6, 10)

    def test_a_shape_that_is_not_computed_is_the_recorded_one(self) -> None:
        nodes = [op("UNIQUE", "c", "s"), op("RESHAPE", "x s", "y")]
        recorded: dict[str, Any] = {"y": {0: Vector("i", (1, 42, 4))}, "s": {1: ("b", 2)}}
        sample = Sample(nodes, {"x": IMAGE}, {"c": integers(1, 42, 4)}, tensors=recorded)
        assert imported(sample).layers[1].output == (4, 42)
        assert "its shape is computed" in refused(sample, override={"x": (4, 3, 3)})


class TestOrder:
    """A reshape counts channels last, and a spec's counts them first."""

    def test_a_reshape_that_keeps_the_channels_is_one_layer(self) -> None:
        assert names(single("RESHAPE", s=integers(1, 42, 4))) == [("y", "reshape")]

    def test_a_reshape_of_a_line_is_one_layer(self) -> None:
        assert names(single("RESHAPE", s=integers(1, 1, 1, 24), shape=(1, 24))) == [
            ("y", "reshape")
        ]

    def test_another_stands_between_transposes(self) -> None:
        types = [kind for _, kind in names(single("RESHAPE", s=integers(1, 6, 7, 4)))]
        assert types == ["reshape"]
        types = [kind for _, kind in names(single("RESHAPE", s=integers(1, 21, 8)))]
        assert types == ["transpose", "reshape", "transpose"]


class TestDilation:
    def test_three_operators_are_one_layer(self) -> None:
        found = imported(_dilated())
        (layer,) = found.layers.values()
        assert (layer.name, layer.keys["dilation"], layer.keys["padding"]) == ("y", 2, 2)

    def test_not_where_something_else_reads_between_them(self) -> None:
        sample = _dilated()
        more = Sample(
            [*sample.nodes, op("RELU", "inner", "z")], sample.inputs, sample.constants, ["y", "z"]
        )
        assert "(SPACE_TO_BATCH_ND) cannot be said in a spec" in refused(more)

    def test_not_with_another_block_behind(self) -> None:
        sample = _dilated()
        other = {**sample.constants, "block": integers(2, 2), "back": integers(1, 4)}
        nodes = [*sample.nodes[:2], op("BATCH_TO_SPACE_ND", "inner back crops", "y")]
        assert "(SPACE_TO_BATCH_ND)" in refused(Sample(nodes, sample.inputs, other))

    def test_not_with_a_stride(self) -> None:
        sample = _dilated(stride_h=2)
        assert "(SPACE_TO_BATCH_ND)" in refused(sample)


class TestSaid:
    def test_rounding_is_counted(self) -> None:
        kept = {
            "x": {1: ("b", 9), **quantization([0.5])},
            "y": {1: ("b", 9), **quantization([0.5])},
        }
        found = imported(Sample([RELU, op("DEQUANTIZE", "y", "z")], {"x": IMAGE}, tensors=kept))
        assert found.notes == {
            "the rounding and the bounds of a quantised operation are left out": 2
        }

    def test_quantised_weights_of_a_float_operation_are_said_too(self) -> None:
        stored = Stored(np.ones((5, 4), np.int8), quantization([0.5]))
        sample = Sample([op("FULLY_CONNECTED", "x w", "y")], {"x": (1, 4)}, {"w": stored})
        assert sum(imported(sample).notes.values()) == 1

    @pytest.mark.parametrize(
        ("operator", "layer", "constants"),
        [
            *((operator, "identity", {}) for operator in ("EXP", "L2_NORMALIZATION", "CAST")),
            ("PRELU", "prelu", {"a": weights(1, 6, 4)}),
            ("POW", "identity", {"c": np.array(3, np.float32)}),
            ("SUB", "identity", {"c": np.full(4, np.inf, np.float32)}),
        ],
    )
    def test_what_stands_in_is_named(
        self, operator: str, layer: str, constants: dict[str, Any]
    ) -> None:
        found = imported(single(operator, **constants))
        assert found.notes == {f"{layer} stands for {operator}": 1}
        assert found.layers[1].stands_for == operator

    def test_a_pad_with_infinity_is_named(self) -> None:
        pads = integers(0, 0, 1, 1, 1, 1, 0, 0).reshape(4, 2)
        found = imported(single("PADV2", p=pads, v=np.array(-np.inf, np.float32)))
        assert found.notes == {"pad stands for PADV2": 1}
        assert found.layers[max(found.layers)].output == (4, 9, 8)

    @pytest.mark.parametrize("operator", ["ADD", "DIV"])
    def test_a_constant_along_several_axes_is_named(self, operator: str) -> None:
        found = imported(single(operator, c=weights(7, 1, 4)))
        assert [(one.type, one.stands_for) for one in found.layers.values()] == [
            ("identity", operator)
        ]

    @pytest.mark.parametrize(
        ("options", "how"),
        [({}, "asymmetric places"), ({"align_corners": 1}, "align_corners")],
    )
    def test_a_resize_says_which_places_it_reads(self, options: dict[str, int], how: str) -> None:
        found = imported(single("RESIZE_BILINEAR", options, s=integers(14, 12)))
        assert found.notes == {f"upsample stands for RESIZE_BILINEAR by {how}": 1}

    def test_of_several_graphs_the_first_is_read(self) -> None:
        found = imported(Sample([RELU], {"x": IMAGE}, more_graphs=[{}, {}]))
        assert found.unused == ("the first graph of 3 is read, the others are left out",)

    def test_a_weight_without_numbers_is_said(self) -> None:
        shape = {"w": {0: Vector("i", (5, 4))}}
        sample = Sample([op("FULLY_CONNECTED", "x w", "y")], {"x": (1, 4)}, tensors=shape)
        assert imported(sample).notes == {"the numbers of a weight are not kept in the model": 1}


class TestRefused:
    @pytest.mark.parametrize(
        ("sample", "said"),
        [
            (single("CUSTOM.MaxUnpool"), "node 'y' (CUSTOM.MaxUnpool) cannot be said in a spec"),
            (single("ARG_MAX", a=integers(3)), "(ARG_MAX)"),
            (single("RESHAPE", s=integers(7, 24)), "the first axis of [7, 24] is not the batch"),
            (single("RESHAPE", s=integers(1, 5)), "[1, 7, 6, 4] has no shape [1, 5]"),
            (single("MEAN", axes=integers(0)), "it acts along the batch"),
            (single("MEAN", axes=integers(1, 2, 3)), "it leaves no axis but the batch"),
            (single("TRANSPOSE", p=integers(1, 0, 2, 3)), "does not leave the batch axis"),
            (single("CONCATENATION", {"axis": 3}, c=weights(*IMAGE)), "its input 1 is a constant"),
            (single("ADD", c=weights(1, 9, 7, 6, 4)), "its constant does not fit its source"),
            (single("GATHER", {"axis": 3}, i=integers(0, 1, 3)), "not one step apart"),
            (single("GATHER", {"axis": 3}, i=integers(9)), "not one step apart"),
            (single("CONV_2D", CONV, w=weights(5, 1, 1, 3)), "its weight is for 3 channels, not 4"),
            (single("CONV_2D", {**CONV, "activation": 5}, w=weights(5, 1, 1, 4)), "number 5"),
            (single("CONV_2D", {"padding": SAME}, w=weights(5, 1, 1, 4)), "its stride is [0, 0]"),
            (single("CONV_2D", {**CONV, "padding": 7}, w=weights(5, 1, 1, 4)), "its padding is 7"),
            (single("DEPTHWISE_CONV_2D", CONV, w=weights(1, 1, 1, 6)), "is not for 4 channels"),
            (single("TILE", m=integers(1, 99, 1, 1)), "it repeats its source 99 times"),
            (single("TILE", m=integers(2, 1, 1, 1)), "it repeats [1, 7, 6, 4] [2, 1, 1, 1] times"),
            (single("BROADCAST_TO", s=integers(1, 7, 6, 8)), "it repeats channels or the batch"),
            (single("SPLIT_V", s=integers(3, 3), a=integers(1)[0], count=2), "into [3, 3]"),
            (single("UNPACK", {"axis": 3}, count=3), "it makes 3 parts of 4 elements"),
            (single("SLICE", b=integers(0, 1), s=integers(1, 2)), "it takes [1, 2] from [0, 1] on"),
            (single("GATHER", {"axis": 3}, i=integers([0, 1])), "its indices are [1, 2]"),
            (single("RESIZE_BILINEAR", s=integers(0, 3)), "it resizes [1, 7, 6, 4] to [0, 3]"),
            (single("DEPTH_TO_SPACE", {"block_size": 0}), "its block_size is 0"),
            (single("EXPAND_DIMS", a=integers(1, 2)), "it adds axes [1, 2]"),
            (single("SQUEEZE", {"squeeze_dims": (1,)}), "has more than one element along axes [1]"),
            (single("ADD_N", c=weights(4), d=weights(4)), "1 computed inputs and 2 constant"),
            (single("CONV_2D", CONV, w=weights(5, 4)), "its weight is [5, 4], on 2 spatial axes"),
            (
                single("MIRROR_PAD", {"mode": 1}, p=integers(0, 0, 9, 0, 0, 0, 0, 0)),
                "it mirrors 9 of 7 elements",
            ),
            (
                single("TRANSPOSE_CONV", CONV, s=integers(1), w=weights(5, 3, 3, 4), order="swx"),
                "its output's size is not known",
            ),
            (
                single("TRANSPOSE_CONV", CONV, s=integers(1), w=weights(5, 3, 3, 3), order="swx"),
                "its weight is for 3 channels, its source has 4",
            ),
            (single("PAD", p=integers(1, 0, 0, 0, 0, 0, 0, 0)), "it pads the batch"),
            (single("FULLY_CONNECTED", w=weights(5, 4)), "it mixes the batch with other axes"),
            (single("BATCH_MATMUL", {"adj_x": 1}, w=weights(4, 5)), "no product with one constant"),
        ],
    )
    def test_with_the_reason(self, sample: Sample, said: str) -> None:
        assert said in refused(sample)

    def test_what_it_depends_on_is_left_out(self) -> None:
        sample = chain(RELU, op("ARG_MAX", "y a", "z"), a=integers(3))
        found = imported(
            Sample(sample.nodes, sample.inputs, sample.constants, ["y", "z"]), partial=True
        )
        assert [layer.name for layer in found.layers.values()] == ["y"]
        assert found.left_out == 1

    def test_the_nodes_inside_of_a_condition_are_counted(self) -> None:
        node = op("IF", "x c", "z", then_graph=1, else_graph=1)
        inner: dict[int, Any] = {3: [{}, {}, {}]}
        sample = Sample(
            [RELU, node], {"x": IMAGE}, {"c": np.array([True])}, ["y", "z"], more_graphs=[inner]
        )
        found = imported(sample, partial=True)
        assert found.left_out == 7
        assert not found.unused
        assert "the nodes inside it, 6" in str(found.causes[0])


def test_the_rules_are_tensorflows() -> None:
    network = load_spec(saved(single("CONV_2D", {**CONV, "stride_h": 2}, w=weights(5, 3, 3, 4))))
    assert network.rules.name == "tensorflow"
    assert network.layers[0].geometry.parameters == 3 * 3 * 4 * 5


def test_shapes_need_no_numpy() -> None:
    saved(single("RELU"))
    code = (
        "import sys; from convt_cli import load_spec; load_spec('net.tflite');"
        " sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _pool(size: int) -> dict[str, int]:
    sizes = {"filter_h": size, "filter_w": size, "stride_h": size, "stride_w": size}
    return {"padding": VALID, **sizes}


def _dilated(**options: int) -> Sample:
    nodes = [
        op("SPACE_TO_BATCH_ND", "x block pads", "apart"),
        op("CONV_2D", "apart w", "inner", **{"padding": VALID, **ONES, **options}),
        op("BATCH_TO_SPACE_ND", "inner block crops", "y"),
    ]
    pads, crops = integers(2, 2, 2, 2).reshape(2, 2), integers(0, 0, 0, 0).reshape(2, 2)
    constants = {"block": integers(2, 2), "pads": pads, "crops": crops, "w": weights(5, 3, 3, 4)}
    return Sample(nodes, {"x": (1, 8, 6, 4)}, constants)
