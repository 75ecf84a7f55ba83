"""What every layer of a `.pt2` file gives, in single and double precision, as its module does."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.layers import step_type
from convt_cli.analysis.backward.run import prepared, way_to
from convt_cli.analysis.backward.run import run as run_network
from convt_cli.files.weights import Weights
from convt_cli.models.load import load_spec

torch = pytest.importorskip("torch")

from tests.peers.nets import NETS  # noqa: E402  # they need torch

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # PyTorch's words about its own export
    pytest.mark.usefixtures("folder"),
]

NOT_RUN = ("upsample corners", "upsample exact", "functions that are broken")
"""Networks of which convt runs no layer that has a module's name."""


def watched(module: Any, images: Any) -> dict[str, tuple[Any, Any]]:
    """(input, output) of every module inside of `module`, by its path, for `images`."""
    found: dict[str, tuple[Any, Any]] = {}
    calls = Counter[str]()

    def watch(name: str, given: Any, result: Any) -> None:
        calls[name] += 1  # convt numbers the layers of further calls in the same way
        call = name if calls[name] == 1 else f"{name}_{calls[name]}"
        first = result[0] if isinstance(result, tuple) else result  # a pool gives indices too
        found[call] = given[0].clone(), first.clone()

    for name, inner in module.named_modules():
        inner.register_forward_hook(lambda _, given, result, name=name: watch(name, given, result))
    for inner in module.modules():
        if hasattr(inner, "inplace"):
            inner.inplace = False  # so that what was watched stays as it was
    with torch.no_grad():
        module(images)
    return found


def assert_same_values(path: str, module: Any, shape: tuple[int, ...]) -> int:
    """Every layer that convt runs gives what the module of its name gives, to rounding.

    The last layer's module is the whole.  The number of layers that were compared comes back.
    """
    network = load_spec(path)
    weights = Weights(network)
    numbers = (*module.parameters(), *module.buffers(), torch.zeros(1))
    images = torch.randn(shape, dtype=numbers[0].dtype)
    seen = watched(module, images)
    seen[network.layers[-1].name] = seen[""]
    compared = 0
    for layer in network.layers:
        way = way_to(network, layer.name)
        if layer.name in seen and all(step_type(one, network.rules) for one in way.layers):
            ready = prepared(way, weights, images.numpy().dtype)
            found = run_network(ready, images.numpy()).activations
            expected = seen[layer.name][1].numpy()
            exact = 300 * np.finfo(expected.dtype).eps * max(1, abs(expected).max())
            np.testing.assert_allclose(found, expected, rtol=0, atol=exact, err_msg=layer.name)
            compared += 1
    return compared


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
@pytest.mark.parametrize("name", NETS)
def test_every_layer_gives_what_its_module_gives(name: str, dtype: Any) -> None:
    make, shape = NETS[name]
    torch.manual_seed(1)
    module = make().to(dtype).eval()
    torch.export.save(torch.export.export(module, (torch.randn(shape, dtype=dtype),)), "net.pt2")
    compared = assert_same_values("net.pt2", module, shape)
    assert (compared == 0) == (name in NOT_RUN), compared
