"""The lines that convt gives for files of torch.save make files that convt reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from convt_cli import load_spec
from tests.conftest import Run, WriteSpec
from tests.models.test_foreign import pasted

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.peers

ONE_LAYER = """
    input: [3, 8, 8]
    layers:
      - {type: conv, out_channels: 4, kernel_size: 3, weight: "m.safetensors#WEIGHT", bias: false}
    """


def module() -> object:
    """A module of torch's own classes, whose weight is not stored row by row."""
    torch.manual_seed(0)
    made = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU())
    return made.to(memory_format=torch.channels_last)


def paste(run: Run, name: str, number: int) -> None:
    """Run one of the two lines that convt prints for the file `name`."""
    code = pasted(run("shapes", name))[number]
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize("name", ["m.pt", "it's m.pt"])
def test_the_first_makes_a_pt2_of_a_whole_module(run: Run, folder: Path, name: str) -> None:
    made = module()
    torch.save(made, folder / name)
    paste(run, name, 0)
    network = load_spec(Path(name).with_suffix(".pt2"))
    assert [layer.type for layer in network.layers] == ["conv", "relu"]
    assert network.output == (4, 222, 222)
    np.testing.assert_array_equal(network["0"].weight(), made[0].weight.detach())  # type: ignore[index]


@pytest.mark.parametrize("kind", ["plain", "checkpoint", "shared", "old"])
def test_the_second_makes_weights_of_a_state_dict(run: Run, spec: WriteSpec, kind: str) -> None:
    pytest.importorskip("safetensors")
    path = spec(ONE_LAYER.replace("WEIGHT", "0.weight"))
    kept = module().state_dict()  # type: ignore[attr-defined]
    weight = kept["0.weight"].numpy()
    if kind == "shared":
        kept["again"] = kept["0.weight"]
    whole = {"state_dict": kept, "epoch": 3} if kind == "checkpoint" else kept
    torch.save(whole, "m.ckpt", _use_new_zipfile_serialization=kind != "old")
    paste(run, "m.ckpt", 1)
    np.testing.assert_array_equal(load_spec(path).layers[0].weight(), weight)
