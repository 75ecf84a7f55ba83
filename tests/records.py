"""Files of records in tests/data: one JSON mapping a line, packed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"

Record = dict[str, Any]


def read(path: Path) -> list[Record]:
    """The records of a file; none where there is no file."""
    if not path.exists():
        return []
    return [json.loads(line) for line in gzip.decompress(path.read_bytes()).splitlines()]


def write(path: Path, records: Iterable[Record]) -> None:
    """The file, byte for byte the same for the same records."""
    lines = (json.dumps(record, separators=(",", ":")) + "\n" for record in records)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))
