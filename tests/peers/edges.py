"""The edges of every framework's rules, one by one: most on one axis of one channel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

from tests.peers.cases import Case, Layer

CONV = {"type": "conv", "out_channels": 1}
TRANSPOSED = {"type": "conv_transpose", "out_channels": 1}
POOLS = ("max_pool", "avg_pool")


def edges(framework: str) -> Iterator[Case]:
    """The edges of a framework's rules."""
    yield from {
        "pytorch": _pytorch,
        "tensorflow": _tensorflow,
        "keras": _keras,
        "onnx": _onnx,
        "jax": _jax,
    }[framework]()


def _on(framework: str, size: int, layer: Layer, opset: int | None = None) -> Case:
    """A layer on one axis; ONNX's with the newest opset unless told."""
    if framework == "onnx":
        opset = opset or 22
    return Case(framework, layer, (1, size), opset)


def _transposed(framework: str, opset: int | None = None, **keys: Any) -> Case:
    """A transposed layer on three elements, without the keys that are None."""
    written = {key: value for key, value in keys.items() if value is not None}
    return _on(framework, 3, {**TRANSPOSED, **written}, opset)


def _pool(framework: str, size: int, opset: int | None = None, **keys: Any) -> Iterator[Case]:
    """The same window in a max_pool and an avg_pool."""
    for kind in POOLS:
        yield _on(framework, size, {"type": kind, **keys}, opset)


def _strided_same(framework: str, words: tuple[str, ...], layers: list[Layer]) -> Iterator[Case]:
    """Every n mod s, kernels shorter than the stride too."""
    windows = ((1, 2), (1, 3), (2, 3), (3, 2), (4, 2), (4, 3), (5, 4), (2, 4))
    for word, layer, (k, s) in product(words, layers, windows):
        for size in range(s + 1, 2 * s + 1):
            yield _on(framework, size, {**layer, "kernel_size": k, "stride": s, "padding": word})


def _pool_words(framework: str) -> Iterator[Case]:
    """SAME and VALID pools of every rank, up to a window that is larger than the input."""
    for kind, rank, word in product(POOLS, (1, 2, 3), ("same", "valid")):
        size = 3 if rank == 3 else 5  # a float32 mean of 5^3 is not exact enough
        for k, s in ((3, 2), (2, 3), (size, 1), (size + 1, 1)):
            layer = {"type": kind, "kernel_size": k, "stride": s, "padding": word}
            yield Case(framework, layer, (1, *[size] * rank))


def _dilated(framework: str, words: tuple[str, ...], layers: list[Layer]) -> Iterator[Case]:
    """A dilation with and without a stride."""
    for word, layer, k, d, s in product(words, layers, (2, 3), (2, 3), (1, 2)):
        keys: Layer = {"kernel_size": k, "dilation": d, "stride": s, "padding": word}
        yield _on(framework, 7, {**layer, **keys})


# ---------------------------------------------------------------------------------- PyTorch


def _pytorch() -> Iterator[Case]:
    for k, d, size in product((1, 2, 3, 4), (1, 2, 3), (1, 5)):
        yield _on("pytorch", size, {**CONV, "kernel_size": k, "dilation": d, "padding": "same"})
    yield _on("pytorch", 6, {**CONV, "kernel_size": 3, "stride": 2, "padding": "same"})
    for op, s, d in product(range(4), (1, 2, 3), (1, 2, 3)):
        yield _transposed("pytorch", kernel_size=3, stride=s, dilation=d, output_padding=op)
    for size in range(3, 11):
        yield _transposed("pytorch", kernel_size=3, stride=2, padding=1, output_size=size)
    for size in range(2, 8):
        yield from _pool("pytorch", size, kernel_size=2, stride=3, padding=1, ceil_mode=True)
    for k, p in product((2, 3), (1, 2)):
        yield from _pool("pytorch", 6, kernel_size=k, stride=1, padding=p)
    for d, p in product((2, 3), (1, 2, 3)):
        keys: Layer = {"kernel_size": 3, "stride": 1, "dilation": d, "padding": p}
        yield _on("pytorch", 9, {"type": "max_pool", **keys})
    for size in (2, 3, 4):
        layer = {"type": "avg_pool", "kernel_size": 3, "stride": 1, "padding": 1}
        yield Case("pytorch", layer, (1, size, 4, 4))


# ------------------------------------------------------------------------ TensorFlow, Keras


def _tensorflow() -> Iterator[Case]:
    yield from _strided_same("tensorflow", ("same",), [CONV, {"type": "max_pool"}])
    for word, k, s, d in product(("same", "valid"), (1, 3, 4), (1, 2, 3), (None, 2)):
        keys: Layer = {"kernel_size": k, "stride": s, "padding": word, "dilation": d}
        yield _transposed("tensorflow", **keys)
        for size in range(2 * s - 1, 2 * s + k + s + 1) if d is None else ():
            yield _transposed("tensorflow", **keys, output_size=size)
    yield from _tensorflow_ranks()
    yield from _tensorflow_pairs()
    yield from _pool_words("tensorflow")
    for word, s, d in product(("same", "valid"), (1, 2), (2, 3)):
        keys = {"kernel_size": 2, "stride": s, "dilation": d, "padding": word}
        yield _on("tensorflow", 7, {"type": "max_pool", **keys})
    for k, s in ((5, 1), (6, 1), (6, 2), (7, 2), (9, 2)):
        yield _on("tensorflow", 5, {**CONV, "kernel_size": k, "stride": s, "padding": "valid"})


def _tensorflow_ranks() -> Iterator[Case]:
    """Stride beside dilation, and groups, in one to three dimensions."""
    for rank, layer, word in product((1, 2, 3), (CONV, TRANSPOSED), ("same", "valid")):
        keys: Layer = {**layer, "kernel_size": 2, "padding": word}
        for s, d in ((1, 2), (2, 2), (2, 1)):
            yield Case("tensorflow", {**keys, "stride": s, "dilation": d}, (1, *[5] * rank))
        yield Case("tensorflow", {**keys, "groups": 2, "out_channels": 2}, (2, *[4] * rank))


def _tensorflow_pairs() -> Iterator[Case]:
    """Explicit pads, which are there for two dimensions, and for max pools of one."""
    for pair, size in product(([0, 1], [1, 1], [2, 0], [3, 2]), range(3, 9)):
        keys: Layer = {"kernel_size": 3, "stride": 2, "padding": [pair, pair], "output_size": size}
        yield Case("tensorflow", {**TRANSPOSED, **keys}, (1, 3, 3))
    for pair in ([0, 1], [2, 0], [2, 2], [3, 0], [0, 3]):
        window = {"type": "max_pool", "kernel_size": 3, "stride": 2}
        yield Case("tensorflow", {**window, "padding": [pair, pair]}, (1, 6, 6))
        yield _on("tensorflow", 6, {**window, "padding": [pair]})


def _keras() -> Iterator[Case]:
    yield from _strided_same("keras", ("same",), [CONV, {"type": "avg_pool"}])
    for word, k, s in product(("same", "valid"), (1, 2, 3, 4, 5), (1, 2, 3, 4)):
        for op in (None, *range(s + 1)):
            keys: Layer = {"kernel_size": k, "stride": s, "padding": word}
            yield _transposed("keras", **keys, output_padding=op)
    for word, k, d, op in product(("same", "valid"), (2, 3), (2, 3), (None, 0, 1)):
        keys = {"kernel_size": k, "dilation": d, "padding": word}
        yield _transposed("keras", **keys, output_padding=op)
    yield from _keras_ranks()
    yield from _pool_words("keras")


def _keras_ranks() -> Iterator[Case]:
    """Stride beside dilation, on the same axis and on different ones; output_padding per axis."""
    mixed = (([1] * 3, [2] * 3), ([2] * 3, [2] * 3), ([2, 1, 1], [1, 2, 1]), ([1, 2, 1], [2, 1, 1]))
    both = (CONV, TRANSPOSED)
    for rank, layer, word, (s, d) in product((1, 2, 3), both, ("same", "valid"), mixed):
        keys: Layer = {"kernel_size": 2, "padding": word, "stride": s[:rank], "dilation": d[:rank]}
        yield Case("keras", {**layer, **keys}, (1, *[5] * rank))
    for op, word in product(([0, 1], [1, 0], [1, 1]), ("same", "valid")):
        keys = {"kernel_size": [3, 2], "stride": 2, "padding": word, "output_padding": op}
        yield Case("keras", {**TRANSPOSED, **keys}, (1, 3, 3))


# ------------------------------------------------------------------------------------- ONNX

_ONNX_WORDS = ("same", "same_lower", "valid")


def _onnx() -> Iterator[Case]:
    direct: list[Layer] = [CONV, *({"type": kind} for kind in POOLS)]
    yield from _strided_same("onnx", ("same", "same_lower"), direct)
    yield from _dilated("onnx", _ONNX_WORDS, [*direct, TRANSPOSED])
    yield from _onnx_output_shapes()
    for word, k, s, op in product(("same", "same_lower"), (1, 2, 3, 5), (1, 2, 3, 4), range(4)):
        keys: Layer = {"kernel_size": k, "stride": s, "padding": word}
        yield _transposed("onnx", 11 if op % 2 else 22, **keys, output_padding=op)
    for op in range(3):
        yield _transposed("onnx", kernel_size=3, stride=2, padding="valid", output_padding=op)
    for s, d, op in product((1, 2, 3), (1, 2, 3), range(4)):
        yield _transposed("onnx", kernel_size=2, stride=s, dilation=d, output_padding=op)
    for pair in ([3, 3], [0, 3], [3, 0], [2, 4], [4, 4]):
        yield _transposed("onnx", kernel_size=3, stride=2, padding=[pair])
    yield from _onnx_pools()


def _onnx_output_shapes() -> Iterator[Case]:
    """Odd and even totals, from a few below the full size to one stride past it."""
    windows = ((1, 3, 2), (10, 4, 2), (11, 3, 2), (11, 2, 4), (22, 4, 2), (22, 4, 1))
    for (opset, k, s), word in product(windows, (None, 0, *_ONNX_WORDS)):
        for size in range(max(1, 2 * s + k - 4), 2 * s + k + s + 1):
            keys: Layer = {"kernel_size": k, "stride": s, "padding": word, "output_size": size}
            yield _transposed("onnx", opset, **keys)
    for pair, size, op in product(([2, 0], [0, 2], [1, 1], [0, 1]), (5, 6, 7, 8), (None, 1)):
        keys = {"kernel_size": 3, "stride": 2, "padding": [pair], "output_padding": op}
        yield _transposed("onnx", **keys, output_size=size)
    for size in range(7, 15):
        yield _transposed("onnx", kernel_size=3, stride=2, dilation=3, output_size=size)


def _onnx_pools() -> Iterator[Case]:
    windows = ((2, 3, 1, 5), (2, 4, 1, 3), (1, 4, 0, 3), (1, 4, 0, 4), (3, 2, 1, 6))
    for opset, (k, s, p, size) in product((10, 11, 19, 22), windows):
        keys: Layer = {"kernel_size": k, "stride": s, "padding": p}
        yield from _pool("onnx", size, opset, **keys, ceil_mode=True)
    for pair in ([2, 2], [3, 0], [0, 3], [2, 0], [1, 2]):
        for ceil in (False, True):
            keys = {"kernel_size": 3, "stride": 2, "padding": [pair], "ceil_mode": ceil}
            yield from _pool("onnx", 6, **keys)
        yield from _pool("onnx", 6, kernel_size=2, stride=1, padding=[pair], dilation=3)
    for size, s, ceil in product((3, 4, 5), (1, 2, 4), (False, True)):
        yield from _pool("onnx", size, kernel_size=5, stride=s, ceil_mode=ceil)
    for word, size in product(_ONNX_WORDS, (5, 6)):
        yield from _pool("onnx", size, kernel_size=3, stride=2, padding=word, ceil_mode=True)
    for size in (2, 3, 4):
        layer = {"type": "avg_pool", "kernel_size": 3, "stride": 1, "padding": 1}
        yield Case("onnx", layer, (1, size, 4, 4), 22)
    for opset in (7, 8, 10, 18, 19):
        yield from _pool("onnx", 6, opset, kernel_size=2, stride=2, dilation=2)
        yield from _pool("onnx", 7, opset, kernel_size=2, stride=2, ceil_mode=True)


# -------------------------------------------------------------------------------------- JAX


def _jax() -> Iterator[Case]:
    direct: list[Layer] = [CONV, {"type": "max_pool"}]
    yield from _strided_same("jax", ("same", "same_lower"), direct)
    yield from _dilated("jax", ("same", "same_lower", "valid"), direct)
    for k, s, flip in product((1, 2, 3, 4, 5), (1, 2, 3, 4), (False, True)):
        keys: Layer = {"kernel_size": k, "stride": s, "transpose_kernel": flip}
        yield _transposed("jax", **keys, padding="same")
        yield _transposed("jax", **keys, padding="same" if k % 2 else "valid", dilation=2)
        if not flip:
            yield _transposed("jax", **keys, padding="valid")
    for before, after in product(range(5), range(5)):
        keys = {"kernel_size": 3, "stride": 2, "padding": [[before, after]]}
        yield _transposed("jax", **keys, transpose_kernel=bool((before + after) % 2))
    for pair in ([0, 0], [1, 0], [4, 4], [5, 0]):
        yield _transposed("jax", kernel_size=3, stride=2, dilation=2, padding=[pair])
    for k, s in product((2, 3, 4), (1, 2)):
        yield _transposed("jax", kernel_size=k, stride=s, padding="same_lower")
    for layer, pair in product((*direct, {"type": "avg_pool"}), ([3, 0], [0, 5], [4, 4])):
        yield _on("jax", 4, {**layer, "kernel_size": 2, "stride": 2, "padding": [pair]})
    for layer in (*direct, {"type": "avg_pool"}):
        yield _on("jax", 3, {**layer, "kernel_size": 4, "stride": 1, "padding": "valid"})
