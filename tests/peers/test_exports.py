"""One PyTorch network, exported to both of its formats: convt diff finds nothing that differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

from tests.peers.nets import ResNet, UNet  # noqa: E402  # they need torch

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # PyTorch's words about its own export
]

NETS: dict[str, Any] = {"resnet": ResNet, "unet": UNet}


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("folded", [False, True], ids=["as trained", "batch norms folded"])
def test_the_pt2_and_the_onnx_of_a_network(run: Run, folder: Path, name: str, folded: bool) -> None:
    """Every name is another one; a batch norm that is folded away leaves a bias."""
    net, example = NETS[name]().eval(), (torch.zeros(1, 3, 64, 64),)
    torch.export.save(torch.export.export(net, example), folder / "net.pt2")
    modes = torch.onnx.TrainingMode
    mode = modes.EVAL if folded else modes.PRESERVE
    torch.onnx.export(
        net, example, folder / "net.onnx", dynamo=False, training=mode, do_constant_folding=folded
    )
    outcome = run("diff", "net.pt2", "net.onnx", "--format", "json")
    layers = outcome.document["layers"]
    norms = [one for one in layers if one["change"] == "removed"]
    convs = [one for one in layers if one["change"] == "changed"]
    has_norms = folded and name == "resnet"
    assert outcome.status == int(has_norms)
    assert {one["was"]["type"] for one in norms} == ({"batch_norm"} if has_norms else set())
    assert len(convs) == len(norms) == len(layers) / 2
    assert all(set(one["is"]) == {"name", "bias", "parameters"} for one in convs)
