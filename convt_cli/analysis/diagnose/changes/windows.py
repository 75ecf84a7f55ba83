"""Windows that stand elsewhere: padding, output_padding, stride, dilation, ceil_mode, padding_mode.

Of a window only `before` and both sizes matter, by the one relation; so every variant takes the
size of the array to be explained, and `after` is whatever leads there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from convt_cli.analysis.diagnose.changes.variant import Variant
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import Conv, ConvTranspose
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.padding_modes import PADDING_MODES
from convt_cli.arithmetic.questions.comparison import axes_of
from convt_cli.errors import GeometryError

_FARTHEST = 4
"""By how many elements windows are moved at most."""
_FARTHEST_APART = 2
"""The same where each axis is moved by another number."""


def padding(subject: Subject) -> Iterator[Variant]:
    """Other pads: those of frameworks, exchanged ones, windows a few elements on or back."""
    if not _has_sizes(subject):
        return
    yield from _of_frameworks(subject)
    befores = [axis.before for axis in subject.axes]
    yield from _padded(subject, [axis.after for axis in subject.axes])
    yield from _padded(subject, [0 for _ in befores])
    yield from _padded(subject, [axis.effective_kernel - 1 for axis in subject.axes], common=False)
    for step in _steps(_FARTHEST):
        yield from _padded(subject, [before + step for before in befores], common=abs(step) == 1)
    steps = (0, *_steps(_FARTHEST_APART))
    for apart in product(steps, repeat=len(befores) if len(befores) < 3 else 0):
        if len(set(apart)) > 1:
            yield from _padded(
                subject, [sum(pair) for pair in zip(befores, apart, strict=True)], common=False
            )
    yield from _one_axis(subject, befores)
    yield from _zeros_compete(subject)


def _steps(farthest: int) -> tuple[int, ...]:
    """1, -1, 2, -2, ... as far as `farthest`."""
    return tuple(sign * step for step in range(1, farthest + 1) for sign in (1, -1))


def _one_axis(subject: Subject, befores: Sequence[int]) -> Iterator[Variant]:
    """The windows of a single axis moved, or without padding; of three axes."""
    for number in range(len(befores) if len(befores) > 2 else 0):
        for before in (0, *(befores[number] + step for step in _steps(_FARTHEST_APART))):
            moved = [*befores[:number], before, *befores[number + 1 :]]
            yield from _padded(subject, moved, common=False)


def _padded(subject: Subject, befores: Sequence[int], *, common: bool = True) -> Iterator[Variant]:
    """The layer with these pads in front, if they can be."""
    with suppress(GeometryError):
        axes = tuple(map(_fitted, subject.axes, _sizes(subject), befores, _adjoint(subject)))
        yield Variant(
            change="padding",
            subject=subject.with_axes(axes),
            was=_pairs(subject.axes),
            becomes=_pairs(axes),
            text=_moved_text(_pairs(subject.axes), _pairs(axes)),
            key=_windows_key(axes),
            common=common,
        )


def _of_frameworks(subject: Subject) -> Iterator[Variant]:
    """The pads of `same` and `same_lower`, and of the keys as they are, in every framework."""
    definition = subject.prepared.definition
    if not isinstance(definition, Conv | ConvTranspose | MaxPool | AveragePool):
        return
    changed: dict[str, Any] = {}
    if isinstance(definition, ConvTranspose):
        changed = {"output_padding": None, "output_size": None, "transpose_kernel": None}
    if isinstance(definition, Conv | ConvTranspose):
        changed |= {"weight": None, "bias": definition.bias is not False}
    for word in (None, "same", "same_lower"):
        keys = {**changed, "padding": word} if word else {}
        for rules in FRAMEWORKS.values():
            with suppress(GeometryError):
                read = replace(definition, **{**changed, **keys} if word else keys)
                axes = axes_of(read.resolve(subject.prepared.layer.inputs[:1], rules))
                yield Variant(
                    change="padding",
                    subject=subject.with_axes(axes),
                    was=_pairs(subject.axes),
                    becomes=_pairs(axes),
                    text=f"the padding '{word}' of {rules.title}"
                    if word
                    else f"the padding as {rules.title} reads it",
                    framework=rules.name,
                    key=_windows_key(axes),
                )


def _zeros_compete(subject: Subject) -> Iterator[Variant]:
    """A max pool whose padding is zeros that can be the maximum."""
    if not isinstance(subject.prepared.definition, MaxPool):
        return
    pads = [(max(0, axis.before), max(0, axis.after)) for axis in subject.axes]
    axes = tuple(
        replace(axis, input_size=before + axis.input_size + after, before=0, after=0)
        for axis, (before, after) in zip(subject.axes, pads, strict=True)
    )
    padded = np.pad(subject.sources[0], [(0, 0), (0, 0), *pads])
    yield Variant(
        change="padding",
        subject=subject.with_axes(axes).with_sources(padded),
        was=_pairs(subject.axes),
        becomes=_pairs(subject.axes),
        key="zeros",
        text="the zeros of the padding take part in the maximum",
    )


def output_padding(subject: Subject) -> Iterator[Variant]:
    """An output_padding that is lost, or stands in front; or another one."""
    if not _has_sizes(subject) or not all(_adjoint(subject)):
        return
    extras = [axis.output_padding for axis in subject.axes]
    befores = [axis.before for axis in subject.axes]
    grown = [
        size - axis.input_size for axis, size in zip(subject.axes, _sizes(subject), strict=True)
    ]
    if any(grown):
        others = [extra + more for extra, more in zip(extras, grown, strict=True)]
        text = "the output_padding is lost" if not any(others) else "another output_padding"
        if min(others) >= 0:
            yield from _extended(subject, others, befores, text)
        return
    places = [place for place, extra in enumerate(extras) if extra]
    for chosen in dict.fromkeys((tuple(places), *((place,) for place in places))):
        moved = [
            before - (extra if place in chosen else 0)
            for place, (before, extra) in enumerate(zip(befores, extras, strict=True))
        ]
        where = "" if len(chosen) == len(places) else f" on axis {chosen[0]}"
        text = f"the output_padding is in front of the output{where}, not behind it"
        yield from _extended(subject, extras, moved, text)


def _extended(
    subject: Subject, extras: Sequence[int], befores: Sequence[int], text: str
) -> Iterator[Variant]:
    with suppress(GeometryError):
        axes = tuple(map(_fitted, subject.axes, _sizes(subject), befores, _adjoint(subject)))
        yield Variant(
            change="output_padding",
            subject=subject.with_axes(axes),
            was=[axis.output_padding for axis in subject.axes],
            becomes=[*extras],
            text=text,
        )


def stride(subject: Subject) -> Iterator[Variant]:
    """Strides that are ignored, or those of other axes."""
    yield from _stepping(subject, "stride")


def dilation(subject: Subject) -> Iterator[Variant]:
    """Dilations that are ignored, or those of other axes."""
    yield from _stepping(subject, "dilation")


def _stepping(subject: Subject, field: str) -> Iterator[Variant]:
    own = tuple(getattr(axis, field) for axis in subject.axes)
    one_each = [(*own[:n], 1, *own[n + 1 :]) for n in range(len(own))]
    for steps in dict.fromkeys(((1,) * len(own), *one_each, own[::-1], own[:1] * len(own))):
        if steps == own:
            continue
        text = f"the {field} is ignored" if set(steps) == {1} else f"another {field}"
        for axes in placed(subject, [{field: step} for step in steps]):
            moved = [axis.before for axis in axes] != [axis.before for axis in subject.axes]
            with suppress(GeometryError):
                yield Variant(
                    change=field,
                    subject=subject.with_axes(axes),
                    was=[*own],
                    becomes=[*steps],
                    text=f"{text}, with padding {_pairs(axes)}" if moved else text,
                )


def placed(subject: Subject, windows: Sequence[Mapping[str, int]]) -> Iterator[tuple[Axis, ...]]:
    """The axes with other `windows`: with the pads they have, and centred so as to keep the size.

    Where the padding is a word, also with those that it then stands for.
    """
    if not _has_sizes(subject):
        return
    each = list(zip(subject.axes, _adjoint(subject), windows, strict=True))
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
                _fitted(axis, size, before, adjoint, **window)
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


def padding_mode(subject: Subject) -> Iterator[Variant]:
    """What the padding reads, by every other mode."""
    convolution = subject.convolution
    if convolution is None or convolution.adjoint or not _has_sizes(subject):
        return
    for mode in PADDING_MODES:
        if mode != convolution.padding_mode:
            with suppress(GeometryError):
                yield Variant(
                    change="padding_mode",
                    subject=subject.with_axes(subject.axes, mode),
                    was=convolution.padding_mode,
                    becomes=mode,
                    text=f"the padding is {mode}, not {convolution.padding_mode}",
                )


def ceil_mode(subject: Subject) -> Iterator[Variant]:
    """A pool with the other ceil_mode, by the rules of its framework, and by Caffe's."""
    definition, rules = subject.prepared.definition, subject.prepared.rules
    if not isinstance(definition, MaxPool | AveragePool):
        return
    was = bool(rules.pool_ceil if definition.ceil_mode is None else definition.ceil_mode)
    changed = replace(definition, ceil_mode=not was)
    for read in (rules, FRAMEWORKS["caffe"]):
        with suppress(GeometryError):
            axes = axes_of(changed.resolve(subject.prepared.layer.inputs[:1], read))
            yield Variant(
                change="ceil_mode",
                subject=with_definition(subject.with_axes(axes), changed),
                was=was,
                becomes=not was,
                text="sizes are rounded up" if was is False else "sizes are rounded down",
                framework=read.name if read is not rules else None,
            )


def with_definition(subject: Subject, definition: Any) -> Subject:
    """The subject with other keys for its layer, whose shapes stay."""
    prepared = subject.prepared
    layer = replace(prepared.layer, definition=definition)
    return replace(subject, prepared=replace(prepared, layer=layer, definition=definition))


def _fitted(axis: Axis, size: int, before: int, adjoint: bool, **window: int) -> Axis:
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


def _has_sizes(subject: Subject) -> bool:
    """Whether the layer has windows, and the array to be explained as many axes."""
    return bool(subject.axes) and subject.got.ndim == len(subject.axes) + 2


def _sizes(subject: Subject) -> Shape:
    """The spatial sizes of the array to be explained."""
    return subject.got.shape[2:]


def _adjoint(subject: Subject) -> list[bool]:
    """Whether the layer applies Cᵀ, for each axis."""
    convolution = subject.convolution
    return [convolution is not None and convolution.adjoint] * len(subject.axes)


def _pairs(axes: Sequence[Axis]) -> list[list[int]]:
    """The pads of every axis, as JSON has them."""
    return [[axis.before, axis.after] for axis in axes]


def _windows_key(axes: Sequence[Axis]) -> Shape:
    """What matters of windows of one size: where they begin."""
    return tuple(axis.before for axis in axes)


def _moved_text(was: list[list[int]], becomes: list[list[int]]) -> str:
    """What is different about the pads `becomes`, in a few words."""
    steps = {new[0] - old[0] for old, new in zip(was, becomes, strict=True)}
    kept = all(sum(old) == sum(new) for old, new in zip(was, becomes, strict=True))
    if kept and all(old == new[::-1] for old, new in zip(was, becomes, strict=True)):
        return f"the extra zero is {'in front' if max(steps) > 0 else 'behind'}"
    if not any(map(any, becomes)):
        return "there is no padding"
    if len(steps) > 1:
        return "the windows are moved, on each axis by another number of elements"
    (step,) = steps
    if not step:
        return "there is another padding behind"
    side = f"{abs(step)} {'more' if step > 0 else 'fewer'} in front"
    return f"{side}, {'as many the other way behind' if kept else 'and another size'}"
