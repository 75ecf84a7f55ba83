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
    """convt leaves it out, and NumPy writes it: the names of ONNX nodes and values begin so."""
    saved(**{key: [1.0]})
    found, rest = read_dump("d.npz", ["/blocks/conv"], {})
    assert {name: array.tolist() for name, array in found.items()} == {"/blocks/conv": [1.0]}
    assert rest == ()


def test_other_names_stand_for_a_layer_but_its_own_comes_first() -> None:
    saved(a=[1.0], value=[2.0])
    found, rest = read_dump("d.npz", ["a", "b"], {"value": "b", "a": "b"})
    assert {name: array.tolist() for name, array in found.items()} == {"a": [1.0], "b": [2.0]}
    assert rest == ()


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
