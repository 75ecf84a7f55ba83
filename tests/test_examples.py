"""The examples do what they say: the walkthrough's claims hold, and make makes what has changed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from convt_cli import load_spec, reconstruct
from tests.conftest import environment
from tests.docs import ROOT

CONFIG = "lenet5"
"""One config is enough for what make does; all of them take some seconds."""

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
needs_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


def copied(folder: Path) -> Path:
    """The configs and the examples, nothing built, copied into `folder`."""
    for name in ("configs", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("build"))
    return folder


def variables() -> dict[str, str]:
    """The variables of a process that finds convt, and knows of no make around it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**environment(PATH=path), "MAKEFLAGS": "", "MAKELEVEL": ""}


def run(project: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=project, env=variables(), capture_output=True, text=True, check=False
    )


def make(project: Path, *arguments: str) -> str:
    """What make prints; it ends well."""
    done = run(project, "make", "-C", "examples", *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return done.stdout


def built(project: Path) -> dict[str, bytes]:
    """Name and content of all that the build folder holds."""
    folder = project / "examples" / "build"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def remade(project: Path, *arguments: str) -> set[str]:
    """The names of the results that make replaces."""
    folder = project / "examples" / "build"
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    make(project, *arguments)
    return {path.name for path in folder.iterdir() if path.stat().st_mtime_ns != before[path.name]}


def assert_nothing_to_do(project: Path) -> None:
    assert run(project, "make", "-C", "examples", "--question").returncode == 0
    assert "Nothing to be done" in make(project)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy with one config, in which make has run."""
    project = copied(tmp_path_factory.mktemp("finished"))
    for path in (project / "configs").iterdir():
        if path.stem != CONFIG:
            path.unlink()
    make(project)
    return project


@pytest.fixture
def project(finished: Path, tmp_path: Path) -> Path:
    """`finished`, once more."""
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_every_claim_of_the_walkthrough_holds(tmp_path: Path) -> None:
    script = "examples/walkthrough.py"
    done = run(copied(tmp_path), sys.executable, "-W", "error", script)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("C is 9 by 25, 49 of its 225 entries stored\n")


def test_the_face_detector_scores_as_it_does_in_tensorflow_lite() -> None:
    network = load_spec(ROOT / "examples" / "blazeface.yaml")
    face = np.load(ROOT / "examples" / "face.npy")
    for layer, unit, score in (("score16", (1, 7, 7), 0.78340), ("score8", (0, 3, 4), 2.48777)):
        (kept,) = reconstruct(network, face, layer=layer, channel=unit[0]).kept
        assert kept.activation == pytest.approx(score, abs=2e-4)
        found = reconstruct(network, face, layer=layer, unit=unit)
        assert found.kept[0].activation == kept.activation


def test_what_the_face_detector_sees_of_a_photograph_is_the_face() -> None:
    """Of the guided picture of its score more than nine tenths lie in the quarter with the face."""
    network = load_spec(ROOT / "examples" / "blazeface.yaml")
    face = np.load(ROOT / "examples" / "face.npy")
    found = reconstruct(network, face, layer="score8", unit=(0, 3, 4), rule="guided")
    energy = (found.pictures[0].astype(np.float64) ** 2).sum(0)
    assert energy[36:100, 32:96].sum() > 0.9 * energy.sum()


def test_the_pictures_of_the_faces_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = run(copied(tmp_path), "sh", "examples/faces.sh")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "build" / "face.png").read_bytes().startswith(b"\x89PNG")
    assert np.load(tmp_path / "build" / "face.npy").shape == (8, 3, 128, 128)


@needs_jq
def test_the_questions_put_with_jq_are_answered(tmp_path: Path) -> None:
    done = run(copied(tmp_path), "sh", "examples/shapes_with_jq.sh")
    assert (done.returncode, done.stderr) == (0, "")
    answers = [answer.splitlines() for answer in done.stdout.split("\n\n")]
    assert [len(answer) for answer in answers] == [4, 5, 9, 5, 2, 4, 1]
    refusal = (
        "the window must fit into the padded input: a window of 3 over 2 + 0 + 0 = 2 on axis 0"
    )
    assert [answer[0] for answer in answers] == [
        "lenet-5: 61706 parameters",
        "fc6 (linear): 102764544, 74%",
        "enc1_1 grows from [[1,572,572]] to [64,570,570]",
        "conv1: 0.1%",
        f"configs/alexnet.yaml: pool2: {refusal}",
        "kernel_size 2, padding 0, output_padding 0",
        "configs/resnet50.yaml is within the budget",
    ]


def test_the_readme_of_the_examples_lists_every_file() -> None:
    text = (ROOT / "examples" / "README.md").read_text(encoding="utf-8")
    names = {path.name for path in (ROOT / "examples").iterdir() if path.is_file()}
    assert {name for name in names if f"\n| `{name}` |" not in text} == {"README.md"}
    assert all(line.split("`")[1] in names for line in text.splitlines() if line.startswith("| `"))


@needs_make
class TestMake:
    def test_it_makes_two_tables_of_every_spec_and_the_arrays(self, finished: Path) -> None:
        specs = (CONFIG, "blazeface", "edges", "guide", "stem", "strided_same")
        tables = {f"{name}.{kind}.md" for name in specs for kind in ("shapes", "table")}
        assert built(finished).keys() == tables | {
            "checked",
            "edges.d",
            "C.npz",
            "y.npy",
            "back.npy",
        }

    def test_the_arrays_are_c_on_the_image_and_its_transpose(self, finished: Path) -> None:
        from scipy.sparse import load_npz

        folder = finished / "examples"
        matrix = load_npz(folder / "build" / "C.npz")
        image = np.load(folder / "coffee.npy")
        y, back = (np.load(folder / "build" / name) for name in ("y.npy", "back.npy"))
        assert (y.shape, back.shape) == ((4, 62, 62), (3, 64, 64))
        assert np.array_equal(matrix @ image.ravel(), y.ravel())
        assert np.array_equal(matrix.T @ y.ravel(), back.ravel())

    def test_a_second_make_has_nothing_to_do(self, project: Path) -> None:
        assert_nothing_to_do(project)

    def test_two_jobs_make_the_same_bytes(self, project: Path, finished: Path) -> None:
        make(project, "clean")
        assert not (project / "examples" / "build").exists()
        make(project, "-j2")
        assert built(project) == built(finished)
        assert_nothing_to_do(project)

    def test_a_new_weight_file_makes_the_arrays_again(self, project: Path) -> None:
        (project / "examples" / "sobel.npy").touch()
        assert remade(project) == {"C.npz", "y.npy", "back.npy"}
        assert_nothing_to_do(project)

    def test_a_new_image_makes_no_new_matrix(self, project: Path) -> None:
        (project / "examples" / "coffee.npy").touch()
        assert remade(project) == {"y.npy", "back.npy"}

    def test_a_new_config_makes_its_tables_again(self, project: Path) -> None:
        (project / "configs" / "lenet5.yaml").touch()
        assert remade(project) == {"checked", "lenet5.shapes.md", "lenet5.table.md"}

    def test_a_spec_that_names_another_file_depends_on_that_one(self, project: Path) -> None:
        folder = project / "examples"
        (folder / "sobel.npy").rename(folder / "filters.npy")
        text = (folder / "edges.yaml").read_text().replace("sobel.npy", "filters.npy")
        (folder / "edges.yaml").write_text(text)
        assert {"edges.d", "C.npz", "y.npy", "back.npy"} < remade(project)
        (folder / "filters.npy").touch()
        assert remade(project) == {"C.npz", "y.npy", "back.npy"}

    def test_a_spec_that_fails_is_checked_until_it_is_mended(self, project: Path) -> None:
        spec = project / "configs" / "lenet5.yaml"
        text = spec.read_text()
        spec.write_text(text.replace("expect: [6, 28, 28]", "expect: [6, 29, 29]"))
        for _ in range(2):
            done = run(project, "make", "-C", "examples", "check")
            assert done.returncode == 2
            assert "error[E201]: the output of c1 must be as expected" in done.stdout
        spec.write_text(text)
        assert "checked 1 spec: no problems" in make(project, "check")

    @pytest.mark.parametrize(
        ("number", "files"),
        [
            pytest.param(signal.SIGINT, 3, id="interrupted"),
            pytest.param(signal.SIGTERM, 5, id="terminated", marks=pytest.mark.slow),
            pytest.param(signal.SIGKILL, 4, id="killed-early", marks=pytest.mark.slow),
            pytest.param(signal.SIGKILL, 9, id="killed-late", marks=pytest.mark.slow),
        ],
    )
    def test_what_an_interrupted_make_has_made_is_whole(
        self, project: Path, finished: Path, number: signal.Signals, files: int
    ) -> None:
        make(project, "clean")
        folder = project / "examples" / "build"
        with subprocess.Popen(
            ["make", "-C", "examples", "-j2"],
            cwd=project,
            env=variables(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as process:
            while process.poll() is None and len(list(folder.glob("*"))) < files:
                time.sleep(0.01)
            os.killpg(process.pid, number)
        assert process.returncode != 0

        whole = built(finished)
        made = built(project)
        assert 0 < len(made) < len(whole)
        if number != signal.SIGKILL:
            assert made.keys() <= whole.keys()  # nor is a temporary file left
        assert {name for name in made.keys() & whole.keys() if made[name] != whole[name]} == set()
        make(project, "-j2")
        assert {name: built(project)[name] for name in whole} == whole


@needs_make
@pytest.mark.slow
def test_make_takes_every_config(tmp_path: Path) -> None:
    project = copied(tmp_path)
    make(project, "-j2")
    assert_nothing_to_do(project)
    assert {f"{path.stem}.shapes.md" for path in (ROOT / "configs").iterdir()} < set(built(project))
