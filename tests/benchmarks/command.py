"""`convt apply` as a whole process over scripts that do the same with torch and ONNX Runtime.

Run with `python -m tests.benchmarks.command [RUNS]` from the project's folder.  Every side reads
the source from a .npy file, applies one layer of DCGAN's generator and saves a .npy file; the
ONNX model is there already.  Python's compiled files are kept, as they are after an installation.
A ratio below 1 means that convt is faster; each is the median over interleaved runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.benchmarks.timing import ratio, seconds

# (name, batch, in_channels, out_channels, size)
CASES = (
    ("up5", 1, 64, 3, 32),
    ("up4", 1, 128, 64, 16),
    ("up2", 1, 512, 256, 4),
    ("up5", 64, 64, 3, 32),
)

TORCH = """
import sys, numpy, torch
x, w = (torch.from_numpy(numpy.load(name)) for name in sys.argv[1:3])
y = torch.nn.functional.conv_transpose2d(x, w, stride=2, padding=1)
numpy.save(sys.argv[3], y.numpy())
"""
RUNTIME = """
import sys, numpy, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[2], providers=["CPUExecutionProvider"])
(y,) = session.run(None, {"x": numpy.load(sys.argv[1])})
numpy.save(sys.argv[3], y)
"""


def normal(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Standard normal numbers."""
    return np.random.default_rng(0).standard_normal(shape, np.float32)


def save_inputs(folder: Path, batch: int, channels: tuple[int, int], size: int) -> None:
    """x.npy, w.npy, model.onnx and net.yaml."""
    from onnx import TensorProto, helper, numpy_helper, save

    weight = normal(*channels, 4, 4)
    np.save(folder / "x.npy", normal(batch, channels[0], size, size))
    np.save(folder / "w.npy", weight)
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2], pads=[1] * 4)
    shapes = (batch, channels[0], size, size), (batch, channels[1], 2 * size, 2 * size)
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in zip("xy", shapes, strict=True)
    ]
    initializers = [numpy_helper.from_array(weight, "w")]
    graph = helper.make_graph([node], "layer", values[:1], values[1:], initializers)
    opsets = [helper.make_opsetid("", 18)]
    save(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "model.onnx")
    (folder / "net.yaml").write_text(
        f"input: [{channels[0]}, {size}, {size}]\n"
        "defaults: {conv_transpose: {kernel_size: 4, stride: 2, padding: 1, bias: false}}\n"
        f"layers: [{{type: conv_transpose, out_channels: {channels[1]}, weight: w.npy}}]\n",
        encoding="utf-8",
    )


def process(folder: Path, *arguments: str) -> Callable[[], object]:
    """A run of this Python in `folder`, with its compiled files beside it."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {"PYTHONPYCACHEPREFIX": str(folder.parent / "compiled"), "PYTHONPATH": os.getcwd()}
    command = (sys.executable, *arguments)
    return lambda: subprocess.run(command, cwd=folder, env=env, check=True)


def row(folder: Path, runs: int) -> str:
    """The ratios to torch and to ONNX Runtime, and convt's own seconds."""
    options = ("apply", "net.yaml", "x.npy", "-o", "y.npy", "--force")
    convt = process(folder, "-m", "convt_cli", *options)
    torch = process(folder, "-c", TORCH, "x.npy", "w.npy", "torch.npy")
    runtime = process(folder, "-c", RUNTIME, "x.npy", "model.onnx", "runtime.npy")
    to_torch, to_runtime = ratio(convt, torch, runs), ratio(convt, runtime, runs)
    results = [np.load(folder / name) for name in ("y.npy", "torch.npy", "runtime.npy")]
    for result in results[1:]:
        np.testing.assert_allclose(results[0], result, rtol=1e-4, atol=1e-3)
    own = min(seconds(convt) for _ in range(runs))
    return f"{to_torch:>10.2f}{to_runtime:>14.2f}{own:>10.3f}"


def main() -> None:
    """Print one row per case."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    print(f"{'layer':<28}{'/ torch':>10}{'/ ONNX Runtime':>14}{'seconds':>10}")
    with tempfile.TemporaryDirectory() as name:
        for number, (layer, batch, before, after, size) in enumerate(CASES):
            folder = Path(name, str(number))
            folder.mkdir()
            save_inputs(folder, batch, (before, after), size)
            label = f"{layer} {batch}x{before}x{size}x{size} to {after}"
            print(f"{label:<28}{row(folder, runs)}", flush=True)


if __name__ == "__main__":
    main()
