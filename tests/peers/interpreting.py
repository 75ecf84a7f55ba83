"""Every tensor of `.tflite` files as the interpreter of LiteRT computes it, beside convt's layers.

    python -m tests.peers.interpreting
    python -m tests.peers.interpreting FILE ...

The first writes tests/data/interpreter.jsonl.gz anew, see `tests.models.tflite.records`.  The
second prints a line for each file: how many layers it has, how many of them give a tensor of the
file and how many of these have another shape, how many were run and by how much the worst differs.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convt_cli.analysis.backward.layers import step_type
from convt_cli.analysis.forward import run_network
from convt_cli.arithmetic.keys import Fill
from convt_cli.arithmetic.network import Network
from convt_cli.errors import ConvtError
from convt_cli.io.reading import open_regular
from convt_cli.models.listing import listing
from convt_cli.models.load import load_model, load_spec
from convt_cli.models.tflite.flatbuffer import Bytes
from convt_cli.models.tflite.graph import read_graph
from tests.models.tflite.cases import CASES
from tests.models.tflite.records import PATH, as_stored, example_of, sampled
from tests.models.tflite.samples import saved
from tests.oracle import Array
from tests.records import Record, write


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What was found of a file.

    `shapes` names the layers of another shape.  `worst` is the largest difference, in parts of the
    largest number of its layer, and `at` that layer.
    """

    layers: int
    tensors: int
    shapes: tuple[str, ...]
    run: int
    worst: float
    at: str
    left_out: int
    notes: Mapping[str, int]

    def __str__(self) -> str:
        said = "".join(f"; {note}, {count} times" for note, count in self.notes.items())
        return (
            f"layers {self.layers:4}, tensors {self.tensors:4}, other shapes {len(self.shapes)}, "
            f"run {self.run:4}, worst {self.worst:.1e} at {self.at[-40:] or '-'}, "
            f"left out {self.left_out}{said}"
        )


def compared(path: str) -> Compared:
    """The network in the file `path`, beside the interpreter on random numbers."""
    imported, network = load_model(path, path, partial=True), load_spec(path, partial=True)
    interpreter = interpreter_of(path)
    names = tensor_names(path)
    details = {names[one["index"]]: one for one in interpreter.get_input_details()}
    inputs = {name: _random(shape, details[name]) for name, shape in imported.inputs}
    values = interpreted(interpreter, names, inputs)
    listed = listing(imported)
    tensors = {listed.names[n]: one.value for n, one in listed.layers.items() if one.value}
    runnable = _runnable(network)
    given = {
        own: inputs[name].astype(np.float32)
        for (own, _), (name, _) in zip(network.inputs, imported.inputs)
    }
    found = run_network(network, given, layers=runnable) if runnable else {}
    shared = {name: values[tensors[name]] for name in tensors if tensors[name] in values}
    off = {name: _difference(found[name], shared[name]) for name in runnable if name in shared}
    at = max(off, key=lambda name: off[name], default="")
    return Compared(
        layers=len(network.layers),
        tensors=len(shared),
        shapes=tuple(
            f"{layer.name}: {layer.output}, the tensor is {shared[layer.name].shape}"
            for layer in network.layers
            if layer.name in shared
            and (1, *layer.output[1:], layer.output[0]) != shared[layer.name].shape
        ),
        run=len(off),
        worst=off.get(at, 0.0),
        at=at,
        left_out=imported.left_out,
        notes=imported.notes,
    )


def interpreter_of(path: str) -> Any:
    """The interpreter of a file, which keeps every tensor and joins no operators."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    interpreter = Interpreter(
        model_path=path,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    return interpreter


def tensor_names(path: str) -> list[str]:
    """The names that convt has for the tensors of a file, in their order."""
    with open_regular(path) as file:
        return list(read_graph(Bytes(file, path)).tensors)


def interpreted(interpreter: Any, names: list[str], given: dict[str, Array]) -> dict[str, Array]:
    """Every tensor that the interpreter keeps, by its name; quantised ones as real numbers."""
    details = {one["index"]: one for one in interpreter.get_tensor_details()}
    for one in interpreter.get_input_details():
        if names[one["index"]] in given:
            interpreter.set_tensor(
                one["index"], _packed(as_stored(given[names[one["index"]]]), one)
            )
    interpreter.invoke()
    found = {}
    for index, name in enumerate(names):
        try:
            array = interpreter.get_tensor(index)
        except ValueError:  # it has no memory of its own
            continue
        scale, zero = details[index]["quantization"]
        found[name] = (array.astype(float) - zero) * scale if scale else array
    return found


def _random(shape: tuple[int, ...], detail: Any) -> Array:
    """An input of this shape, of numbers that a quantised model has."""
    x = np.random.default_rng(1).standard_normal(shape)
    scale, zero = detail["quantization"]
    return (_packed(x, detail) - float(zero)) * scale if scale else x


def _packed(x: Array, detail: Any) -> Array:
    """Real numbers as the model's input stores them."""
    scale, zero = detail["quantization"]
    if not scale:
        return x.astype(detail["dtype"])
    bounds = np.iinfo(detail["dtype"])
    rounded: Array = np.clip(np.round(x / scale + zero), bounds.min, bounds.max)
    return rounded.astype(bounds.dtype)


def _difference(found: Array, wanted: Array) -> float:
    """The largest difference, in parts of the largest number; infinity for another shape or nan."""
    stored = as_stored(found)
    if stored.shape != wanted.shape:
        return np.inf
    off = float(np.abs(stored - wanted).max() / max(1e-6, np.abs(wanted).max()))
    return np.inf if np.isnan(off) else off


def _runnable(network: Network) -> list[str]:
    """The layers of which every number is known, and of all that they depend on."""
    known = {name for name, _ in network.inputs}
    for layer in network.layers:
        is_made_up = isinstance(layer.weight_source, Fill) or isinstance(layer.bias_source, Fill)
        computes = step_type(layer, network.rules) is not None and layer.stands_for is None
        if computes and not is_made_up and known.issuperset(layer.reads):
            known.add(layer.name)
    return [layer.name for layer in network.layers if layer.name in known]


def record_of(name: str) -> Record:
    """The record of a case of `tests.models.tflite.cases`, made anew."""
    sample = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        path = saved(sample, str(Path(folder) / "net.tflite"))
        given = {
            one: example_of((shape[-1], *shape[1:-1]), salt)
            for salt, (one, shape) in enumerate(sample.inputs.items())
        }
        values = interpreted(interpreter_of(path), sample.names, given)
    tensors = {one: [list(values[one].shape), sampled(values[one])] for one in sample.output_names}
    return {"name": name, "tensors": tensors}


def main(paths: list[str]) -> None:
    if not paths:
        write(PATH, map(record_of, CASES))
    for path in paths:
        try:
            said = str(compared(path))
        except (ConvtError, RuntimeError) as error:  # of convt, of the interpreter
            said = str(error).partition("\n")[0]
        sys.stdout.write(f"{Path(path).name:42} {said}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
