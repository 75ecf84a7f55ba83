"""convt in children of one process that has imported all it needs, so that each starts at once.

The process reads a request a line, as JSON, and answers each with a line: how the child ended.
A child that is to be killed runs its commands over and over until then.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from convt_cli.commands import main
from tests.conftest import environment
from tests.faults.calls import watched

ROOT = Path(__file__).parents[2]


class Children:
    """The process that starts the children, in a working folder of its own."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def warm(self, command: Sequence[str]) -> None:
        """Run a command in the process itself, so that its children have what it imports."""
        assert self._ask(warm=command) == 0

    def ended_at_call(self, command: Sequence[str], call: int, number: int) -> int:
        """How a child ends that gets a signal before one of its calls that publish a file.

        It is 0 if the child made fewer calls.
        """
        return self._ask(commands=[command], call=call, number=int(number))

    def ended_after(
        self, commands: Sequence[Sequence[str]], delay: float, number: signal.Signals
    ) -> int:
        """How a child ends that runs commands over and over and gets a signal after a while.

        By the signal itself, -number, where it comes between two commands.
        """
        return self._ask(commands=commands, delay=delay, number=int(number))

    def _ask(self, **request: Any) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def children(folder: Path) -> Iterator[Children]:
    """The process, which ends with the block."""
    path = os.pathsep.join((environment()["PYTHONPATH"], str(ROOT)))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.faults.children"],
        cwd=folder,
        env=environment(PYTHONPATH=path, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        try:
            yield Children(process)
        finally:
            process.kill()


# --- within the process -----------------------------------------------------------------------


def serve() -> None:
    """Answer every request until there are no more."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(silence, stream)
    for line in sys.stdin.buffer:
        answers.write(b"%d\n" % answered(json.loads(line)))


def answered(request: dict[str, Any]) -> int:
    """How what is asked for ends."""
    if "warm" in request:
        return main.run(request["warm"])
    child = os.fork()
    if not child:
        live(request)
    if "delay" in request:
        return ended_by(child, request["delay"], request["number"])
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def ended_by(child: int, delay: float, number: int) -> int:
    """How a child ends on a signal, which is sent again after a while.

    Python drops one that comes while a command that has ended takes its handlers away.
    """
    while True:
        time.sleep(delay)
        os.kill(child, number)
        for _ in range(500):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)


def live(request: dict[str, Any]) -> None:
    """Do what a child is asked to, and end."""
    for number in {signal.SIGINT, request.get("number", signal.SIGINT)} - {signal.SIGKILL}:
        # Python handles SIGINT itself, and whoever runs the tests in the background ignores others.
        signal.signal(number, signal.SIG_DFL)
    status = 70  # of an exception, which nobody sees
    try:
        status = worked(request)
    except SystemExit as exiting:
        status = int(exiting.code or 0)
    finally:
        os._exit(status)


def worked(request: dict[str, Any]) -> int:
    """The status of the command; one that runs over and over has none."""
    if "call" in request:
        with watched(Signalled(request["call"], request["number"]), "unlink"):
            return main.run(request["commands"][0])
    while True:
        for command in request["commands"]:
            if status := main.run(command):
                return status


class Signalled:
    """Sends the process a signal before the call of one number."""

    def __init__(self, call: int, number: int) -> None:
        self._call = call
        self._number = number
        self._count = 0

    def __call__(self, name: str) -> None:
        self._count += 1
        if self._count == self._call + 1:
            os.kill(os.getpid(), self._number)


if __name__ == "__main__":
    serve()
