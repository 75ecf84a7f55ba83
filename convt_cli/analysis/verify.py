"""Checks of one layer: every route to C x and Cᵀ y gives the same numbers as the matrix-free one.

On real numbers every comparison has a bound from the standard model of rounding: a sum of n
products is off by at most n * eps / 2 times the sum of their absolute values, in any order.  So
two routes to C x differ by at most n * eps * |C||x|, element by element, and the dot test
<Cx, y> - <x, Cᵀy>, its last sums done exactly, by (n + 1) * eps * <|C||x|, |y|>.  On integers all
routes are equal, element for element.

C itself is built only where it is small.  For a larger layer it is built for a smaller input, with
the same window and the same padding, and the check's note says so; where the channels alone make it
too large, the check is listed as left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import fsum, prod

import numpy as np

from convt_cli.analysis.linear_map import real
from convt_cli.analysis.peers import Peer, PeerRefused, peer_result
from convt_cli.analysis.rounding import products_summed
from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.errors import GeometryError
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array
from convt_cli.operators.matrix_free import Route, apply_forward, apply_transpose, own_actions
from convt_cli.operators.operator import ConvOperator, HasOperator, own_action
from convt_cli.operators.routes import FORWARD, TRANSPOSE, route

_MOST_ENTRIES = 2**24
"""The most entries of a C that is built for a check: about 200 MB."""
_MOST_STRETCHED_WORK = 2 * 10**10
"""The most multiply-adds of zero insertion on the layer itself; above, on a smaller input."""
_SEED = 0
"""The seed of all random arrays, so that two runs of a check give the same figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One comparison: `value` is how far apart the two sides are, and `bound` how far they may be.

    For arrays, value and bound are those of the element that comes nearest to its bound, or
    exceeds it most.  `passed`, `value` and `bound` are None where the check was left out; `note`
    says why, or what was done instead.
    """

    name: str
    passed: bool | None
    value: float | None
    bound: float | None
    note: str = ""


def verify_layer(
    subject: ConvOperator | HasOperator, peers: tuple[Peer, ...] = ()
) -> tuple[Check, ...]:
    """All checks of one layer, or of an operator.

    Raises ArrayError (E302) for a weight that is not real and finite, RequestError (E501), and what
    reading the layer's weight raises.

    >>> C = ConvOperator([[[1.0, 2.0, 3.0]]], 7, stride=2)
    >>> all(check.passed for check in verify_layer(C))
    True
    """
    action = own_action(subject)
    convolution, taps = action.convolution, real(action.weight, "the weight")
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
    """The check that no axis fails to get its size back from the transposed layer."""
    wrong = sum(not _is_undone(axis) for axis in convolution.axes)
    return Check(name="shape inverse", passed=wrong == 0, value=float(wrong), bound=0.0)


def _is_undone(axis: Axis) -> bool:
    """Whether conv_transpose gives input_size again, and conv on that gives output_size."""
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
    # an output_padding of a stride or more leaves room for whole windows that C does not have
    outputs = down.output_size - extra // axis.stride
    sizes = axis.input_size, axis.output_size, axis.input_size
    return (up.input_size, outputs, axis.zero_inserted().output_size) == sizes


def _dot_test(convolution: Convolution, weight: Array) -> Check:
    """The check that <Cx, y> equals <x, Cᵀy>, for normally distributed x and y."""
    x, y = _normal(convolution.input_shape), _normal(convolution.output_shape)
    left = fsum((apply_forward(convolution, weight, x) * y).flat)
    right = fsum((x * apply_transpose(convolution, weight, y)).flat)
    scale = fsum((apply_forward(convolution, abs(weight), abs(x)) * abs(y)).flat)
    count = max(products_summed(convolution, forward=forward) for forward in (True, False))
    return _judged("dot test", abs(left - right), (count + 1) * _eps() * scale)


def _route_checks(convolution: Convolution, weight: Array) -> Iterator[Check]:
    """Each other route compared with the matrix-free one, on real numbers and on integers."""
    small = smaller(convolution)
    for forward, routes in ((True, FORWARD), (False, TRANSPOSE)):
        action = "C x" if forward else "Cᵀ y"
        for method in ("matrix", "zero-insert"):
            if method not in routes:
                continue
            # in names of checks "direct" is the matrix-free route, as in --method direct
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
    """(reason, convolution): the layer itself, a smaller one, or None where the method is left out.

    The reason is empty where it is the layer itself.
    """
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
    """The same windows and padding on a smaller input, so that C is small; None if it never is.

    Where possible the input is still long enough for windows that meet no border.
    """
    for windows in (2, 1, 0):
        try:
            axes = tuple(_shorter(axis, windows) for axis in convolution.axes)
            shorter = replace(convolution, axes=axes)
        except GeometryError:  # padding that an input so small does not allow
            continue
        if shorter.nnz <= _MOST_ENTRIES:
            return shorter
    return None


def _shorter(axis: Axis, windows: int) -> Axis:
    """The axis with fewer outputs: `windows` whole windows side by side, and two outputs more.

    It keeps more of them where the padding is longer than the input.
    """
    per_window = ceil_div(axis.effective_kernel, axis.stride)
    wanted = min(axis.output_size, windows * per_window + 2)
    spare = (axis.input_size - 1) // axis.stride  # one input stays, however much is padding
    fewer = min(axis.output_size - wanted, spare)
    return replace(
        axis,
        input_size=axis.input_size - fewer * axis.stride,
        output_size=axis.output_size - fewer,
    )


def _on_reals(
    name: str, other: Route, convolution: Convolution, weight: Array, *, forward: bool, note: str
) -> Check:
    source = _normal(convolution.input_shape if forward else convolution.output_shape)
    action = route("direct", forward=forward)
    scale = action(convolution, abs(weight), abs(source))
    bounds = products_summed(convolution, forward=forward) * _eps() * scale
    first, second = (one(convolution, weight, source) for one in (other, action))
    return _compared(name, first, second, bounds, note)


def _on_integers(
    name: str, other: Route, convolution: Convolution, *, forward: bool, note: str
) -> Check:
    """The check that no element differs, as integers this small are added without rounding."""
    source = _whole(convolution.input_shape if forward else convolution.output_shape)
    weight = _whole(convolution.weight_shape)[0]
    action = route("direct", forward=forward)
    first, second = (one(convolution, weight, source) for one in (other, action))
    different = float(np.count_nonzero(first != second))
    return _judged(f"{name}, on integers", different, 0.0, note)


def _peer_check(peer: Peer, convolution: Convolution, weight: Array) -> Check:
    """The check of the layer's own action against another library, computed in its dtype."""
    forward = not convolution.adjoint
    name = f"{'C x' if forward else 'Cᵀ y'}: {peer.name} = direct"
    source = _normal(convolution.action_shapes[0]).astype(peer.dtype)
    taps = weight.astype(peer.dtype)
    try:
        theirs = peer_result(peer, convolution, taps, source)
    except PeerRefused as refusal:
        note = f"left out: {peer.name} refuses it: {refusal}"
        return Check(name=name, passed=None, value=None, bound=None, note=note)
    action, _ = own_actions(convolution)
    # ours is in float64, on the same numbers, as rounded to the library's dtype
    taps64, source64 = taps.astype(np.float64), source.astype(np.float64)
    ours = action(convolution, taps64, source64)
    scale = action(convolution, abs(taps64), abs(source64))
    count = products_summed(convolution, forward=forward) + 1
    bounds = count * float(np.finfo(peer.dtype).eps) * scale
    return _compared(name, theirs, ours, bounds, f"in {peer.dtype}")


def _compared(name: str, first: Array, second: Array, bounds: Array, note: str) -> Check:
    """The check of the element whose difference exceeds its bound most, or comes nearest to it."""
    if first.shape != second.shape:
        shapes = f"{first.shape[1:]} instead of {second.shape[1:]}"
        return Check(name=name, passed=False, value=None, bound=None, note=shapes)
    differences = abs(first.astype(np.float64) - second).ravel()
    # nan never compares as larger: taken as infinite, it is found and fails
    excess = np.where(np.isnan(differences), np.inf, differences) - bounds.ravel()
    worst = int(np.argmax(excess))
    return _judged(name, float(differences[worst]), float(bounds.flat[worst]), note)


def _judged(name: str, value: float, bound: float, note: str = "") -> Check:
    return Check(name=name, passed=value <= bound, value=value, bound=bound, note=note)


def _normal(shape: Shape) -> Array:
    """(1, *shape) from the standard normal distribution, the same at every call."""
    return np.random.default_rng(_SEED).standard_normal((1, *shape))


def _whole(shape: Shape) -> Array:
    """(1, *shape) of integers from -9 to 9, in float64, the same at every call."""
    return np.random.default_rng(_SEED).integers(-9, 10, (1, *shape)).astype(np.float64)


def _eps() -> float:
    """The distance from 1.0 to the next float64."""
    return float(np.finfo(np.float64).eps)
