"""convt deps: a make rule that names the spec's weight files."""

from __future__ import annotations

import click

from convt_cli.commands.emit import print_text
from convt_cli.commands.options import spec_argument
from convt_cli.errors import RequestError
from convt_cli.io.reading import STDIN, reference_path
from convt_cli.spec.load import load_spec


@click.command(
    "deps",
    epilog="""\b
Example, in a Makefile:
  %.d: %.yaml
          convt deps $< > $@
  -include $(SPECS:.yaml=.d)""",
)
@spec_argument
def command(spec: str) -> int:
    """Print a make rule by which the spec depends on its weight files."""
    network = load_spec(spec)
    target = "network" if spec == STDIN else spec
    files = [reference_path(spec, file) for file in network.weight_files]
    print_text(" ".join([f"{_escaped(target)}:", *map(_escaped, files)]) + "\n")
    return 0


def _escaped(name: str) -> str:
    """A file name as make reads it.  Raises RequestError (E503) for one it cannot read."""
    if "\n" in name:
        raise RequestError("E503", "make knows no file names with line ends", value=ascii(name))
    for character in " \t#:%":
        name = name.replace(character, f"\\{character}")
    return name.replace("$", "$$")
