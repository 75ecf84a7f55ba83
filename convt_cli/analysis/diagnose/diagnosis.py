"""One layer judged: are these numbers what it makes of its sources, but for rounding?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from convt_cli.analysis.backward.parameters import with_numbers
from convt_cli.analysis.diagnose.bounds import Applied, Prepared, Reckoning, applied, has_bound
from convt_cli.analysis.diagnose.precision import PRECISIONS, Precision, numbers
from convt_cli.analysis.diagnose.search import Explanation, Search
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.analysis.forward import known_step, require_same_batch
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers.rearranging import Flatten
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.vocabulary import LAYOUTS
from convt_cli.errors import RequestError
from convt_cli.errors.suggestions import suggestion
from convt_cli.files.layout import arrange
from convt_cli.files.weights import Weights
from convt_cli.io import memory
from convt_cli.operators.dtypes import Array

Verdict = Literal["equal", "rounding", "different"]

_WORKING_ARRAYS = 12
"""Arrays of the layer's sources, output and parameters that are held at once, in float64."""
_NORM_ALLOWED = 8.0
"""How many times the norm of all bounds a difference may have that is called small in norm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """The element that differs most: its place (batch, channel, *position), and its numbers."""

    at: Shape
    got: float
    expected: float
    bound: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found about one layer.

    `differing` counts the elements that rounding does not explain, `rounded` those that it does,
    `count` all; where the shapes differ no element has a counterpart.  `accumulator` is the type
    of the sums, `precision` the widest type whose rounding explains every difference, where no
    change does.
    """

    layer: NetworkLayer
    verdict: Verdict
    differing: int
    rounded: int
    count: int
    got: Shape
    expected: Shape
    accumulator: str
    precision: str | None
    largest: Largest | None
    explanations: tuple[Explanation, ...]
    is_small_in_norm: bool


def diagnose(
    network: Network,
    x: ArrayLike | Mapping[str, ArrayLike],
    y: ArrayLike,
    *,
    layer: str,
    accumulator: str | None = None,
    layout: str = LAYOUTS[0],
) -> Diagnosis:
    """Whether `y` are the numbers that `layer` makes of `x`: equal, to rounding, or not and why.

    `x` is ([batch], *source shape), or a mapping by the names of the sources where the layer has
    several.  `accumulator` names the type that sums are made in, y's own by default: float64,
    float32, tf32, bfloat16 or float16.  Any shape of `y` is judged.  Raises RequestError (E501,
    E502, E503, and E507 for a layer whose numbers are not known), ArrayError (E301, E302).
    """
    found = network[layer]
    names = dict.fromkeys(found.reads)
    given = x if isinstance(x, Mapping) else dict.fromkeys(names, x)
    if len(names) > 1 and not isinstance(x, Mapping):
        raise RequestError(
            "E503",
            "a layer with several sources is given each by its name",
            value=f"{layer} reads {', '.join(names)}",
            help="pass a mapping of these names to arrays",
        )
    return diagnose_layer(network, found, given, y, accumulator=accumulator, layout=layout)


def diagnose_layer(
    network: Network,
    layer: NetworkLayer,
    arrays: Mapping[str, ArrayLike],
    y: ArrayLike,
    *,
    accumulator: str | None = None,
    layout: str = LAYOUTS[0],
) -> Diagnosis:
    """As `diagnose`, for a layer whose sources are among `arrays`."""
    _require_numbers(network, layer)
    got, held = numbers(y, "the output")
    sums = held if accumulator is None else _precision(accumulator)
    sources = [
        _batch_of(numbers(arrays[name], f"the input {name}")[0], shape, layout)
        for name, shape in zip(layer.reads, layer.inputs, strict=False)
    ]
    require_same_batch({name: len(x) for name, x in zip(layer.reads, sources)})
    _require_memory(layer, len(sources[0]))
    prepared, _ = with_numbers(
        (layer,), network.rules, Weights(network), np.dtype(np.float64), np.dtype(np.float64)
    )
    expected = (len(sources[0]), *layer.output)
    subject = Subject(
        prepared=prepared[0],
        sources=tuple(x.astype(np.float64) for x in sources),
        got=_as_expected(_channels_first(got, expected, layout), expected).astype(np.float64),
        held=held,
        accumulator=sums,
        unflattened=_unflattened(network, layer),
    )
    with np.errstate(all="ignore"):  # nan and infinity are values, of x as of results
        return _judged(subject, layer, got.shape)


def _unflattened(network: Network, layer: NetworkLayer) -> Shape | None:
    """The shape of what the flatten layer reads that `layer` reads; None without one."""
    above = [one for one in network.layers if one.name in layer.sources]
    return above[0].inputs[0] if above and isinstance(above[0].definition, Flatten) else None


def _judged(subject: Subject, layer: NetworkLayer, got: Shape) -> Diagnosis:
    """The verdict on every element, and what explains it."""
    whole = applied(subject.prepared, subject.sources)
    found = whole.summed_in(subject.accumulator)
    same_shape = subject.got.shape == subject.shape
    equal = found.equal(subject.got, subject.held) if same_shape else np.zeros(subject.got.shape)
    agrees = found.agrees(subject.got, subject.held) if same_shape else equal > 0
    verdict: Verdict = "equal" if same_shape and equal.all() else "rounding"
    if verdict == "rounding" and not (same_shape and agrees.all()):
        verdict = "different"
    if verdict != "equal" and same_shape:
        _require_bound(subject.prepared)
    wrong = _worst_first(subject, found, ~agrees) if same_shape else None
    explanations = Search(subject, found, wrong).explanations() if verdict == "different" else ()
    return Diagnosis(
        layer=layer,
        verdict=verdict,
        differing=int(agrees.size - agrees.sum()),
        rounded=int(agrees.sum() - equal.sum()),
        count=subject.got.size,
        got=got,
        expected=subject.shape,
        accumulator=subject.accumulator.name,
        precision=_explaining(subject, whole)
        if same_shape and verdict != "equal" and not explanations
        else None,
        largest=_largest(subject, found, agrees, equal) if same_shape else None,
        explanations=explanations,
        is_small_in_norm=same_shape
        and verdict == "different"
        and not explanations
        and _is_small(subject, found),
    )


def _worst_first(subject: Subject, found: Reckoning, wrong: Array) -> Array:
    """The row-major numbers of the elements that are `wrong`, by how far beyond their bound."""
    numbers_of = np.flatnonzero(wrong)
    excess = _distances(subject, found).ravel()[numbers_of]
    order: Array = numbers_of[np.argsort(-excess, kind="stable")]
    return order


def _distances(subject: Subject, found: Reckoning) -> Array:
    """|got - value|; infinite where either is no finite number and they are not equal."""
    distances = abs(subject.got - found.values)
    distances = np.where(np.isfinite(distances), distances, np.inf)
    same: Array = np.where(found.equal(subject.got, subject.held), 0, distances)
    return same


def _largest(subject: Subject, found: Reckoning, agrees: Array, equal: Array) -> Largest | None:
    """The largest difference among those of the worst verdict; None where all are equal."""
    judged = ~agrees if not agrees.all() else ~equal.astype(bool)
    if not judged.any():
        return None
    distances = np.where(judged, _distances(subject, found), -1)
    at = np.unravel_index(int(distances.argmax()), distances.shape)
    return Largest(
        at=tuple(int(index) for index in at),
        got=float(subject.got[at]),
        expected=float(found.values[at]),
        bound=float(found.bounds(subject.held)[at]),
    )


def _explaining(subject: Subject, whole: Applied) -> str | None:
    """The name of the widest type in which sums explain every element; None for none."""
    for one in PRECISIONS.values():
        if whole.summed_in(one).agrees(subject.got, subject.held).all():
            return one.name
    return None


def _is_small(subject: Subject, found: Reckoning) -> bool:
    """Whether the differences, all together, are no larger than some times their bounds."""
    distances, bounds = _distances(subject, found), found.bounds(subject.held)
    if not (np.isfinite(distances).all() and np.isfinite(bounds).all()):
        return False
    return bool(np.linalg.norm(distances) <= _NORM_ALLOWED * np.linalg.norm(bounds))


def _batch_of(x: Array, shape: Shape, layout: str) -> Array:
    """x as (batch, *shape).  Raises ArrayError (E301)."""
    if _without_ones(x.shape) == _without_ones(shape) and layout == LAYOUTS[0]:
        return x.reshape(1, *shape)
    return arrange(x, shape, layout, text=False)[0]


def _channels_first(got: Array, expected: Shape, layout: str) -> Array:
    """`got` with its channels in front, where they are said to be last."""
    count = len(expected)
    if layout == LAYOUTS[0] or count < 3 or got.ndim not in (count, count - 1):
        return got
    return np.moveaxis(got, -1, got.ndim - count + 1)


def _as_expected(got: Array, expected: Shape) -> Array:
    """`got` as an array of the `expected` shape where only axes of length 1 tell them apart.

    A flat array is taken row by row.  Any other keeps its shape, a batch axis added where the
    number of axes asks for one.
    """
    is_flat = got.ndim == 1 and got.size == prod(expected)
    if is_flat or _without_ones(got.shape) == _without_ones(expected):
        return got.reshape(expected)
    return got[np.newaxis] if expected[0] == 1 and got.ndim == len(expected) - 1 else got


def _without_ones(shape: Shape) -> Shape:
    return tuple(size for size in shape if size != 1)


def _precision(name: str) -> Precision:
    """The type called `name`.  Raises RequestError (E503)."""
    if name not in PRECISIONS:
        raise RequestError(
            "E503",
            "an accumulator is a number type",
            value=f"got {name}",
            help=suggestion(name, list(PRECISIONS)),
        )
    return PRECISIONS[name]


def _require_numbers(network: Network, layer: NetworkLayer) -> None:
    """Raise RequestError (E507) for a layer whose numbers are not known."""
    known_step(layer, network)
    if layer.is_filled:
        raise RequestError(
            "E507",
            "a diagnosis needs the numbers of the layer",
            value=f"{layer.name} is {layer.type}, without a weight",
            help="name its weight in the spec",
        )


def _require_bound(prepared: Prepared) -> None:
    """Raise RequestError (E507) for a layer for which no bound of rounding is proved."""
    if not has_bound(prepared):
        raise RequestError(
            "E507",
            "a verdict on differences needs a proved bound of rounding",
            value=f"{prepared.layer.name} is {prepared.layer.type}, and some elements are not "
            "equal bit for bit",
            help="diagnose the layers around it",
        )


def _require_memory(layer: NetworkLayer, batch: int) -> None:
    """Raise RequestError (E501) unless the arrays of a diagnosis fit into memory."""
    sizes = batch * (prod(layer.output) + sum(map(prod, layer.inputs)))
    sizes += layer.geometry.parameters
    memory.require(
        8 * _WORKING_ARRAYS * sizes, f"the diagnosis of {layer.name}", help="split the batch"
    )
