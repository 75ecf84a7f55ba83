"""Networks as PyTorch 2.13 has exported them, held to what PyTorch says of them.

`tests/peers/test_pt2.py` asks PyTorch anew.
"""

from __future__ import annotations

import numpy as np
import pytest

from convt_cli.errors import SpecError
from convt_cli.models.load import load_model, load_spec
from tests.conftest import Run
from tests.models.pt2.records import (
    PATH,
    assert_has_pytorchs_shapes,
    assert_has_pytorchs_weights,
    assert_is_its_import,
    example_of,
    gives_pytorchs_values,
    sampled,
    saved,
)
from tests.records import Record, read
from tests.rows import assert_each, for_each

pytestmark = pytest.mark.usefixtures("folder")

RECORDS = {record["name"]: record for record in read(PATH)}

REFUSED = {
    "refused: operators": ["(einsum) at tests/peers/nets.py:", "(linalg_norm) at "],
    "refused: changed in place": ["has changed in place"],
    "refused: a part": ["(sort) at tests/peers/nets.py:"],
    "refused: the batch joined": ["it joins batches"],
    "refused: a constant joined": ["it joins a constant"],
    "refused: the batch flattened": ["not the batch"],
    "refused: a scaled product": ["it scales its product"],
    "refused: a norm over batches": ["it normalises over the batch"],
    "refused: a larger constant": ["its constant [4, 5, 5] does not fit its source [2, 4, 1, 1]"],
    "decomposed: instance_norm": ["the first axis of [1, 8, 12, 10] is not the batch"],
    "decomposed: pads": ["(index)"],
}
"""What is said of the networks that a spec cannot say: a part of the message of each cause."""

LOST = ("upsample corners", "upsample exact", "functions that are broken")
"""The networks of which convt leaves numbers out, and says so, or that it does not run forward."""

WHOLE = [record for name, record in RECORDS.items() if name not in REFUSED]


def name_of(record: Record) -> str:
    return str(record["name"])


def test_every_network_has_pytorchs_shapes_names_and_parameters() -> None:
    def check(record: Record) -> None:
        assert_has_pytorchs_shapes(record, load_spec(saved(record)))

    assert_each(WHOLE, check, name_of)


def test_every_weight_is_the_modules() -> None:
    def check(record: Record) -> None:
        assert_has_pytorchs_weights(record, load_spec(saved(record)))

    assert_each(WHOLE, check, name_of)


def test_a_network_of_which_nothing_is_lost_gives_pytorchs_values() -> None:
    def check(record: Record) -> None:
        assert gives_pytorchs_values(record, saved(record)) or record["name"] in LOST

    assert_each(WHOLE, check, name_of)


def test_every_network_is_that_of_its_import() -> None:
    assert_each(WHOLE, lambda record: assert_is_its_import(saved(record)), name_of)


CONVOLUTIONS = [
    name for name in RECORDS if name.startswith("conv") and name[-2:] in ("1d", "2d", "3d")
]


@for_each("name", CONVOLUTIONS)
def test_apply_gives_what_the_module_gives(name: str, run: Run) -> None:
    record = RECORDS[name]
    np.save("x.npy", example_of(tuple(record["input"])))
    forward = [] if "transpose" in name else ["--forward"]
    outcome = run("apply", saved(record), "x.npy", "-o", "y.npy", "--force", "--bias", *forward)
    assert outcome.status == 0, outcome.err
    np.testing.assert_allclose(sampled(np.load("y.npy")), record["values"], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", REFUSED)
def test_every_operator_in_the_way_is_named_with_its_line(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(saved(RECORDS[name]))
    causes = [f"{one.message}: {one.value}" for one in caught.value.diagnostics]
    for part, cause in zip(REFUSED[name], causes, strict=True):
        assert part in cause


def test_partial_keeps_what_does_not_depend_on_it() -> None:
    network = load_spec(saved(RECORDS["refused: a part"]), partial=True)
    assert [(layer.name, layer.output) for layer in network.layers] == [("0", (6, 10, 8))]
    assert [one.code for one in network.warnings] == ["W003"]


@pytest.mark.parametrize(
    ("name", "shape", "output"),
    [
        ("open: resnet", (3, 96, 64), (10,)),
        ("open: shuffle", (8, 7, 5), (8, 7, 5)),
        ("open: function: sizes", (4, 5, 10), (4, 50)),
    ],
)
def test_open_sizes_can_be_given(
    name: str, shape: tuple[int, ...], output: tuple[int, ...]
) -> None:
    assert load_spec(saved(RECORDS[name]), input={"": shape}).output == output


def test_each_of_several_outputs_is_the_value_of_its_own_layer() -> None:
    layers = load_model(saved(RECORDS["function: chunk"]), "net.pt2").layers.values()
    values = {layer.value: layer.keys.get("begin") for layer in layers}
    assert values == {"getitem": 0, "getitem_1": 2, "mul": None}
