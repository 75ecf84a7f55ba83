"""What the environment says, through one door.

Its variables hold anything.  What convt itself reads is read by `whole` and `said`; what the
libraries below it read is put in order by `tidy` before they do: some fail on a value that they
do not expect, and some give other bytes for it.
"""

from __future__ import annotations

import os

_MOST_DIGITS = 4
"""Nobody has more columns, lines or threads than that says."""
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


def whole(name: str, *, separator: str | None = None) -> int | None:
    """The integer that the variable `name` holds, at least 0 and of few digits, or None.

    Of several with a `separator` between them it is the first one.
    """
    text = said(name) or ""
    text = (text.partition(separator)[0] if separator else text).strip()
    fits = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if fits else None


def said(name: str) -> str | None:
    """What the variable `name` holds, or None."""
    return os.environ.get(name)


def tidy() -> None:
    """Take out of this process's environment what libraries would stumble over."""
    for name in _NUMBERS:
        if whole(name) is None:
            os.environ.pop(name, None)
    for name in _NOT_OURS:
        os.environ.pop(name, None)
