"""`convt` and `python -m convt_cli`."""

from __future__ import annotations

import gc
import os
import sys

from convt_cli.io.signals import end_at_once

_ALLOCATIONS = 100_000
"""Objects made between two searches for garbage.  A command leaves little; searching for it every
700, as Python does, and once more at the end takes a sixth of a short run."""

_FAILED = 2
_OUT_OF_MEMORY = (
    b"error[E501]: memory ran out, even for saying how much is needed\n"
    b"= help: raise the limit (ulimit -v); `convt explain E501` says why\n"
)


def main() -> None:
    """Run convt on the process's arguments and exit with its status."""
    end_at_once()  # what follows takes a while, and a signal in it has nothing to put away
    gc.set_threshold(_ALLOCATIONS)
    try:
        status = _run()
    except (MemoryError, ImportError, SystemError) as error:
        if not isinstance(error, MemoryError) and not _is_limited():
            raise
        os.write(2, _OUT_OF_MEMORY)
        status = _FAILED
    gc.freeze()  # what is left ends with the process, unsearched
    sys.exit(status)


def _run() -> int:
    from convt_cli.commands.main import run  # noqa: PLC0415  # so that no signal is early
    from convt_cli.io.streams import wait_for_standard_streams  # noqa: PLC0415

    wait_for_standard_streams()
    return run(sys.argv[1:])


def _is_limited() -> bool:
    """Whether a limit of the process can be why a module could not be loaded."""
    from convt_cli.io.memory import least_limit  # noqa: PLC0415  # it may be what is not loaded

    return least_limit() is not None


if __name__ == "__main__":
    main()
