"""Pools that fit their input whatever its size: one window over all of it, or a given number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import IntegerPerAxis, Pair, PerAxis, key, per_axis
from convt_cli.arithmetic.layers.base import Geometry, Layer, Spans, spatial_source
from convt_cli.arithmetic.spans import shared_span
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalPool(Layer):
    """One number per channel; the spatial axes stay, of size 1."""

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = spatial_source(sources)
        ones = tuple(1 for _ in sizes)
        return Geometry(output=(channels, *ones), dependence=Spans(axes=tuple(None for _ in sizes)))


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalMaxPool(GlobalPool):
    """The largest number of each channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GlobalAveragePool(GlobalPool):
    """The mean of each channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptivePool(Layer):
    """`output_size` windows that divide the input among them; they may overlap.

    Of n elements, window q of o takes floor(q*n/o) ... ceil((q + 1)*n/o) - 1; o may exceed n.
    """

    output_size: PerAxis = key(IntegerPerAxis(1), "the wanted size")

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        channels, *sizes = spatial_source(sources)
        output = per_axis(self.output_size, len(sizes), "output_size")
        if not framework.adaptive_pools:
            _require_plain_pools(sizes, output, framework)
        spans = (
            None if wanted == 1 else shared_span(size, wanted)
            for size, wanted in zip(sizes, output)
        )
        return Geometry(output=(channels, *output), dependence=Spans(axes=tuple(spans)))


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveMaxPool(AdaptivePool):
    """The largest number of each window."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptiveAveragePool(AdaptivePool):
    """The mean of each window."""


def plain_pool(size: int, output_size: int) -> Pair | None:
    """(kernel_size, stride) of the plain pool equal to an adaptive one; None if there is none.

    Windows begin a constant step apart exactly if size / output_size leaves a remainder of 0 or
    1; with 0 they are as long as the step, with 1 one element longer.

    >>> plain_pool(6, 3), plain_pool(5, 2), plain_pool(7, 3), plain_pool(8, 3)
    ((2, 2), (3, 2), (3, 2), None)
    """
    stride, remainder = divmod(size, output_size)
    if output_size == 1:
        return size, size
    return (stride + remainder, stride) if stride > 0 and remainder <= 1 else None


def _require_plain_pools(
    sizes: Sequence[int], output: tuple[int, ...], framework: Framework
) -> None:
    """Raise GeometryError (E125) for an adaptive pool that is not equal to a plain pool."""
    for number, (size, wanted) in enumerate(zip(sizes, output, strict=True)):
        if plain_pool(size, wanted) is None:
            raise GeometryError(
                "E125",
                f"{framework.title} has no adaptive pools but those that are a plain pool",
                field="output_size",
                axis=number,
                value=f"{wanted} windows over {size} are not of one length and one step",
                help="use an output_size that divides the size, or another framework",
            )
