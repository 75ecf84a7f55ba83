"""Reading a model file of any registered format.  Tests are in tests/models/test_load.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import cast

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import FileError, shown
from convt_cli.models.formats import FORMATS, Format
from convt_cli.models.imported import ImportedModel

_NO_OVERRIDE: Mapping[str, Shape] = MappingProxyType({})


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
    (E401) for a suffix that no format has.
    """
    return _format_of(path).read_model(
        path, reference, override=override, partial=partial, allow_outside=allow_outside
    )


def _format_of(path: str) -> Format:
    """The module that reads files like `path`.  Raises FileError (E401)."""
    module = FORMATS.get(os.path.splitext(path)[1].lower())
    if module is None:
        raise FileError(
            "E401",
            "a model file is named by its format",
            value=f"got {shown(path)}",
            help=f"known are {', '.join(FORMATS)}",
        )
    return cast("Format", import_module(module))
