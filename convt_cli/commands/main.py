"""The group of commands, and the one place where errors become messages and exit statuses.

The statuses are 0 where all is well, 1 where `check`, `verify`, `diagnose` or `diff` found
something, 2 where the request could not be met, and 128 + N where signal N ended convt: 130
interrupted, 143 terminated.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from io import StringIO
from keyword import iskeyword
from typing import TextIO

import click

from convt_cli import __version__
from convt_cli.errors import ConvtError, Diagnostic, ReaderGone, RequestError, shown, visible
from convt_cli.io.conflicts import one_command
from convt_cli.io.environment import UNKNOWN_WIDTH, integer, tidy, variable
from convt_cli.io.loading import require_room_to_begin, watch_over_imports
from convt_cli.io.signals import Unwinding

# In the order of the help; each is a module of this folder.
COMMANDS = (
    *("shapes", "check", "table", "solve", "compare", "diff", "matrix", "apply", "run"),
    *("verify", "diagnose", "analyze", "invert", "reconstruct", "stimulus"),
    *("import", "deps", "explain"),
)

FOUND = 1
"""The exit status of a command that looks for mistakes, such as `check`, and found something."""
FAILED = 2
"""The exit status where the request could not be met."""
INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 and the number of SIGINT."""
_COMPLETION = "_CONVT_COMPLETE"
"""The variable by which a shell asks click for completions."""
_COMPLETIONS = (("source", False), ("source", True), ("complete", True))
"""(what a shell asks for, whether it has set the words of its command line), as click knows it."""


class _LazyGroup(click.Group):
    """Imports the module of a command when the command is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        return list(COMMANDS)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        cmd_name: str,
    ) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command: click.Command = import_module(f"convt_cli.commands.{module}").command
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As in click; without arguments prints the help and exits with 2, in any version of it."""
        if not args and not ctx.resilient_parsing:
            complain(ctx.get_help())
            ctx.exit(FAILED)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            from convt_cli.errors.suggestions import suggestion

            ctx.fail(f"No such command {name!r}: {suggestion(name, list(COMMANDS))}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Begin with:  convt shapes SPEC",
)
@click.version_option(__version__, prog_name="convt")
def group() -> None:
    """Convolution arithmetic, the matrix C of a convolution, and its transpose.

    A convolution is a matrix, y = Cx, and a transposed convolution is Cᵀy.  convt computes and
    checks the shapes of networks, exports C, and applies C or Cᵀ to arrays.

    SPEC is a YAML file, a model (.onnx, .pt2, .keras, .h5, .tflite), or one line such as
    'nn.Conv2d(3, 64, 7)'.
    """


def run(arguments: list[str]) -> int:
    """The exit status of convt on these arguments; everything it prints is printed."""
    with suppress(AttributeError, ValueError):  # no stream, or one of another kind
        sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # suppressed
    tidy()
    watch_over_imports()
    with Unwinding(), one_command():
        try:
            return _run(arguments)
        except ReaderGone:
            return 0
        finally:
            _settle_output()


def _run(arguments: list[str]) -> int:
    """The exit status, after an error's message was printed."""
    try:
        require_room_to_begin()
        _require_completion()
        status = group.main(arguments, prog_name="convt", standalone_mode=False)
        return status if isinstance(status, int) else 0
    except click.exceptions.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        complain(_usage_text(error))
        return FAILED
    except SystemExit as exiting:
        if exiting.code == 1:  # so click ends where the reader of a pipe has gone
            return 0
        raise
    except MemoryError as error:
        return _report(_out_of_memory(error))
    except (ImportError, SystemError) as error:
        return _report(_not_loaded(error))
    except ConvtError as error:
        return _report(error)
    except OSError as error:  # while click itself printed, for example the help
        from convt_cli.io.writing import STDOUT, failed_write

        failure = failed_write(STDOUT, error)
        return _report(failure) if isinstance(failure, ConvtError) else 0


def _require_completion() -> None:
    """Raise RequestError (E503) where a shell asks for completions that cannot be given."""
    asked = variable(_COMPLETION)
    if not asked:
        return
    from click.shell_completion import get_completion_class

    shell, _, wanted = asked.partition("_")
    word = variable("COMP_CWORD") if shell == "fish" else integer("COMP_CWORD")
    has_words = variable("COMP_WORDS") is not None and word is not None
    if get_completion_class(shell) is None or (wanted, has_words) not in _COMPLETIONS:
        raise RequestError(
            "E503",
            f"{_COMPLETION} is set by a shell's completion script, with COMP_WORDS and COMP_CWORD",
            value=f"it is {shown(asked)}",
            help=f"take it out of the environment: unset {_COMPLETION}",
        )


def _usage_text(error: click.ClickException) -> str:
    """Click's message on a usage error; the arguments that it quotes are made visible."""
    text = StringIO()
    error.show(text)
    usage = text.getvalue().rstrip("\n")
    return usage.replace(error.message, visible(error.message)) if error.message else usage


def _out_of_memory(error: MemoryError) -> RequestError:
    """The error for memory that ran out although it was not asked for first."""
    from convt_cli.io import memory

    remedy = "use a smaller layer, or split the batch"
    return memory.ran_out(error, "memory ran out", help=remedy)


def _not_loaded(error: ImportError | SystemError) -> RequestError:
    """The error for a library that cannot be loaded.  Raises `error` itself if that is not why.

    Under a memory limit the reason is taken to be memory, as libraries report that in many ways.
    """
    from convt_cli.io import memory

    if memory.least_limit() is not None:
        return _out_of_memory(MemoryError())
    if not isinstance(error, ImportError):
        raise error
    return RequestError(
        "E504",
        "a package that this command needs cannot be loaded",
        value=shown(str(error).strip().partition("\n")[0]),
        help="install it again",
    )


def _report(error: ConvtError) -> int:
    """The exit status for an error, which is printed."""
    complain_of(error)
    return FAILED


def complain_of(error: ConvtError) -> None:
    """Print an error to standard error, within its terminal's width."""
    from convt_cli.render.diagnostics import error_text

    complain(error_text(error, terminal_width(sys.stderr)))


def warn_of(warnings: Iterable[Diagnostic]) -> None:
    """Print the warnings of a spec to standard error, within its terminal's width."""
    from convt_cli.render.diagnostics import diagnostic_text

    for warning in warnings:
        complain(diagnostic_text(warning, terminal_width(sys.stderr)))


def terminal_width(stream: TextIO | None) -> int:
    """The columns of the terminal behind `stream`, or what COLUMNS says; 100 without a terminal.

    Some terminals do not know how wide they are, and report 0.
    """
    try:
        columns = os.get_terminal_size(stream.fileno()).columns if stream else UNKNOWN_WIDTH
    except (OSError, ValueError):  # no terminal, or no file at all
        return UNKNOWN_WIDTH
    return integer("COLUMNS") or columns or UNKNOWN_WIDTH


def complain(message: str) -> None:
    """Print a message to standard error; do nothing where that is missing or closed."""
    with suppress(OSError):
        click.echo(message, err=True)


def remark(message: str) -> None:
    """Print a message to standard error on one line, invisible characters in it escaped."""
    complain(visible(message))


def remark_notes(notes: Iterable[str]) -> None:
    """Print what was assumed to standard error, a line for each."""
    for note in notes:
        remark(f"note: {note}")


def _settle_output() -> None:
    """Flush standard output; if that fails, send the rest to the null device.

    Otherwise Python would try once more when it exits, and print another error.
    """
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
