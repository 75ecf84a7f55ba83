"""What a command costs as a process of its own: time, and the most memory it held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import command_line, environment

MEASURE = """
import json, os, sys, time
begun = time.monotonic()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
unit = 1 if sys.platform == "darwin" else 1024
took = time.monotonic() - begun
numbers = [os.waitstatus_to_exitcode(status), took, usage.ru_maxrss * unit]
print(json.dumps(numbers), file=sys.stderr)
"""
"""Run as a small process: what the system says of a child includes the size of its parent."""

needs_a_measure = pytest.mark.skipif(
    not hasattr(os, "wait4"), reason="the system measures no child"
)


class Cost(NamedTuple):
    """The status of a process, its seconds, the most bytes it held, and what it printed."""

    status: int
    seconds: float
    memory: int
    printed: list[str]


def cost(*arguments: str | Path, printed: bool = True) -> Cost:
    """What convt costs with these arguments; its output is kept only where it is `printed`."""
    measured = subprocess.run(
        [sys.executable, "-I", "-S", "-c", MEASURE, *command_line(*arguments)],
        env=environment(),
        stdout=subprocess.PIPE if printed else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        timeout=300,
        check=True,
    )
    status, seconds, memory = json.loads(measured.stderr.splitlines()[-1])
    return Cost(status, seconds, memory, (measured.stdout or b"").decode().splitlines())
