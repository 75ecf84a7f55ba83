"""An ONNX graph as the layers of a spec, node by node, every shape known as it goes.

A node that reads constants alone is folded; any other becomes layers, whose shapes the
arithmetic gives under the framework's own rules: what is returned here has been resolved.  With
`partial` a node that has no counterpart is cut out, and so is all that depends on it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.frameworks import FRAMEWORKS, at_opset
from convt_cli.arithmetic.kinds import LARGEST
from convt_cli.arithmetic.layers.base import MAX_RANK
from convt_cli.errors import FileError, RequestError, shown
from convt_cli.io.onnx_graph import MOST_VALUES, Graph, Input, Node, Tensor
from convt_cli.spec.onnx.folding import (
    Array,
    Unfoldable,
    fold,
    from_tensor,
    is_foldable,
    shape_part,
    uniform,
)
from convt_cli.spec.onnx.operators import OPERATORS
from convt_cli.spec.onnx.values import (
    Activation,
    Constant,
    Cut,
    ImportedLayer,
    Operation,
    Untranslatable,
    Value,
)

_MOST_BYTES = 8 * MOST_VALUES


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of a graph: inputs and layers by their numbers, which `sources` refer to.

    `outputs` are the numbers that give the model's outputs, by the outputs' names, the main one
    first.  `notes` counts what the spec says differently, and `cuts` tells what it lacks.
    """

    opset: int
    inputs: tuple[tuple[str, Shape], ...]
    layers: dict[int, ImportedLayer]
    outputs: dict[str, int]
    notes: dict[str, int]
    cuts: tuple[str, ...]
    producer: str

    @property
    def messages(self) -> tuple[str, ...]:
        """What to tell about the spec: further outputs, what stands in, what is missing."""
        main, *others = self.outputs or [""]
        listed = ", ".join(map(shown, others))
        return (
            *(
                [f"note: the spec's output is {shown(main)}; also computed: {listed}"]
                * bool(others)
            ),
            *(f"note: {note}, {_times(count)}" for note, count in self.notes.items()),
            *(f"cut: {cut}" for cut in self.cuts),
        )


def convert(
    graph: Graph,
    model: str,
    *,
    override: Mapping[str, Shape] | None = None,
    partial: bool = False,
) -> Imported:
    """The layers of `graph`; weights are named as arrays of the file `model`.

    `override` gives inputs another shape, "" being the only input there is.  Raises
    RequestError (E505, E506, or the code of the rule that a node breaks), FileError (E405).
    """
    _require_opset(graph.opset)
    importer = _Importer(graph, model, partial=partial)
    importer.add_inputs(dict(override or {}))
    for node in graph.needed_for(graph.outputs):
        importer.add(node)
    return importer.result()


class _Importer:
    """The walk over one graph."""

    def __init__(self, graph: Graph, model: str, *, partial: bool) -> None:
        self.graph = graph
        self.model = model
        self.partial = partial
        self.inputs: list[tuple[str, Shape]] = []
        self.layers: dict[int, ImportedLayer] = {}
        self.notes: dict[str, int] = {}
        self.cuts: list[str] = []
        self.values: dict[str, Value] = {
            name: _constant(name, tensor) for name, tensor in graph.constants.items()
        }

    def add_inputs(self, override: dict[str, Shape]) -> None:
        """Make the inputs that some output depends on inputs of the spec."""
        graph = self.graph
        read = {name for node in graph.needed_for(graph.outputs) for name in node.inputs}
        inputs = [one for one in graph.inputs if one.name in read or one.name in graph.outputs]
        if not inputs:
            raise FileError("E405", "a network has an input", value="no output depends on one")
        if len(inputs) == 1 and "" in override:
            override[inputs[0].name] = override.pop("")
        _require_known_names(override, [one.name for one in inputs])
        shapes = [_input_shape(one, override.get(one.name)) for one in inputs]
        self.inputs = [(one.name, shape) for one, shape in zip(inputs, shapes)]
        for number, (one, shape) in enumerate(zip(inputs, shapes)):
            batch = (one.shape[0] if one.shape else None) or 1
            self.values[one.name] = Activation(source=number, shape=shape, batch=batch)
        for one in inputs:
            if len(one.shape) == 2:
                self._flatten(one.name)

    def _flatten(self, name: str) -> None:
        """A flat input of the model is one of size 1 in a spec, whose inputs have axes."""
        node = Node(
            name=f"{name}_flat", operator="Flatten", inputs=(name,), outputs=(), attributes={}
        )
        self.values[name] = self._translated(node)

    def add(self, node: Node) -> None:
        """Find what a node gives, and its layers where it has some."""
        given = [self.values[name] for name in node.inputs if name]
        cut = next((value for value in given if isinstance(value, Cut)), None)
        try:
            if cut is not None:
                raise Untranslatable(f"it reads {cut.cause}")
            result = self._value(node, given)
        except Untranslatable as error:
            if not self.partial:
                raise RequestError(
                    error.code,
                    f"{node.title} cannot be said in a spec",
                    value=shown(str(error)),
                    help="--partial keeps the layers that do not depend on it",
                ) from None
            self._cut(node, str(error))
            return
        for number, name in enumerate(node.outputs):
            cause = f"output {number} of {node.title}"
            self.values[name] = result if number == 0 else Cut(cause=cause)

    def _cut(self, node: Node, reason: str) -> None:
        self.cuts.append(f"{node.title}: {shown(reason)}")
        self.values.update(dict.fromkeys(node.outputs, Cut(cause=node.title)))

    def _value(self, node: Node, given: list[Value]) -> Value:
        if node.operator in ("Shape", "Size") and given and isinstance(given[0], Activation):
            return _of_shape(node, given[0])
        constant = given and all(isinstance(value, Constant) for value in given)
        if constant and is_foldable(node.operator):
            return self._folded(node)
        return self._translated(node)

    def _folded(self, node: Node) -> Constant:
        """What a node of constants comes to; what is large has a shape alone."""
        found = [self.values[name] if name else None for name in node.inputs]
        constants = [one for one in found if isinstance(one, Constant)]
        arrays = [one.array if isinstance(one, Constant) else None for one in found]
        named = all(one.name is not None for one in constants)
        name = _referable(node.outputs[0]) if named and node.outputs else None
        if all(one.known for one in constants):
            try:
                return Constant(array=fold(node, arrays, _require_small), name=name)
            except _TooLarge:
                pass
            except Unfoldable as error:
                raise Untranslatable(str(error)) from None
        try:
            array = fold(node, arrays, _require_small, numbers=False)
        except (Unfoldable, _TooLarge) as error:
            raise Untranslatable(f"what it comes to is not known: {error}") from None
        return Constant(array=array, known=False, name=name)

    def _translated(self, node: Node) -> Activation:
        rule = OPERATORS.get(node.operator)
        if rule is None:
            raise Untranslatable("no layer type does what it does")
        rules = at_opset(FRAMEWORKS["onnx"], self.graph.opset)
        inputs = tuple(self.values[name] if name else None for name in node.inputs)
        first = len(self.inputs) + len(self.layers)
        operation = Operation(node, inputs, rules, self.model, first)
        result = rule(operation)
        for number, layer in enumerate(operation.layers, first):
            last = number == first + len(operation.layers) - 1
            name = node.name or next(iter(node.outputs), "")
            value = node.outputs[0] if last and node.outputs else ""
            own = name if last else f"{name}_{layer.type}"
            self.layers[number] = replace(layer, name=own, value=value)
        for note in operation.notes:
            self.notes[note] = self.notes.get(note, 0) + 1
        return result

    def result(self) -> Imported:
        """What has been found, if there is anything."""
        found = {name: self.values[name] for name in self.graph.outputs}
        outputs = {
            name: value.source for name, value in found.items() if isinstance(value, Activation)
        }
        if not self.layers or not (outputs or self.partial):
            raise RequestError(
                "E505",
                "a spec has at least one layer",
                value="; ".join(self.cuts[:1]) or "the model's output does not depend on its input",
            )
        return Imported(
            opset=self.graph.opset,
            inputs=tuple(self.inputs),
            layers=self.layers,
            outputs=outputs,
            notes=self.notes,
            cuts=tuple(self.cuts),
            producer=self.graph.producer,
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


class _TooLarge(Exception):
    """A constant is too large for a shape to be read from it."""


def _require_small(needed: int) -> None:
    if needed > _MOST_BYTES:
        raise _TooLarge(f"{needed:,} bytes")


def _constant(name: str, tensor: Tensor) -> Constant:
    own = _referable(name) if tensor.element else None
    if tensor.values is None:
        return Constant(array=_stand_in(tensor.shape), known=False, name=own)
    return Constant(array=from_tensor(tensor), name=own)


def _referable(name: str) -> str | None:
    """`name`, if a weight reference can hold it."""
    return name if name and "\0" not in name else None


def _stand_in(shape: Shape) -> Array:
    try:
        return uniform(shape, np.float32(0))
    except ValueError:  # more elements than there are addresses
        raise FileError(
            "E405", "a constant fits into memory", value=f"got the shape {shown(list(shape))}"
        ) from None


def _of_shape(node: Node, value: Activation) -> Constant:
    """What Shape and Size say of an activation: a constant, once the input's sizes are."""
    if node.operator == "Size":
        return Constant(array=np.array(prod(value.full_shape)))
    return Constant(array=np.array(shape_part(node, value.full_shape), dtype=np.int64))


def _require_opset(opset: int) -> None:
    if not 1 <= opset <= LARGEST:
        raise FileError("E405", "an opset is an integer from 1 to 2^53", value=f"got {opset}")


def _require_known_names(override: Iterable[str], known: list[str]) -> None:
    for name in override:
        if name not in known:
            named = ", ".join(map(shown, known))
            raise RequestError(
                "E503",
                "--input names an input of the model",
                value=f"got '{shown(name)}'" if name else "got a shape without a name",
                help=f"its inputs are {named}",
            )


def _input_shape(one: Input, override: Shape | None) -> Shape:
    """The shape of an input of the spec, without a batch axis.  Raises RequestError (E506)."""
    if override is not None:
        return override
    sizes = one.shape[1:]
    if len(sizes) == 1:
        sizes = (*sizes, 1)
    if not 2 <= len(sizes) <= MAX_RANK + 1:
        raise RequestError(
            "E506",
            f"an input is [batch, channels, *spatial] with 1 to {MAX_RANK} spatial axes",
            value=f"'{shown(one.name)}' has {len(one.shape)} axes",
            help="import the part of the model that reads images",
        )
    known = tuple(size for size in sizes if size is not None and size <= LARGEST)
    if len(known) < len(sizes):
        example = ",".join("N" if size is None else str(size) for size in sizes)
        raise RequestError(
            "E506",
            "the sizes of every input are known, and at most 2^53",
            value=f"'{shown(one.name)}' is {shown(list(one.shape))}",
            help=f"give them, as in --input {shown(one.name)}={example}",
        )
    return known
