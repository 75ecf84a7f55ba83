"""`.pt2` files written by hand: the fields of PyTorch's schema, in a zip of stored entries."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from convt_cli.operators.dtypes import Array

FLOAT, BFLOAT16 = 7, 13
"""PyTorch's numbers of these types."""


def meta(sizes: tuple[int, ...]) -> dict[str, Any]:
    """A TensorMeta of a row-major tensor."""
    strides = [int(np.prod(sizes[axis + 1 :])) for axis in range(len(sizes))]
    return {
        "dtype": FLOAT,
        "sizes": [{"as_int": size} for size in sizes],
        "requires_grad": False,
        "device": {"type": "cpu", "index": None},
        "strides": [{"as_int": stride} for stride in strides],
        "storage_offset": {"as_int": 0},
        "layout": 7,
    }


def argument(value: Any) -> dict[str, Any]:
    """An Argument: a text names a tensor, a dict stands for itself."""
    match value:
        case dict():
            return value
        case None:
            return {"as_none": True}
        case bool():
            return {"as_bool": value}
        case int():
            return {"as_int": value}
        case float():
            return {"as_float": value}
        case str():
            return {"as_tensor": {"name": value}}
        case [str(), *_]:
            return {"as_tensors": [{"name": name} for name in value]}
    return {"as_ints": value}


def node(target: str, output: str, metadata: Any = None, **arguments: Any) -> dict[str, Any]:
    """A node of ATen that gives the tensor `output`."""
    return {
        "target": f"torch.ops.aten.{target}",
        "inputs": [
            {"name": name, "arg": argument(value), "kind": 1} for name, value in arguments.items()
        ],
        "outputs": [{"as_tensor": {"name": output}}],
        "metadata": metadata or {},
        "name": output,
    }


def program(
    nodes: list[dict[str, Any]],
    sizes: Mapping[str, tuple[int, ...]],
    weights: Mapping[str, str],
    output: str = "y",
) -> dict[str, Any]:
    """models/model.json: a graph that reads x; `weights` are parameters by their graph's name."""
    specs = [
        {"parameter": {"arg": {"name": name}, "parameter_name": key}}
        for name, key in weights.items()
    ]
    return {
        "graph_module": {
            "graph": {
                "inputs": [argument(name) for name in (*weights, "x")],
                "outputs": [argument(output)],
                "nodes": nodes,
                "tensor_values": {name: meta(shape) for name, shape in sizes.items()},
                "sym_int_values": {},
                "sym_bool_values": {},
            },
            "signature": {
                "input_specs": [*specs, {"user_input": {"arg": argument("x")}}],
                "output_specs": [{"user_output": {"arg": argument(output)}}],
            },
        },
        "opset_version": {"aten": 10},
        "schema_version": {"major": 8, "minor": 20},
        "torch_version": "2.13.0",
    }


def conv_program() -> dict[str, Any]:
    """A convolution of 2 filters on (1, 3, 5, 5), and a relu."""
    path = "L__self__,,net.Net;L__self__body.0,body.0,torch.nn.modules.conv.Conv2d"
    stack = {"nn_module_stack": path}
    return program(
        [
            node("conv2d.default", "c", stack, input="x", weight="w", bias=None),
            node("relu.default", "y", self="c"),
        ],
        {"x": (1, 3, 5, 5), "w": (2, 3, 3, 3), "c": (1, 2, 3, 3), "y": (1, 2, 3, 3)},
        {"w": "body.0.weight"},
    )


WEIGHT = np.arange(54, dtype="<f4").reshape(2, 3, 3, 3)


def entry_of(array: Array, path: str, **changes: Any) -> dict[str, Any]:
    """What the list of weights says of one."""
    described = {**meta(array.shape), **changes.pop("meta", {})}
    stated = {"path_name": path, "is_param": True, "use_pickle": False, "tensor_meta": described}
    return {**stated, **changes}


def conv_entries() -> dict[str, bytes]:
    """The entries of the file, by their names."""
    listing = {"config": {"body.0.weight": entry_of(WEIGHT, "weight_0")}}
    return {
        "net/data/weights/weight_0": WEIGHT.tobytes(),
        "net/data/weights/model_weights_config.json": json.dumps(listing).encode(),
        "net/models/model.json": json.dumps(conv_program()).encode(),
        "net/byteorder": b"little",
    }


def write_entries(entries: Mapping[str, bytes], path: str = "m.pt2", method: int = 0) -> str:
    """A zip file of these entries; its name comes back."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def write_program(changed: Any, path: str = "m.pt2") -> str:
    """The file with another graph."""
    content = changed if isinstance(changed, bytes) else json.dumps(changed).encode()
    return write_entries({**conv_entries(), "net/models/model.json": content}, path)
