"""How the numbers of a weight lie in a file, and where they belong in C.

C's own layout is (out_channels, in_channels // groups, *kernel_size) of the direct convolution.
PyTorch, ONNX and Caffe store just that, for conv and conv_transpose alike.  TensorFlow, Keras
and JAX store (*kernel_size, in_channels // groups, out_channels) of it.  JAX's conv_transpose,
unless transpose_kernel is set, takes the kernel of an ordinary convolution over the stretched
input, (*kernel_size, in, out) of the layer: C's channels exchanged, and its taps in reverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from convt_cli.arithmetic.convolution import Convolution, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightLayout:
    """`taps_first`: channels stand behind the taps; `unflipped`: as JAX's conv_transpose."""

    taps_first: bool = False
    flipped: bool = False

    def stored_shape(self, convolution: Convolution) -> Shape:
        """The shape of the weight as it is stored."""
        out_channels, inner, *kernel = convolution.weight_shape
        if self.flipped:
            return (*kernel, out_channels // convolution.groups, inner * convolution.groups)
        return (*kernel, inner, out_channels) if self.taps_first else convolution.weight_shape

    def stored_index(self, convolution: Convolution, index: Shape) -> Shape:
        """Where the weight holds C's tap `index`, (output channel, input channel, *tap).

        >>> from convt_cli.arithmetic.axis import Axis
        >>> axis = Axis.conv(input_size=5, kernel_size=3)
        >>> one = Convolution(out_channels=2, in_channels=2, axes=(axis,))
        >>> WeightLayout(taps_first=True, flipped=True).stored_index(one, (1, 0, 0))
        (2, 1, 0)
        """
        out_channel, inner, *tap = index
        if self.flipped:
            reverse = (size - 1 - t for size, t in zip(convolution.kernel_size, tap))
            return (*reverse, out_channel, inner)
        return (*tap, inner, out_channel) if self.taps_first else index


def other_order(shape: Shape, expected: Shape, remedy: str) -> str:
    """How a weight of `shape` comes to the `expected` one by another order of its axes, in words.

    `remedy` has {} for the order.  Empty where no order does it.

    >>> other_order((3, 5, 2, 8), (8, 2, 3, 5), "numpy.transpose(w, {})")
    'its axes stand in another order: numpy.transpose(w, (3, 2, 0, 1)) has this shape'
    """
    if sorted(shape) != sorted(expected):
        return ""
    rank = len(shape)
    taps_last = (rank - 1, rank - 2, *range(rank - 2))
    taps_first = (*range(2, rank), 1, 0)
    orders = (taps_last, taps_first, *permutations(range(rank)))
    fitting = dict.fromkeys(
        order for order in orders if tuple(shape[axis] for axis in order) == expected
    )
    first, *others = fitting
    text = f"its axes stand in another order: {remedy.format(first)} has this shape"
    return text + (", as other orders have: equal sizes do not tell which" if others else "")
