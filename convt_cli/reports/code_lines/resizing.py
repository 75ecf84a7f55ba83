"""Lines of code for the layers without a stride: adaptive pools, upsamples and pixel shuffles.

A pixel shuffle is the same rearrangement in every framework: a reshape that splits axes, a
transposition, and a reshape that joins them.  Operators with that name exist elsewhere, too, but
some order the channels differently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, Framework, interpolation
from convt_cli.arithmetic.layers.adaptive_pools import plain_pool
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.sampling import sampled_alike, scales_exactly
from convt_cli.reports.code_lines.target import NoLineError, call, per_axis_text

ADAPTIVE = {
    "pytorch": {
        "adaptive_max_pool": "nn.AdaptiveMaxPool",
        "adaptive_avg_pool": "nn.AdaptiveAvgPool",
    },
    "keras": {
        "adaptive_max_pool": "keras.layers.AdaptiveMaxPooling",
        "adaptive_avg_pool": "keras.layers.AdaptiveAveragePooling",
    },
}
"""The modules of the frameworks that have adaptive pools.

`test_adaptive_modules_are_known_where_there_are_adaptive_pools` ties it to FRAMEWORKS.
"""
_RESHAPES = {
    "pytorch": ("{x}.reshape({to})", "{x}.permute({to})"),
    "tensorflow": ("tf.reshape({x}, {to})", "tf.transpose({x}, {to})"),
    "keras": ("keras.ops.reshape({x}, {to})", "keras.ops.transpose({x}, {to})"),
    "jax": ("jnp.reshape({x}, {to})", "jnp.transpose({x}, {to})"),
}
"""The reshape and the transposition of each framework, without ONNX, which needs nodes."""
_TORCH_MODES = {"linear": ("linear", "bilinear", "trilinear"), "cubic": ("", "bicubic", "")}
"""The mode of F.interpolate by the number of spatial axes; other modes keep their name."""
_IMAGE_MODES = {"nearest": "nearest", "linear": "bilinear", "cubic": "bicubic", "area": "area"}
"""The method of tf.image.resize and of Keras's resizing layers."""


def adaptive_pool(layer: NetworkLayer, framework: str) -> str | None:
    """A framework's own adaptive pool; None where it has none.

    Keras's maximum over a whole axis ends the process on the TensorFlow backend, seen in 3.15.
    """
    sizes = layer.output[1:]
    crashes = framework == "keras" and layer.type == "adaptive_max_pool" and 1 in sizes
    if framework not in ADAPTIVE or crashes:
        return None
    rank = f"{len(sizes)}d" if framework == "pytorch" else f"{len(sizes)}D"
    return f"{ADAPTIVE[framework][layer.type]}{rank}({per_axis_text(sizes)})(x)"


def plain_windows(layer: NetworkLayer) -> list[tuple[int, int]]:
    """(kernel_size, stride) per axis of the plain pool that equals an adaptive one.

    Raises NoLineError where no plain pool does.
    """
    pairs = zip(layer.inputs[0][1:], layer.output[1:], strict=True)
    windows = [plain_pool(size, wanted) for size, wanted in pairs]
    found = [window for window in windows if window is not None]
    if len(found) < len(windows):
        raise NoLineError("its windows are not of one length and one step, and it has no such pool")
    return found


def line(layer: NetworkLayer, own: Framework, framework: str) -> tuple[str, bool]:
    """(line, whether it holds for any input size) of an upsample or a pixel shuffle."""
    definition = layer.definition
    if isinstance(definition, PixelShuffle | PixelUnshuffle):
        return _shuffle(layer, definition, framework)
    if isinstance(definition, Upsample):
        return _upsample(layer, definition, own, framework)
    raise NoLineError("it takes the positions that its pool has kept beside its input")


def _upsample(
    layer: NetworkLayer, definition: Upsample, own: Framework, framework: str
) -> tuple[str, bool]:
    """A resize that reads and weighs the same elements; whole factors hold for any input size."""
    if framework not in _RESIZES:
        raise NoLineError(f"{framework} has no layer that resizes")
    sizes, wanted = layer.inputs[0][1:], layer.output[1:]
    kind, rules = interpolation(definition.mode), FRAMEWORKS[framework]
    if len(sizes) not in rules.upsampling.axes(definition.mode):
        raise NoLineError(f"{framework} has no {kind} resizing on {len(sizes)} spatial axes")
    smooths = own.upsampling.smooths and rules.upsampling.smooths  # JAX can be told not to
    theirs = replace(rules, upsampling=replace(rules.upsampling, smooths=smooths))
    if not sampled_alike(definition, layer.inputs[0], layer.output, own, theirs):
        raise NoLineError(f"the {kind} resizing of {framework} reads or weighs other elements")
    if not scales_exactly(definition, list(zip(sizes, wanted, strict=True))):
        raise NoLineError("its factor is not output over input size")
    by_factor = definition.scale_factor is not None and all(
        o % n == 0 for n, o in zip(sizes, wanted, strict=True)
    )
    factors = tuple(o // n for n, o in zip(sizes, wanted)) if by_factor else None
    return _RESIZES[framework](kind, wanted, factors, smooths)


def _torch_resize(kind: str, wanted: Shape, factors: Shape | None, _: bool) -> tuple[str, bool]:
    mode = _TORCH_MODES.get(kind, (kind,) * 3)[len(wanted) - 1]
    size = {"size": str(wanted)} if factors is None else {"scale_factor": per_axis_text(factors)}
    return call("F.interpolate", "x", **size, mode=repr(mode)), factors is not None


def _tensorflow_resize(
    kind: str, wanted: Shape, factors: Shape | None, _: bool
) -> tuple[str, bool]:
    if kind == "nearest" and factors is not None:
        return _repeated("tf.repeat", factors), True
    if len(wanted) != 2:
        raise NoLineError("tf.image.resize takes two spatial axes")
    method = repr(_IMAGE_MODES[kind])
    return call("tf.image.resize", "x", str(list(wanted)), method=method), False


def _keras_resize(kind: str, wanted: Shape, factors: Shape | None, _: bool) -> tuple[str, bool]:
    mode = None if kind == "nearest" else repr(_IMAGE_MODES[kind])
    if factors is not None:
        name = f"keras.layers.UpSampling{len(wanted)}D"
        return f"{call(name, per_axis_text(factors), interpolation=mode)}(x)", True
    if len(wanted) != 2:
        raise NoLineError("keras.layers.Resizing takes two spatial axes")
    mode = repr(_IMAGE_MODES[kind])
    return f"{call('keras.layers.Resizing', *map(str, wanted), interpolation=mode)}(x)", False


def _jax_resize(kind: str, wanted: Shape, factors: Shape | None, smooths: bool) -> tuple[str, bool]:
    if kind == "nearest" and factors is not None:
        return _repeated("jnp.repeat", factors), True
    shape = f"(x.shape[0], {', '.join(map(str, wanted))}, x.shape[-1])"
    plain = None if smooths or kind == "nearest" else "False"
    return call("jax.image.resize", "x", shape, repr(kind), antialias=plain), False


def _onnx_resize(kind: str, wanted: Shape, factors: Shape | None, _: bool) -> tuple[str, bool]:
    """Scales for whole factors, else sizes, whose batch and channels are the input's own."""
    if kind == "cubic" and len(wanted) != 2:
        raise NoLineError("ONNX Runtime has cubic on two spatial axes alone")
    if factors is None:
        raise NoLineError("Resize's sizes would have to name the batch too")
    mode = {"nearest": "asymmetric"}.get(kind, "half_pixel")
    scales = f"value_floats={[1.0, 1.0, *map(float, factors)]}"
    node = call(
        "helper.make_node",
        "'Resize'",
        "['x', '', 'scales']",
        "['y']",
        mode=repr(kind),
        coordinate_transformation_mode=repr(mode),
        nearest_mode="'floor'" if kind == "nearest" else None,
    )
    return f"[helper.make_node('Constant', [], ['scales'], {scales}), {node}]", True


def _repeated(name: str, factors: Shape) -> str:
    text = "x"
    for axis, factor in enumerate(factors, start=1):
        text = call(name, text, str(factor), axis=str(axis))
    return text


# (kind of interpolation, output sizes, whole factors or None, whether it smooths) to
# (line, whether it holds for any input size)
_RESIZES: dict[str, Callable[[str, Shape, Shape | None, bool], tuple[str, bool]]] = {
    "pytorch": _torch_resize,
    "tensorflow": _tensorflow_resize,
    "keras": _keras_resize,
    "jax": _jax_resize,
    "onnx": _onnx_resize,
}


def _shuffle(
    layer: NetworkLayer, shuffle: PixelShuffle | PixelUnshuffle, framework: str
) -> tuple[str, bool]:
    """The operator of PyTorch or ONNX on two axes; elsewhere the rearrangement itself."""
    rank, factor = len(layer.output) - 1, shuffle.factor
    deepens = isinstance(shuffle, PixelUnshuffle)
    if framework == "pytorch" and rank == 2:
        return f"nn.Pixel{'Unshuffle' if deepens else 'Shuffle'}({factor})(x)", True
    if framework == "onnx" and rank == 2 and not deepens:
        inputs = ("'DepthToSpace'", "['x']", "['y']")
        return call("helper.make_node", *inputs, blocksize=str(factor), mode="'CRD'"), True
    if framework != "onnx" and framework not in _RESHAPES:
        raise NoLineError(f"{framework} has no layer that reorders axes")
    first = framework in ("pytorch", "onnx")
    split, order, joined = _rearrangement(layer, factor, deepens=deepens, channels_first=first)
    if framework == "onnx":
        return _reshape_nodes(split, order, joined), False
    reshape, transpose = _RESHAPES[framework]
    text = transpose.format(x=reshape.format(x="x", to=split), to=order)
    return reshape.format(x=text, to=joined), False


def _rearrangement(
    layer: NetworkLayer, factor: int, *, deepens: bool, channels_first: bool
) -> tuple[Shape, Shape, Shape]:
    """(split shape, order of its axes, joined shape) of a pixel shuffle, with -1 for the batch.

    `deepens` is for a pixel_unshuffle, which moves pixels into channels.
    """
    (channels, *sizes), (out_channels, *out_sizes) = layer.inputs[0], layer.output
    rank = len(sizes)
    blocks = [factor] * rank
    if deepens:
        split = list(chain.from_iterable((size, factor) for size in out_sizes))
        # split is (block, pixel in block) per axis: the pixels in a block become channels
        blocks_at, pixels_at = range(0, 2 * rank, 2), range(1, 2 * rank, 2)
        if channels_first:
            order = [0, 1, *(2 + n for n in pixels_at), *(2 + n for n in blocks_at)]
            return (-1, channels, *split), tuple(order), (-1, out_channels, *out_sizes)
        order = [0, *(1 + n for n in blocks_at), 1 + 2 * rank, *(1 + n for n in pixels_at)]
        return (-1, *split, channels), tuple(order), (-1, *out_sizes, out_channels)
    if channels_first:
        pairs = ((2 + rank + n, 2 + n) for n in range(rank))
        order = [0, 1, *chain.from_iterable(pairs)]
        return (-1, out_channels, *blocks, *sizes), tuple(order), (-1, out_channels, *out_sizes)
    pairs = ((1 + n, 2 + rank + n) for n in range(rank))
    order = [0, *chain.from_iterable(pairs), 1 + rank]
    return (-1, *sizes, out_channels, *blocks), tuple(order), (-1, *out_sizes, out_channels)


def _reshape_nodes(split: Shape, order: Shape, joined: Shape) -> str:
    nodes = (
        f"helper.make_node('Constant', [], ['split'], value_ints={list(split)})",
        "helper.make_node('Reshape', ['x', 'split'], ['parts'])",
        f"helper.make_node('Transpose', ['parts'], ['turned'], perm={list(order)})",
        f"helper.make_node('Constant', [], ['joined'], value_ints={list(joined)})",
        "helper.make_node('Reshape', ['turned', 'joined'], ['y'])",
    )
    return f"[{', '.join(nodes)}]"
