"""ONNX: one node, its attributes written out."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.kinds import Pair
from convt_cli.reports.code_lines.target import Target, call

_OPERATORS = {
    "conv": "Conv",
    "conv_transpose": "ConvTranspose",
    "max_pool": "MaxPool",
    "avg_pool": "AveragePool",
}


def line(target: Target) -> str | None:
    """The layer as a node made by `onnx.helper`; None where one node cannot say it."""
    if target.padding_mode != "zeros":
        return None
    if target.type == "conv_transpose":
        return _conv_transpose(target)
    pads = target.direct_pads
    if target.type == "conv":
        return _node(target, pads)
    if any(max(pair) >= taps for pair, taps in zip(pads, target.kernel_size)):
        return None
    if not target.is_padded_average:
        return _node(target, pads)
    if target.counts_padding and target.overhangs:
        return None
    return _node(target, pads, count_include_pad="1" if target.counts_padding else None)


def _conv_transpose(target: Target) -> str | None:
    """Pads, and what they fall short of the output size as output_padding below the stride."""
    least = [axis.after - axis.output_padding for axis in target.axes]
    extras = [max(0, -after) for after in least]
    if any(axis.before < 0 or extra >= axis.stride for axis, extra in zip(target.axes, extras)):
        return None
    pads = [(axis.before, max(0, after)) for axis, after in zip(target.axes, least)]
    return _node(target, pads, output_padding=str(extras) if any(extras) else None)


def _node(target: Target, pads: Sequence[Pair], **more: str | None) -> str:
    inputs = ["x"]
    if not target.type.endswith("_pool"):
        inputs += ["w", "b"] if target.has_bias else ["w"]
    flat = [pair[end] for end in (0, 1) for pair in pads]
    return call(
        "helper.make_node",
        f"'{_OPERATORS[target.type]}'",
        str(inputs),
        "['y']",
        kernel_shape=str(list(target.kernel_size)),
        strides=_unless_ones(target.stride),
        pads=str(flat) if any(flat) else None,
        dilations=_unless_ones(target.dilation),
        group=None if target.groups == 1 else str(target.groups),
        **more,
    )


def _unless_ones(values: Sequence[int]) -> str | None:
    return None if set(values) == {1} else str(list(values))
