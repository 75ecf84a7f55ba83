"""Whole networks of others: every shape and every layer's values are their own program's.

Without the packages of `tests.peers.zoo` there is nothing to compare; `python -m tests.peers.truth`
prints what the tests find as a table.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers.zoo import KINDS, NETS, PACKAGES, export, file_of, torchvision

pytest.importorskip("onnxruntime")

from tests.peers.truth import judged  # it needs the runtime

pytestmark = [
    pytest.mark.peers,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore"),  # PyTorch's words about its own export
]

FILES = [(package, file) for package, files in PACKAGES.items() for file in files]


@pytest.mark.parametrize(("package", "file"), FILES)
def test_every_layer_of_a_file_is_the_runtimes(package: str, file: str) -> None:
    """What a spec cannot say is left out, and said; what it says is right."""
    path = file_of(package, file)
    if path is None:
        pytest.skip(f"{package} is not installed")
    verdict = judged(str(path), PACKAGES[package][file])
    assert verdict.compared > verdict.layers / 2
    assert (verdict.shapes, verdict.values) == ((), ())
    assert (verdict.deviation or 0) < 1e-4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", NETS)
def test_an_exported_network_comes_in_whole(name: str, kind: str, tmp_path: Path) -> None:
    if torchvision() is None:
        pytest.skip("torchvision is not installed, or does not fit PyTorch")
    verdict = judged(str(export(name, kind, tmp_path)))
    assert (verdict.cut, verdict.shapes, verdict.values, verdict.shape_only) == ("", (), (), ())
    assert verdict.expected_parameters in (None, verdict.parameters)
    assert verdict.deviation is not None
    assert verdict.deviation < (1e-12 if kind.endswith("pt2") else 1e-4)
