"""A network in PyTorch's spelling: `nn.Conv2d(3, 64, 7, stride=2); nn.ReLU()`.

The expression is parsed with `ast` and never evaluated.  Each call becomes the node of a layer, at
its place in the text, and from there on it is read as a layer of a YAML spec is.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.errors import GeometryError, shown
from convt_cli.errors.suggestions import suggestion
from convt_cli.spec.calls import Call
from convt_cli.spec.layer_spec import LayerSpec
from convt_cli.spec.layers import LayerReader, note_unknown
from convt_cli.spec.misread import input_warning
from convt_cli.spec.modules import MODULES, Module, require_fitting, stands_for_call
from convt_cli.spec.nodes import Mapping, Node, Scalar, Sequence
from convt_cli.spec.reader import (
    InputOverride,
    NetworkSpec,
    defaults_of,
    framework_of,
    inputs_of,
    name_of,
    overridden,
)
from convt_cli.spec.settings import Settings
from convt_cli.spec.source import Place, Problems
from convt_cli.spec.values import Refusal

_MOST_LETTERS = 2**16
"""Characters of an expression."""

_START = Place(0, 0)

_SEQUENTIAL = "Sequential"
"""The module that is a chain of others."""

_EXAMPLE = "write it as in nn.Conv2d(3, 64, 7); nn.ReLU()"

_TOP_KEYS = ("name", "framework", "opset", "input", "defaults")
"""The keys of a whole spec that settings give to an expression."""


def read_expression(
    text: str, override: InputOverride, settings: Iterable[str]
) -> tuple[NetworkSpec, Problems]:
    """The network that the expression `text` spells, and its problems so far.

    The input has the shape in `override`, and `settings` change values of keys.  Raises SpecError
    where `text` is no expression at all, RequestError for an input with a name.
    """
    problems = Problems(text, text)
    calls = list(_calls(_parsed(problems), problems))
    if not calls and not problems.has_errors:
        problems.add(_START, "E102", "an expression has a layer", value="got none", help=_EXAMPLE)
    changes = Settings(settings, problems)
    root = changes.on_top(Mapping({}, _START))
    note_unknown(root, _TOP_KEYS, problems, "an expression")
    given = overridden(inputs_of(root, problems), override)
    inputs = {name: shape for name, shape in given.items() if shape is not None}
    if not inputs:
        problems.add(
            _START,
            "E102",
            "an expression needs the shape of its input",
            value="got none",
            help="add --input CHANNELS,HEIGHT,WIDTH, as in --input 3,224,224",
        )
    framework = framework_of(root, problems)
    reader = LayerReader(problems, inputs or ["input"], defaults_of(root, problems), changes)
    chain = _Chain(problems, reader, framework, next(iter(inputs.values()), None))
    for call in calls:
        chain.add(call)
    changes.require_layers()
    _warn_of_input(inputs, chain.layers, problems)
    spec = NetworkSpec(
        name=name_of(root, problems) or "network",
        framework=framework,
        inputs=inputs,
        layers=tuple(chain.layers),
        outputs=(),
    )
    return spec, problems


def _parsed(problems: Problems) -> ast.Module:
    """The syntax tree of the text.  Raises SpecError (E001, E002, E007)."""
    text = problems.text
    if len(text) > _MOST_LETTERS:
        problems.add(_START, "E007", f"an expression has at most {_MOST_LETTERS:,} characters")
        raise problems.error()
    wrong = next(
        (at for at, one in enumerate(text) if not (one.isprintable() or one in "\n\t")), -1
    )
    if wrong >= 0:
        value = f"character U+{ord(text[wrong]):04X} at offset {wrong}"
        problems.add(_START, "E001", "an expression holds printable characters only", value=value)
        raise problems.error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of strange escapes in strings
            return ast.parse(text)
    except SyntaxError as error:
        place = Place(max(0, (error.lineno or 1) - 1), max(0, (error.offset or 1) - 1))
        reason = error.msg
    except (RecursionError, MemoryError, ValueError):
        place, reason = _START, "it nests too deeply"
    problems.add(
        place,
        "E002",
        "an expression is calls of modules, with `;` between",
        value=shown(reason),
        help=_EXAMPLE,
    )
    raise problems.error()


def _calls(tree: ast.Module, problems: Problems) -> Iterator[ast.Call]:
    """The calls of layers in their order, those in lists and nn.Sequential too."""
    waiting: list[ast.AST] = list(reversed(tree.body))
    while waiting:
        one = waiting.pop()
        match one:
            case ast.Expr(value=value):
                waiting.append(value)
            case ast.List(elts=parts) | ast.Tuple(elts=parts):
                waiting.extend(reversed(parts))
            case ast.Call(args=parts, keywords=named) if _module_name(one.func) == _SEQUENTIAL:
                waiting.extend(reversed([*parts, *named]))
            case ast.Call(func=function) if _is_dotted(function):
                yield one
            case _:
                part = one.func if isinstance(one, ast.Call) else one
                problems.add(
                    _place(problems, part),
                    "E103",
                    "an expression is calls of modules of torch.nn",
                    value=f"got {shown(_source(problems, part))}",
                    help=_EXAMPLE,
                )


def _is_dotted(function: ast.expr) -> bool:
    """Whether what is called is a name, or names with dots between."""
    while isinstance(function, ast.Attribute):
        function = function.value
    return isinstance(function, ast.Name)


class _Chain:
    """The layers so far, each of which reads the one before; `shape` is what the last gives."""

    def __init__(
        self,
        problems: Problems,
        reader: LayerReader,
        framework: Framework,
        shape: Shape | None,
    ) -> None:
        self.layers: list[LayerSpec] = []
        self._problems = problems
        self._reader = reader
        self._framework = framework
        self._shape = shape

    def add(self, call: ast.Call) -> None:
        """Read one more layer; what is wrong with it is noted, and the shape then not known."""
        try:
            layer = self._layer(call)
        except Refusal as refusal:
            refusal.note(self._problems)
            layer = None
        self._shape = _output(layer, self._shape, self._framework)
        if layer is not None:
            self.layers.append(layer)

    def _layer(self, call: ast.Call) -> LayerSpec | None:
        """The layer of a call; None where its source is not known.  Raises Refusal."""
        name, module = _module_of(self._problems, call)
        arguments = _arguments(self._problems, call, module)
        if self._shape is None:
            return None
        place = _place(self._problems, call.func)
        given = {key: one for key, one in arguments.items() if not _is_none(one)}
        here = Call(name=f"nn.{name}", arguments=given, place=place, source=self._shape)
        require_fitting(module, here)
        keys = {key: given[own] for own, key in module.keys.items() if own in given}
        keys |= module.further(here) if module.further is not None else {}
        if stands_for_call(module, here):
            keys["stands_for"] = _scalar(_source(self._problems, call)[:200], place)
        # a flatten of some of the axes is a reshape
        layer_type = "reshape" if "shape" in keys else module.type
        return self._reader.read(_mapping(layer_type, keys, place))


def _output(layer: LayerSpec | None, source: Shape | None, framework: Framework) -> Shape | None:
    """The shape that a layer gives; None where it is not known."""
    if layer is None or layer.definition is None or source is None:
        return None
    try:
        return layer.definition.resolve((source,), framework).output
    except GeometryError:  # noted when the network is resolved
        return None


def _module_of(problems: Problems, call: ast.Call) -> tuple[str, Module]:
    """The name of the module that is called, and what it is.  Raises Refusal (E104)."""
    name = _module_name(call.func)
    if name in MODULES:
        return name, MODULES[name]
    own = name or _source(problems, call.func)
    raise Refusal(
        _place(problems, call.func),
        "E104",
        "unknown module of torch.nn",
        f"got '{shown(own)}'",
        suggestion(own, [*MODULES, _SEQUENTIAL]),
    )


def _module_name(function: ast.expr) -> str:
    """The name of a module without `nn.` or `torch.nn.`; "" for what is none."""
    match function:
        case ast.Name(id=name):
            return name
        case ast.Attribute(attr=name, value=ast.Name(id="nn")):
            return name
        case ast.Attribute(attr=name, value=ast.Attribute(attr="nn", value=ast.Name(id="torch"))):
            return name
    return ""


def _arguments(problems: Problems, call: ast.Call, module: Module) -> dict[str, Node]:
    """The arguments of a call by their names.  Raises Refusal (E101, E102, E103, E105)."""
    name = _module_name(call.func)
    found: dict[str, Node] = {}
    if len(call.args) > len(module.arguments):
        raise Refusal(
            _place(problems, call.args[len(module.arguments)]),
            "E103",
            f"nn.{name} takes at most {len(module.arguments)} arguments",
            f"got {len(call.args)}",
        )
    named: list[tuple[str | None, ast.expr, ast.AST]] = [
        *((key, value, value) for key, value in zip(module.arguments, call.args)),
        *((one.arg, one.value, one) for one in call.keywords),
    ]
    for key, value, whole in named:
        place = _place(problems, whole)
        if key not in module.arguments:
            own = key or _source(problems, whole)
            hint = suggestion(own, list(module.arguments)) if module.arguments else ""
            raise Refusal(place, "E101", f"unknown argument of nn.{name}", f"got '{own}'", hint)
        if key in found:
            raise Refusal(place, "E005", "an argument is given once", f"'{key}' is given twice")
        found[key] = _value(problems, value)
    for key in module.arguments[: module.required]:
        given = found.get(key)
        if given is None or _is_none(given):
            place = _place(problems, call.func) if given is None else given.place
            raise Refusal(place, "E102", f"nn.{name} needs {key}", "got none", f"add {key}=")
    return found


def _value(problems: Problems, value: ast.expr) -> Node:
    """A number, a word, True, False, None, or a list of these.  Raises Refusal (E103)."""
    place = _place(problems, value)
    match value:
        case ast.Constant(value=bool() | int() | float() | str() | None as constant):
            text = constant if isinstance(constant, str) else _source(problems, value)
            return Scalar(constant, text, place)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return Scalar(-number, _source(problems, value), place)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return Sequence([_value(problems, one) for one in parts], place)
    raise Refusal(
        place,
        "E103",
        "an argument is a number, a word, True, False, None or a list of these",
        f"got {shown(_source(problems, value))}",
        "nothing is computed: write the number",
    )


def _is_none(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _mapping(layer_type: str, keys: dict[str, Node], place: Place) -> Mapping:
    """The node of a layer, as a YAML spec would have it."""
    entries = {"type": _scalar(layer_type, place), **keys}
    return Mapping({key: (_scalar(key, place), node) for key, node in entries.items()}, place)


def _scalar(text: str, place: Place) -> Scalar:
    return Scalar(text, text, place)


def _place(problems: Problems, node: ast.AST) -> Place:
    """The place of a part of the text; `ast` counts columns in bytes."""
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
    line = _lines(problems.text)[first - 1]
    begin = len(line[: getattr(node, "col_offset", 0)].decode(errors="ignore"))
    end = len(line[: getattr(node, "end_col_offset", 0)].decode(errors="ignore"))
    return Place(first - 1, begin, max(1, end - begin) if first == last else 1)


def _source(problems: Problems, node: ast.AST) -> str:
    """The text of a part, on one line."""
    first, last = getattr(node, "lineno", 1), getattr(node, "end_lineno", 1)
    lines = list(_lines(problems.text)[first - 1 : last])
    lines[-1] = lines[-1][: getattr(node, "end_col_offset", None)]
    lines[0] = lines[0][getattr(node, "col_offset", 0) :]
    return " ".join(b" ".join(lines).decode().split())


@lru_cache(maxsize=1)
def _lines(text: str) -> tuple[bytes, ...]:
    """The lines of a text in UTF-8, in which `ast` counts columns."""
    return tuple(line.encode() for line in text.split("\n"))


def _warn_of_input(inputs: dict[str, Shape], layers: list[LayerSpec], problems: Problems) -> None:
    """Note a warning (W001, W002) for an input that is likely meant in another order."""
    for name, shape in inputs.items():
        found = input_warning(name, shape, layers, "")
        if found is not None:
            problems.add(_START, found.code, found.message, value=found.value, help=found.help)
