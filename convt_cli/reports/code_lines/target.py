"""What a line of code is to compute, and the spelling that the frameworks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convt_cli.arithmetic.averages import asked_pads, counts_padding, divisor_sums
from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import same_pads
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.questions.comparison import axes_of


class NoLineError(Exception):
    """No single line is known; the text is the reason, a fact about the framework."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A conv, conv_transpose, max_pool or avg_pool with every size known.

    `channels` are those of the layer's own input and output.  `pads` are a pool's as they were
    asked for: with ceil_mode its last window may reach past them, and what lies there is in no
    divisor.  `flipped` says that the stored kernel is the one JAX's conv_transpose takes
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
        """The pads of a direct layer, with which no more windows fit than it has."""
        return tuple(_fitting(axis) for axis in self.axes)

    @property
    def divisor_sums(self) -> Shape:
        """The sum of the divisors of an average, per axis."""
        return divisor_sums(self.axes, self.pads, counts=self.counts_padding)

    @property
    def divides_by_kernel(self) -> bool:
        """Every divisor of an average is the whole kernel."""
        whole = tuple(axis.kernel_size * axis.output_size for axis in self.axes)
        return self.divisor_sums == whole

    @property
    def divides_by_elements(self) -> bool:
        """Every divisor of an average is the number of input elements that the window reads."""
        return self.divisor_sums == tuple(axis.entries() for axis in self.axes)

    @property
    def counted_pads(self) -> tuple[Pair, ...]:
        """The part of `direct_pads` that is in the divisor of an average."""
        if not self.counts_padding:
            return ((0, 0),) * self.rank
        return tuple(
            (before, min(after, asked))
            for (before, after), (_, asked) in zip(self.direct_pads, self.pads, strict=True)
        )

    @property
    def uncounted_pads(self) -> tuple[Pair, ...]:
        """The rest of `direct_pads`."""
        return tuple(
            (before - counted_before, after - counted_after)
            for (before, after), (counted_before, counted_after) in zip(
                self.direct_pads, self.counted_pads, strict=True
            )
        )

    @property
    def is_same(self) -> bool:
        """The pads are those that TensorFlow has for SAME, on C's input."""
        return all(
            axis.output_size == -(-axis.input_size // axis.stride)
            and axis.before == same_pads(axis.input_size, axis.effective_kernel, axis.stride)[0]
            for axis in self.axes
        )

    def adds_bias_to(self, pairs: Sequence[Pair]) -> bool:
        """Zeros put around an output, as `pairs`, would lack the bias that stands there."""
        return self.has_bias and any(max(pair) > 0 for pair in pairs)


def target_of(layer: NetworkLayer, framework: Framework) -> Target:
    """What the layer computes in its own framework."""
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
    """An adaptive pool as the plain one that it is, (kernel_size, stride) per axis."""
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
    source, result = convolution.action_shapes
    return Target(
        type=layer.type,
        axes=convolution.axes,
        channels=(source[0], result[0]),
        groups=convolution.groups,
        has_bias=getattr(layer.definition, "bias", False) is not False,
        padding_mode=convolution.padding_mode,
        flipped=layer.geometry.weight_layout.flipped,
    )


def _fitting(axis: Axis) -> Pair:
    surplus = axis.output_padding if axis.output_padding >= axis.stride else 0
    return axis.before, max(0, axis.after - surplus)


def call(name: str, *arguments: str, **named: str | None) -> str:
    """`name(arguments, key=value)`, without the keys whose value is None.

    >>> call("nn.Conv2d", "3", "64", stride="2", padding=None)
    'nn.Conv2d(3, 64, stride=2)'
    """
    keys = [f"{key}={value}" for key, value in named.items() if value is not None]
    return f"{name}({', '.join((*arguments, *keys))})"


def with_bias(text: str, target: Target) -> str:
    """The line with the bias `b` added to it, where the layer has one."""
    return f"{text} + b" if target.has_bias else text


def padded_and_cropped(pairs: Sequence[Pair]) -> tuple[tuple[Pair, ...], tuple[Pair, ...]]:
    """What `pairs` add around something, and what the negative ones of them cut off it.

    >>> padded_and_cropped([(1, -2)])
    (((1, 0),), ((0, 2),))
    """
    added = tuple((max(0, before), max(0, after)) for before, after in pairs)
    cut = tuple((max(0, -before), max(0, -after)) for before, after in pairs)
    return added, cut


def strided_text(stride: Sequence[int]) -> str:
    """The index that takes every stride-th of the spatial axes of (batch, *spatial, channels).

    >>> strided_text((2, 1))
    '[:, ::2, :, :]'
    """
    steps = [f"::{step}" if step > 1 else ":" for step in stride]
    return f"[:, {', '.join(steps)}, :]"


def per_axis_text(values: Sequence[int]) -> str:
    """One number where all are equal, else all of them.

    >>> per_axis_text((3, 3)), per_axis_text((3, 1))
    ('3', '(3, 1)')
    """
    return str(values[0]) if len(set(values)) == 1 else tuple_text(values)


def unless_all(default: int, values: Sequence[int]) -> str | None:
    """`values` for people, or None where they are all the default."""
    return None if all(value == default for value in values) else per_axis_text(values)


def tuple_text(values: Sequence[object]) -> str:
    """The values between parentheses; a comma behind a single one."""
    return str(tuple(values))


def pairs_text(pairs: Sequence[Pair]) -> str:
    """The pairs as a list of tuples."""
    return str([tuple(pair) for pair in pairs])


def crop_text(pairs: Sequence[Pair]) -> str:
    """The index that cuts `pairs` off the spatial axes of (batch, *spatial, channels).

    >>> crop_text([(0, 1), (2, 0)])
    '[:, :-1, 2:, :]'
    """
    cuts = [f"{before or ''}:{-after if after else ''}" for before, after in pairs]
    return f"[:, {', '.join(cuts)}, :]"
