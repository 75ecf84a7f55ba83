"""The least-squares solution x of A x = y, the shortest one where there are several.

A is the layer's own action: C for conv, Cᵀ for conv_transpose.  LSMR needs only products with A
and Aᵀ.  Started at zero it stays in the span of A's rows, so where many x fit equally well it finds
the shortest (D. Fong and M. Saunders, 2011).  With damping d it minimises |A x - y|² + d² |x|²
instead.

Two candidates are reported beside it: Aᵀy, which is often called the inverse of a convolution and
is not, and the best multiple of it, alpha * Aᵀy with alpha = <A Aᵀy, y> / |A Aᵀy|².

LSMR assumes numbers around 1, so the weight and y are divided by powers of two first: with
A = a A' and y = b y' the x of A is b/a times the x' of A', whose damping is d/a.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import frexp, ldexp, prod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse.linalg import LinearOperator, lsmr

from convt_cli.analysis.coverage import unread_inputs
from convt_cli.analysis.linear_map import linear_map, real
from convt_cli.arithmetic.convolution import Convolution
from convt_cli.arithmetic.vocabulary import MOST_ITERATIONS, TOLERANCE
from convt_cli.errors import ArrayError, shape_text
from convt_cli.io import memory
from convt_cli.io.progress import Progress, no_progress
from convt_cli.operators.dtypes import Array, as_array
from convt_cli.operators.operator import ConvOperator, HasOperator, own_action

_OUT_OF_STEPS = 7
"""What `lsmr` returns as its stop reason when it ran out of iterations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One x: `residual` is |A x - y| / |y|, None where y is zero, and `norm` is |x|."""

    name: str
    residual: float | None
    norm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Inverse:
    """The solution `x`, of the shape of A's input, how it was found, and the two candidates.

    `gradient` is |Aᵀ(A x - y) + d² x| / |Aᵀy|, which is zero at the minimum; None where Aᵀy is
    zero.  `scale` is alpha.
    """

    x: Array
    iterations: int
    converged: bool
    gradient: float | None
    scale: float
    solution: Candidate
    transpose: Candidate
    scaled: Candidate


@np.errstate(all="ignore")  # an overflow gives inf, which the figures show
def invert(
    subject: ConvOperator | HasOperator,
    y: ArrayLike,
    *,
    damping: float = 0.0,
    tolerance: float = TOLERANCE,
    most_iterations: int = MOST_ITERATIONS,
) -> Inverse:
    """The shortest x that minimises |A x - y|² + damping² |x|², in float64.

    A is an operator, or the own action of a layer.  `y` has the shape of A's output.  `tolerance`
    is LSMR's for both of its stopping rules.  Raises ArrayError (E301, E302), RequestError (E501),
    and what reading the layer's weight raises.

    >>> invert(ConvOperator([[[2.0]]], 3), [[2.0, 4.0, 6.0]]).x
    array([[1., 2., 3.]])
    """
    own, given = own_action(subject), as_array(y, "the array")
    _require_solvable(own.convolution, given)
    taps, target = real(own.weight, "the weight"), real(given, "the array").ravel()
    # a and b of the module's docstring, and b / a; action, target and damping become A', y', d/a
    of_weight, of_y = _power_of_two(taps), _power_of_two(target)
    action, target = linear_map(own.convolution, taps / of_weight), target / of_y
    damping, grown = damping / of_weight, of_y / of_weight
    x, iterations, converged = _solved(action, target, damping, tolerance, most_iterations)
    back = action.T @ target  # (columns of A,): Aᵀy
    image = action @ back  # (rows of A,): A Aᵀy
    scale = _ratio(float(image @ target), float(image @ image)) or 0.0
    return Inverse(
        x=(grown * x).reshape(own.convolution.action_shapes[0]),
        iterations=iterations,
        converged=converged,
        gradient=_gradient(action, x, target, back, damping),
        scale=scale / of_weight / of_weight,
        solution=_candidate("x", x, action @ x, target, grown),
        transpose=_candidate("Aᵀy", back, of_weight * of_weight * image, target, of_weight * of_y),
        scaled=_candidate("alpha Aᵀy", scale * back, scale * image, target, grown),
    )


def _solved(
    action: LinearOperator, target: Array, damping: float, tolerance: float, most_iterations: int
) -> tuple[Array, int, bool]:
    """(x, how many iterations LSMR took, whether it converged)."""
    x, stop, iterations, *_ = lsmr(
        action,
        target,
        damp=damping,
        atol=tolerance,
        btol=tolerance,
        conlim=0,
        maxiter=most_iterations,
    )
    return np.asarray(x), int(iterations), stop != _OUT_OF_STEPS


def invert_batch(
    subject: ConvOperator | HasOperator,
    batch: Array,
    *,
    bias: Array | None = None,
    progress: Progress = no_progress,
    **solver: Any,
) -> tuple[Inverse, ...]:
    """`invert` of every item of a batch, less the bias, (channels,), if one is given.

    The weight is read once.  `solver` are the keyword arguments of `invert`.  Raises as that does.
    """
    action, found = own_action(subject), []
    with progress("solving", len(batch)) as advance:
        for item in batch:
            # (channels, 1, ..., 1)
            y = item if bias is None else item - bias.reshape(-1, *(1 for _ in item.shape[1:]))
            found.append(invert(action, y, **solver))
            advance(1)
    return tuple(found)


def stacked(found: Sequence[Inverse], dtype: np.dtype[Any]) -> Array:
    """The x of all items, (batch, *shape), in `dtype` if that holds fractions, else in float64."""
    x = np.stack([one.x for one in found])
    return x.astype(dtype if dtype.kind == "f" else np.float64)


def _require_solvable(convolution: Convolution, y: Array) -> None:
    """Raise ArrayError (E301) for a y of another shape, E501 for lack of memory."""
    before, after = convolution.action_shapes
    if y.shape != after:
        raise ArrayError(
            "E301",
            f"the array must be {shape_text(after)}",
            value=f"got {shape_text(y.shape)}",
            help="it is the output of the layer's own action",
        )
    memory.require(
        8 * (8 * prod(before) + 4 * prod(after)),
        "the room for the solver",
        help="use a smaller input",
    )


def _power_of_two(array: Array) -> float:
    """The least power of two above the largest magnitude, or 1 where that is zero.

    >>> _power_of_two(np.array([3.0, -5.0])), _power_of_two(np.zeros(2))
    (8.0, 1.0)
    """
    _, exponent = frexp(float(np.abs(array).max()))
    return ldexp(1.0, min(exponent, 1023))


def null_space_reasons(convolution: Convolution) -> tuple[str, ...]:
    """Reasons, from sizes alone, why A has a null space, so that many x give the same y.

    Empty where the sizes show none.

    >>> null_space_reasons(ConvOperator([[[1.0, 1.0]]], 6, stride=3).convolution)
    ('A has more columns (6) than rows (2)', 'nothing reads 2 elements of x')
    """
    columns, rows = (prod(shape) for shape in convolution.action_shapes)
    unread = unread_inputs(convolution)
    wide = f"A has more columns ({columns:,}) than rows ({rows:,})"
    elements = "1 element" if unread == 1 else f"{unread:,} elements"
    return (
        *((wide,) if columns > rows else ()),
        *((f"nothing reads {elements} of x",) if unread else ()),
    )


def _gradient(action: Any, x: Array, target: Array, back: Array, damping: float) -> float | None:
    """|Aᵀ(A x - y) + d² x| / |Aᵀy|; None where Aᵀy is zero."""
    slope = action.T @ (action @ x - target) + damping**2 * x
    return _ratio(float(np.linalg.norm(slope)), float(np.linalg.norm(back)))


def _candidate(name: str, x: Array, image: Array, target: Array, grown: float) -> Candidate:
    """The residual of `image`, which is A x, and the norm of x, scaled back by `grown`."""
    apart = float(np.linalg.norm(image - target))
    norm = grown * float(np.linalg.norm(x))
    return Candidate(name=name, residual=_ratio(apart, float(np.linalg.norm(target))), norm=norm)


def _ratio(value: float, whole: float) -> float | None:
    """value / whole; None for a whole of zero."""
    return value / whole if whole else None
