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
import signal
import socket
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from convt_cli.io.streams import Waiting
from tests.commands.test_streams import read_all, size_of, without_codes
from tests.conftest import GUIDE, Outcome, Run, WriteSpec, command_line, environment

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


def wait_until_read(descriptor: int) -> None:
    """Return once all that was written has been read, and a little later."""
    deadline = time.monotonic() + 30
    while unread(descriptor) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)


def write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def fed(ends: Ends, parts: list[bytes], *arguments: str) -> Outcome:
    """convt on standard input that does not block, of which parts arrive one after the other."""
    reading, writing = ends()
    watched = os.dup(reading)
    os.set_blocking(reading, False)
    with process(*arguments, stdin=reading) as started:
        if not parts[0]:
            time.sleep(1)  # until there is somebody who finds nothing
        for part in parts:
            write_all(writing, part)
            wait_until_read(watched)
        os.close(writing)
        out, err = started.communicate(timeout=60)
    os.close(watched)
    return Outcome(started.returncode, out, err)


@KINDS
@pytest.mark.parametrize("first", [0, 10, len(RELUS)])
def test_34_a_spec_that_arrives_in_parts_is_read_to_its_end(
    run: Run, folder: Path, ends: Ends, first: int
) -> None:
    content = WRONG.encode()
    expected = run("check", "-", stdin=content)
    assert expected.status == 1
    assert fed(ends, [content[:first], content[first:]], "check", "-") == expected


@KINDS
@pytest.mark.parametrize("first", [0, 5, 100, 1000])
def test_34_an_array_that_arrives_in_parts_is_read_to_its_end(
    run: Run, folder: Path, spec: WriteSpec, ends: Ends, first: int
) -> None:
    spec(GUIDE)
    stream = io.BytesIO()
    np.save(stream, np.arange(16_000.0).reshape(1000, 1, 4, 4))
    content = stream.getvalue()
    run("apply", "net.yaml", "-", "--forward", "-o", "whole.npy", stdin=content)
    parts = [content[:first], content[first:50_000], content[50_000:]]
    outcome = fed(ends, parts, "apply", "net.yaml", "-", "--forward", "-o", "parts.npy")
    assert (outcome.status, outcome.err) == (0, "")
    assert Path("parts.npy").read_bytes() == Path("whole.npy").read_bytes()


def drained(ends: Ends, stream: str, *arguments: str) -> bytes:
    """What convt writes to a stream that does not block and whose reader is slow."""
    reading, writing = ends()
    os.set_blocking(writing, False)
    other = {"stdout": "stderr", "stderr": "stdout"}[stream]
    silence = os.open(os.devnull, os.O_WRONLY)
    content = b""
    with process(*arguments, **{stream: writing, other: silence}) as started:
        time.sleep(0.8)
        while more := os.read(reading, 30_000):
            content += more
            time.sleep(0.001)
        assert started.wait(60) in (0, 2)
    os.close(reading)
    return content


SWEEP = "table --type conv --input-size 4..80 --kernel-size 1..9 --stride 1..4"


@KINDS
@pytest.mark.parametrize(
    "command", ["matrix large.yaml -o -", SWEEP, "matrix large.yaml --dry-run", "apply --help"]
)
def test_34_a_slow_reader_gets_all_of_standard_output(
    run: Run, spec: WriteSpec, ends: Ends, command: str
) -> None:
    spec(
        """
        input: [1, 100, 100]
        layers: [{type: conv, out_channels: 2, kernel_size: 3, weight: {fill: index}}]
        """,
        "large.yaml",
    )
    assert drained(ends, "stdout", *command.split()) == run(*command.split()).stdout


@KINDS
def test_34_a_slow_reader_gets_all_of_standard_error(run: Run, folder: Path, ends: Ends) -> None:
    problems = "".join(f"  - {{type: conv{number}}}\n" for number in range(900))
    Path("net.yaml").write_text("input: [1, 8]\nlayers:\n" + problems, encoding="utf-8")
    expected = run("shapes", "net.yaml").stderr
    assert len(expected) > 150_000
    assert drained(ends, "stderr", "shapes", "net.yaml") == expected


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_34_a_signal_ends_the_wait(
    folder: Path, stream: str, number: signal.Signals, status: int
) -> None:
    reading, writing = os.pipe()
    ours, theirs = (writing, reading) if stream == "stdin" else (reading, writing)
    os.set_blocking(theirs, False)
    arguments = ("check", "-") if stream == "stdin" else SWEEP.split()
    with process(*arguments, **{stream: theirs}) as started:
        time.sleep(1.5)
        assert started.poll() is None
        started.send_signal(number)
        assert started.wait(60) == status
        assert started.stderr is not None
        assert started.stderr.read() == b""
    os.close(ours)


# --- terminals --------------------------------------------------------------------------------


def typed(content: bytes, *arguments: str) -> Outcome:
    """convt whose standard input is a terminal where `content` is typed, and the end of it."""
    ours, theirs = pty.openpty()
    os.set_blocking(theirs, False)
    with process(*arguments, stdin=theirs) as started:
        for line in content.splitlines(keepends=True):
            write_all(ours, line)
            time.sleep(0.005)
        time.sleep(0.5)
        write_all(ours, b"\x04")
        out, err = started.communicate(timeout=60)
    os.close(ours)
    return Outcome(started.returncode, out, err)


def test_34_what_is_typed_at_a_terminal_is_read_until_its_end_is_typed(
    run: Run, folder: Path
) -> None:
    assert typed(WRONG.encode(), "check", "-") == run("check", "-", stdin=WRONG.encode())


def test_34_half_a_spec_from_a_terminal_that_is_gone_is_no_spec(folder: Path) -> None:
    """A read from it says "end", as for a whole one.  Whoever ignores SIGHUP lives to see that."""
    ours, theirs = pty.openpty()
    with process("shapes", "-", stdin=theirs) as started:
        write_all(ours, RELUS.encode()[:3000])
        time.sleep(1.5)
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
    with process(*SWEEP.split(), stdout=theirs) as started:
        time.sleep(1)
        shown = read_all(ours).decode().replace("\r\n", "\n")
        assert started.wait(60) == 0
    assert without_codes(shown) == run(*SWEEP.split()).out
    os.close(ours)


def test_34_a_socket_that_is_reset_is_one_error(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        served, _ = server.accept()
    with process("shapes", "-", stdin=served.detach()) as started:
        client.sendall(RELUS.encode())
        time.sleep(1.5)
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
