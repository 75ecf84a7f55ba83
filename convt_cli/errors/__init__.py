"""Every error convt raises.

Here belong the exception types, the `Diagnostic` that joins an error to a place in a spec, and how
a message shows a value.  `codes` is the table that `convt explain` prints, and `suggestions` finds
what a misspelt word may have meant.  Nothing here prints, exits or reads a file; the one handler
that turns errors into text and exit statuses is in `commands`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_MOST_SHOWN = 300  # characters of a value in a message
_OBJECTS = re.compile(r" at 0x[0-9a-fA-F]+(?=>)|(?<=<_io)\.\w+ [^>]*(?=>)")
"""The address of an object, or the descriptor of a file, in its repr: different in every run."""


def shown(value: object) -> str:
    """A value as a message quotes it: on one line, not long, and the same in every run."""
    text = visible(_OBJECTS.sub("", value if isinstance(value, str) else repr(value)))
    return (
        text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}... ({len(text):,} characters)"
    )


def visible(text: str) -> str:
    r"""`text` on one line, with Python's escape for every character that is not visible.

    These are control characters, line ends, marks that change the direction of writing, and the
    surrogates that stand for a file name's undecodable bytes.  Where there is one, a backslash is
    doubled, so that it can be told from a text in which somebody wrote the escape.

    >>> visible("a\\b é"), visible("a\\b\x1b[2J é")
    ('a\\b é', 'a\\\\b\\x1b[2J é')
    """
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() and letter != "\\" else ascii(letter)[1:-1]
        for letter in text
    )


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as a message writes it, (3, 224, 224) or (5,), also of NumPy's integers."""
    return str(tuple(int(size) for size in shape))


class ConvtError(Exception):
    """An error with a code, the rule broken, the value that broke it and a remedy.

    >>> str(ConvtError("E107", "stride must be at least 1", value="got 0", help="use 1"))
    'stride must be at least 1: got 0'
    """

    def __init__(self, code: str, message: str, *, value: str = "", help: str = "") -> None:
        super().__init__(f"{message}: {value}" if value else message)
        self.code = code
        self.message = message
        self.value = value
        self.help = help


class ReaderGone(Exception):
    """The reader of standard output has closed it: convt ends quietly, as it is no error."""


class GeometryError(ConvtError, ValueError):
    """Sizes that no convolution has; `field` names the argument and `axis` the spatial axis.

    `keeps_size` says that the layer's output has one size all the same, so that the layers which
    read it can be looked at too.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        field: str,
        axis: int | None = None,
        value: str = "",
        help: str = "",
        keeps_size: bool = False,
    ) -> None:
        place = value if axis is None else f"{value} on axis {axis}".strip()
        super().__init__(code, message, value=place, help=help)
        self.field = field
        self.axis = axis
        self.keeps_size = keeps_size
        self._bare_value = value

    def on_axis(self, axis: int) -> GeometryError:
        """The same error, with the spatial axis that it is about."""
        return GeometryError(
            self.code,
            self.message,
            field=self.field,
            axis=axis,
            value=self._bare_value,
            help=self.help,
            keeps_size=self.keeps_size,
        )


class SourcesError(GeometryError):
    """Sources that a layer cannot take together (E115): too many, too few, or of other shapes."""

    def __init__(self, message: str, *, field: str = "from", value: str, help: str) -> None:
        super().__init__("E115", message, field=field, value=value, help=help)


class ArrayError(ConvtError, ValueError):
    """An array whose shape, dtype or contents cannot be used; says what was expected and got.

    `dtype` names the dtype in which the same computation would succeed, "" where none would.
    """

    def __init__(
        self, code: str, message: str, *, value: str = "", help: str = "", dtype: str = ""
    ) -> None:
        super().__init__(code, message, value=value, help=help)
        self.dtype = dtype


class FileError(ConvtError):
    """A file that cannot be read, written or trusted.

    `pasted` are lines for a shell that the help speaks of.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        value: str = "",
        help: str = "",
        pasted: tuple[str, ...] = (),
    ) -> None:
        super().__init__(code, message, value=value, help=help)
        self.pasted = pasted


class OutputIsInput(FileError):
    """An output of the command is one of its inputs: the whole command ends, nothing is written."""


class RequestError(ConvtError):
    """A request that cannot be met: a missing extra, a layer to choose, too little memory."""


class UnknownLayer(RequestError, KeyError):
    """A name that no layer of the network has; the help names the closest one."""

    def __str__(self) -> str:
        return f"{self.message}: {self.help}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One problem of a spec: where it is, which rule it breaks and how to mend it.

    A warning is about a spec that is legal but probably not what was meant; it changes no exit
    status.
    `line` and `column` count from 1, and are 0 for a model, which has no lines; `width` is the
    number of characters the caret underlines.  With a line of 0 an `excerpt` is an option of the
    command line.
    """

    code: str
    spec: str
    line: int
    column: int
    width: int
    layer: str | None
    message: str
    value: str
    help: str
    excerpt: str

    @property
    def severity(self) -> Literal["error", "warning"]:
        """The kind of problem: "warning" where the code begins with W, else "error"."""
        return "warning" if self.code.startswith("W") else "error"

    @property
    def place(self) -> str:
        """Where the problem is: `spec:line:column`, or the path alone of a model."""
        return self.spec if not self.line else f"{self.spec}:{self.line}:{self.column}"

    def document(self) -> dict[str, object]:
        """The problem as `check --format json` lists it; only a warning names its severity."""
        return {
            "code": self.code,
            "spec": self.spec,
            "line": self.line or None,
            "column": self.column if self.line else None,
            "layer": self.layer,
            "message": f"{self.message}: {self.value}" if self.value else self.message,
            "help": self.help,
            **({"severity": self.severity} if self.severity == "warning" else {}),
        }


class SpecError(ConvtError, ValueError):
    """A spec with problems; `diagnostics` are all of them, warnings too, in the order of lines."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        first, *others = (one for one in diagnostics if one.severity == "error")
        more = f" (and {len(others)} more)" if others else ""
        super().__init__(
            first.code,
            f"{first.place}: {first.message}",
            value=f"{first.value}{more}".strip(),
            help=first.help,
        )
        self.diagnostics = diagnostics
