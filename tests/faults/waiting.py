"""Waiting for what another process does, and never for a time in which it most likely has."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def wait_until(condition: Callable[[], object]) -> None:
    """Return once `condition` holds; fail after a minute."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def has_nothing_to_do(process: subprocess.Popen[bytes]) -> bool:
    """Whether a process sleeps, as one does that waits for a stream, or has ended."""
    if sys.platform != "linux":
        time.sleep(0.2)  # the system does not tell; most likely it waits by now
        return True
    status = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii")
    return status.rpartition(")")[2].split()[0] in "SZ"
