"""Dumps: arrays by the names of layers, whatever the archive calls them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli.errors import ArrayError, FileError
from convt_cli.files.dumps import read_dump

pytestmark = pytest.mark.usefixtures("folder")


def saved(**arrays: Any) -> None:
    np.savez("d.npz", **arrays)


def test_arrays_come_by_the_names_of_layers_and_the_rest_is_told() -> None:
    saved(a=[1.0], b=[2.0], c=[3.0])
    found, rest = read_dump("d.npz", ["a", "b", "z"], {})
    assert {name: array.tolist() for name, array in found.items()} == {"a": [1.0], "b": [2.0]}
    assert rest == ("c",)


@pytest.mark.parametrize("key", ["blocks/conv", "/blocks/conv"])
def test_a_slash_in_front_of_a_name_may_be_lost_in_an_archive(key: str) -> None:
    saved(**{key: [1.0]})
    for names, others in ((["/blocks/conv"], {}), (["conv"], {"/blocks/conv": "conv"})):
        found, rest = read_dump("d.npz", names, others)
        assert ([array.tolist() for array in found.values()], rest) == ([[1.0]], ())


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        (("a", "b"), ["a", "b"]),
        (("a", "value of a"), ["b", "a"]),  # each by the name of its value
        (("value of a", "a"), ["a", "b"]),
        (("a", "c"), ["a", "c"]),
    ],
)
def test_a_name_with_two_meanings_is_of_the_kind_that_most_keys_are(
    keys: tuple[str, ...], meant: list[str]
) -> None:
    saved(**{key: [1.0] for key in keys})
    found, rest = read_dump("d.npz", ["a", "b", "c"], {"value of a": "a", "a": "b"})
    assert ([*found], rest) == (meant, ())


def test_bfloat16_stays_what_it_is() -> None:
    saved(a=np.array([16256], np.uint16).view("V2"))
    (array,) = read_dump("d.npz", ["a"], {})[0].values()
    assert array.dtype == np.dtype("V2")


def test_what_is_no_archive_is_refused() -> None:
    np.save("d.npy", np.ones(2))
    with pytest.raises(FileError):
        read_dump("d.npy", ["a"], {})
    with open("d.npz", "wb") as file:
        file.write(b"no archive")
    with pytest.raises(ArrayError):
        read_dump("d.npz", ["a"], {})
