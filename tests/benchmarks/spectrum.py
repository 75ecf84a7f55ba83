"""The largest singular value of layers, its time and the memory it takes.

Run with `python -m tests.benchmarks.spectrum [THREADS]` from the project's folder: one BLAS
thread if not given.  Beside it stands SciPy's svds on the same operator.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

LAYERS: tuple[tuple[Any, Any, dict[str, Any]], ...] = (
    ((64, 64, 3, 3), (56, 56), {"padding": 1}),
    ((128, 64, 3, 3), (56, 56), {"padding": 1, "stride": 2}),
    ((64, 3, 7, 7), (224, 224), {"padding": 3, "stride": 2}),
    ((512, 512, 3, 3), (7, 7), {"padding": 1}),
)


def measure(number: int, method: str) -> None:
    """Print one row: value, error estimate, seconds, and the peak of the whole process in MB."""
    import resource

    import numpy as np
    from scipy.sparse.linalg import svds

    from convt_cli import ConvOperator, singular_values
    from convt_cli.analysis.linear_map import LinearMap

    shape, sizes, keys = LAYERS[number]
    weight = np.random.default_rng(0).standard_normal(shape)
    operator = ConvOperator(weight, sizes, **keys)
    start = time.perf_counter()
    if method == "convt":
        found = singular_values(operator).largest
        value, error = found.value, found.error_estimate
    else:
        matrix = LinearMap(operator.convolution, weight)
        v0 = np.random.default_rng(0).standard_normal(min(matrix.shape))
        value = float(svds(matrix, k=1, tol=1e-6, return_singular_vectors=False, v0=v0)[0])
        error = float("nan")
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    name = f"{shape} on {sizes} {keys}"
    print(f"{name:<58} {method:<6} {value:10.5f} ~{error:7.0e} {seconds:7.2f} s {peak:6.0f} MB")


def main(threads: str = "1") -> None:
    """Print a row for every layer and method, each from a process of its own."""
    variables = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {**os.environ, **dict.fromkeys(variables, threads)}
    for number in range(len(LAYERS)):
        for method in ("convt", "svds"):
            code = f"from tests.benchmarks.spectrum import measure; measure({number}, {method!r})"
            subprocess.run([sys.executable, "-c", code], env=environment, check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
