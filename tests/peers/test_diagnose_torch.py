"""convt diagnose beside PyTorch and ONNX Runtime: right answers pass, wrong ones get their name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli import Network, diagnose, diagnose_dump, load_spec
from convt_cli.analysis.peers import PEERS, peer_result
from tests.conftest import WriteSpec
from tests.peers.mutants import MUTANTS, Drawn, computed, draw

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.peers

TYPES = ("conv", "conv_transpose", "max_pool", "avg_pool", "linear")
DTYPES = ("float16", "float32", "float64")
RIGHT = 135
"""Random layers of each type and dtype: about 2,000 in all."""
WRONG = 50
"""Random layers with each kind of mistake."""
LEAST_NAMED = 0.95


def says_something(drawn: Drawn, y: Any) -> bool:
    """Whether `y` differs from the right answer by more than axes of length 1 and rounding."""
    right = computed(drawn)
    if [n for n in right.shape if n != 1] != [n for n in y.shape if n != 1]:
        return True
    return not np.allclose(right.ravel(), y.ravel(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer_type", TYPES)
def test_right_answers_of_torch_raise_no_alarm(tmp_path: Path, layer_type: str, dtype: str) -> None:
    rng = np.random.default_rng([TYPES.index(layer_type), DTYPES.index(dtype)])
    for _ in range(RIGHT):
        drawn = draw(rng, layer_type, dtype)
        found = diagnose(drawn.network(tmp_path), drawn.x, computed(drawn), layer="one")
        assert found.verdict != "different", (drawn.keys, drawn.x.shape, found.largest)


@pytest.mark.parametrize("layer_type", ["conv", "conv_transpose"])
def test_right_answers_of_onnxruntime_raise_no_alarm(tmp_path: Path, layer_type: str) -> None:
    pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(9)
    for _ in range(100):
        drawn = draw(rng, layer_type, batch=1, bias=False)
        network = drawn.network(tmp_path)
        convolution = network["one"].require_convolution()
        y = peer_result(PEERS["onnxruntime"], convolution, drawn.weight, drawn.x)
        found = diagnose(network, drawn.x, y, layer="one")
        assert found.verdict != "different", (drawn.keys, drawn.x.shape, found.largest)


@pytest.mark.parametrize("kind", MUTANTS)
def test_wrong_answers_are_different_and_named(tmp_path: Path, kind: str) -> None:
    change, make = MUTANTS[kind]
    rng, named, told = np.random.default_rng(1), 0, 0
    while told < WRONG:
        drawn, y = make(rng)
        if not y.size or not says_something(drawn, y):
            continue
        told += 1
        found = diagnose(drawn.network(tmp_path), drawn.x, y, layer="one")
        assert found.verdict == "different", (drawn.keys, drawn.x.shape, y.shape)
        words = [one.change for one in found.explanations]
        assert change in words or not words, (drawn.keys, drawn.x.shape, y.shape, words)
        named += change in words
    assert named >= LEAST_NAMED * told


@pytest.mark.parametrize("size", ["all", "one element"])
def test_noise_is_different_and_has_no_explanation(tmp_path: Path, size: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(40):
        drawn = draw(rng, str(rng.choice(["conv", "conv_transpose", "linear"])))
        y = computed(drawn)
        if y.size < 8:
            continue
        if size == "all":
            y = y + rng.standard_normal(y.shape).astype("float32")
        else:
            y.flat[int(rng.integers(y.size))] += np.float32(0.1)
        found = diagnose(drawn.network(tmp_path), drawn.x, y, layer="one")
        assert (found.verdict, found.explanations) == ("different", ()), (drawn.keys, y.shape)


class TestNetworks:
    TEXT = """
        input: [3, 12, 12]
        layers:
          - {name: features.0, type: conv, out_channels: 6, kernel_size: 3, padding: 1,
             weight: w.npz#a, bias: w.npz#b}
          - {name: features.1, type: relu}
          - {name: features.2, type: max_pool, kernel_size: 2}
          - {name: features.3, type: conv, out_channels: 4, kernel_size: 3, stride: 2,
             weight: w.npz#c, bias: false}
          - {name: features.4, type: batch_norm, running_mean: w.npz#mean, running_var: w.npz#var,
             weight: w.npz#scale, bias: w.npz#shift}
          - {name: features.5, type: flatten}
          - {name: features.6, type: linear, out_features: 5, weight: w.npz#d, bias: w.npz#e}
        """

    @pytest.fixture
    def modules(self) -> Any:
        torch.manual_seed(0)
        nn = torch.nn
        made = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 4, 3, stride=2, bias=False),
            nn.BatchNorm2d(4),
            nn.Flatten(),
            nn.Linear(16, 5),
        )
        norm = made[4]
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        norm.weight.data.normal_()
        return made.eval()

    @pytest.fixture
    def network(self, modules: Any, spec: WriteSpec) -> Network:
        keys = {
            "a": modules[0].weight,
            "b": modules[0].bias,
            "c": modules[3].weight,
            "d": modules[6].weight,
            "e": modules[6].bias,
            "mean": modules[4].running_mean,
            "var": modules[4].running_var,
            "scale": modules[4].weight,
            "shift": modules[4].bias,
        }
        arrays: Any = {key: value.detach().numpy().copy() for key, value in keys.items()}
        np.savez("w.npz", **arrays)
        return load_spec(spec(self.TEXT))

    def dump(self, modules: Any) -> dict[str, Any]:
        """What hooks keep of a run."""
        kept: dict[str, Any] = {}
        hooks = [
            module.register_forward_hook(
                lambda _, __, y, name=name: kept.__setitem__(f"features.{name}", y.numpy().copy())
            )
            for name, module in modules.named_children()
        ]
        kept["input"] = torch.randn(2, 3, 12, 12, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            modules(kept["input"])
        for hook in hooks:
            hook.remove()
        return kept | {"input": kept["input"].numpy()}

    def test_a_right_run_raises_no_alarm(self, modules: Any, network: Network) -> None:
        found = diagnose_dump(network, self.dump(modules))
        assert (found.first, dict(found.not_judged)) == (None, {})
        assert len(found.judged) == 7

    @pytest.mark.parametrize(("number", "layer"), [(0, "features.0"), (3, "features.3")])
    def test_a_moved_tap_is_found_in_its_layer(
        self, modules: Any, network: Network, number: int, layer: str
    ) -> None:
        weight = modules[number].weight.data
        weight[0, 0, 0, 0], weight[0, 0, 0, 1] = (
            float(weight[0, 0, 0, 1]),
            float(weight[0, 0, 0, 0]),
        )
        found = diagnose_dump(network, self.dump(modules))
        assert found.first is not None
        assert found.first.layer.name == layer
        assert [one.layer.name for one in found.judged if one.verdict == "different"] == [layer]

    def test_a_flatten_of_channels_last_is_named(self, modules: Any, network: Network) -> None:
        kept = self.dump(modules)
        last = np.moveaxis(kept["features.4"], 1, -1).reshape(2, -1)
        linear = modules[6]
        with torch.no_grad():
            y = linear(torch.from_numpy(last.copy())).numpy()
        found = diagnose(network, kept["features.5"], y, layer="features.6")
        assert [one.change for one in found.explanations] == ["layout"]

    def test_a_relu_in_place_is_named_in_the_layer_it_spoils(
        self, modules: Any, network: Network
    ) -> None:
        kept = self.dump(modules)
        kept["features.0"] = kept["features.1"]
        first = diagnose_dump(network, kept).first
        assert first is not None
        assert (first.layer.name, first.explanations[0].change) == ("features.0", "activation")
