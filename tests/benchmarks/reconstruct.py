"""Up and down the first five convolutions of VGG-16, over PyTorch's forward and backward pass.

Run with `python -m tests.benchmarks.reconstruct [THREADS]` from the project's folder: one thread
if not given.  Needs torch.  As in the command, convt does as many tiles at a time, each with one
thread of BLAS.  Both compute in float32 on one image of 224 by 224, with the same
weights; of PyTorch's weights no gradient is wanted.  A ratio below 1 means that convt is faster.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

RUNS = 7

BLOCKS = ((3, 64, 64), (64, 128, 128), (128, 256))
"""Channels, block by block, with a max pool behind each of the first two."""


def write_network(folder: Path) -> str:
    """The spec of the network, its random weights beside it."""
    import numpy as np  # the number of threads has to be set before

    rng, lines = np.random.default_rng(0), ["input: [3, 224, 224]", "layers:"]
    for number, (first, *rest) in enumerate(BLOCKS):
        for place, channels in enumerate(rest):
            shape = channels, [first, *rest][place], 3, 3
            name = f"w{number}{place}.npy"
            np.save(folder / name, (rng.standard_normal(shape) / 30).astype(np.float32))
            keys = f"out_channels: {channels}, kernel_size: 3, padding: 1, weight: {name}"
            lines += [f"  - {{type: conv, {keys}}}", "  - {type: relu}"]
        lines += ["  - {type: max_pool, kernel_size: 2}"] * (number < len(BLOCKS) - 1)
    (folder / "vgg.yaml").write_text("\n".join(lines))
    return str(folder / "vgg.yaml")


def measure(folder: Path, threads: int) -> None:
    """Print the ratios up, down and for both together."""
    import numpy as np
    import torch

    from convt_cli.analysis.backward.run import prepared, run, way_to
    from convt_cli.files.weights import Weights
    from convt_cli.operators.threads import tiles_at_once
    from convt_cli.spec.load import load_spec
    from tests.benchmarks.timing import best_ratio, ratio

    torch.set_num_threads(threads)
    network = load_spec(write_network(folder))
    image = np.random.default_rng(1).standard_normal((1, 3, 224, 224)).astype(np.float32)
    ready = prepared(way_to(network, network.layers[-1].name), Weights(network), image.dtype)
    weights = [torch.from_numpy(one.parameters["weight"]) for one in ready.layers if one.parameters]

    def up() -> tuple[Any, Any]:
        x = torch.from_numpy(image).requires_grad_()
        y = x
        for number, weight in enumerate(weights):
            y = torch.relu(torch.nn.functional.conv2d(y, weight, padding=1))
            if number in (1, 3):
                y = torch.nn.functional.max_pool2d(y, 2)
        return x, y

    recorded, (x, y) = run(ready, image), up()
    (expected,) = torch.autograd.grad(y, x, y.detach(), retain_graph=True)
    found = recorded.down(recorded.activations, "gradient")
    # By rounding a sum near zero may fall to the other side of a rectifier, which few inputs see.
    differs = np.abs(found - expected.numpy()) > 1e-4 * np.abs(found).max()
    assert differs.mean() < 0.02

    def whole() -> None:
        here = run(ready, image)
        here.down(here.activations, "gradient")

    def whole_in_torch() -> None:
        source, result = up()
        torch.autograd.grad(result, source, result.detach())

    pairs = {
        "up": (lambda: run(ready, image), up),
        "down": (
            lambda: recorded.down(recorded.activations, "gradient"),
            lambda: torch.autograd.grad(y, x, y.detach(), retain_graph=True),
        ),
        "up and down": (whole, whole_in_torch),
    }
    print(f"convt over PyTorch {torch.__version__}, threads: {threads}")
    with tiles_at_once(threads):
        for name, (first, second) in pairs.items():
            best = best_ratio(first, second, RUNS)
            print(f"{name:<12}{best:>6.2f} best{ratio(first, second, RUNS):>6.2f} median")


def main() -> None:
    """Measure with as many threads as asked for."""
    threads = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), threads)


if __name__ == "__main__":
    main()
