"""What the environment says, through one door.

Its variables hold anything.  What convt itself reads is read by `integer` and `variable`; what the
libraries below it read is put in order by `tidy` before they do: some fail on a value that they
do not expect, and some give other bytes for it.
"""

from __future__ import annotations

import os

UNKNOWN_WIDTH = 100
"""Columns of a message where neither a terminal nor COLUMNS says how many there are."""

_MOST_DIGITS = 4
"""Digits of a number that is believed: nobody has 10,000 columns, lines or threads."""
_NUMBERS = ("COLUMNS", "LINES", "JUPYTER_COLUMNS", "JUPYTER_LINES", "NUMPY_MADVISE_HUGEPAGE")
"""Read as integers, by rich, Python and NumPy, which fail on some texts that are none."""
_NOT_OURS = (
    "MPLBACKEND",  # windows, which convt never opens; matplotlib fails on a name it does not know
    "NPY_DISABLE_CPU_FEATURES",  # NumPy fails where it is built for one of them
    "NPY_ENABLE_CPU_FEATURES",
    "NPY_PROMOTION_STATE",  # NumPy warns of it
    "SCIPY_ARRAY_API",  # SciPy takes the arrays of other libraries then, and fails without them
    "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION",  # protobuf fails on a name it does not know
)
"""Switches of libraries that make them fail, or work in another way than the one tested."""


def integer(name: str, *, separator: str | None = None) -> int | None:
    """The integer that the variable `name` holds, at least 0 and of few digits, or None.

    Of several with a `separator` between them it is the first one.
    """
    text = variable(name) or ""
    text = (text.partition(separator)[0] if separator else text).strip()
    fits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if fits else None


def variable(name: str) -> str | None:
    """What the variable `name` holds, or None."""
    return os.environ.get(name)


def tidy() -> None:
    """Take out of this process's environment what libraries would stumble over."""
    for name in _NUMBERS:
        if integer(name) is None:
            os.environ.pop(name, None)
    for name in _NOT_OURS:
        os.environ.pop(name, None)
