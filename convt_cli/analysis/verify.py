"""Is what convt computes right?  Every route to C x and Cᵀ y held against every other, on numbers.

On real numbers every comparison has a bound from the standard model of rounding: a sum of n
products is off by at most n * eps / 2 times the sum of their absolute values, in any order.  So
two routes to C x differ by at most n * eps * |C||x|, element by element, and the dot test
<Cx, y> - <x, Cᵀy>, its last sums done exactly, by (n + 1) * eps * <|C||x|, |y|>.  On integers all
routes are equal, element for element.

C itself is only built where it is small.  Of a larger layer it is built for fewer positions with
the same window and the same padding, which the check says; where the channels alone make it too
large, the check is left out, by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import fsum, prod

import numpy as np

from convt_cli.analysis.coverage import overlap_counts
from convt_cli.analysis.linear_map import real
from convt_cli.analysis.peers import Peer, PeerRefused, peer_result
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.errors import GeometryError
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array
from convt_cli.operators.functions import Route
from convt_cli.operators.matrix_free import apply_forward, apply_transpose
from convt_cli.operators.routes import FORWARD, TRANSPOSE

_MOST_ENTRIES = 2**24
_MOST_STRETCHED_WORK = 2 * 10**10
"""The entries of C, and the multiply-adds of zero insertion, that a check may take."""
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One comparison: `value` is how far apart the two sides are, and `bound` how far they may be.

    Of arrays it is the element that comes nearest to its bound, or goes furthest beyond.  All
    three are None where the check was left out; `note` says why, or what was done instead.
    """

    name: str
    passed: bool | None
    value: float | None
    bound: float | None
    note: str = ""


def verify_layer(
    convolution: Convolution, weight: Array, peers: tuple[Peer, ...] = ()
) -> tuple[Check, ...]:
    """Every check of one layer, with its own `weight`, (out, in // groups, *kernel_size).

    Raises ArrayError (E302) for a weight that is not real and finite, RequestError (E501).

    >>> from convt_cli.operators.operator import ConvOperator
    >>> C = ConvOperator([[[1.0, 2.0, 3.0]]], 7, stride=2)
    >>> all(check.passed for check in verify_layer(C.convolution, C.weight))
    True
    """
    taps = real(weight, "the weight")
    sizes = convolution.weight_shape, convolution.input_shape, convolution.output_shape
    memory.require(
        8 * 6 * sum(map(prod, sizes)), "the room for the checks", help="use a smaller input"
    )
    return (
        _shape_check(convolution),
        _dot_test(convolution, taps),
        *_route_checks(convolution, taps),
        *(_peer_check(peer, convolution, taps) for peer in peers),
    )


def _shape_check(convolution: Convolution) -> Check:
    """The number of axes on which the transposed layer does not undo the shape of the direct."""
    wrong = sum(not _is_undone(axis) for axis in convolution.axes)
    return Check(name="shape inverse", passed=wrong == 0, value=float(wrong), bound=0.0)


def _is_undone(axis: Axis) -> bool:
    """Whether the transposed axis leads back to input_size, and the direct one to output_size."""
    window = {
        "kernel_size": axis.kernel_size,
        "stride": axis.stride,
        "before": axis.before,
        "after": axis.after,
        "dilation": axis.dilation,
    }
    extra = axis.output_padding
    up = Axis.conv_transpose(input_size=axis.output_size, output_padding=extra, **window)
    down = Axis.conv(input_size=up.input_size, **window)
    reached = down.output_size - extra // axis.stride
    sizes = axis.input_size, axis.output_size, axis.input_size
    return (up.input_size, reached, axis.zero_inserted().output_size) == sizes


def _dot_test(convolution: Convolution, weight: Array) -> Check:
    """|<Cx, y> - <x, Cᵀy>| of normal x and y."""
    x, y = _normal(convolution.input_shape), _normal(convolution.output_shape)
    left = fsum((apply_forward(convolution, weight, x) * y).flat)
    right = fsum((x * apply_transpose(convolution, weight, y)).flat)
    scale = fsum((apply_forward(convolution, abs(weight), abs(x)) * abs(y)).flat)
    count = max(_products(convolution, forward=True), _products(convolution, forward=False))
    return _judged("dot test", abs(left - right), (count + 1) * _eps() * scale)


def _route_checks(convolution: Convolution, weight: Array) -> Iterator[Check]:
    """Every other route against the direct one, on real numbers and on integers."""
    small = smaller(convolution)
    for forward, routes in ((True, FORWARD), (False, TRANSPOSE)):
        action = "C x" if forward else "Cᵀ y"
        for method in ("matrix", "zero-insert"):
            if method not in routes:
                continue
            name = f"{action}: {method} = direct"
            reason, chosen = _chosen(method, convolution, small)
            if chosen is None:
                yield Check(name=name, passed=None, value=None, bound=None, note=reason)
                continue
            yield _on_reals(name, routes[method], chosen, weight, forward=forward, note=reason)
            yield _on_integers(name, routes[method], chosen, forward=forward, note=reason)


def _chosen(
    method: str, convolution: Convolution, small: Convolution | None
) -> tuple[str, Convolution | None]:
    """What a method is tried on: the layer, fewer positions of it, or nothing; and why."""
    if method == "zero-insert" and convolution.padding_mode != "zeros":
        return f"left out: the padding_mode is {convolution.padding_mode}", None
    stretch = prod(axis.stride for axis in convolution.axes)
    fits = (
        convolution.nnz <= _MOST_ENTRIES
        if method == "matrix"
        else convolution.multiply_adds * stretch <= _MOST_STRETCHED_WORK
    )
    if fits:
        return "", convolution
    if small is None:
        return f"left out: C has {convolution.nnz:,} entries", None
    sizes = "×".join(str(size) for size in small.action_shapes[0])
    return f"with input {sizes}", small


def smaller(convolution: Convolution) -> Convolution | None:
    """The same windows and padding over fewer positions, such that C is small; None if it is not.

    Where it can be done there are windows that meet no border.
    """
    for windows in (2, 1, 0):
        try:
            axes = tuple(_shorter(axis, windows) for axis in convolution.axes)
            found = replace(convolution, axes=axes)
        except GeometryError:  # padding that an input so small does not allow
            continue
        if found.nnz <= _MOST_ENTRIES:
            return found
    return None


def _shorter(axis: Axis, windows: int) -> Axis:
    """The first outputs of an axis, as many as `windows` windows side by side and two more.

    More of them where the padding is longer than the input.
    """
    per_window = -(-axis.effective_kernel // axis.stride)
    wanted = min(axis.output_size, windows * per_window + 2)
    spare = (axis.input_size - 1) // axis.stride  # one input stays, however much is padding
    fewer = min(axis.output_size - wanted, spare)
    return replace(
        axis,
        input_size=axis.input_size - fewer * axis.stride,
        output_size=axis.output_size - fewer,
    )


def _on_reals(
    name: str, route: Route, convolution: Convolution, weight: Array, *, forward: bool, note: str
) -> Check:
    source = _normal(convolution.input_shape if forward else convolution.output_shape)
    action = apply_forward if forward else apply_transpose
    scale = action(convolution, abs(weight), abs(source))
    bounds = _products(convolution, forward=forward) * _eps() * scale
    first, second = (one(convolution, weight, source) for one in (route, action))
    return _compared(name, first, second, bounds, note)


def _on_integers(
    name: str, route: Route, convolution: Convolution, *, forward: bool, note: str
) -> Check:
    """The number of elements that differ."""
    source = _whole(convolution.input_shape if forward else convolution.output_shape)
    weight = _whole(convolution.weight_shape)[0]
    action = apply_forward if forward else apply_transpose
    first, second = (one(convolution, weight, source) for one in (route, action))
    different = float(np.count_nonzero(first != second))
    return _judged(f"{name}, on integers", different, 0.0, note)


def _peer_check(peer: Peer, convolution: Convolution, weight: Array) -> Check:
    """The layer's own action by another library, in its dtype."""
    forward = not convolution.adjoint
    name = f"{'C x' if forward else 'Cᵀ y'}: {peer.name} = direct"
    source = _normal(convolution.action_shapes[0]).astype(peer.dtype)
    taps = weight.astype(peer.dtype)
    try:
        theirs = peer_result(peer, convolution, taps, source)
    except PeerRefused as refusal:
        note = f"left out: {peer.name} refuses it: {refusal}"
        return Check(name=name, passed=None, value=None, bound=None, note=note)
    action = apply_forward if forward else apply_transpose
    exact, absolute = taps.astype(np.float64), source.astype(np.float64)
    ours = action(convolution, exact, absolute)
    scale = action(convolution, abs(exact), abs(absolute))
    count = _products(convolution, forward=forward) + 1
    bounds = count * float(np.finfo(peer.dtype).eps) * scale
    return _compared(name, theirs, ours, bounds, f"in {peer.dtype}")


def _compared(name: str, first: Array, second: Array, bounds: Array, note: str) -> Check:
    """The element whose difference comes nearest to its bound."""
    if first.shape != second.shape:
        shapes = f"{first.shape[1:]} instead of {second.shape[1:]}"
        return Check(name=name, passed=False, value=None, bound=None, note=shapes)
    apart = abs(first.astype(np.float64) - second).ravel()
    beyond = np.where(np.isnan(apart), np.inf, apart) - bounds.ravel()
    place = int(np.argmax(beyond))
    return _judged(name, float(apart[place]), float(bounds.flat[place]), note)


def _judged(name: str, value: float, bound: float, note: str = "") -> Check:
    return Check(name=name, passed=value <= bound, value=value, bound=bound, note=note)


def _products(convolution: Convolution, *, forward: bool) -> int:
    """The most products that one element of C x, or of Cᵀ y, adds up."""
    out, inner, *kernel = convolution.weight_shape
    if forward:
        return inner * prod(kernel)
    counts = [overlap_counts(axis, convolution.padding_mode) for axis in convolution.axes]
    return max(1, out // convolution.groups * prod(max(count) for count in counts))


def _normal(shape: Shape) -> Array:
    """(1, *shape) of the standard normal distribution, always the same."""
    return np.random.default_rng(_SEED).standard_normal((1, *shape))


def _whole(shape: Shape) -> Array:
    """(1, *shape) of the integers -9 to 9, in float64, always the same."""
    return np.random.default_rng(_SEED).integers(-9, 10, (1, *shape)).astype(np.float64)


def _eps() -> float:
    return float(np.finfo(np.float64).eps)
