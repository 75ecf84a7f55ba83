"""Layers as people write them, in the words of a framework, and resolved by its rules."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.padding_modes import PADDING_MODES
from convt_cli.errors import GeometryError

TYPES = ("conv", "conv_transpose", "max_pool", "avg_pool")
WORDS = ("valid", "half", "full", "causal", "same", "same_lower")


def layer_of(framework: str, layer_type: str, source: Shape, keys: dict[str, Any]) -> NetworkLayer:
    """One layer resolved.  Raises GeometryError where its framework refuses it."""
    definition, rules = LAYER_TYPES[layer_type](**keys), FRAMEWORKS[framework]
    for error in definition.problems(rules):
        raise error
    return NetworkLayer(
        name="one",
        type=layer_type,
        line=1,
        definition=definition,
        sources=("input",),
        inputs=(source,),
        geometry=definition.resolve((source,), rules),
    )


@st.composite
def layers(draw: st.DrawFn, layer_type: str) -> tuple[NetworkLayer, str]:
    """A layer of this type, and the framework in whose words it is written."""
    rank = draw(st.sampled_from((1, 2, 2, 3)))
    framework = draw(st.sampled_from(sorted(FRAMEWORKS)))
    per_axis = st.lists
    keys: dict[str, Any] = {
        "kernel_size": tuple(draw(per_axis(st.integers(1, 4), min_size=rank, max_size=rank))),
        "stride": tuple(draw(per_axis(st.integers(1, 3), min_size=rank, max_size=rank))),
        "padding": draw(st.one_of(st.sampled_from(WORDS), pads(rank), st.integers(0, 2))),
    }
    groups = 1
    if not layer_type.endswith("_pool"):
        groups = draw(st.sampled_from((1, 1, 2)))
        keys |= {"out_channels": 2 * groups, "groups": groups, "bias": draw(st.booleans())}
    if layer_type != "avg_pool" or framework == "onnx":
        keys["dilation"] = draw(st.sampled_from((1, 1, 2)))
    if layer_type == "conv" and framework == "pytorch":
        keys["padding_mode"] = draw(st.sampled_from(PADDING_MODES))
    if layer_type == "conv_transpose":
        keys["output_padding"] = draw(st.sampled_from((None, 0, 1)))
    if layer_type.endswith("_pool"):
        keys["ceil_mode"] = draw(st.sampled_from((None, True)))
    if layer_type == "avg_pool":
        keys["count_include_pad"] = draw(st.sampled_from((None, True, False)))
    sizes = draw(per_axis(st.integers(1, 6), min_size=rank, max_size=rank))
    try:
        return layer_of(framework, layer_type, (2 * groups, *sizes), keys), framework
    except GeometryError:
        assume(False)
        raise


def pads(rank: int) -> st.SearchStrategy[tuple[tuple[int, int], ...]]:
    pair = st.tuples(st.integers(0, 3), st.integers(0, 3))
    return st.lists(pair, min_size=rank, max_size=rank).map(tuple)


def on_sizes(layer: NetworkLayer, own: str, sizes: Shape) -> NetworkLayer | None:
    """The layer on another input; None where its framework refuses that."""
    source = (layer.inputs[0][0], *sizes)
    try:
        geometry = layer.definition.resolve((source,), FRAMEWORKS[own])
    except GeometryError:
        return None
    return replace(layer, inputs=(source,), geometry=geometry)
