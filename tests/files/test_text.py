"""Numbers in text files: exact where they are whole, nowhere changed without a word.

What is read is held against Python's csv module and its own integers and floats; parts of a few
characters put their ends at every place of a file.
"""

from __future__ import annotations

import csv
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convt_cli.errors import ArrayError, RequestError
from convt_cli.files import text
from convt_cli.files.arrays import read_array, write_array
from convt_cli.io import memory
from tests.oracle import Array

pytestmark = pytest.mark.usefixtures("folder")

ENDS = ["\n", "\r\n", "\r"]


def read(content: str | bytes, name: str = "x.csv") -> Array:
    Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_array(name)


def refused(content: str | bytes, name: str = "x.csv") -> ArrayError:
    with pytest.raises(ArrayError) as caught:
        read(content, name)
    return caught.value


@pytest.fixture(params=[1, 2, 3, 7, 2**16])
def _parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file is read in parts of this many characters."""
    monkeypatch.setattr(text, "_PART", request.param)
    monkeypatch.setattr(text, "_BLOCK", request.param)


@pytest.mark.usefixtures("_parts")
class TestParts:
    @pytest.mark.parametrize("end", ENDS, ids=ascii)
    @pytest.mark.parametrize("last", [True, False], ids=["ended", "not ended"])
    @pytest.mark.parametrize("kind", ["whole", "float"])
    def test_the_same_as_the_csv_module_reads(self, end: str, last: bool, kind: str) -> None:
        random = np.random.default_rng(1)
        numbers = random.integers(-(10**6), 10**6, (7, 5)) / (1 if kind == "whole" else 64)
        rows = [
            [str(int(x)) if kind == "whole" else repr(float(x)) for x in row] for row in numbers
        ]
        content = end.join(",".join(row) for row in rows) + (end if last else "")
        found = read(content)
        with open("x.csv", encoding="ascii", newline=None) as file:
            expected = [list(map(float, row)) for row in csv.reader(file)]
        assert found.dtype == (np.int64 if kind == "whole" else np.float64)
        assert found.tolist() == expected
        spaced = content.replace(",", "\t ")
        assert read(spaced, "x.txt").tolist() == expected

    @pytest.mark.parametrize("end", ENDS, ids=ascii)
    def test_blank_lines_and_a_mark_are_left_out(self, end: str) -> None:
        content = end.join(["", "1, 2", "  ", "", "3 ,4", "", ""])
        assert read(b"\xef\xbb\xbf" + content.encode()).tolist() == [[1, 2], [3, 4]]
        assert read(content.replace(",", " "), "x.txt").tolist() == [[1, 2], [3, 4]]

    @pytest.mark.parametrize(
        ("content", "place"),
        [
            ("1,2\n3,x\n", "number 2 of line 2 is none, got x"),
            ("\n\n1,2\n\n3,4.5.6\n", "number 2 of line 5 is none, got 4.5.6"),
            ("1,,2\n", "number 2 of line 1 is none, it is empty"),
            ("1,2,\n", "number 3 of line 1 is none, it is empty"),
            ("1,2,", "number 3 of line 1 is none, it is empty"),
            (",1\n", "number 1 of line 1 is none, it is empty"),
            ("1,2\n , 3\n", "number 1 of line 2 is none, it is empty"),
            ("1,1+2\n", "number 2 of line 1 is none, got 1+2"),
            ("1,2\n3 4,5\n", "number 1 of line 2 is none, got 3 4"),
            ("1,2\n3\n", "line 2 has 1 numbers, the first has 2"),
            ("1,2\n\n3,4,5\n", "line 3 has 3 numbers, the first has 2"),
            ("1,2\r\n3,4\r\n5_0,6", "line 3 has the character _"),
            ("1,2\n3;4", "line 2 has the character ;"),
            ("1\n2\n'3'", "line 3 has the character '"),
            ("1\n\u0663\n", "line 2 has the character \u0663"),
            ("1\u00a0000\n", "line 1 has the character \\xa0"),
            (b"1\n\xff\xfe2\n", "line 2 has the character \\"),
            ("0x10\n", "number 1 of line 1 is none, got 0x10"),
            ("1e\n", "number 1 of line 1 is none, got 1e"),
            ("1\n2\n--3\n", "number 1 of line 3 is none, got --3"),
            ("", "it is empty"),
            (" \n\n", "it is empty"),
        ],
        ids=ascii,
    )
    def test_what_is_no_number_is_refused_with_its_place(
        self, content: str | bytes, place: str
    ) -> None:
        error = refused(content)
        assert (error.code, error.value) == ("E303", place)

    @pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**30, 2**64, int("9" * 3000)])
    def test_a_whole_number_out_of_range_is_refused_with_its_place(self, value: int) -> None:
        error = refused(f"1,-2\n\n9007199254740993,{value}\n")
        assert error.code == "E302"
        assert error.message.startswith(
            "number 2 of line 3 in x.csv must be from -9223372036854775808"
        )

    @pytest.mark.parametrize("value", [2**53 + 1, -(2**53) - 1, 2**63 - 1, 10**23, 2**64 + 1])
    def test_a_whole_number_among_floats_is_exact_or_refused(self, value: int) -> None:
        error = refused(f"0.5\n{value}\n")
        assert error.code == "E302"
        assert error.message.startswith("number 1 of line 2 in x.csv is a whole number that")
        written = f"{value}.0" if value != 10**23 else "1e23"
        assert read(f"0.5\n{written}\n").tolist() == [[0.5], [float(value)]]


class TestExact:
    @pytest.mark.parametrize(
        ("content", "dtype"),
        [
            ("9007199254740993", "int64"),
            ("9223372036854775807,-9223372036854775808", "int64"),
            ("9223372036854775807,0", "int64"),
            ("9223372036854775808,9007199254740993", "uint64"),
            ("18446744073709551615,+0", "uint64"),
            ("1,-0", "int64"),
            ("00012,+7", "int64"),
        ],
    )
    def test_whole_numbers_are_kept(self, content: str, dtype: str) -> None:
        found = read(content)
        assert found.dtype == dtype
        assert found.ravel().tolist() == list(map(int, content.split(",")))

    @pytest.mark.parametrize("value", [2**53, 2**53 + 2, -(2**62), 10**22, 2**1000, 0])
    def test_so_are_those_among_floats_that_float64_holds(self, value: int) -> None:
        found = read(f"0.5,{value}")
        assert found.dtype == np.float64
        assert int(found[0, 1]) == value

    @given(
        st.lists(
            st.one_of(
                st.integers(-(2**65), 2**65).map(str),
                st.floats(allow_nan=False).map(repr),
                st.decimals(allow_nan=False, allow_infinity=False).map(str),
            ),
            min_size=1,
            max_size=6,
        )
    )
    def test_what_is_read_is_the_nearest_number_or_refused(self, cells: list[str]) -> None:
        try:
            found = read(",".join(cells)).ravel().tolist()
        except ArrayError:
            return
        for cell, number in zip(cells, found, strict=True):
            whole = cell.lstrip("+-").isdigit()
            assert Decimal(number) == Decimal(cell) if whole else number == float(cell)

    @pytest.mark.parametrize("cell", ["1e400", "-1e309", "1" + "0" * 400 + ".0", "9" * 400])
    def test_a_number_too_large_for_float64_is_no_infinity(self, cell: str) -> None:
        error = refused(f"0.5,{cell}")
        assert error.code == "E302"
        assert error.message == "number 2 of line 1 in x.csv is too large for float64"

    @pytest.mark.parametrize("cell", ["inf", "-inf", "Infinity", "nan", "+INF"])
    def test_infinity_and_nan_are_written_as_such(self, cell: str) -> None:
        np.testing.assert_array_equal(read(f"{cell},1"), [[float(cell), 1]])

    @pytest.mark.parametrize("digits", [4001, 10**5, 10**6])
    @pytest.mark.parametrize("sign", ["", "-", "0.", "1e"])
    def test_endless_digits_are_refused(self, digits: int, sign: str) -> None:
        assert refused(sign + "1" * digits).code in ("E302", "E303")
        assert refused("0" * digits + sign + "1").code in ("E302", "E303")

    @pytest.mark.parametrize("dtype", ["int8", "int64", "uint64", "float32", "float64"])
    def test_what_is_written_reads_back(self, dtype: str) -> None:
        kind = np.dtype(dtype).kind
        limits = np.finfo(dtype) if kind == "f" else np.iinfo(dtype)
        array = np.array([[limits.max, 3], [limits.min, 7]], dtype)
        for name in ("x.csv", "x.txt"):
            write_array(name, array, force=True)
            found = read_array(name)
            assert found.astype(dtype).tolist() == array.tolist()


class TestMemory:
    @pytest.mark.parametrize("rows", [1, 1000, 10**5])
    def test_it_is_asked_for_what_it_becomes(
        self, monkeypatch: pytest.MonkeyPatch, rows: int
    ) -> None:
        asked: list[int] = []
        monkeypatch.setattr(memory, "require", lambda needed, *_, **__: asked.append(needed))
        read("".join("1," * (10**5 // rows - 1) + "1\n" for _ in range(rows)))
        assert 8 * 10**5 <= asked[0] <= 8.1 * 10**5 + text._OVERHEAD

    def test_too_little_of_it_is_no_fault_of_the_file(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(memory, "available", lambda: 10**6)
        with pytest.raises(RequestError) as caught:
            read("1,2\n" * 10)
        assert caught.value.code == "E501"
