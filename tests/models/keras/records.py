"""Networks that Keras has saved, kept in a file with what Keras says of them, and the laws.

A record is a mapping:

    name, version    of the network in `tests.peers.keras_nets`, and of Keras
    config           the text of its `.keras`; `model_config`, that of its `.h5`
    channels_last    whether its layers have the channels last
    variables        [path in the .keras, group and name in the .h5, shape] of each variable
    inputs           the shapes of its inputs
    outputs          the shapes of its outputs
    layers           [shape, values] of each layer: some elements of what its calls give, sorted
    parameters       how many numbers it has; `not_trained`, how many of them are not trained

Shapes have the batch, and the order of axes that Keras has.  The numbers of variables and inputs
are those of `number_of` and `example_of`.  `python -m tests.peers.recording` writes the file.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator

import h5py
import numpy as np

from convt_cli.analysis.forward import plan, run_network
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import RequestError
from tests.oracle import Array
from tests.peers.cases import numbers
from tests.records import DATA, Record

PATH = DATA / "keras.jsonl.gz"

_ROUNDING = 2e-6
"""By how much values may differ, those of Keras 2 being of single precision."""

MOST_VALUES = 12
"""How many elements of what a layer gives are kept."""


def number_of(shape: tuple[int, ...], position: int, path: str) -> Array:
    """The numbers of the variable at `position` among all, which is called `path`."""
    found = numbers(shape, 1000 * position) / 8
    return np.abs(found) + 0.5 if "variance" in path else found


def example_of(shape: tuple[int, ...], position: int) -> Array:
    """The numbers of an input, in Keras's order of axes."""
    return numbers(shape, position + 1) / 4


def sampled(array: Array) -> list[float]:
    """Elements of an array that lie evenly apart, in seven digits."""
    step = -(-array.size // MOST_VALUES)
    return [float(f"{value:.7g}") for value in array.ravel()[::step]]


def channels_front(array: Array, record: Record) -> Array:
    """An array of Keras, (batch, *axes), in the order that convt has."""
    is_turned = record["channels_last"] and array.ndim > 2
    return np.moveaxis(array, -1, 1) if is_turned else array


def channels_back(array: Array, record: Record) -> Array:
    """An array of convt, (batch, channels, *spatial), in Keras's order."""
    is_turned = record["channels_last"] and array.ndim > 2
    return np.moveaxis(array, 1, -1) if is_turned else array


def saved(record: Record, path: str) -> str:
    """The path of a file as Keras writes it, by the suffix of `path`."""
    return (_saved_keras if path.endswith(".keras") else _saved_h5)(record, path)


def _saved_keras(record: Record, path: str) -> str:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for position, (place, _, name, shape) in enumerate(record["variables"]):
            file[place] = number_of(tuple(shape), position, name)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": record["version"]}))
        archive.writestr("config.json", record["config"])
        archive.writestr("model.weights.h5", content.getvalue())
    return path


def _saved_h5(record: Record, path: str) -> str:
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = record["version"]
        file.attrs["model_config"] = record["model_config"]
        names: dict[str, list[str]] = {}
        for position, (_, group, name, shape) in enumerate(record["variables"]):
            names.setdefault(group, []).append(name)
            file[f"model_weights/{group}/{name}"] = number_of(tuple(shape), position, name)
        for group, listed in names.items():
            file[f"model_weights/{group}"].attrs["weight_names"] = [
                name.encode() for name in listed
            ]
    return path


def assert_has_kerass_shapes(record: Record, network: Network) -> None:
    """Shapes of inputs, outputs and layers by their names, and numbers of parameters."""
    found = {layer.name: layer.output for layer in network.layers}
    for name, (shape, values) in record["layers"].items():
        wanted = channels_front(np.empty(shape), record).shape[1:]
        assert [found.get(one) for one in calls_of(network, name)] == [wanted] * len(values), name
    shapes = [channels_front(np.empty(shape), record).shape[1:] for shape in record["outputs"]]
    assert [network[name].output for name in network.outputs] == shapes
    geometries = [layer.geometry for layer in _counted(network)]
    assert sum(one.parameters for one in geometries) == record["parameters"]
    assert sum(one.not_trained for one in geometries) == record["not_trained"]


def _counted(network: Network) -> Iterator[NetworkLayer]:
    """The layers without those of further calls, which have the weight of a layer before them."""
    seen = set()
    for layer in network.layers:
        own = layer.weight_source or layer.bias_source
        if own is None or own not in seen:
            yield layer
        seen.add(own)


def assert_has_kerass_values(record: Record, network: Network) -> int:
    """What every layer gives that convt runs; how many they are comes back."""
    shapes = enumerate(record["inputs"])
    examples = [channels_front(example_of(tuple(shape), n), record) for n, shape in shapes]
    given = dict(zip((name for name, _ in network.inputs), examples))
    wanted = {name: calls_of(network, name) for name in record["layers"]}
    known = [one for calls in wanted.values() for one in calls if _is_known(network, one)]
    found = run_network(network, given, layers=known, dtype=np.float64)
    for name, calls in wanted.items():
        _, values = record["layers"][name]
        own = sorted(sampled(channels_back(found[one], record)) for one in calls if one in found)
        exact = _ROUNDING * max(1, np.abs(values).max())
        if own:
            np.testing.assert_allclose(own, values, rtol=0, atol=exact, err_msg=name)
    return len(known)


def calls_of(network: Network, name: str) -> list[str]:
    """The names of the layers that the calls of one layer of Keras become: NAME, NAME_2, ..."""
    names, found = {layer.name for layer in network.layers}, [name]
    while (following := f"{name}_{len(found) + 1}") in names:
        found.append(following)
    return found


def _is_known(network: Network, name: str) -> bool:
    """Whether convt runs a layer and all that it depends on, without assuming any number."""
    try:
        return not plan(network, [name]).notes
    except RequestError:
        return False
