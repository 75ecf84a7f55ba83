"""JAX: `jax.lax`, channels last, and `jnp.pad` for padding other than zeros."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from convt_cli.arithmetic.keys import Pair
from convt_cli.reports.code_lines.target import (
    Target,
    call,
    pairs_text,
    tuple_text,
    unless_all,
    with_bias,
)

_LAYOUTS = {1: "W", 2: "HW", 3: "DHW"}
"""The letters of the spatial axes in `dimension_numbers`, by rank."""
_PAD_MODES = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
"""The `mode` of jnp.pad for each padding_mode but zeros."""


def line(target: Target) -> str:
    """The layer as a call of a `lax` function on `x` and `w`, plus the bias."""
    if target.type == "conv":
        return with_bias(_conv(target), target)
    if target.type == "conv_transpose":
        return with_bias(_conv_transpose(target), target)
    if target.type == "max_pool":
        return _window(target, "x", "-jnp.inf", "lax.max", target.direct_pads)
    return _average(target)


def _conv(target: Target) -> str:
    spatial = _LAYOUTS[target.rank]
    layout = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    mode = _PAD_MODES.get(target.padding_mode)
    source = "x" if mode is None else _padded("x", target.direct_pads, mode=repr(mode))
    pads = target.direct_pads if mode is None else ((0, 0),) * target.rank
    return call(
        "lax.conv_general_dilated",
        source,
        "w",
        tuple_text(target.stride),
        pairs_text(pads),
        rhs_dilation=_dilation(target),
        dimension_numbers=tuple_text(layout),
        feature_group_count=unless_all(1, [target.groups]),
    )


def _conv_transpose(target: Target) -> str:
    """lax.conv_transpose, whose pads go around the stretched input.

    It has no groups: a line computes them one after the other.
    """
    equal = [axis.zero_inserted() for axis in target.axes]
    grouped = target.groups > 1
    text = call(
        "lax.conv_transpose",
        "a" if grouped else "x",
        "k" if grouped else "w",
        tuple_text(target.stride),
        pairs_text([(axis.before, axis.after) for axis in equal]),
        rhs_dilation=_dilation(target),
        transpose_kernel=None if target.flipped else "True",
    )
    if not grouped:
        return text
    parts = ", ".join(f"jnp.split({name}, {target.groups}, -1)" for name in "xw")
    return f"jnp.concatenate([{text} for a, k in zip({parts})], -1)"


def _average(target: Target) -> str:
    """The sum of each window divided by its divisor: the kernel's size, or sums over ones."""
    total = _window(target, "x", "0.0", "lax.add", target.direct_pads)
    if target.divides_by_kernel:
        return f"{total} / {prod(target.kernel_size)}"
    ones = _padded("jnp.ones_like(x)", target.counted_pads, constant_values="1")
    return f"{total} / {_window(target, ones, '0.0', 'lax.add', target.uncounted_pads)}"


def _window(target: Target, source: str, start: str, function: str, pads: Sequence[Pair]) -> str:
    dilation = None if max(target.dilation) == 1 else tuple_text((1, *target.dilation, 1))
    return call(
        "lax.reduce_window",
        source,
        start,
        function,
        tuple_text((1, *target.kernel_size, 1)),
        tuple_text((1, *target.stride, 1)),
        pairs_text([(0, 0), *pads, (0, 0)]),
        window_dilation=dilation,
    )


def _padded(source: str, pairs: Sequence[Pair], **named: str | None) -> str:
    """`source` padded by `pairs` on its spatial axes; unchanged where all are 0."""
    if not any(map(any, pairs)):
        return source
    return call("jnp.pad", source, pairs_text([(0, 0), *pairs, (0, 0)]), **named)


def _dilation(target: Target) -> str | None:
    return None if max(target.dilation) == 1 else tuple_text(target.dilation)
