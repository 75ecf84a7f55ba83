"""The fifteen relationships of the guide, each as a formula and a worked example.

A formula is a template over the guide's letters: i input size, k kernel_size, s stride,
p padding, d dilation, a the elements left over; for a transposed convolution i is its own input
size, the direct convolution's output.  The worked example is an `Axis`, so that tests can compare
a formula with the one relation.

Source: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016),
relationships 1 to 15.
"""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.axis import Axis


@dataclass(frozen=True, slots=True, kw_only=True)
class Relationship:
    """One relationship: its number and name, its formula, and its worked example."""

    number: int
    name: str
    formula: str
    example: Axis
    transposed: bool = False

    @property
    def symbolic(self) -> str:
        """The formula in letters: `(i - k) + 1`."""
        return self.formula.format(i="i", k="k", s="s", p="p", d="d", a="a")

    @property
    def numeric(self) -> str:
        """The formula with the numbers of the example put in: `(4 - 3) + 1`."""
        axis = self.example
        return self.formula.format(
            i=axis.output_size if self.transposed else axis.input_size,
            k=axis.kernel_size,
            s=axis.stride,
            p=axis.before,
            d=axis.dilation,
            a=axis.output_padding,
        )

    @property
    def result(self) -> int:
        """The size that the one relation gives for the example."""
        return self.example.input_size if self.transposed else self.example.output_size


def _example(i: int, k: int, s: int, p: int, d: int = 1) -> Axis:
    """The guide's worked sizes (i, k, s, p) of a direct convolution."""
    return Axis.conv(input_size=i, kernel_size=k, stride=s, before=p, after=p, dilation=d)


def _direct(number: int, name: str, formula: str, example: Axis) -> Relationship:
    return Relationship(number=number, name=name, formula=formula, example=example)


def _transposed(number: int, name: str, formula: str, example: Axis) -> Relationship:
    """A relationship for Cᵀ; `example` is the direct convolution that it transposes."""
    return Relationship(number=number, name=name, formula=formula, example=example, transposed=True)


RELATIONSHIPS: tuple[Relationship, ...] = (
    _direct(1, "no padding, unit stride", "({i} - {k}) + 1", _example(4, 3, 1, 0)),
    _direct(2, "padding, unit stride", "({i} - {k}) + 2*{p} + 1", _example(5, 4, 1, 2)),
    _direct(3, "half padding, k odd", "{i}", _example(5, 3, 1, 1)),
    _direct(4, "full padding", "{i} + ({k} - 1)", _example(5, 3, 1, 2)),
    _direct(5, "stride, no padding", "floor(({i} - {k}) / {s}) + 1", _example(5, 3, 2, 0)),
    _direct(6, "stride and padding", "floor(({i} + 2*{p} - {k}) / {s}) + 1", _example(6, 3, 2, 1)),
    _direct(7, "pooling", "floor(({i} - {k}) / {s}) + 1", _example(5, 3, 1, 0)),
    _transposed(8, "of 1, no padding", "{i} + ({k} - 1)", _example(4, 3, 1, 0)),
    _transposed(9, "of 2, padding", "{i} + ({k} - 1) - 2*{p}", _example(5, 4, 1, 2)),
    _transposed(10, "of 3, half padding", "{i}", _example(5, 3, 1, 1)),
    _transposed(11, "of 4, full padding", "{i} - ({k} - 1)", _example(5, 3, 1, 2)),
    _transposed(12, "of 5, stride, a = 0", "{s}*({i} - 1) + {k}", _example(5, 3, 2, 0)),
    _transposed(13, "of 6, a = 0", "{s}*({i} - 1) + {k} - 2*{p}", _example(5, 3, 2, 1)),
    _transposed(14, "of 6, any a", "{s}*({i} - 1) + {a} + {k} - 2*{p}", _example(6, 3, 2, 1)),
    _direct(
        15,
        "dilation",
        "floor(({i} + 2*{p} - {k} - ({k} - 1)*({d} - 1)) / {s}) + 1",
        _example(7, 3, 1, 0, 2),
    ),
)
