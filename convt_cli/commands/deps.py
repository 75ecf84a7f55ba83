"""convt deps: a make rule that names the spec's weight files."""

from __future__ import annotations

import re

import click

from convt_cli.commands.emit import put_bytes
from convt_cli.commands.networks import load_network
from convt_cli.commands.options import model_outside_option, output_options, spec_argument
from convt_cli.errors import RequestError, shown
from convt_cli.io.reading import STDIN, reference_path

_UNSAFE = frozenset("\\;|=%*?[]()~&\"'<>$`")
"""Characters that mean something to make, or to the shell of a recipe that uses $< or $^."""
_SPECIAL = re.compile(r"(\.[^./]+){1,2}")
"""Targets that make reads otherwise: .PHONY and the like, and .c.o, a rule for all such files."""


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
@model_outside_option
@click.option("--target", "targets", multiple=True, metavar="NAME", help="What is made from SPEC.")
@output_options
def command(spec: str, targets: tuple[str, ...], output: str | None, force: bool) -> int:
    """Print a make rule that names the spec's weight files.

    With --target the rule says that NAME is made from the spec and its weight files; without it,
    that the spec depends on them.  A name in which make or a recipe's shell would find more than a
    name is refused.
    """
    if "" in targets:
        raise click.UsageError("--target needs a name")
    network = load_network(spec)
    own = [] if spec == STDIN else [spec]
    named = [reference_path(spec, file) for file in network.weight_files]
    files = [file for file in named if file not in own]  # a model names itself
    names, needed = (targets, own + files) if targets else (own or [network.name], files)
    behind = "".join(f" {_escaped(name)}" for name in needed)
    rules = "".join(f"{_escaped(name)}:{behind}\n" for name in names)
    put_bytes(rules.encode("utf-8", "surrogateescape"), output, force=force)
    return 0


def _escaped(name: str) -> str:
    """A file name as a make rule writes it.  Raises RequestError (E503) where none can."""
    if _UNSAFE & set(name) or _SPECIAL.fullmatch(name) or not _is_text(name):
        raise RequestError(
            "E503",
            "a make rule cannot hold this file name safely",
            value=f"got {shown(name)}",
            help="rename it: letters, digits, - and _ are safe, with a dot inside",
        )
    return re.sub("[ #:]", r"\\\g<0>", name)


def _is_text(name: str) -> bool:
    """Whether every character of `name` is visible, a space, or stands for an undecodable byte."""
    return re.sub("[\u00a0\u3000\udc80-\udcff]", "", name).isprintable()
