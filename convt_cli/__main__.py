"""`convt` and `python -m convt_cli`."""

from __future__ import annotations

import gc
import sys

_ALLOCATIONS = 100_000
"""Objects made between two searches for garbage.  A command leaves little; searching for it every
700, as Python does, and once more at the end takes a sixth of a short run."""


def main() -> None:
    """Run convt on the process's arguments and exit with its status."""
    gc.set_threshold(_ALLOCATIONS)
    try:
        from convt_cli.commands.main import run  # noqa: PLC0415  # so that no interrupt is early
    except KeyboardInterrupt:
        sys.exit(130)
    status = run(sys.argv[1:])
    gc.freeze()  # what is left ends with the process, unsearched
    sys.exit(status)


if __name__ == "__main__":
    main()
