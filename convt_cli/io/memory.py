"""How much memory there is, and refusing what would not fit before it is allocated.

The budget is the least of what the system has available, what the control group still allows
and what RLIMIT_AS leaves.  Where none of them can be read there is no budget, and no refusal.
"""

from __future__ import annotations

import os
from pathlib import Path

from convt_cli.errors import RequestError

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def require(needed: int, what: str, *, help: str) -> None:
    """Raise RequestError (E501) unless `needed` bytes, for `what`, fit into the budget."""
    there = available()
    if there is not None and needed > there:
        raise RequestError(
            "E501",
            f"{what} does not fit into memory",
            value=f"{text(needed)} needed, {text(there)} there",
            help=help,
        )


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
    value, unit = size, 0
    while value >= 10 * 1024 and unit < len(_UNITS) - 2:
        value //= 1024
        unit += 1
    if value >= 1024:
        return f"{value / 1024:,.1f} {_UNITS[unit + 1]}"
    return f"{value} {_UNITS[unit]}"


def _system() -> int | None:
    return _field("/proc/meminfo", "MemAvailable:")


def _control_group() -> int | None:
    """What the process's own control group (v2 or v1) leaves of its limit."""
    folders = [
        (Path("/sys/fs/cgroup") / _group_path(), "memory.max", "memory.current"),
        (Path("/sys/fs/cgroup"), "memory.max", "memory.current"),
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ]
    rooms = []
    for folder, limit_name, usage_name in folders:
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is not None and usage is not None:
            rooms.append(limit - usage)
    return min(rooms) if rooms else None


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
    for line in _read(path).splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return None


def _number(path: Path) -> int | None:
    content = _read(os.fspath(path)).strip()
    return int(content) if content.isdigit() else None


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
