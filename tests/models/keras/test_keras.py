"""Networks as Keras 3 and Keras 2 have saved them, held to what Keras says of them.

`tests/peers/test_keras.py` asks Keras anew.
"""

from __future__ import annotations

import pytest

from convt_cli.models.load import load_model, load_spec
from convt_cli.models.text import spec_text
from tests.models.keras.records import (
    PATH,
    assert_has_kerass_shapes,
    assert_has_kerass_values,
    saved,
)
from tests.models.same import assert_same_network
from tests.records import Record, read
from tests.rows import assert_each

pytestmark = pytest.mark.usefixtures("folder")

RECORDS = read(PATH)
FILES = [(record, f"net{suffix}") for record in RECORDS for suffix in (".keras", ".h5")]


def name_of(one: tuple[Record, str]) -> str:
    return f"{one[0]['name']}, {one[1]}"


def test_every_network_has_kerass_shapes_names_and_parameters() -> None:
    def check(one: tuple[Record, str]) -> None:
        assert_has_kerass_shapes(one[0], load_spec(saved(*one)))

    assert_each(FILES, check, name_of)


def test_every_layer_gives_kerass_values() -> None:
    def check(one: tuple[Record, str]) -> None:
        compared = assert_has_kerass_values(one[0], load_spec(saved(*one)))
        assert compared == sum(len(values) for _, values in one[0]["layers"].values())

    assert_each(FILES, check, name_of)


def test_every_network_is_that_of_its_import() -> None:
    def check(one: tuple[Record, str]) -> None:
        path = saved(*one)
        imported = load_model(path, path)
        assert_same_network(imported, spec_text(imported, title="net", model=path))

    assert_each(FILES, check, name_of)
