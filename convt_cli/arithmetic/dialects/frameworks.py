"""What each framework means, as one table of facts.

Every rule in which frameworks differ is a field here; `padding`, `transposed` and `layers` read
the fields and turn them into explicit (before, after) pairs and output_padding, so that no shape
behind them depends on a framework's name again.

Sources: `torch.nn.functional` and ATen's shape checks, PyTorch 2.13; `tf.nn`'s convolutions and
pools, TensorFlow 2.21; Keras 3.15's layers; the ONNX operator texts and, where they leave it
open or their tools differ, what ONNX Runtime 1.32 does; `jax.lax`, JAX 0.10; BVLC Caffe.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from convt_cli.arithmetic.dialects import numbers
from convt_cli.arithmetic.dialects.numbers import Numbers
from convt_cli.arithmetic.padding_modes import PADDING_MODES

Shape = tuple[int, ...]

DEFAULT_OPSET = 22
"""The version of ONNX's operators where a spec names none."""

_ANY_AXES = (1, 2, 3)
"""All numbers of spatial axes that a layer can have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsampling:
    """The resizing operators of a framework: which it has, and what they read.

    `nearest`, `linear`, `cubic` and `area` hold the numbers of spatial axes on which the framework
    has that kind; empty where it does not have it.
    """

    nearest: Shape = _ANY_AXES
    linear: Shape = ()
    cubic: Shape = ()
    area: Shape = ()
    scales_by: Literal["factor", "sizes"]
    """Positions are scaled by the factor as it is written, or by output size / input size."""
    nearest_rounds: Literal["down", "centre"]
    """Nearest reads floor(q / factor), or floor((q + 1/2) / factor)."""
    cubic_kernel: Literal["-3/4", "-1/2", "-1/2 tabulated"] = "-3/4"
    """Keys' parameter a of the cubic kernel; TensorFlow reads it from a table of 1024 steps."""
    smooths: bool = False
    """Linear and cubic widen their kernel where the output is smaller than the input."""
    area_shares: bool = False
    """An area mean weighs each element by the part of it inside the window, not all equally."""

    def axes(self, mode: str) -> Shape:
        """The numbers of spatial axes on which the framework has `mode`, a word of a spec."""
        ranks: Shape = getattr(self, interpolation(mode))
        return ranks


def interpolation(mode: str) -> str:
    """The kind of interpolation, nearest, linear, cubic or area, that `mode` of a spec means.

    >>> interpolation("bilinear"), interpolation("area")
    ('linear', 'area')
    """
    return next((kind for kind in ("linear", "cubic") if mode.endswith(kind)), mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One framework's rules."""

    name: str
    opset: int | None = None
    """The version of its operators; None for a framework that does not number them."""

    same_words: tuple[str, ...]
    """Padding words among `same` and `same_lower` that its convolutions know."""
    same_needs_unit_stride: bool = False
    """Its convolutions take `same` with stride 1 alone."""
    padding_modes: tuple[str, ...] = ("zeros",)
    """What the padding of its convolutions can read."""
    pad_modes: tuple[str, ...] = ("zeros",)
    """What its operator for padding alone can read."""
    pad_repeats: tuple[str, ...] = ()
    """Of these, the ones that go on where the padding is longer than what it reads."""
    slices_with_step: bool = True
    """A slice may take every other element, or go backwards."""
    strided_dilation: bool = True
    """A convolution may have both a stride and a dilation above 1."""

    transposed_groups: bool = True
    """A transposed layer may have groups."""
    transposed_same_words: tuple[str, ...]
    """Padding words among `same` and `same_lower` that its transposed layers know."""
    transposed_same_lower_needs_unit_stride: bool = False
    """Its transposed layers take `same_lower` with stride 1 alone."""
    transposed_same: Literal["none", "forward", "runtime"] = "none"
    """How `same` finds the crop of a transposed layer: from the pads of the direct convolution on
    the output, or as ONNX Runtime does; see `transposed`."""
    transposed_pads: Literal["direct", "stretched"] = "direct"
    """What the numbers of `padding` pad: C's input, or the transposed layer's stretched input."""
    output_padding_below: Literal["stride", "stride or dilation", "nothing"]
    """The bound that output_padding must stay below; "nothing" allows no output_padding."""
    output_padding_reaches_stride: bool = False
    """Without an output_padding in the spec it is stride - effective_kernel, if that is above 0."""
    output_size: bool = True
    """A transposed layer may name its output size."""
    output_size_replaces_padding: bool = False
    """output_size determines the pads, and those written are ignored."""
    larger_half_before: tuple[str, ...] = ()
    """Padding words whose odd element goes before; `pairs` stands for padding without a word."""

    pool_same_words: tuple[str, ...]
    """Padding words among `same` and `same_lower` that its pools know."""
    pool_padding: Literal["half kernel", "below kernel", "any"]
    """How much padding a pool takes: up to kernel_size // 2, less than kernel_size, or any.

    kernel_size counts without dilation.
    """
    pool_ceil: bool | None
    """The default of ceil_mode; None where pools have no ceil_mode."""
    pool_drops_unpadded: bool = True
    """With ceil_mode, a last window that starts past the input is dropped even without padding."""
    max_pool_dilation: Literal["any", "alone", "none"] = "any"
    """Which dilation a max pool takes: any, one without stride and without `same`, or none."""
    adaptive_pools: bool = False
    """Has adaptive pools; without, only those equal to a plain pool are legal (see `pools`)."""
    max_unpool: bool = False
    """Has an operator that puts maxima back where they stood."""
    reorders_axes: bool = True
    """Has an operator that transposes, so that a pixel shuffle can be made with reshapes."""
    upsampling: Upsampling
    """What its resizing operators do."""
    average_pool_dilation: bool = False
    """An average pool may have a dilation."""
    average_counts_padding: bool
    """The default of count_include_pad: whether padding counts in an average's divisor."""
    average_pool_3d_needs_whole_window: bool = False
    """A 3-D average pool refuses an input smaller than its kernel, whatever the padding."""

    upsample_factor: Literal["double", "single", "whole"]
    """The precision in which sizes are multiplied by a scale_factor; "whole": no other factors."""

    numbers: Numbers
    """The numbers of its activations and norms where a spec gives none."""
    prelu_slopes: tuple[Literal["one", "channels", "elements"], ...] = ("one", "channels")
    """How many slopes a prelu can learn; the first is the default."""
    instance_norm_affine: bool = True
    """The default of an instance norm's `affine`: whether it learns a scale and a shift."""
    layer_norm_axes: Literal["all", "channels", "last"] = "channels"
    """The axes that a layer norm normalises along by default."""
    counts_running_statistics: bool = False
    """A batch norm's running mean and variance count as parameters that are not trained."""

    taps_first: bool = False
    """A stored weight has its taps before its channels; otherwise behind them, as C's has."""
    transposed_flipped: bool = False
    """A transposed layer's weight is stored flipped, see `weight_layout`, but for one whose
    transpose_kernel is true."""

    @property
    def title(self) -> str:
        """The name, with the opset where there is one."""
        return self.name if self.opset is None else f"{self.name} opset {self.opset}"


_PYTORCH = Framework(
    name="pytorch",
    numbers=numbers.PYTORCH,
    pad_modes=PADDING_MODES,
    same_words=("same",),
    same_needs_unit_stride=True,
    padding_modes=PADDING_MODES,
    transposed_same_words=(),
    output_padding_below="stride or dilation",
    adaptive_pools=True,
    max_unpool=True,
    upsampling=Upsampling(
        linear=_ANY_AXES,
        cubic=(2,),
        area=_ANY_AXES,
        scales_by="factor",
        nearest_rounds="down",
    ),
    pool_same_words=(),
    pool_padding="half kernel",
    pool_ceil=False,
    average_counts_padding=True,
    average_pool_3d_needs_whole_window=True,
    upsample_factor="double",
    instance_norm_affine=False,
    layer_norm_axes="all",
)
_TENSORFLOW_UPSAMPLING = Upsampling(
    linear=(2,),
    cubic=(2,),
    area=(2,),
    scales_by="sizes",
    nearest_rounds="centre",
    cubic_kernel="-1/2 tabulated",
    area_shares=True,
)
_TENSORFLOW = Framework(
    name="tensorflow",
    numbers=numbers.TENSORFLOW,
    pad_modes=("zeros", "reflect"),
    upsampling=_TENSORFLOW_UPSAMPLING,
    same_words=("same",),
    transposed_same_words=("same",),
    transposed_same="forward",
    output_padding_below="stride",
    output_padding_reaches_stride=True,
    pool_same_words=("same",),
    pool_padding="below kernel",
    pool_ceil=None,
    max_pool_dilation="alone",
    average_counts_padding=False,
    upsample_factor="whole",
    prelu_slopes=("elements", "channels", "one"),
    counts_running_statistics=True,
    taps_first=True,
)
_KERAS = replace(
    _TENSORFLOW,
    name="keras",
    numbers=numbers.KERAS,
    adaptive_pools=True,
    upsampling=replace(_TENSORFLOW_UPSAMPLING, area=()),
    strided_dilation=False,
    transposed_groups=False,
    max_pool_dilation="none",
)
_ONNX = Framework(
    name="onnx",
    numbers=numbers.ONNX,
    pad_modes=PADDING_MODES,
    pad_repeats=("circular",),
    opset=DEFAULT_OPSET,
    max_unpool=True,
    upsampling=Upsampling(
        linear=_ANY_AXES, cubic=_ANY_AXES, scales_by="factor", nearest_rounds="down"
    ),
    same_words=("same", "same_lower"),
    transposed_same_words=("same", "same_lower"),
    transposed_same="runtime",
    output_padding_below="stride or dilation",
    output_size_replaces_padding=True,
    larger_half_before=("same_lower", "pairs"),
    pool_same_words=("same", "same_lower"),
    pool_padding="below kernel",
    pool_ceil=False,
    average_pool_dilation=True,
    average_counts_padding=False,
    upsample_factor="single",
    prelu_slopes=("one", "channels", "elements"),
    layer_norm_axes="last",
)
_JAX = Framework(
    name="jax",
    numbers=numbers.JAX,
    pad_modes=PADDING_MODES,
    pad_repeats=("circular", "reflect"),
    upsampling=Upsampling(
        linear=_ANY_AXES,
        cubic=_ANY_AXES,
        scales_by="sizes",
        nearest_rounds="centre",
        cubic_kernel="-1/2",
        smooths=True,
    ),
    same_words=("same", "same_lower"),
    transposed_groups=False,
    transposed_same_words=("same", "same_lower"),
    transposed_same_lower_needs_unit_stride=True,
    transposed_same="forward",
    transposed_pads="stretched",
    output_padding_below="nothing",
    output_padding_reaches_stride=True,
    output_size=False,
    pool_same_words=("same", "same_lower"),
    pool_padding="any",
    pool_ceil=None,
    average_counts_padding=True,
    upsample_factor="whole",
    taps_first=True,
    transposed_flipped=True,
)
_CAFFE = Framework(
    name="caffe",
    numbers=numbers.CAFFE,
    slices_with_step=False,
    reorders_axes=False,
    upsampling=Upsampling(nearest=(), scales_by="sizes", nearest_rounds="down"),
    same_words=(),
    transposed_same_words=(),
    output_padding_below="nothing",
    output_size=False,
    pool_same_words=(),
    pool_padding="below kernel",
    pool_ceil=True,
    pool_drops_unpadded=False,
    max_pool_dilation="none",
    average_counts_padding=True,
    upsample_factor="whole",
    prelu_slopes=("channels", "one"),
    instance_norm_affine=False,
)

FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework
    for framework in (
        _PYTORCH,
        _TENSORFLOW,
        _KERAS,
        _ONNX,
        _JAX,
        _CAFFE,
    )
}


def at_opset(framework: Framework, opset: int) -> Framework:
    """The rules of ONNX with the operators of `opset`.

    Before opset 11 the odd element of SAME_UPPER goes before, and of all other padding behind.
    Pools have ceil_mode and max pools a dilation from 10 on, average pools a dilation from 19 on.
    Padding wraps around from 19 on.  Before 13 a softmax without an axis is one over all elements.
    """
    softmax_axis = framework.numbers.softmax_axis if opset >= 13 else "all"
    wraps = opset >= 19
    return replace(
        framework,
        numbers=replace(framework.numbers, softmax_axis=softmax_axis),
        pad_modes=tuple(mode for mode in framework.pad_modes if wraps or mode != "circular"),
        opset=opset,
        larger_half_before=framework.larger_half_before if opset >= 11 else ("same",),
        pool_ceil=False if opset >= 10 else None,
        max_pool_dilation="any" if opset >= 10 else "none",
        average_pool_dilation=opset >= 19,
    )
