"""The description of what a line of code computes, and text that several frameworks share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convt_cli.arithmetic.averages import asked_pads, counts_padding, divisor_sums
from convt_cli.arithmetic.axis import Axis, ceil_div
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import same_pads
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.layers import Convolutional
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.comparison import axes_of


class NoLineError(Exception):
    """No single line is known; the message is the reason, a fact about the framework."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A conv, conv_transpose, max_pool or avg_pool with every size known.

    `channels` are those of the layer's own input and output.  `pads` are the pads that a pool was
    written with: with ceil_mode its last window may extend past them, and elements there are
    counted in no divisor.  `flipped` says that JAX's conv_transpose takes the stored kernel
    without transpose_kernel.
    """

    type: str
    axes: tuple[Axis, ...]
    channels: Pair
    groups: int = 1
    has_bias: bool = False
    padding_mode: str = "zeros"
    flipped: bool = False
    pads: tuple[Pair, ...] = ()
    counts_padding: bool = False

    @property
    def rank(self) -> int:
        return len(self.axes)

    @property
    def kernel_size(self) -> Shape:
        return tuple(axis.kernel_size for axis in self.axes)

    @property
    def stride(self) -> Shape:
        return tuple(axis.stride for axis in self.axes)

    @property
    def dilation(self) -> Shape:
        return tuple(axis.dilation for axis in self.axes)

    @property
    def is_strided_and_dilated(self) -> bool:
        return max(self.stride) > 1 and max(self.dilation) > 1

    @property
    def direct_pads(self) -> tuple[Pair, ...]:
        """The pads of a layer that is not transposed, cut so that no further window fits."""
        return tuple(_fitting(axis) for axis in self.axes)

    @property
    def divisor_sums(self) -> Shape:
        """The sum of an average's divisors over all outputs, per axis."""
        return divisor_sums(self.axes, self.pads, counts=self.counts_padding)

    @property
    def divides_by_kernel(self) -> bool:
        """Whether an average always divides by the number of kernel taps."""
        whole = tuple(axis.kernel_size * axis.output_size for axis in self.axes)
        return self.divisor_sums == whole

    @property
    def divides_by_elements(self) -> bool:
        """Whether an average always divides by the number of input elements in the window."""
        return self.divisor_sums == tuple(axis.entries() for axis in self.axes)

    @property
    def counted_pads(self) -> tuple[Pair, ...]:
        """The part of `direct_pads` that is counted in the divisor of an average."""
        if not self.counts_padding:
            return ((0, 0),) * self.rank
        return tuple(
            (before, min(after, asked))
            for (before, after), (_, asked) in zip(self.direct_pads, self.pads, strict=True)
        )

    @property
    def uncounted_pads(self) -> tuple[Pair, ...]:
        """The part of `direct_pads` that is not."""
        return tuple(
            (before - counted_before, after - counted_after)
            for (before, after), (counted_before, counted_after) in zip(
                self.direct_pads, self.counted_pads, strict=True
            )
        )

    @property
    def is_same(self) -> bool:
        """Whether the pads of C's input are the ones that TensorFlow computes for SAME."""
        return all(
            axis.output_size == ceil_div(axis.input_size, axis.stride)
            and axis.before == same_pads(axis.input_size, axis.stencil)[0]
            for axis in self.axes
        )

    def adds_bias_to(self, pairs: Sequence[Pair]) -> bool:
        """Whether zeros put around the output, by `pairs`, would lack the bias.

        A line then adds the bias to the zeros, too.
        """
        return self.has_bias and any(max(pair) > 0 for pair in pairs)


def target_of(layer: NetworkLayer, framework: Framework) -> Target:
    """The target of a conv, conv_transpose or pool, as its own framework computes it."""
    convolution, axes = layer.geometry.convolution, axes_of(layer.geometry)
    if convolution is not None:
        return _of_convolution(layer, convolution)
    channels, pool = (layer.inputs[0][0], layer.output[0]), layer.definition
    return Target(
        type=layer.type,
        axes=axes,
        channels=channels,
        pads=asked_pads(pool, axes, framework) if isinstance(pool, MaxPool | AveragePool) else (),
        counts_padding=counts_padding(pool, framework),
    )


def plain_pool_target(layer: NetworkLayer, windows: Sequence[Pair]) -> Target:
    """The target of an adaptive pool as a plain one, with (kernel_size, stride) per axis."""
    axes = tuple(
        Axis.conv(input_size=size, kernel_size=kernel_size, stride=stride)
        for size, (kernel_size, stride) in zip(layer.inputs[0][1:], windows, strict=True)
    )
    return Target(
        type=layer.type.removeprefix("adaptive_"),
        axes=axes,
        channels=(layer.inputs[0][0], layer.output[0]),
        pads=((0, 0),) * len(axes),
    )


def _of_convolution(layer: NetworkLayer, convolution: Convolution) -> Target:
    definition, (source, result) = layer.definition, convolution.action_shapes
    return Target(
        type=layer.type,
        axes=convolution.axes,
        channels=(source[0], result[0]),
        groups=convolution.groups,
        has_bias=isinstance(definition, Convolutional) and definition.bias is not False,
        padding_mode=convolution.padding_mode,
        flipped=layer.geometry.weight_layout.flipped,
    )


def _fitting(axis: Axis) -> Pair:
    """(before, after) without the end of the padding that would let a further window fit."""
    surplus = axis.output_padding if axis.output_padding >= axis.stride else 0
    return axis.before, max(0, axis.after - surplus)


def call(name: str, *arguments: str, **named: str | None) -> str:
    """`name(arguments, key=value)` as text; keys whose value is None are left out.

    >>> call("nn.Conv2d", "3", "64", stride="2", padding=None)
    'nn.Conv2d(3, 64, stride=2)'
    """
    keys = [f"{key}={value}" for key, value in named.items() if value is not None]
    return f"{name}({', '.join((*arguments, *keys))})"


def with_bias(text: str, target: Target) -> str:
    """The line with the bias `b` added to it, where the layer has one."""
    return f"{text} + b" if target.has_bias else text


def padded_and_cropped(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """(added, cut): the positive numbers of `pairs`, and the negative ones without their sign.

    >>> padded_and_cropped([(1, -2)])
    (((1, 0),), ((0, 2),))
    """
    added = tuple((max(0, before), max(0, after)) for before, after in pairs)
    cut = tuple((max(0, -before), max(0, -after)) for before, after in pairs)
    return added, cut


def strided_text(stride: Sequence[int]) -> str:
    """The index that takes every stride-th element on each spatial axis of channels-last arrays.

    >>> strided_text((2, 1))
    '[:, ::2, :, :]'
    """
    steps = [f"::{step}" if step > 1 else ":" for step in stride]
    return f"[:, {', '.join(steps)}, :]"


def per_axis_text(values: Sequence[int]) -> str:
    """The values as text: one number where all are equal, else a tuple.

    >>> per_axis_text((3, 3)), per_axis_text((3, 1))
    ('3', '(3, 1)')
    """
    return str(values[0]) if len(set(values)) == 1 else tuple_text(values)


def unless_all(default: int, values: Sequence[int]) -> str | None:
    """`values` as `per_axis_text`, or None where all are the default."""
    return None if all(value == default for value in values) else per_axis_text(values)


def tuple_text(values: Sequence[object]) -> str:
    """The values as a Python tuple, such as `(1,)` or `(1, 2)`."""
    return str(tuple(values))


def pairs_text(pairs: Sequence[Pair]) -> str:
    """The pairs as a Python list of tuples."""
    return str([tuple(pair) for pair in pairs])


def around_all_text(pairs: Sequence[Pair]) -> str:
    """The pairs as a list for all axes of channels-last arrays, the batch and channels unpadded."""
    return str([[0, 0], *(list(pair) for pair in pairs), [0, 0]])


def taken_text(pairs: Sequence[Pair], take: str, places: str) -> str:
    """`x`, channels last, with `pairs` of its own elements around: `take` of `places` on each axis.

    `places` is a text with {axis}, its {first} place, and {past} its size, "" or " + N".
    """
    text = "x"
    for axis, (before, after) in enumerate(pairs, start=1):
        if before or after:
            past = f" + {after}" if after else ""
            place = places.format(first=-before, axis=axis, past=past)
            text = call(take, text, place, axis=str(axis))
    return text


def crop_text(pairs: Sequence[Pair]) -> str:
    """The index that cuts `pairs` off the spatial axes of channels-last arrays.

    >>> crop_text([(0, 1), (2, 0)])
    '[:, :-1, 2:, :]'
    """
    cuts = [f"{before or ''}:{-after if after else ''}" for before, after in pairs]
    return f"[:, {', '.join(cuts)}, :]"
