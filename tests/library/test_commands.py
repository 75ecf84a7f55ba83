"""Every command that computes, and the library on the same spec: the same numbers, bit for bit.

Matrices of products are BLAS's, whose threads add up in other orders; sizes here are below those
at which it divides a product.
"""

from __future__ import annotations

import csv

import numpy as np
import pytest
from scipy.sparse import load_npz

from convt_cli import (
    Network,
    coverage,
    diagnose,
    difference,
    invert,
    load_spec,
    reconstruct,
    singular_values,
    stimulus,
    verify_layer,
)
from convt_cli.commands.main import COMMANDS
from convt_cli.spec.load import check_spec
from tests.conftest import Run, WriteSpec, assert_quiet

TEXT = """
    name: both
    input: [2, 9, 8]
    layers:
      - {name: down, type: conv, out_channels: 4, kernel_size: 3, padding: 1, groups: 2,
         padding_mode: circular, weight: w.npz#down, bias: [1, 2, 3, 4]}
      - {name: act, type: relu}
      - {name: up, type: conv_transpose, out_channels: 3, kernel_size: 3, stride: 2, padding: 1,
         output_padding: 1, weight: w.npz#up}
    """
LAYERS = ("down", "up")
OTHERS = ("table", "solve", "compare", "import", "explain")
"""Commands that print what integers and texts say, which `arithmetic` and `models` hold."""
RNG = np.random.default_rng(2)


@pytest.fixture
def path(spec: WriteSpec) -> str:
    """The spec, with its weights beside it."""
    down, up = RNG.standard_normal((4, 1, 3, 3)), RNG.standard_normal((4, 3, 3, 3))
    np.savez("w.npz", down=down, up=up.astype(np.float32))
    return spec(TEXT)


@pytest.fixture
def network(path: str) -> Network:
    return load_spec(path)


def assert_same(first: np.ndarray, second: np.ndarray) -> None:
    assert first.dtype == second.dtype
    np.testing.assert_array_equal(first, second)


def test_shapes(run: Run, path: str, network: Network) -> None:
    outcome = run("shapes", path, "--format", "csv")
    names, *rows = csv.reader(outcome.out.splitlines())
    table = network.table()
    assert names == ["spec", *(column.name for column in table.columns)]
    assert [row[1] for row in rows] == [row[0] for row in table.rows]


def test_check(run: Run, path: str, network: Network) -> None:
    assert run("check", path).status == len(network.warnings) == len(check_spec(path)) == 0


def test_deps(run: Run, path: str, network: Network) -> None:
    assert run("deps", path).out == f"{path}: {' '.join(network.weight_files)}\n"


def test_diff(run: Run, path: str, network: Network) -> None:
    arguments = ("diff", path, path, "--set", "down.stride=2", "--format", "json")
    document = run(*arguments).document
    found = difference(network, load_spec(path, settings=["down.stride=2"]))
    assert document["equal"] is found.is_equal is False
    assert document["is"]["multiply_adds"] == found.now["multiply_adds"]
    assert [(one["layer"], one["change"]) for one in document["layers"]] == [
        (one.layer, one.change) for one in found.layers
    ]


@pytest.mark.parametrize("name", LAYERS)
def test_matrix(run: Run, path: str, network: Network, name: str) -> None:
    assert_quiet(run("matrix", path, "--layer", name, "-o", "C.npz"))
    written, found = load_npz("C.npz"), network[name].matrix()
    assert written.shape == found.shape
    for part in ("data", "indices", "indptr"):
        assert_same(getattr(written, part), getattr(found, part))


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("own", [True, False], ids=["A", "Aᵀ"])
def test_apply(run: Run, path: str, network: Network, name: str, own: bool) -> None:
    layer = network[name]
    array = RNG.standard_normal((2, *(layer.inputs[0] if own else layer.output)))
    np.save("x.npy", array)
    forward = ["--forward"] if own == (layer.type == "conv") else []
    assert_quiet(run("apply", path, "x.npy", "--layer", name, *forward, "-o", "y.npy"))
    assert_same(np.load("y.npy"), (layer.apply if own else layer.apply_transpose)(array))


def test_run(run: Run, path: str, network: Network) -> None:
    x = RNG.standard_normal((2, 2, 9, 8))
    np.save("x.npy", x)
    assert_quiet(run("run", path, "x.npy", "-o", "y.npy"))
    assert_same(np.load("y.npy"), network.run(x))
    assert_quiet(run("run", path, "x.npy", "--layer", "act", "--layer", "down", "-o", "all.npz"))
    found = network.run(x, layers=["act", "down"])
    with np.load("all.npz") as written:
        assert list(written) == list(found) == ["act", "down"]
        for name, activations in found.items():
            assert_same(written[name], activations)


@pytest.mark.parametrize("name", LAYERS)
def test_verify(run: Run, path: str, network: Network, name: str) -> None:
    document = run("verify", path, "--layer", name, "--format", "json").document
    (written,) = document["layers"]
    assert [(one["name"], one["passed"], one["value"]) for one in written["checks"]] == [
        (one.name, one.passed, one.value) for one in verify_layer(network[name])
    ]


@pytest.mark.parametrize("name", LAYERS)
def test_diagnose(run: Run, path: str, network: Network, name: str) -> None:
    x = RNG.standard_normal((2, *network[name].inputs[0]))
    y = np.ones((2, *network[name].output))
    np.save("x.npy", x)
    np.save("y.npy", y)
    arguments = ("--layer", name, "--x", "x.npy", "--y", "y.npy", "--format", "json")
    document = run("diagnose", path, *arguments).document
    found = diagnose(network, x, y, layer=name)
    assert found.largest is not None
    assert (document["verdict"], document["differing"]) == (found.verdict, found.differing)
    assert document["largest"]["expected"] == found.largest.expected
    assert document["largest"]["bound"] == found.largest.bound


@pytest.mark.parametrize("name", LAYERS)
def test_analyze(run: Run, path: str, network: Network, name: str) -> None:
    document = run("analyze", path, "--layer", name, "--format", "json").document
    (written,) = document["layers"]
    values, counts = singular_values(network[name]), coverage(network[name])
    assert values == singular_values(network[name].operator())
    assert written["singular_value_max"] == values.largest.value
    assert written["condition_number"] == values.condition_number
    assert (written["overlap_min"], written["overlap_max"], written["unread_inputs"]) == (
        counts.overlap_min,
        counts.overlap_max,
        counts.unread_inputs,
    )


@pytest.mark.parametrize("name", LAYERS)
def test_invert(run: Run, path: str, network: Network, name: str) -> None:
    layer = network[name]
    batch = RNG.standard_normal((2, *layer.output))
    np.save("y.npy", batch)
    assert run("invert", path, "y.npy", "--layer", name, "-o", "x.npy").status == 0
    assert_same(np.load("x.npy"), np.stack([invert(layer, y).x for y in batch]))


def test_stimulus(run: Run, path: str, network: Network) -> None:
    arguments = ("--layer", "up", "--unit", "1,3,4", "-o", "x.npy")
    assert run("stimulus", path, *arguments).status == 0
    assert_same(np.load("x.npy"), stimulus(network, layer="up", unit=(1, 3, 4)).x)


def test_reconstruct(run: Run, path: str, network: Network) -> None:
    image = RNG.standard_normal((2, 9, 8))
    np.save("image.npy", image)
    arguments = ("--layer", "up", "--top", "2", "-o", "pictures.npy")
    assert run("reconstruct", path, "image.npy", *arguments).status == 0
    found = reconstruct(network, image, layer="up", top=2)
    assert_same(np.load("pictures.npy"), found.pictures)


def test_every_command_is_here_or_among_the_others() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert set(COMMANDS) - tested == set(OTHERS)
