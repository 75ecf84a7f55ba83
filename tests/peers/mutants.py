"""Random layers as PyTorch computes them: right, and wrong in every way that `diagnose` names.

Nothing here is computed by convt: a mutant is PyTorch's own answer to another question.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from convt_cli import Network, load_spec

Array = Any
Rng = np.random.Generator


@dataclass(frozen=True)
class Drawn:
    """A layer with its numbers, as a spec and as PyTorch have it."""

    type: str
    keys: dict[str, Any]
    x: Array
    weight: Any = None
    bias: Any = None

    @property
    def rank(self) -> int:
        return int(self.x.ndim) - 2

    def network(self, folder: Path) -> Network:
        """The layer `one` alone in a network."""
        layer = {"name": "one", "type": self.type, **self.keys}
        if self.weight is not None:
            bias = np.zeros(1) if self.bias is None else self.bias
            np.savez(folder / "w.npz", weight=self.weight, bias=bias)
            layer["weight"] = "w.npz#weight"
            layer["bias"] = False if self.bias is None else "w.npz#bias"
        spec = {"input": list(self.x.shape[1:]), "layers": [layer]}
        (folder / "net.yaml").write_text(yaml.safe_dump(spec), encoding="utf-8")
        return load_spec(folder / "net.yaml")

    def torch(self, **changed: Any) -> Array:
        """PyTorch's answer, with other keys or arrays where they are given."""
        return computed(replace(self, **_fields(self, changed)))


def _fields(drawn: Drawn, changed: dict[str, Any]) -> dict[str, Any]:
    arrays: dict[str, Any] = {
        name: changed[name] for name in ("x", "weight", "bias") if name in changed
    }
    keys = {name: value for name, value in changed.items() if name not in arrays}
    return arrays | {"keys": drawn.keys | keys}


def computed(drawn: Drawn) -> Array:
    """What PyTorch computes for a layer, in the dtype of its x."""
    torch = import_module("torch")
    keys, rank = dict(drawn.keys), drawn.rank
    x, weight, bias = (
        None if one is None else torch.from_numpy(np.ascontiguousarray(one))
        for one in (drawn.x, drawn.weight, drawn.bias)
    )
    functional = torch.nn.functional
    if drawn.type == "linear":
        return functional.linear(x, weight, bias).numpy()
    names = {"max_pool": "max_pool", "avg_pool": "avg_pool"}
    if drawn.type in names:
        return getattr(functional, f"{drawn.type}{rank}d")(x, **keys).numpy()
    for name in ("out_channels", "kernel_size"):
        keys.pop(name)
    mode = keys.pop("padding_mode", "zeros")
    pads = keys.pop("pads", None)
    if mode != "zeros":
        pads = [(one, one) for one in keys["padding"]]
    if pads is not None and drawn.type == "conv":
        around = [size for pair in reversed(pads) for size in pair]
        x = functional.pad(x, around, mode="constant" if mode == "zeros" else mode)
        keys["padding"] = 0
    call = getattr(functional, f"{drawn.type}{rank}d")
    return call(x, weight, bias, **keys).numpy()


def draw(rng: Rng, kind: str, dtype: str = "float32", **fixed: Any) -> Drawn:
    """A random layer of this type that PyTorch takes; `fixed` are its keys, or its `rank`."""
    torch_errors = (RuntimeError, ValueError)
    while True:
        drawn = _drawn(rng, kind, dtype, dict(fixed))
        try:
            if computed(drawn).size:
                return drawn
        except torch_errors:
            continue


def _drawn(rng: Rng, kind: str, dtype: str, fixed: dict[str, Any]) -> Drawn:
    rank = fixed.pop("rank", None) or int(rng.integers(1, 4))
    batch = fixed.pop("batch", None) or int(rng.integers(1, 3))
    if kind == "linear":
        inner, out = (int(n) for n in rng.integers(1, 40, 2))
        keys: dict[str, Any] = {"out_features": out}
        shapes = (batch, inner), (out, inner), out
    else:
        largest = {1: 30, 2: 12, 3: 7}[rank]
        sizes = rng.integers(4, largest + 1, rank)
        keys, weight_shape, channels, bias_size = _keys(rng, kind, rank, fixed)
        shapes = (batch, channels, *sizes), weight_shape, bias_size
    x, weight, bias = (rng.standard_normal(shape).astype(dtype) for shape in shapes)
    if kind in ("max_pool", "avg_pool"):
        return Drawn(kind, keys, x)
    has_bias = fixed.pop("bias", rng.random() < 0.7)
    return Drawn(kind, keys, x, weight, bias if has_bias else None)


def _keys(rng: Rng, kind: str, rank: int, fixed: dict[str, Any]) -> Any:
    def each(low: int, high: int) -> list[int]:
        return [int(n) for n in rng.integers(low, high, rank)]

    if kind in ("max_pool", "avg_pool"):
        kernel = each(2, 4)
        keys: dict[str, Any] = {
            "kernel_size": kernel,
            "stride": each(1, 4),
            "padding": [int(rng.integers(0, size // 2 + 1)) for size in kernel],
            "ceil_mode": bool(rng.random() < 0.3),
        }
        if kind == "avg_pool":
            keys["count_include_pad"] = bool(rng.random() < 0.5)
        else:
            keys["dilation"] = each(1, 3)
        keys.update(fixed)
        return keys, (1,), int(rng.integers(1, 5)), 1
    groups = fixed.get("groups") or int(rng.choice([1, 1, 2, 3]))
    inner, out = (groups * int(n) for n in rng.integers(1, 5, 2))
    inner, out = fixed.pop("channels", (inner, out))
    keys = {
        "out_channels": out,
        "kernel_size": each(1, 5),
        "stride": each(1, 4),
        "padding": each(0, 3),
        "dilation": each(1, 3),
        "groups": groups,
    }
    if kind == "conv_transpose":
        keys["output_padding"] = [int(rng.integers(0, step)) for step in keys["stride"]]
    keys.update({key: value for key, value in fixed.items() if key != "bias"})
    both = (inner, out) if kind == "conv_transpose" else (out, inner)
    return keys, (both[0], both[1] // groups, *keys["kernel_size"]), inner, out


# --- wrong answers: (random numbers) to the layer as it is written and what a tool made of it ----

Mutant = Callable[[Rng], tuple[Drawn, Array]]


def _some(rng: Rng) -> str:
    return str(rng.choice(["conv", "conv_transpose"]))


def _padding_moved(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    drawn = draw(rng, "conv", rank=rank, kernel_size=[3] * rank, padding=[1] * rank, dilation=1)
    return drawn, drawn.torch(pads=[(0, 2)] * rank)


def _same_of_tensorflow(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    drawn = draw(
        rng, "conv", rank=rank, kernel_size=[3] * rank, padding=[1] * rank, stride=2, dilation=1
    )
    even = drawn.x[:, :, *(slice(0, size // 2 * 2) for size in drawn.x.shape[2:])]
    drawn = replace(drawn, x=even)
    return drawn, drawn.torch(pads=[(0, 1)] * rank)


def _no_padding(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    drawn = draw(rng, _some(rng), rank=rank, kernel_size=[3] * rank, padding=[1] * rank, dilation=1)
    return drawn, drawn.torch(padding=0)


def _output_padding_lost(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, "conv_transpose", stride=2, output_padding=1)
    return drawn, drawn.torch(output_padding=0)


def _output_padding_in_front(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    keys: dict[str, Any] = {"kernel_size": [3] * rank, "padding": [1] * rank, "dilation": 1}
    drawn = draw(rng, "conv_transpose", rank=rank, stride=2, output_padding=1, **keys)
    longer = drawn.torch(padding=0, output_padding=0)
    return drawn, longer[:, :, *(slice(0, -1) for _ in range(rank))].copy()


def _flip(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    drawn = draw(rng, _some(rng), rank=rank, kernel_size=[int(rng.integers(2, 5))] * rank)
    return drawn, drawn.torch(weight=np.flip(drawn.weight, tuple(range(2, rank + 2))))


def _transpose(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(2, 4))
    drawn = draw(rng, _some(rng), rank=rank, kernel_size=[int(rng.integers(2, 4))] * rank)
    return drawn, drawn.torch(weight=np.swapaxes(drawn.weight, -1, -2))


def _channels(rng: Rng) -> tuple[Drawn, Array]:
    count = int(rng.integers(2, 6))
    drawn = draw(rng, _some(rng), channels=(count, count), groups=1)
    return drawn, drawn.torch(weight=drawn.weight.swapaxes(0, 1))


def _channels_of_linear(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, "linear")
    size = max(2, drawn.x.shape[1])
    weight, x = (rng.standard_normal((n, size)).astype("float32") for n in (size, 2))
    drawn = replace(drawn, keys={"out_features": size}, weight=weight, bias=None, x=x)
    return drawn, drawn.torch(weight=weight.T)


def _groups_interleaved(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, _some(rng), groups=2, channels=(4, 6))
    y = drawn.torch()
    count = y.shape[1]
    return drawn, y.reshape(len(y), 2, count // 2, *y.shape[2:]).swapaxes(1, 2).reshape(y.shape)


def _groups_dealt(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, "conv", groups=2, channels=(4, 6))
    parts = []
    for channel in range(6):  # by hand: output channel c reads the inputs of group c mod 2
        group = channel % 2
        bias = None if drawn.bias is None else drawn.bias[[channel]]
        parts.append(
            drawn.torch(
                x=drawn.x[:, 2 * group : 2 * group + 2],
                weight=drawn.weight[[channel]],
                bias=bias,
                groups=1,
            )
        )
    return drawn, np.concatenate(parts, 1)


def _groups_reordered(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, _some(rng), groups=3, channels=(6, 6))
    order = [2, 0, 1]
    blocks = drawn.x.reshape(len(drawn.x), 3, 2, *drawn.x.shape[2:])[:, order]
    return drawn, drawn.torch(x=blocks.reshape(drawn.x.shape))


def _dilation(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    drawn = draw(rng, _some(rng), rank=rank, dilation=2, kernel_size=[3] * rank)
    return drawn, drawn.torch(dilation=1)


def _dilation_same_size(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    keys: dict[str, Any] = {
        "kernel_size": [3] * rank,
        "dilation": 2,
        "padding": [2] * rank,
        "stride": 1,
    }
    drawn = draw(rng, "conv", rank=rank, **keys)
    return drawn, drawn.torch(dilation=1, padding=[1] * rank)


def _without_extra(kind: str) -> dict[str, Any]:
    return {} if kind == "conv" else {"output_padding": 0}


def _stride(rng: Rng) -> tuple[Drawn, Array]:
    kind = _some(rng)
    drawn = draw(rng, kind, stride=2, **_without_extra(kind))
    return drawn, drawn.torch(stride=1)


def _bias_missing(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, str(rng.choice(["conv", "conv_transpose", "linear"])), bias=True)
    return _biased(rng, drawn, None)


def _biased(rng: Rng, drawn: Drawn, factor: float | None) -> tuple[Drawn, Array]:
    count = computed(drawn).shape[1]
    bias = rng.standard_normal(count).astype("float32")
    drawn = replace(drawn, bias=bias)
    return drawn, drawn.torch(bias=None if factor is None else np.float32(factor) * bias)


def _bias_twice(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, str(rng.choice(["conv", "conv_transpose", "linear"])))
    return _biased(rng, drawn, 2)


def _padding_mode(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    keys: dict[str, Any] = {"kernel_size": [3] * rank, "padding": [1] * rank}
    drawn = draw(rng, "conv", rank=rank, **keys)
    mode = str(rng.choice(["reflect", "replicate", "circular"]))
    if mode == "reflect" and rank == 3:
        mode = "replicate"
    return drawn, drawn.torch(padding_mode=mode)


def _channels_last(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, _some(rng), groups=1, channels=(3, 5))
    return drawn, np.moveaxis(drawn.torch(), 1, -1).copy()


def _read_as_channels_first(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, _some(rng), groups=1, channels=(3, 5))
    return drawn, drawn.torch(x=np.moveaxis(drawn.x, 1, -1).reshape(drawn.x.shape))


def _batch(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, _some(rng), batch=3)
    y = drawn.torch()
    return drawn, y[int(rng.integers(3))] if rng.random() < 0.5 else y.swapaxes(0, 1).copy()


def _ceil_mode(rng: Rng) -> tuple[Drawn, Array]:
    while True:
        drawn = draw(rng, str(rng.choice(["max_pool", "avg_pool"])), ceil_mode=False, stride=2)
        up = drawn.torch(ceil_mode=True)
        if up.shape != computed(drawn).shape:
            if rng.random() < 0.5:
                return drawn, up
            return replace(drawn, keys=drawn.keys | {"ceil_mode": True}), computed(drawn)


def _divisor(rng: Rng) -> tuple[Drawn, Array]:
    rank = int(rng.integers(1, 4))
    keys: dict[str, Any] = {"kernel_size": [3] * rank, "padding": [1] * rank}
    counts = bool(rng.random() < 0.5)
    drawn = draw(rng, "avg_pool", rank=rank, count_include_pad=counts, **keys)
    return drawn, drawn.torch(count_include_pad=not counts)


def _relu(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, str(rng.choice(["conv", "conv_transpose", "linear", "avg_pool"])))
    return drawn, np.maximum(computed(drawn), 0)


def _factor(rng: Rng) -> tuple[Drawn, Array]:
    drawn = draw(rng, str(rng.choice(["conv", "conv_transpose", "linear", "avg_pool"])))
    constant = np.float32(rng.choice([255, 1 / 255, 0.5, -1, 0.017, 2]))
    return drawn, computed(drawn) * constant


def _lower(rng: Rng) -> tuple[Drawn, Array]:
    torch = import_module("torch")
    drawn = draw(rng, _some(rng))
    kind = rng.choice([torch.bfloat16, torch.float16])

    def rounded(array: Array) -> Array:
        return torch.from_numpy(array).to(kind).to(torch.float32).numpy()

    which = int(rng.integers(3))
    if which == 0:
        return drawn, drawn.torch(weight=rounded(drawn.weight))
    if which == 1:
        return drawn, drawn.torch(weight=rounded(drawn.weight), x=rounded(drawn.x))
    return drawn, rounded(computed(drawn))


def _cut(rng: Rng) -> tuple[Drawn, Array]:
    while True:
        drawn = draw(rng, _some(rng))
        y = computed(drawn)
        if min(y.shape[2:]) > 2:
            return drawn, y[:, :, *(slice(0, -1) for _ in range(drawn.rank))].copy()


MUTANTS: dict[str, tuple[str, Mutant]] = {
    "padding moved": ("padding", _padding_moved),
    "SAME of TensorFlow": ("padding", _same_of_tensorflow),
    "no padding": ("padding", _no_padding),
    "output_padding lost": ("output_padding", _output_padding_lost),
    "output_padding in front": ("output_padding", _output_padding_in_front),
    "kernel flipped": ("flip", _flip),
    "kernel transposed": ("transpose", _transpose),
    "channels exchanged": ("channels", _channels),
    "matrix transposed": ("channels", _channels_of_linear),
    "groups interleaved": ("groups", _groups_interleaved),
    "groups dealt out": ("groups", _groups_dealt),
    "groups reordered": ("groups", _groups_reordered),
    "dilation ignored": ("dilation", _dilation),
    "dilation ignored, size kept": ("dilation", _dilation_same_size),
    "stride ignored": ("stride", _stride),
    "bias missing": ("bias", _bias_missing),
    "bias twice": ("bias", _bias_twice),
    "padding_mode": ("padding_mode", _padding_mode),
    "channels last": ("layout", _channels_last),
    "read as channels first": ("layout", _read_as_channels_first),
    "batch lost": ("batch", _batch),
    "ceil_mode": ("ceil_mode", _ceil_mode),
    "divisor": ("divisor", _divisor),
    "relu": ("activation", _relu),
    "factor": ("factor", _factor),
    "lower precision": ("precision", _lower),
    "rows cut off": ("size", _cut),
}
"""Kinds of wrong answers: the word for the change, and how one is made."""
