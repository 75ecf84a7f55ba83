"""One layer judged: are these numbers what it makes of its sources, but for rounding?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from convt_cli.analysis.backward.parameters import with_numbers
from convt_cli.analysis.diagnose.bounds import Prepared, applied, has_bound
from convt_cli.analysis.diagnose.forms import as_output, batch_of
from convt_cli.analysis.diagnose.precision import PRECISIONS, Precision, numbers
from convt_cli.analysis.diagnose.search import Explanation, Search
from convt_cli.analysis.diagnose.subject import Subject
from convt_cli.analysis.diagnose.verdict import Judged, Largest, Verdict
from convt_cli.analysis.forward import known_step, require_same_batch
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers.rearranging import Flatten
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.vocabulary import LAYOUTS
from convt_cli.errors import RequestError
from convt_cli.errors.suggestions import suggestion
from convt_cli.files.weights import Weights
from convt_cli.io import memory

_REFERENCE = np.dtype(np.float64)
"""The dtype that everything is computed in."""
_WORKING_ARRAYS = 12
"""Arrays of the layer's sources, output and parameters that are held at once, in float64."""


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
    sources = [
        batch_of(numbers(arrays[name], f"the input {name}")[0], shape, layout)
        for name, shape in zip(layer.reads, layer.inputs, strict=False)
    ]
    require_same_batch({name: len(x) for name, x in zip(layer.reads, sources)})
    _require_memory(layer, len(sources[0]))
    subject = Subject(
        prepared=_prepared(network, layer),
        sources=tuple(x.astype(_REFERENCE) for x in sources),
        got=as_output(got, (len(sources[0]), *layer.output), layout).astype(_REFERENCE),
        held=held,
        accumulator=held if accumulator is None else _precision(accumulator),
        unflattened=_unflattened(network, layer),
    )
    with np.errstate(all="ignore"):  # nan and infinity are values, of x as of results
        return _diagnosis(subject, layer, got.shape)


def _prepared(network: Network, layer: NetworkLayer) -> Prepared:
    """The layer with its numbers in float64.  Raises what reading them raises."""
    (prepared,), _ = with_numbers((layer,), network.rules, Weights(network), _REFERENCE, _REFERENCE)
    return prepared


def _diagnosis(subject: Subject, layer: NetworkLayer, got: Shape) -> Diagnosis:
    """The verdict on every element, and what explains it."""
    whole = applied(subject.prepared, subject.sources)
    judged = Judged.of(subject, whole.summed_in(subject.accumulator))
    verdict = judged.verdict
    if verdict != "equal" and judged.has_counterparts:
        _require_bound(subject.prepared)
    explanations: tuple[Explanation, ...] = ()
    if verdict == "different":
        explanations = Search(subject, judged.found, judged.worst_first).explanations()
    unexplained = verdict != "equal" and not explanations
    return Diagnosis(
        layer=layer,
        verdict=verdict,
        differing=int(np.count_nonzero(~judged.agrees)),
        rounded=int(np.count_nonzero(judged.agrees & ~judged.equal)),
        count=subject.got.size,
        got=got,
        expected=subject.shape,
        accumulator=subject.accumulator.name,
        precision=judged.widest_precision(whole) if unexplained else None,
        largest=judged.largest,
        explanations=explanations,
        is_small_in_norm=verdict == "different" and unexplained and judged.is_small_in_norm,
    )


def _unflattened(network: Network, layer: NetworkLayer) -> Shape | None:
    """The shape of what the flatten layer reads that `layer` reads; None without one."""
    above = [one for one in network.layers if one.name in layer.sources]
    return above[0].inputs[0] if above and isinstance(above[0].definition, Flatten) else None


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
