"""From the text of a spec to a `NetworkSpec`: the keys at its top, and the layers under them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping as Named
from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, Framework, at_opset
from convt_cli.arithmetic.keys import LARGEST, EarlierLayer, EarlierShape
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.layers.base import MAX_RANK, unsupported_key
from convt_cli.errors import RequestError, shown
from convt_cli.errors.suggestions import closest, suggestion
from convt_cli.spec.layer_spec import LayerSpec, fields_of
from convt_cli.spec.layers import KeyValues, LayerReader, note_unknown, optional, read_keys
from convt_cli.spec.misread import input_warning
from convt_cli.spec.nodes import Mapping, Node, Sequence, describe, parse
from convt_cli.spec.settings import Settings
from convt_cli.spec.source import Problems
from convt_cli.spec.values import (
    Refusal,
    of_wrong_kind,
    read_integer,
    read_name,
    read_sizes,
    read_word,
)

TOP_KEYS = ("name", "framework", "opset", "input", "outputs", "defaults", "layers")

DEFAULT_INPUT = "input"
"""The name by which layers call an input that has none."""

DEFAULT_FRAMEWORK = "pytorch"

InputOverride = Named[str, Shape]
"""Shapes by the name of the input; "" stands for the only input of a spec."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSpec:
    """A spec as written; inputs and layers that could not be read are left out.

    `outputs` names the layers that give its outputs; empty where the last layer does.
    """

    name: str
    framework: Framework
    inputs: dict[str, Shape]
    layers: tuple[LayerSpec, ...]
    outputs: tuple[str, ...]


def read(
    problems: Problems, stem: str, override: InputOverride, settings: Iterable[str] = ()
) -> NetworkSpec:
    """The spec in `problems.text`; its name is `stem` if it has none of its own.

    The shapes in `override` replace those of the spec's inputs, and `settings`, such as
    `conv1.stride=2`, values of its keys.  Raises SpecError where the text
    is no mapping in YAML at all, RequestError for an input that the spec does not have; all else
    is noted in `problems`.
    """
    changes = Settings(settings, problems)
    root = changes.on_top(_root(problems))
    note_unknown(root, TOP_KEYS, problems, "a spec")
    if not override:
        _note_missing(root, "input", problems, "input: [channels, height, width]")
    _note_missing(root, "layers", problems, "a list of layers")
    inputs = overridden(inputs_of(root, problems), override)
    layers = LayerReader(problems, inputs, defaults_of(root, problems), changes)
    found = [layers.read(node) for node in optional(problems, root, "layers", _layers) or ()]
    changes.require_layers()
    spec = NetworkSpec(
        name=name_of(root, problems) or stem,
        framework=framework_of(root, problems),
        inputs={name: shape for name, shape in inputs.items() if shape is not None},
        layers=tuple(layer for layer in found if layer is not None),
        outputs=optional(problems, root, "outputs", layers.read_outputs) or (),
    )
    _warn_of_inputs(root, spec, override, problems)
    return spec


def _root(problems: Problems) -> Mapping:
    """The mapping at the top of the spec.  Raises SpecError."""
    root = parse(problems)
    if isinstance(root, Mapping):
        return root
    problems.add(
        root.place,
        "E008",
        "a spec is a mapping with input and layers",
        value=f"got {describe(root)}",
        help="begin with `input: [3, 224, 224]`",
    )
    raise problems.error()


def name_of(root: Mapping, problems: Problems) -> str | None:
    """The name that the spec gives itself; None without one."""
    return optional(problems, root, "name", _name)


def _name(node: Node) -> str:
    return read_name(node, "name")


def framework_of(root: Mapping, problems: Problems) -> Framework:
    """The framework that the spec names, else pytorch; onnx's has the spec's opset."""
    name = optional(problems, root, "framework", _framework_name) or DEFAULT_FRAMEWORK
    framework = FRAMEWORKS[name]
    opset = optional(problems, root, "opset", _opset)
    if opset is None:
        return framework
    if framework.opset is None:
        error = unsupported_key("opset", opset, framework)
        place = root.entries["opset"][1].place
        problems.add(place, error.code, error.message, value=error.value, help=error.help)
        return framework
    return at_opset(framework, opset)


def _framework_name(node: Node) -> str:
    return read_word(node, "framework", FRAMEWORKS)


def _opset(node: Node) -> int:
    return read_integer(node, "opset", 1)


def _layers(node: Node) -> list[Node]:
    """The nodes of the layers.  Raises Refusal (E103)."""
    if not isinstance(node, Sequence) or not node.items:
        raise of_wrong_kind(node, "layers is a list with at least one layer")
    return node.items


def inputs_of(root: Mapping, problems: Problems) -> dict[str, Shape | None]:
    """The shapes of the inputs by name, in order; None for one that was refused."""
    if "input" not in root.entries:
        return {}
    node = root.entries["input"][1]
    if not isinstance(node, Mapping):
        return {DEFAULT_INPUT: optional(problems, root, "input", _input_shape)}
    if not node.entries:
        of_wrong_kind(node, "input names at least one shape").note(problems)
    return {name: optional(problems, node, name, _input_shape) for name in node.entries}


def _input_shape(node: Node) -> Shape:
    """(channels, *spatial) of an input.  Raises Refusal (E103, E107, E119)."""
    shape = read_sizes(node, "input", 1)
    if len(shape) > MAX_RANK + 1:
        raise Refusal(
            node.place,
            "E119",
            f"input is [channels, *spatial] with 0 to {MAX_RANK} spatial axes",
            f"got {len(shape)} sizes",
            "leave the batch axis out",
        )
    return shape


def overridden(own: dict[str, Shape | None], override: InputOverride) -> dict[str, Shape | None]:
    """`own` with the shapes of `override` in place of its own.  Raises RequestError (E503)."""
    inputs = dict(own)
    for name, shape in override.items():
        _require_shape(shape)
        only = next(iter(own), DEFAULT_INPUT)
        if name == "" and only in override:
            raise RequestError(
                "E503",
                f"the shape of the input '{only}' is given twice",
                value="got it with its name and without",
                help="give it once",
            )
        if name == "" and len(own) <= 1:
            inputs[only] = _of_same_rank(shape, own.get(only), name)
        elif name in own:
            inputs[name] = _of_same_rank(shape, own[name], name)
        else:
            raise RequestError(
                "E503",
                f"the spec has no input '{name}'" if name else "the spec has several inputs",
                value=f"its inputs are {', '.join(own) or 'none'}",
                help=f"write --input {_named(closest(name, [*own]), own)}{_joined(shape)}",
            )
    return inputs


def _of_same_rank(shape: Shape, own: Shape | None, name: str) -> Shape:
    """`shape`, if it has as many axes as the spec's own.  Raises RequestError (E503)."""
    if own is None or len(shape) == len(own):
        return shape
    example = own  # for the help: what was likely meant
    if len(shape) == len(own) - 1:
        example = (own[0], *shape)  # the channels were left out
    elif len(shape) == len(own) + 1 and shape[0] == 1:
        example = shape[1:]  # with a batch axis
    named = f"{name}=" if name else ""
    raise RequestError(
        "E503",
        "an input keeps the number of axes that the spec gives it",
        value=f"got {list(shape)} in place of {list(own)}",
        help=f"write all of [channels, *spatial]: --input {named}{_joined(example)}",
    )


def _joined(shape: Shape) -> str:
    """A shape as --input takes it."""
    return ",".join(map(str, shape))


def _named(name: str | None, own: Iterable[str]) -> str:
    """`NAME=` for --input, with the first input's name for None; "" if the spec has no input."""
    first = next(iter(own), "")
    return f"{name or first}=" if first else ""


def _warn_of_inputs(
    root: Mapping, spec: NetworkSpec, override: InputOverride, problems: Problems
) -> None:
    """Note a warning (W001, W002) for every input that is likely meant in another order.

    It points at the input's own shape, else at `input`, else at the spec.
    """
    node = root.entries["input"][1] if "input" in root.entries else root
    nodes = node.entries if isinstance(node, Mapping) and node is not root else {}
    for name, shape in spec.inputs.items():
        flag = f"{name}=" if name in override else "" if "" in override else None
        found = input_warning(name, shape, spec.layers, flag)
        if found is not None:
            place = nodes[name][1].place if name in nodes else node.place
            problems.add(place, found.code, found.message, value=found.value, help=found.help)


def _require_shape(shape: Shape) -> None:
    """Raise RequestError (E503) for an override that is no shape of an input."""
    sizes = [size for size in shape if isinstance(size, int) and 1 <= size <= LARGEST]
    if len(sizes) != len(shape) or not 1 <= len(sizes) <= MAX_RANK + 1:
        raise RequestError(
            "E503",
            f"an input is [channels, *spatial] with 0 to {MAX_RANK} spatial axes",
            value=f"got {shown(shape)}",
            help="give positive integers, without a batch axis",
        )


def defaults_of(root: Mapping, problems: Problems) -> dict[str, KeyValues]:
    """The values under `defaults`, by layer type."""
    if "defaults" not in root.entries:
        return {}
    node = root.entries["defaults"][1]
    if not isinstance(node, Mapping):
        of_wrong_kind(node, "defaults is a mapping of layer types to keys").note(problems)
        return {}
    found = {}
    for name, (key, entry) in node.entries.items():
        if name not in LAYER_TYPES:
            problems.add(
                key.place,
                "E104",
                "unknown type",
                value=f"got '{shown(name)}'",
                help=suggestion(name, list(LAYER_TYPES)),
            )
        elif not isinstance(entry, Mapping):
            of_wrong_kind(entry, f"the defaults of {name} are a mapping").note(problems)
        else:
            note_unknown(entry, fields_of(name), problems, f"the defaults of {name}")
            found[name] = read_keys(entry, name, problems, None, no_layer_yet)
    return found


def no_layer_yet(node: Node, field: str, _kind: EarlierLayer | EarlierShape) -> None:
    """Refuse a default that names a layer: it stands in front of all of them."""
    raise Refusal(node.place, "E108", f"{field} names a layer, which no default can")


def _note_missing(node: Mapping, key: str, problems: Problems, what: str) -> None:
    """Note a problem if `node` lacks `key`; the help is to add `what`."""
    if key not in node.entries:
        problems.add(
            node.place, "E102", f"a spec needs {key}", value="got none", help=f"add {what}"
        )
