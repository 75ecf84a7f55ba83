"""The process that runs convt: `convt` and `python -m convt_cli` begin here.

Set up before anything else is imported: signals, the garbage collector, and the one message that
needs no memory.
"""

from __future__ import annotations

import gc
import os
import sys

from convt_cli.io.signals import end_at_once

_ALLOCATIONS = 100_000
"""Objects made between two searches for garbage.  Python searches every 700, which takes a sixth
of the time of a short command and finds next to nothing."""

_FAILED = 2  # as `commands.main.FAILED`, which may be what cannot be loaded
_OUT_OF_MEMORY = (
    b"error[E501]: memory ran out, even for saying how much is needed\n"
    b"= help: raise the limit (ulimit -v); `convt explain E501` says why\n"
)


def main() -> None:
    """Run convt on the process's arguments and exit with its status."""
    end_at_once()  # importing takes a while, and a signal meanwhile has nothing to clean up
    gc.set_threshold(_ALLOCATIONS)
    try:
        status = _run()
    except (MemoryError, ImportError, SystemError) as error:
        if not isinstance(error, MemoryError) and not _is_limited():
            raise
        os.write(2, _OUT_OF_MEMORY)
        status = _FAILED
    gc.freeze()  # so that Python does not search for garbage once more when it exits
    sys.exit(status)


def _run() -> int:
    """The exit status of convt on the process's arguments."""
    from convt_cli.commands.main import run  # noqa: PLC0415  # after `end_at_once`
    from convt_cli.io.streams import wait_for_standard_streams  # noqa: PLC0415

    wait_for_standard_streams()
    return run(sys.argv[1:])


def _is_limited() -> bool:
    """Whether the process has a memory limit, which then may be why a module did not load."""
    try:
        from convt_cli.io.memory import least_limit  # noqa: PLC0415  # it may itself not load

        return least_limit() is not None
    except (MemoryError, SystemError):  # so there is one
        return True


if __name__ == "__main__":
    main()
