"""Files of other programs given in place of a network or of weights: each refused by what it is."""

from __future__ import annotations

import ast
import os
import shlex
import zipfile
from pathlib import Path
from threading import Thread

import pytest

from tests.conftest import Outcome, Run, WriteSpec, assert_refused

TORCH = ["net.pt", "net.pth", "net.ckpt", "NET.PT", "sub/net.pt"]

ONE_LAYER = """
    input: [1, 4, 4]
    layers: [{type: conv, out_channels: 1, kernel_size: 3, weight: "WEIGHT", bias: false}]
    """


def pasted(outcome: Outcome) -> list[str]:
    """The Python of each line that is to be pasted."""
    lines = [shlex.split(line) for line in outcome.err.splitlines() if line.startswith("  python3")]
    assert all(line[:2] == ["python3", "-c"] and len(line) == 3 for line in lines)
    return [code for _, _, code in lines]


def texts_in(code: str) -> set[str]:
    """The texts that stand in Python code."""
    constants = (one.value for one in ast.walk(ast.parse(code)) if isinstance(one, ast.Constant))
    return {value for value in constants if isinstance(value, str)}


@pytest.fixture
def torch_file(folder: Path) -> None:
    """Every file of `TORCH`, with nothing in it that could be read."""
    (folder / "sub").mkdir()
    for name in TORCH:
        (folder / name).write_bytes(b"anything")


@pytest.mark.usefixtures("torch_file")
class TestFilesOfTorchSave:
    @pytest.mark.parametrize("name", TORCH)
    @pytest.mark.parametrize("command", ["shapes", "import -o m.yaml", "run -o y.npy x.npy"])
    def test_one_is_refused_with_two_lines_that_make_what_is_read(
        self, run: Run, name: str, command: str
    ) -> None:
        command, *options = command.split()
        outcome = run(command, name, *options)
        assert_refused(outcome, "E401")
        module, state_dict = pasted(outcome)
        stem = os.path.splitext(name)[0]
        assert texts_in(module) >= {name, f"{stem}.pt2"}
        assert texts_in(state_dict) >= {name, f"{stem}.safetensors"}

    def test_so_is_one_that_a_weight_names(self, run: Run, spec: WriteSpec) -> None:
        path = spec(ONE_LAYER.replace("WEIGHT", "net.pth#0.weight"))
        outcome = run("matrix", path, "-o", "C.npz")
        assert_refused(outcome, "E401")
        assert len(pasted(outcome)) == 2

    def test_check_lists_it_as_a_problem(self, run: Run) -> None:
        outcome = run("check", "net.pt", "--format", "json")
        assert [one["code"] for one in outcome.document["problems"]] == ["E401"]

    @pytest.mark.parametrize(
        "name", ["it's.pt", 'a"b.pt', "a\\b.pt", "a\nb.pt", "$(x) `y`.pt", "a\udcff.pt", "é 日.pt"]
    )
    def test_any_name_is_quoted(self, run: Run, folder: Path, name: str) -> None:
        (folder / name).write_bytes(b"")
        outcome = run("shapes", name)
        assert len(outcome.err.splitlines()) == 4
        for code in pasted(outcome):
            assert name in texts_in(code)

    def test_one_that_is_not_there_is_missing(self, run: Run) -> None:
        outcome = run("shapes", "other.pt")
        assert_refused(outcome, "E401")
        assert "no such file" in outcome.err

    @pytest.mark.parametrize(
        ("begin", "lines"), [(b"PK\3\4", 2), (b"\x80\x02", 2), (b"\x00\x01", 0)], ids=str
    )
    def test_bin_is_one_by_its_first_bytes(
        self, run: Run, folder: Path, begin: bytes, lines: int
    ) -> None:
        (folder / "m.bin").write_bytes(begin + bytes(300))
        outcome = run("shapes", "m.bin")
        assert outcome.status == 2
        assert len(pasted(outcome)) == lines

    def test_one_under_the_name_of_a_pt2_is_told(self, run: Run, folder: Path) -> None:
        with zipfile.ZipFile("m.pt2", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("m/data.pkl", b"")
            archive.writestr("m/code/net.py", b"pass")
        outcome = run("shapes", "m.pt2")
        assert_refused(outcome, "E405")
        assert "written by torch.save or torch.jit.save" in outcome.err


class TestOtherFiles:
    @pytest.mark.parametrize(
        ("begin", "said"),
        [
            (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
            (b"PK\3\4", "a zip file"),
            (b"\x1f\x8b\x08", "a gzip file"),
            (b"GGUF", "a GGUF file"),
            (b"\x80\x04", "a file of Python objects"),
        ],
        ids=str,
    )
    @pytest.mark.parametrize("name", ["m", "m.yaml", "m.model"])
    def test_what_is_no_text_is_named(
        self, run: Run, folder: Path, name: str, begin: bytes, said: str
    ) -> None:
        (folder / name).write_bytes(begin + bytes(300))
        outcome = run("shapes", name)
        assert_refused(outcome, "E401")
        assert f"{name} is {said}" in outcome.err

    @pytest.mark.parametrize(
        ("name", "begin"),
        [("w.safetensors", b"\2\0\0\0\0\0\0\0{}"), ("w.npz", b"PK\3\4"), ("w.npy", b"\x93NUMPY")],
    )
    def test_arrays_are_no_network(self, run: Run, folder: Path, name: str, begin: bytes) -> None:
        (folder / name).write_bytes(begin)
        outcome = run("shapes", name)
        assert_refused(outcome, "E401")
        assert "a file of arrays holds no network" in outcome.err

    def test_a_pipe_is_read_once(self, run: Run, folder: Path) -> None:
        """Who writes into it would see its reader go."""
        os.mkfifo(folder / "m.bin")
        text = b"input: [1, 4]\nlayers: [{type: relu}]\n"
        writer = Thread(target=(folder / "m.bin").write_bytes, args=[text], daemon=True)
        writer.start()
        assert run("shapes", "m.bin").status == 0
        writer.join(timeout=10)

    def test_standard_input_is_not_the_file_of_that_name(self, run: Run, folder: Path) -> None:
        (folder / "-").write_bytes(b"GGUF")
        outcome = run("shapes", "-", stdin=b"input: [1, 4]\nlayers: [{type: relu}]\n")
        assert outcome.status == 0
