"""convt deps: a make rule that names the spec's weight files."""

from __future__ import annotations

import click

from convt_cli.commands.emit import put
from convt_cli.commands.networks import load_network
from convt_cli.commands.options import output_options, spec_argument
from convt_cli.errors import RequestError
from convt_cli.io.reading import STDIN, reference_path

_UNSPEAKABLE = frozenset("\t\n\r\\;|=%*?[]()~&\"'<>")
"""What means something else to make or its shell wherever it stands."""


@click.command(
    "deps",
    short_help="Print a make rule for the spec's weight files.",
    epilog="""\b
Example, in a Makefile:
  C.npz: net.yaml
          convt matrix net.yaml -o C.npz --force
  net.d: net.yaml
          convt deps net.yaml --target C.npz -o net.d --force
  -include net.d""",
)
@spec_argument
@click.option("--target", "targets", multiple=True, metavar="NAME", help="What is made from SPEC.")
@output_options
def command(spec: str, targets: tuple[str, ...], output: str | None, force: bool) -> int:
    """Print a make rule that names the spec's weight files.

    With --target the rule says that NAME is made from the spec and its weight files; without it,
    that the spec depends on them.
    """
    if "" in targets:
        raise click.UsageError("--target needs a name")
    network = load_network(spec)
    own = [] if spec == STDIN else [spec]
    files = [reference_path(spec, file) for file in network.weight_files]
    names, needed = (targets, own + files) if targets else (own or [network.name], files)
    rule = " ".join([*map(_escaped, names)]) + ": " + " ".join(map(_escaped, needed))
    put(rule.rstrip() + "\n", output, force=force)
    return 0


def _escaped(name: str) -> str:
    """A file name as make reads it.  Raises RequestError (E503) for one it cannot read."""
    if _UNSPEAKABLE & set(name):
        raise RequestError(
            "E503",
            "make has no way to write this file name",
            value=ascii(name),
            help="rename it without ; | = % and the like",
        )
    for character in " #:":
        name = name.replace(character, f"\\{character}")
    return name.replace("$", "$$")
