"""PyTorch: `torch.nn` modules, and `torch.nn.functional.pad` around them, which also crops."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.kinds import Pair
from convt_cli.arithmetic.layers.pools import pool_axis
from convt_cli.arithmetic.windows import Window
from convt_cli.reports.code_lines.target import Target, call, per_axis_text, tuple_text, unless_all


def line(target: Target) -> str | None:
    """The layer as a module called on `x`."""
    if target.type == "conv":
        return _conv(target)
    if target.type == "conv_transpose":
        return _conv_transpose(target)
    return _pool(target)


def _conv(target: Target) -> str:
    befores = [axis.before for axis in target.axes]
    says = all(_fits(axis, axis.before, axis.before) for axis in target.axes)
    mode = None if target.padding_mode == "zeros" else repr(target.padding_mode)
    module = call(
        f"nn.Conv{target.rank}d",
        *_sizes(target),
        stride=unless_all(1, target.stride),
        padding=unless_all(0, befores) if says else None,
        **_shared(target),
        padding_mode=mode if says and any(befores) else None,
    )
    return f"{module}({'x' if says else _padded('x', target.direct_pads, mode=mode)})"


def _conv_transpose(target: Target) -> str | None:
    """Padding and output_padding where they can say it; else the whole output, cropped."""
    says = [_says(axis) for axis in target.axes]
    axes = list(zip(target.axes, says, strict=True))
    module = call(
        f"nn.ConvTranspose{target.rank}d",
        *_sizes(target),
        stride=unless_all(1, target.stride),
        padding=unless_all(0, [axis.before if said else 0 for axis, said in axes]),
        output_padding=unless_all(0, [_reached(axis) if said else 0 for axis, said in axes]),
        **_shared(target),
    )
    around = [(0, 0) if said else (-axis.before, -_least(axis)) for axis, said in axes]
    if target.adds_bias_to(around):
        return None
    return f"{module}(x)" if all(says) else _padded(f"{module}(x)", around)


def _says(axis: Axis) -> bool:
    return axis.before >= 0 and 0 <= _reached(axis) < max(axis.stride, axis.dilation)


def _reached(axis: Axis) -> int:
    """The output_padding that goes with padding `before` on both sides."""
    return axis.before - _least(axis)


def _least(axis: Axis) -> int:
    """The padding behind that reaches the output size without any output_padding."""
    return axis.after - axis.output_padding


def _pool(target: Target) -> str | None:
    name = {"max_pool": "MaxPool", "avg_pool": "AvgPool"}[target.type]
    if target.type == "avg_pool" and max(target.dilation) > 1:
        return None
    found = _pool_ceil(target)
    padding = [axis.before for axis in target.axes]
    if found is None and target.is_padded_average and not target.counts_all:
        return None
    module = call(
        f"nn.{name}{target.rank}d",
        per_axis_text(target.kernel_size),
        stride=per_axis_text(target.stride),
        padding=None if found is None else unless_all(0, padding),
        dilation=unless_all(1, target.dilation),
        ceil_mode="True" if found else None,
        count_include_pad=_excludes(target),
    )
    if found is not None:
        return f"{module}(x)"
    value = "float('-inf')" if target.type == "max_pool" else None
    return f"{module}({_padded('x', target.direct_pads, value=value)})"


def _pool_ceil(target: Target) -> bool | None:
    """The ceil_mode with which padding on both sides gives the pool; None where neither does."""
    modes = [False, True]
    if target.is_padded_average and target.counts_padding:
        is_even = all(before == after for before, after in target.pads)
        modes = ([True] if is_even else []) if target.overhangs else [False]
    if target.type == "avg_pool" and target.rank == 3 and _is_short(target):
        return None
    window = Window(kernel_size=target.kernel_size, stride=target.stride, dilation=target.dilation)
    for ceil_mode in modes:
        if all(_pools(axis, window, n, ceil_mode) for n, axis in enumerate(target.axes)):
            return ceil_mode
    return None


def _is_short(target: Target) -> bool:
    """The bare input is smaller than the kernel, which a 3-D average pool refuses."""
    return any(axis.input_size < axis.kernel_size for axis in target.axes)


def _pools(axis: Axis, window: Window, number: int, ceil_mode: bool) -> bool:
    if not 0 <= axis.before <= axis.kernel_size // 2:
        return False
    if axis.input_size + 2 * axis.before < axis.effective_kernel:
        return False
    pair = (axis.before, axis.before)
    found = pool_axis(axis.input_size, window, number, pair, ceil_mode)
    return found.output_size == axis.output_size


def _excludes(target: Target) -> str | None:
    return "False" if target.is_padded_average and not target.counts_padding else None


def _fits(axis: Axis, before: int, after: int) -> bool:
    """Whether just `output_size` windows fit into the input with these pads."""
    if before < 0 or after < 0:
        return False
    room = axis.input_size + before + after - axis.effective_kernel
    return room >= 0 and room // axis.stride + 1 == axis.output_size


def _sizes(target: Target) -> tuple[str, str, str]:
    source, result = target.channels
    return str(source), str(result), per_axis_text(target.kernel_size)


def _shared(target: Target) -> dict[str, str | None]:
    return {
        "dilation": unless_all(1, target.dilation),
        "groups": unless_all(1, [target.groups]),
        "bias": None if target.has_bias else "False",
    }


def _padded(source: str, pairs: Sequence[Pair], **named: str | None) -> str:
    """`pairs` around `source`, the last axis first as F.pad has them."""
    flat = [size for pair in reversed(pairs) for size in pair]
    return call("F.pad", source, tuple_text(flat), **named)
