"""`conv_matrix` over what NumPy needs to fill arrays of the same size.

Run with `python -m tests.benchmarks.matrix` from the project's folder.
"""

from __future__ import annotations

import numpy as np

from convt_cli import conv_matrix
from tests.benchmarks.timing import best_ratio

# (out_channels, in_channels, size, kernel_size, stride, padding)
CASES = (
    (64, 64, 56, 3, 1, 1),
    (64, 3, 224, 7, 2, 3),
    (128, 256, 32, 4, 2, 1),
    (1, 1, 1024, 11, 1, 5),
    (1, 1, 1024, 3, 1, 1),
)


def case_ratio(out: int, inner: int, size: int, kernel: int, stride: int, padding: int) -> str:
    """The entries of C and the ratio, as a row."""
    weight = np.random.default_rng(0).standard_normal((out, inner, kernel, kernel))

    def build() -> int:
        return int(conv_matrix(weight, (size, size), stride=stride, padding=padding).nnz)

    entries = build()

    def fill() -> None:
        np.ones(entries), np.ones(entries, np.int32)

    return f"{entries:>13,}   {best_ratio(build, fill, 5):.2f}"


def main() -> None:
    """Print one row per case."""
    print("(out, in, size, kernel, stride, padding)   entries of C   conv_matrix / np.ones of both")
    for case in CASES:
        print(f"{case!s:<38}{case_ratio(*case)}")


if __name__ == "__main__":
    main()
