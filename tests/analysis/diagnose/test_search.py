"""Explanations: naive loops that make one mistake are explained by it, and chance explains none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convt_cli import diagnose, load_spec
from convt_cli.analysis.diagnose.changes import CHANGES
from convt_cli.operators import matrix_free
from tests.analysis.diagnose.layers import (
    BIAS,
    CONV,
    GROUPED,
    PLAIN,
    RNG,
    UP,
    WEIGHT,
    X,
    Y,
    conv,
    conv_transpose,
    network,
)
from tests.conftest import WriteSpec

Made = Callable[[], Any]

STRIDED = CONV.replace("padding: 1", "padding: 1, stride: 2")
DILATED = CONV.replace("padding: 1", "padding: 2, dilation: 2")
GROUPS = CONV.replace("weight: w.npz#weight", "weight: w.npz#grouped, groups: 2")


def _rounded(array: Any) -> Any:
    """float32 numbers cut to bfloat16, rounded to even."""
    bits = array.view(np.uint32)
    return (((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16) << 16).view(np.float32)


REALS = RNG.standard_normal(X.shape).astype(np.float32)

MISTAKES: dict[str, tuple[str, str, Made]] = {
    "padding behind": ("padding", CONV, lambda: conv(pads=(0, 2))),
    "no padding": ("padding", CONV, lambda: conv(pads=(0, 0))),
    "flipped": ("flip", CONV, lambda: conv(weight=WEIGHT[:, :, ::-1, ::-1])),
    "flipped along an axis": ("flip", CONV, lambda: conv(weight=WEIGHT[:, :, ::-1])),
    "transposed": ("transpose", CONV, lambda: conv(weight=WEIGHT.swapaxes(2, 3))),
    "memory of the weight": (
        "channels",
        CONV,
        lambda: conv(weight=WEIGHT.reshape(4, 6, 3, 3).swapaxes(0, 1)),
    ),
    "stride": ("stride", STRIDED, lambda: conv(stride=1)),
    "dilation": ("dilation", DILATED, lambda: conv(pads=(2, 2))),
    "dilation, size kept": ("dilation", DILATED, conv),
    "no bias": ("bias", CONV, lambda: conv(bias=None)),
    "bias twice": ("bias", CONV, lambda: conv(bias=2 * BIAS)),
    "a bias of its own": ("bias", f"{PLAIN}, bias: false", conv),
    "padding_mode": ("padding_mode", CONV, lambda: conv(padding_mode="reflect")),
    "channels last": ("layout", CONV, lambda: np.moveaxis(conv(), 0, -1)),
    "numbers channels last": ("layout", CONV, lambda: np.moveaxis(conv(), 0, -1).reshape(6, 7, 7)),
    "x channels last": (
        "layout",
        CONV,
        lambda: conv(x=np.moveaxis(X, 0, -1).reshape(X.shape)),
    ),
    "groups dealt out": (
        "groups",
        GROUPS,
        lambda: np.stack(
            [conv(X[2 * (c % 2) : 2 * (c % 2) + 2], GROUPED[[c]], BIAS[[c]])[0] for c in range(6)]
        ),
    ),
    "groups exchanged": ("groups", GROUPS, lambda: conv(X[[2, 3, 0, 1]], GROUPED, groups=2)),
    "outputs interleaved": (
        "groups",
        GROUPS,
        lambda: conv(weight=GROUPED, groups=2)[[0, 3, 1, 4, 2, 5]],
    ),
    "relu": ("activation", CONV, lambda: np.maximum(conv(), 0)),
    "leaky relu": (
        "activation",
        CONV,
        lambda: np.where(conv() < 0, np.float32(0.1) * conv(), conv()),
    ),
    "factor": ("factor", CONV, lambda: conv() / np.float32(255)),
    "first of a batch": ("batch", CONV, conv),
    "last row": ("size", CONV, lambda: conv()[:, :-1]),
    "output_padding lost": ("output_padding", UP, lambda: conv_transpose(output_padding=0)),
    "output_padding in front": (
        "output_padding",
        UP,
        lambda: conv_transpose(pads=(0, 1), output_padding=0),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named(spec: WriteSpec, mistake: str) -> None:
    change, layer, made = MISTAKES[mistake]
    source = Y if layer == UP else X
    net = network(spec, layer, size=source.shape[1])
    x = np.stack([source, -source]) if change == "batch" else source
    found = diagnose(net, x, made(), layer="one")
    assert found.verdict == "different"
    assert change in [one.change for one in found.explanations]


POOLS: dict[str, tuple[str, str, Made]] = {
    "divisor": (
        "divisor",
        "type: avg_pool, kernel_size: 3, stride: 1, padding: 1",
        lambda: (
            conv(X, np.eye(4)[:, :, None, None] * np.ones((3, 3)), None)
            / conv(np.ones((1, 7, 7)), np.ones((1, 1, 3, 3)), None)
        ),
    ),
    "ceil_mode": (
        "ceil_mode",
        "type: max_pool, kernel_size: 2",
        lambda: (
            np.pad(X, ((0, 0), (0, 1), (0, 1)), constant_values=-99)
            .reshape(4, 4, 2, 4, 2)
            .max((2, 4))
        ),
    ),
    "zeros of the padding": (
        "padding",
        "type: max_pool, kernel_size: 3, stride: 1, padding: 1",
        lambda: np.lib.stride_tricks.sliding_window_view(
            np.pad(X, ((0, 0), (1, 1), (1, 1))), (3, 3), (1, 2)
        ).max((3, 4)),
    ),
}


@pytest.mark.parametrize("mistake", POOLS)
def test_a_mistake_of_a_pool_is_named(spec: WriteSpec, mistake: str) -> None:
    change, layer, made = POOLS[mistake]
    found = diagnose(network(spec, layer), X, made(), layer="one")
    assert found.verdict == "different"
    assert change in [one.change for one in found.explanations]


def test_every_change_is_tested_here() -> None:
    tested = {change for change, _, _ in (*MISTAKES.values(), *POOLS.values())}
    assert tested | {"precision"} == set(CHANGES), "add a mistake to MISTAKES"


class TestPrecision:
    @pytest.mark.parametrize("what", ["weight", "the result"])
    def test_a_lower_one_is_named_with_what_is_rounded(self, spec: WriteSpec, what: str) -> None:
        weight = RNG.standard_normal(WEIGHT.shape).astype(np.float32)
        net = network(spec, CONV)
        np.savez("w.npz", weight=weight, bias=BIAS)
        x = REALS.astype(np.float64)
        if what == "weight":
            y = conv(x, _rounded(weight)).astype(np.float32)
        else:
            y = _rounded(conv(x, weight).astype(np.float32))
        found = diagnose(net, REALS, y, layer="one")
        (one,) = found.explanations
        assert (one.change, one.becomes) == ("precision", "bfloat16")
        assert one.text.startswith(what)

    def test_a_bound_alone_names_none(self, spec: WriteSpec) -> None:
        net = network(spec, CONV)
        noise = 1 + 2.0**-12 * RNG.uniform(-1, 1, (6, 7, 7))
        y = (conv(REALS.astype(np.float64)) * noise).astype(np.float32)
        found = diagnose(net, REALS, y, layer="one")
        assert (found.verdict, found.explanations) == ("different", ())
        assert found.precision == "tf32"


class TestChance:
    def test_what_changes_nothing_is_never_named(self, spec: WriteSpec) -> None:
        net = network(spec, PLAIN.replace("kernel_size: 3, padding: 1", "kernel_size: 1"))
        one = WEIGHT[:, :, :1, :1]
        np.savez("w.npz", weight=one)
        y = conv(weight=one, bias=None, pads=(0, 0))
        y[0, 0, 0] += 1
        found = diagnose(net, X, y, layer="one")
        assert (found.verdict, found.differing, found.explanations) == ("different", 1, ())

    def test_two_that_coincide_are_both_named(self, spec: WriteSpec) -> None:
        weight = WEIGHT.copy()
        weight[:, :] = [[0, 1, 0], [2, 5, 1], [0, 2, 0]]  # flipped it is the same as transposed
        net = network(spec, CONV)
        np.savez("w.npz", weight=weight, bias=BIAS)
        found = diagnose(net, X, conv(weight=weight.swapaxes(2, 3)), layer="one")
        assert {"flip", "transpose"} <= {one.change for one in found.explanations}

    @pytest.mark.parametrize("scale", [1, 0.01])
    def test_noise_has_no_explanation(self, spec: WriteSpec, scale: float) -> None:
        y = conv() + (scale * RNG.standard_normal((6, 7, 7))).astype(np.float32)
        found = diagnose(network(spec, CONV), X, y, layer="one")
        assert (found.verdict, found.explanations) == ("different", ())

    def test_a_constant_for_one_number_explains_nothing(self, spec: WriteSpec) -> None:
        text = (
            "input: [3]\nlayers: [{name: one, type: linear, out_features: 1, weight: [[1, 2, 3]]}]"
        )
        found = diagnose(load_spec(spec(text)), np.ones(3), np.array([5.0]), layer="one")
        assert (found.verdict, found.explanations) == ("different", ())


class TestTwo:
    def test_changes_at_once_are_named_where_one_does_not_do(self, spec: WriteSpec) -> None:
        y = np.maximum(conv(weight=WEIGHT[:, :, ::-1, ::-1]), 0)
        (found, *_) = diagnose(network(spec, CONV), X, y, layer="one").explanations
        assert found.also is not None
        assert {found.change, found.also.change} == {"activation", "flip"}

    def test_one_that_does_is_named_alone(self, spec: WriteSpec) -> None:
        found = diagnose(network(spec, CONV), X, conv(bias=None), layer="one")
        assert all(one.also is None for one in found.explanations)


class TestCost:
    MOST = 40
    """How often a layer of 64 channels may be applied for one answer."""

    @pytest.mark.parametrize("kind", ["right", "flipped", "noise", "constant"])
    def test_a_layer_is_applied_seldom(
        self, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        count = 0
        filled = matrix_free.MatrixFree.filled

        def counted(self: Any, source: Any, result: Any) -> Any:
            nonlocal count
            count += 1
            return filled(self, source, result)

        weight = RNG.integers(-9, 10, (64, 64, 3, 3)).astype(np.float32)
        x = RNG.integers(-9, 10, (64, 56, 56)).astype(np.float32)
        if kind == "constant":
            x[:] = 1
        np.save("w.npy", weight)
        layer = "type: conv, out_channels: 64, kernel_size: 3, padding: 1, weight: w.npy"
        net = load_spec(spec(f"input: [64, 56, 56]\nlayers: [{{name: one, {layer}}}]"))
        turned = weight if kind in ("right", "noise") else weight[:, :, ::-1, ::-1]
        np.save("w.npy", np.ascontiguousarray(turned))
        y = net["one"].apply(x)
        np.save("w.npy", weight)
        if kind == "noise":
            y = y + RNG.standard_normal(y.shape).astype(np.float32)
        monkeypatch.setattr(matrix_free.MatrixFree, "filled", counted)
        found = diagnose(net, x, y, layer="one")
        assert found.verdict == ("equal" if kind == "right" else "different")
        assert 2 <= count <= self.MOST
