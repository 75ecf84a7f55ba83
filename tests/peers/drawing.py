"""Configurations drawn from a seed, without regard to whether they are legal."""

from __future__ import annotations

import random
from typing import Any

from tests.peers.cases import Case, Layer

OPSETS = (10, 11, 13, 19, 22)
PADDED_UP_TO = 4


def drawn(framework: str, layer_type: str, number: int) -> Case:
    """Configuration `number` of a type, the same ever after."""
    return _Draw(framework, layer_type, number).case()


class _Draw:
    """One configuration while it is being drawn."""

    def __init__(self, framework: str, layer_type: str, number: int) -> None:
        self.framework = framework
        self.type = layer_type
        self.random = random.Random(f"{framework} {layer_type} {number}")
        self.rank = self.random.choice([1, 1, 1, 2, 2, 3])
        self.pools = layer_type.endswith("_pool")
        self.sizes = self.axes(1, {1: 9, 2: 7, 3: 5}[self.rank])
        self.kernel_size = self.axes(1, 3 if self.rank == 3 else 5)
        self.stride = self.axes(1, 4 if self.rank < 3 else 3)
        self.dilation = self.dilations()
        self.padding = self.paddings()

    def axes(self, least: int, most: int) -> list[int]:
        return [self.random.randint(least, most) for _ in range(self.rank)]

    def dilations(self) -> list[int]:
        if self.random.random() < 0.65:
            return [1] * self.rank
        if self.framework in ("tensorflow", "keras") and self.random.random() < 0.7:
            self.stride = [1] * self.rank
        return self.axes(1, 3)

    def paddings(self) -> Any:
        words = {
            "pytorch": ["same", "valid"] if self.type == "conv" else ["valid"],
            "onnx": ["same", "same_lower", "valid"],
            "jax": ["same", "same", "same_lower", "valid"],
        }.get(self.framework, ["same", "valid"])
        share = {"tensorflow": 0.75, "keras": 1.0, "pytorch": 0.2}.get(self.framework, 0.5)
        if self.random.random() < share:
            word = self.random.choice(words)
            if word == "same" and self.framework == "pytorch" and self.random.random() < 0.7:
                self.stride = [1] * self.rank
            return word
        most = PADDED_UP_TO if self.random.random() < 0.5 else 1
        if self.framework == "pytorch" or self.random.random() < 0.3:
            return _short(self.axes(0, most))
        if self.framework == "tensorflow" and self.random.random() < 0.8:
            self.rank_two()
        return [self.axes_pair(most) for _ in range(self.rank)]

    def axes_pair(self, most: int) -> list[int]:
        return [self.random.randint(0, most), self.random.randint(0, most)]

    def rank_two(self) -> None:
        """TensorFlow pads explicitly in two dimensions alone."""
        self.rank = 2
        for name in ("sizes", "kernel_size", "stride", "dilation"):
            setattr(self, name, (getattr(self, name) * 2)[:2])

    def case(self) -> Case:
        layer: Layer = {"type": self.type, "kernel_size": _short(self.kernel_size)}
        if not self.pools or self.random.random() < 0.8:
            layer["stride"] = _short(self.stride)
        layer["padding"] = self.padding
        if max(self.dilation) > 1:
            layer["dilation"] = _short(self.dilation)
        channels = self.random.randint(1, 2)
        if self.pools:
            self.pool_keys(layer)
        else:
            groups = self.random.choice([1, 1, 1, 2])
            layer["out_channels"] = groups * self.random.randint(1, 2)
            channels *= groups
            if groups > 1:
                layer["groups"] = groups
        if self.type == "conv_transpose":
            self.transposed_keys(layer)
        opset = self.random.choice(OPSETS) if self.framework == "onnx" else None
        return Case(self.framework, layer, (channels, *self.sizes), opset)

    def pool_keys(self, layer: Layer) -> None:
        average = self.type == "avg_pool"
        if self.framework == "keras" or (average and self.framework != "onnx"):
            layer.pop("dilation", None)  # a spec's average pool has none
        if self.framework in ("pytorch", "onnx") and self.random.random() < 0.5:
            layer["ceil_mode"] = True
        if average and self.framework in ("pytorch", "onnx", "jax"):
            layer["count_include_pad"] = self.random.random() < 0.5

    def transposed_keys(self, layer: Layer) -> None:
        choice = self.random.random()
        if self.framework == "jax":
            if choice < 0.5:
                layer["transpose_kernel"] = True
            return
        named = {"pytorch": 0.3, "onnx": 0.4, "tensorflow": 0.7, "keras": 0.0}[self.framework]
        if choice < named:
            layer["output_size"] = _short(self.output_sizes())
        elif choice < 0.75 and self.framework != "tensorflow":
            layer["output_padding"] = _short(self.axes(0, max(1, *self.stride)))
        elif self.framework == "onnx" and choice < 0.8:
            layer["output_padding"] = _short([self.random.randrange(s) for s in self.stride])
            layer["output_size"] = _short(self.output_sizes())

    def output_sizes(self) -> list[int]:
        """Around the sizes that the layer can reach, from one too small to one too large."""
        axes = zip(self.sizes, self.kernel_size, self.stride, self.dilation)
        if self.padding in ("same", "same_lower"):
            least = [(i - 1) * s + 1 for i, _, s, _ in axes]
        else:
            least = [
                (i - 1) * s + (k - 1) * d + 1 - self.taken(n) for n, (i, k, s, d) in enumerate(axes)
            ]
        spread = self.random.choice([0, 0, 1])
        return [
            max(1, low + self.random.randint(-spread, s - 1 + spread))
            for low, s in zip(least, self.stride)
        ]

    def taken(self, axis: int) -> int:
        """What padding takes off the output; for ONNX what its pads, found by it, may take."""
        if self.framework == "onnx":
            return self.random.randint(0, 4)
        if isinstance(self.padding, str):
            return 0
        pads = self.padding if isinstance(self.padding, int) else self.padding[axis]
        return 2 * pads if isinstance(pads, int) else sum(pads)


def _short(values: list[int]) -> int | list[int]:
    """One int where all axes have the same."""
    return values[0] if len(set(values)) == 1 else values
