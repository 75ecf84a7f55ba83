"""The fully connected layer."""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.weight_layout import WeightLayout
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
    single_source,
)
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear(Layer):
    """A fully connected layer on an input of one axis."""

    out_features: int = key(Integer(1), "size of the output")
    bias: bool | WeightSource = key(Bias(), "one number per output", default=True)
    in_features: int | None = key(Integer(1), "checked against the source", default=None)
    weight: WeightSource | None = key(Weight(), "the numbers of the matrix", default=None)

    def stored_shape(self, source: Shape, layout: WeightLayout) -> Shape:
        """The shape of the stored weight: (out, in), or (in, out) where taps come first."""
        shape = (self.out_features, *source)
        return shape[::-1] if layout.taps_first else shape

    def resolve(self, sources: tuple[Shape, ...], framework: Framework) -> Geometry:
        shape = single_source(sources)
        if len(shape) != 1:
            raise GeometryError(
                "E119",
                "linear needs an input of one axis",
                field="type",
                value=f"the source is {list(shape)}",
                help="put a flatten layer before it",
            )
        check_declared("in_features", self.in_features, shape[0])
        layout = WeightLayout(taps_first=framework.taps_first)
        check_inline("weight", self.weight, self.stored_shape(shape, layout))
        check_inline("bias", self.bias, (self.out_features,))
        weights = shape[0] * self.out_features
        bias = 0 if self.bias is False else self.out_features
        return Geometry(
            output=(self.out_features,),
            parameters=weights + bias,
            multiply_adds=weights,
            dependence="whole",
            weight_layout=layout,
        )
