"""PyTorch: `torch.nn` modules, and F.pad around them, which crops where a pad is negative."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod

from convt_cli.arithmetic.averages import divisor_sums
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.layers.pools import pool_axis
from convt_cli.reports.code_lines.target import Target, call, per_axis_text, tuple_text, unless_all


def line(target: Target) -> str:
    """The layer as a module called on `x`."""
    if target.type == "conv":
        return _conv(target)
    if target.type == "conv_transpose":
        return _conv_transpose(target)
    return _max_pool(target) if target.type == "max_pool" else _average(target)


def _conv(target: Target) -> str:
    befores = [axis.before for axis in target.axes]
    # whether the module's own padding, the same on both sides, gives these windows
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


def _conv_transpose(target: Target) -> str:
    """The module's padding and output_padding where they give this output; else F.pad around it.

    F.pad crops the output or puts zeros around it.  Zeros lack the bias, so the line then adds the
    bias after them.
    """
    chosen = [_chosen(axis) for axis in target.axes]
    around = [pair for _, _, pair in chosen]
    outside = target.adds_bias_to(around)
    shared = _shared(target) | ({"bias": "False"} if outside else {})
    module = call(
        f"nn.ConvTranspose{target.rank}d",
        *_sizes(target),
        stride=unless_all(1, target.stride),
        padding=unless_all(0, [padding for padding, _, _ in chosen]),
        output_padding=unless_all(0, [extra for _, extra, _ in chosen]),
        **shared,
    )
    text = _padded(f"{module}(x)", around) if any(map(any, around)) else f"{module}(x)"
    return f"{text} + b[:, {', '.join(['None'] * target.rank)}]" if outside else text


def _chosen(axis: Axis) -> tuple[int, int, Pair]:
    """(padding, output_padding, what remains to be put around the output)."""
    least = axis.after - axis.output_padding
    most = max(axis.stride, axis.dilation) - 1
    if axis.before >= 0 and 0 <= axis.before - least <= most:
        return axis.before, axis.before - least, (0, 0)
    extra = min(max(0, -least), most)
    return 0, extra, (-axis.before, -least - extra)


def _max_pool(target: Target) -> str:
    """The module with its own padding where that gives these windows, else on padded `x`."""
    ceil_mode = _pool_ceil(target)
    module = _pool(target, "MaxPool", ceil_mode=ceil_mode)
    if ceil_mode is not None:
        return f"{module}(x)"
    lowest = "float('-inf')"
    return f"{module}({_padded('x', target.direct_pads, value=lowest)})"


def _average(target: Target) -> str:
    """The module whose options give these divisors; else one without padding on padded `x`.

    Where its divisor, the whole kernel, is not right, the mean is divided by the mean over ones.
    """
    if max(target.dilation) > 1:
        return _sums_of_taps(target)
    for ceil_mode, counts in product((False, True), (True, False)):
        if _averages(target, ceil_mode=ceil_mode, counts=counts):
            return f"{_pool(target, 'AvgPool', ceil_mode=ceil_mode, counts=counts)}(x)"
    module = _pool(target, "AvgPool")
    means = f"{module}({_padded('x', target.direct_pads)})"
    return means if target.divides_by_kernel else f"{means} / {module}({_ones(target)})"


def _sums_of_taps(target: Target) -> str:
    """An average with a dilation, as a depthwise convolution with ones; PyTorch has no other."""
    channels = target.channels[0]
    ones = f"x.new_ones({channels}, 1, {', '.join(map(str, target.kernel_size))})"

    def sums(source: str) -> str:
        return call(
            f"F.conv{target.rank}d",
            source,
            ones,
            stride=unless_all(1, target.stride),
            dilation=unless_all(1, target.dilation),
            groups=unless_all(1, [channels]),
        )

    divisor = str(prod(target.kernel_size))
    if not target.divides_by_kernel:
        divisor = sums(_ones(target))
    return f"{sums(_padded('x', target.direct_pads))} / {divisor}"


def _ones(target: Target) -> str:
    """Ones for the elements that an average counts, zeros for the rest of its padding."""
    counted = _padded("torch.ones_like(x)", target.counted_pads, value="1")
    return _padded(counted, target.uncounted_pads)


def _pool(target: Target, name: str, *, ceil_mode: bool | None = None, counts: bool = True) -> str:
    """A pool with the same padding on both sides; without padding where `ceil_mode` is None."""
    padding = [axis.before for axis in target.axes]
    return call(
        f"nn.{name}{target.rank}d",
        per_axis_text(target.kernel_size),
        stride=per_axis_text(target.stride),
        padding=None if ceil_mode is None else unless_all(0, padding),
        dilation=unless_all(1, target.dilation),
        ceil_mode="True" if ceil_mode else None,
        count_include_pad=None if counts else "False",
    )


def _pool_ceil(target: Target) -> bool | None:
    """The ceil_mode with which padding alike on both sides gives the windows; None if neither."""
    for ceil_mode in (False, True):
        if _pool_axes(target, ceil_mode=ceil_mode) is not None:
            return ceil_mode
    return None


def _averages(target: Target, *, ceil_mode: bool, counts: bool) -> bool:
    """Whether an AvgPool with these options has the target's windows and divisors."""
    if target.rank == 3 and any(axis.input_size < axis.kernel_size for axis in target.axes):
        return False  # PyTorch refuses it, whatever the padding
    axes = _pool_axes(target, ceil_mode=ceil_mode)
    if axes is None:
        return False
    pads = [(axis.before, axis.before) for axis in target.axes]
    return divisor_sums(axes, pads, counts=counts) == target.divisor_sums


def _pool_axes(target: Target, *, ceil_mode: bool) -> list[Axis] | None:
    """The axes of PyTorch's pool with `before` on both sides, if its windows are the target's."""
    axes = []
    for axis in target.axes:
        if not 0 <= axis.before <= axis.kernel_size // 2:
            return None
        if axis.input_size + 2 * axis.before < axis.effective_kernel:
            return None
        pair = (axis.before, axis.before)
        axes.append(pool_axis(axis.input_size, axis.stencil, pair, ceil_mode))
    sizes = [axis.output_size for axis in axes]
    return axes if sizes == [axis.output_size for axis in target.axes] else None


def _fits(axis: Axis, before: int, after: int) -> bool:
    """Whether exactly `output_size` windows fit into the input with these pads, none negative."""
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
    """`source` padded by `pairs`, unchanged where all are 0; F.pad takes the last axis first."""
    sides = [size for pair in reversed(pairs) for size in pair]
    return call("F.pad", source, tuple_text(sides), **named) if any(sides) else source
