"""A layer of a network with its numbers: its weight, its matrix C, and its own action A."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from convt_cli.arithmetic.network import Network, NetworkLayer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, DTypeLike
    from scipy.sparse import csr_array

    from convt_cli.files.weights import Weights
    from convt_cli.operators.dtypes import Array
    from convt_cli.operators.operator import ConvOperator


class Numbers:
    """The weights of a network's layers, found when the first of them is asked for."""

    def __init__(self, network: Network) -> None:
        self._network = network

    @cached_property
    def weights(self) -> Weights:
        from convt_cli.files.weights import Weights

        return Weights(self._network)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer(NetworkLayer):
    """One layer of a network: its shapes, and its numbers when they are asked for.

    A weight is read anew by each method that needs it.  To apply a layer often, keep its
    `operator()`.
    """

    numbers: Numbers = field(repr=False, compare=False)

    @classmethod
    def of(cls, layer: NetworkLayer, numbers: Numbers) -> Layer:
        """The same layer, its weight and bias among `numbers`."""
        own = {one.name: getattr(layer, one.name) for one in fields(NetworkLayer)}
        return cls(**own, numbers=numbers)

    def weight(self, dtype: DTypeLike | None = None) -> Array:
        """The weight, as `dtype` if one is given: the file's numbers, the spec's, or a fill.

        A kernel is in C's layout, (out_channels, in_channels // groups, *kernel_size), whatever
        the framework's is; the weight of a linear layer is (out_features, in_features), that of a
        scale (channels,).  Raises FileError, ArrayError (E121, E302, E303), and RequestError (E502)
        for a layer without one.
        """
        return self.numbers.weights.weight(self, _dtype(dtype))

    def bias(self, dtype: DTypeLike | None = None) -> Array:
        """(channels,): the bias that the spec names, else zeros.  Raises as `weight` does."""
        return self.numbers.weights.bias(self, _dtype(dtype))

    def matrix(self) -> csr_array:
        """C as a sparse matrix: that of the direct convolution, also for a conv_transpose layer.

        Raises RequestError: E502 for a layer without a matrix, E501 where C does not fit into
        memory; and what `weight` raises.
        """
        from convt_cli.operators.matrix.build import build_matrix

        return build_matrix(self.require_convolution(), self.weight())

    def operator(self) -> ConvOperator:
        """C as a linear operator, without the matrix; `.T` is Cᵀ.  Raises as `matrix` does."""
        from convt_cli.operators.operator import ConvOperator

        direct = replace(self.require_convolution(), adjoint=False)
        return ConvOperator.of(direct, self.weight())

    def apply(self, x: ArrayLike) -> Array:
        """A x, without the bias: C x for a conv layer, Cᵀ x for a conv_transpose layer.

        `x` is ([batch], *input shape).  The result's dtype is np.result_type of x and the weight.
        Raises ArrayError (E301, E302, E304), RequestError (E501, E502), and what `weight` raises.
        """
        return self._applied(x, forward=not self.require_convolution().adjoint)

    def apply_transpose(self, y: ArrayLike) -> Array:
        """Aᵀ y, for y of ([batch], *output shape).  Raises as `apply` does."""
        return self._applied(y, forward=self.require_convolution().adjoint)

    def _applied(self, source: ArrayLike, *, forward: bool) -> Array:
        from convt_cli.operators.dtypes import as_array
        from convt_cli.operators.functions import apply
        from convt_cli.operators.matrix_free import apply_forward, apply_transpose

        convolution = self.require_convolution()
        route = apply_forward if forward else apply_transpose
        expected = convolution.input_shape if forward else convolution.output_shape
        return apply(route, convolution, self.weight(), as_array(source, "the array"), expected)


def _dtype(dtype: DTypeLike | None) -> np.dtype[Any] | None:
    import numpy as np

    return None if dtype is None else np.dtype(dtype)
