"""What activations of a layer say in the input: Zeiler and Fergus's way down, and its kin.

A network is run forward on an image, some activations of a layer are kept and all others set to
zero, and what is kept goes back down: Cᵀ for a convolution, the switches of a max pool, and at
each relu one of the three rules of `steps`.  Of a single convolution this is Cᵀ C x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from convt_cli.analysis.backward.rules import Rule
from convt_cli.analysis.backward.run import Prepared, Recorded, prepared, run, way_to
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import Network
from convt_cli.errors import ArrayError, RequestError, shape_text
from convt_cli.files.weights import Weights
from convt_cli.io import memory
from convt_cli.io.progress import Advance, Progress
from convt_cli.operators.dtypes import Array, as_array


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What one picture was made of: activations of a layer that one image set.

    `channel` and `position` are None where more than one was kept; `activation` is the largest.
    """

    image: int
    channel: int | None
    position: Shape | None
    activation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """`pictures` are (pictures, *input shape), one for each of `kept`.

    `notes` say what was assumed about layers of which the spec does not say enough.
    """

    layer: str
    rule: Rule
    pictures: Array
    kept: tuple[Kept, ...]
    notes: tuple[str, ...]


def _no_progress(_label: str, _total: int) -> AbstractContextManager[Advance]:
    return nullcontext(bool)


def reconstruct(
    network: Network,
    images: ArrayLike,
    *,
    layer: str,
    channel: int | None = None,
    unit: Shape | None = None,
    top: int | None = None,
    rule: Rule = "deconvnet",
    allow_outside: bool = False,
    progress: Progress = _no_progress,
) -> Reconstruction:
    """Pictures of what `layer` sees in `images`, ([batch], *input shape).

    One picture per image, of all activations of the layer, of one `channel`, or of one `unit`,
    (channel, *position).  With `top` a picture is of a channel's strongest unit in an image: of
    one image the `top` strongest channels; of several, for every channel or for `channel`, the
    `top` images in which it is strongest.

    Raises RequestError: E502 for an unknown layer, E503 for a channel, unit or top that it does
    not have, E507 where the rule has no way back, E501; ArrayError (E301, E302) for the images.
    """
    way = way_to(network, layer)
    way.require_back(rule)
    batch = as_batch(images, way.input_shape)
    shape = way.layer.output
    wanted = _Wanted(shape=shape, channel=channel, unit=unit, top=top, images=len(batch))
    ready = prepared(way, Weights(network, allow_outside=allow_outside), batch.dtype)

    @lru_cache(maxsize=1)
    def recorded(image: int) -> Recorded:
        return run(ready, batch[image : image + 1])

    kept = tuple(_kept(wanted, lambda image: recorded(image).activations[0]))
    pictures = _room_for_pictures(ready, len(kept))
    with progress("going down", len(kept)) as advance:
        for number in sorted(range(len(kept)), key=lambda number: kept[number].image):
            record = recorded(kept[number].image)
            signal = _signal(record.activations, kept[number])
            pictures[number] = record.down(signal, rule)[0]
            advance(1)
    return Reconstruction(layer=layer, rule=rule, pictures=pictures, kept=kept, notes=way.notes)


def as_batch(images: ArrayLike, shape: Shape) -> Array:
    """`images` with a batch axis.  Raises ArrayError (E301, E302)."""
    array = as_array(images, "the image")
    batch = array if array.ndim > len(shape) else array[np.newaxis]
    if batch.shape[1:] != shape or not len(batch):
        raise ArrayError(
            "E301",
            f"an image must be {shape_text(shape)}, with or without a batch axis",
            value=f"got {shape_text(array.shape)}",
            help="check channels and sizes against `convt shapes`, or use --input",
        )
    return batch


def _room_for_pictures(ready: Prepared, count: int) -> Array:
    shape = (count, *ready.way.input_shape)
    memory.require(
        prod(shape) * ready.dtype.itemsize,
        f"{count:,} pictures of {shape_text(shape[1:])}",
        help="choose one channel, or a smaller top",
    )
    return np.zeros(shape, ready.dtype)


# --- what is kept -----------------------------------------------------------------------------

_SEE_SIZES = "see the sizes with `convt shapes`"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """What is to be kept of a layer's (channels, *positions).  Raises RequestError (E503)."""

    shape: Shape
    channel: int | None
    unit: Shape | None
    top: int | None
    images: int

    def __post_init__(self) -> None:
        if self.unit is not None and not (self.channel is self.top is None):
            raise _misfit(
                "a unit is all that is kept", "got a channel or top as well", "leave one out"
            )
        if self.top is not None and self.top < 1:
            raise _misfit("top is at least 1", f"got {self.top}", "use 1 for the strongest alone")
        if self.top is not None and self.channel is not None and self.images == 1:
            raise _misfit(
                "the images in which one channel is strongest are chosen from several",
                "got one image",
                "give a batch of images, or leave out the channel or the top",
            )
        if self.unit is not None:
            require_unit(self.unit, self.shape)
        if self.channel is not None:
            _require_inside("channel", (self.channel,), self.shape[:1])


def require_unit(unit: Shape, shape: Shape) -> None:
    """Raise RequestError (E503) unless `unit`, (channel, *position), lies in `shape`."""
    if len(unit) != len(shape):
        raise _misfit(
            f"a unit of this layer is {len(shape)} numbers, the channel first",
            f"got {len(unit)}: {_numbers_text(unit)}",
            _SEE_SIZES,
        )
    _require_inside("unit", unit, shape)


def _require_inside(what: str, numbers: Shape, sizes: Shape) -> None:
    if not all(0 <= number < size for number, size in zip(numbers, sizes, strict=True)):
        last = _numbers_text(tuple(size - 1 for size in sizes))
        raise _misfit(
            f"the layer has no such {what}",
            f"got {_numbers_text(numbers)}, the last one is {last}",
            _SEE_SIZES,
        )


def _numbers_text(numbers: Shape) -> str:
    return ",".join(map(str, numbers))


def _misfit(rule: str, value: str, help: str) -> RequestError:
    return RequestError("E503", rule, value=value, help=help)


def _kept(wanted: _Wanted, activations: Callable[[int], Array]) -> Iterator[Kept]:
    """What each picture is made of; `activations` gives those that an image sets."""
    if wanted.top is None:
        for image in range(wanted.images):
            yield _kept_of(wanted, activations(image), image)
        return
    best = [_strongest_units(activations(image)) for image in range(wanted.images)]
    if wanted.images == 1:
        order = np.argsort([-largest for largest, _ in best[0]], kind="stable")[: wanted.top]
        yield from (_one(0, int(channel), best[0][channel]) for channel in order)
        return
    channels = range(wanted.shape[0]) if wanted.channel is None else [wanted.channel]
    for channel in channels:
        strengths = [-units[channel][0] for units in best]
        for image in np.argsort(strengths, kind="stable")[: wanted.top]:
            yield _one(int(image), channel, best[image][channel])


def _kept_of(wanted: _Wanted, activations: Array, image: int) -> Kept:
    """All of one image's activations, a channel's, or a unit's."""
    if wanted.unit is not None:
        channel, *position = wanted.unit
        return _one(image, channel, (float(activations[wanted.unit]), tuple(position)))
    chosen = activations if wanted.channel is None else activations[wanted.channel]
    largest = float(chosen.max())
    return Kept(image=image, channel=wanted.channel, position=None, activation=largest)


def _strongest_units(activations: Array) -> list[tuple[float, Shape]]:
    """(activation, position) of every channel's strongest unit, the first of equals."""
    flat = activations.reshape(len(activations), -1)
    places = flat.argmax(1)
    return [
        (float(row[place]), tuple(map(int, np.unravel_index(place, activations.shape[1:]))))
        for row, place in zip(flat, places, strict=True)
    ]


def _one(image: int, channel: int, found: tuple[float, Shape]) -> Kept:
    return Kept(image=image, channel=channel, position=found[1], activation=found[0])


def _signal(activations: Array, kept: Kept) -> Array:
    """The activations, (1, channels, *positions), with zeros where they are not kept."""
    if kept.channel is None:
        return activations
    where = (0, kept.channel, *(kept.position or ()))
    signal = np.zeros_like(activations)
    signal[where] = activations[where]
    return signal
