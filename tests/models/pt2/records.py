"""Networks that PyTorch has exported, kept in a file with what PyTorch says of them, and the laws.

A record is a mapping:

    name, input     of the network in `tests.peers.nets`, and the shape of its input
    texts, arrays   the entries of its `.pt2` file, without the pickle; arrays in hexadecimal
    output          the shape of what the module gives
    modules         the shape of what each module of torch.nn inside gives, by its path
    parameters      how many numbers its modules train, those of a shared tensor once
    weights         [shape, crc32] of each of its tensors and constants, by its path or name
    values          some elements of what it gives for `example_of` its input, in float64

All shapes have the batch.  Of a network that a spec cannot say there are only the first two lines.
`python -m tests.peers.exporting` writes the file.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from zlib import crc32

import numpy as np

from convt_cli.analysis.backward.layers import step_type
from convt_cli.analysis.backward.run import prepared, run, way_to
from convt_cli.arithmetic.keys import FileReference
from convt_cli.arithmetic.network import Network
from convt_cli.files.weights import Weights
from convt_cli.models.load import load_model, load_spec
from convt_cli.models.text import spec_text
from tests.models.pt2.samples import write_entries
from tests.models.same import assert_same_network
from tests.oracle import Array
from tests.peers.cases import numbers
from tests.records import DATA, Record

PATH = DATA / "models.jsonl.gz"

TORCHVISION = DATA / "torchvision.jsonl.gz"
"""Records of networks of torchvision: without their numbers, which are `drawn`."""

MOST_VALUES = 40
"""How many elements of an output are kept."""

_FLOAT64 = 8
"""PyTorch's number of the type."""


def example_of(shape: tuple[int, ...]) -> Array:
    """The input for which outputs are recorded, (batch, channels, *sizes)."""
    return numbers(shape, 1) / 4


def drawn(name: str, shape: tuple[int, ...]) -> Array:
    """The numbers of the tensor `name` of a module, so large that signals neither grow nor fade."""
    found: Array = numbers(shape, crc32(name.encode()) % 2**20) / (8 * prod(shape[1:]) ** 0.5)
    return np.abs(found) + 0.5 if name.endswith("running_var") else found


def filled_up(record: Record, path: str = "net.pt2") -> str:
    """The path of the file of a network of torchvision, its numbers drawn anew."""
    texts = {name: text.encode() for name, text in record["texts"].items()}
    (listing,) = (name for name in texts if name.endswith("model_weights_config.json"))
    folder = listing.rpartition("/")[0]
    arrays = {}
    for name, entry in json.loads(texts[listing])["config"].items():
        shape = tuple(size["as_int"] for size in entry["tensor_meta"]["sizes"])
        is_double = entry["tensor_meta"]["dtype"] == _FLOAT64
        array = drawn(name, shape) if is_double else np.zeros(shape, "<i8")
        arrays[f"{folder}/{entry['path_name']}"] = array.astype(array.dtype).tobytes()
    return write_entries({**texts, **arrays}, path)


def digest_of(array: Array) -> list[object]:
    """[shape, crc32 of the little-endian float64 bytes] of numbers."""
    return [list(array.shape), crc32(np.ascontiguousarray(array, "<f8").tobytes())]


def sampled(array: Array) -> list[float]:
    """Elements of an array that lie evenly apart, in nine digits."""
    step = -(-array.size // MOST_VALUES)
    return [float(f"{value:.9g}") for value in array.ravel()[::step]]


def saved(record: Record, path: str = "net.pt2") -> str:
    """The path of the file that PyTorch wrote."""
    texts = {name: text.encode() for name, text in record["texts"].items()}
    arrays = {name: bytes.fromhex(digits) for name, digits in record["arrays"].items()}
    return write_entries({**texts, **arrays}, path)


def assert_has_pytorchs_shapes(record: Record, network: Network) -> None:
    """Shapes, names and numbers of parameters."""
    assert network.output == tuple(record["output"][1:])
    shapes = {layer.name: layer.output for layer in network.layers}
    wanted = {name: tuple(shape[1:]) for name, shape in record["modules"].items()}
    assert {name: shapes.get(name) for name in wanted} == wanted
    parameters = sum(layer.geometry.parameters for layer in network.layers)
    assert parameters == record["parameters"]


def assert_has_pytorchs_weights(record: Record, network: Network) -> None:
    """What a layer names in the file is what the module of its name holds."""
    weights, kept = Weights(network), record["weights"]
    for layer in network.layers:
        for role, source in (("weight", layer.weight_source), ("bias", layer.bias_source)):
            if isinstance(source, FileReference):
                own = f"{layer.name}.{role}"
                shape, crc = kept[own if own in kept else source.key]
                found = getattr(weights, role)(layer, np.dtype(np.float64))
                assert digest_of(_as_stored(found, source, shape)) == [shape, crc], layer.name
    for layer in network.matrix_layers:
        assert isinstance(layer.weight_source, FileReference), layer.name


def _as_stored(found: Array, source: FileReference, shape: list[int]) -> Array:
    """The numbers of a layer in the shape, and the order of axes, that the module has."""
    if prod(shape) == 1:  # one number can stand for all channels
        found = np.unique(found)
    axes = source.axes or range(len(shape))
    return found.reshape([shape[axis] for axis in axes]).transpose(np.argsort(axes))


def gives_pytorchs_values(record: Record, path: str) -> bool:
    """Whether convt claims to know every number of the network; it then has PyTorch's values."""
    network = load_spec(path)
    way = way_to(network, network.layers[-1].name)
    steps = [step_type(layer, network.rules) for layer in way.layers]
    if load_model(path, path).notes or way.notes or None in steps:
        return False
    x = example_of(tuple(record["input"]))
    found = run(prepared(way, Weights(network), x.dtype), x).activations
    np.testing.assert_allclose(sampled(found), record["values"], rtol=1e-7, atol=1e-9)
    return True


def assert_is_its_import(path: str) -> None:
    """The file as SPEC is the network of the text that `convt import` writes."""
    imported = load_model(path, Path(path).name)
    assert_same_network(imported, spec_text(imported, title="net", model=Path(path).name))
