"""The fifteen relationships: each formula, evaluated from its own text, is the one relation.

The text that people read is the text that is evaluated here: with the numbers of the worked
example, and with letters on every axis that satisfies the relationship's own conditions.
"""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.questions.guide import RELATIONSHIPS, Relationship
from convt_cli.reports.guide import guide_report
from convt_cli.reports.table import Table

REPORT = guide_report()
DOCUMENTS: list[dict[str, Any]] = list(REPORT.document["relationships"])  # type: ignore[call-overload]

WORKED = {
    1: (4, 3, 1, 0, 1, 2),
    2: (5, 4, 1, 2, 1, 6),
    3: (5, 3, 1, 1, 1, 5),
    4: (5, 3, 1, 2, 1, 7),
    5: (5, 3, 2, 0, 1, 2),
    6: (6, 3, 2, 1, 1, 3),
    7: (5, 3, 1, 0, 1, 3),
    8: (2, 3, 1, 0, 1, 4),
    9: (6, 4, 1, 2, 1, 5),
    10: (5, 3, 1, 1, 1, 5),
    11: (7, 3, 1, 2, 1, 5),
    12: (2, 3, 2, 0, 1, 5),
    13: (3, 3, 2, 1, 1, 5),
    14: (3, 3, 2, 1, 1, 6),
    15: (7, 3, 1, 0, 2, 3),
}
"""Input size, kernel, stride, padding, dilation and output size of the published examples."""

EQUIVALENT = {
    8: (2, 3, 1, [2, 2]),
    9: (6, 4, 1, [1, 1]),
    10: (5, 3, 1, [1, 1]),
    11: (7, 3, 1, [0, 0]),
    12: (3, 3, 1, [2, 2]),
    13: (5, 3, 1, [1, 1]),
    14: (5, 3, 1, [1, 2]),
}
"""Stretched input, kernel, stride and padding of the direct convolution that equals Cᵀ."""

Condition = Callable[[Axis], bool]

CONDITIONS: dict[int, Condition] = {
    1: lambda axis: (axis.stride, axis.before, axis.dilation) == (1, 0, 1),
    2: lambda axis: (axis.stride, axis.dilation) == (1, 1),
    3: lambda axis: axis.kernel_size % 2 == 1 and axis.before == axis.kernel_size // 2,
    4: lambda axis: axis.before == axis.kernel_size - 1,
    5: lambda axis: (axis.before, axis.dilation) == (0, 1),
    6: lambda axis: axis.dilation == 1,
    7: lambda axis: (axis.before, axis.dilation) == (0, 1),
    15: lambda _: True,
}
"""What a relationship asks of the axis; 3 and 4 ask for unit stride and no dilation as well."""

DIRECT_OF = {8: 1, 9: 2, 10: 3, 11: 4, 12: 5, 13: 6, 14: 6}


def evaluated(formula: str, **letters: int) -> int:
    """The value of a formula as people read it."""
    value = eval(formula, {"__builtins__": {}, "floor": floor}, letters)
    assert isinstance(value, int)
    return value


def letters(axis: Axis, *, transposed: bool) -> dict[str, int]:
    """What a formula's letters stand for on this axis."""
    return {
        "i": axis.output_size if transposed else axis.input_size,
        "k": axis.kernel_size,
        "s": axis.stride,
        "p": axis.before,
        "d": axis.dilation,
        "a": axis.output_padding,
    }


def holds_for(one: Relationship, axis: Axis) -> bool:
    """Whether the relationship speaks of this axis."""
    number = DIRECT_OF.get(one.number, one.number)
    simple = (axis.stride, axis.dilation) == (1, 1)
    exact = one.number not in {12, 13} or axis.output_padding == 0
    return CONDITIONS[number](axis) and exact and (simple or number not in {3, 4})


@st.composite
def guide_axes(draw: st.DrawFn, one: Relationship) -> Axis:
    """Direct axes with equal padding on both sides, as the relationship asks for."""
    number = DIRECT_OF.get(one.number, one.number)
    kernel = draw(st.integers(1, 9))
    stride = draw(st.just(1) if number in {1, 2, 3, 4} else st.integers(1, 5))
    padding = {1: 0, 3: kernel // 2, 4: kernel - 1, 5: 0, 7: 0}.get(number)
    padding = draw(st.integers(0, 6)) if padding is None else padding
    dilation = draw(st.integers(1, 4)) if number == 15 else 1
    size = draw(st.integers(1, 30))
    assume(size + 2 * padding >= dilation * (kernel - 1) + 1)
    axis = Axis.conv(
        input_size=size,
        kernel_size=kernel,
        stride=stride,
        before=padding,
        after=padding,
        dilation=dilation,
    )
    assume(holds_for(one, axis))
    return axis


@pytest.mark.parametrize("number", range(1, 16))
class TestExamples:
    def test_are_the_published_ones(self, number: int) -> None:
        document = DOCUMENTS[number - 1]
        keys = ("input_size", "kernel_size", "stride", "padding", "dilation", "output_size")
        input_size, kernel, stride, padding, dilation, output_size = WORKED[number]
        assert document["number"] == number
        assert [document[key] for key in keys] == [
            *(input_size, kernel, stride, [padding, padding], dilation, output_size)
        ]

    def test_have_the_size_that_their_formula_gives(self, number: int) -> None:
        document = DOCUMENTS[number - 1]
        assert evaluated(document["arithmetic"]) == document["output_size"]

    def test_are_their_formula_with_the_numbers_put_in(self, number: int) -> None:
        document, one = DOCUMENTS[number - 1], RELATIONSHIPS[number - 1]
        assert document["formula"] == one.symbolic
        values = letters(one.example, transposed=one.transposed)
        assert evaluated(one.symbolic, **values) == document["output_size"]

    def test_satisfy_their_own_conditions(self, number: int) -> None:
        one = RELATIONSHIPS[number - 1]
        assert holds_for(one, one.example)

    def test_equal_a_direct_convolution_where_they_are_transposed(self, number: int) -> None:
        document = DOCUMENTS[number - 1]
        assert document["transposed"] == (number in EQUIVALENT)
        keys = ("stretched_size", "kernel_size", "stride", "padding")
        found = tuple(document["equivalent"][key] for key in keys) if number in EQUIVALENT else None
        assert found == EQUIVALENT.get(number)


@pytest.mark.parametrize("one", RELATIONSHIPS, ids=lambda one: str(one.number))
class TestFormulas:
    @given(data=st.data())
    def test_hold_on_every_axis_that_they_speak_of(
        self, one: Relationship, data: st.DataObject
    ) -> None:
        axis = data.draw(guide_axes(one))
        expected = axis.input_size if one.transposed else axis.output_size
        assert evaluated(one.symbolic, **letters(axis, transposed=one.transposed)) == expected

    @given(data=st.data())
    def test_of_transposed_ones_equal_a_direct_convolution(
        self, one: Relationship, data: st.DataObject
    ) -> None:
        axis = data.draw(guide_axes(one)).zero_inserted()
        derived = (axis.input_size + axis.before + axis.after - axis.effective_kernel) + 1
        assert derived == axis.output_size


class TestReport:
    def test_has_a_row_for_every_relationship(self) -> None:
        rows = [row for table in REPORT.tables for row in table.rows]
        assert sorted(str(row[0]) for row in rows) == sorted(str(number) for number in range(1, 16))

    @pytest.mark.parametrize("table", REPORT.tables, ids=lambda table: table.title)
    def test_rows_have_a_cell_for_every_column(self, table: Table) -> None:
        assert {len(row) for row in table.rows} == {len(table.columns)}

    def test_names_its_source(self) -> None:
        notes = [note for table in REPORT.tables for note in table.notes]
        assert any("Dumoulin and Visin" in note for note in notes)
