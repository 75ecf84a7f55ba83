"""`conv_transpose` and `conv` over torch, ONNX Runtime and JAX, case by case, in one process.

Run with `python -m tests.benchmarks.apply [THREADS [DTYPE...]]` from the project's folder: one
thread and both dtypes if not given.  Needs torch; ONNX Runtime and JAX are compared where they
are installed.  A ratio below 1 means that convt is faster; each is the best of several
interleaved runs over the best of the peer's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from math import exp, log
from typing import Any

RUNS = 9
MOMENT = 0.05
"""Seconds that one thing runs before the next one's turn, at least once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A transposed convolution; `conv` runs it backwards."""

    batch: int
    in_channels: int
    out_channels: int
    size: tuple[int, ...]
    kernel_size: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def window(self) -> dict[str, Any]:
        """The arguments that a forward convolution takes."""
        return {
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
            "groups": self.groups,
        }

    def __str__(self) -> str:
        sizes = "x".join(map(str, self.size))
        window = f"k{self.kernel_size} s{self.stride} p{self.padding}"
        extras = [
            f"{name}{value}"
            for name, value, plain in (
                ("op", self.output_padding, 0),
                ("d", self.dilation, 1),
                ("g", self.groups, 1),
            )
            if value != plain
        ]
        channels = f"{self.in_channels}->{self.out_channels}"
        return " ".join([f"{self.batch} x {channels} {sizes} {window}", *extras])


def _square(batch: int, inner: int, out: int, size: int, *window: int) -> Case:
    kernel, stride, padding, extra = window
    return Case(
        batch=batch,
        in_channels=inner,
        out_channels=out,
        size=(size, size),
        kernel_size=kernel,
        stride=stride,
        padding=padding,
        output_padding=extra,
    )


SUITE = (
    _square(1, 1024, 512, 4, 4, 2, 1, 0),
    _square(1, 512, 256, 8, 4, 2, 1, 0),
    _square(1, 256, 128, 16, 4, 2, 1, 0),
    _square(1, 128, 64, 32, 4, 2, 1, 0),
    _square(1, 64, 3, 64, 4, 2, 1, 0),
    _square(1, 128, 64, 128, 2, 2, 0, 0),
    _square(1, 64, 64, 224, 3, 1, 1, 0),
    _square(1, 21, 21, 34, 16, 8, 4, 0),
    _square(1, 96, 3, 110, 7, 2, 1, 0),
    _square(1, 1, 1, 512, 5, 2, 2, 1),
    _square(16, 256, 128, 16, 4, 2, 1, 0),
)
BESIDE = (
    Case(batch=1, in_channels=1, out_channels=1, size=(65536,), kernel_size=25, stride=4),
    Case(batch=1, in_channels=32, out_channels=16, size=(65536,), kernel_size=25, stride=4),
    Case(
        batch=1, in_channels=32, out_channels=16, size=(32,) * 3, kernel_size=4, stride=2, padding=1
    ),
    Case(
        batch=1,
        in_channels=128,
        out_channels=128,
        size=(56, 56),
        kernel_size=3,
        padding=1,
        groups=4,
    ),
    Case(
        batch=1,
        in_channels=128,
        out_channels=128,
        size=(56, 56),
        kernel_size=3,
        padding=1,
        groups=128,
    ),
    Case(
        batch=1,
        in_channels=64,
        out_channels=64,
        size=(56, 56),
        kernel_size=3,
        padding=4,
        dilation=4,
    ),
)

Action = Callable[[], Any]


def convt(case: Case, y: Any, x: Any, weight: Any) -> tuple[Action, Action]:
    """(transposed, forward) of convt."""
    from convt_cli import conv, conv_transpose

    return (
        lambda: conv_transpose(y, weight, output_padding=case.output_padding, **case.window),
        lambda: conv(x, weight, **case.window),
    )


def torch(case: Case, y: Any, x: Any, weight: Any) -> tuple[Action, Action]:
    """(transposed, forward) of torch."""
    from torch import from_numpy
    from torch.nn import functional

    rank = len(case.size)
    transposed = getattr(functional, f"conv_transpose{rank}d")
    forward = getattr(functional, f"conv{rank}d")
    ty, tx, tw = map(from_numpy, (y, x, weight))
    return (
        lambda: transposed(ty, tw, output_padding=case.output_padding, **case.window),
        lambda: forward(tx, tw, **case.window),
    )


def onnxruntime(case: Case, y: Any, x: Any, weight: Any) -> tuple[Action, Action]:
    """(transposed, forward) of ONNX Runtime."""
    rank = len(case.size)
    attributes: dict[str, Any] = {
        "strides": [case.stride] * rank,
        "pads": [case.padding] * 2 * rank,
        "dilations": [case.dilation] * rank,
        "group": case.groups,
    }
    extra = {"output_padding": [case.output_padding] * rank}
    return (
        _session("ConvTranspose", y, weight, **attributes, **extra),
        _session("Conv", x, weight, **attributes),
    )


def _session(operator: str, source: Any, weight: Any, **attributes: Any) -> Action:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(operator, ["source", "weight"], ["result"], **attributes)],
        "case",
        [value("source", TensorProto.FLOAT, source.shape)],
        [value("result", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "weight")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(os.environ["OMP_NUM_THREADS"])
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda: session.run(None, {"source": source})[0]


def jax(case: Case, y: Any, x: Any, weight: Any) -> tuple[Action, Action]:
    """(transposed, forward) of JAX, compiled; the transposed one as a dilated convolution."""
    import jax
    import numpy as np

    rank = len(case.size)
    reach = case.dilation * (case.kernel_size - 1)
    pads = [(reach - case.padding, reach - case.padding + case.output_padding)] * rank
    flipped = np.ascontiguousarray(_exchanged(weight, case.groups))

    def apply(stretch: int, stride: int, padding: Any) -> Callable[[Any, Any], Any]:
        compiled: Callable[[Any, Any], Any] = jax.jit(
            lambda source, kernel: jax.lax.conv_general_dilated(
                source,
                kernel,
                (stride,) * rank,
                padding,
                lhs_dilation=(stretch,) * rank,
                rhs_dilation=(case.dilation,) * rank,
                feature_group_count=case.groups,
            )
        )
        return compiled

    down, up = apply(1, case.stride, [(case.padding,) * 2] * rank), apply(case.stride, 1, pads)
    jy, jx, jw, jf = map(jax.numpy.asarray, (y, x, weight, flipped))
    return (
        lambda: up(jy, jf).block_until_ready(),
        lambda: down(jx, jw).block_until_ready(),
    )


def _exchanged(weight: Any, groups: int) -> Any:
    """The kernel flipped, its channels exchanged: what Cᵀ is as a direct convolution."""
    out, inner, *kernel = weight.shape
    grouped = weight.reshape(groups, out // groups, inner, *kernel).swapaxes(1, 2)
    exchanged = grouped.reshape(groups * inner, out // groups, *kernel)
    return exchanged[:, :, *(slice(None, None, -1) for _ in kernel)]


def best_times(actions: list[Action]) -> list[float]:
    """The best time of each, of interleaved runs."""
    from tests.benchmarks.timing import seconds

    best = [min(seconds(action) for _ in range(2)) for action in actions]
    repeats = [max(1, int(MOMENT / time)) for time in best]
    for _ in range(RUNS):
        for number, action in enumerate(actions):
            times = [seconds(action) for _ in range(repeats[number])]
            best[number] = min(best[number], *times)
    return best


def ratios(case: Case, dtype: str) -> dict[str, tuple[float, float]]:
    """convt's time over each peer's, (transposed, forward)."""
    import numpy as np

    generator = np.random.default_rng(0)
    span = (case.kernel_size - 1) * case.dilation + 1 - 2 * case.padding + case.output_padding
    sizes = [(size - 1) * case.stride + span for size in case.size]
    kernel = (case.kernel_size,) * len(sizes)
    y, x, weight = (
        generator.standard_normal(shape).astype(dtype)
        for shape in (
            (case.batch, case.in_channels, *case.size),
            (case.batch, case.out_channels, *sizes),
            (case.in_channels, case.out_channels // case.groups, *kernel),
        )
    )
    runners = {"convt": convt, "torch": torch}
    if dtype == "float32" and find_spec("onnxruntime"):
        runners["onnxruntime"] = onnxruntime
    if find_spec("jax"):
        runners["jax"] = jax
    actions = {name: make(case, y, x, weight) for name, make in runners.items()}
    for transposed, forward in actions.values():
        for ours, theirs in zip(actions["convt"], (transposed, forward), strict=True):
            np.testing.assert_allclose(ours(), np.asarray(theirs()), atol=1e-2)
    sides = [best_times([pair[side] for pair in actions.values()]) for side in (0, 1)]
    return {
        name: (sides[0][0] / sides[0][number], sides[1][0] / sides[1][number])
        for number, name in enumerate(actions)
        if number
    }


def kernels() -> str:
    """Which kernels NumPy's BLAS runs, where it says so."""
    if find_spec("threadpoolctl") is None:
        return "install threadpoolctl to see which kernels BLAS runs"
    from threadpoolctl import threadpool_info

    found = {
        f"{library['internal_api']} {library['version']} {library.get('architecture', '')}".strip()
        for library in threadpool_info()
        if library["user_api"] == "blas"
    }
    return ", ".join(sorted(found))


def report(dtype: str) -> None:
    """Print one row per case, and the geometric means over the suite."""
    collected: dict[str, list[tuple[float, float]]] = {}
    for case in SUITE + BESIDE:
        found = ratios(case, dtype)
        print(f"{case!s:<46}", _row(found), flush=True)
        if case in SUITE:
            for name, pair in found.items():
                collected.setdefault(name, []).append(pair)
    means = {
        name: (_geometric(p[0] for p in pairs), _geometric(p[1] for p in pairs))
        for name, pairs in collected.items()
    }
    print(f"{f'geometric means of the first {len(SUITE)}':<46}", _row(means), flush=True)


def _row(found: dict[str, tuple[float, float]]) -> str:
    return "  ".join(f"{name} {pair[0]:5.2f} {pair[1]:5.2f}" for name, pair in found.items())


def _geometric(values: Any) -> float:
    numbers = list(values)
    return exp(sum(map(log, numbers)) / len(numbers))


def main(threads: str = "1", *dtypes: str) -> None:
    """Print the tables."""
    # Read by the libraries as they load, so it comes before all of them.
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = threads
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=" + str(threads != "1").lower()
    os.environ["JAX_ENABLE_X64"] = "1"
    import torch

    torch.set_num_threads(int(threads))
    for dtype in dtypes or ("float32", "float64"):
        print(f"{dtype}, {threads} thread(s), {kernels()}; Cᵀ y and C x, convt over each peer")
        report(dtype)


if __name__ == "__main__":
    main(*sys.argv[1:])
