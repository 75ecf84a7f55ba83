"""What a line of code is to compute, and the spelling that the frameworks have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.comparison import axes_of, counts_padding
from convt_cli.arithmetic.convolution import Convolution, Shape
from convt_cli.arithmetic.frameworks import Framework
from convt_cli.arithmetic.kinds import Pair, per_axis
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.network import NetworkLayer
from convt_cli.arithmetic.padding import direct_pads, same_pads
from convt_cli.arithmetic.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A conv, conv_transpose, max_pool or avg_pool with every size known.

    `channels` are those of the layer's own input and output.  `pads` are a pool's as they were
    asked for: with ceil_mode its last window may reach past them, which tells in an average that
    counts padding.  `is_unflipped` says that the stored kernel is the one JAX's conv_transpose
    takes without transpose_kernel.
    """

    type: str
    axes: tuple[Axis, ...]
    channels: Pair
    groups: int = 1
    has_bias: bool = False
    padding_mode: str = "zeros"
    is_unflipped: bool = False
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
    def overhangs(self) -> bool:
        """A pool's last window reaches past the pads that were asked for."""
        return any(axis.after > after for axis, (_, after) in zip(self.axes, self.pads))

    @property
    def is_padded_average(self) -> bool:
        """The divisor tells whether padding was counted."""
        partial = (axis.entries() < axis.kernel_size * axis.output_size for axis in self.axes)
        return self.type == "avg_pool" and any(partial)

    @property
    def counts_all(self) -> bool:
        """Every divisor of an average is the whole kernel."""
        return self.counts_padding and not self.overhangs

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
    channels = (layer.inputs[0][0], layer.output[0])
    return Target(
        type=layer.type,
        axes=axes,
        channels=channels,
        pads=_asked_pads(layer, axes, framework),
        counts_padding=counts_padding(layer.definition, framework),
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
        is_unflipped=layer.geometry.weight_layout.unflipped,
    )


def _asked_pads(
    layer: NetworkLayer, axes: tuple[Axis, ...], framework: Framework
) -> tuple[Pair, ...]:
    pool = layer.definition
    if not isinstance(pool, MaxPool | AveragePool):
        return ()
    window = Window(
        kernel_size=tuple(axis.kernel_size for axis in axes),
        stride=tuple(axis.stride for axis in axes),
        dilation=per_axis(pool.dilation, len(axes), "dilation"),
    )
    return direct_pads(pool.padding, layer.inputs[0][1:], window, framework, "a pool")


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


def with_bias(text: str | None, target: Target) -> str | None:
    """The line with the bias `b` added to it, where the layer has one."""
    return f"{text} + b" if text and target.has_bias else text


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
