"""The names of taps, evaluated on the weight as it is stored, against C by brute force."""

from __future__ import annotations

from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout
from convt_cli.errors import RequestError
from convt_cli.files.weights import as_c
from convt_cli.operators.matrix.entries import symbols
from tests import oracle
from tests.strategies import convolutions, geometry

LAYOUTS = {
    "pytorch": WeightLayout(),
    "tensorflow": WeightLayout(taps_first=True),
    "jax": WeightLayout(taps_first=True, flipped=True),
}
"""Layouts by a framework that stores weights in them; jax stands for its conv_transpose."""


def evaluated(expression: str | None, kernel: oracle.Array) -> int:
    """The value of names such as w0,2+w1,0, where w holds the numbers of `kernel`."""
    if expression is None:
        return 0
    assert set(expression) <= set("w+,0123456789")
    terms = [term.removeprefix("w").split(",") for term in expression.split("+")]
    assert all(len(term) == kernel.ndim for term in terms)
    return sum(int(kernel[tuple(map(int, term))]) for term in terms)


def named_by_channels(stored: oracle.Array, convolution: Convolution) -> oracle.Array:
    """The weight as names index it: without channel axes where both have length 1."""
    is_single = convolution.weight_shape[:2] == (1, 1)
    return stored.reshape(convolution.kernel_size) if is_single else stored


class TestSymbols:
    @settings(deadline=None, max_examples=150)
    @pytest.mark.parametrize("name", LAYOUTS)
    @given(convolution=convolutions(), seed=st.integers(0, 99), transpose=st.booleans())
    def test_evaluate_to_the_entries_of_c(
        self, name: str, convolution: Convolution, seed: int, transpose: bool
    ) -> None:
        layout = LAYOUTS[name]
        if layout.flipped:  # jax has no groups there
            convolution = replace(convolution, groups=1)
        shape = layout.stored_shape(convolution)
        stored = np.random.default_rng(seed).integers(1, 1000, shape)
        weight = as_c(stored, layout, convolution)
        c = oracle.matrix(weight, convolution.input_shape[1:], **geometry(convolution))
        kernel = named_by_channels(stored, convolution)
        found = symbols(convolution, layout, transpose=transpose)
        values = [[evaluated(cell, kernel) for cell in row] for row in found]
        assert values == (c.T if transpose else c).tolist()
        assert sum(cell is not None for row in found for cell in row) == convolution.nnz

    def test_too_many_names_are_refused(self) -> None:
        axis = Axis.conv(input_size=2, kernel_size=2**10, before=2**9, after=2**9)
        convolution = Convolution(
            out_channels=1, in_channels=1, axes=(axis, axis), padding_mode="replicate"
        )
        assert prod(convolution.matrix_shape) < 100
        with pytest.raises(RequestError) as caught:
            symbols(convolution, WeightLayout(), transpose=False)
        assert caught.value.code == "E503"
