"""`convt` and `python -m convt_cli`."""

from __future__ import annotations

import sys

from convt_cli.commands.main import run


def main() -> None:
    """Run convt on the process's arguments and exit with its status."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
