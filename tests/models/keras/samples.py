"""Small Keras models written without Keras: a Sequential, and the files that hold it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Config = dict[str, Any]

KERNEL = np.arange(54, dtype=np.float32).reshape(3, 3, 3, 2)
BIAS = np.array([0.5, -0.5], np.float32)


def layer(kind: str, name: str = "one", **config: Any) -> Config:
    """A layer of Keras 3."""
    return {
        "module": "keras.layers",
        "class_name": kind,
        "config": {"name": name, **config},
        "registered_name": None,
    }


def conv(name: str = "conv", **config: Any) -> Config:
    return layer("Conv2D", name, filters=2, kernel_size=[3, 3], **config)


def sequential(*layers: Config, shape: object = (None, 6, 6, 3), name: str = "net") -> Config:
    """A Sequential model with an input of this shape."""
    first = layer("InputLayer", "image", batch_shape=shape and list(shape))  # type: ignore[call-overload]
    return layer("Sequential", name, layers=[first, *layers])


def functional(*layers: Config, inputs: Any, outputs: Any, name: str = "net") -> Config:
    return layer("Functional", name, layers=layers, input_layers=inputs, output_layers=outputs)


def called(one: Config, *nodes: Any) -> Config:
    """A layer of a functional model with its calls."""
    return {**one, "inbound_nodes": list(nodes)}


def tensor(name: str, call: int = 0) -> Config:
    return {"class_name": "__keras_tensor__", "config": {"keras_history": [name, call, 0]}}


def weights_file(arrays: dict[str, Any]) -> bytes:
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        for place, array in arrays.items():
            file[place] = array
    return content.getvalue()


def entries(model: Config, arrays: dict[str, Any] | None = None) -> dict[str, bytes]:
    """The entries of a `.keras` file."""
    if arrays is None:
        arrays = {"layers/conv2d/vars/0": KERNEL, "layers/conv2d/vars/1": BIAS}
    return {
        "metadata.json": json.dumps({"keras_version": "3.15.1"}).encode(),
        "config.json": json.dumps(model).encode(),
        "model.weights.h5": weights_file(arrays),
    }


def write_keras(
    model: Config | dict[str, bytes], path: str = "m.keras", method: int = zipfile.ZIP_STORED
) -> str:
    """The path of a `.keras` file of a model, or of its entries."""
    contents = model if "config.json" in model else entries(model)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return path


def write_h5(model: Config, path: str = "m.h5", **options: Any) -> str:
    """The path of an `.h5` file of a model whose layer conv has numbers."""
    with h5py.File(path, "w", **options) as file:
        file.attrs["keras_version"] = "2.15.0"
        file.attrs["model_config"] = json.dumps(model)
        group = file.create_group("model_weights/conv")
        group.attrs["weight_names"] = [b"conv/kernel:0", b"conv/bias:0"]
        group["conv/kernel:0"], group["conv/bias:0"] = KERNEL, BIAS
    return path


def read_file(path: str) -> bytes:
    return Path(path).read_bytes()
