"""`.pt2` files that PyTorch writes: shapes, parameters, names and numbers, as modules have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from convt_cli.analysis.backward.layers import step_type
from convt_cli.analysis.backward.run import prepared, way_to
from convt_cli.analysis.backward.run import run as run_network
from convt_cli.arithmetic.network import Network
from convt_cli.errors import SpecError
from convt_cli.files.weights import Weights
from convt_cli.models.load import load_model, load_spec
from convt_cli.models.text import spec_text
from tests.conftest import Run
from tests.models.same import assert_same_network

torch = pytest.importorskip("torch")
nn: Any = torch.nn

from tests.peers.nets import IMAGE, NETS, WHOLE, Calls, ResNet  # noqa: E402  # they need torch

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # PyTorch's words about its own export
]


_INTERPOLATIONS = ("fraction", "linear", "bicubic", "trilinear", "corners", "exact")
NOT_RUN = (*(f"upsample {mode}" for mode in _INTERPOLATIONS), "functions of one number")
"""Networks of which convt runs no layer that has a module's name."""

Exported = tuple[Any, tuple[int, ...], str]
"""(module, shape of its input with the batch, path of its file)."""


def saved(module: Any, shape: tuple[int, ...], path: str = "net.pt2", **options: Any) -> Any:
    """`module`, as it is for use, after it was exported to `path`."""
    module.eval()
    torch.manual_seed(1)
    torch.export.save(torch.export.export(module, (torch.randn(shape),), **options), path)
    return module


def watched(module: Any, images: Any) -> dict[str, tuple[Any, Any]]:
    """(input, output) of every module inside of `module`, by its path, for `images`."""
    found: dict[str, tuple[Any, Any]] = {}
    calls = Counter[str]()

    def watch(name: str, given: Any, result: Any) -> None:
        calls[name] += 1  # convt numbers the layers of further calls in the same way
        call = name if calls[name] == 1 else f"{name}_{calls[name]}"
        found[call] = given[0].clone(), result.clone() if torch.is_tensor(result) else result

    for name, inner in module.named_modules():
        inner.register_forward_hook(lambda _, given, result, name=name: watch(name, given, result))
    for inner in module.modules():
        if hasattr(inner, "inplace"):
            inner.inplace = False  # so that what was watched stays as it was
    with torch.no_grad():
        module(images)
    return found


def numel(module: Any) -> int:
    return sum(one.numel() for one in module.parameters())


def parameters(network: Network) -> int:
    return sum(layer.geometry.parameters for layer in network.layers)


@pytest.fixture(scope="module", params=NETS)
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Each of the networks, exported once for all tests of this file."""
    make, shape = NETS[request.param]
    path = str(tmp_path_factory.mktemp("net") / "net.pt2")
    return saved(make(), shape, path), shape, path


class TestWhole:
    def test_shapes_parameters_and_names_are_pytorchs(self, exported: Exported) -> None:
        module, shape, path = exported
        network = load_spec(path)
        assert parameters(network) == numel(module)
        seen = watched(module, torch.randn(shape))
        shapes = {layer.name: layer.output for layer in network.layers}
        assert network.output == tuple(seen[""][1].shape[1:])
        own = [
            name
            for name, inner in module.named_modules()
            if type(inner).__module__.startswith("torch.nn") and not [*inner.children()]
        ]
        for name in own:
            if not isinstance(module.get_submodule(name), nn.Identity):
                assert shapes[name] == tuple(seen[name][1].shape[1:]), name

    def test_it_is_the_network_of_its_import(self, exported: Exported) -> None:
        imported = load_model(exported[2], "net.pt2")
        assert_same_network(imported, spec_text(imported, title="net", model="net.pt2"))

    def test_every_layer_gives_what_its_module_gives(
        self, request: pytest.FixtureRequest, exported: Exported
    ) -> None:
        module, shape, path = exported
        name = request.node.callspec.params["exported"]
        compared = assert_same_values(path, module, shape)
        assert (compared == 0) == (name in NOT_RUN), compared

    @pytest.mark.usefixtures("folder")
    @pytest.mark.parametrize("name", [name for name in NETS if name not in NOT_RUN])
    def test_in_double_precision_too(self, name: str) -> None:
        make, shape = NETS[name]
        module = make().double().eval()
        torch.export.save(torch.export.export(module, (torch.randn(shape).double(),)), "net.pt2")
        assert assert_same_values("net.pt2", module, shape) > 0

    def test_the_numbers_of_convolutions(self, exported: Exported) -> None:
        module, _, path = exported
        assert_same_numbers(path, module)


def assert_same_numbers(path: str, module: Any) -> None:
    """Weights and biases of all conv layers are those of the modules of their names."""
    network = load_spec(path)
    weights = Weights(network)
    for layer in network.matrix_layers:
        found = module.get_submodule(layer.name)
        np.testing.assert_array_equal(weights.weight(layer), found.weight.detach().float().numpy())
        if found.bias is not None:
            np.testing.assert_array_equal(weights.bias(layer), found.bias.detach().float().numpy())


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


class TestApply:
    @pytest.mark.parametrize("name", WHOLE)
    def test_it_gives_what_the_module_gives(self, run: Run, name: str) -> None:
        make, shape = WHOLE[name]
        module = saved(make(), shape)
        seen = watched(module, torch.randn(shape))
        for layer in load_spec("net.pt2").matrix_layers:
            given, expected = (one.detach().numpy() for one in seen[layer.name])
            np.save("x.npy", given)
            forward = [] if layer.require_convolution().adjoint else ["--forward"]
            arguments = ["net.pt2", "x.npy", "--layer", layer.name, "-o", "y.npy", "--force"]
            outcome = run("apply", *arguments, "--bias", *forward)
            assert outcome.status == 0, outcome.err
            np.testing.assert_allclose(np.load("y.npy"), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("folder")
class TestWeights:
    @pytest.mark.parametrize(
        "change",
        [
            lambda one: one.to(memory_format=torch.channels_last),
            lambda one: one.to(torch.bfloat16).float().to(torch.bfloat16),
            lambda one: one.half(),
            lambda one: one.double(),
        ],
        ids=["channels_last", "bfloat16", "float16", "float64"],
    )
    def test_strides_and_types(self, change: Callable[[Any], Any]) -> None:
        module = change(nn.Sequential(nn.Conv2d(4, 6, 3), nn.ConvTranspose2d(6, 4, (2, 3))))
        example = torch.randn(IMAGE).to(module[0].weight.dtype)
        torch.export.save(torch.export.export(module, (example,)), "net.pt2")
        assert_same_numbers("net.pt2", module)

    def test_two_layers_of_one_weight(self) -> None:
        module = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
        module[1].weight = module[0].weight
        saved(module, IMAGE)
        assert_same_numbers("net.pt2", module)

    def test_a_part_of_another_tensor(self) -> None:
        module = nn.Sequential(nn.Conv2d(4, 6, 3), nn.Conv2d(6, 4, 3))
        stored = torch.randn(500)
        module[0].weight = nn.Parameter(stored[100:316].view(6, 4, 3, 3))
        module[1].weight = nn.Parameter(stored[7:439:2].view(4, 6, 3, 3))
        saved(module, IMAGE)
        assert_same_numbers("net.pt2", module)


@pytest.mark.usefixtures("folder")
class TestSizes:
    def test_an_input_can_be_given_where_the_graph_computes_its_sizes(self) -> None:
        batch, height = torch.export.Dim("b"), torch.export.Dim("h", min=33, max=200)
        saved(ResNet(), (2, 3, 64, 64), dynamic_shapes=({0: batch, 2: height},))
        assert load_spec("net.pt2").inputs == (("input", (3, 64, 64)),)
        assert load_spec("net.pt2", input={"": (3, 96, 64)}).output == (10,)

    def test_a_shuffle_of_any_size(self) -> None:
        make, shape = NETS["shuffle"]
        saved(make(), shape, dynamic_shapes=({2: torch.export.Dim("h", min=2, max=64)},))
        assert load_spec("net.pt2", input={"": (8, 7, 5)}).output == (8, 7, 5)


@pytest.mark.usefixtures("folder")
class TestRefused:
    def causes(self, module: Any, shape: tuple[int, ...] = IMAGE) -> list[str]:
        saved(module, shape)
        with pytest.raises(SpecError) as caught:
            load_spec("net.pt2")
        return [f"{one.message}: {one.value}" for one in caught.value.diagnostics]

    def test_every_operator_in_the_way_is_named_with_its_line(self) -> None:
        def function(x: Any) -> Any:
            y = torch.einsum("nchw,nchv->nhwv", x, x)
            return y.sum() + torch.linalg.norm(x)

        first, *_, last = self.causes(Calls(function))
        assert "(einsum) at " in first
        assert "nets.py:" in first  # the line of the module, as PyTorch records it
        assert "(linalg_vector_norm) at " in last or "(linalg_norm)" in last

    def test_what_was_changed_behind_its_name(self) -> None:
        def function(x: Any) -> Any:
            y = x.relu()
            part = y[:, :, 1:]
            y.mul_(2)
            return part.sigmoid()

        (cause,) = self.causes(Calls(function))
        assert "has changed in place" in cause

    def test_partial_keeps_the_rest(self) -> None:
        saved(nn.Sequential(nn.Conv2d(4, 6, 3), Calls(lambda x: x.sort(1)[0])), IMAGE)
        network = load_spec("net.pt2", partial=True)
        assert [layer.name for layer in network.layers] == ["0"]
        assert [one.code for one in network.warnings] == ["W003"]
