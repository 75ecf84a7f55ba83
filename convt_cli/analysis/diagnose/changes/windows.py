"""Windows with other steps or borders: stride, dilation, padding_mode, ceil_mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from convt_cli.analysis.diagnose.changes.fitting import has_sizes, pairs_of, placed
from convt_cli.analysis.diagnose.changes.variant import Variant
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.padding_modes import PADDING_MODES
from convt_cli.arithmetic.questions.comparison import axes_of
from convt_cli.errors import GeometryError


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
                    text=f"{text}, with padding {pairs_of(axes)}" if moved else text,
                )


def padding_mode(subject: Subject) -> Iterator[Variant]:
    """What the padding reads, by every other mode."""
    convolution = subject.convolution
    if convolution is None or convolution.adjoint or not has_sizes(subject):
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
