"""One layer as a line of code of each framework, with its padding.

A line is an expression on `x`, an input with a batch axis, in the framework's own axis order.  It
computes what the layer computes: where the framework's operator cannot express the padding, the
line pads or crops around it.  `w` stands for the kernel and `b` for the bias, in the framework's
own layout.  In ONNX a line is a node, or a list of nodes, from `x` to `y`.

A module for each framework writes the lines from a `Target`, which is integers and nothing of a
spec, and raises NoLineError where it knows no line.  `condition` finds the other input sizes for
which the same line holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers import Conv, ConvTranspose
from convt_cli.arithmetic.layers.adaptive_pools import AdaptivePool
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.errors import GeometryError
from convt_cli.reports.code_lines import caffe, jax, keras, onnx, pytorch, resizing, tensorflow
from convt_cli.reports.code_lines.condition import Condition, Sizes, condition_of
from convt_cli.reports.code_lines.target import (
    NoLineError,
    Target,
    plain_pool_target,
    target_of,
)

__all__ = ["Line", "Target", "code_line", "layer_line", "target_of"]

_WINDOWED = (Conv, ConvTranspose, MaxPool, AveragePool)
"""The layers that a `Target` describes; all others are for `resizing`."""
WRITERS: dict[str, Callable[[Target], str]] = {
    "pytorch": pytorch.line,
    "tensorflow": tensorflow.line,
    "keras": keras.line,
    "onnx": onnx.line,
    "jax": jax.line,
    "caffe": caffe.line,
}
"""The writer of each framework's lines.

`test_every_framework_has_a_writer_of_lines` fails for a framework that is missing here.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of code and the input sizes it holds for, or the reason why none is known."""

    text: str | None = None
    condition: Condition | None = None
    reason: str | None = None


def code_line(target: Target, framework: str) -> Line:
    """The line that computes in `framework` what `target` describes, without a condition."""
    if framework not in WRITERS:
        return Line(reason=f"convt writes no code for {framework}")
    try:
        return Line(text=WRITERS[framework](target))
    except NoLineError as error:
        return Line(reason=str(error))


def layer_line(layer: NetworkLayer, own: Framework, framework: str) -> Line:
    """The line, with its condition, that computes in `framework` what the layer does in `own`."""
    if not isinstance(layer.definition, _WINDOWED):
        return _unwindowed_line(layer, own, framework)
    line = code_line(target_of(layer, own), framework)
    if line.text is None:
        return line

    def writes(sizes: Shape) -> str | None:
        resized = _resized(layer, own, sizes)
        return None if resized is None else code_line(target_of(resized, own), framework).text

    return replace(line, condition=condition_of(layer, writes))


def _unwindowed_line(layer: NetworkLayer, own: Framework, framework: str) -> Line:
    """The line for a layer whose windows have no stride: an adaptive pool, a resize, a shuffle."""
    try:
        if not isinstance(layer.definition, AdaptivePool):
            text, holds = resizing.line(layer, own, framework)
            return Line(text=text, condition=_sizes(layer, any_size=holds))
        adaptive = resizing.adaptive_pool(layer, framework)
        if adaptive is not None:
            return Line(text=adaptive, condition=_sizes(layer, any_size=True))
        line = code_line(plain_pool_target(layer, resizing.plain_windows(layer)), framework)
        return line if line.text is None else replace(line, condition=_sizes(layer, any_size=False))
    except NoLineError as error:
        return Line(reason=str(error))


def _sizes(layer: NetworkLayer, *, any_size: bool) -> Condition:
    """The condition of a line for any input size, or for the layer's own alone."""
    sizes = layer.inputs[0][1:]
    return Condition(
        axes=tuple(Sizes(start=1 if any_size else n, step=int(any_size)) for n in sizes)
    )


def _resized(layer: NetworkLayer, own: Framework, sizes: Shape) -> NetworkLayer | None:
    """The layer on an input of these spatial sizes; None where the layer refuses them."""
    source = (layer.inputs[0][0], *sizes)
    try:
        geometry = layer.definition.resolve((source,), own)
    except GeometryError:
        return None
    return replace(layer, inputs=(source,), geometry=geometry)
