"""How work says how far it is: a callback that is handed down, so that no work knows a terminal.

The types are here; `render.progress` draws the bar.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Advance = Callable[[int], object]
"""Takes how much more has been done since the last call, in the unit of the total."""

Progress = Callable[[str, int], AbstractContextManager[Advance]]
"""(what is done, its total) to a block that gets the `Advance` to call."""


def no_progress(_label: str, _total: int) -> AbstractContextManager[Advance]:
    """A `Progress` that shows nothing: the default where nobody watches."""
    return nullcontext(bool)
