"""What a misspelt or foreign word may have meant: the closest known word, or convt's own for it."""

from __future__ import annotations

import re

from convt_cli.errors import shown

_MOST_NAMES = 40  # known words that a message lists
_MOST_CANDIDATES = 100  # known words that are compared, as each comparison takes time
_MOST_LETTERS = 100  # letters of a word that are compared
_DIMENSIONS = re.compile("[123]d")

_ELSEWHERE: dict[str, tuple[str, ...]] = {
    # keys of layers
    "blocksize": ("factor",),
    "cropping": ("padding", "crop"),
    "depthmultiplier": ("groups",),
    "depthwise": ("groups",),
    "dilationrate": ("dilation",),
    "dim": ("axis",),
    "dims": ("axes",),
    "downscalefactor": ("factor",),
    "featuregroupcount": ("groups",),
    "features": ("out_channels", "out_features"),
    "filters": ("out_channels",),
    "inchannels": ("in_features",),
    "infeatures": ("in_channels",),
    "inputs": ("from",),
    "interpolation": ("mode",),
    "kernel": ("kernel_size",),
    "kerneldilation": ("dilation",),
    "kernelshape": ("kernel_size",),
    "numoutput": ("out_channels", "out_features"),
    "outchannels": ("out_features",),
    "outfeatures": ("out_channels",),
    "outputshape": ("output_size",),
    "pad": ("padding",),
    "pads": ("padding",),
    "perm": ("axes",),
    "poolsize": ("kernel_size",),
    "rate": ("dilation",),
    "rhsdilation": ("dilation",),
    "scale": ("scale_factor",),
    "size": ("scale_factor",),
    "sources": ("from",),
    "targetshape": ("shape",),
    "units": ("out_features", "out_channels"),
    "upscalefactor": ("factor",),
    "usebias": ("bias",),
    "windowshape": ("kernel_size",),
    "windowstrides": ("stride",),
    # types of layers
    "alphadropout": ("dropout",),
    "averagepool": ("avg_pool",),
    "averagepooling": ("avg_pool",),
    "batchnormalization": ("batch_norm",),
    "bn": ("batch_norm",),
    "cat": ("concat",),
    "concatenate": ("concat",),
    "convolution": ("conv",),
    "deconv": ("conv_transpose",),
    "deconvolution": ("conv_transpose",),
    "dense": ("linear",),
    "depthtospace": ("pixel_shuffle",),
    "eltwise": ("add",),
    "fc": ("linear",),
    "fullyconnected": ("linear",),
    "gemm": ("linear",),
    "globalaveragepool": ("global_avg_pool",),
    "globalaveragepooling": ("global_avg_pool",),
    "globalmaxpooling": ("global_max_pool",),
    "groupnormalization": ("group_norm",),
    "hardtanh": ("clip",),
    "innerproduct": ("linear",),
    "instancenormalization": ("instance_norm",),
    "interpolate": ("upsample",),
    "layernormalization": ("layer_norm",),
    "localresponsenorm": ("lrn",),
    "matmul": ("linear",),
    "maxpooling": ("max_pool",),
    "maxunpooling": ("max_unpool",),
    "multiply": ("mul",),
    "permute": ("transpose",),
    "relu6": ("clip",),
    "resize": ("upsample",),
    "spacetodepth": ("pixel_unshuffle",),
    "subpixel": ("pixel_shuffle",),
    "sum": ("add",),
    "swish": ("silu",),
    "transposedconv": ("conv_transpose",),
    "transposeconv": ("conv_transpose",),
    "unpool": ("max_unpool",),
    "upconv": ("conv_transpose",),
    "upsampling": ("upsample",),
    "view": ("reshape",),
    "zeropad": ("pad",),
    "zeropadding": ("pad",),
    # values of keys, and names of frameworks
    "edge": ("replicate",),
    "flax": ("jax",),
    "onnxruntime": ("onnx",),
    "sameupper": ("same",),
    "tf": ("tensorflow",),
    "tfkeras": ("keras",),
    "torch": ("pytorch",),
    "wrap": ("circular",),
}
"""Words of other tools, written as by `_plain`, and the words that convt has for the same thing."""

_DEPTHWISE = "groups and out_channels both set to the channels of its source"
_ACTIVATION = "use identity with `stands_for: {word}`, which has the same shapes"
_RECIPES: dict[str, tuple[str, str]] = {
    "atrousconv": ("conv", "use conv with dilation"),
    "dilatedconv": ("conv", "use conv with dilation"),
    "depthwise": ("conv", f"use conv with {_DEPTHWISE}"),
    "depthwiseconv": ("conv", f"use conv with {_DEPTHWISE}"),
    "depthwiseconvnative": ("conv", f"use conv with {_DEPTHWISE}"),
    "depthwiseconvtranspose": ("conv_transpose", f"use conv_transpose with {_DEPTHWISE}"),
    "groupconv": ("conv", "use conv with groups"),
    "groupedconv": ("conv", "use conv with groups"),
    "pointwise": ("conv", "use conv with `kernel_size: 1`"),
    "pointwiseconv": ("conv", "use conv with `kernel_size: 1`"),
    **dict.fromkeys(
        ("separable", "separableconv", "depthwiseseparable", "depthwiseseparableconv"),
        ("conv", f"use two convs: one with {_DEPTHWISE}, then one with `kernel_size: 1`"),
    ),
    **dict.fromkeys(("celu", "logsigmoid", "logsoftmax", "softsign"), ("identity", _ACTIVATION)),
}
"""Layer types of other tools that convt has no type for: the type to use, and how to use it."""


def closest(word: str, known: list[str]) -> str | None:
    """The known word that `word` is most likely a slip of, if there is one.

    >>> closest("paddding", ["stride", "padding"]), closest("filters", ["out_channels", "stride"])
    ('padding', 'out_channels')
    >>> closest("MaxPool2d", ["conv", "max_pool"])
    'max_pool'
    """
    from difflib import get_close_matches  # noqa: PLC0415  # only errors need it

    short = word[:_MOST_LETTERS]
    candidates = known[-_MOST_CANDIDATES:]  # the last ones: of layers, those just above
    meant = [one for one in _ELSEWHERE.get(_plain(short), ()) if one in known]
    close = get_close_matches(short.lower(), candidates, n=1, cutoff=0.66)
    return next(iter([*meant, *close]), None)


def suggestion(word: str, known: list[str]) -> str:
    """A remedy for a misspelt word: how convt writes it, the closest known word, or a list of all.

    >>> suggestion("paddding", ["stride", "padding"])
    "did you mean 'padding'?"
    >>> suggestion("grouped_conv", ["conv", "conv_transpose"])
    'use conv with groups'
    """
    needed, recipe = _RECIPES.get(_plain(word[:_MOST_LETTERS]), ("", ""))
    close = closest(word, known)
    if needed in known and (close is None or _plain(close) != _plain(word)):
        return recipe.format(word=shown(word))
    if close:
        return f"did you mean '{close}'?"
    more = f" and {len(known) - _MOST_NAMES:,} more" if len(known) > _MOST_NAMES else ""
    return f"known are {', '.join(known[:_MOST_NAMES])}{more}"


def _plain(word: str) -> str:
    """`word` without what differs from tool to tool: capitals, underscores, the number of axes.

    >>> _plain("Conv2DTranspose"), _plain("conv_transpose")
    ('convtranspose', 'convtranspose')
    """
    letters = "".join(letter for letter in word.lower() if letter.isalnum())
    return _DIMENSIONS.sub("", letters)
