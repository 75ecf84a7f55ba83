"""The walk over the graph of a model of any format, node by node, and the imported model it gives.

A format derives from `Importer` and says what a node becomes.  With `partial` a node that has no
counterpart is cut out, and so is all that depends on it; without, all such nodes are told of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Generic, Protocol, TypeVar

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.errors import FileError, RequestError, shown
from convt_cli.models.imported import (
    Cause,
    ImportedLayer,
    ImportedModel,
    Unsayable,
    counted_names,
)
from convt_cli.models.inputs import Input, axes_of, input_shape, is_image, require_known_names
from convt_cli.models.translation import Activation, Cut, Translation, Untranslatable


class AnyNode(Protocol):
    """What the walk needs to know of a node."""

    @property
    def name(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all values that it depends on."""

    @property
    def title(self) -> str:
        """The node's name and operator, for a message."""

    @property
    def inner(self) -> int:
        """How many nodes the graphs inside of it have."""


_NodeT = TypeVar("_NodeT", bound=AnyNode)
_ConstantT = TypeVar("_ConstantT")
_NodeT_co = TypeVar("_NodeT_co", bound=AnyNode, covariant=True)


class AnyGraph(Protocol[_NodeT_co]):
    """What the walk needs to know of a graph."""

    @property
    def inputs(self) -> tuple[Input, ...]: ...
    @property
    def outputs(self) -> tuple[str, ...]: ...
    @property
    def nodes(self) -> Sequence[_NodeT_co]: ...
    @property
    def producer(self) -> str: ...


class Importer(ABC, Generic[_NodeT, _ConstantT]):
    """The walk over one graph: the values that its nodes have given so far, and their layers.

    `values` holds, by the graph's names, its constants at first, and then what nodes give:
    activations, cuts, and constants of the format's own kind.
    """

    origin: str
    """What the file is, in words such as "an ONNX model"."""

    def __init__(
        self,
        graph: AnyGraph[_NodeT],
        needed: Sequence[_NodeT],
        rules: Framework,
        values: dict[str, Activation | Cut | _ConstantT],
        *,
        partial: bool,
    ) -> None:
        """`needed` are the nodes on which outputs depend, in an order to compute them in."""
        self.graph = graph
        self.rules = rules
        self.partial = partial
        self.values = values
        # the fields of the ImportedModel to be
        self.inputs: list[tuple[str, Shape]] = []
        self.layers: dict[int, ImportedLayer] = {}
        self.notes: dict[str, int] = {}
        self.causes: dict[tuple[str, str], Cause] = {}  # by operator and reason
        self.left_out = 0
        self._needed = needed

    def run(self, override: Mapping[str, Shape]) -> ImportedModel:
        """The imported model, with inputs of the shapes in `override`.

        Raises Unsayable, RequestError (E503, E505, E506), FileError (E405).
        """
        self._add_inputs(dict(override))
        for node in self._needed:
            self._add(node)
        return self._result()

    @abstractmethod
    def value(
        self, node: _NodeT, given: list[Activation | Cut | _ConstantT]
    ) -> Activation | _ConstantT | tuple[Activation | None, ...]:
        """The first value that `node` gives, or all of several, its layers added.

        None stands for a value that nothing reads.  Raises Untranslatable.
        """

    def _add_inputs(self, override: dict[str, Shape]) -> None:
        """Add to the spec every input of the model that an output depends on."""
        graph = self.graph
        read = {name for node in self._needed for name in node.reads}
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

    def _add_input(self, one: Input, override: Shape | None) -> None:
        shape = input_shape(one, override)
        batch = (one.shape[0] if one.shape else None) or 1
        self.values[one.name] = Activation(source=len(self.inputs), shape=shape, batch=batch)
        self.inputs.append((one.name, shape))

    @property
    def next_layer(self) -> int:
        """The number of the layer that is added next."""
        return len(self.inputs) + len(self.layers)

    def add_layers(self, operation: Translation, name: str, output: str) -> None:
        """Add the layers of `operation`: the last gives the value `output`, and has its `name`."""
        first = self.next_layer
        last = first + len(operation.layers) - 1
        for number, layer in enumerate(operation.layers, first):
            if number == last:
                self.layers[number] = replace(layer, name=name, value=output)
            else:
                self.layers[number] = replace(layer, name=f"{name}_{layer.type}", value="")
        for note in operation.notes:
            self.notes[note] = self.notes.get(note, 0) + 1

    def _add(self, node: _NodeT) -> None:
        """Find the values that a node gives, and add its layers if it has any."""
        given = [self.values[name] for name in node.reads]
        cut = next((value for value in given if isinstance(value, Cut)), None)
        try:
            if cut is not None:
                raise Untranslatable(f"it reads {cut.cause}")
            result = self.value(node, given)
        except Untranslatable as error:
            self._cut(node)
            if cut is None or not cut.is_known:
                self._note(_cause_at(node, error))
            return
        results = result if isinstance(result, tuple) else (result,)
        # what reads an output that no layer gives is cut
        for number, name in enumerate(node.outputs):
            known = results[number] if number < len(results) else None
            cut = Cut(cause=f"output {number} of {node.title}", is_known=False)
            self.values[name] = cut if known is None else known

    def _note(self, cause: Cause) -> None:
        """Remember a cause; an operator's same reason in several places is one."""
        key = cause.operator, cause.reason
        known = self.causes.get(key)
        self.causes[key] = replace(known, count=known.count + 1) if known else cause

    def _cut(self, node: _NodeT) -> None:
        """Leave out a node, and let what reads it know."""
        self.left_out += 1 + node.inner
        self.values.update(dict.fromkeys(node.outputs, Cut(cause=node.title)))

    def _result(self) -> ImportedModel:
        """The imported model.

        Raises Unsayable, unless what is left out may be; RequestError (E505) for no layer.
        """
        found = {name: self.values[name] for name in self.graph.outputs}
        for name, value in found.items():
            if isinstance(value, Cut) and not value.is_known:
                self._note(_cause_at_output(name, value))
        causes = tuple(self.causes.values())
        if causes and not self.partial:
            raise Unsayable(causes)
        outputs = {
            name: value.source for name, value in found.items() if isinstance(value, Activation)
        }
        if not self.layers or not (outputs or self.partial):
            reason = "the model's output does not depend on its input"
            raise RequestError(
                "E505",
                "a spec has at least one layer",
                value=str(causes[0]) if causes else reason,
            )
        constant = [
            name for name, value in found.items() if not isinstance(value, Activation | Cut)
        ]
        return ImportedModel(
            origin=self.origin,
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

    def _unused(self, constant: Iterable[str]) -> Iterator[str]:
        """A sentence for each kind of thing that has nothing to do with the outputs or inputs."""
        needed = set(map(id, self._needed))
        nodes = [node for node in self.graph.nodes if id(node) not in needed]
        count = len(nodes) + sum(node.inner for node in nodes)
        inputs = [one.name for one in self.graph.inputs if one.name not in self.values]
        outputs = list(map(shown, constant))
        if nodes:
            listed = counted_names([node.title for node in nodes], "node", count)
            yield f"no output depends on {listed}: left out"
        if inputs:
            listed = counted_names(list(map(shown, inputs)), "input", len(inputs))
            yield f"no output depends on {listed}: left out"
        if outputs:
            yield f"no input decides on {counted_names(outputs, 'output', len(outputs))}: left out"


def _cause_at(node: AnyNode, error: Untranslatable) -> Cause:
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
