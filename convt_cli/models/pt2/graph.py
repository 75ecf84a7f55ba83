"""The graph of a `.pt2` file as plain values: nodes, their arguments, sizes, names of weights.

A graph checks itself when it is read: whatever a node reads is an input, a weight, or given by a
node before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from convt_cli.errors import FileError, shown
from convt_cli.models.inputs import Input
from convt_cli.models.pt2.archive import Archive
from convt_cli.models.pt2.fields import Fields, each, field, read_json, union

_MAJOR = 8
"""The version of the schema that is read; a newer minor one adds to it and changes nothing."""

_LIBRARY = ("/site-packages/", "/dist-packages/", "/torch/nn/")
"""Parts of the paths of files in which no line of the model's own code stands."""


@dataclass(frozen=True, slots=True)
class Reference:
    """An argument that is the value of this name in the graph."""

    name: str


@dataclass(frozen=True, slots=True)
class Unread:
    """An argument of a kind that no operator here takes, such as a graph."""

    kind: str


Scalar = bool | int | float | str | None
Argument = Scalar | Reference | Unread | tuple[Scalar | Reference | Unread, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Constant:
    """A tensor that no input decides on, of these sizes.

    `key` is its name in the file, None for one that is computed.  It is the tensor `key` with its
    `axes` in that order, if they are in another one, and with `is_reshaped` then in the shape
    `sizes`.  `is_parameter`: it is trained.
    """

    sizes: tuple[int, ...]
    key: str | None = None
    is_parameter: bool = False
    axes: tuple[int, ...] | None = None
    is_reshaped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One operation.  `operator` is such as `conv2d`, those of other libraries are LIBRARY.NAME.

    `changes_in_place` says that it writes its result over its first argument.  `module` is the
    path of the module of torch.nn that it belongs to, "" for none, and `call` tells one call of a
    module from the next.  `place` is the line of the model's own code, "" where none is recorded.
    """

    name: str
    operator: str
    changes_in_place: bool
    arguments: Mapping[str, Argument]
    outputs: tuple[str, ...]
    module: str
    call: str
    place: str
    inner: int = 0

    @property
    def reads(self) -> tuple[str, ...]:
        """The names of all values that it depends on."""
        return tuple(_names_in(self.arguments.values()))

    @property
    def title(self) -> str:
        """The node's name and operator, and its line where that is recorded, for a message."""
        where = f" at {shown(self.place)}" if self.place else ""
        return f"node '{shown(self.name)}' ({shown(self.operator)}){where}"


def _names_in(arguments: Any) -> Iterator[str]:
    for value in arguments:
        if isinstance(value, Reference):
            yield value.name
        elif isinstance(value, tuple):
            yield from _names_in(value)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """A model: its inputs, weights and nodes.

    `sizes` are those of every tensor by its name, for the example that the model was exported with;
    `others` are the names of inputs that are no tensors.
    """

    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Constant]
    nodes: tuple[Node, ...]
    sizes: Mapping[str, tuple[int | None, ...]]
    producer: str
    others: tuple[str, ...] = ()

    @cached_property
    def needed(self) -> tuple[Node, ...]:
        """The nodes on which outputs depend, in their order."""
        wanted = set(self.outputs)
        found = []
        for node in reversed(self.nodes):
            if wanted.intersection(node.outputs):
                wanted.update(node.reads)
                found.append(node)
        return tuple(reversed(found))


def read_graph(archive: Archive) -> Graph:
    """The graph of an open archive.  Raises FileError (E405), RequestError (E501)."""
    program = read_json(archive, "models/model.json")
    _require_version(program)
    module = field(program, "graph_module", dict)
    signature, graph = field(module, "signature", dict), field(module, "graph", dict)
    metas = field(graph, "tensor_values", dict)
    sizes = {name: _sizes(field(metas, name, dict)) for name in metas}
    specs = [union(entry) for entry in each(signature, "input_specs")]
    version = program.get("torch_version")
    found = Graph(
        inputs=tuple(_inputs(specs, sizes)),
        outputs=tuple(_outputs(signature)),
        constants=dict(_constants(specs, sizes)),
        nodes=tuple(_node(entry) for entry in each(graph, "nodes")),
        sizes=sizes,
        producer=f"PyTorch {version}" if isinstance(version, str) and version else "PyTorch",
        others=tuple(_names_of_others(specs)),
    )
    _require_given(found)
    return found


def _require_version(program: Fields) -> None:
    """Raise FileError (E405) for a version of the schema that is not known."""
    version = field(program, "schema_version", dict)
    major, minor = field(version, "major", int), field(version, "minor", int)
    if major != _MAJOR:
        newer = major > _MAJOR
        raise FileError(
            "E405",
            f"convt reads version {_MAJOR} of the schema of .pt2 files",
            value=f"this one has version {major}.{minor}",
            help="use a newer convt" if newer else "save it again with PyTorch 2.9 or newer",
        )


def _sizes(meta: Fields) -> tuple[int | None, ...]:
    """The sizes of a tensor; None for one that is open and has no example."""
    return tuple(_integer(entry) for entry in each(meta, "sizes"))


def _integer(entry: Fields) -> int | None:
    """An integer, or the example of one that is open."""
    kind, value = union(entry)
    if kind == "as_expr" and isinstance(value, dict):
        hint = value.get("hint")
        kind, value = union(hint) if isinstance(hint, dict) else ("as_int", None)
    is_integer = kind == "as_int" and isinstance(value, int) and not isinstance(value, bool)
    return value if is_integer else None


def _inputs(specs: list[tuple[str, Any]], sizes: Mapping[str, Any]) -> Iterator[Input]:
    for kind, value in specs:
        if kind == "user_input":
            argument = _argument(field(field({kind: value}, kind, dict), "arg", dict))
            if isinstance(argument, Reference):
                yield Input(name=argument.name, shape=sizes.get(argument.name))


def _outputs(signature: Fields) -> Iterator[str]:
    for kind, value in map(union, each(signature, "output_specs")):
        if kind in ("user_output", "loss_output"):
            argument = field(field({kind: value}, kind, dict), "arg", dict)
            found = _argument(argument if kind == "user_output" else {"as_tensor": argument})
            if isinstance(found, Reference):
                yield found.name


_NAMED = {
    "parameter": "parameter_name",
    "buffer": "buffer_name",
    "tensor_constant": "tensor_constant_name",
}
"""The field that names a tensor in the file, by the kind of the graph's input that it is."""


def _constants(
    specs: list[tuple[str, Any]], sizes: Mapping[str, tuple[int | None, ...]]
) -> Iterator[tuple[str, Constant]]:
    for kind, value in specs:
        if kind in _NAMED:
            spec = field({kind: value}, kind, dict)
            name = field(field(spec, "arg", dict), "name", str)
            known = tuple(size or 0 for size in sizes.get(name, ()))
            key = field(spec, _NAMED[kind], str)
            yield name, Constant(sizes=known, key=key, is_parameter=kind == "parameter")


def _require_given(graph: Graph) -> None:
    """Raise FileError (E405) where something is read that is not given before."""
    given = {one.name for one in graph.inputs} | set(graph.constants)
    given.update(graph.others)
    for node in graph.nodes:
        _require(node.reads, given, f"what {node.title} reads")
        given.update(node.outputs)
    _require(graph.outputs, given, "an output of the model")


def _names_of_others(specs: list[tuple[str, Any]]) -> Iterator[str]:
    """The names of inputs that are no tensors."""
    for kind, value in specs:
        if kind not in (*_NAMED, "user_input") and isinstance(value, dict):
            argument = value.get("arg")
            name = argument.get("name") if isinstance(argument, dict) else value.get("name")
            if isinstance(name, str):
                yield name


def _require(names: tuple[str, ...], given: set[str], what: str) -> None:
    for name in names:
        if name not in given:
            raise FileError(
                "E405",
                f"{what} is given by the model before",
                value=f"'{shown(name)}' is not",
                help="export the model again",
            )


def _node(entry: Fields) -> Node:
    arguments = {
        field(one, "name", str): _argument(field(one, "arg", dict)) for one in each(entry, "inputs")
    }
    outputs = tuple(_names_in(_argument(one) for one in each(entry, "outputs")))
    metadata = field(entry, "metadata", dict)
    name = entry.get("name")
    operator = _operator(field(entry, "target", str))
    module, call = _module(metadata.get("nn_module_stack"))
    in_place = operator.endswith("_") and not operator.startswith("_")
    return Node(
        name=name if isinstance(name, str) and name else next(iter(outputs), operator),
        operator=operator.removesuffix("_") if in_place else operator,
        changes_in_place=in_place,
        arguments=arguments,
        outputs=outputs,
        module=module,
        call=call,
        place=_place(metadata.get("stack_trace")),
    )


def _operator(target: str) -> str:
    """The name of an operator as messages show it, without its overload.

    >>> _operator("torch.ops.aten.conv2d.padding"), _operator("torch.ops.torchvision.nms.default")
    ('conv2d', 'torchvision.nms')
    """
    parts = target.removeprefix("torch.ops.").split(".")
    if len(parts) < 3 or not target.startswith("torch.ops."):
        return target
    return parts[1] if parts[0] == "aten" else ".".join(parts[:2])


def _module(stack: object) -> tuple[str, str]:
    """(path, call) of the innermost module, if it is one of torch.nn's own; else ("", "").

    A stack is `key,path,class` of every module, the outermost first, with `;` between.
    """
    last = stack.split(";")[-1] if isinstance(stack, str) else ""
    key, _, rest = last.partition(",")
    path, _, kind = rest.rpartition(",")
    if not kind.startswith("torch.nn.modules.") or ".container." in kind:
        return "", ""
    return path.partition("@")[0], key


def _place(trace: object) -> str:
    """`FILE:LINE` of the innermost line of the model's own code in a stack trace."""
    lines = trace.splitlines() if isinstance(trace, str) else []
    for line in reversed(lines):
        file, quote, rest = line.strip().removeprefix('File "').partition('", line ')
        number = rest.partition(",")[0]
        if quote and number.isdigit() and not any(part in file for part in _LIBRARY):
            return f"{file}:{number}"
    return ""


def _argument(entry: Fields) -> Argument:
    """The value of an argument, by its kind."""
    kind, value = union(entry)
    match kind:
        case "as_none":
            return None
        case "as_tensor" | "as_sym_int" | "as_sym_float" | "as_sym_bool" | "as_optional_tensor":
            return _single(field(entry, kind, dict))
        case "as_tensors" | "as_sym_ints" | "as_sym_floats" | "as_optional_tensors":
            return tuple(_single(one) for one in each(entry, kind))
        case "as_int" | "as_float" | "as_bool" | "as_string" | "as_scalar_type":
            return value if isinstance(value, bool | int | float | str) else Unread(kind)
        case "as_ints" | "as_floats":
            return tuple(map(_number, field(entry, kind, list)))
    return Unread(kind)


def _number(value: object) -> Scalar | Unread:
    return value if isinstance(value, int | float) else Unread(type(value).__name__)


def _single(entry: Fields) -> Scalar | Reference | Unread:
    """A tensor, or a number that is open or known."""
    if "name" in entry:
        return Reference(field(entry, "name", str))
    kind, value = union(entry)
    match kind, value:
        case "as_name", str():
            return Reference(value)
        case "as_tensor", dict():
            return Reference(field(value, "name", str))
        case "as_none", _:
            return None
        case (("as_int" | "as_float" | "as_bool"), bool() | int() | float()):
            return value
    return Unread(kind)
