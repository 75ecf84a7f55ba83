"""An ONNX graph as an imported model.

A node that reads constants alone is computed on the spot; any other becomes layers, whose shapes
the arithmetic gives under the framework's own rules, so that all shapes are resolved in the end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, at_opset
from convt_cli.arithmetic.keys import LARGEST, FileReference
from convt_cli.errors import FileError, shown
from convt_cli.models.imported import ImportedLayer, ImportedModel
from convt_cli.models.importer import Importer
from convt_cli.models.onnx.arithmetic import Array
from convt_cli.models.onnx.constants import fold, from_tensor, is_foldable, shape_part
from convt_cli.models.onnx.folding import Unfoldable, uniform
from convt_cli.models.onnx.fusing import fused
from convt_cli.models.onnx.graph import MOST_VALUES, Body, Graph, Node, Tensor
from convt_cli.models.onnx.operation import Constant, Given, Operation, Value
from convt_cli.models.onnx.operators import OPERATORS
from convt_cli.models.onnx.quantised import in_real_numbers
from convt_cli.models.translation import Activation, Cut, Places, Untranslatable

_MOST_BYTES = 8 * MOST_VALUES
"""Bytes of one constant whose numbers are computed, which may be the input of a Reshape."""

_MOST_HELD = 2**26
"""Bytes of all such constants of a graph together; beyond, only shapes are computed."""

_PLACES = "the places that a MaxPool found"


def convert(
    graph: Graph,
    reference: str,
    *,
    override: Mapping[str, Shape] | None = None,
    partial: bool = False,
) -> ImportedModel:
    """The network of `graph`, its weights named as arrays of the file `reference`.

    `override` gives inputs another shape, "" being the only input there is.  Raises Unsayable
    with all that a spec cannot say, RequestError (E505, E506), FileError (E405).
    """
    _require_opset(graph.opset)
    return _Importer(fused(in_real_numbers(graph)), reference, partial=partial).run(override or {})


class _Importer(Importer[Node, "Constant | Places"]):
    """The walk over an ONNX graph, whose constants are computed on the way."""

    origin = "an ONNX model"

    def __init__(self, graph: Graph, reference: str, *, partial: bool) -> None:
        values: dict[str, Value] = {
            name: _constant(name, tensor) for name, tensor in graph.constants.items()
        }
        needed = graph.needed_for(graph.outputs)
        rules = at_opset(FRAMEWORKS["onnx"], graph.opset)
        super().__init__(graph, needed, rules, values, partial=partial)
        self.reference = reference
        self.held = 0  # bytes of the constants that have been computed
        # how often each value is read, by nodes and as an output of the model or of a branch
        self._readers = Counter(graph.outputs)
        for node in needed:
            self._readers.update(_read(node))

    def _add(self, node: Node) -> None:
        branch = self._branch(node)
        if branch is None:
            super()._add(node)
            return
        for one in branch.nodes:
            self._add(one)
        self.values.update(zip(node.outputs, (self.values[name] for name in branch.outputs)))

    def _branch(self, node: Node) -> Body | None:
        """The branch that an If takes, where its condition is a constant."""
        if node.operator != "If" or not node.inputs:
            return None
        condition = self.values[node.inputs[0]]
        if not isinstance(condition, Constant) or not condition.known or condition.array.size != 1:
            return None
        branch = node.bodies.get("then_branch" if condition.array.any() else "else_branch")
        if branch is not None and len(list(filter(None, branch.outputs))) != len(node.outputs):
            rule = "each branch of an If gives as many values as the If"
            raise FileError("E405", rule, value=node.title, help="export the model again")
        return branch

    def value(self, node: Node, given: list[Value]) -> Given | Constant:
        if node.operator == "If":
            raise Untranslatable("which of its branches it takes is not known without an input")
        if node.operator != "MaxUnpool" and any(isinstance(one, Places) for one in given):
            raise Untranslatable(f"it reads {_PLACES}")
        if node.operator in ("Shape", "Size") and given:
            return _of_shape(node, given[0])
        constant = all(isinstance(value, Constant) for value in given)
        if constant and (given or node.operator == "Constant") and is_foldable(node.operator):
            return self._folded(node)
        return self._absorbed(node, given) or self._translated(node)

    def _absorbed(self, node: Node, given: list[Value]) -> Activation | None:
        """The layer that an Add or a Mul alone reads, with the constant as its bias or weight.

        None where that layer has no such number, or has it already.
        """
        match sorted(zip(given, node.reads), key=lambda one: isinstance(one[0], Constant)):
            case [(Activation() as source, read), (Constant(name=str()) as constant, _)]:
                layer = self.layers.get(source.source)
            case _:
                return None
        if layer is None or self._readers[read] > 1:
            return None
        keys = _with_numbers(layer, node.operator, constant, self.reference)
        if keys is None:
            return None
        self.layers[source.source] = replace(layer, keys=keys, value=node.outputs[0])
        return source

    def _folded(self, node: Node) -> Constant:
        """The result of a node of constants; of a large one only the shape."""
        found = [self.values[name] if name else None for name in node.inputs]
        constants = {number: one for number, one in enumerate(found) if isinstance(one, Constant)}
        arrays = [one.array if isinstance(one, Constant) else None for one in found]
        unknown = {number for number, one in constants.items() if not one.known}
        # a spec can refer to what can be computed from the model alone
        is_of_model = all(
            one.name is not None and not one.is_reshaped for one in constants.values()
        )
        name = _referable(node.outputs[0]) if is_of_model and node.outputs else None
        result = self._computed(node, arrays, unknown)
        if not is_of_model and _keeps_numbers(node, result.array, constants.get(0)):
            return replace(result, name=constants[0].name, is_reshaped=True)
        return replace(result, name=name)

    def _computed(self, node: Node, arrays: list[Array | None], unknown: set[int]) -> Constant:
        """The result of a node for constant inputs, of which some are `unknown`."""
        if not unknown:
            try:
                return Constant(array=fold(node, arrays, self._hold))
            except _TooLarge:
                pass
            except Unfoldable as error:
                raise Untranslatable(str(error)) from None
        try:
            array = fold(node, arrays, self._hold, shape_only=True, unknown=unknown)
        except Unfoldable as error:
            raise Untranslatable(f"its result is not known: {error}") from None
        return Constant(array=array, known=False)

    def _hold(self, needed: int) -> None:
        """Count `needed` bytes of a constant.  Raises _TooLarge beyond one of the bounds."""
        if needed > _MOST_BYTES or self.held + needed > _MOST_HELD:
            raise _TooLarge
        self.held += needed

    def _translated(self, node: Node) -> Given:
        translate = OPERATORS.get(node.operator)
        if translate is None:
            raise Untranslatable("no layer type does what it does")
        inputs = tuple(self.values[name] if name else None for name in node.inputs)
        read = tuple(name if self._readers[name] else "" for name in node.outputs)
        seen = replace(node, outputs=read)  # an output that nothing reads is as one left out
        operation = Operation(seen, inputs, self.rules, self.reference, self.next_layer)
        result = translate(operation)
        if node.rounds:
            operation.notes.append(f"{node.rounds} is computed without rounding")
        outputs = [name for name in read if name] if isinstance(result, tuple) else [*read, ""]
        # the last layer gives the last of several outputs
        output = outputs[-1] if isinstance(result, tuple) else outputs[0]
        self.add_layers(operation, node.name or output)
        return result


def _keeps_numbers(node: Node, result: Array, source: Constant | None) -> bool:
    """Whether a node of constants gives the numbers of its `source` in their order and type."""
    return (
        source is not None
        and source.name is not None
        and node.operator in ("Reshape", "Cast", "Identity", "Squeeze", "Unsqueeze")
        and result.dtype == source.array.dtype
    )


def _with_numbers(
    layer: ImportedLayer, operator: str, constant: Constant, reference: str
) -> dict[str, Any] | None:
    """The keys of a linear layer or a layer norm with numbers that an Add or a Mul brings it.

    None where they are no weight or bias of it.
    """
    keys = layer.keys
    default = len(layer.output) - 1 if layer.type == "layer_norm" else 0
    axes: tuple[int, ...] = keys.get("normalized_axes") or (keys.get("axis") or default,)
    sizes = tuple(layer.output[axis] for axis in axes)
    as_stored = constant.shape == sizes and not constant.is_reshaped
    shape = None if as_stored or len(sizes) == 1 else sizes
    place = FileReference(file=reference, key=constant.name or "", shape=shape)
    match layer.type, operator:
        case "layer_norm", "Mul" if keys.get("affine") is False:
            more = {"affine": None, "weight": place, "bias": False}
        case (("layer_norm" | "linear"), "Add") if keys.get("bias") is False:
            more = {"bias": place}
        case _:
            return None
    return {**keys, **more} if _varies_along(axes, layer.output, constant.shape) else None


def _varies_along(axes: tuple[int, ...], shape: Shape, constant: Shape) -> bool:
    """Whether a constant, broadcast to `shape`, has numbers of its own along just these axes."""
    # with the batch; broadcasting aligns shapes at their last axes
    wanted = (1, *(size if axis in axes else 1 for axis, size in enumerate(shape)))
    return (1,) * (len(wanted) - len(constant)) + constant == wanted


class _TooLarge(Exception):
    """A constant is too large for its numbers to be computed."""


def _read(node: Node) -> Iterator[str]:
    """The names of the values that a node reads, and those that the nodes inside it read."""
    yield from node.inputs
    for body in node.bodies.values():
        yield from body.outputs
        for one in body.nodes:
            yield from _read(one)


def _constant(name: str, tensor: Tensor) -> Constant:
    """The value of a constant of the model, which has no numbers where `tensor` has none."""
    own = _referable(name) if tensor.element else None
    if tensor.packed is None:
        return Constant(array=_stand_in(tensor.shape), known=False, name=own)
    return Constant(array=from_tensor(tensor), name=own)


def _referable(name: str) -> str | None:
    """`name`, if a weight reference can hold it."""
    return name if name and "\0" not in name else None


def _stand_in(shape: Shape) -> Array:
    """An array of this shape in the memory of one element.  Raises FileError (E405)."""
    try:
        return uniform(shape, np.float32(0))
    except ValueError:  # more elements than there are addresses
        raise FileError(
            "E405", "a constant fits into memory", value=f"got the shape {shown(list(shape))}"
        ) from None


def _of_shape(node: Node, value: Value) -> Constant:
    """The constant that Shape or Size gives for `value`, whose sizes are known."""
    if isinstance(value, Cut | Places):
        what = value.cause if isinstance(value, Cut) else _PLACES
        raise Untranslatable(f"it reads {what}")
    shape = value.full_shape if isinstance(value, Activation) else value.shape
    found = prod(shape) if node.operator == "Size" else shape_part(node, shape)
    try:
        array = np.array(found, dtype=np.int64)
    except OverflowError:
        raise Untranslatable("it counts more elements than int64 can") from None
    of_model = isinstance(value, Constant) and value.name is not None and bool(node.outputs)
    return Constant(array=array, name=_referable(node.outputs[0]) if of_model else None)


def _require_opset(opset: int) -> None:
    if not 1 <= opset <= LARGEST:
        raise FileError("E405", "an opset is an integer from 1 to 2^53", value=f"got {opset}")
