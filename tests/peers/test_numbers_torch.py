"""PyTorch as a peer for layers with numbers: their values, and their gradients by its autograd."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.run import prepared, run, way_to
from convt_cli.files.weights import Weights
from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec
from tests.oracle import Array

torch: Any = pytest.importorskip("torch")
nn: Any = torch.nn
functional: Any = torch.nn.functional

pytestmark = pytest.mark.peers

SHAPE = (6, 5, 4)
SIX = [1.0, -2.0, 0.5, 3.0, 0.25, 1.5]


def with_numbers(module: Any, **arrays: Any) -> Any:
    """The module, as when it runs, with these parameters and statistics."""
    for name, values in arrays.items():
        getattr(module, name).data = torch.tensor(values, dtype=torch.float64)
    return module.eval().double()


def clipped(low: float | None, high: float | None) -> Any:
    return lambda x: torch.clamp(x, low, high)


def padded(mode: str) -> Any:
    return lambda x: functional.pad(x, (0, 3, 1, 2), mode=mode)


ROWS = [[0.5, 1, -1, 2], [1, 0, 3, -2], [0, 1, 1, 1], [2, 2, -3, 1], [1, -1, 0.5, 4]]
VARIANCES = [1.0, 4.0, 9.0, 0.5, 0.1, 2.0]
STATISTICS = f"running_mean: {SIX}, running_var: {VARIANCES}"
KEPT = {"running_mean": SIX, "running_var": VARIANCES}

CASES: dict[str, Any] = {
    "leaky_relu": nn.LeakyReLU(),
    "leaky_relu, alpha: 0.3": nn.LeakyReLU(0.3),
    f"prelu, num_parameters: 6, weight: {SIX}": with_numbers(nn.PReLU(6), weight=SIX),
    "prelu, weight: [0.7]": with_numbers(nn.PReLU(), weight=[0.7]),
    "prelu": nn.PReLU().double(),
    "clip": nn.ReLU6(),
    "clip, minimum: -0.5": clipped(-0.5, None),
    "clip, maximum: 0.25": clipped(None, 0.25),
    "clip, minimum: -1, maximum: 1": nn.Hardtanh(),
    "elu": nn.ELU(),
    "elu, alpha: 0.4": nn.ELU(0.4),
    "selu": nn.SELU(),
    "gelu": nn.GELU(),
    "gelu, approximate: tanh": nn.GELU("tanh"),
    "silu": nn.SiLU(),
    "mish": nn.Mish(),
    "softplus": nn.Softplus(),
    "hard_sigmoid": nn.Hardsigmoid(),
    "hard_sigmoid, alpha: 0.2": lambda x: torch.clamp(0.2 * x + 0.5, 0, 1),
    "hard_swish": nn.Hardswish(),
    "softmax": nn.Softmax(1),
    "softmax, axis: 2": nn.Softmax(3),
    f"batch_norm, affine: false, {STATISTICS}": with_numbers(
        nn.BatchNorm2d(6, affine=False), **KEPT
    ),
    f"batch_norm, eps: 0.1, weight: {SIX}, bias: {SIX}, {STATISTICS}": with_numbers(
        nn.BatchNorm2d(6, eps=0.1), weight=SIX, bias=SIX, **KEPT
    ),
    "instance_norm": nn.InstanceNorm2d(6),
    f"instance_norm, eps: 0.1, weight: {SIX}, bias: {SIX}": with_numbers(
        nn.InstanceNorm2d(6, eps=0.1, affine=True), weight=SIX, bias=SIX
    ),
    "group_norm, num_groups: 3": nn.GroupNorm(3, 6).double(),
    f"group_norm, num_groups: 2, weight: {SIX}, bias: {SIX}": with_numbers(
        nn.GroupNorm(2, 6), weight=SIX, bias=SIX
    ),
    "layer_norm": nn.LayerNorm(SHAPE).double(),
    f"layer_norm, normalized_axes: [1, 2], weight: {ROWS}, bias: {ROWS}": with_numbers(
        nn.LayerNorm((5, 4)), weight=ROWS, bias=ROWS
    ),
    "lrn, size: 3": nn.LocalResponseNorm(3),
    "lrn, size: 4, k: 2, alpha: 3, beta: 0.6": nn.LocalResponseNorm(4, 3, 0.6, 2),
    "pad, padding: [[1, 2], [0, 3]], mode: reflect": padded("reflect"),
    "pad, padding: [[1, 2], [0, 3]], mode: replicate": padded("replicate"),
    "pad, padding: [[1, 2], [0, 3]], mode: circular": padded("circular"),
    "pad, padding: [[1, 2], [0, 3]]": padded("constant"),
    "slice, axis: 1, begin: -1, step: -2": lambda x: x.flip(2)[:, :, ::2],
    "slice, axis: 0, begin: 1, end: -1": lambda x: x[:, 1:-1],
    "crop, padding: [[1, 2], [0, 3]]": lambda x: x[:, :, 1:3, :1],
    "linear, axis: 2, out_features: 2, bias: [1, 2], weight: [[1, 2, 3, 4], [0, 1, 0, -1]]": (
        with_numbers(nn.Linear(4, 2), weight=[[1, 2, 3, 4], [0, 1, 0, -1]], bias=[1, 2])
    ),
}


def taken(spec: WriteSpec, keys: str, x: Array, signal: Array) -> tuple[Array, Array]:
    """What a layer makes of x, and what its gradient makes of a signal."""
    network = load_spec(spec(f"input: {list(SHAPE)}\nlayers: [{{name: a, type: {keys}}}]"))
    found = run(prepared(way_to(network, "a"), Weights(network), x.dtype), x)
    return found.activations, found.down(signal, "gradient")


@pytest.mark.parametrize("keys", CASES)
def test_it_is_pytorchs_module_and_its_gradient(spec: WriteSpec, keys: str) -> None:
    x = torch.tensor(3 * np.random.default_rng(0).standard_normal((2, *SHAPE)))
    x.requires_grad_()
    theirs = CASES[keys](x)
    signal = torch.tensor(np.random.default_rng(1).standard_normal(theirs.shape))
    (gradient,) = torch.autograd.grad(theirs, x, signal)
    value, back = taken(spec, keys, x.detach().numpy(), signal.numpy())
    np.testing.assert_allclose(value, theirs.detach().numpy(), rtol=1e-9, atol=1e-12)
    # PyTorch's hard_sigmoid has a float32 number for 1/6 on its way back
    np.testing.assert_allclose(back, gradient.numpy(), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("keys", [keys for keys in CASES if "weight" not in keys])
def test_in_float32_it_rounds_as_much(spec: WriteSpec, keys: str) -> None:
    x = 3 * np.random.default_rng(0).standard_normal((2, *SHAPE)).astype(np.float32)
    call = CASES[keys]
    single = call.float() if isinstance(call, nn.Module) else call
    theirs = single(torch.tensor(x)).detach().numpy()
    if isinstance(call, nn.Module):
        call.double()
    value, _ = taken(spec, keys, x, np.zeros_like(theirs))
    np.testing.assert_allclose(value, theirs, rtol=3e-6, atol=3e-6)
    if "running" not in keys:  # numbers in the spec are float64
        assert value.dtype == np.float32
