"""The graph of a Keras model as an imported model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.models.imported import ImportedModel
from convt_cli.models.importer import Importer
from convt_cli.models.keras.graph import Graph, Node
from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.keras.operators import FUNCTIONS, OPERATORS
from convt_cli.models.translation import Activation, Cut, Untranslatable


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


class _Importer(Importer[Node, Activation]):
    """The walk over the graph; layers get the names that Keras's have."""

    origin = "a Keras model"

    def __init__(self, graph: Graph, reference: str, *, partial: bool) -> None:
        super().__init__(graph, graph.nodes, FRAMEWORKS["keras"], {}, partial=partial)
        self._channels_last = graph.channels_last
        self._is_keras_2 = graph.producer.startswith(("Keras 2", "Keras 1"))
        self._reference = reference

    def value(self, node: Node, given: list[Activation | Cut]) -> Activation:  # noqa: ARG002
        """What the layers of `node` give."""
        operation = Operation(
            node,
            self.values,
            self.rules,
            self._reference,
            self.next_layer,
            channels_last=self._channels_last,
            is_keras_2=self._is_keras_2,
        )
        result = _translator(node)(operation)
        if not operation.layers:
            result = operation.layer("identity", result)
        self._add_layers_of(operation, node)
        return result

    def _add_layers_of(self, operation: Operation, node: Node) -> None:
        """Add layers: the last has the name of its node, others NAME/PART or NAME/TYPE."""
        *_, last = operation.layers
        for number, layer in enumerate(operation.layers, self.next_layer):
            part = layer.type if layer.name == node.path else layer.name
            name = node.path if layer is last else f"{node.path}/{part}"
            value = node.outputs[0] if layer is last else ""
            self.layers[number] = replace(layer, name=name, value=value)
        for note in operation.notes:
            self.notes[note] = self.notes.get(note, 0) + 1


def _translator(node: Node) -> Translator:
    """The translator of a layer.  Raises Untranslatable for one that has none."""
    layer = node.layer
    if layer.kind == "Lambda":
        raise Untranslatable("it is code of its own, which is not run")
    if not layer.own:
        raise Untranslatable("its class is code of its own, which is not run")
    policy = layer.config.get("dtype")
    is_quantized = isinstance(policy, dict) and "Quantized" in str(policy.get("class_name"))
    if is_quantized or layer.config.get("quantization_config"):
        raise Untranslatable("its numbers are quantized")
    table = FUNCTIONS if layer.is_function else OPERATORS
    translate = table.get(node.operator)
    if translate is None:
        raise Untranslatable("no layer type does what it does")
    return translate
