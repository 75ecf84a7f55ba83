"""TensorFlow: `tf.nn`, with explicit pads in conv2d, and `tf.pad` where a function takes none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from convt_cli.arithmetic.keys import Pair
from convt_cli.reports.code_lines.target import (
    Target,
    around_all_text,
    call,
    crop_text,
    padded_and_cropped,
    strided_text,
    taken_text,
    with_bias,
)

_INDICES = {
    "circular": "tf.range({first}, x.shape[{axis}]{past}) % x.shape[{axis}]",
    "replicate": (
        "tf.clip_by_value(tf.range({first}, x.shape[{axis}]{past}), 0, x.shape[{axis}] - 1)"
    ),
}
"""The input indices that make up a padded axis, for the padding modes that tf.pad lacks."""


def line(target: Target) -> str:
    """The layer as a call of a `tf.nn` function on `x` and `w`, plus the bias."""
    if target.type == "conv":
        return with_bias(_conv(target), target)
    if target.type == "conv_transpose":
        return with_bias(_conv_transpose(target), target)
    return _max_pool(target) if target.type == "max_pool" else _average(target)


def _conv(target: Target) -> str:
    if target.padding_mode != "zeros":
        return _valid(target, _mode_padded(target))
    if target.rank == 2:
        return call("tf.nn.conv2d", "x", "w", **_keys(target, _explicit(target)))
    word, source = _word_and_source(target)
    if word == "VALID":
        return _valid(target, source)
    return call("tf.nn.convolution", source, "w", **_keys(target, repr(word)))


def _valid(target: Target, source: str) -> str:
    """A convolution of `source` without padding.

    Only conv2d takes a stride together with a dilation: on one or three axes the stride is then 1,
    and an index takes every stride-th output.
    """
    if target.rank == 2:
        return call("tf.nn.conv2d", source, "w", **_keys(target, "'VALID'"))
    thinned = target.is_strided_and_dilated
    keys = _keys(target, "'VALID'", stride=(1,) * target.rank if thinned else target.stride)
    if target.rank == 3 and target.groups > 1:
        text = _each_group(target, call("tf.nn.convolution", "a", "k", **keys), source)
    else:
        text = call("tf.nn.convolution", source, "w", **keys)
    return text + strided_text(target.stride) if thinned else text


def _each_group(target: Target, text: str, source: str) -> str:
    """`text`, a call on `a` and `k`, for every group: on three axes TensorFlow has no groups."""
    parts = ", ".join(f"tf.split({name}, {target.groups}, -1)" for name in (source, "w"))
    return f"tf.concat([{text} for a, k in zip({parts})], -1)"


def _mode_padded(target: Target) -> str:
    """`x` padded by its own elements, as the padding_mode says."""
    if target.padding_mode == "reflect":
        return _padded("x", target.direct_pads, mode="'REFLECT'")
    return taken_text(target.direct_pads, "tf.gather", _INDICES[target.padding_mode])


def _conv_transpose(target: Target) -> str:
    """SAME where it crops the output exactly so; else VALID, cropped or padded afterwards."""
    sizes = [axis.input_size for axis in target.axes]
    full = [(axis.output_size - 1) * axis.stride + axis.effective_kernel for axis in target.axes]
    # what to put around the output of VALID; negative numbers are cut off
    around = [
        (-axis.before, axis.input_size + axis.before - size)
        for axis, size in zip(target.axes, full, strict=True)
    ]
    if any(map(any, around)) and target.is_same:
        return _transposed(target, sizes, "SAME")
    added, cut = padded_and_cropped(around)
    text = _transposed(target, full, "VALID") + (crop_text(cut) if any(map(any, cut)) else "")
    return _padded(text, added)


def _transposed(target: Target, sizes: Sequence[int], word: str) -> str:
    grouped = target.rank == 3 and target.groups > 1
    channels = target.channels[1] // (target.groups if grouped else 1)
    shape = ", ".join(["x.shape[0]", *_sizes(target, sizes), str(channels)])
    names = ("a", "k") if grouped else ("x", "w")
    text = call("tf.nn.conv_transpose", *names, f"[{shape}]", **_keys(target, repr(word)))
    return _each_group(target, text, "x") if grouped else text


def _sizes(target: Target, sizes: Sequence[int]) -> Iterator[str]:
    """The output sizes as expressions of x.shape, which hold for any input size."""
    for number, (axis, size) in enumerate(zip(target.axes, sizes, strict=True), start=1):
        scaled = f"x.shape[{number}]" + (f" * {axis.stride}" if axis.stride > 1 else "")
        more = size - axis.output_size * axis.stride
        yield scaled + (f" {'+' if more > 0 else '-'} {abs(more)}" if more else "")


def _max_pool(target: Target) -> str:
    word, source = _word_and_source(target, is_valid=max(target.dilation) > 1, lowest=True)
    return _pool(target, source, word)


def _average(target: Target) -> str:
    """SAME where its divisors, the elements in the window, are right; else VALID on padded `x`.

    Where its divisor, the whole kernel, is not right, the mean is divided by the mean over ones.
    """
    plain = max(target.dilation) == 1
    if plain and target.is_same and target.divides_by_elements and not _is_bare(target):
        return _pool(target, "x", "SAME")
    means = _pool(target, _padded("x", target.direct_pads), "VALID")
    if target.divides_by_kernel:
        return means
    counted = _padded("tf.ones_like(x)", target.counted_pads, constant_values="1")
    return f"{means} / {_pool(target, _padded(counted, target.uncounted_pads), 'VALID')}"


def _pool(target: Target, source: str, word: str) -> str:
    """A pool of `source`; with a dilation it takes no stride, and an index follows instead."""
    kernel = str(list(target.kernel_size))
    if max(target.dilation) == 1:
        return call(f"tf.nn.{target.type}", source, kernel, **_keys(target, repr(word)))
    kind = {"max_pool": "MAX", "avg_pool": "AVG"}[target.type]
    thinned = target.is_strided_and_dilated
    keys = _keys(target, repr(word), stride=(1,) * target.rank if thinned else target.stride)
    text = call("tf.nn.pool", source, kernel, repr(kind), **keys)
    return text + strided_text(target.stride) if thinned else text


def _keys(
    target: Target, padding: str, stride: Sequence[int] | None = None
) -> dict[str, str | None]:
    dilation = None if max(target.dilation) == 1 else str(list(target.dilation))
    strides = str(list(target.stride if stride is None else stride))
    return {"strides": strides, "padding": padding, "dilations": dilation}


def _explicit(target: Target) -> str:
    """The `padding` of conv2d: VALID, SAME, or the pads themselves."""
    if _is_bare(target):
        return "'VALID'"
    return repr("SAME") if target.is_same else around_all_text(target.direct_pads)


def _word_and_source(
    target: Target, *, is_valid: bool = False, lowest: bool = False
) -> tuple[str, str]:
    """SAME and `x`, or VALID and padded `x`.

    `is_valid` asks for VALID; `lowest` pads with -inf, which is never the maximum.
    """
    takes_same = not (target.is_strided_and_dilated or (target.rank == 3 and target.groups > 1))
    if target.is_same and takes_same and not _is_bare(target) and not is_valid:
        return "SAME", "x"
    value = "float('-inf')" if lowest else None
    return "VALID", _padded("x", target.direct_pads, constant_values=value)


def _is_bare(target: Target) -> bool:
    """Whether the layer has no padding."""
    return not any(map(any, target.direct_pads))


def _padded(source: str, pairs: Sequence[Pair], **named: str | None) -> str:
    """`source` padded by `pairs` on its spatial axes; unchanged where all are 0."""
    if not any(map(any, pairs)):
        return source
    return call("tf.pad", source, around_all_text(pairs), **named)
