"""The ways in which a layer is computed wrongly: an entry each, simplest first.

An entry makes all variants of a subject by one kind of change, such as other pads, or the kernel
flipped.  To add one, write a function in the module of its family and a line in `CHANGES`.
"""

from __future__ import annotations

from convt_cli.analysis.diagnose.changes import arrays, kernels, numbers, padding, windows
from convt_cli.analysis.diagnose.changes.variant import Changes, Variant

__all__ = ["ALONE", "CHANGES", "Changes", "Variant"]

CHANGES: dict[str, Changes] = {
    "batch": arrays.batch,
    "layout": arrays.layout,
    "bias": numbers.bias,
    "activation": numbers.activation,
    "ceil_mode": windows.ceil_mode,
    "output_padding": padding.output_padding,
    "padding": padding.padding,
    "divisor": numbers.divisor,
    "padding_mode": windows.padding_mode,
    "flip": kernels.flip,
    "transpose": kernels.transpose,
    "channels": kernels.channels,
    "groups": kernels.groups,
    "dilation": windows.dilation,
    "stride": windows.stride,
    "size": arrays.size,
    "factor": numbers.factor,
    "precision": numbers.precision,
}

ALONE = ("batch", "size", "precision")
"""The changes that are not tried together with another."""
