"""The sizes that a line of code holds for, compared with the lines written for these sizes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.reports.code_lines import Line, Target, code_line, layer_line, target_of
from convt_cli.reports.code_lines.condition import Condition, Sizes
from tests.written import TYPES, layer_of, layers, on_sizes

LARGEST = 18
"""Sizes below it are tried, which is beyond the largest window drawn."""


def sizes_of(condition: Condition, own: Shape) -> Iterator[Shape]:
    """Every size of the condition on each axis alone, and on all of them in step."""
    each = [[n for n in range(1, LARGEST) if n in axis] for axis in condition.axes]
    for number, sizes in enumerate(each):
        yield from ((*own[:number], size, *own[number + 1 :]) for size in sizes)
    for step in range(LARGEST):
        yield tuple(sizes[step * (number + 1) % len(sizes)] for number, sizes in enumerate(each))


@lru_cache(maxsize=1000)  # the frameworks ask for the same sizes one after the other
def target_on(layer: NetworkLayer, own: str, sizes: Shape) -> Target | None:
    """What a line for an input of these sizes is written from; None where that is refused."""
    resized = on_sizes(layer, own, sizes)
    return None if resized is None else target_of(resized, FRAMEWORKS[own])


class TestSizes:
    @pytest.mark.parametrize(
        ("start", "step", "text"),
        [
            (7, 0, "this input size"),
            (1, 1, "any input size"),
            (6, 1, "input sizes of at least 6"),
            (2, 2, "even input sizes"),
            (1, 2, "odd input sizes"),
            (4, 2, "input sizes 4, 6, 8, ..."),
            (1, 3, "input sizes 1, 4, 7, ..."),
        ],
    )
    def test_in_words(self, start: int, step: int, text: str) -> None:
        assert str(Sizes(start=start, step=step)) == text

    @given(st.integers(1, 9), st.integers(0, 4), st.integers(1, 30))
    def test_hold_what_they_list(self, start: int, step: int, size: int) -> None:
        listed = {start + step * n for n in range(30)}
        assert (size in Sizes(start=start, step=step)) == (size in listed)

    def test_of_axes_that_differ_are_told_one_by_one(self) -> None:
        even, odd = Sizes(start=2, step=2), Sizes(start=1, step=2)
        assert str(Condition(axes=(even, odd, even))) == (
            "even input sizes on axes 0 and 2, odd input sizes on axis 1"
        )


@pytest.mark.parametrize("layer_type", TYPES)
def test_every_size_of_a_condition_has_the_same_line(layer_type: str) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(layers(layer_type))
    def check(drawn: tuple[NetworkLayer, str]) -> None:
        layer, own = drawn
        for framework in FRAMEWORKS:
            line = layer_line(layer, FRAMEWORKS[own], framework)
            if line.condition is not None:
                assert_holds(line, layer, own, framework)

    check()


def assert_holds(line: Line, layer: NetworkLayer, own: str, framework: str) -> None:
    """No size of the line's condition has another line, and the layer's own is one of them."""
    assert line.condition is not None
    sizes = layer.inputs[0][1:]
    assert all(size in axis for size, axis in zip(sizes, line.condition.axes, strict=True))
    for others in sizes_of(line.condition, sizes):
        if target := target_on(layer, own, others):
            written = code_line(target, framework).text
            assert written in (line.text, None), (framework, others, str(line.condition))


def test_a_strided_same_layer_holds_for_every_other_size() -> None:
    keys = {"out_channels": 1, "kernel_size": 3, "stride": 2, "padding": "same"}
    layer = layer_of("keras", "conv", (1, 224, 225), keys)
    found = {name: layer_line(layer, FRAMEWORKS["keras"], name).condition for name in FRAMEWORKS}
    assert str(found["pytorch"]) == "even input sizes on axis 0, odd input sizes on axis 1"
    assert str(found["tensorflow"]) == "any input size"
    assert str(found["caffe"]) == "this input size"  # its Crop names the size
