"""Sweeps: the output size of every combination, or the reason why there is none."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convt_cli.errors import RequestError
from convt_cli.reports.sweep import MOST_ROWS, SWEPT, sweep_report
from tests import oracle

Rows = list[dict[str, Any]]


def sweep(layer_type: str, **values: list[int]) -> Rows:
    """The rows of a sweep over these values."""
    defaults = {"stride": [1], "padding": [0], "output_padding": [0], "dilation": [1]}
    rows = sweep_report(layer_type, defaults | values).document["rows"]
    assert isinstance(rows, list)
    return rows


class TestRows:
    def test_come_in_the_order_of_the_options(self) -> None:
        rows = sweep("conv", input_size=[4, 5], kernel_size=[2, 3], stride=[1, 2])
        assert [(row["input_size"], row["kernel_size"], row["stride"]) for row in rows] == list(
            product([4, 5], [2, 3], [1, 2])
        )

    def test_have_exactly_these_keys(self) -> None:
        legal, illegal = sweep("conv_transpose", input_size=[1], kernel_size=[1], padding=[0, 1])
        keys = ["type", *SWEPT, "output_size"]
        assert list(legal) == keys
        assert list(illegal) == [*keys, "error"]

    def test_say_the_type(self) -> None:
        assert sweep("conv", input_size=[3], kernel_size=[3])[0]["type"] == "conv"

    @pytest.mark.parametrize(
        ("layer_type", "values", "reason"),
        [
            ("conv", {"kernel_size": [5]}, "the window must fit into the padded input"),
            ("conv", {"kernel_size": [2], "dilation": [4]}, "the window must fit"),
            ("conv_transpose", {"kernel_size": [1], "padding": [2]}, "at least one element"),
            ("conv_transpose", {"kernel_size": [3], "output_padding": [1]}, "output_padding must"),
        ],
    )
    def test_without_a_size_have_the_reason(
        self, layer_type: str, values: dict[str, list[int]], reason: str
    ) -> None:
        (row,) = sweep(layer_type, input_size=[4], **values)
        assert row["output_size"] is None
        assert reason in row["error"]

    @settings(max_examples=200)
    @given(
        size=st.integers(1, 12),
        kernel=st.integers(1, 5),
        stride=st.integers(1, 4),
        padding=st.integers(0, 3),
        dilation=st.integers(1, 3),
    )
    def test_of_conv_count_windows(
        self, size: int, kernel: int, stride: int, padding: int, dilation: int
    ) -> None:
        (row,) = sweep(
            "conv",
            input_size=[size],
            kernel_size=[kernel],
            stride=[stride],
            padding=[padding],
            dilation=[dilation],
        )
        walk = oracle.walk(
            size, kernel_size=kernel, stride=stride, pads=(padding, padding), dilation=dilation
        )
        assert (row["output_size"] or 0) == walk.outputs

    @pytest.mark.parametrize(
        ("values", "size"),
        [
            ({"input_size": [3], "kernel_size": [3], "stride": [2], "padding": [1]}, 5),
            ({"input_size": [4], "kernel_size": [4], "stride": [2], "padding": [1]}, 8),
            (
                {
                    "input_size": [3],
                    "kernel_size": [3],
                    "stride": [2],
                    "padding": [1],
                    "output_padding": [1],
                },
                6,
            ),
            ({"input_size": [3], "kernel_size": [3], "dilation": [2], "output_padding": [1]}, 8),
            ({"input_size": [1], "kernel_size": [1]}, 1),
        ],
    )
    def test_of_conv_transpose_worked_out_by_hand(
        self, values: dict[str, list[int]], size: int
    ) -> None:
        assert [row["output_size"] for row in sweep("conv_transpose", **values)] == [size]


class TestBounds:
    def test_as_many_rows_as_the_bound_are_swept(self) -> None:
        rows = sweep("conv", input_size=list(range(1, 1001)), kernel_size=list(range(1, 11)))
        assert len(rows) == 10_000 <= MOST_ROWS

    @pytest.mark.parametrize("sizes", [MOST_ROWS // 100 + 1, MOST_ROWS])
    def test_more_rows_are_refused(self, sizes: int) -> None:
        with pytest.raises(RequestError) as caught:
            sweep("conv", input_size=list(range(1, sizes + 1)), kernel_size=list(range(1, 101)))
        assert caught.value.code == "E503"
        assert "100,000" in caught.value.message


class TestTable:
    @pytest.mark.parametrize(("layer_type", "shown"), [("conv", False), ("conv_transpose", True)])
    def test_a_convolution_has_no_output_padding(self, layer_type: str, shown: bool) -> None:
        values = {name: [1] for name in SWEPT} | {"output_padding": [0], "padding": [0]}
        (table,) = sweep_report(layer_type, values).tables
        assert ("output_padding" in [one.name for one in table.columns]) == shown

    def test_rows_have_a_cell_for_every_column(self) -> None:
        values = {name: [1, 2] for name in SWEPT}
        (table,) = sweep_report("conv_transpose", values).tables
        assert {len(row) for row in table.rows} == {len(table.columns)}
        assert len(table.rows) == 64

    def test_the_title_counts_the_combinations(self) -> None:
        values = {name: [1] for name in SWEPT} | {"output_padding": [0], "padding": [0]}
        assert "1 combination" in sweep_report("conv", values).tables[0].title
        assert "2 combinations" in sweep_report("conv", values | {"stride": [1, 2]}).tables[0].title
