"""Standard streams that do not block, sockets and terminals: read and written to the end.

Whoever starts convt, or shares a stream with it, can set the stream not to block.  What has not
arrived yet is waited for, and what is not taken yet is offered again; a stream that breaks off is
refused.  A spec is never cut where a pipe happened to be empty.
"""

from __future__ import annotations

import array
import fcntl
import io
import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from convt_cli.io.streams import Waiting
from tests.commands.test_streams import read_all, size_of, without_codes
from tests.conftest import GUIDE, Outcome, Run, WriteSpec, command_line, environment
from tests.faults.waiting import has_nothing_to_do, wait_until

RELUS = "input: [1, 8, 8]\nlayers:\n" + "".join(
    f"  - {{type: relu, name: layer{number}}}\n" for number in range(40)
)
WRONG = RELUS + "  - {type: conv, out_channels: 1, kernel_size: 99}\n"
"""A spec whose last line alone is wrong: all that stands before it is a spec, too."""

Ends = Callable[[], tuple[int, int]]


def pipe() -> tuple[int, int]:
    """The two ends of a pipe, for reading and for writing."""
    return os.pipe()


def sockets() -> tuple[int, int]:
    """Two connected sockets."""
    one, other = socket.socketpair()
    return one.detach(), other.detach()


KINDS = pytest.mark.parametrize("ends", [pipe, sockets])


@contextmanager
def process(*arguments: str, **streams: int) -> Iterator[subprocess.Popen[bytes]]:
    """convt with some of its streams given, and pipes for the others; it does not survive."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    with subprocess.Popen(
        command_line(*arguments),
        env=environment(),
        stdin=given.get("stdin"),
        stdout=given["stdout"],
        stderr=given["stderr"],
    ) as started:
        for descriptor in streams.values():
            os.close(descriptor)
        try:
            yield started
        finally:
            started.kill()


def unread(descriptor: int) -> int:
    """The bytes that wait to be read from a pipe or a socket, seen from either end."""
    count = array.array("i", [0])
    fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


def wait_until_read(started: subprocess.Popen[bytes], descriptor: int) -> None:
    """Return once a process has read all that was written, and waits for more or has ended."""
    wait_until(lambda: not unread(descriptor) or started.poll() is not None)
    wait_until(lambda: has_nothing_to_do(started))


def wait_until_full(started: subprocess.Popen[bytes], descriptor: int) -> None:
    """Return once a stream takes no more from a process, which waits or has ended."""
    wait_until(lambda: not select.select([], [descriptor], [], 0)[1] or started.poll() is not None)
    wait_until(lambda: has_nothing_to_do(started))


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def fed(ends: Ends, parts: list[bytes], *arguments: str) -> Outcome:
    """convt on standard input that does not block, of which parts arrive one after the other."""
    reading, writing = ends()
    watched = os.dup(reading)
    os.set_blocking(reading, False)
    with process(*arguments, stdin=reading) as started:
        for part in parts:
            write_all(writing, part)
            wait_until_read(started, watched)
        os.close(writing)
        out, err = started.communicate(timeout=60)
    os.close(watched)
    return Outcome(started.returncode, out, err)


def cut(content: bytes, *places: int) -> list[bytes]:
    """The parts of `content` between the places, an empty one first."""
    bounds = (0, 0, *places, len(content))
    return [content[begin:end] for begin, end in pairwise(bounds)]


@KINDS
def test_34_a_spec_that_arrives_in_parts_is_read_to_its_end(
    run: Run, folder: Path, ends: Ends
) -> None:
    content = WRONG.encode()
    expected = run("check", "-", stdin=content)
    assert expected.status == 1
    assert fed(ends, cut(content, 10, len(RELUS)), "check", "-") == expected


@KINDS
def test_34_an_array_that_arrives_in_parts_is_read_to_its_end(
    run: Run, folder: Path, spec: WriteSpec, ends: Ends
) -> None:
    spec(GUIDE)
    stream = io.BytesIO()
    np.save(stream, np.arange(16_000.0).reshape(1000, 1, 4, 4))
    content = stream.getvalue()
    run("apply", "net.yaml", "-", "--forward", "-o", "whole.npy", stdin=content)
    parts = cut(content, 5, 100, 1000, 50_000)
    outcome = fed(ends, parts, "apply", "net.yaml", "-", "--forward", "-o", "parts.npy")
    assert (outcome.status, outcome.err) == (0, "")
    assert Path("parts.npy").read_bytes() == Path("whole.npy").read_bytes()


def drained(ends: Ends, stream: str, *arguments: str) -> bytes:
    """What convt writes to a stream that does not block, once it is full and has to be read."""
    reading, writing = ends()
    watched = os.dup(writing)
    os.set_blocking(writing, False)
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    silence = os.open(os.devnull, os.O_WRONLY)
    content = b""
    with process(*arguments, **{stream: writing, other: silence}) as started:
        wait_until_full(started, watched)
        os.close(watched)
        while more := os.read(reading, 30_000):
            content += more
            time.sleep(0.001)
        assert started.wait(60) in (0, 2)
    os.close(reading)
    return content


SWEEP = "table --type conv --input-size 4..80 --kernel-size 1..9 --stride 1..4"


@pytest.mark.parametrize(
    ("command", "ends"), [("matrix large.yaml -o -", pipe), (SWEEP, pipe), (SWEEP, sockets)]
)
def test_34_a_slow_reader_gets_all_of_standard_output(
    run: Run, spec: WriteSpec, command: str, ends: Ends
) -> None:
    spec(
        """
        input: [1, 100, 100]
        layers: [{type: conv, out_channels: 2, kernel_size: 3, weight: {fill: index}}]
        """,
        "large.yaml",
    )
    assert drained(ends, "stdout", *command.split()) == run(*command.split()).stdout


def test_34_a_slow_reader_gets_all_of_standard_error(run: Run, folder: Path) -> None:
    problems = "".join(f"  - {{type: conv{number}}}\n" for number in range(900))
    Path("net.yaml").write_text("input: [1, 8]\nlayers:\n" + problems, encoding="utf-8")
    expected = run("shapes", "net.yaml").stderr
    assert len(expected) > 150_000
    assert drained(pipe, "stderr", "shapes", "net.yaml") == expected


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_34_a_signal_ends_the_wait(
    folder: Path, stream: str, number: signal.Signals, status: int
) -> None:
    reading, writing = os.pipe()
    ours, theirs = (writing, reading) if stream == "stdin" else (reading, writing)
    watched = os.dup(theirs)
    os.set_blocking(theirs, False)
    arguments = ("check", "-") if stream == "stdin" else SWEEP.split()
    with process(*arguments, **{stream: theirs}) as started:
        if stream == "stdin":
            write_all(writing, b"input:")
            wait_until_read(started, watched)
        else:
            wait_until_full(started, watched)
        assert started.poll() is None
        started.send_signal(number)
        assert started.wait(60) == status
        assert started.stderr is not None
        assert started.stderr.read() == b""
    os.close(ours)
    os.close(watched)


# --- terminals --------------------------------------------------------------------------------


def typed(content: bytes, *arguments: str) -> Outcome:
    """convt whose standard input is a terminal where `content` is typed, and the end of it."""
    ours, theirs = pty.openpty()
    os.set_blocking(theirs, False)
    watched = os.dup(theirs)
    half = content.index(b"\n", len(content) // 2) + 1
    with process(*arguments, stdin=theirs) as started:
        for part in (content[:half], content[half:]):
            write_all(ours, part)
            wait_until_read(started, watched)
        write_all(ours, b"\x04")
        out, err = started.communicate(timeout=60)
    os.close(ours)
    os.close(watched)
    return Outcome(started.returncode, out, err)


def test_34_what_is_typed_at_a_terminal_is_read_until_its_end_is_typed(
    run: Run, folder: Path
) -> None:
    assert typed(WRONG.encode(), "check", "-") == run("check", "-", stdin=WRONG.encode())


def test_34_half_a_spec_from_a_terminal_that_is_gone_is_no_spec(folder: Path) -> None:
    """A read from it says "end", as for a whole one.  Whoever ignores SIGHUP lives to see that."""
    ours, theirs = pty.openpty()
    watched = os.dup(theirs)
    with process("shapes", "-", stdin=theirs) as started:
        write_all(ours, RELUS.encode()[:3000])
        wait_until_read(started, watched)
        os.close(watched)
        os.close(ours)
        out, err = started.communicate(timeout=60)
    outcome = Outcome(started.returncode, out, err)
    assert (outcome.status, outcome.codes, outcome.out) == (2, ["E401"], "")
    assert "the terminal is gone" in outcome.err or "input/output error" in outcome.err


def test_34_a_terminal_that_is_gone_before_it_is_written_is_one_error(folder: Path) -> None:
    ours, theirs = pty.openpty()
    os.close(ours)
    with process("table", stdout=theirs) as started:
        assert started.stderr is not None
        err = started.stderr.read().decode()
        assert started.wait(60) == 2
    assert re.findall(r"error\[(E\d+)\]", err) == ["E402"]


def test_34_a_terminal_that_does_not_block_shows_all(run: Run, folder: Path) -> None:
    ours, theirs = pty.openpty()
    size_of(theirs, 200)
    os.set_blocking(theirs, False)
    watched = os.dup(theirs)
    with process(*SWEEP.split(), stdout=theirs) as started:
        wait_until_full(started, watched)
        os.close(watched)
        shown = read_all(ours).decode().replace("\r\n", "\n")
        assert started.wait(60) == 0
    assert without_codes(shown) == run(*SWEEP.split()).out
    os.close(ours)


def test_34_a_socket_that_is_reset_is_one_error(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        served, _ = server.accept()
    watched = os.dup(served.fileno())
    with process("shapes", "-", stdin=served.detach()) as started:
        client.sendall(RELUS.encode())
        wait_until_read(started, watched)
        os.close(watched)
        reset = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # linger: on, for no time
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
        client.close()
        out, err = started.communicate(timeout=60)
    outcome = Outcome(started.returncode, out, err)
    assert (outcome.status, outcome.codes, outcome.out) == (2, ["E401"], "")


# --- the stream itself ------------------------------------------------------------------------


def test_34_a_stream_waits_for_what_comes_and_ends_with_the_data() -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    stream = io.BufferedReader(Waiting(reading))

    def write() -> None:
        for part in (b"one ", b"two ", b"three"):
            time.sleep(0.05)
            os.write(writing, part)
        os.close(writing)

    threading.Thread(target=write).start()
    assert stream.read() == b"one two three"
    assert stream.read() == b""
    os.close(reading)


@pytest.mark.parametrize("size", [1, 65_536, 300_000])
def test_34_a_stream_gives_all_it_is_given(size: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    stream = io.BufferedWriter(Waiting(writing))
    data = os.urandom(size)

    def write() -> None:
        stream.write(data)
        stream.flush()
        os.close(writing)

    thread = threading.Thread(target=write)
    thread.start()
    time.sleep(0.05)
    content = b""
    while more := os.read(reading, 10_000):
        content += more
    thread.join()
    os.close(reading)
    assert content == data
