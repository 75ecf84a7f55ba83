"""Files of models that no exporter wrote: cut, changed, lying about themselves, or leading out.

`test_26_models` draws more of them at random, and `test_35_models_that_grow` has those that are
small and become large.
"""

from __future__ import annotations

import copy
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli import load_spec
from convt_cli.io import memory
from tests.conftest import Run, assert_refused
from tests.files.samples import code_of
from tests.models.pt2.samples import conv_entries, conv_program, write_entries, write_program
from tests.rows import assert_each

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture(autouse=True)
def _small_requests_are_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """To look up the memory there is would take most of the time of thousands of tiny files."""
    monkeypatch.setattr(memory, "NEGLIGIBLE", 2**20)


def pt2() -> bytes:
    """A convolution and a relu, with a weight."""
    entries = conv_entries()
    for name in entries:
        if name.endswith(".json"):  # as short as it can be
            entries[name] = json.dumps(json.loads(entries[name]), separators=(",", ":")).encode()
    return Path(write_entries(entries, "whole.pt2")).read_bytes()


def onnx() -> bytes:
    """The same as an ONNX model."""
    library = pytest.importorskip("onnx")
    helper = library.helper
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Relu", ["c"], ["y"])]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", 1, [1, 3, 5, 5])],
        [helper.make_tensor_value_info("y", 1, None)],
        [library.numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")],
    )
    opsets = [helper.make_opsetid("", 17)]
    content: bytes = helper.make_model(graph, opset_imports=opsets).SerializeToString()
    return content


MODELS: dict[str, Callable[[], bytes]] = {"m.pt2": pt2, "m.onnx": onnx}


def read(name: str) -> None:
    """Read the shapes of a model, and the numbers of its first layer."""
    load_spec(name, partial=True).layers[0].weight()


@pytest.mark.parametrize("name", MODELS)
class TestBytes:
    def test_29_a_whole_model_is_read(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(MODELS[name]())
        assert load_spec(name).output == (2, 3, 3)
        assert code_of(lambda: read(name)) == "read"

    def test_29_one_that_is_cut_at_any_length_is_refused(self, folder: Path, name: str) -> None:
        content = MODELS[name]()

        def assert_refused_at(length: int) -> None:
            (folder / name).write_bytes(content[:length])
            assert code_of(lambda: load_spec(name, partial=True)) == "E405"

        assert_each(range(len(content)), assert_refused_at)

    def test_29_one_with_a_bit_flipped_is_read_or_refused(self, folder: Path, name: str) -> None:
        content = MODELS[name]()
        found = set()
        for place in range(len(content)):
            data = bytearray(content)
            data[place] ^= 1 << (place % 8)
            (folder / name).write_bytes(data)
            found.add(code_of(lambda: read(name)))
        assert {"read", "E405"} <= found

    def test_29_the_command_has_a_status_for_it(self, run: Run, folder: Path, name: str) -> None:
        content = MODELS[name]()
        for place in range(0, len(content), 29):
            data = bytearray(content)
            data[place] ^= 1 << (place % 8)
            (folder / name).write_bytes(data)
            outcome = run("shapes", name, "--partial")
            assert outcome.status in (0, 2)
            assert outcome.status == 0 or outcome.codes, outcome.err


LIES: list[object] = [None, True, -1, 0, 2**62, 0.5, float("inf"), "x" * 300, [[]], {}]
"""Values in place of others."""


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The way to every value of a document: keys and numbers of entries."""
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in entries:
        yield (key,)
        if isinstance(inner, dict | list):
            yield from ((key, *way) for way in places(inner))


def changed(document: Any, way: tuple[Any, ...], lie: object) -> Any:
    """The document with another value at the end of a way."""
    whole = copy.deepcopy(document)
    inner = whole
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = lie
    return whole


class TestLies:
    def test_29_the_graph_of_a_pt2_holds_any_value_anywhere(self) -> None:
        """It is read, or refused with a code."""
        program = conv_program()

        def assert_handled(way: tuple[Any, ...]) -> None:
            for lie in LIES:
                write_program(changed(program, way, lie))
                code_of(lambda: load_spec("m.pt2", partial=True))

        assert_each(places(program), assert_handled)

    def test_29_the_list_of_weights_of_a_pt2_does(self) -> None:
        entries = conv_entries()
        name = "net/data/weights/model_weights_config.json"
        listing = json.loads(entries[name])

        def assert_handled(way: tuple[Any, ...]) -> None:
            for lie in LIES:
                text = json.dumps(changed(listing, way, lie)).encode()
                write_entries({**entries, name: text})
                code_of(lambda: read("m.pt2"))

        assert_each(places(listing), assert_handled)

    def test_29_a_count_of_entries_that_lies_is_refused(self, run: Run, folder: Path) -> None:
        content = bytearray(pt2())
        end = content.rindex(b"PK\5\6")
        for count in (0, 1, 3, 5, 2**16 - 1):
            content[end + 8 : end + 12] = count.to_bytes(2, "little") * 2
            (folder / "m.pt2").write_bytes(content)
            assert run("shapes", "m.pt2").status in (0, 2)


class TestArchives:
    def test_29_a_compressed_entry_is_refused_before_it_is_unpacked(self, run: Run) -> None:
        bomb = {**conv_entries(), "net/models/model.json": b" " * 50_000_000}
        write_entries(bomb, method=zipfile.ZIP_DEFLATED)
        outcome = run("shapes", "m.pt2")
        assert_refused(outcome, "E405")
        assert "is not stored as it is" in outcome.err

    def test_29_an_entry_that_claims_more_than_the_file_has_is_refused(
        self, run: Run, folder: Path
    ) -> None:
        entries = conv_entries()
        size = len(entries["net/models/model.json"])
        content = Path(write_entries(entries)).read_bytes()
        begin = content.rindex(b"net/models/model.json") - 46
        claimed = (2**31).to_bytes(4, "little") * 2
        assert content[begin + 20 : begin + 28] == size.to_bytes(4, "little") * 2
        (folder / "m.pt2").write_bytes(content[: begin + 20] + claimed + content[begin + 28 :])
        outcome = run("shapes", "m.pt2")
        assert_refused(outcome, "E405")
        assert "lies outside of the file" in outcome.err

    def test_29_an_entry_in_front_of_the_file_is_refused(self, run: Run, folder: Path) -> None:
        content = bytearray(Path(write_entries(conv_entries())).read_bytes())
        end = content.rindex(b"PK\5\6")
        begin = int.from_bytes(content[end + 16 : end + 20], "little")
        # a directory that claims to begin later moves all entries by as much to the front
        content[end + 16 : end + 20] = (begin + 900).to_bytes(4, "little")
        (folder / "m.pt2").write_bytes(content)
        assert_refused(run("shapes", "m.pt2"), "E405")

    def test_29_an_entry_that_stands_twice_is_refused(self, run: Run) -> None:
        with zipfile.ZipFile("m.pt2", "w") as archive:
            archive.writestr("net/models/model.json", b"{}")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("net/models/model.json", b"{}")
        outcome = run("shapes", "m.pt2")
        assert_refused(outcome, "E405")
        assert "twice" in outcome.err

    def test_29_names_that_lead_elsewhere_are_looked_up_and_not_followed(
        self, run: Run, folder: Path
    ) -> None:
        (folder / "secret").write_bytes(b"\0" * 216)
        entries = conv_entries()
        listing = entries["net/data/weights/model_weights_config.json"]
        entries["net/data/weights/model_weights_config.json"] = listing.replace(
            b'"weight_0"', json.dumps(f"../../../{folder.name}/secret").encode()
        )
        write_entries({"../../evil": b"x", "/etc/evil": b"x", **entries})
        assert run("shapes", "m.pt2").status == 0
        outcome = run("matrix", "m.pt2", "-o", "C.npz")
        assert_refused(outcome, "E405")
        assert not os.path.exists("../../evil")
