"""The interface of all layer types: the protocol, the geometry a layer resolves to, its sources.

A layer holds its keys as written.  `problems` yields the mistakes that do not depend on its input,
and `resolve` turns the keys and the shapes of its sources into a `Geometry` of plain integers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout, other_order
from convt_cli.arithmetic.keys import LARGEST, Inline
from convt_cli.arithmetic.spans import Span
from convt_cli.errors import GeometryError, SourcesError

MAX_RANK = 3
"""The largest number of spatial axes."""

ChannelsRead = tuple[Span, ...] | None
"""The channels that a channel reads: the spans from the source to the layer; None for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """Positions read the source through one `Axis` per spatial axis.

    With `adjoint` the source is C's output, as for a transposed layer.
    """

    axes: tuple[Axis, ...]
    adjoint: bool = False
    channels: ChannelsRead = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """Positions read the source through one `Span` per spatial axis; None is the whole axis."""

    axes: tuple[Span | None, ...]
    channels: ChannelsRead = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Permuted:
    """Axis n is axis `axes[n]` of the source; 0 is the channels."""

    axes: tuple[int, ...]

    def shape(self, source: Shape) -> Shape:
        """The shape of the output for a source of this shape."""
        return tuple(source[axis] for axis in self.axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshaped:
    """The same elements, row-major, in the shape `target`."""

    target: Shape

    def shape(self, _: Shape) -> Shape:
        """`target`: the shape of the output, whatever the shape of the source."""
        return self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rearranged:
    """Several reorderings and reshapes, one after the other."""

    steps: tuple[Permuted | Reshaped, ...]


SimpleDependence = Literal["same", "whole"] | Windows | Spans | Permuted | Reshaped
Dependence = SimpleDependence | Rearranged


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """The output shape, cost and dependence of a layer on sources of known shapes.

    `parameters` counts all numbers that the framework counts, `not_trained` those among them that
    it keeps and does not train.  `dependence` says which source positions an output position
    depends on: the same one, the whole source, those under a window or in a span, or the one where
    the element stood before its axes were reordered or reshaped.
    """

    output: Shape
    parameters: int = 0
    not_trained: int = 0
    multiply_adds: int = 0
    dependence: Dependence = "same"
    convolution: Convolution | None = None
    weight_layout: WeightLayout = WeightLayout()

    def __post_init__(self) -> None:
        if max(self.output) > LARGEST:
            raise GeometryError(
                "E107",
                "no axis of an output is longer than 2^53",
                field="type",
                value=f"got one of about 2^{max(self.output).bit_length() - 1}",
                help="use smaller sizes",
            )


class Definition(Protocol):
    """The methods that every layer type has; an instance holds the keys of one layer."""

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        """The mistakes in the keys that do not depend on the input."""
        ...

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        """The geometry on inputs of these shapes.  Raises GeometryError."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """The base of all layer types: no problems, as for most types before their input is known."""

    def problems(self, framework: Framework) -> Iterator[GeometryError]:
        """The mistakes in the keys that do not depend on the input."""
        return iter(())


def single_source(sources: tuple[Shape, ...]) -> Shape:
    """The one shape in `sources`.  Raises SourcesError."""
    if len(sources) != 1:
        raise SourcesError(
            "this type takes one source",
            value=f"got {len(sources)}",
            help="join the sources with add or concat first",
        )
    return sources[0]


def spatial_source(sources: tuple[Shape, ...]) -> Shape:
    """The one shape (channels, *spatial) in `sources`.  Raises GeometryError (E119) for others."""
    shape = single_source(sources)
    if not 2 <= len(shape) <= MAX_RANK + 1:
        raise GeometryError(
            "E119",
            f"this type needs [channels, *spatial] with 1 to {MAX_RANK} spatial axes",
            field="type",
            value=f"the source is {list(shape)}",
            help="put it before flatten, or bring the spatial axes back with reshape",
        )
    return shape


def check_declared(field: str, declared: int | None, actual: int) -> None:
    """Raise GeometryError (E114) for a declared size that is not the source's."""
    if declared not in (None, actual):
        raise GeometryError(
            "E114",
            f"{field} must equal the {field.removeprefix('in_')} of the source",
            field=field,
            value=f"got {declared}, the source has {actual}",
            help=f"write {actual}; a spec has `{field}: {actual}`, or leaves {field} out",
        )


def require_axis(axis: int, count: int) -> None:
    """Raise GeometryError (E107) unless a source of `count` axes has this one."""
    if axis >= count:
        raise GeometryError(
            "E107",
            f"axis must be below the number of axes, {count}",
            field="axis",
            value=f"got {axis}",
            help="0 is the channels, 1 the first spatial axis",
        )


def excluding(field: str, other: str) -> GeometryError:
    """The error (E122) for two keys that are both given and exclude each other."""
    return GeometryError(
        "E122",
        f"{field} and {other} exclude each other",
        field=field,
        value="both are given",
        help="keep one of them",
        keeps_size=True,
    )


def whole_along(axes: set[int], count: int) -> Dependence:
    """The dependence on the same position, but along `axes` (0: channels) on all positions."""
    if not axes:
        return "same"
    spans = tuple(None if n in axes else Span() for n in range(1, count))
    return Spans(axes=spans, channels=None if 0 in axes else ())


def unsupported_key(field: str, value: object, framework: Framework) -> GeometryError:
    """The error (E125) for a key, or a key's value, that the framework does not have."""
    return GeometryError(
        "E125",
        f"{framework.title} has no such {field}",
        field=field,
        value=f"got {str(value).lower() if isinstance(value, bool) else value}",
        help=f"leave {field} out, or choose another framework",
    )


def check_inline(field: str, source: object, expected: Shape) -> None:
    """Raise GeometryError (E121) for numbers in the spec that do not have the shape `expected`."""
    if isinstance(source, Inline) and source.shape != expected:
        raise GeometryError(
            "E121",
            f"the {field} of this layer has shape {list(expected)}",
            field=field,
            value=f"got {list(source.shape)}",
            help=other_order(source.shape, expected, "numpy.transpose(w, {}).tolist()")
            or "nest the lists in that shape, or keep the numbers in a .npy file",
        )
