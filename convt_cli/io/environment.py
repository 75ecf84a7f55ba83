"""The environment's variables, which can hold anything: convt reads them here and nowhere else.

What convt itself reads is read by `integer` and `variable`.  What the libraries below it would
read is put in order by `tidy` before they do: some fail on a value that they do not expect, and
some give other bytes for it.
"""

from __future__ import annotations

import os

UNKNOWN_WIDTH = 100
"""Columns of a message where neither a terminal nor COLUMNS says how many there are."""

_MOST_DIGITS = 4
"""Digits of a number that is believed: nobody has 10,000 columns, lines or threads."""
_NUMBERS = ("COLUMNS", "LINES", "JUPYTER_COLUMNS", "JUPYTER_LINES", "NUMPY_MADVISE_HUGEPAGE")
"""Variables that rich, Python or NumPy reads as an integer; some other texts make them fail."""
_NOT_OURS = (
    "MPLBACKEND",  # convt opens no windows; matplotlib fails on a backend that it does not know
    "NPY_DISABLE_CPU_FEATURES",  # NumPy fails where it is built for one of them
    "NPY_ENABLE_CPU_FEATURES",
    "NPY_PROMOTION_STATE",  # NumPy warns of it
    "SCIPY_ARRAY_API",  # SciPy takes the arrays of other libraries then, and fails without them
    "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION",  # protobuf fails on a name it does not know
)
"""Switches of libraries that make them fail, or work in another way than the one tested."""


def integer(name: str, *, separator: str | None = None) -> int | None:
    """The integer that the variable `name` holds, from 0 to 9999, or None.

    With a `separator` the variable can hold several, and the first one counts.
    """
    text = variable(name) or ""
    text = (text.partition(separator)[0] if separator else text).strip()
    fits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if fits else None


def variable(name: str) -> str | None:
    """The text of the variable `name`, or None where it is not set."""
    return os.environ.get(name)


def tidy() -> None:
    """Remove from this process's environment the variables that libraries would stumble over."""
    for name in _NUMBERS:
        if integer(name) is None:
            os.environ.pop(name, None)
    for name in _NOT_OURS:
        os.environ.pop(name, None)
