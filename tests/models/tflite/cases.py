"""Small graphs, one or a few for each operator, of which the interpreter says what they compute.

`RECORDS` of `records` hold its answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from convt_cli.operators.dtypes import Array
from tests.models.tflite.samples import Op, Sample, Stored, Vector, op, quantization
from tests.peers.cases import numbers

IMAGE = (1, 7, 6, 4)
SAME, VALID = 0, 1
RELU, RELU_N1_TO_1, RELU6, TANH = 1, 2, 3, 4
STEPS = {"stride_h": 2, "stride_w": 1, "dilation_h": 1, "dilation_w": 2}
ONES = {"stride_h": 1, "stride_w": 1}


def weights(*shape: int, salt: int = 0) -> Array:
    """Numbers of single precision, few of them different."""
    return (numbers(shape, 1000 + salt) / 8).astype(np.float32)


def integers(*values: Any) -> Array:
    return np.array(values, np.int32)


def single(operator: str, options: Mapping[Any, Any] | None = None, **more: Any) -> Sample:
    """One node that reads `x`, of the shape `shape`, and then the constants in `more`."""
    shape = more.pop("shape", IMAGE)
    count = more.pop("count", 1)
    order = more.pop("order", ("x", *more))
    outputs = [f"y{number}" if number else "y" for number in range(count)]
    node = Op(operator, order, outputs, options or {})
    return Sample([node], {"x": shape}, more, outputs)


def _convolutions() -> Iterator[tuple[str, Sample]]:
    bias = weights(6, salt=1)
    for name, padding in (("same", SAME), ("valid", VALID)):
        options = {"padding": padding, **STEPS}
        yield f"conv {name}", single("CONV_2D", options, w=weights(6, 3, 2, 4), b=bias)
        depthwise = weights(1, 3, 2, 8)
        step = {"padding": padding, "stride_h": 2, "stride_w": 2, "activation": RELU}
        yield f"depthwise {name}", single("DEPTHWISE_CONV_2D", step, w=depthwise, b=weights(8))
        size = integers(1, 13, 18, 3) if padding else integers(1, 13, 17, 3)
        turned = {"padding": padding, "stride_h": 2, "stride_w": 3}
        if padding:
            size = integers(1, 15, 18, 3)
        yield (
            f"conv_transpose {name}",
            single("TRANSPOSE_CONV", turned, s=size, w=weights(3, 3, 3, 4), order=("s", "w", "x")),
        )
    for activation in (RELU, RELU_N1_TO_1, RELU6):
        options = {"padding": SAME, **ONES, "activation": activation}
        yield (
            f"conv activation {activation}",
            single("CONV_2D", options, w=weights(6, 3, 3, 4), b=bias),
        )
    options = {"padding": SAME, **ONES}
    yield "conv groups", single("CONV_2D", options, w=weights(6, 3, 3, 2), b=bias)
    with_bias = {"padding": SAME, "stride_h": 2, "stride_w": 2}
    yield (
        "conv_transpose bias",
        single(
            "TRANSPOSE_CONV",
            with_bias,
            s=integers(1, 14, 12, 3),
            w=weights(3, 3, 3, 4),
            b=weights(3),
            order=("s", "w", "x", "b"),
        ),
    )
    volume = {"shape": (1, 5, 4, 6, 2)}
    steps = {"stride_d": 2, "stride_h": 1, "stride_w": 2}
    yield (
        "conv 3d",
        single(
            "CONV_3D", {"padding": SAME, **steps}, w=weights(3, 2, 3, 2, 5), b=weights(5), **volume
        ),
    )
    yield (
        "conv_transpose 3d",
        single(
            "CONV_3D_TRANSPOSE",
            {"padding": SAME, **steps},
            s=integers(1, 10, 4, 12, 3),
            w=weights(3, 2, 3, 3, 2),
            order=("s", "w", "x"),
            **volume,
        ),
    )
    yield "dilated conv", _dilated("CONV_2D", weights(6, 3, 2, 4), (2, 2, 1, 1), (0, 1, 0, 0))
    yield (
        "dilated conv cropped",
        _dilated("CONV_2D", weights(6, 3, 2, 4), (0, 1, 0, 0), (1, 0, 0, 2)),
    )
    depthwise = weights(1, 3, 2, 4)
    yield "dilated depthwise", _dilated("DEPTHWISE_CONV_2D", depthwise, (2, 3, 2, 2), (0, 0, 1, 0))


def _dilated(operator: str, weight: Array, pads: tuple[int, ...], crops: tuple[int, ...]) -> Sample:
    block = integers(2, 2)
    channels = weight.shape[-1] if weight.shape[0] == 1 else weight.shape[0]
    nodes = [
        op("SPACE_TO_BATCH_ND", "x block pads", "apart"),
        op(operator, "apart w b", "inner", padding=VALID, **ONES, activation=RELU6),
        op("BATCH_TO_SPACE_ND", "inner block crops", "y"),
    ]
    constants: dict[str, Array | Stored] = {
        "block": block,
        "pads": integers(*pads).reshape(2, 2),
        "crops": integers(*crops).reshape(2, 2),
        "w": weight,
        "b": weights(channels),
    }
    sizes = (10 - sum(pads[:2]) % 2, 10 - sum(pads[2:]) % 2)  # blocks of 2 fill them, with the pads
    return Sample(nodes, {"x": (1, *sizes, 4)}, constants)


def _pools() -> Iterator[tuple[str, Sample]]:
    for operator in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        for name, padding in (("same", SAME), ("valid", VALID)):
            options = {
                "padding": padding,
                "stride_h": 2,
                "stride_w": 3,
                "filter_h": 3,
                "filter_w": 2,
            }
            yield f"{operator} {name}", single(operator, options)
    for keep in (0, 1):
        for axes in ((1, 2), (3,), (1,), (2, 3), (-2, -3)):
            name = f"axes {axes} {'kept' if keep else 'dropped'}"
            options = {"keep_dims": keep}
            yield f"MEAN {name}", single("MEAN", options, axes=integers(*axes))
    yield "MEAN all kept", single("MEAN", {"keep_dims": 1}, axes=integers(1, 2, 3))
    for operator in ("SUM", "REDUCE_MAX", "REDUCE_MIN"):
        yield operator, single(operator, {"keep_dims": 1}, axes=integers(1, 2))
    yield "SUM of channels", single("SUM", {"keep_dims": 0}, axes=integers(3))


def _activations() -> Iterator[tuple[str, Sample]]:
    plain = (
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "RELU_0_TO_1",
        "LOGISTIC",
        "TANH",
        "HARD_SWISH",
        "ELU",
    )
    for operator in plain:
        yield operator, single(operator)
    for operator in ("NEG", "SQUARE"):
        yield operator, single(operator)
    yield "LEAKY_RELU", single("LEAKY_RELU", {"alpha": 0.3})
    yield "GELU", single("GELU", {"approximate": 0})
    yield "GELU by tanh", single("GELU", {"approximate": 1})
    yield "SOFTMAX", single("SOFTMAX", {"beta": 1.0})
    yield "SOFTMAX sharpened", single("SOFTMAX", {"beta": 0.5}, shape=(1, 10))
    yield "PRELU channels", single("PRELU", a=weights(1, 1, 4))
    yield "PRELU elements", single("PRELU", a=weights(7, 6, 4))
    options = {"radius": 1, "bias": 1.0, "alpha": 0.5, "beta": 0.75}
    yield "LOCAL_RESPONSE_NORMALIZATION", single("LOCAL_RESPONSE_NORMALIZATION", options)


def _elementwise() -> Iterator[tuple[str, Sample]]:
    half = np.array(0.5, np.float32)
    for operator in ("ADD", "SUB", "MUL", "DIV"):
        yield f"{operator} number", single(operator, {"activation": RELU6}, c=half)
        channels = np.abs(weights(4)) + np.float32(0.5)
        yield f"{operator} channels", single(operator, c=channels)
    for operator in ("ADD", "SUB", "MUL"):
        yield f"{operator} number first", single(operator, c=half, order=("c", "x"))
        node = op(operator, "x z", "y", activation=RELU)
        yield f"{operator} two", Sample([node], {"x": IMAGE, "z": (1, 1, 1, 4)})
    for operator in ("MAXIMUM", "MINIMUM"):
        yield f"{operator} number", single(operator, c=half)
    rows = weights(7, 1, 1)
    for operator in ("ADD", "MUL"):
        yield f"{operator} rows", single(operator, c=rows)
    yield "POW of two", single("POW", c=np.array(2, np.float32))
    yield (
        "SQUARED_DIFFERENCE",
        Sample([op("SQUARED_DIFFERENCE", "x z", "y")], {"x": IMAGE, "z": IMAGE}),
    )
    yield "ADD of ranks", Sample([op("ADD", "x z", "y")], {"x": IMAGE, "z": (1, 4)})
    yield "ADD_N", Sample([op("ADD_N", "x z x", "y")], {"x": IMAGE, "z": IMAGE})


def _shapes() -> Iterator[tuple[str, Sample]]:
    for shape in ((1, 168), (1, 42, 4), (1, 6, 7, 4), (1, 21, 8), (1, 168, 1), (1, 1, 1, 168)):
        yield f"RESHAPE to {shape}", single("RESHAPE", s=integers(*shape))
    yield "RESHAPE to the rest", single("RESHAPE", s=integers(-1, 84, 2))
    yield "RESHAPE of an option", single("RESHAPE", {"new_shape": (1, 3, 8, 7)})
    yield "RESHAPE of a vector", single("RESHAPE", s=integers(1, 3, 4, 2), shape=(1, 24))
    yield "SQUEEZE", single("SQUEEZE", {"squeeze_dims": (1, 2)}, shape=(1, 1, 1, 5))
    yield "SQUEEZE channels", single("SQUEEZE", {"squeeze_dims": (-1,)}, shape=(1, 3, 5, 1))
    yield "EXPAND_DIMS", single("EXPAND_DIMS", a=integers(-1), shape=(1, 3, 5))
    for order in ((0, 3, 1, 2), (0, 2, 1, 3), (0, 1, 3, 2)):
        yield f"TRANSPOSE {order}", single("TRANSPOSE", p=integers(*order))
    yield "DEPTH_TO_SPACE", single("DEPTH_TO_SPACE", {"block_size": 2}, shape=(1, 3, 2, 12))
    yield "SPACE_TO_DEPTH", single("SPACE_TO_DEPTH", {"block_size": 2}, shape=(1, 6, 4, 3))
    for name, pads in (
        ("spatial", (0, 0, 1, 2, 0, 1, 0, 0)),
        ("channels", (0, 0, 0, 0, 0, 0, 0, 3)),
        ("all", (0, 0, 1, 0, 0, 2, 1, 2)),
    ):
        yield f"PAD {name}", single("PAD", p=integers(*pads).reshape(4, 2))
    around = integers(0, 0, 1, 2, 0, 1, 0, 0).reshape(4, 2)
    yield "PADV2", single("PADV2", p=around, v=np.array(0.5, np.float32))
    everywhere = integers(0, 0, 1, 2, 0, 1, 2, 0).reshape(4, 2)
    for name, mode in (("reflect", 0), ("symmetric", 1)):
        yield f"MIRROR_PAD {name}", single("MIRROR_PAD", {"mode": mode}, p=everywhere)
    yield "PAD of a vector", single("PAD", p=integers(0, 0, 2, 1).reshape(2, 2), shape=(1, 9))
    yield "TILE", single("TILE", m=integers(1, 2, 1, 3))
    yield "BROADCAST_TO", single("BROADCAST_TO", s=integers(1, 5, 6, 4), shape=(1, 1, 1, 4))


def _resizes() -> Iterator[tuple[str, Sample]]:
    centred = {"half_pixel_centers": 1}
    for size in ((14, 12), (10, 9), (4, 3)):
        yield f"RESIZE_BILINEAR {size}", single("RESIZE_BILINEAR", centred, s=integers(*size))
        nearest = single("RESIZE_NEAREST_NEIGHBOR", centred, s=integers(*size))
        yield f"RESIZE_NEAREST_NEIGHBOR {size}", nearest
    yield "RESIZE_NEAREST_NEIGHBOR whole", single("RESIZE_NEAREST_NEIGHBOR", s=integers(14, 18))


def _parts() -> Iterator[tuple[str, Sample]]:
    for axis in (1, -1):
        node = op("CONCATENATION", "x z", "y", axis=axis)
        other = (1, 5, 6, 4) if axis == 1 else (1, 7, 6, 3)
        yield f"CONCATENATION {axis}", Sample([node], {"x": IMAGE, "z": other})
    for axis in (1, 4):
        pack = Op("PACK", ["x", "z"], ["y"], {"axis": axis, 0: 2})
        yield f"PACK {axis}", Sample([pack], {"x": IMAGE, "z": IMAGE})
    yield "UNPACK", single("UNPACK", {"axis": 3, 0: 4}, count=4)
    yield "SPLIT", single("SPLIT", {0: 2}, a=integers(3)[0], order=("a", "x"), count=2)
    yield "SPLIT_V", single("SPLIT_V", {0: 3}, s=integers(2, -1, 1), a=integers(1)[0], count=3)
    yield "SLICE", single("SLICE", b=integers(0, 1, 0, 2), s=integers(1, 4, -1, 2))
    bounds = {"b": integers(0, 1, -1, 0), "e": integers(0, 6, 0, 4), "s": integers(1, 2, -2, 1)}
    masks = {"begin_mask": 1, "end_mask": 1}
    yield "STRIDED_SLICE", single("STRIDED_SLICE", masks, **bounds)
    yield (
        "STRIDED_SLICE dropping",
        single("STRIDED_SLICE", {**masks, "shrink_axis_mask": 8}, **bounds),
    )
    yield "GATHER", single("GATHER", {"axis": 3}, i=integers(3, 1))
    yield "GATHER one", single("GATHER", {"axis": 1}, i=integers(3)[0])
    yield "REVERSE_V2", single("REVERSE_V2", a=integers(2))


def _matrices() -> Iterator[tuple[str, Sample]]:
    matrix: dict[str, Any] = {"w": weights(5, 24), "b": weights(5)}
    yield (
        "FULLY_CONNECTED",
        single("FULLY_CONNECTED", {"activation": RELU}, shape=(1, 24), **matrix),
    )
    yield "FULLY_CONNECTED flattening", single("FULLY_CONNECTED", shape=(1, 3, 2, 4), **matrix)
    along = {"keep_num_dims": 1}
    yield "FULLY_CONNECTED along", single("FULLY_CONNECTED", along, w=weights(5, 4), b=weights(5))
    yield "FULLY_CONNECTED without bias", single("FULLY_CONNECTED", shape=(1, 24), w=weights(5, 24))
    yield "BATCH_MATMUL", single("BATCH_MATMUL", w=weights(4, 5), shape=(1, 3, 4))
    yield (
        "BATCH_MATMUL turned",
        single("BATCH_MATMUL", {"adj_y": 1}, w=weights(5, 4), shape=(1, 3, 4)),
    )


def _constants() -> Iterator[tuple[str, Sample]]:
    nodes = [
        op("DEQUANTIZE", "half", "w"),
        op("CONV_2D", "x w b", "y", padding=SAME, **ONES),
    ]
    half, shape = weights(6, 3, 2, 4).astype(np.float16), {"w": {0: Vector("i", (6, 3, 2, 4))}}
    yield "float16", Sample(nodes, {"x": IMAGE}, {"half": half, "b": weights(6)}, (), shape)
    per_channel = Stored(
        numbers((6, 3, 2, 4), 3).astype(np.int8),
        quantization([0.5, 0.25, 1.0, 0.125, 0.5, 2.0], [0] * 6),
    )
    yield (
        "dequantised per channel",
        Sample(nodes, {"x": IMAGE}, {"half": per_channel, "b": weights(6)}, (), shape),
    )
    shifted = Stored((numbers((6, 3, 2, 4), 3) + 100).astype(np.uint8), quantization([0.25], [97]))
    yield "dequantised", Sample(nodes, {"x": IMAGE}, {"half": shifted, "b": weights(6)}, (), shape)


def _sparse() -> Iterator[tuple[str, Sample]]:
    nodes = [op("DENSIFY", "few", "w"), op("FULLY_CONNECTED", "x w", "y")]
    dense = {0: ("b", 0)}
    three = {2: ("B", 3), 3: {0: Vector("B", (0, 2, 2, 3, 6))}}  # rows of 2, 0, 1 and 3 numbers
    columns = {4: ("B", 2), 5: {0: Vector("H", (1, 5, 0, 2, 3, 4))}}
    rows = [{**dense, 1: ("i", 4)}, {0: ("b", 1), **three, **columns}]
    two = {2: ("B", 1), 3: {0: Vector("i", (0, 1, 3))}}  # rows of 1 and 2 blocks of 2 x 3
    blocks = [
        {**dense, 1: ("i", 2)},
        {0: ("b", 1), **two, 4: ("B", 3), 5: {0: Vector("B", (1, 0, 1))}},
        {**dense, 1: ("i", 2)},
        {**dense, 1: ("i", 3)},
    ]
    for name, order, blocked, levels, count in (
        ("rows", (0, 1), (), rows, 6),
        ("blocks", (0, 1, 2, 3), (0, 1), blocks, 18),
    ):
        tree = {6: {0: Vector("i", order), 1: Vector("i", blocked), 2: levels}}
        stored = {"few": Stored(weights(count), tree, shape=(4, 6))}
        shape = {"w": {0: Vector("i", (4, 6))}}
        yield f"sparse {name}", Sample(nodes, {"x": (1, 6)}, stored, (), shape)


CASES: dict[str, Sample] = {
    name: sample
    for kind in (
        _convolutions,
        _pools,
        _activations,
        _elementwise,
        _shapes,
        _resizes,
        _parts,
        _matrices,
        _constants,
        _sparse,
    )
    for name, sample in kind()
}
"""By a name."""
