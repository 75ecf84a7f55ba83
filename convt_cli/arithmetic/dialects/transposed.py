"""The pads and output_padding of a transposed layer, by a framework's rules.

The output size is (i - 1)s + ke - before - after + output_padding, where `before` and `after`
are the zeros that C, the direct convolution, has around its input.  Frameworks differ in what
they take as given:

- `direct` pads are C's own; `stretched` ones (JAX) are zeros around the layer's stretched
  input, and C's pads are then ke - 1 minus those.
- `same` of TensorFlow, Keras and JAX crops by the pads that a direct SAME convolution has on
  the *output*, of size i * s; that of ONNX Runtime cuts off the elements past i * s.
- output_padding left out is 0; for some frameworks s - ke where the kernel is shorter than the
  stride.
- output_size determines the output_padding, or, in ONNX, the pads.

i, s and ke are the layer's own input size, stride and effective_kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.dialects.padding import legal_output_padding, same_pads
from convt_cli.arithmetic.keys import Pair
from convt_cli.arithmetic.stencil import Stencil
from convt_cli.errors import GeometryError


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenAxis:
    """One axis of a transposed layer as a spec has it, on an input of `size` elements.

    `word` is the padding if it is a word, and `pair` is None for `same` and `same_lower`.
    """

    size: int
    stencil: Stencil
    pair: Pair | None
    word: str | None
    output_padding: int | None
    output_size: int | None

    @property
    def full(self) -> int:
        """The output size without any padding."""
        return (self.size - 1) * self.stencil.stride + self.stencil.effective


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPads:
    """The zeros around C's input, and the output_padding; negative numbers crop."""

    before: int
    after: int
    output_padding: int


def resolved_pads(written: WrittenAxis, framework: Framework) -> ResolvedPads:
    """The pads and output_padding of one axis.  Raises GeometryError (E118)."""
    if written.output_size is not None and framework.output_size_replaces_padding:
        _require_reachable(written, written.output_size)
        return _by_runtime(
            written, written.full + (written.output_padding or 0) - written.output_size, framework
        )
    if written.pair is None:
        return _by_same(written, framework)
    before, after = written.pair
    if framework.transposed_pads == "stretched" and written.word is None:
        span = written.stencil.effective - 1
        return _reaching(span - before, span - after)
    least = written.full - before - after
    return ResolvedPads(
        before=before, after=after, output_padding=_extra(written, least, framework)
    )


def _by_same(written: WrittenAxis, framework: Framework) -> ResolvedPads:
    if framework.transposed_same == "runtime":
        past = written.full + (written.output_padding or 0) - written.size * written.stencil.stride
        return _by_runtime(written, max(0, past), framework)
    size = _same_output_size(written)
    before, after = same_pads(size, written.stencil)
    extra = size - (written.full - before - after)
    return ResolvedPads(before=before, after=after, output_padding=extra)


def _same_output_size(written: WrittenAxis) -> int:
    """The output size of a transposed layer that undoes a direct SAME convolution.

    It is the written output_size; with a written output_padding (i - 1)s + ke mod 2 +
    output_padding; else i * s.
    """
    size = written.size * written.stencil.stride
    if written.output_size is not None:
        size = written.output_size
    elif written.output_padding is not None:
        size += written.stencil.effective % 2 - written.stencil.stride + written.output_padding
    low = (written.size - 1) * written.stencil.stride + 1
    if not low <= size < low + written.stencil.stride:
        raise _unreachable(written, size, low, written.stencil.stride)
    return size


def _by_runtime(written: WrittenAxis, total: int, framework: Framework) -> ResolvedPads:
    """Pads that crop the output by `total` elements, divided as ONNX Runtime does.

    A negative `total` adds elements behind.
    """
    extra = written.output_padding or 0
    if total < 0:
        return ResolvedPads(before=0, after=0, output_padding=extra - total)
    word = written.word if written.pair is None else "pairs"
    small, large = total // 2, total - total // 2
    before, after = (large, small) if word in framework.larger_half_before else (small, large)
    return ResolvedPads(before=before, after=after, output_padding=extra)


def _require_reachable(written: WrittenAxis, size: int) -> None:
    """Raise GeometryError (E118) for an output so large that C would have more positions on it."""
    most = written.full + written.stencil.stride - 1
    if size > most:
        raise _unreachable(written, size, 1, most)


def _reaching(before: int, after: int) -> ResolvedPads:
    """The pads of C with `after` zeros at its end; a negative number becomes output_padding."""
    return ResolvedPads(before=before, after=max(0, after), output_padding=max(0, -after))


def _extra(written: WrittenAxis, least: int, framework: Framework) -> int:
    """The output_padding for pads that leave `least` elements without one.

    It is found from output_size, or as written, or the framework's default.
    """
    if written.output_size is not None:
        low = max(least, 1)
        if not low <= written.output_size < least + written.stencil.stride:
            raise _unreachable(
                written, written.output_size, low, least + written.stencil.stride - low
            )
        return written.output_size - least
    if written.output_padding is not None:
        return written.output_padding
    short = written.stencil.stride - written.stencil.effective
    return max(0, short) if framework.output_padding_reaches_stride else 0


def require_output_padding(
    output_padding: int, stride: int, dilation: int, framework: Framework
) -> None:
    """Raise GeometryError (E105) for an output_padding that the framework does not take."""
    if framework.output_padding_below == "nothing" and output_padding:
        raise GeometryError(
            "E105",
            f"{framework.name} has no output_padding",
            field="output_padding",
            value=f"got {output_padding}",
            help="write the padding as [before, after] pairs instead",
            keeps_size=True,
        )
    if framework.output_padding_below == "stride" and output_padding >= stride:
        raise GeometryError(
            "E105",
            f"output_padding must be smaller than stride in {framework.name}",
            field="output_padding",
            value=f"got {output_padding} with stride {stride}",
            help=f"use at most {stride - 1}",
            keeps_size=True,
        )
    legal_output_padding(output_padding, stride, dilation)


def _unreachable(written: WrittenAxis, size: int, low: int, count: int) -> GeometryError:
    """The error (E118) for an output of `size`; the `count` sizes from `low` are possible."""
    reachable = (
        "is none" if count < 1 else f"is {low}" if count == 1 else f"are {low} to {low + count - 1}"
    )
    field = "output_padding" if written.output_size is None else "output_size"
    nearest = min(max(size, low), low + count - 1)
    if written.output_size is None and written.output_padding is not None:
        nearest += written.output_padding - size
    return GeometryError(
        "E118",
        "output_size must be one the layer can reach",
        field=field,
        value=f"got {size}, reachable {reachable}",
        help=f"the nearest is {field} {nearest}" if count > 0 else "use less padding",
    )
