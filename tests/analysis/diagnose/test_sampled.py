"""Outputs gathered one by one are those of the layer as a whole, on every convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from convt_cli.analysis.backward.step import PreparedLayer
from convt_cli.analysis.diagnose.precision import PRECISIONS
from convt_cli.analysis.diagnose.sampled import places_to_look, sampled
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import Conv, ConvTranspose, Geometry
from convt_cli.arithmetic.network import NetworkLayer
from tests import oracle
from tests.strategies import convolutions, geometry, window, with_arrays

WIDE = PRECISIONS["float64"]


def subject_of(convolution: Convolution, weight: Any, source: Any, got: Any) -> Subject:
    """The layer of a convolution that is not in a spec, with a batch of one."""
    made = ConvTranspose if convolution.adjoint else Conv
    definition = made(out_channels=1, kernel_size=1)
    shapes = convolution.action_shapes
    layer = NetworkLayer(
        name="one",
        type="conv",
        line=0,
        definition=definition,
        sources=("input",),
        inputs=shapes[:1],
        geometry=Geometry(output=shapes[1], convolution=convolution),
    )
    prepared = PreparedLayer(
        layer=layer,
        definition=definition,
        rules=FRAMEWORKS["pytorch"],
        parameters={"weight": weight.astype(np.float64)},
    )
    sources = (source[np.newaxis].astype(np.float64),)
    return Subject(prepared=prepared, sources=sources, got=got, held=WIDE, accumulator=WIDE)


@given(drawn=with_arrays(convolutions()))
def test_a_sample_is_part_of_the_whole(drawn: Any) -> None:
    convolution, weight, x, y = drawn
    if convolution.adjoint:
        extra = [axis.output_padding for axis in convolution.axes]
        expected = oracle.transposed(y, weight, output_padding=extra, **window(convolution))
    else:
        expected = oracle.direct(x, weight, **geometry(convolution))
    batch = expected[np.newaxis].astype(np.float64)
    subject = subject_of(convolution, weight, y if convolution.adjoint else x, batch)
    places = np.unravel_index(np.arange(batch.size), batch.shape)
    found = sampled(subject, convolution, places)
    np.testing.assert_array_equal(found.values, batch.ravel())
    # the errors are at least those of the whole layer
    assert (found.errors >= subject.bare().errors.ravel() * (1 - 1e-12)).all()


@given(
    sizes=st.lists(st.integers(1, 6), min_size=3, max_size=5),
    wrong=st.lists(st.integers(0, 5), unique=True),
)
def test_places_lie_inside_and_the_worst_come_first(sizes: list[int], wrong: list[int]) -> None:
    inside = np.array([number for number in wrong if number < np.prod(sizes)], np.int64)
    places = places_to_look(tuple(sizes), inside)
    numbers = np.ravel_multi_index(places, sizes).tolist()
    assert numbers[: len(inside)] == inside.tolist()
    assert len(set(numbers)) == len(numbers)
