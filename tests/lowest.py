"""The lowest versions that pyproject.toml admits, for pip: `python -m tests.lowest`."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parent.parent / "pyproject.toml"
_REQUIREMENT = re.compile(r"([\w.-]+)(?:\[[\w,-]+\])?>=([\w.]+)")


def lowest(pyproject: dict[str, Any]) -> Iterator[str]:
    """`name==version` for whatever builds convt, runs it or tests it.

    Raises ValueError for a requirement that says more than a lowest version, or less.
    """
    project = pyproject["project"]
    build, test = pyproject["build-system"]["requires"], project["optional-dependencies"]["test"]
    for requirement in (*build, *project["dependencies"], *test):
        match = _REQUIREMENT.fullmatch(requirement)
        if match is None:
            raise ValueError(f"a requirement is NAME>=VERSION: got {requirement}")
        yield f"{match[1]}=={match[2]}"


def main() -> None:
    """Print one constraint a line."""
    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    sys.stdout.writelines(f"{constraint}\n" for constraint in lowest(pyproject))


if __name__ == "__main__":
    main()
