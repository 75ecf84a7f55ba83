"""A network run on arrays: its outputs, or the activations of layers by name.

One image of a batch is run at a time, and an activation is let go of once no later layer reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from convt_cli.analysis.backward.layers import step_type
from convt_cli.analysis.backward.notes import notes_of
from convt_cli.analysis.backward.parameters import with_numbers
from convt_cli.analysis.backward.step import PreparedLayer, StepType
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Definition
from convt_cli.arithmetic.layers.norms import BatchNorm, Lrn
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import ArrayError, RequestError, shape_text, shown
from convt_cli.files.weights import Weights
from convt_cli.io import memory
from convt_cli.io.progress import Progress, no_progress
from convt_cli.operators.dtypes import Array, as_array

_WORKING_COPIES = 4
"""Arrays of a layer's sources and output that computing it may take beside these themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The layers that are needed for the activations `wanted`, in their order.

    `inputs` are the shapes of the network's inputs that they read, by name.
    """

    network: Network
    wanted: tuple[str, ...]
    inputs: Mapping[str, Shape]
    layers: tuple[NetworkLayer, ...]

    @property
    def steps(self) -> tuple[StepType, ...]:
        """What each layer does.  Raises RequestError (E507) for one whose numbers are unknown."""
        return tuple(known_step(layer, self.network) for layer in self.layers)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was assumed about layers for which the spec does not say enough."""
        return notes_of(self.layers, self.network.rules)

    @property
    def done_with(self) -> tuple[tuple[str, ...], ...]:
        """For each layer, the names of all up to its own that no later layer reads."""
        found: list[tuple[str, ...]] = []
        read_later: set[str] = set()
        for layer in reversed(self.layers):
            at_hand = dict.fromkeys((*layer.reads, layer.name))
            found.append(tuple(name for name in at_hand if name not in read_later))
            read_later |= at_hand.keys()
        return tuple(reversed(found))


def plan(network: Network, layers: Sequence[str] = ()) -> Plan:
    """How the activations of `layers`, or else the network's outputs, are computed.

    Raises RequestError: E502 for an unknown layer, E507 for one that cannot be run.
    """
    wanted = tuple(dict.fromkeys(network[name].name for name in layers or network.outputs))
    needed, found = set(wanted), []
    for layer in reversed(network.layers):
        if layer.name in needed:
            found.append(layer)
            needed |= set(layer.reads)
    made = Plan(
        network=network,
        wanted=wanted,
        inputs={name: shape for name, shape in network.inputs if name in needed},
        layers=tuple(found[::-1]),
    )
    _ = made.steps  # raises for a layer without numbers, before anything is read
    return made


def forward(
    made: Plan,
    inputs: Mapping[str, Array],
    *,
    dtype: DTypeLike | None = None,
    progress: Progress = no_progress,
) -> dict[str, Array]:
    """The wanted activations by name, (batch, *shape) each, for inputs of the same batch.

    Everything is computed in `dtype`, or else in the numpy.result_type of the inputs, the weights
    and float32; nan and infinity are values like others.  Raises RequestError (E501), ArrayError
    (E302), and what reading the weights raises.
    """
    given = np.result_type(*inputs.values())
    wanted_dtype = None if dtype is None else np.dtype(dtype)
    layers, working = with_numbers(
        made.layers, made.network.rules, Weights(made.network), given, wanted_dtype
    )
    batch = len(next(iter(inputs.values())))
    _require_memory(made, batch, working.itemsize)
    shapes = {layer.name: layer.output for layer in made.layers}
    results = {name: np.empty((batch, *shapes[name]), working) for name in made.wanted}
    with progress("running", batch * len(layers)) as advance, np.errstate(all="ignore"):
        for image in range(batch):
            ones = {name: x[image : image + 1].astype(working) for name, x in inputs.items()}
            for name, value in _outputs(made, layers, ones):
                if name in results:
                    results[name][image] = value[0]
                advance(1)
    return results


def _outputs(
    made: Plan, layers: Sequence[PreparedLayer[Definition]], values: dict[str, Array]
) -> Iterator[tuple[str, Array]]:
    """The name and the output of every layer, (1, *shape); `values` holds what is still read."""
    for one, step, done in zip(layers, made.steps, made.done_with, strict=True):
        sources = tuple(values[name] for name in one.layer.reads)
        values[one.layer.name] = step.take(one, sources).value
        del sources
        yield one.layer.name, values[one.layer.name]
        for name in done:
            del values[name]


def run_network(
    network: Network,
    inputs: ArrayLike | Mapping[str, ArrayLike],
    *,
    layers: Sequence[str] = (),
    dtype: DTypeLike | None = None,
) -> dict[str, Array]:
    """The activations of `layers`, or else the network's outputs, by name: ([batch], *shape).

    `inputs` is ([batch], *input shape), or a mapping of such arrays by the inputs' names.  The
    batch axis comes back where the inputs have it.  Raises as `plan` and `forward`, RequestError
    (E503) for a missing input, and ArrayError (E301, E302).
    """
    made = plan(network, layers)
    given = _by_name(made, inputs)
    arrays = {name: as_array(given[name], f"the input {name}") for name in made.inputs}
    batches = {name: _as_batch(array, made.inputs[name]) for name, array in arrays.items()}
    require_same_batch({name: len(batch) for name, batch in batches.items()})
    found = forward(made, batches, dtype=dtype)
    is_batch = any(batches[name].ndim == arrays[name].ndim for name in batches)
    return found if is_batch else {name: value[0] for name, value in found.items()}


def require_same_batch(counts: Mapping[str, int]) -> None:
    """Raise ArrayError (E301) unless all inputs hold equally many images."""
    if len(set(counts.values())) > 1:
        raise ArrayError(
            "E301",
            "all inputs have the same batch",
            value=", ".join(f"{name} has {count}" for name, count in counts.items()),
            help="give each input one array for every image",
        )


def _by_name(made: Plan, inputs: ArrayLike | Mapping[str, ArrayLike]) -> Mapping[str, ArrayLike]:
    """The inputs by name.  Raises RequestError (E503) where one is missing or unknown."""
    names = ", ".join(map(shown, made.inputs))
    if not isinstance(inputs, Mapping):
        if len(made.inputs) == 1:
            return dict.fromkeys(made.inputs, inputs)
        raise RequestError(
            "E503",
            "several inputs are given by their names",
            value="got one array",
            help=f"pass a mapping of {names} to arrays",
        )
    known = [name for name, _ in made.network.inputs]
    wrong = [name for name in made.inputs if name not in inputs]
    wrong += [str(name) for name in inputs if name not in known]
    if wrong:
        raise RequestError(
            "E503",
            "a run gets an array for every input that it reads",
            value=f"{', '.join(wrong)} is missing or no input",
            help=f"pass a mapping of {names} to arrays",
        )
    return inputs


def _as_batch(array: Array, shape: Shape) -> Array:
    """`array` as (batch, *shape).  Raises ArrayError (E301)."""
    batch = array if array.ndim > len(shape) else array[np.newaxis]
    if batch.shape[1:] != shape or not len(batch):
        raise ArrayError(
            "E301",
            f"an input must be {shape_text(shape)}, with or without a batch axis",
            value=f"got {shape_text(array.shape)}",
            help="check channels and sizes against `convt shapes`",
        )
    return batch


def known_step(layer: NetworkLayer, network: Network) -> StepType:
    """The step of `layer`.  Raises RequestError (E507) where its numbers are not known."""
    known, missing = step_type(layer, network.rules), _missing(layer, network)
    if known is None or missing:
        raise RequestError(
            "E507",
            "a run needs the numbers of every layer in its way",
            value=f"{layer.name} is {layer.operation}, {missing or 'which convt cannot compute'}",
            help=_remedy(layer, network),
        )
    return known


def _missing(layer: NetworkLayer, network: Network) -> str:
    """What is not known of a layer; "" where nothing that a run needs is missing."""
    definition = layer.definition
    if layer.stands_for is not None:
        return "of which the spec has the shape alone"
    if isinstance(definition, BatchNorm) and definition.running_mean is None:
        return "without running_mean and running_var"
    if isinstance(definition, Lrn) and definition.window(network.rules) is None:
        return "without size"
    return ""


def _remedy(layer: NetworkLayer, network: Network) -> str:
    """Where the numbers can be said, or the layers that run without them."""
    if isinstance(layer.definition, BatchNorm) and layer.stands_for is None:
        return "name both in the spec, or choose a layer above it with --layer"
    first = network.layers.index(layer)
    above = f": {network.layers[first - 1].name}" if first else ""
    return f"choose a layer above it with --layer{above}"


def _require_memory(made: Plan, batch: int, itemsize: int) -> None:
    """Raise RequestError (E501) unless the results and the largest moment of a run fit."""
    sizes = {name: prod(shape) for name, shape in made.inputs.items()}
    live = largest = sum(sizes.values())
    for layer, done in zip(made.layers, made.done_with, strict=True):
        sizes[layer.name] = prod(layer.output)
        live += sizes[layer.name]
        working = sizes[layer.name] + sum(sizes[name] for name in layer.reads)
        largest = max(largest, live + _WORKING_COPIES * working)
        live -= sum(sizes[name] for name in done)
    kept = batch * sum(sizes[name] for name in made.wanted)
    memory.require(
        (kept + largest) * itemsize,
        f"a run up to {made.layers[-1].name}",
        help="use a smaller --input, fewer layers, or a smaller batch",
    )
