"""Padding modes: the input position that a position in the padding reads.

circular, reflect and replicate each fold a position outside 0 ... size - 1 back onto the input,
so that the matrix C has the tap in the folded column.  The formulas use only +, -, %, // and abs,
so that they take an int or an integer array alike.

Source: PyTorch's `torch.nn.functional.pad`, whose modes of these names agree with NumPy's
`wrap`, `reflect` and `edge`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from convt_cli.arithmetic.axis import Axis
from convt_cli.errors import GeometryError

PADDING_MODES = ("zeros", "circular", "reflect", "replicate")

# The largest number of taps in border windows: counting their distinct entries, unlike those of
# zero padding, takes a step for each of them.
_MOST_BORDER_STEPS = 1_000_000


def _circular(position: Any, size: int) -> Any:
    return position % size


def _reflect(position: Any, size: int) -> Any:
    last = size - 1
    return last - abs(last - abs(position))


def _replicate(position: Any, size: int) -> Any:
    last = size - 1
    # min(max(position, 0), last), written so that it takes arrays too
    return (abs(position) - abs(position - last) + last) // 2


# mode -> the input position that a padded position reads; int in, int out; array in, array out
FOLDS: dict[str, Callable[[Any, int], Any]] = {
    "circular": _circular,
    "reflect": _reflect,
    "replicate": _replicate,
}


def check_fold(axis: Axis, mode: str) -> None:
    """Raise GeometryError (E116) for padding that `mode` cannot fold onto the input."""
    if mode != "zeros" and min(axis.before, axis.after) < 0:
        raise GeometryError(
            "E116",
            f"padding_mode {mode} cannot crop",
            field="padding",
            value=f"got {axis.before} and {axis.after}",
        )
    steps = (axis.output_size - len(_inner_outputs(axis))) * axis.kernel_size
    if mode != "zeros" and steps > _MOST_BORDER_STEPS:
        raise GeometryError(
            "E116",
            f"padding_mode {mode} takes at most {_MOST_BORDER_STEPS:,} taps in border windows",
            field="padding",
            value=f"got {steps:,}",
            help="use a smaller padding or kernel_size",
        )
    most = most_padding(axis.input_size, mode)
    padding = max(axis.before, axis.after)
    if most is not None and padding > most:
        raise GeometryError(
            "E116",
            f"padding_mode {mode} takes a padding of at most {most} here",
            field="padding",
            value=f"got {padding} on an input of {axis.input_size}",
            help=f"use at most {most}, or padding_mode zeros or replicate",
        )


def most_padding(size: int, mode: str) -> int | None:
    """The most padding that `mode` takes on one side of `size` elements; None for any."""
    if mode == "circular":
        return size
    if mode == "reflect":
        return size - 1  # the border element is not repeated
    return None


def folded_entries(axis: Axis, mode: str) -> int:
    """The number of distinct (output, input) pairs of one axis, its padding folded in.

    Inner windows have one pair for each tap; in a border window two taps can read one input.
    """
    fold = FOLDS[mode]
    inner = _inner_outputs(axis)
    taps = range(0, axis.kernel_size * axis.dilation, axis.dilation)
    border = (*range(inner.start), *range(inner.stop, axis.output_size))
    starts = (output * axis.stride - axis.before for output in border)
    folded = sum(len({fold(start + tap, axis.input_size) for tap in taps}) for start in starts)
    return len(inner) * axis.kernel_size + folded


def _inner_outputs(axis: Axis) -> range:
    """The outputs whose whole window lies inside the input."""
    first = axis.outputs_of_tap(0)
    last = axis.outputs_of_tap(axis.kernel_size - 1)
    start = max(first[0], last[0])
    return range(start, max(start, min(first[1], last[1])))
