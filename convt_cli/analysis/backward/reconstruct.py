"""Activations of a layer projected back to the input, as by Zeiler and Fergus's deconvnet.

A network is run forward on an image.  Some activations of a layer are kept and all others set to
zero, and the result goes back down to the input: by Cᵀ through a convolution, by the switches
through a max pool, and by one of the three `rules` through a relu.  For a network of a single
convolution the picture is Cᵀ C x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from convt_cli.analysis.backward.run import Prepared, Recorded, prepared, run, way_to
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.vocabulary import Rule
from convt_cli.errors import ArrayError, RequestError, shape_text
from convt_cli.files.weights import Weights
from convt_cli.io import memory
from convt_cli.io.progress import Progress, no_progress
from convt_cli.operators.dtypes import Array, as_array


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Which activations one picture was made of, by the number of the image that caused them.

    `channel` and `position` are None where those of several were kept; `activation` is the
    largest one kept.
    """

    image: int
    channel: int | None
    position: Shape | None
    activation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconstruction:
    """`pictures`, (pictures, *input shape), one for each entry of `kept`.

    `notes` say what was assumed about layers for which the spec does not say enough.
    """

    layer: str
    rule: Rule
    pictures: Array
    kept: tuple[Kept, ...]
    notes: tuple[str, ...]


def reconstruct(
    network: Network,
    images: ArrayLike,
    *,
    layer: str,
    channel: int | None = None,
    unit: Shape | None = None,
    top: int | None = None,
    rule: Rule = "deconvnet",
    progress: Progress = no_progress,
) -> Reconstruction:
    """Pictures of what `layer` sees in `images`, ([batch], *input shape).

    There is one picture per image, made of all activations of the layer, of those of one
    `channel`, or of one `unit`, (channel, *position).  With `top` each picture is made of a
    channel's strongest unit instead: for one image those of its `top` strongest channels; for a
    batch those of the `top` images in which a channel is strongest, for `channel` or all channels.

    Raises RequestError: E502 for an unknown layer, E503 for a channel, unit or top that it does
    not have, E507 where the rule has no way back, E501; ArrayError (E301, E302) for the images.
    """
    way = way_to(network, layer)
    way.require_back(rule)
    batch = as_batch(images, way.input_shape)
    shape = way.layer.output
    wanted = _Wanted(shape=shape, channel=channel, unit=unit, top=top, images=len(batch))
    ready = prepared(way, Weights(network), batch.dtype)

    # one image's run at a time: the last one is kept, as one image can have several pictures
    @lru_cache(maxsize=1)
    def recorded(image: int) -> Recorded:
        return run(ready, batch[image : image + 1])

    kept = tuple(_kept(wanted, lambda image: recorded(image).activations[0]))
    pictures = _room_for_pictures(ready, len(kept))
    with progress("going down", len(kept)) as advance:
        # image by image, so that each is run once more at most
        for number in sorted(range(len(kept)), key=lambda number: kept[number].image):
            record = recorded(kept[number].image)
            signal = _signal(record.activations, kept[number])
            pictures[number] = record.down(signal, rule)[0]
            advance(1)
    return Reconstruction(layer=layer, rule=rule, pictures=pictures, kept=kept, notes=way.notes)


def as_batch(images: ArrayLike, shape: Shape) -> Array:
    """`images` as (batch, *shape).  Raises ArrayError (E301, E302)."""
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
    """Zeros, (count, *input shape).  Raises RequestError (E501)."""
    shape = (count, *ready.way.input_shape)
    memory.require(
        prod(shape) * ready.dtype.itemsize,
        f"{count:,} pictures of {shape_text(shape[1:])}",
        help="choose one channel, or a smaller top",
    )
    return np.zeros(shape, ready.dtype)


# --- what is kept -----------------------------------------------------------------------------

_SEE_SIZES = "see the sizes with `convt shapes`"
"""The remedy for a channel or unit outside the layer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """Which activations to keep of a layer with output `shape`, (channels, *positions).

    Raises RequestError (E503) where the choices contradict each other, or the layer lacks them.
    """

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
    """What each picture is made of; `activations(image)` is (channels, *positions)."""
    if wanted.top is None:
        for image in range(wanted.images):
            yield _kept_of(wanted, activations(image), image)
        return
    # best[image][channel] is (activation, position) of the channel's strongest unit
    best = [_strongest_units(activations(image)) for image in range(wanted.images)]
    if wanted.images == 1:
        order = np.argsort([-largest for largest, _ in best[0]], kind="stable")[: wanted.top]
        yield from (_kept_unit(0, int(channel), best[0][channel]) for channel in order)
        return
    channels = range(wanted.shape[0]) if wanted.channel is None else [wanted.channel]
    for channel in channels:
        strengths = [-units[channel][0] for units in best]
        for image in np.argsort(strengths, kind="stable")[: wanted.top]:
            yield _kept_unit(int(image), channel, best[image][channel])


def _kept_of(wanted: _Wanted, activations: Array, image: int) -> Kept:
    """All of one image's activations, those of the channel asked for, or the unit asked for."""
    if wanted.unit is not None:
        channel, *position = wanted.unit
        return _kept_unit(image, channel, (float(activations[wanted.unit]), tuple(position)))
    chosen = activations if wanted.channel is None else activations[wanted.channel]
    largest = float(chosen.max())
    return Kept(image=image, channel=wanted.channel, position=None, activation=largest)


def _strongest_units(activations: Array) -> list[tuple[float, Shape]]:
    """(activation, position) of the strongest unit of every channel; of equal units the first."""
    rows = activations.reshape(len(activations), -1)  # (channels, positions)
    strongest = rows.argmax(1)  # (channels,)
    return [
        (float(row[index]), tuple(map(int, np.unravel_index(index, activations.shape[1:]))))
        for row, index in zip(rows, strongest, strict=True)
    ]


def _kept_unit(image: int, channel: int, unit: tuple[float, Shape]) -> Kept:
    """One unit, given as (activation, position)."""
    activation, position = unit
    return Kept(image=image, channel=channel, position=position, activation=activation)


def _signal(activations: Array, kept: Kept) -> Array:
    """The activations, (1, channels, *positions), with zeros where they are not kept."""
    if kept.channel is None:
        return activations
    where = (0, kept.channel, *(kept.position or ()))
    signal = np.zeros_like(activations)
    signal[where] = activations[where]
    return signal
