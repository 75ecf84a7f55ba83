"""Weights that are read in another order: flipped, transposed, channels exchanged, groups mixed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import permutations

import numpy as np

from convt_cli.analysis.diagnose.changes.fitting import placed
from convt_cli.analysis.diagnose.changes.variant import Variant, other_orders
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.errors import GeometryError
from convt_cli.operators.dtypes import Array

_MOST_LISTED = 8
"""How many groups a text lists."""


def flip(subject: Subject) -> Iterator[Variant]:
    """The kernel's taps in reverse, along all axes or along one."""
    rank = len(subject.axes)
    if subject.convolution is None:
        return
    weight = subject.prepared.parameters["weight"]
    every = tuple(range(rank))
    for axes in dict.fromkeys((every, *((axis,) for axis in every))):
        where = "" if axes == every else f" along axis {axes[0]}"
        flipped = np.flip(weight, tuple(2 + axis for axis in axes))
        yield Variant(
            change="flip",
            subject=subject.with_parameters(weight=flipped),
            was="correlation",
            becomes="convolution",
            text=f"the kernel is flipped{where}",
            common=axes == every,
        )


def transpose(subject: Subject) -> Iterator[Variant]:
    """The kernel's spatial axes in every other order."""
    if subject.convolution is None:
        return
    weight, rank = subject.prepared.parameters["weight"], len(subject.axes)
    for order in list(permutations(range(rank)))[1:]:
        turned = weight.transpose(0, 1, *(2 + axis for axis in order))
        for axes in placed(subject, [{"kernel_size": size} for size in turned.shape[2:]]):
            with suppress(GeometryError):
                yield Variant(
                    change="transpose",
                    subject=subject.with_axes(axes).with_parameters(weight=turned),
                    was=[*range(rank)],
                    becomes=[*order],
                    text="the kernel's spatial axes are exchanged",
                )


def channels(subject: Subject) -> Iterator[Variant]:
    """The weight's in and out channels exchanged: its axes, or only the order of its numbers."""
    weight = subject.prepared.parameters.get("weight")
    is_linear = isinstance(subject.prepared.definition, Linear)
    if weight is None or (subject.convolution is None and not is_linear):
        return
    groups = 1 if subject.convolution is None else subject.convolution.groups
    out, inner, *kernel = weight.shape
    blocks = weight.reshape(groups, out // groups, inner, *kernel)
    exchanged = blocks.swapaxes(1, 2)  # (groups, inner, out // groups, *kernel)
    found = {
        "the in and out channels of the weight are exchanged": exchanged,
        "the weight's numbers are stored with in and out channels exchanged": blocks.reshape(
            exchanged.shape
        ).swapaxes(1, 2),
        "the weight's numbers are read with in and out channels exchanged": exchanged,
    }
    for text, other in found.items():
        if text.startswith("the in") and exchanged.shape != blocks.shape:
            continue
        yield Variant(
            change="channels",
            subject=subject.with_parameters(weight=other.reshape(weight.shape)),
            was=[out, inner],
            becomes=[inner, out],
            text=text,
        )


def groups(subject: Subject) -> Iterator[Variant]:
    """Channels dealt out to groups in another order, or whole groups in another order."""
    convolution = subject.convolution
    if convolution is None or convolution.groups == 1:
        return
    count, source, outputs = convolution.groups, subject.sources[0], subject.shape[1]
    if subject.got.shape != subject.shape:
        return
    yield from _dealt(subject, count)
    for turn in (count, outputs // count):
        yield _outputs_moved(subject, _interleaved(outputs, turn), "interleaved across groups")
    for turn in dict.fromkeys((count, source.shape[1] // count)):
        order = _interleaved(source.shape[1], turn)
        yield _inputs_moved(subject, order, "interleaved across groups")
    for parts in other_orders(count):
        more = ", ..." if count > _MOST_LISTED else ""
        listed = ", ".join(map(str, parts[:_MOST_LISTED]))
        text = f"those of the groups in the order [{listed}{more}]"
        yield _outputs_moved(subject, _blocks(outputs, parts), text)
        yield _inputs_moved(subject, _blocks(source.shape[1], parts), text)


def _dealt(subject: Subject, count: int) -> Iterator[Variant]:
    """Output channel c in group c mod `count`, not c // (channels of a group)."""
    if subject.convolution is None or subject.convolution.adjoint:
        return
    order = _interleaved(subject.got.shape[1], count)
    parameters = {
        name: array[order]
        for name, array in subject.prepared.parameters.items()
        if len(array) == len(order)
    }
    dealt = replace(subject.with_parameters(**parameters), got=subject.got[:, order])
    yield Variant(
        change="groups",
        subject=dealt,
        was=[*range(len(order))],
        becomes=order.tolist(),
        text="the output channels belong to the groups in turn",
    )


def _outputs_moved(subject: Subject, order: Array, text: str) -> Variant:
    """The layer whose output channel `order[c]` stands at c."""
    moved = np.empty_like(subject.got)
    moved[:, order] = subject.got
    return Variant(
        change="groups",
        subject=replace(subject, got=moved),
        was=[*range(len(order))],
        becomes=order.tolist(),
        text=f"the output channels are {text}",
        common=False,
    )


def _inputs_moved(subject: Subject, order: Array, text: str) -> Variant:
    """The layer that reads input channel `order[c]` where it should read c."""
    return Variant(
        change="groups",
        subject=subject.with_sources(subject.sources[0][:, order]),
        was=[*range(len(order))],
        becomes=order.tolist(),
        text=f"the input channels are {text}",
        common=False,
    )


def _interleaved(size: int, turn: int) -> Array:
    """The order of 0 ... size - 1 written in rows of `turn` and read by columns."""
    order: Array = np.arange(size).reshape(-1, turn).T.ravel()
    return order


def _blocks(size: int, order: tuple[int, ...]) -> Array:
    """0 ... size - 1 with its equal parts in another order."""
    blocks: Array = np.arange(size).reshape(len(order), -1)[list(order)].ravel()
    return blocks
