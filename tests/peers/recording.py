"""Networks saved by Keras to `.keras` and `.h5` files, and what Keras says of them.

    python -m tests.peers.recording

writes tests/data/keras.jsonl.gz anew; `tests.models.keras.records` says what a record holds.  Run
by Keras 3 and then by Keras 2, each replaces its own records.
"""

from __future__ import annotations

import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import h5py
import keras
import numpy as np

from tests.models.keras.records import PATH, example_of, number_of, sampled
from tests.peers.keras_nets import NETS
from tests.records import Record, read, write

VERSION = str(keras.__version__)
MAJOR = VERSION.partition(".")[0]

DTYPE = "float64" if MAJOR == "3" else "float32"
"""TensorFlow has no 3-D pools in double precision."""

NEWER = ("channels first", "mixed")
"""Networks that Keras 2 has not, or does not run on a processor."""


def names() -> list[str]:
    """The networks that this Keras has."""
    return [name for name in NETS if MAJOR == "3" or name not in NEWER]


def record_of(name: str) -> Record:
    """The record of a network, made anew."""
    keras.backend.set_floatx(DTYPE)
    model = NETS[name]()
    for one, number in zip(model.weights, _numbers_of(model)):
        one.assign(number)
    inputs = [[2, *one.shape[1:]] for one in model.inputs]
    facts = _facts_of_files(model)  # before layers are watched
    layers, outputs = _watched(
        model, [example_of(tuple(shape), n) for n, shape in enumerate(inputs)]
    )
    return {
        "name": f"{name}, Keras {MAJOR}",
        "version": VERSION,
        **facts,
        "inputs": inputs,
        "outputs": [list(one.shape) for one in outputs],
        "channels_last": '"channels_last"' in facts["config"],
        "layers": {
            name: [list(calls[0].shape), sorted(map(sampled, calls))]
            for name, calls in layers.items()
        },
        "parameters": int(model.count_params()),
        "not_trained": sum(int(np.prod(one.shape)) for one in model.non_trainable_weights),
    }


def _facts_of_files(model: Any) -> Record:
    """The texts of both files, and where they have each variable of the model."""
    with tempfile.TemporaryDirectory() as folder:
        archive, whole = f"{folder}/net.keras", f"{folder}/net.h5"
        model.save(archive)
        model.save(whole)
        with zipfile.ZipFile(archive) as opened:
            config = opened.read("config.json").decode()
            opened.extract("model.weights.h5", folder)
        with h5py.File(f"{folder}/model.weights.h5") as file:
            numbered = {found.tobytes(): name for name, found in _arrays(file)}
        with h5py.File(whole) as file:
            model_config = file.attrs["model_config"]
            listed = dict(_listed(file["model_weights"]))
    found = [number.astype(DTYPE) for number in _numbers_of(model)]
    return {
        "config": config,
        "model_config": model_config,
        "variables": [
            [numbered[one.tobytes()], *listed[one.tobytes()], list(one.shape)] for one in found
        ],
    }


def _numbers_of(model: Any) -> list[Any]:
    """The numbers that each variable gets."""
    paths = [getattr(one, "path", one.name) for one in model.weights]
    return [
        number_of(tuple(one.shape), position, path)
        for position, (one, path) in enumerate(zip(model.weights, paths))
    ]


def _arrays(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The paths and the numbers of all datasets in a group."""
    for name, one in group.items():
        if isinstance(one, h5py.Group):
            yield from _arrays(one, f"{path}{name}/")
        else:
            yield f"{path}{name}", np.asarray(one)


def _listed(group: Any) -> Iterator[tuple[bytes, tuple[str, str]]]:
    """(numbers, (layer, name)) of all variables that the layers of an `.h5` list."""
    for layer, one in group.items():
        for name in one.attrs["weight_names"]:
            text = name.decode() if isinstance(name, bytes) else str(name)
            yield np.asarray(one[text]).tobytes(), (layer, text)


def _watched(model: Any, inputs: list[Any]) -> tuple[dict[str, list[Any]], list[Any]]:
    """What the calls of each layer give, by the layer's path; and the outputs."""
    found: dict[str, list[Any]] = {}
    for name, layer in _layers(model):
        layer.call = _keeping(layer.call, found.setdefault(name, []))
    given = model(inputs if len(inputs) > 1 else inputs[0], training=False)
    outputs = given if isinstance(given, list | tuple) else [given]
    return found, [_array(one) for one in outputs]


def _array(tensor: Any) -> Any:
    """The numbers of a tensor of any backend, copied."""
    return np.array(tensor.detach() if hasattr(tensor, "detach") else tensor)


def _keeping(call: Callable[..., Any], found: list[Any]) -> Callable[..., Any]:
    def kept(*arguments: Any, **named: Any) -> Any:
        result = call(*arguments, **named)
        found.append(_array(result))
        return result

    return kept


def _layers(model: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The layers of a model and of the models inside, by their paths."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer, f"{prefix}{layer.name}/")
        elif type(layer).__name__ != "InputLayer":
            yield f"{prefix}{layer.name}", layer


if __name__ == "__main__":
    others = [one for one in read(PATH) if not one["name"].endswith(f"Keras {MAJOR}")]
    own = list(map(record_of, names()))
    write(PATH, sorted([*others, *own], key=lambda one: str(one["name"])))
    sys.stdout.write(f"{PATH}: {PATH.stat().st_size:,} bytes, Keras {VERSION}\n")
