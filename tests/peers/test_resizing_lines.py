"""Lines for adaptive pools, upsamples and shuffles: each framework gives what the own one does."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.keys import Ratio
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.errors import GeometryError
from convt_cli.reports.code_lines import layer_line
from tests.oracle import Array
from tests.peers.test_code_lines import RUNNERS, numbers
from tests.rows import assert_each
from tests.written import layer_of

pytestmark = pytest.mark.peers

NOTHING = np.zeros((1, 1))
Row = tuple[NetworkLayer, dict[str, str], dict[str, str]]
"""A layer, its own framework's line and another's, each under the framework's name."""
MODES = ("nearest", "linear", "cubic", "area")
LAYERS: list[tuple[str, dict[str, Any], Shape]] = [
    *(
        (f"adaptive_{kind}_pool", {"output_size": wanted}, (2, *sizes))
        for kind in ("max", "avg")
        for sizes, wanted in [
            *(((7,), 3), ((8,), 4), ((8,), 3), ((5,), 2), ((3,), 5), ((6,), 1), ((7, 6), (6, 2))),
            *(((7, 6), (6, 4)), ((4, 4, 5), (2, 4, 1))),
        ]
    ),
    *(
        ("upsample", {key: value, "mode": mode}, (2, *sizes))
        for mode in MODES
        for key, value, sizes in [
            ("scale_factor", Ratio(numerator=2), (5,)),
            ("scale_factor", Ratio(numerator=3), (3, 4)),
            ("scale_factor", Ratio(numerator=2), (2, 3, 2)),
            ("scale_factor", Ratio(numerator=1, denominator=2), (6, 4)),
            ("scale_factor", Ratio(numerator=3, denominator=2), (5, 4)),
            ("output_size", (7, 3), (4, 5)),
            ("output_size", (8, 10), (4, 5)),
            ("output_size", (2, 1), (4, 2)),
            ("output_size", (3, 4), (2, 8)),
        ]
    ),
    *(("pixel_shuffle", {"factor": 2}, (2 * 2 ** len(s), *s)) for s in [(3,), (2, 3), (2, 1, 3)]),
    *(("pixel_unshuffle", {"factor": 2}, (2, *s)) for s in [(4,), (4, 6), (2, 4, 2)]),
]


@pytest.mark.parametrize("other", RUNNERS)
def test_a_line_gives_what_the_own_line_gives(other: str) -> None:
    """Whichever of the frameworks that are installed is the layer's own."""
    if not installed(other):
        pytest.skip(f"{other} is not installed")
    own = filter(installed, RUNNERS)
    assert_each([row for framework in own for row in lines_of(framework, other)], assert_same)


def installed(framework: str) -> bool:
    return find_spec(RUNNERS[framework][0]) is not None


def lines_of(own: str, other: str) -> Iterator[Row]:
    """The layers that `own` takes and that both have a line for."""
    for layer_type, keys, source in LAYERS:
        try:
            layer = layer_of(own, layer_type, source, keys)
        except GeometryError:
            continue
        mine, theirs = (layer_line(layer, FRAMEWORKS[own], name).text for name in (own, other))
        if mine is not None and theirs is not None:
            yield layer, {own: mine}, {other: theirs}


def assert_same(row: Row) -> None:
    layer, *lines = row
    (source,) = layer.inputs
    mine, theirs = (
        run(line, framework, source) for each in lines for framework, line in each.items()
    )
    assert mine.shape == layer.output
    np.testing.assert_allclose(theirs, mine, rtol=1e-4, atol=1e-4)


def run(line: str, framework: str, source: Shape) -> Array:
    return RUNNERS[framework][1](line, numbers(source, 1), NOTHING, NOTHING)
