"""Axes with other windows, in the size of the array that is to be explained.

Of a window only `before` and both sizes matter, by the one relation; so `after` is whatever leads
to the size that is wanted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.questions.comparison import axes_of
from convt_cli.errors import GeometryError


def has_sizes(subject: Subject) -> bool:
    """Whether the layer has windows, and the array to be explained as many axes."""
    return bool(subject.axes) and subject.got.ndim == len(subject.axes) + 2


def sizes_of(subject: Subject) -> Shape:
    """The spatial sizes of the array to be explained."""
    return subject.got.shape[2:]


def adjoint_of(subject: Subject) -> list[bool]:
    """Whether the layer applies Cᵀ, for each axis."""
    convolution = subject.convolution
    return [convolution is not None and convolution.adjoint] * len(subject.axes)


def pairs_of(axes: Sequence[Axis]) -> list[list[int]]:
    """The pads of every axis, as JSON has them."""
    return [[axis.before, axis.after] for axis in axes]


def fitted(axis: Axis, size: int, before: int, adjoint: bool, **window: int) -> Axis:
    """The axis of a layer whose output has `size`, with `before` zeros in front.

    `window` has another kernel_size, stride or dilation; `after` stays as near to its own as the
    size allows.  Raises GeometryError.
    """
    least = _least_after(axis, size, before, adjoint, window)
    stencil = _stencil(axis, window)
    spare = max(stencil["stride"], stencil["dilation"] if adjoint else 1) - 1
    return Axis(
        input_size=size if adjoint else axis.input_size,
        output_size=axis.output_size if adjoint else size,
        before=before,
        after=min(max(axis.after, least), least + spare),
        **stencil,
    )


def _least_after(
    axis: Axis, size: int, before: int, adjoint: bool, window: Mapping[str, int]
) -> int:
    """The least padding behind with which the layer's output has `size`."""
    stencil = _stencil(axis, window)
    effective = stencil["dilation"] * (stencil["kernel_size"] - 1) + 1
    inputs, outputs = (size, axis.output_size) if adjoint else (axis.input_size, size)
    return (outputs - 1) * stencil["stride"] + effective - inputs - before


def _stencil(axis: Axis, window: Mapping[str, int]) -> dict[str, int]:
    own = {"kernel_size": axis.kernel_size, "stride": axis.stride, "dilation": axis.dilation}
    return {**own, **window}


def placed(subject: Subject, windows: Sequence[Mapping[str, int]]) -> Iterator[tuple[Axis, ...]]:
    """The axes with other `windows`: with the pads they have, and centred so as to keep the size.

    Where the padding is a word, also with those that it then stands for.
    """
    if not has_sizes(subject):
        return
    each = list(zip(subject.axes, adjoint_of(subject), windows, strict=True))
    with suppress(GeometryError):
        yield tuple(_with_window(*one) for one in each)
    with suppress(GeometryError):
        yield from _by_the_word(subject, windows)
    sizes = subject.shape[2:]
    totals = [
        max(0, _least_after(axis, size, 0, adjoint, window))
        for (axis, adjoint, window), size in zip(each, sizes, strict=True)
    ]
    for befores in ([total // 2 for total in totals], [ceil_div(total, 2) for total in totals]):
        with suppress(GeometryError):
            yield tuple(
                fitted(axis, size, before, adjoint, **window)
                for (axis, adjoint, window), size, before in zip(each, sizes, befores, strict=True)
            )


def _with_window(axis: Axis, adjoint: bool, window: Mapping[str, int]) -> Axis:
    """The axis with another window and the pads it has, whatever size that gives."""
    stencil = {**_stencil(axis, window), "before": axis.before, "after": axis.after}
    if not adjoint:
        return Axis.conv(input_size=axis.input_size, **stencil)
    extra = axis.output_padding
    return Axis.conv_transpose(input_size=axis.output_size, output_padding=extra, **stencil)


def _by_the_word(
    subject: Subject, windows: Sequence[Mapping[str, int]]
) -> Iterator[tuple[Axis, ...]]:
    """The axes that the layer's padding word gives with another stride or dilation."""
    definition, rules = subject.prepared.definition, subject.prepared.rules
    names = {name for window in windows for name in window}
    if not isinstance(definition.padding, str) or not names <= {"stride", "dilation"}:
        return
    keys = {name: tuple(window[name] for window in windows) for name in names}
    changed = replace(definition, **keys)
    yield axes_of(changed.resolve(subject.prepared.layer.inputs[:1], rules))
