"""The text that describes a Keras model as plain values: layers, and the calls of each.

Keras 2 and Keras 3 write calls differently, and versions of both write a few keys in their own
way; here all become one.  Each value is held against the kind it has to have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from convt_cli.errors import FileError, shown
from convt_cli.models.keras.json_text import Fields

_T = TypeVar("_T")

MODELS = ("Functional", "Model", "Sequential")
"""Classes that hold layers; Model is what older versions call Functional."""

_OWN_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras")
"""The modules of Keras's own classes."""

_MOST_DEPTH = 30
"""How deep models are nested in models at most."""


@dataclass(frozen=True, slots=True)
class Tensor:
    """What a call of a layer gives: its output `number`, of the call `call`."""

    layer: str
    call: int
    number: int


@dataclass(frozen=True, slots=True)
class Unread:
    """An argument of a kind that no operator here takes."""

    kind: str


Argument = bool | int | float | str | None | Tensor | Unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """The arguments of one call, lists and tuples of them one after the other."""

    arguments: tuple[Argument, ...]
    named: dict[str, tuple[Argument, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer as it is described.

    `own` says that its class is Keras's own.  A model has `layers`, and a functional one names the
    tensors of `inputs` and `outputs` among them.
    """

    name: str
    kind: str
    own: bool
    config: Fields
    module: str = ""
    calls: tuple[Call, ...] = ()
    layers: tuple[Layer, ...] = ()
    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()

    @property
    def is_model(self) -> bool:
        """Whether it holds layers."""
        return self.own and self.kind in MODELS

    @property
    def is_function(self) -> bool:
        """Whether it is a function on arrays, which Keras does not count as a layer."""
        return ".ops." in self.module

    @property
    def every_layer(self) -> Iterator[Layer]:
        """Its layers, and those of the models among them."""
        for layer in self.layers:
            yield layer
            yield from layer.every_layer


def read_layer(entry: Fields, depth: int = 0) -> Layer:
    """The layer or the model that a mapping describes.  Raises FileError (E405)."""
    kind = field(entry, "class_name", str)
    own = _is_own(entry, kind)
    if depth > _MOST_DEPTH:
        raise _unlike("models are nested at most 30 deep", entry.get("name"))
    if own and kind in MODELS:
        return _model(entry, kind, depth)
    config = field(entry, "config", dict)
    return Layer(
        name=_name(entry, config),
        kind=kind,
        own=own,
        module=_text(entry.get("module")),
        config=config,
        calls=tuple(_calls(entry)),
    )


def _model(entry: Fields, kind: str, depth: int) -> Layer:
    config = entry.get("config")
    if isinstance(config, list):  # a Sequential of the first versions of Keras 2
        config = {"name": "sequential", "layers": config}
    config = field({"config": config}, "config", dict)
    return Layer(
        name=_name(entry, config),
        kind="Sequential" if kind == "Sequential" else "Functional",
        own=True,
        config={key: value for key, value in config.items() if key != "layers"},
        calls=tuple(_calls(entry)),
        layers=tuple(read_layer(one, depth + 1) for one in each(config, "layers")),
        inputs=tuple(_tensors(config.get("input_layers", []))),
        outputs=tuple(_tensors(config.get("output_layers", []))),
    )


def _name(entry: Fields, config: Fields) -> str:
    name = entry.get("name") or config.get("name")
    return name if isinstance(name, str) and name else field(entry, "class_name", str).lower()


def _is_own(entry: Fields, kind: str) -> bool:
    """Whether a class is Keras's own, by the module and the name that it is registered under."""
    registered, module = entry.get("registered_name"), entry.get("module")
    if not isinstance(module, str):  # Keras 2 writes none, and Keras 3 none for other classes
        return registered is None and ">" not in kind
    is_inside = any(module == own or module.startswith(f"{own}.") for own in _OWN_MODULES)
    return is_inside and registered in (None, kind) and ">" not in kind


def _calls(entry: Fields) -> Iterator[Call]:
    nodes = entry.get("inbound_nodes") or []
    for node in field({"inbound_nodes": nodes}, "inbound_nodes", list):
        if isinstance(node, dict):
            named = field(node, "kwargs", dict)
            yield Call(
                arguments=tuple(_flat(field(node, "args", list))),
                named={key: tuple(_flat(value)) for key, value in named.items()},
            )
        else:
            yield _older_call(node)


def _older_call(node: object) -> Call:
    """The call that Keras 2 writes as lists [layer, call, number, other arguments]."""
    entries = [node] if _is_tensor(node) else node
    entries = field({"inbound_nodes": entries}, "inbound_nodes", list)
    named: Fields = {}
    for one in entries:
        if isinstance(one, list) and len(one) > 3 and isinstance(one[3], dict):
            named.update(one[3])
    return Call(
        arguments=tuple(_flat(entries)),
        named={key: tuple(_flat(value)) for key, value in named.items()},
    )


def _flat(value: Any) -> Iterator[Argument]:
    """The arguments in nested lists and mappings, in their order."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        history = field(field(value, "config", dict), "keras_history", list)
        if not _is_tensor(history):
            raise _unlike("a tensor is named by its layer, call and number", history)
        yield Tensor(*history[:3])
    elif isinstance(value, dict) and value.get("class_name") == "__tuple__":
        yield from _flat(value.get("items"))
    elif _is_tensor(value):
        yield _constant(value) if value[0] == "_CONSTANT_VALUE" else Tensor(*value[:3])
    elif isinstance(value, list):
        for one in value:
            yield from _flat(one)
    else:
        yield _scalar(value)


def _constant(value: list[Any]) -> Argument:
    """The number that Keras 2 writes as ["_CONSTANT_VALUE", -1, number, other arguments]."""
    return _scalar(value[2])


def _scalar(value: object) -> Argument:
    is_plain = value is None or isinstance(value, bool | int | float | str)
    return value if is_plain else Unread(type(value).__name__)  # type: ignore[return-value]


def _is_tensor(value: object) -> bool:
    """Whether a value is such as ["conv1", 0, 0]."""
    if not isinstance(value, list) or not 3 <= len(value) <= 4 or not isinstance(value[0], str):
        return False
    if value[0] == "_CONSTANT_VALUE":
        return True
    return all(isinstance(one, int) and not isinstance(one, bool) for one in value[1:3])


def _tensors(value: object) -> Iterator[Tensor]:
    """The tensors in the inputs or outputs of a model, which may be nested."""
    if isinstance(value, dict):
        value = [value[key] for key in sorted(value)]  # Keras's own order
    for one in _flat(value):
        if not isinstance(one, Tensor):
            raise _unlike("the inputs and outputs of a model are its layers'", value)
        yield one


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def field(fields: Fields, name: str, kind: type[_T]) -> _T:
    """The value of a key, which is there and of this kind.  Raises FileError (E405)."""
    value = fields.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise _unlike(f"{name} is a {kind.__name__}", value)
    return value


def each(fields: Fields, name: str) -> list[Fields]:
    """The mappings in the list of a key.  Raises FileError (E405)."""
    return [field({name: entry}, name, dict) for entry in field(fields, name, list)]


def _unlike(rule: str, value: object) -> FileError:
    return FileError(
        "E405",
        f"a Keras model is described as Keras writes it: {rule}",
        value=f"got {shown(value)[:60]}",
        help="save the model again with model.save",
    )
