"""Padding as it is written, turned into (before, after) integers per axis in this one place.

The words: `valid` is no padding; `half` effective_kernel // 2 on both sides; `full`
dilation * (kernel_size - 1) on both sides; `causal` as much before as `full`, and none after.
`same` and `same_lower` give ceil(input / stride) outputs; an odd zero goes after the input for
`same`, before it for `same_lower`.
"""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.axis import ceil_div
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import Padding, Pair, require_rank
from convt_cli.arithmetic.stencil import Stencil
from convt_cli.errors import GeometryError

FRAMEWORK_WORDS = ("same", "same_lower")
"""Padding words that depend on the framework and on the size of the input."""
WORDS = ("valid", "half", "full", "causal", *FRAMEWORK_WORDS)


def pads(padding: Padding, stencils: Sequence[Stencil]) -> tuple[Pair, ...]:
    """The (before, after) pair of every axis, for any padding but `FRAMEWORK_WORDS`.

    Raises GeometryError (E106) for a list of the wrong length.
    """
    if isinstance(padding, str):
        return tuple(_word_pads(padding, stencil.effective) for stencil in stencils)
    rank = len(stencils)
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    require_rank(len(padding), rank, "padding")
    return tuple(entry if isinstance(entry, tuple) else (entry, entry) for entry in padding)


def _word_pads(word: str, effective: int) -> Pair:
    span = effective - 1
    return {
        "valid": (0, 0),
        "half": (effective // 2, effective // 2),
        "full": (span, span),
        "causal": (span, 0),
    }[word]


def direct_pads(
    padding: Padding,
    sizes: Sequence[int],
    stencils: Sequence[Stencil],
    framework: Framework,
    layer_type: str,
) -> tuple[Pair, ...]:
    """The pads of a direct window over `sizes`, by the framework's rule for `same`.

    Raises GeometryError (E113) for a word that the framework does not have.
    """
    if padding not in FRAMEWORK_WORDS:
        return pads(padding, stencils)
    words = framework.same_words if layer_type == "conv" else framework.pool_same_words
    require_word(str(padding), words, layer_type, framework)
    if framework.same_needs_unit_stride:
        _require_unit_stride(str(padding), stencils, framework)
    pairs = map(same_pads, sizes, stencils)
    return tuple(pair[::-1] if padding == "same_lower" else pair for pair in pairs)


def same_pads(size: int, stencil: Stencil) -> Pair:
    """The pads that give a window ceil(size / stride) positions; an odd element goes after.

    >>> of_three = Stencil(kernel_size=3, stride=2)
    >>> same_pads(5, of_three), same_pads(6, of_three), same_pads(6, Stencil(kernel_size=1))
    ((1, 1), (0, 1), (0, 0))
    """
    last = (ceil_div(size, stencil.stride) - 1) * stencil.stride
    total = max(0, last + stencil.effective - size)
    return total // 2, total - total // 2


def require_word(word: str, words: tuple[str, ...], layer_type: str, framework: Framework) -> None:
    """Raise GeometryError (E113) unless `word` is one of the framework's `words`."""
    if word not in words:
        # a pool has to have less padding than its kernel
        others = "valid or half" if layer_type == "a pool" else "valid, half, full or causal"
        raise GeometryError(
            "E113",
            f"{framework.name} has no padding '{word}' for {layer_type}",
            field="padding",
            value=f"got '{word}'",
            help=f"use {others}, or write [before, after] pairs",
        )


def require_transposed_word(word: str, stencils: Sequence[Stencil], framework: Framework) -> None:
    """Raise GeometryError (E113) for a `same` that the framework's transposed layers lack."""
    require_word(word, framework.transposed_same_words, "conv_transpose", framework)
    if word == "same_lower" and framework.transposed_same_lower_needs_unit_stride:
        _require_unit_stride(word, stencils, framework)


def _require_unit_stride(word: str, stencils: Sequence[Stencil], framework: Framework) -> None:
    strides = [stencil.stride for stencil in stencils]
    if max(strides) > 1:
        raise GeometryError(
            "E113",
            f"padding '{word}' needs stride 1 in {framework.name}",
            field="padding",
            value=f"got stride {_axes_text(strides)}",
            help="write the padding as [before, after] pairs",
        )


def require_plain_stencils(stencils: Sequence[Stencil], framework: Framework) -> None:
    """Raise GeometryError (E124) for stride with dilation where the framework has not both."""
    strides = [stencil.stride for stencil in stencils]
    dilations = [stencil.dilation for stencil in stencils]
    if framework.strided_dilation or max(strides) == 1 or max(dilations) == 1:
        return
    raise GeometryError(
        "E124",
        f"{framework.name} takes a stride or a dilation, not both",
        field="dilation",
        value=f"got stride {_axes_text(strides)}, dilation {_axes_text(dilations)}",
        help="use stride 1, or dilation 1",
    )


def legal_output_padding(output_padding: int, stride: int, dilation: int) -> int:
    """`output_padding`, if smaller than stride or dilation.  Raises GeometryError (E105)."""
    most = max(stride, dilation) - 1
    if output_padding > most:
        legal = "0" if most == 0 else "0 or 1" if most == 1 else f"0 to {most}"
        raise GeometryError(
            "E105",
            "output_padding must be smaller than stride or dilation",
            field="output_padding",
            value=f"got {output_padding} with stride {stride} and dilation {dilation}",
            help=f"use {legal}",
            keeps_size=True,
        )
    return output_padding


def _axes_text(values: Sequence[int]) -> str:
    """One number where all axes have it, else the list."""
    return str(values[0]) if len(set(values)) == 1 else str(list(values))
