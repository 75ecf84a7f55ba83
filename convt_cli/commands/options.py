"""Options and argument types that commands share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.keys import LARGEST
from convt_cli.arithmetic.layers.base import MAX_RANK
from convt_cli.errors import ArrayError, shown
from convt_cli.io.reading import STDIN
from convt_cli.io.writing import require_writable

TABLE_FORMATS = ("text", "json", "csv", "markdown")
"""What --format can be where a command prints a table: text, and the keys of `RENDERERS`."""

SUFFIXES = {
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".mmd": "mermaid",
    ".dot": "dot",
}
"""The formats that the suffix of an output names where --format does not."""
GRAPH_FORMATS = ("mermaid", "dot")
"""What --format can be beside these where a network is drawn: the keys of `GRAPH_RENDERERS`."""

_F = TypeVar("_F", bound=Callable[..., Any])
_Inputs = tuple[tuple[str, Shape], ...]
_MOST_VALUES = 100_000  # integers that one option can stand for
_PARTIAL, _OUTSIDE, _SETTINGS = "convt.partial", "convt.allow_outside", "convt.settings"
"""Where a command's context keeps the options that say how specs are read."""


class Reading(NamedTuple):
    """How the running command reads specs and models."""

    partial: bool
    allow_outside: bool
    settings: tuple[str, ...]


def reading() -> Reading:
    """What --partial, --allow-outside and --set say to the running command."""
    kept = click.get_current_context().meta
    return Reading(
        partial=kept.get(_PARTIAL, False),
        allow_outside=kept.get(_OUTSIDE, False),
        settings=kept.get(_SETTINGS, ()),
    )


def _kept_as(key: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback that keeps an option's value for `reading`."""

    def keep(context: click.Context, _: click.Parameter, value: Any) -> Any:
        context.meta[key] = value
        return value

    return keep


def input_shape(text: str) -> tuple[str, Shape]:
    """(name, shape) of `name=3,224,224`; the name is "" for `3,224,224` alone."""
    name, _, sizes = text.rpartition("=")
    if not re.fullmatch(rf"[0-9]{{1,16}}(,[0-9]{{1,16}}){{0,{MAX_RANK}}}", sizes):
        raise click.BadParameter(f"'{shown(text)}' is not [channels, *spatial], as in 3,224,224")
    shape = tuple(int(size) for size in sizes.split(","))
    if not 1 <= min(shape) <= max(shape) <= LARGEST:
        raise click.BadParameter("sizes are at least 1 and at most 2^53")
    return name, shape


def _each_once(_context: object, _parameter: object, inputs: _Inputs) -> _Inputs:
    names = [name for name, _ in inputs]
    for name in names:
        if names.count(name) > 1:
            raise click.BadParameter(f"the shape of {shown(name) or 'the input'} is given twice")
    return inputs


def integers(minimum: int) -> Callable[[str], list[int]]:
    """An option's type: integers of at least `minimum`, as `3`, `1,2`, `4..8` or a mixture."""

    def read(text: str) -> list[int]:
        numbers: list[int] = []
        for part in text.split(","):
            match = re.fullmatch(r"([0-9]{1,16})(?:\.\.([0-9]{1,16}))?", part.strip())
            if match is None:
                raise click.BadParameter(
                    f"'{shown(part)}' is neither an integer nor a range as in 4..8"
                )
            first, last = int(match[1]), int(match[2] or match[1])
            if not minimum <= first <= last <= LARGEST:
                rule = f"integers from {minimum} to 2^53, and ranges that go upwards"
                raise click.BadParameter(f"{part} is not among {rule}")
            if len(numbers) + last - first >= _MOST_VALUES:
                raise click.BadParameter(f"these are more than {_MOST_VALUES:,} values")
            numbers.extend(range(first, last + 1))
        return numbers

    return read


def spec_argument(function: _F) -> _F:
    """The argument SPEC, and the options that say how it is read."""
    return click.argument("spec", metavar="SPEC")(reading_options(function))


def specs_argument(*, required: bool) -> Callable[[_F], _F]:
    """The argument SPEC..., any number of specs, and the options that say how they are read."""
    argument = click.argument(
        "specs", nargs=-1, required=required, metavar="SPEC..." if required else "[SPEC]..."
    )
    return lambda function: argument(reading_options(function))


def reading_options(
    function: _F, *, set_help: str = "Give a key of the spec, or of a layer, this value."
) -> _F:
    """--set and --partial, for `reading` alone."""
    partial = click.option(
        "--partial",
        is_flag=True,
        expose_value=False,
        callback=_kept_as(_PARTIAL),
        help="Of a model, leave out what a spec cannot say.",
    )
    setting = click.option(
        "--set",
        multiple=True,
        expose_value=False,
        callback=_kept_as(_SETTINGS),
        metavar="[LAYER.]KEY=VALUE",
        help=set_help,
    )
    return setting(partial(function))


def input_option(function: _F) -> _F:
    """--input, as a tuple of (name, shape)."""
    return click.option(
        "--input",
        "inputs",
        type=input_shape,
        multiple=True,
        callback=_each_once,
        metavar="[NAME=]C,H,W",
        help="Use this input shape instead of the spec's.",
    )(function)


def layer_option(function: _F) -> _F:
    """--layer, which chooses one of several convolutions."""
    return click.option("--layer", metavar="NAME", help="The layer; needed if there are several.")(
        function
    )


def array_argument(function: _F) -> _F:
    """The argument ARRAY, an array file."""
    return click.argument("array", metavar="ARRAY")(function)


def output_array_option(*, required: bool) -> Callable[[_F], _F]:
    """-o, an array file."""
    return click.option(
        "-o", "--output", metavar="OUT", required=required, help="The array file to write."
    )


def layout_option(*layouts: str, arrays: str = "ARRAY and OUT") -> Callable[[_F], _F]:
    """--layout of the `arrays`, one of `layouts`; the first is the default."""
    return click.option(
        "--layout",
        type=click.Choice(layouts),
        default=layouts[0],
        show_default=True,
        help=f"Where {arrays} have their channels.",
    )


def require_one_stdin(first: str, second: str | None, name: str, *, of: str = "SPEC") -> None:
    """Raise a usage error where the arguments called `of` and `name` are both standard input."""
    if first == second == STDIN:
        raise click.UsageError(f"standard input can be {of} or {name}, not both")


def unit(text: str) -> Shape:
    """(channel, *position) of `7,3,12`."""
    if not re.fullmatch(rf"[0-9]{{1,16}}(,[0-9]{{1,16}}){{0,{MAX_RANK}}}", text):
        raise click.BadParameter(f"'{shown(text)}' is not channel,*position, as in 7,3,12")
    return tuple(int(number) for number in text.split(","))


def unit_option(*, required: bool, help: str) -> Callable[[_F], _F]:
    """--unit, one element of a layer's output."""
    return click.option("--unit", type=unit, metavar="C,Y,X", required=required, help=help)


def format_option(*formats: str) -> Callable[[_F], _F]:
    """--format, as `output_format`."""
    return click.option(
        "--format",
        "output_format",
        type=click.Choice(formats or TABLE_FORMATS),
        default="text",
        show_default=True,
        help="The format to print in.",
    )


def dtype_option(*dtypes: str) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """--dtype; an error that another of `dtypes` would avoid names that as its remedy."""
    option = click.option("--dtype", type=click.Choice(dtypes), help="Compute in this dtype.")

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        @wraps(function)
        def named(**values: Any) -> int:
            try:
                return function(**values)
            except ArrayError as error:
                if error.dtype in dtypes:
                    error.help = f"pass --dtype {error.dtype}"
                raise

        return option(named)

    return decorate


def output_options(function: Callable[..., int]) -> Callable[..., int]:
    """-o and --force, for a table that otherwise goes to standard output."""

    @wraps(function)
    def checked(**values: Any) -> int:
        require_writable(values["output"], force=values["force"])
        if "output_format" in values:
            values["output_format"] = _format_of(values["output"], values["output_format"])
        return function(**values)

    option = click.option(
        "-o", "--output", metavar="FILE", help="Write to FILE, whole or not at all."
    )
    return option(force_option(checked))


def _format_of(output: str | None, given: str) -> str:
    """The format of the running command: the one `given` by --format, or that of the suffix.

    Raises a usage error where they contradict each other.
    """
    context = click.get_current_context()
    (option,) = (one for one in context.command.params if one.name == "output_format")
    named = SUFFIXES.get(os.path.splitext(output or "")[1].lower())
    formats = option.type.choices if isinstance(option.type, click.Choice) else ()
    if named is None or named not in formats:
        return given
    if context.get_parameter_source("output_format") is ParameterSource.DEFAULT:
        return named
    if named != given:
        raise click.UsageError(
            f"a file called {shown(output)} is {named}, and --format says {given}: "
            "leave --format out, or give the file another suffix"
        )
    return given


def force_option(function: _F) -> _F:
    """--force, without which no existing file is replaced."""
    return click.option("--force", is_flag=True, help="Replace an existing file.")(function)


def outside_option(function: _F) -> _F:
    """--allow-outside, without which weight files must lie in the spec's folder, for `reading`."""
    return click.option(
        "--allow-outside",
        is_flag=True,
        expose_value=False,
        callback=_kept_as(_OUTSIDE),
        help="Let weight files lie outside the spec's folder.",
    )(function)


def model_outside_option(function: _F) -> _F:
    """--allow-outside of a command that reads no weights, for `reading` alone."""
    return click.option(
        "--allow-outside",
        is_flag=True,
        expose_value=False,
        callback=_kept_as(_OUTSIDE),
        help="Let a model's data lie outside the model's folder.",
    )(function)
