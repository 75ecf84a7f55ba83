"""Weight references that lead out of the spec's folder, or to what is no file.

A reference is refused wherever the file that would be read lies outside, however it is spelt and
whether it is there or not, before anything is opened; `--allow-outside` lifts that alone.  No
pipe, no device and no folder is waited for or read without end.
"""

from __future__ import annotations

import builtins
import io
import json
import os
import socket
import struct
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convt_cli.arithmetic.network import Network
from convt_cli.errors import FileError
from convt_cli.files.weights import Weights
from convt_cli.io.folders import Folder
from convt_cli.spec.load import load_spec
from tests.conftest import (
    GUIDE,
    Outcome,
    Run,
    WriteSpec,
    assert_refused,
    command_line,
    environment,
)
from tests.faults.rows import trying

WEIGHT = np.arange(9.0).reshape(1, 1, 3, 3)

MatrixOf = Callable[..., Outcome]
"""Runs `convt matrix --dry-run` on a spec in box/ whose one layer has this weight."""


def spec_with_weight(reference: str, bias: str = "false") -> str:
    """A spec whose one layer names its weight."""
    quoted = reference.replace("\\", "\\\\").replace('"', '\\"')
    return (
        "input: [1, 4, 4]\nlayers:\n"
        f'  - {{type: conv, out_channels: 1, kernel_size: 3, weight: "{quoted}", bias: {bias}}}\n'
    )


def safetensors_of(array: NDArray[np.float64]) -> bytes:
    """A file of one tensor, w."""
    entry = {"dtype": "F64", "shape": list(array.shape), "data_offsets": [0, array.nbytes]}
    text = json.dumps({"w": entry}).encode()
    return struct.pack("<Q", len(text)) + text + array.tobytes()


def save_everywhere(folder: Path, stem: str) -> None:
    """The weight in every format, under one stem."""
    np.save(folder / f"{stem}.npy", WEIGHT)
    np.savez(folder / f"{stem}.npz", k=WEIGHT)
    (folder / f"{stem}.safetensors").write_bytes(safetensors_of(WEIGHT))


@pytest.fixture
def box(folder: Path) -> Path:
    """A folder for a spec, with weights in it, in a folder below it and outside."""
    (folder / "box" / "sub").mkdir(parents=True)
    save_everywhere(folder, "secret")
    save_everywhere(folder / "box", "w")
    np.save(folder / "box" / "sub" / "w.npy", WEIGHT)
    return folder / "box"


@pytest.fixture
def matrix_of(box: Path, run: Run) -> MatrixOf:
    def matrix_of(reference: str, *options: str) -> Outcome:
        (box / "net.yaml").write_text(spec_with_weight(reference), encoding="utf-8")
        return run("matrix", "box/net.yaml", "--dry-run", "--format", "json", *options)

    return matrix_of


@contextmanager
def opened(outside: Path) -> Iterator[list[str]]:
    """The files in `outside`, but not below it, that the block opens for reading."""
    found: list[str] = []
    folders: dict[int | None, str] = {None: ""}

    def noticing(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *arguments: Any, **options: Any) -> Any:
            if isinstance(path, int):
                return real(path, *arguments, **options)
            place = os.path.realpath(os.path.join(folders[options.get("dir_fd")], path))
            file = real(path, *arguments, **options)
            if Path(place).parent == outside and not os.path.isdir(place):
                found.append(place)
            if isinstance(file, int):
                folders[file] = place
            return file

        return call

    with pytest.MonkeyPatch.context() as patch:
        for module, name in ((os, "open"), (io, "open"), (builtins, "open")):
            patch.setattr(module, name, noticing(getattr(module, name)))
        yield found


def process(*command: str) -> Outcome:
    """What a command comes to that runs convt in its own way."""
    done = subprocess.run(
        command,
        capture_output=True,
        env=environment(OPENBLAS_NUM_THREADS="1"),
        timeout=60,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


def assert_read(outcome: Outcome) -> None:
    """The weight was found and its matrix sized."""
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.document["shape"] == [4, 16]


FORMATS = [".npy", ".npz", ".npz#k", ".safetensors", ".safetensors#w"]

WAYS_OUT = {
    "one above": "../secret",
    "down and up": "sub/../../secret",
    "dots": "./.././secret",
    "absolute": "{outside}/secret",
    "absolute with dots": "{outside}/box/../secret",
    "a link": "link",
    "a link to a link": "second",
    "a linked folder": "up/secret",
    "a folder above, linked": "sub/far/secret",
    "an absolute link": "absolute",
}
"""How a spec can name a file outside its folder; {outside} is the folder above the spec's."""


def make_links(box: Path, suffix: str) -> None:
    """The links of `WAYS_OUT`."""
    (box / f"link{suffix}").symlink_to(f"../secret{suffix}")
    (box / f"second{suffix}").symlink_to(f"link{suffix}")
    (box / f"absolute{suffix}").symlink_to(box.parent / f"secret{suffix}")
    (box / "up").symlink_to("..")
    (box / "sub" / "far").symlink_to(box.parent)


class TestContainment:
    @pytest.mark.parametrize("stem", ["w", "./w", "sub/../w", "{outside}/box/w"])
    def test_17_a_file_beside_the_spec_is_read(
        self, matrix_of: MatrixOf, folder: Path, stem: str
    ) -> None:
        for suffix in FORMATS:
            with trying(suffix):
                assert_read(matrix_of(stem.format(outside=folder) + suffix))

    @pytest.mark.parametrize("suffix", FORMATS)
    @pytest.mark.parametrize("way", WAYS_OUT)
    def test_17_one_outside_is_refused_unopened_unless_asked_for(
        self, matrix_of: MatrixOf, box: Path, way: str, suffix: str
    ) -> None:
        make_links(box, suffix.partition("#")[0])
        reference = WAYS_OUT[way].format(outside=box.parent) + suffix
        with opened(box.parent) as files:
            assert_refused(matrix_of(reference), "E404")
            assert files == []
            assert_read(matrix_of(reference, "--allow-outside"))
            assert len(files) == 1

    @pytest.mark.parametrize("way", WAYS_OUT)
    def test_17_whether_it_is_there_is_not_told(
        self, matrix_of: MatrixOf, box: Path, way: str
    ) -> None:
        make_links(box, ".npy")
        reference = WAYS_OUT[way].format(outside=box.parent) + ".npy"
        there = matrix_of(reference)
        (box.parent / "secret.npy").unlink()
        assert matrix_of(reference) == there
        (box.parent / "secret.npy").mkdir()
        assert matrix_of(reference) == there
        assert_refused(there, "E404")

    @pytest.mark.parametrize(
        "reference", ["/dev/zero", "/dev/null", "/dev/stdin", "/etc/passwd", "/proc/self/mem"]
    )
    def test_17_a_file_of_the_system_is_refused(self, matrix_of: MatrixOf, reference: str) -> None:
        assert_refused(matrix_of(reference), "E404")
        assert_refused(matrix_of(reference, "--allow-outside"), "E401")

    @pytest.mark.parametrize("reference", ["../secret.npy", "link.npy", "{outside}/secret.npy"])
    @pytest.mark.parametrize(
        "command",
        [
            ("matrix", "net.yaml", "-o", "C.npz"),
            ("matrix", "net.yaml", "--show"),
            ("apply", "net.yaml", "x.npy", "-o", "out.npy", "--forward"),
            ("verify", "net.yaml"),
            ("analyze", "net.yaml"),
            ("stimulus", "net.yaml", "--layer", "conv1", "--unit", "0,0,0"),
            ("invert", "net.yaml", "y.npy", "-o", "out.npy"),
            ("reconstruct", "net.yaml", "x.npy", "--layer", "conv1", "-o", "out.npy"),
        ],
        ids=lambda command: " ".join(command[:3]),
    )
    def test_17_no_command_reads_outside(
        self,
        box: Path,
        monkeypatch: pytest.MonkeyPatch,
        run: Run,
        command: tuple[str, ...],
        reference: str,
    ) -> None:
        make_links(box, ".npy")
        monkeypatch.chdir(box)
        np.save("x.npy", np.ones((1, 4, 4)))
        np.save("y.npy", np.ones((1, 2, 2)))
        text = spec_with_weight(reference.format(outside=box.parent))
        Path("net.yaml").write_text(text, encoding="utf-8")
        with opened(box.parent) as files:
            outcome = run(*command)
            assert (outcome.status, outcome.codes) == (2, ["E404"])
            assert files == []
            assert run(*command, "--allow-outside").status == 0
            assert len(files) >= 1

    @pytest.mark.parametrize("options", [(), ("--allow-outside",)], ids=["inside", "outside"])
    def test_17_a_bias_is_held_to_the_same(
        self, box: Path, run: Run, options: tuple[str, ...]
    ) -> None:
        np.save("bias.npy", np.ones(1))
        np.save("x.npy", np.ones((1, 4, 4)))
        text = spec_with_weight("w.npy", bias='"../bias.npy"')
        (box / "net.yaml").write_text(text, encoding="utf-8")
        arguments = ("apply", "box/net.yaml", "x.npy", "--forward", "-o", "out.npy")
        assert run(*arguments).status == 0
        outcome = run(*arguments, "--force", "--bias", *options)
        assert (outcome.status, outcome.codes) == ((0, []) if options else (2, ["E404"]))

    def test_17_a_link_within_the_folder_is_read(self, matrix_of: MatrixOf, box: Path) -> None:
        (box / "link.npy").symlink_to("sub/w.npy")
        assert_read(matrix_of("link.npy"))

    def test_17_a_folder_reached_through_a_link_is_the_spec_s(
        self, matrix_of: MatrixOf, folder: Path, run: Run
    ) -> None:
        matrix_of("w.npy")
        (folder / "other").symlink_to("box")
        assert_read(run("matrix", "other/net.yaml", "--dry-run", "--format", "json"))

    def test_17_a_spec_that_is_a_link_has_the_folder_it_is_named_in(
        self, matrix_of: MatrixOf, folder: Path, run: Run
    ) -> None:
        matrix_of("secret.npy")
        (folder / "net.yaml").symlink_to("box/net.yaml")
        assert_read(run("matrix", "net.yaml", "--dry-run", "--format", "json"))

    def test_17_a_folder_whose_name_only_begins_alike_is_outside(
        self, matrix_of: MatrixOf, folder: Path
    ) -> None:
        (folder / "box2").mkdir()
        np.save(folder / "box2" / "w.npy", WEIGHT)
        assert_refused(matrix_of("../box2/w.npy"), "E404")

    @pytest.mark.parametrize(
        "reference", ["a#/../../secret.npy", "a#/../../secret.npz#k", "a#/../../secret.npz"]
    )
    def test_17_what_follows_a_hash_cannot_lead_out(
        self, matrix_of: MatrixOf, box: Path, reference: str
    ) -> None:
        (box / "a#").mkdir()
        with opened(box.parent) as files:
            assert matrix_of(reference).status == 2
        assert files == []

    def test_17_a_link_with_a_hash_in_its_name_cannot_lead_out(
        self, matrix_of: MatrixOf, box: Path
    ) -> None:
        (box / "a#b.npy").symlink_to("../secret.npy")
        with opened(box.parent) as files:
            assert matrix_of("a#b.npy").status == 2
        assert files == []

    def test_17_a_folder_named_like_an_archive_does_not_move_the_file(
        self, folder: Path, run: Run
    ) -> None:
        (folder / "secret.npz#box").mkdir()
        with zipfile.ZipFile(folder / "secret.npz", "w") as archive:
            archive.writestr("box/w.npy", b"not the weight")
        np.save(folder / "secret.npz#box" / "w.npy", WEIGHT)
        spec = folder / "secret.npz#box" / "net.yaml"
        spec.write_text(spec_with_weight("w.npy"), encoding="utf-8")
        outcome = run("matrix", spec, "--show", "--format", "csv")
        assert outcome.out.splitlines()[1] == "0,0,1,2,,3,4,5,,6,7,8,,,,,"

    def test_17_on_standard_input_the_working_folder_counts(self, folder: Path, run: Run) -> None:
        np.save("w.npy", WEIGHT)
        np.save(folder.parent / "outside.npy", WEIGHT)
        options = ("matrix", "-", "--dry-run", "--format", "json")
        assert_read(run(*options, stdin=spec_with_weight("w.npy").encode()))
        outside = spec_with_weight("../outside.npy").encode()
        assert_refused(run(*options, stdin=outside), "E404")
        assert_read(run(*options, "--allow-outside", stdin=outside))

    def test_17_the_message_names_the_way_out(self, folder: Path) -> None:
        with pytest.raises(FileError) as caught:
            Folder.of(str(folder / "net.yaml"), allow_outside=False).resolved("../x.npy")
        assert "../x.npy leads outside" in caught.value.value
        assert "--allow-outside" in caught.value.help

    @pytest.mark.parametrize("reference", ["link.npy", "near/w.npy", "sub/w.npy", "w.npy"])
    @pytest.mark.parametrize("parts", [True, False], ids=["part by part", "checked"])
    def test_17_what_has_become_a_link_since_it_was_looked_at_is_refused(
        self, box: Path, monkeypatch: pytest.MonkeyPatch, reference: str, parts: bool
    ) -> None:
        monkeypatch.setattr("convt_cli.io.folders._BY_PARTS", parts)
        for name, target in (("link.npy", "w.npy"), ("near", "sub")):
            (box / name).symlink_to(target)
        folder = Folder.of(str(box / "net.yaml"), allow_outside=False)
        path = folder.resolved(reference)
        np.save(box.parent / "w.npy", WEIGHT)
        (box / "sub" / "w.npy").unlink()
        (box / "sub").rmdir()
        (box / "sub").symlink_to("..")
        (box / "w.npy").unlink()
        (box / "w.npy").symlink_to("../secret.npy")
        with (
            opened(box.parent) as files,
            pytest.raises(FileError) as caught,
            folder.opened(path) as file,
        ):
            file.read()
        assert caught.value.code in ("E401", "E404")
        assert files == [] or not parts

    @pytest.mark.parametrize("link", [True, False], ids=["a link", "a folder"])
    def test_17_another_folder_in_the_place_of_the_spec_s_is_refused(
        self, box: Path, link: bool
    ) -> None:
        folder = Folder.of(str(box / "net.yaml"), allow_outside=False)
        path = folder.resolved("secret.npy")
        box.rename(box.parent / "moved")
        if link:
            box.symlink_to(box.parent)
        else:
            box.mkdir()
            np.save(box / "secret.npy", WEIGHT)
        reason = "not a directory" if link else "another folder has taken the place"
        with pytest.raises(FileError, match=reason), folder.opened(path):
            pass


SWAPS = {
    "a file for a link": ("w.npy", "w.npy", "../outside/w.npy"),
    "a folder for a link": ("sub/w.npy", "sub", "../outside"),
    "a link for another": ("near.npy", "near.npy", "../outside/w.npy"),
    "a link to a folder for another": ("near/w.npy", "near", "../outside"),
    "a model's folder": ("sub/m.onnx#w", "sub", "../outside"),
    "a model's data": ("m.onnx#w", "w.bin", "../outside/w.bin"),
}
"""A weight, what is swapped to and fro on the way to it, and where the link that comes leads."""

CALLS = ("open", "stat", "lstat", "readlink")
"""The calls to the system by which a path is looked at, and a file opened."""


class Swapping:
    """Puts the link in its place before the call of one number, and takes it away before another.

    A call is any of `CALLS`; with all pairs of numbers the link is there at all times that matter.
    """

    def __init__(self, place: str, come: int, go: int) -> None:
        self.count = 0
        self._place = place
        self._times = (come, go)

    def __call__(self) -> None:
        self.count += 1
        for _ in range(self._times.count(self.count)):
            os.rename(self._place, "away")
            os.rename("link", self._place)
            os.rename("away", "link")

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within the block the calls are counted."""
        with pytest.MonkeyPatch.context() as patch:
            for name in CALLS:
                patch.setattr(os, name, self._counted(getattr(os, name)))
            yield

    def _counted(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **options: Any) -> Any:
            self()
            return real(*arguments, **options)

        return call


def save_for_swaps(folder: Path, array: NDArray[np.float64]) -> None:
    """The weight as an array, and as the data of a model, in `folder`."""
    folder.mkdir(exist_ok=True)
    np.save(folder / "w.npy", array)
    (folder / "w.bin").write_bytes(array.tobytes())
    with suppress(ImportError):
        import onnx

        tensor = onnx.TensorProto(name="w", data_type=11, dims=array.shape, data_location=1)
        tensor.external_data.add(key="location", value="w.bin")
        graph = onnx.helper.make_graph([], "g", [], [], [tensor])
        content = onnx.helper.make_model(graph).SerializeToString()
        (folder / "m.onnx").write_bytes(content)


class TestAttacks:
    @pytest.mark.parametrize("swap", SWAPS)
    def test_17_a_link_that_comes_and_goes_lets_nothing_in(
        self, box: Path, monkeypatch: pytest.MonkeyPatch, swap: str
    ) -> None:
        monkeypatch.chdir(box)
        reference, place, link = SWAPS[swap]
        if "onnx" in reference:
            pytest.importorskip("onnx")
        for folder in (box, box / "sub"):
            save_for_swaps(folder, WEIGHT)
        save_for_swaps(box.parent / "outside", WEIGHT + 100)
        (box / "near.npy").symlink_to("w.npy")
        (box / "near").symlink_to("sub")
        (box / "net.yaml").write_text(spec_with_weight(reference), encoding="utf-8")
        network = load_spec("net.yaml")
        weights = Swapping(place, 0, 0)
        with weights.watching():
            assert self.weight_of(network) == "inside"
        outcomes = Counter[str]()
        for come, go in combinations_with_replacement(range(1, weights.count + 2), 2):
            outcomes[self.weight_while_swapped(network, place, link, come, go)] += 1
        assert set(outcomes) <= {"inside", "E401", "E404"}
        assert len(outcomes) > 1  # it was swapped

    def weight_while_swapped(
        self, network: Network, place: str, link: str, come: int, go: int
    ) -> str:
        """What is read where the link comes and goes before these calls; then all is as before."""
        os.symlink(link, "link")
        swapping = Swapping(place, come, go)
        with trying(come, go), swapping.watching():
            found = self.weight_of(network)
            while swapping.count < go:
                swapping()
        os.unlink("link")
        return found

    def weight_of(self, network: Network) -> str:
        """Where the weight came from, or the code of the refusal."""
        try:
            weight = Weights(network).weight(network.matrix_layers[0])
        except FileError as error:
            return error.code
        return "inside" if np.array_equal(weight, WEIGHT) else "outside"


RUN = "import sys; from convt_cli.commands.main import run; sys.exit(run(sys.argv[1:]))"
SUFFIXES = [".npy", ".npz", ".csv", ".txt", ".safetensors", ".onnx"]
OPTIONS = pytest.mark.parametrize("options", [(), ("--allow-outside",)], ids=["inside", "outside"])


class TestNoFiles:
    @pytest.mark.parametrize("suffix", SUFFIXES)
    @OPTIONS
    def test_17_a_folder_is_refused(
        self, matrix_of: MatrixOf, box: Path, suffix: str, options: tuple[str, ...]
    ) -> None:
        (box / f"w{suffix}").unlink(missing_ok=True)
        (box / f"w{suffix}").mkdir()
        assert_refused(matrix_of(f"w{suffix}", *options), "E401")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    @OPTIONS
    def test_17_a_pipe_is_not_waited_for(
        self, matrix_of: MatrixOf, box: Path, suffix: str, options: tuple[str, ...]
    ) -> None:
        (box / f"w{suffix}").unlink(missing_ok=True)
        os.mkfifo(box / f"w{suffix}")
        assert_refused(matrix_of(f"w{suffix}", *options), "E401")

    def test_17_nor_does_a_process_wait_for_one(self, box: Path) -> None:
        os.mkfifo(box / "pipe.npy")
        (box / "net.yaml").write_text(spec_with_weight("pipe.npy"), encoding="utf-8")
        command = command_line("matrix", "box/net.yaml", "--show")
        assert_refused(process("timeout", "30", *command), "E401")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_17_a_socket_is_refused(self, matrix_of: MatrixOf, box: Path, suffix: str) -> None:
        (box / f"w{suffix}").unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as server:
            here = Path.cwd()
            os.chdir(box)  # a socket's name is short
            server.bind(f"w{suffix}")
            os.chdir(here)
            assert_refused(matrix_of(f"w{suffix}"), "E401")

    @pytest.mark.parametrize("suffix", SUFFIXES)
    def test_17_a_device_behind_a_link_is_refused(
        self, matrix_of: MatrixOf, box: Path, suffix: str
    ) -> None:
        (box / f"zero{suffix}").symlink_to("/dev/zero")
        assert_refused(matrix_of(f"zero{suffix}"), "E404")
        assert matrix_of(f"zero{suffix}", "--allow-outside").codes == ["E401"]

    @pytest.mark.parametrize("suffix", [".npy", ".npz"])
    def test_17_nor_is_one_an_array(
        self, folder: Path, run: Run, spec: WriteSpec, suffix: str
    ) -> None:
        (folder / f"x{suffix}").symlink_to("/dev/zero")
        assert_refused(run("apply", spec(GUIDE), f"x{suffix}", "-o", "y.npy"), "E401")

    @pytest.mark.parametrize("suffix", [".csv", ".txt"])
    def test_17_a_device_without_end_is_not_read_to_its_end(
        self, folder: Path, spec: WriteSpec, suffix: str
    ) -> None:
        (folder / f"x{suffix}").symlink_to("/dev/zero")
        limited = "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31));" + RUN
        command = (sys.executable, "-c", limited, "apply", spec(GUIDE), f"x{suffix}", "-o", "y.npy")
        assert_refused(process("timeout", "30", *command), "E401")

    @pytest.mark.parametrize(
        "reference", ["none.npy", "none.npz#k", "none/w.npy", "w.npy/w.npy", "x" * 300 + ".npy"]
    )
    @OPTIONS
    def test_17_what_is_not_there_is_refused(
        self, matrix_of: MatrixOf, reference: str, options: tuple[str, ...]
    ) -> None:
        assert_refused(matrix_of(reference, *options), "E401")

    @pytest.mark.parametrize("reference", ["-", "w", "w.pt", "w.npy#k", "w.NPX", ".", "./", "sub"])
    @OPTIONS
    def test_17_what_names_no_array_file_is_refused(
        self, matrix_of: MatrixOf, reference: str, options: tuple[str, ...]
    ) -> None:
        assert_refused(matrix_of(reference, *options), "E401")

    def test_17_a_link_to_itself_is_refused(self, matrix_of: MatrixOf, box: Path) -> None:
        (box / "loop.npy").symlink_to("loop.npy")
        assert_refused(matrix_of("loop.npy"), "E401")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_17_what_may_not_be_read_is_refused(self, matrix_of: MatrixOf, box: Path) -> None:
        (box / "w.npy").chmod(0)
        assert_refused(matrix_of("w.npy"), "E401")


class TestModels:
    """An ONNX model has references of its own, from its own folder."""

    @pytest.fixture
    def model(self, box: Path) -> Callable[[str], None]:
        onnx = pytest.importorskip("onnx")

        def model(location: str) -> None:
            tensor = onnx.TensorProto(name="w", data_type=11, dims=WEIGHT.shape, data_location=1)
            tensor.external_data.add(key="location", value=location)
            graph = onnx.helper.make_graph([], "g", [], [], [tensor])
            content = onnx.helper.make_model(graph).SerializeToString()
            (box / "m.onnx").write_bytes(content)
            for place in (box, box.parent):
                (place / "w.bin").write_bytes(WEIGHT.tobytes())

        return model

    @pytest.mark.parametrize("location", ["w.bin", "./w.bin", "sub/../w.bin"])
    def test_17_data_beside_it_are_read(
        self, matrix_of: MatrixOf, model: Callable[[str], None], location: str
    ) -> None:
        model(location)
        assert_read(matrix_of("m.onnx#w"))

    @pytest.mark.parametrize(
        "location", ["../w.bin", "sub/../../w.bin", "{outside}/w.bin", "link.bin", "up/w.bin"]
    )
    def test_17_data_outside_are_refused_unopened_unless_asked_for(
        self, matrix_of: MatrixOf, box: Path, model: Callable[[str], None], location: str
    ) -> None:
        model(location.format(outside=box.parent))
        (box / "link.bin").symlink_to("../w.bin")
        (box / "up").symlink_to("..")
        with opened(box.parent) as files:
            assert_refused(matrix_of("m.onnx#w"), "E404")
            assert files == []
            assert_read(matrix_of("m.onnx#w", "--allow-outside"))
            assert files != []

    @pytest.mark.parametrize("kind", ["pipe", "folder", "nothing"])
    def test_17_data_that_are_no_file_are_refused(
        self, matrix_of: MatrixOf, box: Path, model: Callable[[str], None], kind: str
    ) -> None:
        model("data.bin")
        if kind == "pipe":
            os.mkfifo(box / "data.bin")
        elif kind == "folder":
            (box / "data.bin").mkdir()
        assert_refused(matrix_of("m.onnx#w"), "E401")
