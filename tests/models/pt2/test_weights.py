"""m.pt2#name: strides, types, and every list of weights that does not fit its bytes."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from convt_cli.errors import ArrayError, FileError
from convt_cli.io.folders import Folder
from convt_cli.models.pt2.weights import Pt2Weights
from convt_cli.operators.dtypes import Array
from tests.conftest import Run, assert_refused
from tests.models.pt2.samples import (
    BFLOAT16,
    WEIGHT,
    conv_entries,
    entry_of,
    write_entries,
)

pytestmark = pytest.mark.usefixtures("folder")

LIST = "net/data/weights/model_weights_config.json"
KEY = "body.0.weight"


def read(key: str = KEY) -> Array:
    return Pt2Weights("m.pt2", Folder.of("m.pt2", allow_outside=False)).read(key)


def write_weight(entry: dict[str, Any], stored: bytes | None = None) -> None:
    entries = conv_entries()
    entries[LIST] = json.dumps({"config": {KEY: entry}}).encode()
    entries["net/data/weights/weight_0"] = WEIGHT.tobytes() if stored is None else stored
    write_entries(entries)


def integers(*values: int) -> list[dict[str, int]]:
    return [{"as_int": value} for value in values]


def test_a_weight_is_read_as_it_is_stored() -> None:
    write_entries(conv_entries())
    np.testing.assert_array_equal(read(), WEIGHT)


def test_strides_and_an_offset() -> None:
    changes = {"sizes": integers(2, 3), "strides": integers(1, 18), "storage_offset": {"as_int": 4}}
    write_weight(entry_of(WEIGHT, "weight_0", meta=changes))
    expected = [[4, 22, 40], [5, 23, 41]]
    np.testing.assert_array_equal(read(), np.array(expected, np.float32))


def test_bfloat16_is_widened() -> None:
    numbers = np.array([1.5, -2.0, 0.0], np.float32)
    stored = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
    write_weight(entry_of(numbers, "weight_0", meta={"dtype": BFLOAT16}), stored)
    np.testing.assert_array_equal(read(), numbers)


def test_an_empty_one() -> None:
    write_weight(entry_of(np.zeros((0, 3), np.float32), "weight_0"), b"")
    assert read().shape == (0, 3)


def test_a_constant_has_a_folder_of_its_own() -> None:
    entries = conv_entries()
    listing = {"config": {"lifted": entry_of(WEIGHT, "weight_0")}}
    entries["net/data/constants/model_constants_config.json"] = json.dumps(listing).encode()
    entries["net/data/constants/weight_0"] = (WEIGHT + 1).tobytes()
    write_entries(entries)
    np.testing.assert_array_equal(read("lifted"), WEIGHT + 1)


@pytest.mark.parametrize(("key", "help"), [("body.0.wieght", "did you mean"), ("", "write m.pt2#")])
def test_a_name_that_is_not_there(key: str, help: str) -> None:
    write_entries(conv_entries())
    with pytest.raises(FileError) as caught:
        read(key)
    assert caught.value.code == "E401"
    assert help in caught.value.help


WRONG: dict[str, dict[str, Any]] = {
    "a size too many": {"meta": {"sizes": integers(3, 3, 3, 3)}},
    "a stride too large": {"meta": {"strides": integers(54, 9, 3, 1)}},
    "an offset too large": {"meta": {"storage_offset": {"as_int": 1}}},
    "a negative stride": {"meta": {"strides": integers(-27, 9, 3, 1)}},
    "a negative size": {"meta": {"sizes": integers(-2, 3, 3, 3)}},
    "a stride missing": {"meta": {"strides": integers(27, 9, 3)}},
    "an open size": {"meta": {"sizes": [{"as_expr": {"expr_str": "s0"}}]}},
    "a huge size": {"meta": {"sizes": integers(2**60, 2**60), "strides": integers(2**60, 1)}},
    "100 axes": {"meta": {"sizes": integers(*[1] * 100), "strides": integers(*[1] * 100)}},
    "a missing entry": {"path_name": "weight_1"},
    "an entry of another kind": {"path_name": 1},
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_its_bytes_is_refused(run: Run, name: str) -> None:
    changes = dict(WRONG[name])
    meta = changes.pop("meta", {})
    write_weight({**entry_of(WEIGHT, "weight_0", meta=meta), **changes})
    assert_refused(run("matrix", "m.pt2", "-o", "C.npz"), "E405")


def test_repeated_numbers_are_held_against_the_memory(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = {"sizes": integers(2**30, 2**30), "strides": integers(0, 0)}
    write_weight(entry_of(WEIGHT, "weight_0", meta=meta))
    assert_refused(run("matrix", "m.pt2", "-o", "C.npz"), "E501")


@pytest.mark.parametrize(
    "changes",
    [
        {"use_pickle": True},
        {"meta": {"layout": 1}},
        {"meta": {"dtype": 29}},
        {"meta": {"dtype": 0}},
    ],
    ids=["pickled", "sparse", "float8", "unknown"],
)
def test_what_is_not_stored_as_numbers_is_refused(changes: dict[str, Any]) -> None:
    changes = dict(changes)
    meta = changes.pop("meta", {})
    write_weight({**entry_of(WEIGHT, "weight_0", meta=meta), **changes})
    with pytest.raises(ArrayError) as caught:
        read()
    assert caught.value.code == "E302"
