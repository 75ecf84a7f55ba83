"""Hypothesis strategies for what nobody meant to write: specs, and files with bytes changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from hypothesis import strategies as st

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import (
    FILLS,
    EarlierLayer,
    EarlierShape,
    FactorPerAxis,
    Flag,
    Integer,
    IntegerPerAxis,
    Kind,
    Number,
    PaddingPerAxis,
    Sizes,
    Word,
)
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.errors import ConvtError
from convt_cli.spec.layer_spec import fields_of

_T = TypeVar("_T")

USUAL = st.sampled_from([1, 1, 1, 2, 2, 3, 4, 8])
EXTREME = st.sampled_from([0, -1, 5, 255, 65536, 2**31 - 1, 2**31, 2**53, 2**53 + 1, 10**40])
NUMBERS = st.one_of(USUAL, USUAL, USUAL, EXTREME)
WRONG = st.sampled_from(
    ["~", "true", "[]", "{}", "x", "1e3", "'3'", ".nan", "9" * 5000, "[[1, 2], 3]", "*a", "!t 1"]
)


def listed(numbers: st.SearchStrategy[int], most: int = 3) -> st.SearchStrategy[str]:
    """Lists of numbers, as YAML."""
    return st.lists(numbers, min_size=1, max_size=most).map(str)


def values(kind: Kind) -> st.SearchStrategy[str]:
    """Values for a key of this kind, nearly all of the right form."""
    number = NUMBERS.map(str)
    match kind:
        case Integer():
            right = number
        case Number():
            right = number | st.sampled_from(["0.01", "-1.5", "1e-300", "-0.0"])
        case IntegerPerAxis():
            right = number | listed(NUMBERS)
        case FactorPerAxis():
            right = number | st.sampled_from(
                ["0.5", "1.5", "4/3", "1e-300", "1e15", "[0.1, 2/7]", "5e-324"]
            )
        case PaddingPerAxis():
            pairs = st.lists(st.tuples(NUMBERS, NUMBERS).map(list), min_size=1, max_size=3).map(str)
            right = number | listed(NUMBERS) | pairs | st.sampled_from(kind.words or ("same",))
        case Sizes():
            right = listed(NUMBERS, 4)
        case Flag():
            right = st.sampled_from(["true", "false"])
        case Word():
            right = st.sampled_from(kind.choices)
        case EarlierLayer() | EarlierShape():
            right = st.sampled_from(["n0", "n1", "input"])
        case _:
            fills = [f"{{fill: {fill}}}" for fill in FILLS]
            files = ["w.npy", "{from: w.npz#a, axes: [1, 0], shape: [4]}"]
            right = st.sampled_from([*fills, *files, "[[[1, 2]]]", "[1]", "true", "false"])
    return st.one_of(*[right] * 15, WRONG)


@st.composite
def layers(draw: st.DrawFn, number: int) -> str:
    """A layer of any type: its required keys and some others, reading from anywhere above."""
    common = ["conv", "conv_transpose", "max_pool", "relu"]
    layer_type = draw(st.sampled_from([*LAYER_TYPES, *common * 4]))
    fields = fields_of(layer_type).items()
    required = {key: values(field.kind) for key, field in fields if field.required}
    others = {key: values(field.kind) for key, field in fields if not field.required}
    keys = draw(st.fixed_dictionaries(required, optional=others))
    sources = ["input", *(f"n{above}" for above in range(number))]
    source = st.lists(st.sampled_from(sources), min_size=1, max_size=3)
    written = {"name": f"n{number}", "type": layer_type, **keys}
    if draw(st.integers(0, 4)) == 0 or layer_type in ("add", "concat", "mul"):
        written["from"] = f"[{', '.join(draw(source))}]"
    return ", ".join(f"{key}: {value}" for key, value in written.items())


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A spec of a few layers, whose sizes fit each other if chance has it so."""
    sizes = st.sampled_from([1, 2, 3, 4, 5, 8, 12, 16])
    huge = st.sampled_from([2**31, 2**40, 2**53])
    shape = draw(st.lists(st.one_of(*[sizes] * 9, huge), min_size=2, max_size=4))
    top = f"framework: {draw(st.sampled_from(list(FRAMEWORKS)))}\ninput: {shape}\nlayers:\n"
    count = draw(st.integers(1, 5))
    return top + "".join(f"  - {{{draw(layers(number))}}}\n" for number in range(count))


@st.composite
def mutated(
    draw: st.DrawFn, wholes: Sequence[bytes], tokens: Sequence[bytes], most: int = 4
) -> bytes:
    """One of `wholes`, in up to `most` places bytes taken out, and others or a token put in."""
    content = bytearray(draw(st.sampled_from(wholes)))
    for _ in range(draw(st.integers(1, most))):
        begin = draw(st.integers(0, len(content)))
        end = begin + draw(st.sampled_from([0, 1, 1, 2, 4, 8, 50, len(content)]))
        content[begin:end] = draw(st.binary(max_size=8) | st.sampled_from(tokens))
    return bytes(content)


def attempted(action: Callable[[], _T]) -> _T | None:
    """What `action` gives; None where it raises a ConvtError, whose message is short."""
    try:
        return action()
    except ConvtError as error:
        message = str(error)
    assert len(message) < 2000
    return None
