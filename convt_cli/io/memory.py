"""How much memory there is, and refusing what would not fit before it is allocated.

The budget is the least of what the system has available, what the control group still allows
and what RLIMIT_AS leaves.  Where none of them can be read there is no budget, and no refusal.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from convt_cli.errors import RequestError

NEGLIGIBLE = 16 * 2**20
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def require(needed: int, what: str, *, help: str) -> None:
    """Raise RequestError (E501) unless `needed` bytes, for `what`, fit into the budget.

    What any process takes by itself is not worth asking the system for.
    """
    if needed <= NEGLIGIBLE:
        return
    there = available()
    if there is not None and needed > there:
        raise RequestError(
            "E501",
            f"{what} does not fit into memory",
            value=f"{text(needed)} needed, {text(there)} there",
            help=help,
        )


def ran_out(error: MemoryError, what: str, *, help: str) -> RequestError:
    """The RequestError (E501) for memory that nobody had asked for: NumPy knows how much."""
    there = available()
    wanted = str(error)[:1].lower() + str(error)[1:]
    known = (wanted, "" if there is None else f"{text(there)} there")
    return RequestError("E501", what, value=", ".join(filter(None, known)), help=help)


def available() -> int | None:
    """Bytes that can still be allocated, or None where the system does not say."""
    known = [
        limit for limit in (_system(), _control_group(), _address_space()) if limit is not None
    ]
    return max(0, min(known)) if known else None


def text(size: int) -> str:
    """A number of bytes as people read it.

    >>> text(1536), text(999), text(3 * 2**30)
    ('1.5 KiB', '999 bytes', '3.0 GiB')
    """
    unit = min(max(0, size.bit_length() - 1) // 10, len(_UNITS) - 1)
    if unit == 0:
        return f"{size} {_UNITS[0]}"
    tenths = min(size * 10 >> 10 * unit, 10**10)
    return f"{tenths // 10:,}.{tenths % 10} {_UNITS[unit]}"


def _system() -> int | None:
    return _field("/proc/meminfo", "MemAvailable:")


def _control_group() -> int | None:
    """What the process's own control group (v2 or v1) leaves of its limit."""
    rooms = []
    for folder, limit_name, usage_name in _group_folders():
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is not None and usage is not None:
            rooms.append(limit - usage)
    return min(rooms) if rooms else None


def _group_folders() -> list[tuple[Path, str, str]]:
    """The folder of the process's group and of every group above it, with its files' names."""
    root = Path("/sys/fs/cgroup")
    group = root / _group_path()
    above = [folder for folder in (group, *group.parents) if folder.is_relative_to(root)]
    return [
        *((folder, "memory.max", "memory.current") for folder in above),
        (root / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ]


def _group_path() -> str:
    for line in _read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            return line[3:].lstrip("/")
    return ""


def _address_space() -> int | None:
    """What RLIMIT_AS leaves beyond the address space already in use."""
    try:
        import resource  # noqa: PLC0415  # not on every system
    except ImportError:
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    used = _field("/proc/self/status", "VmSize:")
    return None if limit == resource.RLIM_INFINITY or used is None else limit - used


def _field(path: str, name: str) -> int | None:
    """The kB figure of one line of a /proc file, in bytes."""
    found = re.search(rf"^{name}\s+([0-9]+) kB$", _read(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _number(path: Path) -> int | None:
    content = _read(os.fspath(path)).strip()
    return int(content) if content.isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
