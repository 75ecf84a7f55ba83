"""The order of the numbers of a weight in a file, and where each belongs in C.

C's own layout is (out_channels, in_channels // groups, *kernel_size) of the direct convolution.
PyTorch, ONNX and Caffe store exactly that, for conv and conv_transpose alike.  TensorFlow, Keras
and JAX store its taps first: (*kernel_size, in_channels // groups, out_channels).  JAX's
conv_transpose, unless transpose_kernel is true, takes the kernel of an ordinary convolution over
the stretched input, (*kernel_size, in, out) of the layer.  This one is flipped: compared with C,
its channels are exchanged and its taps are in reverse order.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

from convt_cli.arithmetic.convolution import Convolution, Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightLayout:
    """The order of a stored weight's axes and taps.

    `taps_first`: the axes of the taps come before those of the channels.  `flipped`: channels are
    exchanged and taps in reverse, as for JAX's conv_transpose; its taps come first as well.
    """

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
    """A hint that another order of its axes gives a weight of `shape` the `expected` one.

    `remedy` has {} where the order goes.  Empty if no order of the axes does.

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
