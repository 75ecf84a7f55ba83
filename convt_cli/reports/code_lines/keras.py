"""Keras: layers with padding `same` or `valid`, and layers that pad or crop around them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import ge

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.kinds import Pair
from convt_cli.reports.code_lines.target import Target, call, per_axis_text, tuple_text, unless_all


def line(target: Target) -> str | None:
    """The layer as a Keras layer called on `x`."""
    if target.is_strided_and_dilated or target.padding_mode != "zeros":
        return None
    if target.type == "conv":
        return f"{_conv(target, _word(target))}({_source(target)})"
    if target.type == "conv_transpose":
        return None if target.groups > 1 else _conv_transpose(target)
    return _pool(target)


def _conv(target: Target, word: str) -> str:
    return call(
        f"keras.layers.Conv{target.rank}D",
        str(target.channels[1]),
        per_axis_text(target.kernel_size),
        strides=unless_all(1, target.stride),
        padding=repr(word),
        dilation_rate=unless_all(1, target.dilation),
        groups=unless_all(1, [target.groups]),
        use_bias=None if target.has_bias else "False",
    )


def _conv_transpose(target: Target) -> str | None:
    """`same` where it gives the very crop; else `valid`, whose output is cropped or padded."""
    around = [(-axis.before, axis.input_size + axis.before - _valid(axis)) for axis in target.axes]
    if any(map(any, around)) and target.is_same:
        if all(axis.input_size == axis.output_size * axis.stride for axis in target.axes):
            return f"{_transposed(target, 'same')}(x)"
        extras = [extra for axis in target.axes if (extra := _same_extra(axis)) is not None]
        if len(extras) == target.rank:
            return f"{_transposed(target, 'same', per_axis_text(extras))}(x)"
    if target.adds_bias_to(around):
        return _extended(target)
    return around_text(f"{_transposed(target, 'valid')}(x)", around)


def _extended(target: Target) -> str | None:
    """`valid` with the output_padding that reaches the end; None where it cannot."""
    ends = [axis.output_padding - axis.after for axis in target.axes]
    extras = [max(0, end) for end in ends]
    around = [(-axis.before, min(0, end)) for axis, end in zip(target.axes, ends)]
    if target.adds_bias_to(around) or any(map(ge, extras, target.stride)):
        return None
    return around_text(f"{_transposed(target, 'valid', per_axis_text(extras))}(x)", around)


def _transposed(target: Target, word: str, output_padding: str | None = None) -> str:
    return call(
        f"keras.layers.Conv{target.rank}DTranspose",
        str(target.channels[1]),
        per_axis_text(target.kernel_size),
        strides=unless_all(1, target.stride),
        padding=repr(word),
        output_padding=output_padding,
        dilation_rate=unless_all(1, target.dilation),
        use_bias=None if target.has_bias else "False",
    )


def _same_extra(axis: Axis) -> int | None:
    """The output_padding with which `same` gives (i - 1)s + ke mod 2 + output_padding.

    None where there is none: below the stride, and above 0 for an even kernel.
    """
    odd = axis.effective_kernel % 2
    extra = axis.input_size - (axis.output_size - 1) * axis.stride - odd
    return extra if 0 <= extra < axis.stride and extra + odd > 0 else None


def _valid(axis: Axis) -> int:
    """The output size with `valid` and no output_padding."""
    return (axis.output_size - 1) * axis.stride + max(axis.effective_kernel, axis.stride)


def _word(target: Target) -> str:
    return "same" if target.is_same and not _is_bare(target) else "valid"


def _is_bare(target: Target) -> bool:
    return not any(map(any, target.direct_pads))


def _source(target: Target) -> str:
    """`x`, with the zeros that the word does not bring."""
    return "x" if _word(target) == "same" else around_text("x", target.direct_pads)


def around_text(source: str, pairs: Sequence[Pair]) -> str:
    """`source` with `pairs` around it: layers that pad, and that crop what is negative."""
    cut = [(max(0, -before), max(0, -after)) for before, after in pairs]
    added = [(max(0, before), max(0, after)) for before, after in pairs]
    for name, sizes in (("Cropping", cut), ("ZeroPadding", added)):
        if any(map(any, sizes)):
            text = tuple_text(sizes[0] if len(sizes) == 1 else sizes)
            source = f"keras.layers.{name}{len(sizes)}D({text})({source})"
    return source


def _pool(target: Target) -> str | None:
    if max(target.dilation) > 1:
        return None
    word = _word(target)
    if target.is_padded_average and target.counts_padding:
        word = "valid"
    if target.is_padded_average and word == "valid" and not target.counts_all:
        return None
    name = {"max_pool": "MaxPooling", "avg_pool": "AveragePooling"}[target.type]
    pool = call(
        f"keras.layers.{name}{target.rank}D",
        per_axis_text(target.kernel_size),
        strides=per_axis_text(target.stride),
        padding=repr(word),
    )
    if word == "same" or _is_bare(target):
        return f"{pool}(x)"
    return f"{pool}({_pool_source(target)})"


def _pool_source(target: Target) -> str:
    """`x` in padding that no maximum is taken from, or that counts as zeros."""
    if target.type == "avg_pool":
        return around_text("x", target.direct_pads)
    pads = str([[0, 0], *(list(pair) for pair in target.direct_pads), [0, 0]])
    return call("keras.ops.pad", "x", pads, constant_values="float('-inf')")
