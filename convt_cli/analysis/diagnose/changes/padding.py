"""Windows that begin elsewhere: padding and output_padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from convt_cli.analysis.diagnose.changes.fitting import (
    adjoint_of,
    fitted,
    has_sizes,
    pairs_of,
    sizes_of,
)
from convt_cli.analysis.diagnose.changes.variant import Variant
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import Conv, ConvTranspose
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.questions.comparison import axes_of
from convt_cli.errors import GeometryError

_FARTHEST = 4
"""By how many elements windows are moved at most."""
_FARTHEST_APART = 2
"""The same where each axis is moved by another number."""


def padding(subject: Subject) -> Iterator[Variant]:
    """Other pads: those of frameworks, exchanged ones, windows a few elements on or back."""
    if not has_sizes(subject):
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
        axes = tuple(map(fitted, subject.axes, sizes_of(subject), befores, adjoint_of(subject)))
        yield Variant(
            change="padding",
            subject=subject.with_axes(axes),
            was=pairs_of(subject.axes),
            becomes=pairs_of(axes),
            text=_moved_text(pairs_of(subject.axes), pairs_of(axes)),
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
                    was=pairs_of(subject.axes),
                    becomes=pairs_of(axes),
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
        was=pairs_of(subject.axes),
        becomes=pairs_of(subject.axes),
        key="zeros",
        text="the zeros of the padding take part in the maximum",
    )


def output_padding(subject: Subject) -> Iterator[Variant]:
    """An output_padding that is lost, or stands in front; or another one."""
    if not has_sizes(subject) or not all(adjoint_of(subject)):
        return
    extras = [axis.output_padding for axis in subject.axes]
    befores = [axis.before for axis in subject.axes]
    grown = [
        size - axis.input_size for axis, size in zip(subject.axes, sizes_of(subject), strict=True)
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
        axes = tuple(map(fitted, subject.axes, sizes_of(subject), befores, adjoint_of(subject)))
        yield Variant(
            change="output_padding",
            subject=subject.with_axes(axes),
            was=[axis.output_padding for axis in subject.axes],
            becomes=[*extras],
            text=text,
        )


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
