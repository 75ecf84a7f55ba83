"""`convt` and `python -m convt_cli`."""

from __future__ import annotations

import sys


def main() -> None:
    """Run convt on the process's arguments and exit with its status."""
    try:
        from convt_cli.commands.main import run  # noqa: PLC0415  # so that no interrupt is early
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
