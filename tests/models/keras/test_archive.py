"""The zip file: what is read of it, and every file that is no `.keras`."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from convt_cli.io.folders import Folder
from convt_cli.models.keras import graph
from convt_cli.models.keras.weights import open_weights
from convt_cli.models.load import load_spec
from tests.conftest import Run, assert_refused
from tests.files.samples import code_of
from tests.models.keras.samples import (
    BIAS,
    KERNEL,
    Config,
    called,
    conv,
    entries,
    functional,
    layer,
    read_file,
    sequential,
    write_keras,
)

pytestmark = pytest.mark.usefixtures("folder")

MODEL = sequential(conv())


def read(key: str = "conv/kernel") -> object:
    return open_weights("m.keras", Folder.of("m.keras", allow_outside=False)).read(key)


def test_a_whole_file_is_read(run: Run) -> None:
    write_keras(MODEL)
    assert load_spec("m.keras").output == (2, 4, 4)
    assert run("check", "m.keras").out == "checked 1 spec: no problems\n"
    np.testing.assert_array_equal(read(), KERNEL)
    np.testing.assert_array_equal(read("conv/bias"), BIAS)


def test_its_import_names_its_weights(run: Run) -> None:
    write_keras(MODEL)
    assert run("import", "m.keras", "-o", "m.yaml").status == 0
    text = Path("m.yaml").read_text(encoding="utf-8")
    assert "weight: m.keras#conv/kernel, bias: m.keras#conv/bias" in text
    same = [
        run("matrix", name, "-o", f"{name}.npz", "--layer", "conv")
        for name in ("m.keras", "m.yaml")
    ]
    assert [one.status for one in same] == [0, 0]
    assert read_file("m.keras.npz") == read_file("m.yaml.npz")


def test_shapes_need_no_weights() -> None:
    kept = entries(MODEL)
    del kept["model.weights.h5"]
    write_keras(kept)
    assert load_spec("m.keras").output == (2, 4, 4)
    assert code_of(read) == "E405"


@pytest.mark.parametrize("key", ["", "conv/kernels", "conv", "conv/kernel/0", "../conv/kernel"])
def test_another_name_is_refused_with_those_that_are_there(key: str) -> None:
    write_keras(MODEL)
    assert code_of(lambda: read(key)) == "E401"


def test_a_cut_file_is_refused(run: Run) -> None:
    content = read_file(write_keras(MODEL))
    for length in range(0, len(content), 97):
        Path("m.keras").write_bytes(content[:length])
        assert_refused(run("shapes", "m.keras"), "E405")


def test_no_flipped_byte_gets_past_the_coded_errors() -> None:
    """The checksums find every one in the texts and in the weights."""
    content = read_file(write_keras(MODEL))
    for place in range(0, len(content), 7):
        data = bytearray(content)
        data[place] ^= 1 << (place % 8)
        Path("m.keras").write_bytes(data)
        if code_of(read) == "read":
            np.testing.assert_array_equal(read(), KERNEL)


@pytest.mark.parametrize("content", [b"", b"\0" * 200, b"text", b"PK\5\6" + b"\xff" * 18])
def test_what_is_no_zip_file_is_refused(run: Run, content: bytes) -> None:
    Path("m.keras").write_bytes(content)
    assert_refused(run("shapes", "m.keras"), "E405")


def test_a_compressed_entry_is_refused_before_it_is_unpacked(run: Run) -> None:
    bomb = {**entries(MODEL), "config.json": b" " * 50_000_000}
    write_keras(bomb, method=zipfile.ZIP_DEFLATED)
    outcome = run("shapes", "m.keras")
    assert_refused(outcome, "E405")
    assert "is not stored as it is" in outcome.err


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_that_is_there_twice_is_refused(run: Run) -> None:
    write_keras(MODEL)
    with zipfile.ZipFile("m.keras", "a") as archive:
        archive.writestr("config.json", entries(MODEL)["config.json"])
    outcome = run("shapes", "m.keras")
    assert_refused(outcome, "E405")
    assert "it has config.json twice" in outcome.err


def test_entries_that_lead_out_are_never_written(run: Run, folder: Path) -> None:
    write_keras({"../outside": b"x", "/tmp/outside": b"x", **entries(MODEL)})
    assert run("shapes", "m.keras").status == 0
    assert not (folder.parent / "outside").exists()


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"{", b'{"class_name": 1}', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000),
        b'{"class_name": "Sequential", "config": {"layers": ' + b"9" * 5000 + b"}}",
    ],
    ids=range(8),
)
def test_a_text_that_describes_no_model_is_refused(run: Run, text: bytes) -> None:
    write_keras({**entries(MODEL), "config.json": text})
    assert_refused(run("shapes", "m.keras"), "E405")


def doubled(depth: int) -> Config:
    """A model that calls a model twice, which calls one twice, and so on."""
    inside = layer("Sequential", "s", layers=[conv("inside", padding="same")])
    for number in range(depth):
        inside = functional(
            layer("InputLayer", "in", batch_shape=[None, 6, 6, 3]),
            called(inside, [["in", 0, 0]], [[inside["config"]["name"], 0, 0]]),
            inputs=[["in", 0, 0]],
            outputs=[[inside["config"]["name"], 1, 0]],
            name=f"s{number}",
        )
    return inside


def test_models_that_grow_with_the_power_of_their_depth_are_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "_MOST_NODES", 1000)
    write_keras(doubled(25))
    outcome = run("shapes", "m.keras")
    assert_refused(outcome, "E405")
    assert "at most 1,000 calls" in outcome.err


def test_models_nested_too_deeply_are_refused(run: Run) -> None:
    inside = conv("inside")
    for number in range(40):
        inside = layer("Sequential", f"s{number}", layers=[inside])
    write_keras(sequential(inside))
    assert_refused(run("shapes", "m.keras"), "E405")
