"""`convt shapes` as a whole process: over its imports, and over plain YAML for large specs.

Run with `python -m tests.benchmarks.startup` from the project's folder.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks.timing import python, ratio

IMPORTS = "import click, yaml, rich.console, rich.table"
LOAD = """
import sys, yaml
for path in sys.argv[1:]:
    with open(path) as file:
        yaml.load(file, Loader=yaml.CSafeLoader)
"""
COUNTS = ((1, 1000), (1, 3000), (300, 30))
"""How many specs, and the layers of each."""


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
        for count, layers in COUNTS:
            paths = [str(Path(folder, f"{layers}-{number}.yaml")) for number in range(count)]
            for path in paths:
                Path(path).write_text(long_spec(layers), encoding="utf-8")
            value = ratio(python(*shapes, *paths), python("-c", LOAD, *paths), 5)
            print(f"shapes of {count} x {layers:,} layers / yaml.CSafeLoader: {value:.2f}")


if __name__ == "__main__":
    main()
