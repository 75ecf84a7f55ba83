"""A layer with its numbers and the array it is said to give: as it is, or with something changed.

A change makes another `Subject`: of the layer (`prepared`), of what it reads (`sources`), of how
its array is read (`got`), or of what happens to its result (`finish`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from convt_cli.analysis.backward.step import Sources
from convt_cli.analysis.diagnose.bounds import Prepared, Reckoning, applied
from convt_cli.analysis.diagnose.precision import Precision
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.layers import Windows
from convt_cli.operators.dtypes import Array

Finish = Callable[[Reckoning, Array], Reckoning | None]
"""(what the layer gives, the array to explain) to the result; None where that cannot be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A layer, its sources (batch, channels, *spatial), and the array `got` that is judged.

    `got` is (batch, channels, *spatial) in float64; `held` is the type that it came in, and
    `accumulator` that of the sums.  `unflattened` is the shape that a vector had before it was
    flattened, where the layer reads one; `finish` is applied to the result, one after the other.
    """

    prepared: Prepared
    sources: Sources
    got: Array
    held: Precision
    accumulator: Precision
    unflattened: Shape | None = None
    finish: tuple[Finish, ...] = ()

    @property
    def shape(self) -> Shape:
        """(batch, *output) of the layer."""
        return (len(self.sources[0]), *self.prepared.layer.output)

    @property
    def convolution(self) -> Convolution | None:
        return self.prepared.layer.geometry.convolution

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of the layer's windows; empty where it has none."""
        windows = self.prepared.layer.geometry.dependence
        return windows.axes if isinstance(windows, Windows) else ()

    def bare(self) -> Reckoning:
        """What the layer gives, before anything happens to it."""
        return applied(self.prepared, self.sources).summed_in(self.accumulator)

    def finished(self, found: Reckoning, got: Array) -> Reckoning | None:
        """`found` with everything that happens to it; None where that cannot give `got`."""
        for one in self.finish:
            changed = one(found, got)
            if changed is None:
                return None
            found = changed
        return found

    def with_parameters(self, **arrays: Array | None) -> Subject:
        """The same with other arrays for the layer's `weight` or `bias`; None for none."""
        changed = {**self.prepared.parameters, **arrays}
        kept = {name: array for name, array in changed.items() if array is not None}
        return replace(self, prepared=replace(self.prepared, parameters=kept))

    def with_sources(self, *sources: Array) -> Subject:
        """The same with other arrays for its sources."""
        return replace(self, sources=sources)

    def with_finish(self, finish: Finish) -> Subject:
        """The same with one more thing that happens to its result."""
        return replace(self, finish=(*self.finish, finish))

    def with_axes(self, axes: tuple[Axis, ...], padding_mode: str | None = None) -> Subject:
        """The same with other windows.  Raises GeometryError for windows that cannot be."""
        layer = self.prepared.layer
        geometry, convolution = layer.geometry, self.convolution
        if convolution is None:
            output = (layer.output[0], *(axis.output_size for axis in axes))
            changed = replace(geometry, output=output, dependence=Windows(axes=axes))
        else:
            mode = convolution.padding_mode if padding_mode is None else padding_mode
            convolution = replace(convolution, axes=axes, padding_mode=mode)
            changed = replace(
                geometry,
                output=convolution.action_shapes[1],
                dependence=Windows(axes=axes, adjoint=convolution.adjoint),
                convolution=convolution,
            )
        prepared = replace(self.prepared, layer=replace(layer, geometry=changed))
        return replace(self, prepared=prepared)
