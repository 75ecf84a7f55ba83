"""The fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import (
    Bias,
    Integer,
    Weight,
    WeightSource,
    key,
)
from convt_cli.arithmetic.layers.base import (
    Geometry,
    Layer,
    check_declared,
    check_inline,
    require_axis,
    single_source,
    whole_along,
)
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(Layer):
    """A fully connected layer on an input of one axis, or along one axis of several."""

    out_features: int = key(Integer(1), "size of the output")
    bias: bool | WeightSource = key(Bias(), "one number per output", default=True)
    in_features: int | None = key(Integer(1), "checked against the source", default=None)
    weight: WeightSource | None = key(Weight(), "the numbers of the matrix", default=None)
    axis: int | None = key(
        Integer(0), "the one axis of several to act along; 0 is the channels", default=None
    )

    def stored_shape(self, source: Shape, framework: Framework) -> Shape:
        """The shape of the stored weight: (out, in), or (in, out) where taps come first."""
        shape = (self.out_features, source[self.axis or 0])
        return shape[::-1] if framework.taps_first else shape

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        self._check_axis(shape)
        axis = self.axis or 0
        check_declared("in_features", self.in_features, shape[axis])
        check_inline("weight", self.weight, self.stored_shape(shape, framework))
        check_inline("bias", self.bias, (self.out_features,))
        bias = 0 if self.bias is False else self.out_features
        return Geometry(
            output=(*shape[:axis], self.out_features, *shape[axis + 1 :]),
            parameters=shape[axis] * self.out_features + bias,
            multiply_adds=prod(shape) * self.out_features,
            dependence="whole" if len(shape) == 1 else whole_along({axis}, len(shape)),
        )

    def _check_axis(self, source: Shape) -> None:
        if self.axis is not None:
            require_axis(self.axis, len(source))
        elif len(source) != 1:
            raise GeometryError(
                "E119",
                "linear needs an input of one axis",
                field="type",
                value=f"the source is {list(source)}",
                help="put a flatten layer before it, or say along which axis: `axis: "
                f"{len(source) - 1}`",
            )
