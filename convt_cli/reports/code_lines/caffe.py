"""Caffe: a layer in prototxt, and a Crop layer after it where symmetric padding gives too much."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.averages import divisor_sums
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.layers.pools import pool_axis
from convt_cli.reports.code_lines.target import NoLineError, Target

_POOLS = {"max_pool": "MAX", "avg_pool": "AVE"}
"""The `pool` of a Pooling layer for each type."""


def line(target: Target) -> str:
    """The layer as prototxt, from blob `x` to blob `y`."""
    if target.padding_mode != "zeros":
        raise NoLineError("Caffe pads with zeros alone")
    if target.type == "conv":
        pads = [_padding(axis) for axis in target.axes]
        starts = [(pad - axis.before) // axis.stride for pad, axis in zip(pads, target.axes)]
        sizes = [_window_count(axis, pad) for pad, axis in zip(pads, target.axes)]
        return _cropped(target, "Convolution", pads, starts, sizes)
    if target.type == "conv_transpose":
        return _deconvolution(target)
    return _pool(target)


def _padding(axis: Axis) -> int:
    """The least padding, alike on both sides, whose windows include all windows of the axis."""
    spanned = (axis.output_size - 1) * axis.stride + axis.effective_kernel
    least = max(0, axis.before, spanned - axis.input_size - axis.before)
    return least + (axis.before - least) % axis.stride


def _window_count(axis: Axis, padding: int) -> int:
    """How many windows fit with `padding` on both sides."""
    return (axis.input_size + 2 * padding - axis.effective_kernel) // axis.stride + 1


def _deconvolution(target: Target) -> str:
    """The padding itself where it is symmetric; else less of it, and the output cropped."""
    least = [axis.after - axis.output_padding for axis in target.axes]
    if any(axis.before < 0 or after < 0 for axis, after in zip(target.axes, least)):
        raise NoLineError("Caffe has no layer that puts zeros around an output")
    pads = [min(axis.before, after) for axis, after in zip(target.axes, least)]
    starts = [axis.before - pad for axis, pad in zip(target.axes, pads)]
    sizes = [
        axis.input_size + axis.before + after - 2 * pad
        for axis, after, pad in zip(target.axes, least, pads)
    ]
    return _cropped(target, "Deconvolution", pads, starts, sizes)


def _cropped(
    target: Target, kind: str, pads: Sequence[int], starts: Sequence[int], sizes: Sequence[int]
) -> str:
    """The layer with these pads, whose output has `sizes`, cropped from `starts` on if need be."""
    wanted = [axis.output_size for axis in target.axes]
    if target.type == "conv_transpose":
        wanted = [axis.input_size for axis in target.axes]
    if wanted == list(sizes):
        return _layer(kind, "y", _convolution_param(target, pads))
    whole = _layer(kind, "whole", _convolution_param(target, pads))
    return _with_crop(whole, wanted, starts)


def _with_crop(whole: str, sizes: Sequence[int], starts: Sequence[int]) -> str:
    """The layer `whole`, and the layers that cut `sizes` out of its output, from `starts` on.

    Crop takes the size from another blob, so a DummyData layer provides one.
    """
    dims = " ".join(f"dim: {size}" for size in (1, 1, *sizes))
    offsets = " ".join(f"offset: {start}" for start in starts)
    return " ".join(
        (
            whole,
            f'layer {{ type: "DummyData" top: "size" dummy_data_param {{ shape {{ {dims} }} }} }}',
            'layer { type: "Crop" bottom: "whole" bottom: "size" top: "y" '
            + f"crop_param {{ axis: 2 {offsets} }} }}",
        )
    )


def _layer(kind: str, top: str, parameters: str) -> str:
    return f'layer {{ type: "{kind}" bottom: "x" top: "{top}" {parameters} }}'


def _convolution_param(target: Target, pads: Sequence[int]) -> str:
    parts = [
        f"num_output: {target.channels[1]}",
        _repeated("kernel_size", target.kernel_size),
        _repeated("stride", target.stride, 1),
        _repeated("pad", pads, 0),
        _repeated("dilation", target.dilation, 1),
        _repeated("group", [target.groups], 1),
        "" if target.has_bias else "bias_term: false",
    ]
    return f"convolution_param {{ {' '.join(part for part in parts if part)} }}"


def _repeated(name: str, values: Sequence[int], default: int | None = None) -> str:
    """The field once per axis, or once where all values are equal; empty for the default."""
    if set(values) == {default}:
        return ""
    shown = values[:1] if len(set(values)) == 1 else values
    return " ".join(f"{name}: {value}" for value in shown)


def _pool(target: Target) -> str:
    """A pool on two axes: with ceiling (Caffe's default), with FLOOR, or a larger one cropped.

    FLOOR is in Caffe's sources since August 2018, and in none of its numbered releases.
    """
    if target.rank != 2:
        raise NoLineError("Caffe's pools have two axes")
    if max(target.dilation) > 1:
        raise NoLineError("Caffe's pools have no dilation")
    befores = [axis.before for axis in target.axes]
    for ceils in (True, False):
        if _pools_alike(target, befores, ceils=ceils):
            return _layer("Pooling", "y", _pooling_param(target, befores, ceils=ceils))
    if target.type == "avg_pool":
        raise NoLineError("Caffe's averages have padding on both sides alike, and count it")
    return _larger_pool(target)


def _larger_pool(target: Target) -> str:
    """A max pool with more padding on both sides, which is never the maximum, and a crop."""
    pads = [_padding(axis) for axis in target.axes]
    if any(pad >= taps for pad, taps in zip(pads, target.kernel_size)):
        raise NoLineError("Caffe's pools take less padding than kernel_size")
    starts = [(pad - axis.before) // axis.stride for pad, axis in zip(pads, target.axes)]
    sizes = [axis.output_size for axis in target.axes]
    parameters = _pooling_param(target, pads, ceils=False)
    return _with_crop(_layer("Pooling", "whole", parameters), sizes, starts)


def _pools_alike(target: Target, pads: Sequence[int], *, ceils: bool) -> bool:
    """Whether Caffe's pool with `pads` on both sides has the target's windows and divisors."""
    axes = []
    drops = any(pads)  # without padding a window past the input stays
    for axis, pad in zip(target.axes, pads):
        if not 0 <= pad < axis.kernel_size or axis.input_size + 2 * pad < axis.kernel_size:
            return False
        axes.append(pool_axis(axis.input_size, axis.stencil, (pad, pad), ceils, drops=drops))
    if [axis.output_size for axis in axes] != [axis.output_size for axis in target.axes]:
        return False
    if target.type == "max_pool":
        return True
    return divisor_sums(axes, [(pad, pad) for pad in pads], counts=True) == target.divisor_sums


def _pooling_param(target: Target, pads: Sequence[int], *, ceils: bool) -> str:
    parts = [
        f"pool: {_POOLS[target.type]}",
        *_each("kernel", target.kernel_size),
        *_each("stride", target.stride),
        *_each("pad", pads),
        *([] if ceils else ["round_mode: FLOOR"]),
    ]
    return f"pooling_param {{ {' '.join(parts)} }}"


def _each(name: str, values: Sequence[int]) -> list[str]:
    """One field where both values are equal, else one for the height and one for the width."""
    if len(set(values)) == 1:
        plain = "kernel_size" if name == "kernel" else name
        return [] if name == "pad" and values[0] == 0 else [f"{plain}: {values[0]}"]
    return [f"{name}_{end}: {value}" for end, value in zip("hw", values)]
