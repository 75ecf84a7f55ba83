"""convt explain: what a diagnostic code means and how to correct the problem."""

from __future__ import annotations

from textwrap import fill

import click

from convt_cli.commands.emit import print_text
from convt_cli.errors.codes import EXPLANATIONS


@click.command(
    "explain",
    short_help="What the code of a diagnostic means.",
    epilog="Example:  convt explain E105",
)
@click.argument("code", metavar="CODE")
def command(code: str) -> int:
    """Print what a diagnostic code means and how to correct the problem."""
    wanted = code.upper()
    if wanted not in EXPLANATIONS:
        known = ", ".join(EXPLANATIONS)
        raise click.UsageError(f"no code {code!r}; there are {known}")
    rule, reason = EXPLANATIONS[wanted]
    print_text(f"{wanted}: {rule}\n\n{fill(reason, 78, break_on_hyphens=False)}\n")
    return 0
