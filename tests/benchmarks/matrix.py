"""C and Cᵀ over what NumPy needs to fill arrays of the same size, in time and in memory.

Run with `python -m tests.benchmarks.matrix` from the project's folder.  All of it runs in one
thread.
"""

from __future__ import annotations

import os
import sys

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.operators.matrix.build import build_matrix
from tests.benchmarks.timing import best_ratio

# (out_channels, in_channels, size, kernel_size, stride, padding)
CASES = (
    (64, 64, 56, 3, 1, 1),
    (64, 3, 224, 7, 2, 3),
    (128, 256, 32, 4, 2, 1),
    (1, 1, 1024, 11, 1, 5),
    (1, 1, 1024, 3, 1, 1),
)
RUNS = 5


def square(
    out_channels: int, in_channels: int, size: int, kernel_size: int, stride: int, padding: int
) -> Convolution:
    """A convolution of two axes alike."""
    axis = Axis.conv(
        input_size=size, kernel_size=kernel_size, stride=stride, before=padding, after=padding
    )
    return Convolution(out_channels=out_channels, in_channels=in_channels, axes=(axis, axis))


def weight(convolution: Convolution) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Standard normal taps."""
    return np.random.default_rng(0).standard_normal(convolution.weight_shape)


def time_ratio(convolution: Convolution, *, transpose: bool) -> float:
    """The best time of building over the best of filling, interleaved."""
    taps, entries = weight(convolution), convolution.nnz

    def build() -> None:
        build_matrix(convolution, taps, transpose=transpose)

    def fill() -> None:
        np.ones(entries), np.ones(entries, np.int32)

    return best_ratio(build, fill, RUNS)


def peak(convolution: Convolution, *, transpose: bool) -> tuple[int, int]:
    """(bytes of the matrix, bytes a process of its own grows by while it builds it)."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        taps, before = weight(convolution), resident("VmRSS")
        build_matrix(convolution, taps, transpose=transpose)
        os.write(writer, str(resident("VmHWM") - before).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    grown = int(os.read(reader, 32))
    os.close(reader)
    os.close(writer)
    return convolution.matrix_bytes(8, transpose=transpose), grown


def resident(name: str) -> int:
    """A field of /proc/self/status, in bytes."""
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def main() -> None:
    """Print one row per case, first the memory, for which nothing large may have been built."""
    print(f"{'(out, in, size, kernel, stride, padding)':<42}", end="")
    print(f"{'':<4}{'entries':>13}{'time / np.ones':>16}{'peak / result':>15}{'peak - result':>15}")
    for case in CASES:
        convolution = square(*case)
        for transpose in (False, True):
            size, grown = peak(convolution, transpose=transpose)
            ratio = time_ratio(convolution, transpose=transpose)
            print(f"{case!s:<42}{'Cᵀ' if transpose else 'C':<4}{convolution.nnz:>13,}", end="")
            print(f"{ratio:>16.2f}{grown / size:>15.2f}{(grown - size) / 1e6:>12.1f} MB")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
