"""The checks of a layer: all pass for right routes, and each fails for a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings

from convt_cli.analysis import verify
from convt_cli.analysis.peers import Peer, PeerWindow
from convt_cli.analysis.verify import Check, smaller, verify_layer
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import ArrayError, RequestError
from convt_cli.io import memory
from convt_cli.operators.operator import ConvOperator
from convt_cli.operators.routes import FORWARD, TRANSPOSE
from tests import oracle
from tests.strategies import convolutions, with_arrays

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]

WEIGHT = np.random.default_rng(0).standard_normal((4, 2, 3, 3))
C = ConvOperator(WEIGHT, (9, 8), stride=2, padding=1)
LAYER = C.convolution


def failed(checks: tuple[Check, ...]) -> set[str]:
    """The names of the checks that did not pass."""
    return {check.name for check in checks if check.passed is False}


def spoilt(route: Callable[..., oracle.Array], by: float) -> Callable[..., oracle.Array]:
    """A route whose last element is wrong."""

    def wrong(convolution: Convolution, weight: oracle.Array, source: oracle.Array) -> oracle.Array:
        result = route(convolution, weight, source).copy()
        result.flat[-1] += by
        return result

    return wrong


class TestRightOnes:
    @settings(deadline=None, max_examples=80)
    @given(drawn=with_arrays(convolutions()))
    def test_pass_every_check(self, drawn: Drawn) -> None:
        convolution, weight, *_ = drawn
        checks = verify_layer(ConvOperator.of(convolution, weight + 0.1))
        assert not failed(checks)
        left_out = [check.name for check in checks if check.passed is None]
        assert left_out == (
            [] if convolution.padding_mode == "zeros" else ["Cᵀ y: zero-insert = direct"]
        )

    def test_are_judged_by_these_checks(self) -> None:
        assert [check.name for check in verify_layer(C)] == [
            "shape inverse",
            "dot test",
            "C x: matrix = direct",
            "C x: matrix = direct, on integers",
            "Cᵀ y: matrix = direct",
            "Cᵀ y: matrix = direct, on integers",
            "Cᵀ y: zero-insert = direct",
            "Cᵀ y: zero-insert = direct, on integers",
        ]

    def test_the_bounds_are_narrow(self) -> None:
        for check in verify_layer(C):
            assert check.bound is not None
            assert check.bound < 1e-9


class TestWrongOnes:
    @pytest.mark.parametrize("by", [1e-6, np.nan, np.inf])
    @pytest.mark.parametrize(
        ("routes", "method", "side"),
        [
            (FORWARD, "matrix", "C x"),
            (TRANSPOSE, "matrix", "Cᵀ y"),
            (TRANSPOSE, "zero-insert", "Cᵀ y"),
        ],
    )
    def test_a_route_that_is_off_in_one_element(
        self,
        routes: dict[str, Any],
        method: str,
        side: str,
        by: float,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setitem(routes, method, spoilt(routes[method], by))
        name = f"{side}: {method} = direct"
        assert failed(verify_layer(C)) == {name, f"{name}, on integers"}

    @pytest.mark.parametrize("name", ["apply_forward", "apply_transpose"])
    def test_a_direct_kernel_that_is_off(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verify, name, spoilt(getattr(verify, name), 1e-6))
        assert "dot test" in failed(verify_layer(C))

    def test_a_shape_that_does_not_come_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Axis, "output_padding", property(lambda _: 1))
        assert "shape inverse" in failed(verify_layer(C))

    def test_a_peer_that_disagrees(self) -> None:
        def result(x: oracle.Array, weight: oracle.Array, window: PeerWindow) -> oracle.Array:
            return np.zeros((1, 4, 5, 4), x.dtype)

        peer = Peer(
            name="zero", modules=(), install="", dtype="float32", direct=result, transposed=result
        )
        assert failed(verify_layer(C, (peer,))) == {"C x: zero = direct"}
        wrong = replace(peer, direct=lambda x, weight, window: np.zeros((1, 4, 5, 5)))
        (check,) = [one for one in verify_layer(C, (wrong,)) if "zero =" in one.name]
        assert (check.passed, check.note) == (False, "(4, 5, 5) instead of (4, 5, 4)")

    def test_a_peer_that_refuses_is_left_out(self) -> None:
        def refuse(x: oracle.Array, weight: oracle.Array, window: PeerWindow) -> oracle.Array:
            raise NotImplementedError("no such stride\nand more")

        peer = Peer(
            name="shy", modules=(), install="", dtype="float64", direct=refuse, transposed=refuse
        )
        check = verify_layer(C, (peer,))[-1]
        assert (check.passed, check.note) == (None, "left out: shy refuses it: no such stride")


MOSTLY_PADDING: Drawn = (
    ConvOperator(np.full((1, 1, 1), 7.0), 1, padding=[(0, 4)]).convolution,
    np.full((1, 1, 1), 7.0),
    np.ones((1, 1)),
    np.ones((1, 5)),
)
"""Five outputs of one input: four of them read padding only."""


class TestLargeLayers:
    def test_the_matrix_is_built_for_fewer_positions(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verify, "_MOST_ENTRIES", 3000)
        checks = verify_layer(ConvOperator(WEIGHT, (90, 80), stride=2, padding=1))
        assert not failed(checks)
        notes = {check.name: check.note for check in checks}
        assert notes["C x: matrix = direct"] == "with input 2×12×12"
        assert notes["Cᵀ y: zero-insert = direct"] == ""

    def test_too_many_channels_leave_the_matrix_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verify, "_MOST_ENTRIES", 3)
        left_out = [check for check in verify_layer(C) if check.passed is None]
        assert [check.name for check in left_out] == [
            "C x: matrix = direct",
            "Cᵀ y: matrix = direct",
        ]
        assert {check.note for check in left_out} == {"left out: C has 1,144 entries"}

    def test_zero_insertion_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(verify, "_MOST_STRETCHED_WORK", 1)
        larger = ConvOperator(WEIGHT, (90, 80), stride=2, padding=1)
        notes = {check.name: check.note for check in verify_layer(larger)}
        assert notes["Cᵀ y: zero-insert = direct"] == "with input 2×12×12"

    @settings(deadline=None, max_examples=100)
    @given(drawn=with_arrays(convolutions()))
    @example(drawn=MOSTLY_PADDING)
    def test_fewer_positions_keep_the_window_and_the_padding(self, drawn: Drawn) -> None:
        convolution = drawn[0]
        found = smaller(convolution)
        assert found is not None
        for one, other in zip(convolution.axes, found.axes, strict=True):
            assert (one.before, one.after, one.output_padding) == (
                *(other.before, other.after, other.output_padding),
            )
            assert other.output_size <= one.output_size


def test_what_does_not_fit_into_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "available", lambda: 1000)
    with pytest.raises(RequestError) as caught:
        verify_layer(C)
    assert caught.value.code == "E501"


@pytest.mark.parametrize("weight", [WEIGHT * 1j, np.full(WEIGHT.shape, np.inf)])
def test_a_weight_that_is_not_real_and_finite_is_refused(weight: oracle.Array) -> None:
    with pytest.raises(ArrayError) as caught:
        verify_layer(ConvOperator.of(LAYER, weight))
    assert caught.value.code == "E302"
