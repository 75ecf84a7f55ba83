"""convt verify --against: the libraries compute what convt does, for layers of every kind."""

from __future__ import annotations

import random
from importlib.util import find_spec

import numpy as np
import pytest

from convt_cli.analysis.peers import PEERS, PeerWindow, peer_result
from convt_cli.analysis.verify import verify_layer
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.errors import GeometryError
from convt_cli.operators.operator import ConvOperator
from tests import oracle
from tests.conftest import Run, WriteSpec
from tests.strategies import PADDING_MODES, geometry, window

pytestmark = pytest.mark.peers

INSTALLED = [name for name, peer in PEERS.items() if all(map(find_spec, peer.modules))]
MODES = ("conv_transpose", *PADDING_MODES)


def drawn(seed: int, mode: str) -> Convolution:
    """A layer of rank 1 to 3: transposed, or direct with this padding_mode."""
    draw = random.Random(f"{seed} {mode}")
    rank, groups = draw.randint(1, 3), draw.choice([1, 1, 2])
    try:
        axes = tuple(_axis(draw, mode) for _ in range(rank))
        return Convolution(
            out_channels=groups * draw.randint(1, 3),
            in_channels=groups * draw.randint(1, 3),
            axes=axes,
            groups=groups,
            padding_mode="zeros" if mode == "conv_transpose" else mode,
            adjoint=mode == "conv_transpose",
        )
    except GeometryError:
        return drawn(seed + 1000, mode)


def _axis(draw: random.Random, mode: str) -> Axis:
    stride, dilation = draw.choice([(1, 1), (1, 2), (2, 1), (3, 1), (2, 2)])
    keys = {
        "input_size": draw.randint(2, 7),
        "kernel_size": draw.randint(1, 4),
        "stride": stride,
        "dilation": dilation,
        "before": draw.randint(0, 3),
        "after": draw.randint(0, 3),
    }
    if mode == "conv_transpose":
        return Axis.conv_transpose(output_padding=draw.randrange(max(stride, dilation)), **keys)
    return Axis.conv(**keys)


def normal(*shape: int) -> oracle.Array:
    return np.random.default_rng(0).standard_normal(shape)


@pytest.mark.parametrize("name", INSTALLED)
@pytest.mark.parametrize("mode", MODES)
class TestEveryLibrary:
    @pytest.mark.parametrize("seed", range(12))
    def test_agrees_with_convt(self, name: str, mode: str, seed: int) -> None:
        convolution = drawn(seed, mode)
        layer = ConvOperator.of(convolution, normal(*convolution.weight_shape))
        check = verify_layer(layer, (PEERS[name],))[-1]
        assert f"{name} = direct" in check.name
        assert check.passed or (name == "tensorflow" and check.passed is None), check

    @pytest.mark.parametrize("seed", range(4))
    def test_agrees_with_brute_force(self, name: str, mode: str, seed: int) -> None:
        if name == "tensorflow":
            pytest.skip("it refuses some of them")
        convolution = drawn(seed, mode)
        weight = np.random.default_rng(1).integers(-5, 6, convolution.weight_shape)
        source = np.random.default_rng(2).integers(-5, 6, convolution.action_shapes[0])
        dtype = PEERS[name].dtype
        found = peer_result(
            PEERS[name], convolution, weight.astype(dtype), source.astype(dtype)[np.newaxis]
        )
        if convolution.adjoint:
            extra = [axis.output_padding for axis in convolution.axes]
            expected = oracle.transposed(
                source, weight, output_padding=extra, **window(convolution)
            )
        else:
            expected = oracle.direct(source, weight, **geometry(convolution))
        np.testing.assert_array_equal(found[0], expected)


@pytest.mark.parametrize("name", INSTALLED)
def test_the_command_compares_with_each(run: Run, spec: WriteSpec, name: str) -> None:
    spec("""
        framework: keras
        input: [3, 8, 8]
        layers:
          - {type: conv, out_channels: 4, kernel_size: 3, stride: 2, padding: same}
          - {type: conv_transpose, out_channels: 2, kernel_size: 3, stride: 2, padding: same}
        """)
    outcome = run("verify", "net.yaml", "--against", name, "--format", "json")
    assert outcome.status == 0
    last = [layer["checks"][-1] for layer in outcome.document["layers"]]
    assert [check["name"] for check in last] == [f"C x: {name} = direct", f"Cᵀ y: {name} = direct"]
    assert all(check["passed"] for check in last)


def test_what_a_library_refuses_is_left_out() -> None:
    torch = pytest.importorskip("torch")
    assert torch.nn.functional
    four = (1, 1, 1, 1)
    convolution = Convolution(
        out_channels=1, in_channels=1, axes=(Axis.conv(input_size=3, kernel_size=1),) * 4
    )
    check = verify_layer(ConvOperator.of(convolution, normal(1, 1, *four)), (PEERS["torch"],))[-1]
    assert check.passed is None
    assert "left out: torch refuses it" in check.note
    assert PeerWindow(stride=four, dilation=four, groups=1, full=four).rank == 4
