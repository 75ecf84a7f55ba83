"""TensorFlow: `tf.nn`, with explicit pads where it takes them, which is on two axes alone."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.kinds import Pair
from convt_cli.reports.code_lines.target import Target, call, crop_text, with_bias


def line(target: Target) -> str | None:
    """The layer as a call of a function of `tf.nn` on `x` and `w`; the bias is added to it."""
    if target.padding_mode != "zeros":
        return None
    if target.type == "conv":
        return with_bias(_conv(target), target)
    if target.type == "conv_transpose":
        return with_bias(_conv_transpose(target), target)
    return _pool(target)


def _conv(target: Target) -> str | None:
    if target.rank == 2:
        return call("tf.nn.conv2d", "x", "w", **_keys(target, _explicit(target)))
    if target.is_strided_and_dilated or (target.rank == 3 and target.groups > 1):
        return None
    word, source = _word_and_source(target)
    return call("tf.nn.convolution", source, "w", **_keys(target, repr(word)))


def _conv_transpose(target: Target) -> str | None:
    """SAME where it gives the very crop; else VALID, whose output is cropped or padded."""
    if target.rank == 3 and target.groups > 1:
        return None
    sizes = [axis.input_size for axis in target.axes]
    full = [(axis.output_size - 1) * axis.stride + axis.effective_kernel for axis in target.axes]
    around = [
        (-axis.before, axis.input_size + axis.before - size)
        for axis, size in zip(target.axes, full, strict=True)
    ]
    if any(map(any, around)) and target.is_same:
        return _transposed(target, sizes, "SAME")
    cut = [(max(0, -before), max(0, -after)) for before, after in around]
    added = [(max(0, before), max(0, after)) for before, after in around]
    text = _transposed(target, full, "VALID") + (crop_text(cut) if any(map(any, cut)) else "")
    return _padded(text, added) if any(map(any, added)) else text


def _transposed(target: Target, sizes: Sequence[int], word: str) -> str:
    shape = ", ".join(["x.shape[0]", *map(str, sizes), str(target.channels[1])])
    return call("tf.nn.conv_transpose", "x", "w", f"[{shape}]", **_keys(target, repr(word)))


def _pool(target: Target) -> str | None:
    if target.is_strided_and_dilated:
        return None
    needs_valid = max(target.dilation) > 1 or (target.is_padded_average and target.counts_padding)
    word, source = _word_and_source(target, is_valid=needs_valid)
    if target.is_padded_average and word == "VALID" and not target.counts_all:
        return None
    kernel, keys = str(list(target.kernel_size)), _keys(target, repr(word))
    if max(target.dilation) == 1:
        return call(f"tf.nn.{target.type}", source, kernel, **keys)
    kind = {"max_pool": "MAX", "avg_pool": "AVG"}[target.type]
    return call("tf.nn.pool", source, kernel, repr(kind), **keys)


def _keys(target: Target, padding: str) -> dict[str, str | None]:
    dilation = None if max(target.dilation) == 1 else str(list(target.dilation))
    return {"strides": str(list(target.stride)), "padding": padding, "dilations": dilation}


def _explicit(target: Target) -> str:
    if not any(map(any, target.direct_pads)):
        return "'VALID'"
    return repr("SAME") if target.is_same else _pads_text(target.direct_pads)


def _word_and_source(target: Target, *, is_valid: bool = False) -> tuple[str, str]:
    """SAME or VALID, and `x` with the padding that the word does not bring."""
    if not any(map(any, target.direct_pads)):
        return "VALID", "x"
    if target.is_same and not is_valid:
        return "SAME", "x"
    return "VALID", _padded("x", target.direct_pads, lowest=target.type == "max_pool")


def _padded(source: str, pairs: Sequence[Pair], *, lowest: bool = False) -> str:
    value = "float('-inf')" if lowest else None
    return call("tf.pad", source, _pads_text(pairs), constant_values=value)


def _pads_text(pairs: Sequence[Pair]) -> str:
    return str([[0, 0], *(list(pair) for pair in pairs), [0, 0]])
