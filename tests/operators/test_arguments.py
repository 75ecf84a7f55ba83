"""Python arguments become convolutions, which are cached where that is safe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import GeometryError
from convt_cli.operators.arguments import direct_convolution, transposed_convolution

SHAPE = (3, 3, 3, 3)
PLAIN: dict[str, Any] = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1}


def made(**keys: Any) -> list[Convolution]:
    """The direct convolution and the transposed one of these arguments."""
    given = {**PLAIN, **keys}
    return [
        direct_convolution(SHAPE, (9, 9), **given),
        transposed_convolution(SHAPE, (9, 9), output_padding=0, **given),
    ]


@pytest.mark.parametrize(
    "keys",
    [{}, {"stride": (1, 1)}, {"padding": [1, 1]}, {"dilation": [1, 1], "stride": (1, 1)}],
    ids=str,
)
def test_the_same_integers_are_the_same_convolution(keys: dict[str, Any]) -> None:
    assert all(first is again for first, again in zip(made(**keys), made(**keys), strict=True))
    assert made(**keys) == made()


@pytest.mark.parametrize(
    "keys",
    [
        {"padding": [[1, 1], [1, 1]]},
        {"padding": np.array([1, 1])},
        {"stride": np.int64(1)},
        {"dilation": [np.int8(1), 1]},
    ],
    ids=str,
)
def test_other_ways_to_write_them_are_equal_ones(keys: dict[str, Any]) -> None:
    assert made(**keys) == made()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stride", True),
        ("stride", (1, True)),
        ("padding", [True, 1]),
        ("dilation", 1.0),
        ("dilation", (1.0, 1)),
        ("groups", True),
    ],
)
def test_what_only_equals_an_integer_is_refused_beside_it(name: str, value: Any) -> None:
    made(), made(**{name: [1, 1]} if name != "groups" else {})
    with pytest.raises(GeometryError) as caught:
        made(**{name: value})
    assert caught.value.code == "E103"


def test_the_two_directions_differ() -> None:
    ahead, back = made(stride=2)
    assert (ahead.adjoint, back.adjoint) == (False, True)
    assert ahead.output_shape == (3, 5, 5)
    assert back.input_shape == (3, 17, 17)


@pytest.mark.parametrize(
    ("keys", "code", "help"),
    [
        ({"padding": "sane"}, "E104", "did you mean 'same'?"),
        ({"padding": "same_lower"}, "E113", "use valid, half, full or causal"),
        ({"padding": ["same", "same"]}, "E103", "give an int"),
        ({"padding_mode": "wrap"}, "E104", "did you mean 'circular'?"),
        ({"padding_mode": 1}, "E104", "known are zeros, circular, reflect, replicate"),
        ({"padding_mode": "reflect", "padding": 9}, "E116", "at most 8"),
        ({"stride": "2"}, "E103", "give an int"),
    ],
    ids=str,
)
def test_words_are_those_of_a_spec(keys: dict[str, Any], code: str, help: str) -> None:
    with pytest.raises(GeometryError) as caught:
        direct_convolution(SHAPE, (9, 9), **{**PLAIN, **keys})
    assert caught.value.code == code
    assert help in caught.value.help


@pytest.mark.parametrize("word", ["same", "same_lower"])
def test_a_transposed_convolution_has_no_same(word: str) -> None:
    with pytest.raises(GeometryError) as caught:
        transposed_convolution(SHAPE, (9, 9), output_padding=0, **{**PLAIN, "padding": word})
    assert (caught.value.code, caught.value.field) == ("E113", "padding")


def test_words_are_cached_as_integers_are() -> None:
    keys: dict[str, Any] = {**PLAIN, "padding": "half", "padding_mode": "circular"}
    first, again = (direct_convolution(SHAPE, (9, 9), **keys) for _ in range(2))
    assert first is again
    assert first != direct_convolution(SHAPE, (9, 9), **{**keys, "padding_mode": "zeros"})
