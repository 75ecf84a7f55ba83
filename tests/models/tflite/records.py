"""What the interpreter of LiteRT computes for the graphs of `cases`, kept in a file.

A record is a mapping: the `name` of the case, and as `tensors` the shape and some elements of each
of its outputs, by name, for `example_of` its inputs.  `python -m tests.peers.interpreting` writes
the file.
"""

from __future__ import annotations

from convt_cli.models.channels_last import channels_last
from tests.oracle import Array
from tests.peers.cases import numbers
from tests.records import DATA

PATH = DATA / "interpreter.jsonl.gz"

MOST_VALUES = 40
"""How many elements of an output are kept."""


def example_of(shape: tuple[int, ...], salt: int) -> Array:
    """The input number `salt` for which outputs are recorded, channels first and without batch."""
    return numbers(shape, 1 + salt) / 4


def as_stored(array: Array) -> Array:
    """(channels, *spatial) as the file has it: (1, *spatial, channels)."""
    return array.transpose(channels_last(tuple(range(array.ndim))))[None]


def sampled(array: Array) -> list[float]:
    """Elements of an array that lie evenly apart, in seven digits."""
    step = -(-array.size // MOST_VALUES)
    return [float(f"{value:.7g}") for value in array.ravel()[::step]]
