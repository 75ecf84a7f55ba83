"""`convt shapes` as a whole process: over its imports, and over plain YAML for large specs.

Run with `python -m tests.benchmarks.startup` from the project's folder.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.timing import python, ratio

IMPORTS = "import click, yaml, rich.console, rich.table"
LOAD = "import sys, yaml; yaml.load(open(sys.argv[1]), Loader=yaml.CSafeLoader)"


def long_spec(layers: int) -> str:
    """A chain of padded convolutions."""
    lines = [
        f"  - {{name: conv{n}, type: conv, out_channels: 8, kernel_size: 3, padding: 1}}"
        for n in range(layers)
    ]
    return "\n".join(("input: [3, 64, 64]", "layers:", *lines, ""))


def main() -> None:
    """Print the ratios."""
    shapes = ("-m", "convt_cli", "shapes")
    value = ratio(python(*shapes, "configs/vgg16.yaml"), python("-c", IMPORTS), 15)
    print(f"shapes of VGG-16 / {IMPORTS}: {value:.2f}")
    with tempfile.TemporaryDirectory() as folder:
        for layers in (1000, 3000):
            spec = Path(folder, f"{layers}.yaml")
            spec.write_text(long_spec(layers), encoding="utf-8")
            value = ratio(python(*shapes, str(spec)), python("-c", LOAD, str(spec)), 5)
            print(f"shapes of {layers:,} layers / yaml.CSafeLoader: {value:.2f}")


if __name__ == "__main__":
    main()
