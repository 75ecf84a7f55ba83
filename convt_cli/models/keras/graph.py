"""One graph of all layers of a model, those of the models inside it named `outer/inner`.

A graph checks itself when it is made: whatever a call reads is an input, or given by a call before
it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any

from convt_cli.errors import FileError, shown
from convt_cli.models.inputs import Input, OpenShape
from convt_cli.models.keras.config import Argument, Call, Layer, Tensor, Unread
from convt_cli.models.keras.json_text import Fields

_MOST_NODES = 100_000
"""The most calls of layers; models that call models twice grow with the power of their depth."""


_Place = tuple[str, int]
"""A call: the name of its layer, and its number."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An argument that is the value of this name in the graph."""

    name: str


Found = bool | int | float | str | None | Reference | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One call of a layer; `path` is the layer's name with those of the models around it."""

    path: str
    layer: Layer
    arguments: tuple[Found, ...]
    named: Mapping[str, tuple[Found, ...]]
    outputs: tuple[str, ...]
    inner: int = 0

    @property
    def name(self) -> str:
        """The layer's name, with those of the models around it."""
        return self.path

    @property
    def operator(self) -> str:
        """The class of the layer; for a function of TensorFlow the function's name."""
        function = self.layer.config.get("function")
        is_function = self.layer.kind == "TFOpLambda" and isinstance(function, str)
        return str(function) if is_function else self.layer.kind

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all values that it depends on."""
        every = (self.arguments, *self.named.values())
        return tuple(one.name for some in every for one in some if isinstance(one, Reference))

    @property
    def title(self) -> str:
        """The layer's name and class, for a message."""
        return f"layer '{shown(self.path)}' ({shown(self.operator)})"


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A model: its inputs, and the calls of its layers in an order to compute them in.

    With `channels_last` the shapes of `inputs` have their channels brought to the front.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    producer: str
    channels_last: bool


def read_graph(model: Layer, version: str) -> Graph:
    """The graph of a model that Keras `version` has saved.  Raises FileError (E405)."""
    formats = [layer.config.get("data_format") for layer in model.every_layer]
    channels_last = "channels_last" in formats or "channels_first" not in formats
    builder = _Builder(channels_last=channels_last)
    outputs = builder.add_model(model, "", None)
    return Graph(
        inputs=tuple(builder.inputs),
        outputs=tuple(outputs),
        nodes=tuple(builder.nodes),
        producer=f"Keras {version}" if version else "Keras",
        channels_last=channels_last,
    )


@dataclass(kw_only=True)
class _Builder:
    """The inputs and the calls that were found so far."""

    channels_last: bool
    inputs: list[Input] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    # the last number that was put behind each name
    _taken: dict[str, int] = field(default_factory=dict)

    def add_model(self, model: Layer, prefix: str, given: list[str] | None) -> list[str]:
        """Add all calls of a model's layers, and return the names of its outputs.

        `given` are the values that it is called with; None for the whole, which has inputs.
        """
        if model.kind == "Sequential":
            return self._add_sequence(model, prefix, given)
        values = self._input_values(model, prefix, given)
        layers = {layer.name: layer for layer in model.layers}
        first = _first_calls(model)
        for layer, number in _in_order(model, layers, first):
            call = layer.calls[number]
            tensor = layer.name, number + first[layer.name]
            values[tensor] = self._add_call(layer, f"{prefix}{layer.name}", call, values)
        return [_value(one, values) for one in model.outputs]

    def _add_sequence(self, model: Layer, prefix: str, given: list[str] | None) -> list[str]:
        layers = list(model.layers)
        if given is None:
            own = layers.pop(0) if layers and layers[0].kind == "InputLayer" else None
            given = [self._add_input(own or _first_input(model, layers))]
        for layer in layers:
            if layer.kind != "InputLayer":
                tensors = {("", 0): given}
                arguments = tuple(Tensor("", 0, number) for number in range(len(given)))
                call = Call(arguments=arguments, named={})
                given = self._add_call(layer, f"{prefix}{layer.name}", call, tensors)
        return given

    def _input_values(
        self, model: Layer, prefix: str, given: list[str] | None
    ) -> dict[_Place, list[str]]:
        """The values of a functional model's inputs, by their layers."""
        if given is not None:
            if len(given) != len(model.inputs):
                raise _damaged(f"'{shown(prefix)}' has {len(model.inputs)} inputs", len(given))
            return {(one.layer, one.call): [name] for one, name in zip(model.inputs, given)}
        layers = {layer.name: layer for layer in model.layers}
        values = {}
        for one in model.inputs:
            if one.layer not in layers:
                raise _damaged("an input of the model is one of its layers", one.layer)
            values[one.layer, one.call] = [self._add_input(layers[one.layer])]
        return values

    def _add_input(self, layer: Layer) -> str:
        """Add an input of the whole model, and return its name."""
        shape = _shape(layer.config, self.channels_last)
        name = self._fresh(layer.name)
        self.inputs.append(Input(name=name, shape=shape))
        return name

    def _add_call(
        self, layer: Layer, path: str, call: Call, values: Mapping[_Place, list[str]]
    ) -> list[str]:
        """Add one call of a layer or a model, and return the names of what it gives."""
        arguments = tuple(_found(one, values) for one in call.arguments)
        named = {
            key: tuple(_found(one, values) for one in some) for key, some in call.named.items()
        }
        if layer.is_model:
            given = [one.name for one in arguments if isinstance(one, Reference)]
            return self.add_model(layer, f"{path}/", given)
        if len(self.nodes) >= _MOST_NODES:
            raise _damaged(f"a model has at most {_MOST_NODES:,} calls of layers", "more")
        output = self._fresh(path)
        self.nodes.append(
            Node(path=path, layer=layer, arguments=arguments, named=named, outputs=(output,))
        )
        return [output]

    def _fresh(self, name: str) -> str:
        """`name`, with a number behind it where a value has this name."""
        number = self._taken.get(name, 0) + 1
        while (found := name if number == 1 else f"{name}:{number}") in self._taken:
            number += 1
        self._taken[name] = number
        self._taken.setdefault(found, 1)
        return found


def _first_calls(model: Layer) -> dict[str, int]:
    """The number of the first call of each layer: 1 for some models inside a model, else 0.

    The call by which a model was made is not written down.
    """
    first = {layer.name: 0 for layer in model.layers}
    read = defaultdict(set)
    every = [*model.outputs, *(one for layer in model.layers for one in _tensors_of(layer))]
    for one in every:
        read[one.layer].add(one.call)
    for layer in model.layers:
        if layer.is_model and read[layer.name] and min(read[layer.name]) == 1:
            first[layer.name] = 1
    return first


def _tensors_of(layer: Layer) -> Iterator[Tensor]:
    """All tensors that the calls of a layer read."""
    for call in layer.calls:
        yield from _read_by(call)


def _read_by(call: Call) -> Iterator[Tensor]:
    for some in (call.arguments, *call.named.values()):
        yield from (one for one in some if isinstance(one, Tensor))


def _in_order(
    model: Layer, layers: Mapping[str, Layer], first: Mapping[str, int]
) -> Iterator[tuple[Layer, int]]:
    """The calls of a functional model's layers, each behind those that it reads.

    Raises FileError (E405) where there is no such order.
    """
    positions = {name: position for position, name in enumerate(layers)}
    waiting, readers = _readers(layers.values())
    given = [(one.layer, one.call) for one in model.inputs]
    ready: list[tuple[int, int, str]] = []  # the calls that wait for nothing, by the layers' order
    while given or ready:
        for reader in (one for tensor in given for one in readers.pop(tensor, ())):
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, (positions[reader[0]], reader[1], reader[0]))
        given = []
        if ready:
            _, number, name = heappop(ready)
            yield layers[name], number
            given = [(name, number + first[name])]
    if any(waiting.values()):
        raise _damaged("a layer reads what others give before", next(iter(waiting)))


def _readers(layers: Iterable[Layer]) -> tuple[dict[_Place, int], dict[_Place, list[_Place]]]:
    """By a call, how many others it reads; and by a call, those that read it."""
    counts: dict[_Place, int] = {}
    readers: dict[_Place, list[_Place]] = defaultdict(list)
    for layer in layers:
        for number, call in enumerate(layer.calls):
            wanted = {(one.layer, one.call) for one in _read_by(call)}
            counts[layer.name, number] = len(wanted)
            for one in wanted:
                readers[one].append((layer.name, number))
    return counts, readers


def _value(tensor: Tensor, values: Mapping[_Place, list[str]]) -> str:
    found = values.get((tensor.layer, tensor.call), [])
    if not 0 <= tensor.number < len(found):
        raise _damaged("what is read is given by a layer of the model", tensor.layer)
    return found[tensor.number]


def _found(argument: Argument, values: Mapping[_Place, list[str]]) -> Found:
    return Reference(_value(argument, values)) if isinstance(argument, Tensor) else argument


def _first_input(model: Layer, layers: list[Layer]) -> Layer:
    """The input of a Sequential that has no layer for it: it is named in another place."""
    config: dict[str, Any] = {"batch_shape": model.config.get("build_input_shape")}
    if layers and not any(config.values()):
        config = layers[0].config
        if layers[0].is_model:
            return _first_input(layers[0], [*layers[0].layers])
    return Layer(name="input", kind="InputLayer", own=True, config=config)


def _shape(config: Fields, channels_last: bool) -> OpenShape | None:
    """The shape of an input, with its channels behind the batch; None if it is not given."""
    given = config.get("batch_shape") or config.get("batch_input_shape")
    if not isinstance(given, list) or not given:
        return None
    for size in given:
        if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 1):
            raise _damaged("the sizes of an input are above 0", size)
    batch, *sizes = given
    ordered = [*sizes[-1:], *sizes[:-1]] if channels_last else sizes
    return (batch, *ordered)


def _damaged(rule: str, value: object) -> FileError:
    return FileError(
        "E405",
        f"a Keras model is described as Keras writes it: {rule}",
        value=f"got {shown(value)[:60]}",
        help="save the model again with model.save",
    )
