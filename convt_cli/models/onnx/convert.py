"""An ONNX graph as an imported model, node by node in an order in which they can be computed.

A node that reads constants alone is computed on the spot; any other becomes layers, whose shapes
the arithmetic gives under the framework's own rules, so that all shapes are resolved in the end.
With `partial` a node that has no counterpart is cut out, and so is all that depends on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, at_opset
from convt_cli.arithmetic.keys import LARGEST
from convt_cli.errors import FileError, RequestError, shown
from convt_cli.models.imported import (
    Cause,
    ImportedLayer,
    ImportedModel,
    Unsayable,
    counted_names,
)
from convt_cli.models.inputs import Input, axes_of, input_shape, is_image, require_known_names
from convt_cli.models.onnx.arithmetic import Array
from convt_cli.models.onnx.constants import (
    Unfoldable,
    fold,
    from_tensor,
    is_foldable,
    shape_part,
    uniform,
)
from convt_cli.models.onnx.graph import MOST_VALUES, Graph, Node, Tensor
from convt_cli.models.onnx.operation import (
    Activation,
    Constant,
    Cut,
    Operation,
    Untranslatable,
    Value,
)
from convt_cli.models.onnx.operators import OPERATORS

_MOST_BYTES = 8 * MOST_VALUES
"""Bytes of one constant whose numbers are computed, which may be the input of a Reshape."""

_MOST_HELD = 2**26
"""Bytes of all such constants of a graph together; beyond, only shapes are computed."""


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
    importer = _Importer(graph, reference, partial=partial)
    importer.add_inputs(dict(override or {}))
    for node in importer.needed:
        importer.add(node)
    return importer.result()


class _Importer:
    """The walk over one graph: the values that its nodes have given so far, and their layers."""

    def __init__(self, graph: Graph, reference: str, *, partial: bool) -> None:
        self.graph = graph
        self.rules = at_opset(FRAMEWORKS["onnx"], graph.opset)
        self.reference = reference
        self.partial = partial
        self.needed = graph.needed_for(graph.outputs)
        # the fields of the ImportedModel to be
        self.inputs: list[tuple[str, Shape]] = []
        self.layers: dict[int, ImportedLayer] = {}
        self.notes: dict[str, int] = {}
        self.causes: dict[tuple[str, str], Cause] = {}  # by operator and reason
        self.left_out = 0
        self.held = 0  # bytes of the constants that have been computed
        # by the graph's name: every input and constant, and the outputs of all nodes so far
        self.values: dict[str, Value] = {
            name: _constant(name, tensor) for name, tensor in graph.constants.items()
        }

    def add_inputs(self, override: dict[str, Shape]) -> None:
        """Add to the spec every input of the model that an output depends on."""
        graph = self.graph
        read = {name for node in self.needed for name in node.reads}
        inputs = [one for one in graph.inputs if one.name in read or one.name in graph.outputs]
        if not inputs:
            raise FileError("E405", "a network has an input", value="no output depends on one")
        if len(inputs) == 1 and "" in override:
            override[inputs[0].name] = override.pop("")
        require_known_names(override, [one.name for one in inputs])
        for one in inputs:
            if self.partial and one.name not in override and not is_image(one):
                title = f"input '{shown(one.name)}'"
                self._note(Cause(title=title, layer="", operator="inputs", reason=axes_of(one)))
                self.values[one.name] = Cut(cause=f"the input '{one.name}'")
            else:
                self._add_input(one, override.get(one.name))
        # only now, because layers are numbered from behind the last input
        for one in inputs:
            if one.shape is not None and len(one.shape) == 2:
                self._flatten(one.name)

    def _add_input(self, one: Input, override: Shape | None) -> None:
        shape = input_shape(one, override)
        batch = (one.shape[0] if one.shape else None) or 1
        self.values[one.name] = Activation(source=len(self.inputs), shape=shape, batch=batch)
        self.inputs.append((one.name, shape))

    def _flatten(self, name: str) -> None:
        """Put a flatten behind an input (batch, channels), which is (channels, 1) in a spec."""
        node = Node(
            name=f"{name}_flat", operator="Flatten", inputs=(name,), outputs=(), attributes={}
        )
        self.values[name] = self._translated(node)

    def add(self, node: Node) -> None:
        """Find the values that a node gives, and add its layers if it has any."""
        given = [self.values[name] for name in node.reads]
        cut = next((value for value in given if isinstance(value, Cut)), None)
        try:
            if cut is not None:
                raise Untranslatable(f"it reads {cut.cause}")
            result = self._value(node, given)
        except Untranslatable as error:
            self._cut(node)
            if cut is None or not cut.is_known:
                self._note(_cause_at(node, error))
            return
        # layers have one output: what reads a further one is cut
        for number, name in enumerate(node.outputs):
            cause = f"output {number} of {node.title}"
            self.values[name] = result if number == 0 else Cut(cause=cause, is_known=False)

    def _note(self, cause: Cause) -> None:
        """Remember a cause; an operator's same reason in several places is one."""
        key = cause.operator, cause.reason
        known = self.causes.get(key)
        self.causes[key] = replace(known, count=known.count + 1) if known else cause

    def _cut(self, node: Node) -> None:
        """Leave out a node, and let what reads it know."""
        self.left_out += 1 + node.inner
        self.values.update(dict.fromkeys(node.outputs, Cut(cause=node.title)))

    def _value(self, node: Node, given: list[Value]) -> Value:
        if node.operator in ("Shape", "Size") and given:
            return _of_shape(node, given[0])
        constant = given and all(isinstance(value, Constant) for value in given)
        if constant and is_foldable(node.operator):
            return self._folded(node)
        return self._translated(node)

    def _folded(self, node: Node) -> Constant:
        """The result of a node of constants; of a large one only the shape."""
        found = [self.values[name] if name else None for name in node.inputs]
        constants = {number: one for number, one in enumerate(found) if isinstance(one, Constant)}
        arrays = [one.array if isinstance(one, Constant) else None for one in found]
        unknown = {number for number, one in constants.items() if not one.known}
        # a spec can refer to what can be computed from the model alone
        is_of_model = all(one.name is not None for one in constants.values())
        name = _referable(node.outputs[0]) if is_of_model and node.outputs else None
        if not unknown:
            try:
                return Constant(array=fold(node, arrays, self._hold), name=name)
            except _TooLarge:
                pass
            except Unfoldable as error:
                raise Untranslatable(str(error)) from None
        try:
            array = fold(node, arrays, self._hold, shape_only=True, unknown=unknown)
        except Unfoldable as error:
            raise Untranslatable(f"its result is not known: {error}") from None
        return Constant(array=array, known=False, name=name)

    def _hold(self, needed: int) -> None:
        """Count `needed` bytes of a constant.  Raises _TooLarge beyond one of the bounds."""
        if needed > _MOST_BYTES or self.held + needed > _MOST_HELD:
            raise _TooLarge
        self.held += needed

    def _translated(self, node: Node) -> Activation:
        translate = OPERATORS.get(node.operator)
        if translate is None:
            raise Untranslatable("no layer type does what it does")
        inputs = tuple(self.values[name] if name else None for name in node.inputs)
        first = len(self.inputs) + len(self.layers)
        operation = Operation(node, inputs, self.rules, self.reference, first)
        result = translate(operation)
        output = next(iter(node.outputs), "")
        name = node.name or output
        last = first + len(operation.layers) - 1
        # the last layer gives the node's output, and has its name
        for number, layer in enumerate(operation.layers, first):
            if number == last:
                self.layers[number] = replace(layer, name=name, value=output)
            else:
                self.layers[number] = replace(layer, name=f"{name}_{layer.type}", value="")
        for note in operation.notes:
            self.notes[note] = self.notes.get(note, 0) + 1
        return result

    def result(self) -> ImportedModel:
        """The imported model.

        Raises Unsayable, unless what is left out may be; RequestError (E505) for no layer.
        """
        found = {name: self.values[name] for name in self.graph.outputs}
        outputs = {
            name: value.source for name, value in found.items() if isinstance(value, Activation)
        }
        for name, value in found.items():
            if isinstance(value, Cut) and not value.is_known:
                self._note(_cause_at_output(name, value))
        causes = tuple(self.causes.values())
        if causes and not self.partial:
            raise Unsayable(causes)
        if not self.layers or not (outputs or self.partial):
            reason = "the model's output does not depend on its input"
            raise RequestError(
                "E505",
                "a spec has at least one layer",
                value=str(causes[0]) if causes else reason,
            )
        constant = [name for name, value in found.items() if isinstance(value, Constant)]
        return ImportedModel(
            origin="an ONNX model",
            producer=self.graph.producer,
            rules=self.rules,
            inputs=tuple(self.inputs),
            layers=self.layers,
            outputs=outputs,
            notes=self.notes,
            unused=tuple(self._unused(constant)),
            causes=causes,
            left_out=self.left_out,
        )

    def _unused(self, constant: list[str]) -> Iterator[str]:
        """A sentence for each kind of thing that has nothing to do with the outputs or inputs."""
        needed = set(map(id, self.needed))
        nodes = [node for node in self.graph.nodes if id(node) not in needed]
        count = len(nodes) + sum(node.inner for node in nodes)
        inputs = [one.name for one in self.graph.inputs if one.name not in self.values]
        if nodes:
            listed = counted_names([node.title for node in nodes], "node", count)
            yield f"no output depends on {listed}: left out"
        if inputs:
            listed = counted_names(list(map(shown, inputs)), "input", len(inputs))
            yield f"no output depends on {listed}: left out"
        if constant:
            listed = counted_names(list(map(shown, constant)), "output", len(constant))
            yield f"no input decides on {listed}: left out"


def _cause_at(node: Node, error: Untranslatable) -> Cause:
    """Why a spec cannot say what a node does, which reads nothing that is lacking."""
    inside = f"; with it go the nodes inside it, {node.inner:,}" if node.inner else ""
    return Cause(
        title=node.title,
        layer=node.name or next(iter(node.outputs), ""),
        operator=node.operator,
        reason=f"{error}{inside}",
        code=error.code,
    )


def _cause_at_output(name: str, value: Cut) -> Cause:
    """Why the spec lacks an output of the model whose node it has."""
    return Cause(
        title=f"output '{shown(name)}' of the model",
        layer="",
        operator="outputs",
        reason=f"it is {value.cause}",
        help="--partial leaves it out",
    )


class _TooLarge(Exception):
    """A constant is too large for its numbers to be computed."""


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
    if isinstance(value, Cut):
        raise Untranslatable(f"it reads {value.cause}")
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
