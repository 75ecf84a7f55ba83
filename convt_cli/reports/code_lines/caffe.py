"""Caffe: a layer in prototxt, and a Crop layer behind it where its symmetric padding is not it."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.layers.pools import pool_axis
from convt_cli.arithmetic.windows import Window
from convt_cli.reports.code_lines.target import Target


def line(target: Target) -> str | None:
    """The layer as prototxt, from blob `x` to blob `y`."""
    if target.padding_mode != "zeros":
        return None
    if target.type == "conv":
        pads = [_padding(axis) for axis in target.axes]
        starts = [(pad - axis.before) // axis.stride for pad, axis in zip(pads, target.axes)]
        found = [_found(axis, pad) for pad, axis in zip(pads, target.axes)]
        return _cropped(target, "Convolution", pads, starts, found)
    if target.type == "conv_transpose":
        return _deconvolution(target)
    return _pool(target)


def _padding(axis: Axis) -> int:
    """The least padding on both sides whose windows are the axis's own, and others around them."""
    spanned = (axis.output_size - 1) * axis.stride + axis.effective_kernel
    least = max(0, axis.before, spanned - axis.input_size - axis.before)
    return least + (axis.before - least) % axis.stride


def _found(axis: Axis, padding: int) -> int:
    """How many windows there are with `padding` on both sides."""
    return (axis.input_size + 2 * padding - axis.effective_kernel) // axis.stride + 1


def _deconvolution(target: Target) -> str | None:
    """The padding itself where it is symmetric; else the whole output, cropped."""
    least = [axis.after - axis.output_padding for axis in target.axes]
    if any(axis.before < 0 or after < 0 for axis, after in zip(target.axes, least)):
        return None
    pads = [min(axis.before, after) for axis, after in zip(target.axes, least)]
    starts = [axis.before - pad for axis, pad in zip(target.axes, pads)]
    found = [
        axis.input_size + axis.before + after - 2 * pad
        for axis, after, pad in zip(target.axes, least, pads)
    ]
    return _cropped(target, "Deconvolution", pads, starts, found)


def _cropped(
    target: Target, kind: str, pads: Sequence[int], starts: Sequence[int], found: Sequence[int]
) -> str:
    """The layer with these pads, whose output begins at `starts` of what it gives."""
    sizes = [axis.output_size for axis in target.axes]
    if target.type == "conv_transpose":
        sizes = [axis.input_size for axis in target.axes]
    if sizes == list(found):
        return _layer(kind, "y", _convolution_param(target, pads))
    dims = " ".join(f"dim: {size}" for size in (1, 1, *sizes))
    offsets = " ".join(f"offset: {start}" for start in starts)
    return " ".join(
        (
            _layer(kind, "whole", _convolution_param(target, pads)),
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
    """The field once where all values are equal, else once per axis."""
    if set(values) == {default}:
        return ""
    shown = values[:1] if len(set(values)) == 1 else values
    return " ".join(f"{name}: {value}" for value in shown)


def _pool(target: Target) -> str | None:
    """A pool has two axes, takes the ceiling, and drops a window past the input if it is padded."""
    if target.rank != 2 or max(target.dilation) > 1 or not all(map(_pools, _windows(target))):
        return None
    is_even = all(before == after for before, after in target.pads)
    if target.is_padded_average and not (target.counts_padding and is_even):
        return None
    if target.is_padded_average and not target.overhangs and _reaches_past(target):
        return None
    kind = {"max_pool": "MAX", "avg_pool": "AVE"}[target.type]
    sizes = (
        *(_each("kernel", target.kernel_size)),
        *(_each("stride", target.stride)),
        *(_each("pad", [axis.before for axis in target.axes])),
    )
    return _layer("Pooling", "y", f"pooling_param {{ pool: {kind} {' '.join(sizes)} }}")


def _windows(target: Target) -> list[tuple[Axis, bool]]:
    """Every axis, and whether any is padded."""
    padded = any(axis.before for axis in target.axes)
    return [(axis, padded) for axis in target.axes]


def _pools(axis_and_padded: tuple[Axis, bool]) -> bool:
    axis, padded = axis_and_padded
    if not 0 <= axis.before < axis.kernel_size:
        return False
    if axis.input_size + 2 * axis.before < axis.effective_kernel:
        return False
    found = _ceiled(axis, drops=padded)
    return found.output_size == axis.output_size


def _ceiled(axis: Axis, *, drops: bool) -> Axis:
    window = Window(kernel_size=(axis.kernel_size,), stride=(axis.stride,), dilation=(1,))
    return pool_axis(axis.input_size, window, 0, (axis.before, axis.before), True, drops=drops)


def _reaches_past(target: Target) -> bool:
    ceiled = (_ceiled(axis, drops=padded) for axis, padded in _windows(target))
    return any(axis.after > axis.before for axis in ceiled)


def _each(name: str, values: Sequence[int]) -> list[str]:
    """One field where both are equal, else one for the height and one for the width."""
    if len(set(values)) == 1:
        plain = "kernel_size" if name == "kernel" else name
        return [] if name == "pad" and values[0] == 0 else [f"{plain}: {values[0]}"]
    return [f"{name}_{end}: {value}" for end, value in zip("hw", values)]
