"""Opening any network: a model file of any registered format, or else a spec.

Tests are in tests/models/test_load.py.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import Network
from convt_cli.errors import Diagnostic, FileError, SpecError, shown
from convt_cli.io.stand_ins import telling_stand_ins
from convt_cli.models.foreign import require_no_torch, require_spec
from convt_cli.models.formats import FORMATS, Format, is_model
from convt_cli.models.imported import ImportedModel, Unsayable
from convt_cli.spec import load as specs
from convt_cli.spec.reader import NetworkSpec
from convt_cli.spec.source import Problems

if TYPE_CHECKING:
    from convt_cli.arithmetic.questions.closing import OpenNetwork

_NO_OVERRIDE: Mapping[str, Shape] = MappingProxyType({})


def load_spec(
    path: str | os.PathLike[str],
    *,
    input: Mapping[str, Shape] = _NO_OVERRIDE,
    partial: bool = False,
    allow_outside: bool = False,
    settings: Sequence[str] = (),
) -> Network:
    """The network in the spec or the model file at `path`, every shape resolved.

    `input` maps names of inputs to other shapes; "" stands for the only one.  With `partial` a
    model's network has what a spec can say of it, and a warning (W003) of what it lacks.  With
    `allow_outside` weights, and a model's data, may lie outside the folder of `path`.  `settings`
    are values of keys, such as `conv1.stride=2`, in place of those that stand there.

    Raises SpecError with every problem of the spec, or all that a spec cannot say of the model;
    FileError when it cannot be read; RequestError for an input that it does not have, and what
    else `Format.read_model` raises.
    """
    path = os.fspath(path)
    if is_model(path):
        spec = _read(path, input, partial=partial, allow_outside=allow_outside, settings=settings)
        network = specs.network_of(*spec)
    else:
        require_spec(path)
        network = specs.load_spec(path, input=input, settings=settings)
    return replace(network, allow_outside=allow_outside)


def check_spec(
    path: str,
    *,
    input: Mapping[str, Shape] = _NO_OVERRIDE,
    partial: bool = False,
    allow_outside: bool = False,
    settings: Sequence[str] = (),
) -> tuple[Diagnostic, ...]:
    """All that is wrong with the spec or the model file at `path`, `expect` included."""
    if not is_model(path):
        require_spec(path)
        return specs.check_spec(path, input=input, settings=settings)
    try:
        return specs.problems_of(
            *_read(path, input, partial=partial, allow_outside=allow_outside, settings=settings)
        )
    except SpecError as error:
        return error.diagnostics


def load_open_network(
    path: str,
    *,
    input: Mapping[str, Shape] = _NO_OVERRIDE,
    partial: bool = False,
    allow_outside: bool = False,
    settings: Sequence[str] = (),
) -> OpenNetwork:
    """The spec or the model file at `path` with its sizes left open."""
    from convt_cli.spec import open_network as open_specs  # noqa: PLC0415  # seldom needed

    if not is_model(path):
        require_spec(path)
        return open_specs.load_open_network(path, input=input, settings=settings)
    return open_specs.opened(
        *_read(path, input, partial=partial, allow_outside=allow_outside, settings=settings)
    )


def _read(
    path: str,
    override: Mapping[str, Shape],
    *,
    partial: bool,
    allow_outside: bool,
    settings: Sequence[str],
) -> tuple[NetworkSpec, Problems]:
    """The model in the file `path` as a spec, and the warnings about it."""
    from convt_cli.models.network_spec import network_spec, with_settings  # noqa: PLC0415  # for models alone

    title, _ = os.path.splitext(os.path.basename(path))
    imported = load_model(
        path,
        os.path.basename(path),
        override=override,
        partial=partial,
        allow_outside=allow_outside,
    )
    spec, problems = network_spec(imported, path, title)
    return with_settings(spec, settings, problems), problems


def load_model(
    path: str,
    reference: str,
    *,
    override: Mapping[str, Shape] = _NO_OVERRIDE,
    partial: bool = False,
    allow_outside: bool = False,
) -> ImportedModel:
    """The network in the model file `path`, read by the format that its suffix names.

    The arguments, and what else is raised, are those of `Format.read_model`.  Raises FileError
    (E401) for a suffix that no format has, and SpecError with all that a spec cannot say.
    """
    try:
        with telling_stand_ins(path):
            return _format_of(path).read_model(
                path, reference, override=override, partial=partial, allow_outside=allow_outside
            )
    except Unsayable as error:
        raise SpecError(error.diagnostics(path, is_resized=bool(override))) from None


def value_names(network: Network) -> dict[str, str]:
    """The inputs and layers of a model's network, by the model's own names for what they give.

    Empty for a spec.  Raises as `load_model`.
    """
    if not is_model(network.spec):
        return {}
    from convt_cli.models.listing import listing  # noqa: PLC0415  # for models alone

    shapes = dict(network.inputs)
    imported = load_model(
        network.spec,
        os.path.basename(network.spec),
        override={"": next(iter(shapes.values()))} if len(shapes) == 1 else shapes,
        partial=True,
        allow_outside=network.allow_outside,
    )
    listed = listing(imported)
    found = {name: listed.names[number] for number, (name, _) in enumerate(imported.inputs)}
    for number, layer in listed.layers.items():
        if layer.value:
            found[layer.value] = listed.names[number]
    return found


def _format_of(path: str) -> Format:
    """The module that reads files like `path`.  Raises FileError (E401)."""
    require_no_torch(path)
    module = FORMATS.get(os.path.splitext(path)[1].lower())
    if module is None:
        raise FileError(
            "E401",
            "a model file is named by its format",
            value=f"got {shown(path)}",
            help=f"known are {', '.join(FORMATS)}",
        )
    return cast("Format", import_module(module))
