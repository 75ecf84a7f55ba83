"""JAX: `jax.lax`, with channels behind the spatial axes."""

from __future__ import annotations

from math import prod

from convt_cli.reports.code_lines.target import (
    Target,
    call,
    pairs_text,
    tuple_text,
    unless_all,
    with_bias,
)

_LAYOUTS = {1: "W", 2: "HW", 3: "DHW"}


def line(target: Target) -> str | None:
    """The layer as a call of a function of `lax` on `x` and `w`; the bias is added to it."""
    if target.type == "conv":
        return with_bias(_conv(target), target)
    if target.type == "conv_transpose":
        return with_bias(_conv_transpose(target), target)
    return _pool(target)


def _conv(target: Target) -> str | None:
    if target.padding_mode != "zeros":
        return None
    spatial = _LAYOUTS[target.rank]
    layout = (f"N{spatial}C", f"{spatial}IO", f"N{spatial}C")
    return call(
        "lax.conv_general_dilated",
        "x",
        "w",
        tuple_text(target.stride),
        pairs_text(target.direct_pads),
        rhs_dilation=_dilation(target),
        dimension_numbers=tuple_text(layout),
        feature_group_count=unless_all(1, [target.groups]),
    )


def _conv_transpose(target: Target) -> str | None:
    """The tuple pads the stretched input."""
    if target.groups > 1:
        return None
    equal = [axis.zero_inserted() for axis in target.axes]
    return call(
        "lax.conv_transpose",
        "x",
        "w",
        tuple_text(target.stride),
        pairs_text([(axis.before, axis.after) for axis in equal]),
        rhs_dilation=_dilation(target),
        transpose_kernel=None if target.is_unflipped else "True",
    )


def _pool(target: Target) -> str | None:
    if target.type == "max_pool":
        return _window(target, "x", "-jnp.inf", "lax.max")
    total = _window(target, "x", "0.0", "lax.add")
    if target.counts_all or not target.is_padded_average:
        return f"{total} / {prod(target.kernel_size)}"
    if target.counts_padding:
        return None
    return f"{total} / {_window(target, 'jnp.ones_like(x)', '0.0', 'lax.add')}"


def _window(target: Target, source: str, start: str, function: str) -> str:
    dilation = None if max(target.dilation) == 1 else tuple_text((1, *target.dilation, 1))
    return call(
        "lax.reduce_window",
        source,
        start,
        function,
        tuple_text((1, *target.kernel_size, 1)),
        tuple_text((1, *target.stride, 1)),
        pairs_text([(0, 0), *target.direct_pads, (0, 0)]),
        window_dilation=dilation,
    )


def _dilation(target: Target) -> str | None:
    return None if max(target.dilation) == 1 else tuple_text(target.dilation)
