"""How much memory is left, and refusing what would not fit before it is allocated.

The budget is the least of what the system has available, what the control group still allows
and what the process's own limits, RLIMIT_AS and RLIMIT_DATA, leave.  Where none of them can be
read there is no budget, and no refusal.

The limits of a process count memory that is promised, not only what is used.  OpenBLAS, which
NumPy and SciPy bring each for itself, takes a buffer at its first product and another one at its
first decomposition; where it is refused one it tries for ever, or ends the process.  So within
such limits these buffers are always left free, and a little memory is asked for as well.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

from convt_cli.errors import RequestError

NEGLIGIBLE = 16 * 2**20
"""Bytes for which the system is not asked: any process takes as much."""
_BUFFER = 36 * 2**20
"""Bytes of a buffer of OpenBLAS: 32 MiB on all processors that it knows, and a little more."""
_OF_A_THREAD = 128 * 2**20
"""Bytes that a thread can take in the end: its stack, its part of the heap, its BLAS buffer."""
_ROOMY = 4 * 2**30
"""Bytes of a process's limit from which threads are begun; below it one thread does the work."""
MOST_THREADS = 4
"""The most threads that are begun, and that memory is set aside for."""
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")  # of 1024 to the power 0, 1, ...


class Need(NamedTuple):
    """Bytes that a package takes when it is loaded.

    RLIMIT_AS bounds `address_space`, RLIMIT_DATA the part of it that is `data`; `resident` is the
    memory that is really in use.
    """

    address_space: int
    data: int
    resident: int


def require(needed: int, what: str, *, help: str) -> None:
    """Raise RequestError (E501) unless `needed` bytes, for `what`, fit into the budget.

    A few bytes are not worth asking the system for, unless the process is limited.
    """
    if needed <= NEGLIGIBLE and least_limit() is None:
        return
    _require(needed, available(), what, help)


def require_for(need: Need, what: str) -> None:
    """Raise RequestError (E501) unless there is room for `what` to be loaded."""
    aside = _set_aside()
    for needed, there, limit in (
        (need.address_space + aside, _left("RLIMIT_AS", "VmSize:"), "ulimit -v"),
        (need.data + aside, _left("RLIMIT_DATA", "VmData:"), "ulimit -d"),
        (need.resident, _least(_system(), _control_group()), "the container's, or free some"),
    ):
        _require(needed, there, what, f"raise the limit: {limit}")


def _require(needed: int, there: int | None, what: str, help: str) -> None:
    if there is not None and needed > there:
        raise RequestError(
            "E501",
            f"{what} does not fit into memory",
            value=f"{text(needed)} needed, {text(there)} there",
            help=help,
        )


def ran_out(error: MemoryError, what: str, *, help: str) -> RequestError:
    """The RequestError (E501) for a MemoryError; NumPy's text says how much was wanted."""
    there = available()
    wanted = str(error)[:1].lower() + str(error)[1:]
    known = (wanted, "" if there is None else f"{text(there)} there")
    return RequestError("E501", what, value=", ".join(filter(None, known)), help=help)


def available() -> int | None:
    """Bytes that can still be allocated, or None where the system does not say."""
    limits = _least(_left("RLIMIT_AS", "VmSize:"), _left("RLIMIT_DATA", "VmData:"))
    own = None if limits is None else max(0, limits - _set_aside())
    return _least(_system(), _control_group(), own)


def least_limit() -> int | None:
    """Bytes that the lowest of the process's own limits allows in all, or None without a limit."""
    return _least(_limit("RLIMIT_AS"), _limit("RLIMIT_DATA"))


def has_room_for_threads() -> bool:
    """Whether the process's limits, if it has any, are high enough to begin threads."""
    limit = least_limit()
    return limit is None or limit >= _ROOMY


def _least(*known: int | None) -> int | None:
    """The smallest of the numbers that are known, at least 0; None where none is."""
    numbers = [number for number in known if number is not None]
    return max(0, min(numbers)) if numbers else None


def _set_aside() -> int:
    """Bytes of the process's own limits that are left free for BLAS buffers and threads."""
    libraries = sum(name in sys.modules for name in ("numpy", "scipy.linalg"))
    threads = MOST_THREADS if has_room_for_threads() else 0
    return libraries * _BUFFER + threads * _OF_A_THREAD


def text(size: int) -> str:
    """A number of bytes as people read it, rounded down to a tenth of its unit.

    >>> text(1536), text(999), text(3 * 2**30)
    ('1.5 KiB', '999 bytes', '3.0 GiB')
    """
    unit = min(max(0, size.bit_length() - 1) // 10, len(_UNITS) - 1)
    if unit == 0:
        return f"{size} {_UNITS[0]}"
    tenths = min(size * 10 >> 10 * unit, 10**10)
    return f"{tenths // 10:,}.{tenths % 10} {_UNITS[unit]}"


def _system() -> int | None:
    """Bytes that Linux says can be allocated without swapping."""
    return _field("/proc/meminfo", "MemAvailable:")


def _control_group() -> int | None:
    """What the process's own control group (v2 or v1) leaves of its limit."""
    rooms = []
    for folder, limit_name, usage_name in _group_folders():
        limit, usage = _number(f"{folder}/{limit_name}"), _number(f"{folder}/{usage_name}")
        if limit is not None and usage is not None:
            rooms.append(limit - usage)
    return min(rooms) if rooms else None


def _group_folders() -> list[tuple[str, str, str]]:
    """The folder of the process's group and of every group above it, with its files' names."""
    root = "/sys/fs/cgroup"
    names = _group_path().strip("/").split("/")
    above = ["/".join((root, *names[:depth])) for depth in range(len(names), -1, -1)]
    return [
        *((folder, "memory.max", "memory.current") for folder in above),
        (f"{root}/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ]


def _group_path() -> str:
    """The path of the process's control group (v2), "" where there is none."""
    for line in _read("/proc/self/cgroup").splitlines():
        if line.startswith("0::"):
            return line[3:]
    return ""


def _left(name: str, field: str) -> int | None:
    """What a limit of the process leaves beyond what `field` says is in use."""
    limit = _limit(name)
    used = None if limit is None else _field("/proc/self/status", field)
    return None if limit is None or used is None else max(0, limit - used)


def _limit(name: str) -> int | None:
    """A limit of the process in bytes, or None where there is none."""
    try:
        import resource  # noqa: PLC0415  # not on every system
    except ImportError:
        return None
    limit, _ = resource.getrlimit(getattr(resource, name))
    return None if limit == resource.RLIM_INFINITY else limit


def _field(path: str, name: str) -> int | None:
    """The bytes that one line of a /proc file gives, in kB."""
    found = re.search(rf"^{name}\s+([0-9]+) kB$", _read(path), re.MULTILINE)
    return int(found[1]) * 1024 if found else None


def _number(path: str) -> int | None:
    """The number that a file of a control group holds; None for "max", or without the file."""
    content = _read(path).strip()
    return int(content) if content.isdigit() else None


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
