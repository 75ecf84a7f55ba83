"""convt deps: a rule that make itself reads as it was meant, so that what is made from a spec is
made again when a weight file is newer; file names that make cannot be told are refused.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Outcome, Run, WriteSpec, assert_quiet, assert_refused

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")

SEVERAL = """
    input: [1, 8]
    layers:
      - {type: conv, out_channels: 1, kernel_size: 3, weight: b.npz#one, bias: a.npy}
      - {type: conv, out_channels: 1, kernel_size: 3, weight: {fill: ones}, bias: b.npz#two}
      - {type: relu}
      - {type: conv, out_channels: 1, kernel_size: 3, weight: [[[1, 2, 3]]], bias: [1]}
      - {type: conv_transpose, out_channels: 1, kernel_size: 3, weight: c.npy, bias: a.npy}
    """

OLD, BETWEEN, NEWER = 1000, 2000, 3000
"""Times of files, none in the future, as make would warn of that."""

PLAIN = [
    *("w.npy", "a b.npy", " a.npy", "a  b.npy", "include", "export.npy", "a\u3000b.npy"),
    *("a:b.npy", "-w.npy", "a,b.npy", "a@b.npy", "a+b.npy", "{a,b}.npy", "a^b.npy", "a!b.npy"),
    *("é日.npy", "x" * 200 + ".npy", "a\u00a0b.npy", "MAKE.npy", "..npy"),
]
"""File names that a rule can hold."""

HARD = [
    *("a%b.npy", "%.npy", "a;b.npy", "a|b.npy", "|.npy", "a=b.npy", "a?b.npy", "a*b.npy"),
    *("a[b].npy", "a\\b.npy", "a\\ b.npy", "a\\\\ b.npy", "~a.npy", "lib(m.npy)", "$(x).npy"),
    *("a&b.npy", 'a"b.npy', "a'b.npy", "a<b.npy", "a:=b.npy", "w\\", "\\%.npy", "a\\$b.npy"),
    *("a$b.npy", "$$.npy", "$@.npy", "$x y$.npy", "a`b.npy", ".PHONY", ".WAIT"),
    *("a\tb.npy", "a\nb.npy", "a\rb.npy", "a\x1bb.npy"),
]
"""File names that mean something else to make, or nothing: written correctly, or refused."""


def with_weight(name: str) -> str:
    """A spec whose layer's weight is this file."""
    layer = {"type": "conv", "out_channels": 1, "kernel_size": 1, "weight": name}
    return json.dumps({"input": [1, 4], "layers": [layer]}, ensure_ascii=False)


def needs_remaking() -> bool:
    """Whether make would make `out`, whose prerequisites stand in rules.d; fails if it cannot."""
    Path("Makefile").write_text("out:\n\t@touch out\ninclude rules.d\n", encoding="utf-8")
    done = subprocess.run(["make", "-q", "out"], capture_output=True, check=False)
    assert done.stderr == b""
    assert done.returncode in (0, 1)
    return done.returncode == 1


def set_time(seconds: int, *names: str) -> None:
    for name in names:
        os.utime(name, (seconds, seconds))


def is_remade_after(name: str) -> bool:
    """Whether make would make `out` once this file is newer; it is old again afterwards."""
    set_time(NEWER, name)
    found = needs_remaking()
    set_time(OLD, name)
    return found


def assert_remade_after(*names: str) -> None:
    """Make leaves `out` alone until one of the files, whichever it is, is newer."""
    Path("out").touch()
    set_time(OLD, *names)
    set_time(BETWEEN, "out")
    assert not needs_remaking()
    assert [name for name in names if not is_remade_after(name)] == []


def assert_rules_or_refused(outcome: Outcome, *names: str) -> None:
    """A rule that works for these files, or a refusal with its code."""
    if outcome.status == 2:
        assert_refused(outcome, "E503")
        assert outcome.err.replace("\n", "").isprintable()
        assert not Path("rules.d").exists()
    else:
        assert_quiet(outcome)
        assert_remade_after(*names)


@needs_make
class TestMake:
    def test_every_weight_file_and_the_spec_count(self, run: Run, spec: WriteSpec) -> None:
        for name in ("a.npy", "b.npz", "c.npy"):
            Path(name).touch()
        assert_quiet(run("deps", spec(SEVERAL), "--target", "out", "-o", "rules.d"))
        assert_remade_after("net.yaml", "a.npy", "b.npz", "c.npy")

    @pytest.mark.parametrize("name", PLAIN, ids=ascii)
    def test_a_weight_file_can_have_any_plain_name(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        Path(name).touch()
        assert_quiet(run("deps", spec(with_weight(name)), "--target", "out", "-o", "rules.d"))
        assert_remade_after("net.yaml", name)

    @pytest.mark.parametrize("name", [*PLAIN, "a#b.npy", "#.npy", "a #b.npy"], ids=ascii)
    def test_so_can_the_spec(self, run: Run, spec: WriteSpec, name: str) -> None:
        Path("w.bin").touch()
        spec(with_weight("w.bin"), name)
        assert_quiet(run("deps", "--target", "out", "-o", "rules.d", "--", name))
        assert_remade_after(name, "w.bin")

    @pytest.mark.parametrize("name", PLAIN, ids=ascii)
    def test_so_can_the_target(self, run: Run, spec: WriteSpec, name: str) -> None:
        Path("w.bin").touch()
        assert_quiet(run("deps", spec(with_weight("w.bin")), "--target", name, "-o", "rules.d"))
        Path("Makefile").write_text("include rules.d\n%:\n\t@:\n", encoding="utf-8")
        Path(name).touch()
        set_time(OLD, name)
        done = subprocess.run(["make", "-q", "--", name], capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (1, b"")

    @pytest.mark.parametrize("name", HARD, ids=ascii)
    def test_a_weight_file_with_a_name_that_means_something_is_right_or_refused(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        Path(name).touch()
        outcome = run("deps", spec(with_weight(name)), "--target", "out", "-o", "rules.d")
        assert_rules_or_refused(outcome, "net.yaml", name)

    @pytest.mark.parametrize("name", [*HARD, "a\\#b.npy"], ids=ascii)
    def test_so_is_such_a_spec(self, run: Run, spec: WriteSpec, name: str) -> None:
        Path("w.bin").touch()
        spec(with_weight("w.bin"), name)
        outcome = run("deps", "--target", "out", "-o", "rules.d", "--", name)
        assert_rules_or_refused(outcome, name, "w.bin")

    @pytest.mark.parametrize("folder_name", ["sub", "a b", "sub/deeper"])
    def test_weights_lie_beside_a_spec_that_lies_elsewhere(
        self, run: Run, spec: WriteSpec, folder: Path, folder_name: str
    ) -> None:
        (folder / folder_name).mkdir(parents=True)
        (folder / folder_name / "w.npy").touch()
        path = f"{folder_name}/net.yaml"
        spec(with_weight("w.npy"), path)
        assert_quiet(run("deps", path, "--target", "out", "-o", "rules.d"))
        assert_remade_after(path, f"{folder_name}/w.npy")

    def test_a_weight_file_may_be_missing_while_the_rule_is_printed(
        self, run: Run, spec: WriteSpec
    ) -> None:
        assert_quiet(run("deps", spec(with_weight("w.npy")), "--target", "out", "-o", "rules.d"))
        Path("w.npy").touch()
        assert_remade_after("net.yaml", "w.npy")


class TestRule:
    def test_names_each_file_once_in_order(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("deps", spec(SEVERAL))
        assert (outcome.status, outcome.err) == (0, "")
        assert outcome.out == "net.yaml: b.npz a.npy c.npy\n"

    def test_has_the_targets_that_were_asked_for(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("deps", spec(SEVERAL), "--target", "C.npz", "--target", "build/y.npy")
        needed = "net.yaml b.npz a.npy c.npy"
        assert outcome.out == f"C.npz: {needed}\nbuild/y.npy: {needed}\n"

    def test_without_weight_files_has_nothing_behind_it(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("deps", spec("input: [1, 4]\nlayers: [{type: relu}]"))
        assert (outcome.status, outcome.out, outcome.err) == (0, "net.yaml:\n", "")

    @pytest.mark.parametrize(
        "case",
        [
            ("sub/net.yaml", "w.npy", "sub/w.npy"),
            ("./net.yaml", "./w.npy", "w.npy"),
            ("sub/net.yaml", "../w.npy", "w.npy"),
            ("net.yaml", "../w.npy", "../w.npy"),
            ("sub/net.yaml", "/tmp/w.npy", "/tmp/w.npy"),
            ("net.yaml", "sub/../w.npy", "w.npy"),
        ],
        ids=str,
    )
    def test_finds_the_weights_from_the_working_folder(
        self, run: Run, spec: WriteSpec, folder: Path, case: tuple[str, str, str]
    ) -> None:
        path, reference, file = case
        (folder / "sub").mkdir()
        spec(with_weight(reference), path)
        target, _, found = run("deps", path).out.rstrip("\n").partition(": ")
        assert (target, os.path.normpath(found)) == (path, file)

    def test_names_the_file_that_is_read_where_folders_are_links(
        self, run: Run, spec: WriteSpec, folder: Path
    ) -> None:
        (folder / "elsewhere" / "deep").mkdir(parents=True)
        (folder / "link").symlink_to("elsewhere/deep")
        (folder / "elsewhere" / "w.npy").touch()
        spec(with_weight("../w.npy"), "link/net.yaml")
        _, _, found = run("deps", "link/net.yaml").out.rstrip("\n").partition(": ")
        assert (folder / found).samefile(folder / "elsewhere" / "w.npy")

    def test_of_standard_input_does_not_depend_on_it(self, run: Run) -> None:
        outcome = run("deps", "-", "--target", "C.npz", stdin=with_weight("w.npy").encode())
        assert (outcome.status, outcome.out) == (0, "C.npz: w.npy\n")

    def test_reads_no_weight_and_follows_no_link(
        self, run: Run, spec: WriteSpec, folder: Path
    ) -> None:
        (folder / "w.npy").symlink_to("/dev/zero")
        assert run("deps", spec(with_weight("w.npy"))).out == "net.yaml: w.npy\n"


class TestRefused:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("input: [1, 4]\nlayers: 3", "E103"),
            ("input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 9}]", "E110"),
            ("input: [", "E002"),
        ],
    )
    def test_a_bad_spec_has_no_rule(
        self, run: Run, spec: WriteSpec, folder: Path, text: str, code: str
    ) -> None:
        outcome = run("deps", spec(text), "-o", "rules.d")
        assert code in outcome.codes
        assert (outcome.status, outcome.out) == (2, "")
        assert [path.name for path in folder.iterdir()] == ["net.yaml"]

    def test_an_existing_file_is_only_replaced_with_force(self, run: Run, spec: WriteSpec) -> None:
        Path("rules.d").write_bytes(b"old")
        assert_refused(run("deps", spec(SEVERAL), "-o", "rules.d"), "E403")
        assert Path("rules.d").read_bytes() == b"old"
        assert_quiet(run("deps", "net.yaml", "-o", "rules.d", "--force"))
        assert Path("rules.d").read_bytes() == b"net.yaml: b.npz a.npy c.npy\n"

    @pytest.mark.parametrize("name", ["a\nb", "a%b", "a=b", "a;b", "$(a)", ".PHONY"], ids=ascii)
    def test_so_is_a_target_that_make_cannot_be_told(
        self, run: Run, spec: WriteSpec, name: str
    ) -> None:
        assert_refused(run("deps", spec(SEVERAL), "--target", name), "E503")

    def test_so_is_a_target_without_a_name(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("deps", spec(SEVERAL), "--target", "")
        assert (outcome.status, outcome.out) == (2, "")

    def test_two_specs_are_a_wrong_use(self, run: Run, spec: WriteSpec) -> None:
        outcome = run("deps", spec(SEVERAL), "net.yaml")
        assert (outcome.status, outcome.out) == (2, "")
        assert "Usage: convt deps" in outcome.err
