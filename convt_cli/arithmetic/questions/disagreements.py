"""Points on which the tools of one framework disagree about a layer that it accepts.

convt follows one of the tools (see `frameworks`).  Where the others differ, the layer is better
written in another way, or tested with the tool that will run it.  Every rule here was observed in
ONNX's shape inference and reference implementation, 1.23, ONNX Runtime 1.32 and TensorFlow 2.21.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework, interpolation
from convt_cli.arithmetic.dialects.padding import FRAMEWORK_WORDS
from convt_cli.arithmetic.layers import ConvTranspose, Definition, Geometry, Windows
from convt_cli.arithmetic.layers.adaptive_pools import AdaptivePool
from convt_cli.arithmetic.layers.convolutions import Conv
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample

_TENSORFLOW = ("tensorflow", "keras")
"""The frameworks that run TensorFlow's operators."""
_CEIL_DROPS_FROM = 22
"""The opset from which ONNX's shape inference drops a pool's window that starts past the input."""
_SHORT_AVERAGE_FROM = 19
"""The opset from which ONNX Runtime takes auto_pad SAME where windows leave gaps, for averages."""
_HALVES_FROM = 11
"""The opset from which ONNX's text and ONNX Runtime agree on the side of an odd element."""


def disagreements(
    layer_type: str,
    definition: Definition,
    source: Shape,
    geometry: Geometry,
    framework: Framework,
) -> tuple[str, ...]:
    """One sentence for each point on which the framework's tools differ about this layer."""
    if isinstance(definition, PixelShuffle | PixelUnshuffle):
        return tuple(_shuffles(definition, framework))
    if isinstance(definition, Upsample):
        return tuple(_resizes(definition, source, framework))
    if isinstance(definition, AdaptivePool):
        return tuple(_adaptive(layer_type, geometry, framework))
    if not isinstance(geometry.dependence, Windows):
        return ()
    if framework.name == "onnx":
        return tuple(_onnx(definition, source, geometry, geometry.dependence, framework.opset or 0))
    if isinstance(definition, ConvTranspose):
        return tuple(_transposed(definition, geometry.dependence, framework))
    return ()


def _transposed(layer: ConvTranspose, windows: Windows, framework: Framework) -> Iterator[str]:
    axes = windows.axes
    if any(axis.dilation > 1 for axis in axes) and framework.name in _TENSORFLOW:
        yield "TensorFlow refuses a dilated transposed convolution on a CPU without oneDNN"
    moved = any(_centred_by_torch(axis) != axis.before for axis in axes)
    if framework.name == "keras" and layer.padding == "same" and moved:
        yield (
            "until May 2026 (keras#22876) the torch backend moved the values of a strided "
            "transposed layer with padding 'same' by one element"
        )
    if framework.name == "jax" and layer.padding not in (*FRAMEWORK_WORDS, "valid"):
        yield from _consistent_padding(axes)


def _consistent_padding(axes: Sequence[Axis]) -> Iterator[str]:
    """A sentence if JAX's use_consistent_padding=True would give another output.

    It reads the stretched pads as pads of the direct convolution.
    """
    stretched = [axis.zero_inserted() for axis in axes]
    sizes = tuple(
        (axis.output_size - 1) * axis.stride + axis.effective_kernel - pads.before - pads.after
        for axis, pads in zip(axes, stretched)
    )
    if any(
        axis.before != pads.before or axis.input_size != size
        for axis, pads, size in zip(axes, stretched, sizes)
    ):
        result = f"an output of {_text(sizes)}" if min(sizes) > 0 else "no output at all"
        yield (
            "with use_consistent_padding=True, which JAX has had since October 2025 "
            f"(jax#32268), the same pads are the direct convolution's: {result}"
        )


def _centred_by_torch(axis: Axis) -> int:
    """The elements that Keras's torch backend cropped in front before the fix: half, rounded up."""
    total = axis.effective_kernel - axis.stride
    return max(0, ceil_div(total, 2)) if axis.stride > 1 else axis.before


def _adaptive(layer_type: str, geometry: Geometry, framework: Framework) -> Iterator[str]:
    crashes = layer_type == "adaptive_max_pool" and 1 in geometry.output[1:]
    if crashes and framework.name == "keras":
        yield (
            "on the TensorFlow backend AdaptiveMaxPooling of Keras 3.15 ends the process where "
            "an axis comes to one element"
        )


def _shuffles(layer: PixelShuffle | PixelUnshuffle, framework: Framework) -> Iterator[str]:
    """A sentence about the framework's similar operator, which orders channels differently."""
    deepens = isinstance(layer, PixelUnshuffle)
    if framework.name in _TENSORFLOW:
        name = "space_to_depth" if deepens else "depth_to_space"
        module = "tf.nn" if framework.name == "tensorflow" else "keras.ops"
        yield f"{module}.{name} has the place in a block before the channels, not behind"
    if framework.name == "onnx":
        name = "SpaceToDepth" if deepens else "DepthToSpace in its default mode DCR"
        yield f"{name} has the place in a block before the channels, not behind"


def _resizes(layer: Upsample, source: Shape, framework: Framework) -> Iterator[str]:
    if framework.name == "onnx" and interpolation(layer.mode) == "cubic" and len(source) != 3:
        yield "ONNX Runtime has cubic on two spatial axes alone"


def _onnx(
    definition: Definition, source: Shape, geometry: Geometry, windows: Windows, opset: int
) -> Iterator[str]:
    if isinstance(definition, ConvTranspose):
        yield from _onnx_transposed(definition, source, geometry, windows)
        if opset < _HALVES_FROM and _finds_uneven_pads(definition, windows):
            yield "ONNX Runtime pads more on the other side, as from opset 11 on"
    elif isinstance(definition, Conv | MaxPool | AveragePool):
        yield from _onnx_direct(definition, windows, opset)


def _onnx_transposed(
    layer: ConvTranspose, source: Shape, geometry: Geometry, windows: Windows
) -> Iterator[str]:
    if layer.padding in FRAMEWORK_WORDS and layer.output_size is None:
        full = _full_sizes(layer, windows)
        reference = tuple(size * axis.stride for size, axis in zip(source[1:], windows.axes))
        inferred = tuple(
            min(axis.input_size + _extra(layer, number), full[number])
            for number, axis in enumerate(windows.axes)
        )
        yield from _sizes(geometry.output[1:], inferred, reference)
        if full != geometry.output[1:]:
            yield (
                f"until October 2025 (openvino#32608) OpenVINO did without the pads that auto_pad "
                f"asks for: an output of {_text(full)}"
            )
    elif layer.output_size is not None and layer.padding not in FRAMEWORK_WORDS:
        yield "the reference implementation refuses output_shape here, or keeps the pads beside it"
    if any(_extra(layer, number) >= axis.stride for number, axis in enumerate(windows.axes)):
        yield "ONNX Runtime refuses an output_padding that is not below the stride"
    if layer.groups > 1:
        yield "the reference implementation is wrong, or fails, for a group above 1"


def _finds_uneven_pads(layer: ConvTranspose, windows: Windows) -> bool:
    found = layer.padding in FRAMEWORK_WORDS or layer.output_size is not None
    return found and any(axis.before != axis.after for axis in windows.axes)


def _extra(layer: ConvTranspose, axis: int) -> int:
    """The written output_padding of an axis, 0 where there is none."""
    extra = layer.output_padding or 0
    return extra if isinstance(extra, int) else extra[axis]


def _full_sizes(layer: ConvTranspose, windows: Windows) -> Shape:
    """The output sizes without pads, output_padding included."""
    return tuple(
        (axis.output_size - 1) * axis.stride + axis.effective_kernel + _extra(layer, number)
        for number, axis in enumerate(windows.axes)
    )


def _sizes(runtime: Shape, inferred: Shape, reference: Shape) -> Iterator[str]:
    if len({runtime, inferred, reference}) > 1:
        yield (
            f"the output is {_text(runtime)} in ONNX Runtime, {_text(inferred)} in shape "
            f"inference, {_text(reference)} in the reference implementation"
        )


def _text(sizes: Shape) -> str:
    return "×".join(str(size) for size in sizes)


def _onnx_direct(
    layer: Conv | MaxPool | AveragePool, windows: Windows, opset: int
) -> Iterator[str]:
    same = layer.padding in FRAMEWORK_WORDS
    dilated = any(axis.dilation > 1 for axis in windows.axes)
    if isinstance(layer, Conv):
        if same and dilated:
            yield "ONNX Runtime refuses auto_pad SAME together with dilations"
        if same and max(_shortfalls(windows)) > 1:
            yield "ONNX Runtime moves the windows of auto_pad SAME towards the middle here"
        return
    if same and dilated:
        yield "ONNX Runtime forgets the dilations of a pool with auto_pad SAME"
    recent = isinstance(layer, AveragePool) and opset >= _SHORT_AVERAGE_FROM
    if same and not recent and max(_shortfalls(windows)) > 0:
        yield "ONNX Runtime refuses auto_pad SAME where a window ends before the next begins"
    if layer.ceil_mode and not same and opset < _CEIL_DROPS_FROM:
        counted = tuple(_undropped(windows))
        runtime = tuple(axis.output_size for axis in windows.axes)
        if counted != runtime:
            yield (
                f"the output is {_text(runtime)} in ONNX Runtime and {_text(counted)} in shape "
                f"inference, which before opset {_CEIL_DROPS_FROM} counts a window past the input"
            )


def _shortfalls(windows: Windows) -> Iterator[int]:
    """The elements of every axis between the end of its last window and the end of the input."""
    for axis in windows.axes:
        yield axis.input_size - (axis.output_size - 1) * axis.stride - axis.effective_kernel


def _undropped(windows: Windows) -> Iterator[int]:
    """The number of windows on every axis, counting one that starts past the input."""
    for axis in windows.axes:
        room = axis.input_size + axis.before + axis.after - axis.effective_kernel
        yield ceil_div(room, axis.stride) + 1
