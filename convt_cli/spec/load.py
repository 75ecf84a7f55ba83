"""Loading a spec file: as a `Network`, or as the list of all that is wrong with it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from types import MappingProxyType

from convt_cli.arithmetic.network import Network
from convt_cli.errors import Diagnostic, SpecError
from convt_cli.io.conflicts import note_named
from convt_cli.io.reading import STDIN, read_bytes, reference_path
from convt_cli.spec.reader import InputOverride, NetworkSpec, read
from convt_cli.spec.resolve import resolve
from convt_cli.spec.source import MOST_BYTES, Problems, decode

NO_OVERRIDE: InputOverride = MappingProxyType({})
"""The inputs have the shapes that the spec gives them."""


def load_spec(
    path: str | os.PathLike[str],
    *,
    input: InputOverride = NO_OVERRIDE,
    settings: Iterable[str] = (),
) -> Network:
    """The network in the spec at `path` ('-' is standard input), every shape resolved.

    `input` maps names of inputs to other shapes; "" stands for the only one.  `settings` are
    values of keys, such as `conv1.stride=2`, in place of the spec's.  Whether every
    `expect` holds is `convt check`'s business.

    Raises SpecError with every problem of the spec, FileError when it cannot be read,
    RequestError for an input that it does not have.
    """
    return network_of(*read_spec(os.fspath(path), input, settings))


def check_spec(
    path: str, *, input: InputOverride = NO_OVERRIDE, settings: Iterable[str] = ()
) -> tuple[Diagnostic, ...]:
    """All that is wrong with the spec at `path`, `expect` included, in the order of its lines.

    Among them, as warnings, are inputs that are likely not meant as they are written.

    Raises FileError when the spec cannot be read, RequestError for an input that it does not have.
    """
    try:
        return problems_of(*read_spec(path, input, settings))
    except SpecError as error:
        return error.diagnostics


def network_of(spec: NetworkSpec, problems: Problems) -> Network:
    """The network that `spec` describes.  Raises SpecError with `problems` and all further ones."""
    network, _ = _resolved(spec, problems)
    if network is None:
        raise problems.error()
    return network


def problems_of(spec: NetworkSpec, problems: Problems) -> tuple[Diagnostic, ...]:
    """`problems` and all that are found in resolving `spec`, `expect` included, in their order."""
    _, mismatches = _resolved(spec, problems)
    found = problems.diagnostics + mismatches.diagnostics
    return tuple(sorted(found, key=lambda one: (one.line, one.column)))


def _resolved(spec: NetworkSpec, problems: Problems) -> tuple[Network | None, Problems]:
    """The network, None if the spec has errors, and what differs from `expect`."""
    mismatches = Problems(problems.spec, problems.text)
    network = resolve(spec, problems, mismatches)
    for file in network.weight_files if network else ():
        note_named(reference_path(problems.spec, file))
    return network, mismatches


def read_spec(
    path: str, override: InputOverride, settings: Iterable[str] = ()
) -> tuple[NetworkSpec, Problems]:
    """The spec at `path`, or the expression that it is, as written, and its problems so far.

    Raises FileError, SpecError, RequestError.
    """
    if "(" in path and not os.path.lexists(path):
        from convt_cli.spec.expression import read_expression  # noqa: PLC0415  # seldom needed

        return read_expression(path, override, settings)
    problems = decode(path, read_bytes(path, MOST_BYTES))
    stem = "network" if path == STDIN else os.path.splitext(os.path.basename(path))[0]
    return read(problems, stem, override, settings), problems
