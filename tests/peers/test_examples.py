"""The models of the examples are what their script makes, and give what PyTorch gives."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli import load_spec
from tests.docs import ROOT

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore")]

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def script() -> Any:
    """The script as a module."""
    spec = spec_from_file_location("unet", EXAMPLES / "unet.py")
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("name", ["unet.pt2", "unet.onnx"])
class TestModels:
    def test_the_script_still_makes_the_same_network(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "unet.py").write_bytes((EXAMPLES / "unet.py").read_bytes())
        subprocess.run([sys.executable, "-W", "ignore", "unet.py"], cwd=tmp_path, check=True)
        made, kept = load_spec(tmp_path / name), load_spec(EXAMPLES / name)
        assert made.table().rows == kept.table().rows
        for layer in kept.layers:
            if layer.weight_source is not None:
                np.testing.assert_array_equal(made[layer.name].weight(), layer.weight())

    def test_it_gives_what_pytorch_gives(self, script: Any, name: str) -> None:
        image = np.load(EXAMPLES / "coffee.npy").astype(np.float64)
        with torch.no_grad():
            wanted = script.network().double()(torch.from_numpy(image[np.newaxis]))
        found = load_spec(EXAMPLES / name).run(image)
        np.testing.assert_allclose(found, wanted[0].numpy(), rtol=1e-5, atol=1e-4)
