"""Keras: layers with padding `same` or `valid`, and other layers that pad or crop around them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import ge

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.keys import Pair
from convt_cli.reports.code_lines.target import (
    NoLineError,
    Target,
    around_all_text,
    call,
    padded_and_cropped,
    per_axis_text,
    strided_text,
    taken_text,
    tuple_text,
    unless_all,
)

_INDICES = {
    "circular": "keras.ops.arange({first}, x.shape[{axis}]{past}) % x.shape[{axis}]",
    "replicate": (
        "keras.ops.clip(keras.ops.arange({first}, x.shape[{axis}]{past}), 0, x.shape[{axis}] - 1)"
    ),
}
"""The input indices that make up a padded axis, for the padding modes that keras.ops.pad lacks."""


def line(target: Target) -> str:
    """The layer as a Keras layer called on `x`."""
    if target.type == "conv":
        return _conv_line(target)
    if target.type == "conv_transpose":
        return _conv_transpose(target)
    if max(target.dilation) > 1:
        raise NoLineError("the pooling layers of Keras have no dilation")
    return _max_pool(target) if target.type == "max_pool" else _average(target)


def _conv_line(target: Target) -> str:
    """A Conv layer on `x`.

    Keras refuses a stride together with a dilation: then the layer has stride 1, and an index takes
    every stride-th output.
    """
    if target.padding_mode != "zeros":
        word, source = "valid", _mode_padded(target)
    else:
        word, source = _word(target), _source(target)
    if not target.is_strided_and_dilated:
        return f"{_conv(target, word)}({source})"
    if word == "same":
        word, source = "valid", around_text("x", target.direct_pads)
    text = f"{_conv(target, word, stride=(1,) * target.rank)}({source})"
    return text + strided_text(target.stride)


def _mode_padded(target: Target) -> str:
    """`x` padded by its own elements, as the padding_mode says."""
    if target.padding_mode == "reflect":
        return _padded("x", target.direct_pads, mode="'reflect'")
    return taken_text(target.direct_pads, "keras.ops.take", _INDICES[target.padding_mode])


def _conv(target: Target, word: str, stride: Sequence[int] | None = None) -> str:
    return call(
        f"keras.layers.Conv{target.rank}D",
        str(target.channels[1]),
        per_axis_text(target.kernel_size),
        strides=unless_all(1, target.stride if stride is None else stride),
        padding=repr(word),
        dilation_rate=unless_all(1, target.dilation),
        groups=unless_all(1, [target.groups]),
        use_bias=None if target.has_bias else "False",
    )


def _conv_transpose(target: Target) -> str:
    """`same` where it crops the output exactly so; else `valid`, cropped or padded afterwards."""
    if target.groups > 1:
        raise NoLineError("the transposed layers of Keras have no groups")
    if target.is_strided_and_dilated:
        raise NoLineError("the layers of Keras take a stride or a dilation, not both")
    # what to put around the output of `valid`; negative numbers are cut off
    around = [
        (-axis.before, axis.input_size + axis.before - _valid_size(axis)) for axis in target.axes
    ]
    if any(map(any, around)) and target.is_same:
        if all(axis.input_size == axis.output_size * axis.stride for axis in target.axes):
            return f"{_transposed(target, 'same')}(x)"
        extras = [extra for axis in target.axes if (extra := _same_extra(axis)) is not None]
        if len(extras) == target.rank:
            return f"{_transposed(target, 'same', per_axis_text(extras))}(x)"
    if target.adds_bias_to(around):
        return _extended(target, around)
    return around_text(f"{_transposed(target, 'valid')}(x)", around)


def _extended(target: Target, around: Sequence[Pair]) -> str:
    """`valid` with an output_padding that makes the output long enough to need no zeros behind it.

    Where that is not possible there are zeros, and the bias is added after them.
    """
    ends = [axis.output_padding - axis.after for axis in target.axes]
    extras = [max(0, end) for end in ends]
    cut = [(-axis.before, min(0, end)) for axis, end in zip(target.axes, ends)]
    if target.adds_bias_to(cut) or any(map(ge, extras, target.stride)):
        bare = _transposed(target, "valid", use_bias="False")
        return f"{around_text(f'{bare}(x)', around)} + b"
    return around_text(f"{_transposed(target, 'valid', per_axis_text(extras))}(x)", cut)


def _transposed(
    target: Target,
    word: str,
    output_padding: str | None = None,
    use_bias: str | None = None,
) -> str:
    return call(
        f"keras.layers.Conv{target.rank}DTranspose",
        str(target.channels[1]),
        per_axis_text(target.kernel_size),
        strides=unless_all(1, target.stride),
        padding=repr(word),
        output_padding=output_padding,
        dilation_rate=unless_all(1, target.dilation),
        use_bias=use_bias if target.has_bias else "False",
    )


def _same_extra(axis: Axis) -> int | None:
    """The output_padding with which `same` gives this size: (i - 1)s + ke mod 2 + output_padding.

    None where there is none: it must be less than the stride, and above 0 for an even kernel.
    """
    odd = axis.effective_kernel % 2
    extra = axis.input_size - (axis.output_size - 1) * axis.stride - odd
    return extra if 0 <= extra < axis.stride and extra + odd > 0 else None


def _valid_size(axis: Axis) -> int:
    """The output size with `valid` and no output_padding."""
    return (axis.output_size - 1) * axis.stride + max(axis.effective_kernel, axis.stride)


def _word(target: Target) -> str:
    """The padding of a layer that is not transposed: `same` where it pads exactly so."""
    return "same" if target.is_same and not _is_bare(target) else "valid"


def _is_bare(target: Target) -> bool:
    """Whether the layer has no padding."""
    return not any(map(any, target.direct_pads))


def _source(target: Target) -> str:
    """`x`, padded with zeros unless the word `same` does that."""
    return "x" if _word(target) == "same" else around_text("x", target.direct_pads)


def around_text(source: str, pairs: Sequence[Pair]) -> str:
    """`source` padded with zeros by `pairs`, and cropped where they are negative."""
    added, cut = padded_and_cropped(pairs)
    for name, sizes in (("Cropping", cut), ("ZeroPadding", added)):
        if any(map(any, sizes)):
            text = tuple_text(sizes[0] if len(sizes) == 1 else sizes)
            source = f"keras.layers.{name}{len(sizes)}D({text})({source})"
    return source


def _max_pool(target: Target) -> str:
    """`same`, or `valid` on `x` padded with -inf, which is never the maximum."""
    if _word(target) == "same":
        return f"{_pool(target, 'Max', 'same')}(x)"
    source = _padded("x", target.direct_pads, constant_values="float('-inf')")
    return f"{_pool(target, 'Max', 'valid')}({source})"


def _average(target: Target) -> str:
    """`same` where its divisors, the elements in the window, are right; else `valid` on padded `x`.

    Where its divisor, the whole kernel, is not right, the mean is divided by the mean over ones.
    """
    if _word(target) == "same" and target.divides_by_elements:
        return f"{_pool(target, 'Average', 'same')}(x)"
    pool = _pool(target, "Average", "valid")
    means = f"{pool}({around_text('x', target.direct_pads)})"
    if target.divides_by_kernel:
        return means
    counted = _padded("keras.ops.ones_like(x)", target.counted_pads, constant_values="1")
    return f"{means} / {pool}({around_text(counted, target.uncounted_pads)})"


def _pool(target: Target, name: str, word: str) -> str:
    return call(
        f"keras.layers.{name}Pooling{target.rank}D",
        per_axis_text(target.kernel_size),
        strides=per_axis_text(target.stride),
        padding=repr(word),
    )


def _padded(source: str, pairs: Sequence[Pair], **named: str | None) -> str:
    """`source` padded by `pairs` on its spatial axes; unchanged where all are 0."""
    if not any(map(any, pairs)):
        return source
    return call("keras.ops.pad", source, around_all_text(pairs), **named)
