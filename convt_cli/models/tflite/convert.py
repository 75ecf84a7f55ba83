"""The graph of a `.tflite` file as an imported model.

The layers follow TensorFlow's rules.  Every shape that the file records is held against the one
that the arithmetic gives, unless an input is given another shape.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.models.channels_last import channels_first, full_shape
from convt_cli.models.imported import ImportedModel
from convt_cli.models.importer import Importer
from convt_cli.models.tflite.dilation import joined
from convt_cli.models.tflite.graph import FOLDED, Graph, Node, plain_name
from convt_cli.models.tflite.operation import Constant, Operation, Value, Values
from convt_cli.models.tflite.operators import OPERATORS
from convt_cli.models.tflite.sizes import MOST_SIZES, computed
from convt_cli.models.tflite.tensors import Tensor, small_numbers
from convt_cli.models.translation import Activation, Cut, Untranslatable

_ROUNDED = "the rounding and the bounds of a quantised operation are left out"


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
    return _Importer(graph, reference, partial=partial).run(override or {})


class _Importer(Importer[Node, Constant]):
    """The walk over the graph; a layer has the name of the tensor that it gives."""

    origin = "a TensorFlow Lite model"

    def __init__(self, graph: Graph, reference: str, *, partial: bool) -> None:
        graph = _as_read(graph)
        values: dict[str, Value | Cut] = {
            name: _constant(graph.tensors[name]) for name in graph.constants
        }
        super().__init__(graph, graph.needed, FRAMEWORKS["tensorflow"], values, partial=partial)
        self._others = graph.others
        self._model = graph.table
        self._tensors = graph.tensors
        self._reference = reference
        self._is_recorded = True  # no input has another shape than the file says
        self._read = {name for node in graph.needed for name in node.reads} | {*graph.outputs}

    def run(self, override: Mapping[str, Shape]) -> ImportedModel:
        """As `Importer.run`."""
        self._is_recorded = not override
        imported = super().run(override)
        if not self._others:
            return imported
        sentence = f"the first graph of {self._others + 1} is read, the others are left out"
        return replace(imported, unused=(*imported.unused, sentence))

    def value(self, node: Node, given: list[Value | Cut]) -> Values | Constant:
        """What `node` gives: a constant, or what its layers give."""
        if not any(isinstance(one, Activation) for one in given) or node.operator == "SHAPE":
            return self._computed(node, given)
        translate = OPERATORS.get(node.operator)
        if translate is None:
            raise Untranslatable("no layer type does what it does")
        operation = Operation(
            node,
            tuple(self.values[name] if name else None for name in node.inputs),
            self.rules,
            self._reference,
            self.next_layer,
            model=self._model,
            read=self._read,
            recorded=self._recorded(next(iter(node.outputs), "")),
        )
        result = translate(operation)
        results = result if isinstance(result, tuple) else (result,)
        for name, one in zip(node.outputs, results):
            _require_recorded(one, self._recorded(name))
        if any(map(self._is_rounded, (*node.reads, *node.outputs))):
            operation.notes.append(_ROUNDED)
        self._add_named(operation, node, results)
        return result

    def _computed(self, node: Node, given: list[Value | Cut]) -> Constant:
        """The constant that a node gives which reads constants, or the sizes of an activation."""
        if not node.outputs:
            raise Untranslatable("it gives nothing")
        tensor = self._tensors[node.outputs[0]]
        is_kept = all(isinstance(one, Constant) and one.key is not None for one in given)
        key = tensor.name if is_kept and node.operator in FOLDED else None
        return Constant(tensor=tensor, key=key, sizes=self._sizes(node, given))

    def _sizes(self, node: Node, given: list[Value | Cut]) -> Shape | None:
        """The integers that a node gives, if it computes sizes from sizes."""
        source = given[0] if given else None
        if isinstance(source, Activation):  # of a SHAPE alone
            return full_shape(source)
        known = [self._integers(one) for one in given if isinstance(one, Constant)]
        return computed(node, known) if len(known) == len(given) else None

    def _integers(self, constant: Constant) -> Shape | None:
        """The numbers of a constant, if they are known, few and all of them integers."""
        numbers = constant.sizes or small_numbers(constant.tensor, self._model, MOST_SIZES) or ()
        integers = tuple(one for one in numbers if isinstance(one, int))
        return integers if 0 < len(integers) == len(numbers) else None

    def _recorded(self, name: str) -> Shape | None:
        """The shape that the file has for a value, None where it need not be that."""
        tensor = self._tensors.get(name)
        if tensor is None or not self._is_recorded or None in tensor.open_shape[1:]:
            return None
        return tensor.shape or None

    def _is_rounded(self, name: str) -> bool:
        """Whether a value is an activation or a weight whose numbers are integers in the file."""
        return self._tensors[name].is_quantized and self._tensors[name].type != _INT32

    def _add_named(
        self, operation: Operation, node: Node, results: tuple[Activation | None, ...]
    ) -> None:
        """Add the layers of a node: those that give its values have their names.

        Those before are called NAME/TYPE.
        """
        first = self.next_layer
        self.add_layers(operation, node.name)
        for name, one in zip(node.outputs, results):
            if one is not None and one.source >= first:
                layer = self.layers[one.source]
                self.layers[one.source] = replace(layer, name=plain_name(name))


_INT32 = 2
"""The number of the type of a quantised bias, which is not rounded on its own."""


def _as_read(graph: Graph) -> Graph:
    """`graph` with dilated convolutions put together, and the channels of its inputs first."""

    def integers(name: str) -> tuple[int, ...]:
        numbers = small_numbers(graph.tensors[name], graph.table) if name in constants else None
        return tuple(one for one in numbers or () if isinstance(one, int))

    constants = frozenset(graph.constants)
    inputs = (
        replace(one, shape=(*one.shape[:1], *channels_first(one.shape[1:])))
        if one.shape is not None
        else one
        for one in graph.inputs
    )
    nodes = tuple(joined(graph.nodes, graph.outputs, integers))
    return replace(graph, nodes=nodes, inputs=tuple(inputs))


def _constant(tensor: Tensor) -> Constant:
    """The value of a tensor that nothing computes."""
    return Constant(tensor=tensor, key=None if tensor.extent is None else tensor.name)


def _require_recorded(value: Activation | None, recorded: Shape | None) -> None:
    """Raise Untranslatable for a value that has another shape than the file says."""
    if value is not None and recorded is not None and recorded != full_shape(value):
        listed = f"{list(full_shape(value))}, the file records {list(recorded)}"
        raise Untranslatable(f"its layer gives {listed}")
