"""Verdicts on arrays in every form, with numbers that are not finite, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli import diagnose, load_spec
from convt_cli.errors import ArrayError, RequestError
from convt_cli.io import memory
from tests.analysis.diagnose.layers import BIAS, CONV, WEIGHT, X, conv, network
from tests.conftest import WriteSpec

BATCH = np.stack([X, 2 * X])
FORMS: dict[str, Any] = {
    "no batch axis": (X, conv()),
    "a batch axis": (X[None], conv()[None]),
    "a batch axis in x alone": (X[None], conv()),
    "a batch axis in y alone": (X, conv()[None]),
    "two in a batch": (BATCH, np.stack([conv(), conv(2 * X)])),
    "flat": (X.ravel(), conv().ravel()),
    "float64": (X.astype(np.float64), conv().astype(np.float64)),
    "integers": (X.astype(np.int32), conv().astype(np.int64)),
    "Fortran order": (np.asfortranarray(X), np.asfortranarray(conv())),
    "another byte order": (X.astype(">f4"), conv().astype(">f4")),
}


class TestForms:
    @pytest.mark.parametrize("form", FORMS)
    def test_the_same_numbers_are_equal(self, spec: WriteSpec, form: str) -> None:
        x, y = FORMS[form]
        found = diagnose(network(spec, CONV), x, y, layer="one")
        assert (found.verdict, found.differing, found.rounded) == ("equal", 0, 0)
        assert (found.largest, found.count) == (None, y.size)

    def test_channels_last_is_said(self, spec: WriteSpec) -> None:
        x, y = (np.moveaxis(array, 0, -1) for array in (X, conv()))
        net = network(spec, CONV)
        assert diagnose(net, x, y, layer="one", layout="channels_last").verdict == "equal"
        with pytest.raises(ArrayError) as caught:
            diagnose(net, x, y, layer="one")
        assert caught.value.help.endswith("pass --layout channels_last")

    def test_bfloat16_is_rounded_once_at_the_end(self, spec: WriteSpec) -> None:
        bits = conv().astype(np.float32).view(np.uint32)
        short = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
        found = diagnose(network(spec, CONV), X, short.view("V2"), layer="one")
        assert (found.verdict, found.accumulator) == ("equal", "bfloat16")
        short[0, 0, 0] += 40
        found = diagnose(
            network(spec, CONV), X, short.view("V2"), layer="one", accumulator="float32"
        )
        assert (found.verdict, found.differing) == ("different", 1)

    @pytest.mark.parametrize("shape", [(6, 7), (5, 7, 7), (1,), (0, 6, 7, 7), (2, 3, 4, 5, 6)])
    def test_any_other_shape_is_different(self, spec: WriteSpec, shape: tuple[int, ...]) -> None:
        found = diagnose(network(spec, CONV), X, np.zeros(shape), layer="one")
        assert (found.verdict, found.got) == ("different", shape)
        assert (found.expected, found.largest) == ((1, 6, 7, 7), None)
        assert found.differing == found.count == np.prod(shape)


class TestVerdicts:
    def test_the_element_that_differs_most_is_shown(self, spec: WriteSpec) -> None:
        y = conv()
        y[2, 3, 4] += 5
        y[1, 0, 0] += 3
        found = diagnose(network(spec, CONV), X, y, layer="one")
        assert (found.verdict, found.differing, found.rounded) == ("different", 2, 0)
        assert found.largest is not None
        assert found.largest.at == (0, 2, 3, 4)
        assert found.largest.got - found.largest.expected == 5
        assert 0 < found.largest.bound < 1e-2

    @pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
    def test_what_is_not_finite_is_a_value(self, spec: WriteSpec, value: float) -> None:
        x = X.copy()
        x[0, 3, 3] = value
        with np.errstate(invalid="ignore"):
            y = conv(x)
        net = network(spec, CONV)
        assert not np.isfinite(y).all()
        assert diagnose(net, x, y, layer="one").verdict == "equal"
        wrong = np.where(np.isfinite(y), y, np.float32(0))
        found = diagnose(net, x, wrong, layer="one")
        assert (found.verdict, found.differing) == ("different", (~np.isfinite(y)).sum())
        assert diagnose(net, X, y, layer="one").verdict == "different"

    def test_small_in_norm_gets_a_hint(self, spec: WriteSpec) -> None:
        x = np.random.default_rng(0).standard_normal(X.shape).astype(np.float32)
        exact = conv(x.astype(np.float64))
        y = exact.astype(np.float32)
        y[0, 0, 0] += np.float32(3e-4)
        found = diagnose(network(spec, CONV), x, y, layer="one")
        assert (found.verdict, found.is_small_in_norm) == ("different", True)
        far = diagnose(network(spec, CONV), x, y + np.float32(1), layer="one")
        assert (far.verdict, far.is_small_in_norm) == ("different", False)

    def test_the_precision_of_what_is_rounding_is_found(self, spec: WriteSpec) -> None:
        x = np.random.default_rng(0).standard_normal(X.shape).astype(np.float32)
        y = conv(x)  # summed in float32 by the loops, and then kept in float64
        net = network(spec, CONV)
        found = diagnose(net, x, y.astype(np.float64), layer="one", accumulator="tf32")
        assert (found.verdict, found.precision) == ("rounding", "float32")


class TestRefused:
    @pytest.mark.parametrize(
        ("layer", "value"),
        [
            ("type: conv, out_channels: 2, kernel_size: 3", "without a weight"),
            ("type: batch_norm", "running_mean"),
            ("type: relu, stands_for: Mystery", "Mystery"),
        ],
    )
    def test_a_layer_without_numbers_is_named(
        self, spec: WriteSpec, layer: str, value: str
    ) -> None:
        net = network(spec, layer)
        with pytest.raises(RequestError, match=f"one is .*{value}") as caught:
            diagnose(net, X, X, layer="one")
        assert caught.value.code == "E507"

    def test_without_a_proved_bound_only_equality_is_judged(self, spec: WriteSpec) -> None:
        net = network(spec, "type: tanh")
        x = X.astype(np.float64)
        assert diagnose(net, x, np.tanh(x), layer="one").verdict == "equal"
        with pytest.raises(RequestError, match="proved bound") as caught:
            diagnose(net, x, np.tanh(x) + 1e-3, layer="one")
        assert caught.value.code == "E507"

    def test_an_unknown_accumulator_is(self, spec: WriteSpec) -> None:
        with pytest.raises(RequestError, match="float8"):
            diagnose(network(spec, CONV), X, conv(), layer="one", accumulator="float8")

    def test_an_x_of_another_shape_is(self, spec: WriteSpec) -> None:
        with pytest.raises(ArrayError, match="with or without a batch axis"):
            diagnose(network(spec, CONV), X[:, :5], conv(), layer="one")

    def test_too_little_memory_is(self, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(memory, "available", lambda: 1000)
        with pytest.raises(RequestError, match="the diagnosis of one") as caught:
            diagnose(network(spec, CONV), X, conv(), layer="one")
        assert caught.value.code == "E501"


class TestSeveralSources:
    TEXT = """
        input: {a: [2, 3], b: [2, 3]}
        layers:
          - {name: sum, type: add, from: [a, b]}
        """

    def test_each_is_given_by_its_name(self, spec: WriteSpec) -> None:
        net = load_spec(spec(self.TEXT))
        a, b = (np.array(n, np.float32) for n in ([[1, 2, 3], [4, 5, 6]], [[0.1, 0.2, 0.3]] * 2))
        found = diagnose(net, {"a": a, "b": b}, a + b, layer="sum")
        assert found.verdict in ("equal", "rounding")
        found = diagnose(net, {"a": a, "b": b}, a - b, layer="sum")
        assert found.verdict == "different"
        with pytest.raises(RequestError, match="by its name"):
            diagnose(net, a, a + b, layer="sum")


def test_the_weight_is_rounded_where_the_accumulator_cannot_hold_it(spec: WriteSpec) -> None:
    net = network(spec, CONV)
    np.savez("w.npz", weight=WEIGHT + 0.1, bias=BIAS)
    y = conv(weight=(WEIGHT + 0.1).astype(np.float32))
    assert diagnose(net, X, y, layer="one").verdict == "rounding"
