"""ONNX: a node with its attributes, or a list of nodes where one node cannot express the layer.

A list has `Pad` nodes before or after the operator, with their pads in a `Constant`.  The nodes
lead from `x` to `y`; the values in between are called `padded` and `whole`.
"""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.averages import divisor_sums
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.layers.pools import pool_axis
from convt_cli.reports.code_lines.target import NoLineError, Target, call

_OPERATORS = {
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "max_pool": "MaxPool",
    "avg_pool": "AveragePool",
}
"""The ONNX operator of each layer type."""
_PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""The `mode` of Pad for each padding_mode but zeros."""


def line(target: Target) -> str:
    """The layer as a node made by `onnx.helper`, or as a list of nodes."""
    if target.type == "conv":
        return _conv(target)
    if target.type == "conv_transpose":
        return _conv_transpose(target)
    return _max_pool(target) if target.type == "max_pool" else _average(target)


def _conv(target: Target) -> str:
    mode = _PAD_MODES.get(target.padding_mode)
    if mode is None or not any(map(any, target.direct_pads)):
        return _node(target, target.direct_pads)
    nodes = _pad_nodes("x", "padded", target.direct_pads, mode=repr(mode))
    return _list([*nodes, _node(target, source="padded")])


def _max_pool(target: Target) -> str:
    """MaxPool, whose pads must be smaller than its kernel; larger ones go into a Pad before it."""
    if _takes_pads(target):
        return _node(target, target.direct_pads)
    nodes = _pad_nodes("x", "padded", target.direct_pads, value="float('-inf')")
    return _list([*nodes, _node(target, source="padded")])


def _average(target: Target) -> str:
    """AveragePool with these divisors: with the windows' pads, or as written with ceil_mode."""
    if _takes_pads(target):
        if target.divides_by_elements:
            return _node(target, target.direct_pads)
        if target.divides_by_kernel:
            return _node(target, target.direct_pads, count_include_pad="1")
        if _ceils_alike(target):
            return _node(target, target.pads, ceil_mode="1", count_include_pad="1")
    if target.divides_by_kernel:
        nodes = _pad_nodes("x", "padded", target.direct_pads)
        return _list([*nodes, _node(target, source="padded")])
    raise NoLineError("no attributes of AveragePool give these divisors")


def _takes_pads(target: Target) -> bool:
    """Whether a pool may have the pads itself: they are smaller than the kernel."""
    pairs = zip(target.direct_pads, target.kernel_size, strict=True)
    return all(max(pair) < taps for pair, taps in pairs)


def _ceils_alike(target: Target) -> bool:
    """Whether ceil_mode with the pads as written has the target's windows and divisors."""
    axes: list[Axis] = []
    for axis, pair in zip(target.axes, target.pads, strict=True):
        if axis.input_size + sum(pair) < axis.effective_kernel:
            return False
        axes.append(pool_axis(axis.input_size, axis.stencil, pair, True))
    sizes = [axis.output_size for axis in axes]
    return (
        sizes == [axis.output_size for axis in target.axes]
        and divisor_sums(axes, target.pads, counts=True) == target.divisor_sums
    )


def _conv_transpose(target: Target) -> str:
    """ConvTranspose with pads, and an output_padding, less than the stride, for what is missing.

    Where that is not enough: ConvTranspose without pads, and a Pad after it that crops or adds
    zeros; zeros lack the bias, so nodes after them add it.
    """
    least = [axis.after - axis.output_padding for axis in target.axes]
    extras = [max(0, -after) for after in least]
    if all(axis.before >= 0 and extra < axis.stride for axis, extra in zip(target.axes, extras)):
        pads = [(axis.before, max(0, after)) for axis, after in zip(target.axes, least)]
        return _node(target, pads, output_padding=str(extras) if any(extras) else None)
    around = [(-axis.before, -after) for axis, after in zip(target.axes, least)]
    if not target.adds_bias_to(around):
        return _list([_node(target, result="whole"), *_pad_nodes("whole", "y", around)])
    shape = [1, -1, *(1 for _ in target.axes)]
    return _list(
        [
            _node(target, result="whole", has_bias=False),
            *_pad_nodes("whole", "padded", around),
            f"helper.make_node('Constant', [], ['shape'], value_ints={shape})",
            "helper.make_node('Reshape', ['b', 'shape'], ['bias'])",
            "helper.make_node('Add', ['padded', 'bias'], ['y'])",
        ]
    )


def _pad_nodes(source: str, result: str, pairs: Sequence[Pair], **named: str) -> list[str]:
    """Nodes that pad `source` by `pairs`, with zeros unless `value` or a `mode` is given."""
    # Pad takes the starts of all axes, batch and channels included, then the ends
    sides = [side for end in (0, 1) for side in (0, 0, *(pair[end] for pair in pairs))]
    nodes = [f"helper.make_node('Constant', [], ['pads'], value_ints={sides})"]
    inputs = [source, "pads"]
    value = named.pop("value", None)
    if value is not None:
        nodes.append(f"helper.make_node('Constant', [], ['value'], value_float={value})")
        inputs.append("value")
    return [*nodes, call("helper.make_node", "'Pad'", str(inputs), str([result]), **named)]


def _list(nodes: Sequence[str]) -> str:
    return f"[{', '.join(nodes)}]"


def _node(
    target: Target,
    pads: Sequence[Pair] = (),
    *,
    source: str = "x",
    result: str = "y",
    has_bias: bool = True,
    **more: str | None,
) -> str:
    """The node of the layer's operator; pools have neither weight nor bias."""
    inputs = [source]
    if not target.type.endswith("_pool"):
        inputs += ["w", "b"] if target.has_bias and has_bias else ["w"]
    sides = [pair[end] for end in (0, 1) for pair in pads]  # all starts, then all ends
    return call(
        "helper.make_node",
        f"'{_OPERATORS[target.type]}'",
        str(inputs),
        str([result]),
        kernel_shape=str(list(target.kernel_size)),
        strides=_unless_ones(target.stride),
        pads=str(sides) if any(sides) else None,
        dilations=_unless_ones(target.dilation),
        group=None if target.groups == 1 else str(target.groups),
        **more,
    )


def _unless_ones(values: Sequence[int]) -> str | None:
    return None if set(values) == {1} else str(list(values))
