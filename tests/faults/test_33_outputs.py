"""Outputs that are inputs or one another by any name, and several outputs of which one fails.

They are refused before anything is computed, with --force too, and every file is what it was.
Several outputs are published together or not at all: whichever call to the system fails, and
wherever a signal comes.
"""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from convt_cli.errors import ArrayError, FileError
from convt_cli.io.conflicts import one_command
from convt_cli.io.reading import open_regular
from convt_cli.io.writing import output, outputs, require_writable
from tests.conftest import Outcome, Run, assert_refused, command_line, environment
from tests.faults.calls import Failing, watched
from tests.faults.outputs import NEEDS, write_inputs
from tests.faults.rows import trying
from tests.faults.test_05_signals import EndAt, Ended
from tests.files.samples import code_of

OLD = b"what stood there before"
NEW = (b"one new file", b"another new file")

NEEDS_ONNX, NEEDS_SHEET = NEEDS["import"], NEEDS["--sheet"]

NAMES_M = """\
input: [3, 8, 8]
layers: [{type: conv, out_channels: 8, kernel_size: 3, weight: m.onnx#w, bias: false}]
"""
"""A spec whose weight is in a model, which keeps it in w.bin."""


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    write_inputs(folder)
    (folder / "cfg").mkdir()
    for name in ("net.yaml", "w.npy"):
        (folder / "cfg" / name).write_bytes((folder / name).read_bytes())
    y = np.load("y.npy")
    np.savez("all.npz", a=y, b=np.arange(3))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in the folder or below it."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


# --- an output that is an input ---------------------------------------------------------------

INPUTS = {
    "the array": ("apply net.yaml y.npy -o", "y.npy"),
    "a text array": ("apply net.yaml y.csv -o", "y.csv"),
    "by matrix": ("apply net.yaml y.npy --method matrix -o", "y.npy"),
    "the weight": ("apply net.yaml y.npy -o", "w.npy"),
    "an archive's other array": ("apply net.yaml all.npz#a -o", "all.npz#y"),
    "an archive": ("apply net.yaml all.npz#a -o", "all.npz"),
    "what is inverted": ("invert net.yaml y.npy -o", "y.npy"),
    "the image": ("reconstruct deep.yaml image.npy --layer last -o", "image.npy"),
    "the image's place": (
        "stimulus deep.yaml --layer last --unit 1,1,1 --at image.npy -o",
        "image.npy",
    ),
    "a spec": ("shapes net.yaml -o", "net.yaml"),
    "a checked spec": ("check net.yaml --format json -o", "net.yaml"),
    "the second spec": ("table deep.yaml net.yaml -o", "net.yaml"),
    "a spec of deps": ("deps net.yaml -o", "net.yaml"),
    "a spec of compare": ("compare net.yaml -o", "net.yaml"),
    "a spec of verify": ("verify net.yaml -o", "net.yaml"),
    "a spec of analyze": ("analyze net.yaml --format json -o", "net.yaml"),
    "a folder's spec": ("shapes cfg --format json -o", "cfg/net.yaml"),
    "a folder's weight": ("verify cfg net.yaml --format json -o", "cfg/w.npy"),
    "a weight that is not read": ("shapes net.yaml --format json -o", "w.npy"),
    "a weight of deps": ("deps net.yaml -o", "w.npy"),
}
"""A command, and the input of its that is to be its output."""


def other_names(name: str, ready: Path) -> list[str]:
    """The file by other names, some of them made for that; what follows a # is kept."""
    path, mark, key = name.partition("#")
    suffix = Path(path).suffix
    Path(f"symbolic{suffix}").symlink_to(path)
    Path(f"second{suffix}").symlink_to(f"symbolic{suffix}")
    os.link(path, f"hard{suffix}")
    Path("way").symlink_to(ready)
    names = [
        path,
        f"symbolic{suffix}",
        f"second{suffix}",
        f"hard{suffix}",
        f"./../{ready.name}/{path}",
        f"way/{path}",
        str(ready / path),
    ]
    if Path("/proc/self/cwd").exists():
        names.append(f"/proc/self/cwd/{path}")
    return [name + mark + key for name in names]


COMPUTING = (
    "analysis.invert.invert",
    "analysis.backward.reconstruct.reconstruct",
    "analysis.singular.values.singular_values",
    "analysis.backward.stimulus.stimulus",
    "analysis.verify.verify_layer",
    "operators.matrix_free.MatrixFree.__init__",
    "operators.functions.apply",
)
"""What computes, by the commands above."""


@pytest.mark.parametrize("case", INPUTS)
def test_33_an_output_that_is_an_input_by_any_name_is_refused_before_anything_is_computed(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    def computed(*_: object, **__: object) -> None:
        pytest.fail("something was computed")

    for name in COMPUTING:
        monkeypatch.setattr(f"convt_cli.{name}", computed)
    command, name = INPUTS[case]
    names = other_names(name, ready)
    before = contents(ready)
    for other in names:
        with trying(other):
            assert_refused(run(*command.split(), other), "E403")
            assert_refused(run(*command.split(), other, "--force"), "E406")
            assert contents(ready) == before


def save_model_with_data() -> None:
    """A model whose weight is in w.bin."""
    onnx = pytest.importorskip("onnx")
    model = onnx.load("m.onnx")
    onnx.save(model, "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0)


@NEEDS_ONNX
@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("import m.onnx", "m.onnx"),
        ("import m.onnx", "w.bin"),
        ("shapes names_m.yaml", "m.onnx"),
        ("analyze names_m.yaml --format json", "w.bin"),
    ],
)
def test_33_a_model_and_its_data_are_inputs(
    run: Run, ready: Path, command: str, target: str
) -> None:
    save_model_with_data()
    Path("names_m.yaml").write_text(NAMES_M, encoding="utf-8")
    before = contents(ready)
    assert_refused(run(*command.split(), "-o", target, "--force"), "E406")
    assert contents(ready) == before


def redirected(script: str, *command: str) -> Outcome:
    """convt with its streams as a shell's script has them."""
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {script}', "sh", *command_line(*command)],
        env=environment(OPENBLAS_NUM_THREADS="1"),
        capture_output=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("command", "script"),
    [
        ("apply net.yaml - -o y.npy --force", "<y.npy"),
        ("apply - y.npy -o y.npy --force", "<net.yaml"),
        ("shapes - -o net.yaml --force", "<net.yaml"),
        ("apply net.yaml y.npy -o -", ">>y.npy"),
        ("apply net.yaml - -o -", "<y.npy >>y.npy"),
        ("shapes net.yaml", ">>net.yaml"),
        ("invert net.yaml y.npy -o new.npy", ">>w.npy"),
        ("apply net.yaml y.npy -o link.npy", "3>>y.npy"),
    ],
)
def test_33_a_redirected_stream_is_the_file_behind_it(
    ready: Path, command: str, script: str
) -> None:
    Path("link.npy").symlink_to("/dev/fd/3")
    before = contents(ready)
    assert_refused(redirected(script, *command.split()), "E406")
    assert contents(ready) == before


def test_33_an_input_that_comes_to_the_target_s_place_meanwhile_is_kept(tmp_path: Path) -> None:
    source, target = tmp_path / "x", tmp_path / "y"
    source.write_bytes(OLD)

    def command() -> None:
        with one_command(), open_regular(str(source)), output(str(target), force=True) as file:
            file.write(NEW[0])
            source.rename(target)

    with pytest.raises(FileError) as caught:
        command()
    assert caught.value.code == "E406"
    assert contents(tmp_path) == {"y": OLD}


def test_33_each_command_has_inputs_of_its_own(run: Run, ready: Path) -> None:
    assert run("apply", "net.yaml", "y.npy", "-o", "x.npy", "--force").status == 0
    assert run("stimulus", "net.yaml", "--layer", "conv1", "--unit", "0,0,0", "-o", "y.npy").codes
    assert run("apply", "net.yaml", "x.npy", "--forward", "-o", "y.npy", "--force").status == 0


# --- two outputs that are one -----------------------------------------------------------------

PICTURE = b"a picture, which takes long to draw"
BOTH = ("reconstruct", "deep.yaml", "image.npy", "--layer", "last")


@NEEDS_SHEET
@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
@pytest.mark.parametrize(
    ("array", "sheet"),
    [
        ("z.npy", "z.npy"),
        ("z.npy", "./z.npy"),
        ("z.npy", "way/z.npy"),
        ("z.npy", "link.npy"),
        ("z.npz#a", "z.npz"),
        ("-", "-"),
    ],
)
def test_33_two_outputs_are_not_one_file(
    run: Run, ready: Path, array: str, sheet: str, before: bytes | None
) -> None:
    Path("way").symlink_to(ready)
    Path("link.npy").symlink_to("z.npy")
    for name in ("z.npy", "z.npz"):
        if before is not None:
            Path(name).write_bytes(before)
    kept = contents(ready)
    assert_refused(run(*BOTH, "-o", array, "--sheet", sheet, "--force"), "E406")
    assert contents(ready) == kept


@pytest.mark.skipif(not Path("/dev/null").exists(), reason="there is no /dev/null")
def test_33_two_outputs_may_both_be_thrown_away() -> None:
    require_writable("/dev/null", "/dev/null", force=False)


def test_33_names_that_differ_for_convt_and_not_for_the_disk_are_found_in_time(
    tmp_path: Path,
) -> None:
    """As Z and z do on some file systems; here the second becomes a link to the first."""
    paths = [str(tmp_path / name) for name in "ab"]

    def command() -> None:
        with outputs(paths, force=True) as files:
            for file, content in zip(files, NEW):
                file.write(content)
            Path(paths[1]).symlink_to("a")

    with pytest.raises(FileError) as caught:
        command()
    assert caught.value.code == "E406"
    assert contents(tmp_path) == {}


# --- several outputs ---------------------------------------------------------------------------


def write_both(folder: Path, *, force: bool) -> None:
    with outputs([str(folder / name) for name in "ab"], force=force) as files:
        for file, content in zip(files, NEW):
            file.write(content)


Found = tuple[bytes | None, bytes | None]


def put_both(folder: Path, before: Found) -> None:
    for name, content in zip("ab", before):
        put(folder / name, content)


def found_in(folder: Path) -> Found:
    """The contents of both outputs; nothing else is there."""
    found = contents(folder)
    assert set(found) <= {"a", "b"}
    return found.get("a"), found.get("b")


BEFORE = [
    pytest.param((None, None), id="none"),
    pytest.param((OLD, None), id="the first"),
    pytest.param((None, OLD), id="the second"),
    pytest.param((OLD, OLD + OLD), id="both"),
]


SLOW_BUT_FOR_ONE = [
    pytest.param(*one.values, id=one.id, marks=[] if one.id == "both" else pytest.mark.slow)
    for one in BEFORE
]


class Unlinking(Failing):
    """A file system without hard links, and one of the other calls fails."""

    def __call__(self, name: str) -> None:
        if name == "link":
            raise PermissionError(errno.EPERM, "no links here")
        super().__call__(name)


@pytest.mark.parametrize("calls", [Failing, Unlinking], ids=["links", "no links"])
@pytest.mark.parametrize("before", BEFORE)
def test_33_whichever_call_fails_both_are_old_or_both_are_new(
    tmp_path: Path, before: Found, calls: Callable[[int, int], Failing]
) -> None:
    failed = []
    for call in range(100):
        put_both(tmp_path, before)
        failing = calls(call, errno.EIO)
        with watched(failing):
            code = code_of(lambda: write_both(tmp_path, force=before != (None, None)))
        assert (code, found_in(tmp_path)) in [("E402", before), ("read", NEW)]
        if len(failing.names) <= call:
            break
        if code == "E402":
            failed.append(failing.names[call])
    assert {"open", "write", "fsync", "close"} <= set(failed)
    assert {"link", "replace"} & set(failed)
    assert len(failed) >= 10


def ended_at(instruction: int, folder: Path, *, force: bool) -> bool:
    """Whether writing both came to that instruction, at which a signal ended it."""
    tracing = sys.gettrace()
    try:
        sys.settrace(EndAt(instruction))
        write_both(folder, force=force)
    except Ended:
        return True
    finally:
        sys.settrace(tracing)
    return False


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of a file that nobody was there to close
@pytest.mark.parametrize("before", SLOW_BUT_FOR_ONE)
def test_33_between_any_two_instructions_a_signal_leaves_both_old_or_both_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: Found
) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # it takes most of the time
    found = []
    instruction, ended = 0, True
    while ended:
        put_both(tmp_path, before)
        ended = ended_at(instruction, tmp_path, force=before != (None, None))
        found.append(found_in(tmp_path))
        instruction += 1
    assert set(found) == {before, NEW}
    assert found[-1] == NEW
    assert len(found) > 100


@pytest.mark.parametrize("name", "ab")
def test_33_a_target_that_appears_meanwhile_stops_both(tmp_path: Path, name: str) -> None:
    def command() -> None:
        with outputs([str(tmp_path / one) for one in "ab"], force=False) as files:
            files[0].write(NEW[0])
            (tmp_path / name).write_bytes(OLD)

    with pytest.raises(FileError) as caught:
        command()
    assert caught.value.code == "E403"
    assert contents(tmp_path) == {name: OLD}


def test_33_what_cannot_be_put_back_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk fails after the first of two files was replaced, and goes on failing."""
    replace, calls = os.replace, []

    def once(source: str, target: str) -> None:
        calls.append(source)
        if len(calls) > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        replace(source, target)

    put_both(tmp_path, (OLD, OLD))
    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(FileError, match="cannot put back") as caught:
        write_both(tmp_path, force=True)
    (kept,) = tmp_path.glob(".convt-*.tmp")
    assert str(kept) in caught.value.help
    assert kept.read_bytes() == OLD


def test_33_an_error_while_they_are_written_leaves_neither(tmp_path: Path) -> None:
    def command() -> None:
        with outputs([str(tmp_path / one) for one in "ab"], force=False) as files:
            files[0].write(NEW[0])
            raise ArrayError("E304", "the result does not fit")

    with pytest.raises(ArrayError):
        command()
    assert contents(tmp_path) == {}


@NEEDS_SHEET
@pytest.mark.parametrize("before", [OLD, None], ids=["old", "none"])
def test_33_a_command_with_two_outputs_writes_both_or_neither(
    run: Run, ready: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    monkeypatch.setattr("convt_cli.render.pictures.sheet", lambda _: PICTURE)
    names = ("p.npy", "p.png")
    command = (*BOTH, "-o", names[0], "--sheet", names[1], *(["--force"] if before else []))
    others = contents(ready)
    failed = []
    for call in range(100):
        for name in names:
            put(Path(name), before)
        failing = Failing(call, errno.EIO)
        with watched(failing):
            outcome = run(*command)
        found = contents(ready)
        written = {name: found.pop(name, None) for name in names}
        assert found == others
        if outcome.status == 0:
            assert_array_and_picture(written)
        else:
            assert outcome.codes == ["E402"]
            assert written == dict.fromkeys(names, before)
            failed.append(failing.names[call])
        if len(failing.names) <= call:
            break
    assert len(failed) >= 10


def put(path: Path, content: bytes | None) -> None:
    """Let `path` hold `content`, or not be there."""
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)


def assert_array_and_picture(written: dict[str, bytes | None]) -> None:
    array, picture = (content or b"" for content in written.values())
    assert np.load(BytesIO(array)).shape == (3, 8, 8)
    assert picture == PICTURE


@NEEDS_SHEET
@pytest.mark.parametrize(
    ("array", "sheet"), [("p.npy", "none/p.png"), ("none/p.npy", "p.png"), ("p.csv", "p.png")]
)
def test_33_where_one_cannot_be_written_the_other_is_not(
    run: Run, ready: Path, array: str, sheet: str
) -> None:
    before = contents(ready)
    outcome = run(*BOTH, "-o", array, "--sheet", sheet)
    assert outcome.status == 2
    assert contents(ready) == before


# --- streams that are open already ------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="there is no /dev/fd")
@pytest.mark.parametrize(
    ("target", "script", "force"),
    [
        ("/dev/stdout", ">>log", False),
        ("/dev/fd/1", ">>log", True),
        ("/proc/self/fd/1", ">>log", False),
        ("/dev/stderr", "2>>log", True),
        ("/dev/fd/3", "3>>log", False),
        ("/dev/fd/3", "3>>log", True),
        ("link", ">>log", True),
        ("link", ">>log", False),
    ],
)
def test_33_a_stream_that_is_open_is_written_where_it_stands(
    run: Run, ready: Path, target: str, script: str, force: bool
) -> None:
    Path("log").write_bytes(OLD)
    Path("link").symlink_to("/dev/stdout")
    number = os.stat("log").st_ino
    command = ("shapes", "net.yaml", "--format", "csv")
    expected = run(*command).stdout
    outcome = redirected(script, *command, "-o", target, *(["--force"] if force else []))
    assert (outcome.status, outcome.out, outcome.err) == (0, "", "")
    assert Path("log").read_bytes() == OLD + expected
    assert os.stat("log").st_ino == number


@pytest.mark.parametrize("target", ["link.npy", "-"])
def test_33_what_is_said_of_an_array_does_not_mix_with_it(
    run: Run, ready: Path, target: str
) -> None:
    Path("link.npy").symlink_to("/dev/stdout")
    assert run("invert", "net.yaml", "y.npy", "-o", "new.npy").status == 0
    outcome = redirected(">log", "invert", "net.yaml", "y.npy", "-o", target)
    assert outcome.status == 0
    assert Path("log").read_bytes() == Path("new.npy").read_bytes()


@pytest.mark.parametrize("target", ["/dev/fd/9", "/dev/stdin"])
def test_33_a_descriptor_that_cannot_be_written_is_refused(ready: Path, target: str) -> None:
    before = contents(ready)
    outcome = redirected("<y.npy 9<&-", "shapes", "net.yaml", "-o", target, "--force")
    assert_refused(outcome, "E402")
    assert contents(ready) == before
