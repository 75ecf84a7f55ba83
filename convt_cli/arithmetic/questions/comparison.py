"""One layer under several frameworks: the same keys, read by the rules of each.

Every framework is given the keys as they are written and the source shapes that the layer has in
its own framework, so that each layer is compared by itself, whatever stands before it.  Keys that
say how numbers are stored are left out, for they are no part of the window: weight, bias, and
transpose_kernel for all frameworks but JAX.

Whether two readings do the same follows from the one relation.  Both place tap t of window
`output` at input = output * stride + t * dilation - before, and kernel_size, stride and dilation
are the same keys; so where both sizes agree on every axis,

    C'[output, input] = C[output, input - shift],    shift = before - before',

for every input that both sides have: C' is C with its columns moved.  A direct layer then reads
its input `shift` elements further on, a transposed one writes its output that much further on,
and at shift 0 the two matrices are the same.  `after` alone changes nothing.  Where a size differs
no shift makes them equal: one has elements that the other does not have.

The values of the padding and the divisors of averages can differ too.  Padding that repeats the
input depends on the borders, so that no shift makes it equal; and averages are equal if every
window has the same divisor, whatever the keys that lead to it (see `averages`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from convt_cli.arithmetic.averages import asked_pads, counts_padding, divisor_sums
from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.layers import Convolutional, ConvTranspose, Definition, Geometry, Windows
from convt_cli.arithmetic.layers.adaptive_pools import AdaptivePool
from convt_cli.arithmetic.layers.convolutions import Conv
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool, MaxUnpool
from convt_cli.arithmetic.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.disagreements import disagreements
from convt_cli.arithmetic.sampling import sampled_alike
from convt_cli.errors import GeometryError

COMPARED = (
    *(Conv, ConvTranspose, MaxPool, AveragePool, AdaptivePool, MaxUnpool),
    *(Upsample, PixelShuffle, PixelUnshuffle),
)
"""The layers that frameworks read differently, or that some frameworks do not have."""


Difference = Literal["size", "divisor", "padding", "samples"]
"""The first thing that differs between two readings where no shift makes them equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A layer as one framework reads it; `errors` say why the framework refuses it.

    `shift` is per axis, in elements of C's input, and None where no shift makes this reading
    equal to the layer's own; zeros mean that they are equal.  A layer without a window that moves
    has a shift of zeros or none.  `difference` says what differs where there is no shift.
    `is_flipped`: the stored kernel, applied as it stands, has its taps in the reverse order of the
    own reading's.  `disagreements` are points on which the framework's own tools differ.
    """

    framework: Framework
    geometry: Geometry | None
    errors: tuple[str, ...] = ()
    shift: Shape | None = None
    difference: Difference | None = None
    is_flipped: bool = False
    disagreements: tuple[str, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether this reading and the own one are the same matrix, for the same stored kernel."""
        return self.shift is not None and not any(self.shift) and not self.is_flipped

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes of the window; empty if the layer has none or is refused."""
        return () if self.geometry is None else axes_of(self.geometry)


@dataclass(frozen=True, slots=True, kw_only=True)
class Symmetric:
    """The padding, equal on both sides, that comes nearest to a layer's own."""

    padding: Shape
    output_padding: Shape
    shift: Shape


def compared_layers(network: Network) -> list[NetworkLayer]:
    """The layers of a network that are compared, in order."""
    return [layer for layer in network.layers if isinstance(layer.definition, COMPARED)]


def left_out(network: Network, chosen: Container[str]) -> dict[str, int]:
    """The number of layers of each type whose names are not in `chosen`, in order."""
    return dict(Counter(layer.type for layer in network.layers if layer.name not in chosen))


def readings(
    layer: NetworkLayer, own: Framework, others: Iterable[Framework]
) -> tuple[Reading, ...]:
    """The layer as its own framework reads it, and as each of the others does."""
    mine = _read(layer, own)
    every = (mine, *(_read(layer, framework) for framework in others))
    return tuple(_beside(mine, reading, layer) for reading in every)


def axes_of(geometry: Geometry) -> tuple[Axis, ...]:
    """The axes of a layer's window; empty for a layer without one."""
    return geometry.dependence.axes if isinstance(geometry.dependence, Windows) else ()


def axes_shift(own: Sequence[Axis], other: Sequence[Axis]) -> Shape | None:
    """own.before - other.before on every axis; None where a size differs.

    >>> keras = Axis.conv(input_size=224, kernel_size=7, stride=2, before=2, after=3)
    >>> torch = Axis.conv(input_size=224, kernel_size=7, stride=2, before=3, after=3)
    >>> axes_shift([keras], [torch])
    (-1,)
    """
    pairs = list(zip(own, other, strict=True))
    if any((a.input_size, a.output_size) != (b.input_size, b.output_size) for a, b in pairs):
        return None
    return tuple(a.before - b.before for a, b in pairs)


def symmetric(axes: Sequence[Axis], *, adjoint: bool) -> Symmetric | None:
    """The symmetric padding that gives the same sizes with the least shift.

    None if the layer's own padding is symmetric already, or no symmetric one gives its sizes.

    >>> own = Axis.conv(input_size=224, kernel_size=7, stride=2, before=2, after=3)
    >>> symmetric([own], adjoint=False)
    Symmetric(padding=(3,), output_padding=(0,), shift=(-1,))
    """
    nearest = [_nearest(axis, adjoint) for axis in axes]
    found = [one for one in nearest if one is not None]
    if len(found) < len(axes) or all(a.before == b.before for a, b in zip(axes, found)):
        return None
    return Symmetric(
        padding=tuple(axis.before for axis in found),
        output_padding=tuple(axis.output_padding if adjoint else 0 for axis in found),
        shift=tuple(a.before - b.before for a, b in zip(axes, found)),
    )


def _read(layer: NetworkLayer, framework: Framework) -> Reading:
    definition = _without_storage(layer.definition, framework)
    errors = list(definition.problems(framework))
    geometry = None
    if not errors:
        try:
            geometry = definition.resolve(layer.inputs, framework)
        except GeometryError as error:
            errors.append(error)
    return Reading(
        framework=framework,
        geometry=geometry,
        errors=tuple(dict.fromkeys(str(error) for error in errors)),
        disagreements=()
        if geometry is None
        else disagreements(layer.type, definition, layer.inputs[0], geometry, framework),
    )


def _without_storage(definition: Definition, framework: Framework) -> Definition:
    """The definition without the keys that say how numbers are stored."""
    if isinstance(definition, Convolutional):
        definition = replace(definition, weight=None, bias=definition.bias is not False)
    if isinstance(definition, ConvTranspose) and not framework.transposed_flipped:
        definition = replace(definition, transpose_kernel=None)
    return definition


def _beside(own: Reading, other: Reading, layer: NetworkLayer) -> Reading:
    """The reading `other`, with its shift, difference and flip against `own` filled in."""
    if own.geometry is None or other.geometry is None:
        return other
    flips = own.geometry.weight_layout.flipped != other.geometry.weight_layout.flipped
    has_order = any(axis.kernel_size > 1 for axis in other.axes)
    found: Shape | Difference = "size"
    if own.geometry.output == other.geometry.output:
        found = _shift_or_difference(own, other, layer)
    return replace(
        other,
        shift=found if isinstance(found, tuple) else None,
        difference=found if isinstance(found, str) else None,
        is_flipped=has_order and flips,
    )


def _shift_or_difference(own: Reading, other: Reading, layer: NetworkLayer) -> Shape | Difference:
    """The shift that makes two readings of one size equal, or what differs if there is none."""
    definition = layer.definition
    if isinstance(definition, Upsample):
        frameworks = own.framework, other.framework
        alike = sampled_alike(definition, layer.inputs[0], layer.output, *frameworks)
        return (0,) * (len(layer.output) - 1) if alike else "samples"
    if not other.axes:
        return (0,) * (len(layer.output) - 1)
    shift = axes_shift(own.axes, other.axes)
    if shift is None:
        return "size"
    if any(shift) and isinstance(definition, Conv) and definition.padding_mode != "zeros":
        return "padding"
    if isinstance(definition, AveragePool) and not _divided_alike(own, other, definition, shift):
        return "divisor"
    return shift


def _divided_alike(own: Reading, other: Reading, pool: AveragePool, shift: Shape) -> bool:
    """Whether every window of an average has the same divisor in both readings."""
    counts = [counts_padding(pool, one.framework) for one in (own, other)]
    # Shifted windows have other elements in the padding, so that without counting it they agree
    # only if no window reads any.
    if any(shift) and not all(counts):
        return _reads_no_padding((*own.axes, *other.axes))
    mine, theirs = (
        divisor_sums(one.axes, asked_pads(pool, one.axes, one.framework), counts=counted)
        for one, counted in zip((own, other), counts, strict=True)
    )
    return mine == theirs


def _reads_no_padding(axes: Iterable[Axis]) -> bool:
    """Whether all taps of all windows lie inside the input."""
    return all(axis.entries() == axis.kernel_size * axis.output_size for axis in axes)


def _nearest(axis: Axis, adjoint: bool) -> Axis | None:
    """The axis with the same sizes and symmetric padding; None if there is none.

    The padding is `before` if that gives the sizes, else the mean of both sides, rounded up.
    """
    spanned = (axis.output_size - 1) * axis.stride + axis.effective_kernel
    after = spanned - axis.input_size - axis.before  # without what no window covers
    for padding in (axis.before, max(0, ceil_div(axis.before + after, 2))):
        left_over = axis.input_size + 2 * padding - spanned
        most = max(axis.stride, axis.dilation) if adjoint else axis.stride
        if padding >= 0 and 0 <= left_over < most:
            return replace(axis, before=padding, after=padding)
    return None
