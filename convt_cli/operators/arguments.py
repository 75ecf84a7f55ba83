"""Python arguments as a `Convolution`, by the rules of a spec but without the YAML."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any, Literal, ParamSpec, SupportsIndex

import numpy as np

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Convolution, Shape, direct_axes, transposed_axes
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.dialects.padding import (
    FRAMEWORK_WORDS,
    WORDS,
    direct_pads,
    legal_output_padding,
    pads,
    require_transposed_word,
)
from convt_cli.arithmetic.keys import LARGEST, Padding, Pair, require_rank
from convt_cli.arithmetic.padding_modes import PADDING_MODES
from convt_cli.arithmetic.stencil import Stencil, each_axis, stencils_of
from convt_cli.errors import GeometryError, shown
from convt_cli.errors.suggestions import suggestion

IntPerAxis = SupportsIndex | Sequence[SupportsIndex]
PaddingWord = Literal["same", "valid", "half", "full", "causal"]
"""The words of a spec that `padding` takes, by PyTorch's rules."""
PaddingArgument = (
    SupportsIndex | Sequence[SupportsIndex] | Sequence[Sequence[SupportsIndex]] | PaddingWord
)
PaddingMode = Literal["zeros", "circular", "reflect", "replicate"]

_RULES = FRAMEWORKS["pytorch"]
"""The framework whose rules hold where frameworks differ, and whose argument names these are."""

_Given = ParamSpec("_Given")

_CACHED_CONVOLUTIONS = 512
"""How many convolutions each function below caches: a small layer takes less time to apply."""

_CACHES: list[Any] = []
"""The lru_caches of the functions below."""


def _cached(make: Callable[_Given, Convolution]) -> Callable[_Given, Convolution]:
    """`make` with a cache for arguments that are words, plain ints, or tuples or lists of ints."""
    known: Any = lru_cache(maxsize=_CACHED_CONVOLUTIONS)(make)
    _CACHES.append(known)

    @wraps(make)
    def made(*args: _Given.args, **keys: _Given.kwargs) -> Convolution:
        values = [tuple(value) if type(value) is list else value for value in args]
        named = {name: tuple(v) if type(v) is list else v for name, v in keys.items()}
        if all(map(_is_plain, (*values, *named.values()))):
            convolution: Convolution = known(*values, **named)
            return convolution
        return make(*args, **keys)

    return made


def clear_cached_convolutions() -> None:
    """Empty the caches of the functions below."""
    for known in _CACHES:
        known.cache_clear()


def _is_plain(value: object) -> bool:
    """Whether `value` may be a key of the cache: exact ints, and words.

    True and 1.0 are equal to 1 and would find its entry, but they must be refused.
    """
    if type(value) is tuple:
        return all(type(entry) is int for entry in value)
    return value is None or type(value) in (int, str)


@_cached
def direct_convolution(
    weight_shape: Shape,
    input_size: IntPerAxis,
    *,
    stride: IntPerAxis,
    padding: PaddingArgument,
    dilation: IntPerAxis,
    groups: int,
    output_size: IntPerAxis | None = None,
    padding_mode: PaddingMode = "zeros",
) -> Convolution:
    """The convolution of a weight (out_channels, in_channels // groups, *kernel_size).

    Inputs have `input_size`; `output_size` keeps the first outputs of each axis.
    """
    rank = len(weight_shape) - 2
    sizes = ints_per_axis(input_size, rank, "input_size", 1)
    kept = None if output_size is None else ints_per_axis(output_size, rank, "output_size", 1)
    stencils = _stencils(weight_shape, stride, dilation)
    count = ints_per_axis(groups, 1, "groups", 1)[0]
    pairs = direct_pads(_written(padding, rank), sizes, stencils, _RULES, "conv")
    axes = direct_axes(sizes, stencils, pairs, kept)
    _require_word(padding_mode, PADDING_MODES, "padding_mode")
    return _convolution(weight_shape, count, axes, padding_mode=padding_mode)


@_cached
def transposed_convolution(
    weight_shape: Shape,
    input_size: IntPerAxis,
    *,
    stride: IntPerAxis,
    padding: PaddingArgument,
    output_padding: IntPerAxis,
    dilation: IntPerAxis,
    groups: int,
) -> Convolution:
    """The convolution C whose Cᵀ is the transposed convolution of arrays of `input_size`.

    The weight is (in_channels, out_channels // groups, *kernel_size), as PyTorch has it.
    Raises GeometryError (E105) unless output_padding is less than the stride or the dilation.
    """
    rank = len(weight_shape) - 2
    sizes = ints_per_axis(input_size, rank, "input_size", 1)
    stencils = _stencils(weight_shape, stride, dilation)
    extras = ints_per_axis(output_padding, rank, "output_padding", 0)
    each_axis(_legal_extra, extras, stencils)
    count = ints_per_axis(groups, 1, "groups", 1)[0]
    written = _written(padding, rank)
    if isinstance(written, str) and written in FRAMEWORK_WORDS:
        require_transposed_word(written, stencils, _RULES)
    axes = transposed_axes(sizes, stencils, pads(written, stencils), extras)
    return _convolution(weight_shape, count, axes, adjoint=True)


def _legal_extra(extra: int, stencil: Stencil) -> int:
    return legal_output_padding(extra, stencil.stride, stencil.dilation)


def _stencils(weight_shape: Shape, stride: IntPerAxis, dilation: IntPerAxis) -> tuple[Stencil, ...]:
    rank = len(weight_shape) - 2
    return stencils_of(
        weight_shape[2:],
        ints_per_axis(stride, rank, "stride", 1),
        ints_per_axis(dilation, rank, "dilation", 1),
    )


def _convolution(
    weight_shape: Shape,
    groups: int,
    axes: tuple[Axis, ...],
    *,
    adjoint: bool = False,
    padding_mode: PaddingMode = "zeros",
) -> Convolution:
    return Convolution(
        out_channels=weight_shape[0],
        in_channels=weight_shape[1] * groups,
        axes=axes,
        groups=groups,
        padding_mode=padding_mode,
        adjoint=adjoint,
    )


def ints_per_axis(value: object, rank: int, field: str, minimum: int) -> tuple[int, ...]:
    """`value` as one Python int per axis.  Raises GeometryError (E103, E106, E107)."""
    entries = _entries(value, rank, field)
    return tuple(_integer(entry, field, minimum) for entry in entries)


def _written(padding: object, rank: int) -> Padding:
    """`padding` as a spec has it: a word, or one (before, after) pair per axis."""
    if not isinstance(padding, str):
        return pad_pairs(padding, rank)
    _require_word(padding, WORDS, "padding")
    return padding


def _require_word(word: str, known: Sequence[str], field: str) -> None:
    """Raise GeometryError (E104) unless `word` is one of the `known`."""
    if word not in known:
        raise GeometryError(
            "E104",
            f"unknown {field}",
            field=field,
            value=f"got {shown(word)}",
            help=suggestion(str(word), list(known)),
        )


def pad_pairs(padding: object, rank: int) -> tuple[Pair, ...]:
    """`padding` as one (before, after) pair per axis.  Raises GeometryError."""
    entries = _entries(padding, rank, "padding")
    pairs = []
    for entry in entries:
        before, after = ints_per_axis(entry, 2, "padding", 0)
        pairs.append((before, after))
    return tuple(pairs)


def _entries(value: object, rank: int, field: str) -> list[object]:
    """The entries of a sequence or array, or `value` once for every axis.

    Raises GeometryError (E106) for another number of entries.
    """
    entries = value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(entries, str) or not isinstance(entries, Sequence):
        return [entries] * rank
    require_rank(len(entries), rank, field)
    return list(entries)


def _integer(value: object, field: str, minimum: int) -> int:
    try:
        if isinstance(value, bool):
            raise TypeError
        number = operator.index(value)  # type: ignore[arg-type]  # the TypeError is the check
    except TypeError:
        raise GeometryError(
            "E103",
            f"{field} takes integers",
            field=field,
            value=f"got {shown(value)}",
            help="give an int, or one per axis",
        ) from None
    if number < minimum:
        rule, value = f"{field} must be at least {minimum}", f"got {number}"
        remedy = f"use {minimum} or more"
    elif number > LARGEST:
        rule, value = f"{field} must be at most 2^53", "got more"
        remedy = "use smaller sizes"
    else:
        return number
    raise GeometryError("E107", rule, field=field, value=value, help=remedy)
