"""Whole model files held to what their own programs make of them, value by value.

    python -m tests.peers.truth [FILE[@INPUT=3x64x64]...]

prints a row for each file, or else for all networks of `tests.peers.zoo` that are at hand.

ONNX Runtime runs a `.onnx` file, and PyTorch a `.pt2` file.  Every layer is given what the program
has in that place, and is held to what the program makes of it: so a rounding error counts once,
and an error of one layer is not told of again in the next.  Then the network is run as a whole.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from convt_cli.analysis.backward.layers import step_type
from convt_cli.analysis.backward.parameters import with_numbers
from convt_cli.analysis.backward.step import BackKind, PreparedLayer, StepType
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Conv, ConvTranspose, Definition, Windows
from convt_cli.arithmetic.layers.linear import Linear
from convt_cli.arithmetic.layers.norms import BatchNorm
from convt_cli.errors import ConvtError
from convt_cli.files.weights import Weights
from convt_cli.library.load import load_spec
from convt_cli.library.network import Network
from convt_cli.models.imported import ImportedModel
from convt_cli.models.listing import listing
from convt_cli.models.load import load_model
from tests.oracle import Array
from tests.peers.zoo import KINDS, NETS, PACKAGES, export, file_of, torchvision

Values = Mapping[str, Array]
"""Activations with their batch, by the names that the model has for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found of a file.

    `compared` of its `layers` have a value of the same name in the program; `shapes` and `values`
    are the names of those that differ from it.  `shape_only` are the layers that convt cannot
    compute, and `cut` says what of the model is lacking, "" for nothing.

    `deviation` is that of the outputs of the whole run, in parts of the largest number there, or
    of 1; None where not all layers can be run.
    """

    layers: int
    compared: int
    shapes: tuple[str, ...]
    values: tuple[str, ...]
    shape_only: tuple[str, ...]
    cut: str
    parameters: int
    expected_parameters: int | None
    deviation: float | None


def judged(path: str, sizes: Mapping[str, Shape] | None = None) -> Verdict:
    """The verdict on a file, with inputs of these sizes where it leaves them open."""
    imported = load_model(path, Path(path).name, override=sizes or {}, partial=True)
    network = load_spec(path, input=_renamed(imported, sizes or {}), partial=True)
    listed = listing(imported)
    names = {listed.names[number]: layer.value for number, layer in listed.layers.items()}
    inputs = {listed.names[number]: name for number, (name, _) in enumerate(imported.inputs)}
    program = _PROGRAMS[Path(path).suffix]
    fed, made, parameters = program(path, imported, {*names.values()} - {""})
    given = {own: fed[name] for own, name in inputs.items()}
    theirs = {own: made[name] for own, name in names.items() if name in made}
    shapes = tuple(
        one.name
        for one in network.layers
        if one.name in theirs and one.output != theirs[one.name].shape[1:]
    )
    values, shape_only = _differing(network, given, theirs) if not shapes else ((), ())
    return Verdict(
        layers=len(network.layers),
        compared=len(theirs),
        shapes=shapes,
        values=values,
        shape_only=shape_only,
        cut=imported.cut if imported.causes else "",
        parameters=sum(one.geometry.parameters for one in network.layers),
        expected_parameters=parameters,
        deviation=None if shape_only or shapes else _deviation(network, given, theirs),
    )


def _renamed(imported: ImportedModel, sizes: Mapping[str, Shape]) -> dict[str, Shape]:
    return {name: shape for name, shape in imported.inputs if name in sizes} or dict(sizes)


def _deviation(network: Network, given: Values, theirs: Values) -> float:
    """How far the outputs of a run are from the program's, see `Verdict`."""
    wanted = [name for name in network.outputs if name in theirs]
    doubles = {name: x.astype(np.float64) for name, x in given.items()}
    found = network.run(doubles, layers=wanted, dtype=np.float64)
    return max(
        (
            float(abs(found[name] - theirs[name]).max() / max(1, abs(theirs[name]).max()))
            for name in wanted
        ),
        default=0.0,
    )


def _differing(
    network: Network, given: Values, theirs: Values
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the layers whose values differ, and of those that cannot be computed."""
    weights, double = Weights(network), np.dtype(np.float64)
    differ, unknown = [], []
    # the program's values where it has them, else convt's own
    known = {name: x.astype(double) for name, x in {**given, **theirs}.items()}
    for layer in network.layers:
        step = step_type(layer, network.rules)
        if step is None or any(name not in known for name in layer.reads):
            unknown.append(layer.name)
            continue
        (prepared,), _ = with_numbers([layer], network.rules, weights, double, double)
        sources = tuple(known[name] for name in layer.reads)
        with np.errstate(all="ignore"):
            found = step.take(prepared, sources).value
        known.setdefault(layer.name, found)
        wanted = theirs.get(layer.name)
        if wanted is not None:
            bound: Array | float = _rounding_of(wanted)
            if step.kind is BackKind.LINEAR and not theirs.keys().isdisjoint(layer.reads):
                bound = _rounding_of_sums(prepared, step, sources, wanted)
            if not _agree(found, wanted, bound):
                differ.append(layer.name)
    return tuple(differ), tuple(unknown)


def _agree(found: Array, wanted: Array, bound: Array | float) -> bool:
    with np.errstate(all="ignore"):
        return bool(((abs(found - wanted) <= bound) | (found == wanted)).all())


def _unit(wanted: Array) -> float:
    return float(np.finfo(wanted.dtype if wanted.dtype.kind == "f" else np.float64).eps)


def _rounding_of(wanted: Array) -> float:
    """How far apart the values of a few operations can be, by the largest number there."""
    return 100 * _unit(wanted) * max(1, float(abs(wanted[np.isfinite(wanted)]).max(initial=0)))


def _rounding_of_sums(
    prepared: PreparedLayer[Definition], step: StepType, sources: tuple[Array, ...], wanted: Array
) -> Array:
    """(n + 1) u times the sum of the absolute values of n products, for either of both results.

    Twice as much, since the cubic of an upsample has weights below 0, which are not made absolute.
    """
    sums = step.take(_absolute(prepared), tuple(map(abs, sources))).value
    smallest = float(np.finfo(np.float32).tiny)  # below it numbers have fewer digits
    return 4 * (_terms(prepared) + 1) * _unit(wanted) * abs(sums) + smallest


def _absolute(prepared: PreparedLayer[Definition]) -> PreparedLayer[Definition]:
    """The layer with the absolute values of its numbers, so that no two of them cancel."""
    parameters = {key: abs(array) for key, array in prepared.parameters.items()}
    if isinstance(prepared.definition, BatchNorm) and "running_mean" in parameters:
        parameters["running_mean"] = -parameters["running_mean"]
    return replace(prepared, parameters=parameters)


def _terms(prepared: PreparedLayer[Definition]) -> int:
    """How many numbers each element of a linear layer is a sum of, at most."""
    layer, definition = prepared.layer, prepared.definition
    if isinstance(definition, Conv | ConvTranspose | Linear):
        weight = prepared.parameters["weight"]
        # of C's weight (out_channels, in_channels // groups, *taps), and the bias
        inner = weight.size // (
            weight.shape[1] if isinstance(definition, ConvTranspose) else len(weight)
        )
        return inner + 1
    dependence = layer.geometry.dependence
    if isinstance(dependence, Windows):
        return prod(axis.kernel_size for axis in dependence.axes)
    return 8 if dependence == "same" else prod(layer.inputs[0][1:])


# --- the programs ---------------------------------------------------------------------------------


def _drawn(name: str, shape: Shape, dtype: Any) -> Array:
    rng = np.random.default_rng(len(name))
    if np.dtype(dtype).kind in "iu":
        return rng.integers(0, 200, shape).astype(dtype)
    return rng.standard_normal(shape).astype(dtype)


def _by_runtime(
    path: str, imported: ImportedModel, wanted: set[str]
) -> tuple[Values, Values, int | None]:
    """(inputs, the values called `wanted`, None) of a `.onnx` file, by ONNX Runtime."""
    import onnx
    import onnxruntime

    model = onnx.load(path)
    made = {name for node in model.graph.node for name in node.output}
    del model.graph.value_info[:]
    del model.graph.output[:]
    for name in sorted(wanted & made):
        model.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    shapes = dict(imported.inputs)
    fed = {}
    for one in session.get_inputs():
        batch = one.shape[0] if one.shape and isinstance(one.shape[0], int) else 1
        full = (batch, *shapes[one.name]) if one.name in shapes else _closed(one.shape)
        fed[one.name] = _drawn(one.name, full, _DTYPES.get(one.type, np.float32))
    names = [one.name for one in session.get_outputs()]
    return fed, dict(zip(names, session.run(names, fed), strict=True)), None


_DTYPES = {
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


def _closed(shape: list[Any]) -> Shape:
    return tuple(size if isinstance(size, int) else 1 for size in shape)


def _by_torch(
    path: str, imported: ImportedModel, wanted: set[str]
) -> tuple[Values, Values, int | None]:
    """(inputs, the values called `wanted`, number of parameters) of a `.pt2` file, by PyTorch."""
    import torch

    program = torch.export.load(path)
    found: dict[str, Array] = {}

    class Watcher(torch.fx.Interpreter):  # type: ignore[misc]  # PyTorch is skipped
        """Keeps a copy of what each node gives, as later ones may change it in place."""

        def run_node(self, node: Any) -> Any:
            result = super().run_node(node)
            if torch.is_tensor(result) and node.name in wanted:
                found[node.name] = result.detach().numpy().copy()
            return result

    module = program.module()
    examples = [node.meta["val"] for node in module.graph.nodes if node.op == "placeholder"]
    fed = {
        name: _drawn(name, (one.shape[0], *sizes), _numpy_dtype(one.dtype))
        for (name, sizes), one in zip(imported.inputs, examples, strict=True)
    }
    with torch.no_grad():
        Watcher(module).run(*map(torch.from_numpy, fed.values()))
    read = {node.name for node in program.graph.nodes if node.users}
    tensors = {
        tensor
        for name, tensor in program.graph_signature.inputs_to_parameters.items()
        if name in read
    }
    return fed, found, sum(program.state_dict[tensor].numel() for tensor in tensors)


def _numpy_dtype(dtype: Any) -> Any:
    import torch

    return torch.zeros((), dtype=dtype).numpy().dtype


_PROGRAMS = {".onnx": _by_runtime, ".pt2": _by_torch}


# --- the table ------------------------------------------------------------------------------------

_COLUMNS = "{:44} {:>6} {:>8} {:>6} {:>6} {:>10} {:>12} {:>9}  {}\n"


def told(name: str, verdict: Verdict) -> str:
    """The row of a file."""
    same = verdict.expected_parameters in (None, verdict.parameters)
    return _COLUMNS.format(
        name,
        verdict.layers,
        verdict.compared,
        len(verdict.shapes),
        len(verdict.values),
        len(verdict.shape_only),
        f"{verdict.parameters}" if same else f"{verdict.parameters}!={verdict.expected_parameters}",
        "-" if verdict.deviation is None else f"{verdict.deviation:.0e}",
        " ".join([*verdict.shapes[:2], *verdict.values[:2], verdict.cut[:150]]),
    )


def _heading() -> str:
    return _COLUMNS.format(
        *("model", "layers", "compared", "shapes", "values", "shape only"),
        *("parameters", "deviation", "differing; left out"),
    )


def _row(name: str, path: Path, sizes: Mapping[str, Shape]) -> str:
    try:
        return told(name, judged(str(path), sizes))
    except ConvtError as error:
        return f"{name:44} refused: {error}\n"


def _rows(arguments: list[str]) -> Iterator[str]:
    """The rows of files, or else of all networks of `tests.peers.zoo` that are at hand."""
    for argument in arguments:
        path, *given = argument.split("@")
        pairs = (one.split("=") for one in given)
        sizes = {name: tuple(map(int, size.split("x"))) for name, size in pairs}
        yield _row(Path(path).name, Path(path), sizes)
    if not arguments:
        yield from _rows_of_packages()
        yield from _rows_of_exports()


def _rows_of_packages() -> Iterator[str]:
    for package, files in PACKAGES.items():
        for file, sizes in files.items():
            path, name = file_of(package, file), f"{package} {Path(file).name}"
            yield f"{name:44} is not installed\n" if path is None else _row(name, path, sizes)


def _rows_of_exports() -> Iterator[str]:
    if torchvision() is None:
        yield "torchvision is not installed, or does not fit PyTorch\n"
        return
    for name in NETS:
        for kind in KINDS:
            with TemporaryDirectory() as folder:
                yield _row(f"{name}.{kind}", export(name, kind, Path(folder)), {})


if __name__ == "__main__":
    sys.stdout.write(_heading())
    for row in _rows(sys.argv[1:]):
        sys.stdout.write(row)
        sys.stdout.flush()
