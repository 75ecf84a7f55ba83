"""Variables of any content, and a matplotlibrc: no traceback, and the same bytes."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import cycle
from pathlib import Path

import pytest

from convt_cli.errors import shown
from convt_cli.io import environment as door
from tests.commands.test_streams import on_terminal
from tests.conftest import PACKAGE, Outcome, Run, Shell, environment
from tests.faults.outputs import SAID, STREAMS, write_inputs
from tests.faults.rows import trying

ZFNET = str(PACKAGE.parent / "configs" / "zfnet.yaml")
ODD = ["", " ", "0", "-1", "x", "²", "٣", "1e3", "9" * 5000, "1,2", "\x1b[31m", "é", "\udcff", "%s"]
"""Texts that are numbers to some who read them, or to none."""
NUMBERS = ["COLUMNS", "LINES", "JUPYTER_COLUMNS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS",
           "MKL_NUM_THREADS", "NUMPY_MADVISE_HUGEPAGE"]  # fmt: skip
SWITCHES = [
    *("MPLBACKEND", "NPY_PROMOTION_STATE", "SCIPY_ARRAY_API", "UNICODE_VERSION", "TERM"),
    *("PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION", "FORCE_COLOR", "TTY_COMPATIBLE"),
]
PYTHONS_OWN = [
    {"PYTHONWARNINGS": "error"},
    {"PYTHONOPTIMIZE": "2"},
    {"PYTHONINTMAXSTRDIGITS": "640"},
    {"PYTHONUNBUFFERED": "1"},
    {"PYTHONUNBUFFERED": ""},
    {"PYTHONHASHSEED": "1"},
    {"PYTHONMALLOC": "debug"},
]


@pytest.fixture
def ready(folder: Path) -> Path:
    """The folder with what the commands read."""
    return write_inputs(folder)


def test_36_a_number_is_a_few_plain_digits_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ODD:
        with trying(text):
            monkeypatch.setenv("COLUMNS", text)
            assert door.integer("COLUMNS") == (0 if text == "0" else None)
            assert door.integer("COLUMNS", separator=",") == {"0": 0, "1,2": 1}.get(text)


@pytest.mark.parametrize("name", ["COLUMNS", "LINES", "JUPYTER_COLUMNS", "MPLBACKEND"])
def test_36_what_no_library_can_read_is_taken_away(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for text in ODD:
        with trying(text):
            monkeypatch.setenv(name, text)
            door.tidy()
            assert os.environ.get(name) == ("0" if text == "0" and name != "MPLBACKEND" else None)


@pytest.mark.parametrize(
    ("command", "text"),
    [("shapes net.yaml", "²"), ("analyze net.yaml", "é\udcff"), ("verify net.yaml", "9" * 5000)],
)
def test_36_no_variable_changes_a_byte(
    ready: Path, shell: Shell, run: Run, command: str, text: str
) -> None:
    env = dict.fromkeys([*NUMBERS, *SWITCHES], text)
    assert shell(*command.split(), env=env) == run(*command.split())


@pytest.mark.slow
@pytest.mark.parametrize("command", [*SAID[3::2], *STREAMS[::2]])
def test_36_nor_of_any_other_command(ready: Path, shell: Shell, run: Run, command: str) -> None:
    texts = cycle(["²", "9" * 5000, "", "-1"])
    env = dict(zip([*NUMBERS, *SWITCHES], texts))
    assert shell(*command.split(), env=env) == run(*command.split())


@pytest.mark.parametrize("columns", ["²", "9" * 5000, "99999"], ids=ascii)
def test_36_a_terminal_has_its_own_width_then(columns: str) -> None:
    expected = on_terminal(100, "shapes", ZFNET)
    assert on_terminal(100, "shapes", ZFNET, COLUMNS=columns, LINES=columns) == expected


@pytest.mark.parametrize("env", PYTHONS_OWN, ids=str)
def test_36_python_s_own_variables_change_no_byte(
    ready: Path, shell: Shell, run: Run, env: dict[str, str]
) -> None:
    """Of a command that loads NumPy and SciPy."""
    assert shell("matrix", "net.yaml", "-o", "-", env=env) == run("matrix", "net.yaml", "-o", "-")


@pytest.mark.parametrize("command", ["shapes net.yaml", "analyze net.yaml"])
def test_36_nor_do_all_of_them(ready: Path, shell: Shell, run: Run, command: str) -> None:
    env = dict(pair for one in PYTHONS_OWN for pair in one.items())
    assert shell(*command.split(), env=env) == run(*command.split())


# --- completion -------------------------------------------------------------------------------

WANTED = "_CONVT_COMPLETE"


@pytest.mark.parametrize(
    "env",
    [
        {WANTED: "bash_complete"},
        {WANTED: "zsh_complete", "COMP_WORDS": "convt sh"},
        {WANTED: "fish_complete", "COMP_WORDS": "convt sh"},
        {WANTED: "bash_complete", "COMP_WORDS": "convt sh", "COMP_CWORD": "²"},
        {WANTED: "bash_complete", "COMP_WORDS": "convt sh", "COMP_CWORD": "9" * 5000},
        {WANTED: "bash_"},
        {WANTED: "nonsense"},
        {WANTED: "tcsh_source"},
    ],
    ids=lambda env: "+".join(env) + env[WANTED],
)
def test_36_completions_that_no_shell_asks_for_are_refused(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch, env: dict[str, str]
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    outcome = run("--version")
    assert (outcome.status, outcome.codes, outcome.out) == (2, ["E503"], "")


@pytest.mark.parametrize(("shell_name", "word"), [("bash", "1"), ("zsh", "1"), ("fish", "sha")])
def test_36_those_that_a_shell_asks_for_are_given(
    folder: Path, shell: Shell, shell_name: str, word: str
) -> None:
    env = {WANTED: f"{shell_name}_complete", "COMP_WORDS": "convt sha", "COMP_CWORD": word}
    outcome = shell(env=env)
    assert (outcome.status, outcome.err) == (0, "")
    assert "shapes" in outcome.out


# --- pictures ---------------------------------------------------------------------------------

SHEET = ["reconstruct", "deep.yaml", "image.npy", "--layer", "last", "--sheet"]
OTHER_PICTURE = """
figure.facecolor: red
font.size: 30
axes.titlesize: 40
axes.titlecolor: red
savefig.bbox: tight
savefig.dpi: 50
font.family: serif
text.usetex: True
"""


@pytest.mark.parametrize(
    ("place", "content"),
    [
        ("here", OTHER_PICTURE.encode()),
        ("here", b"\xff\xfe"),
        ("MATPLOTLIBRC", OTHER_PICTURE.encode()),
        ("MPLCONFIGDIR", b"nonsense: 1\nfont.size: x\n"),
    ],
)
def test_36_a_picture_is_the_same_whatever_a_matplotlibrc_says(
    ready: Path, shell: Shell, run: Run, place: str, content: bytes
) -> None:
    pytest.importorskip("matplotlib")
    assert run(*SHEET, "plain.png").status == 0
    (ready / "rc").mkdir()
    folder = ready if place == "here" else ready / "rc"
    (folder / "matplotlibrc").write_bytes(content)
    env = {} if place == "here" else {place: str(folder)}
    outcome = shell(*SHEET, "other.png", env={**env, "MPLBACKEND": "foo"})
    assert (outcome.status, outcome.err) == (0, "")
    assert Path("other.png").read_bytes() == Path("plain.png").read_bytes()


def test_36_nor_does_it_matter_what_others_told_matplotlib(ready: Path, run: Run) -> None:
    matplotlib = pytest.importorskip("matplotlib")
    assert run(*SHEET, "plain.png").status == 0
    with matplotlib.rc_context({"figure.facecolor": "red", "axes.titlesize": 40}):
        assert run(*SHEET, "other.png").status == 0
        assert matplotlib.rcParams["axes.titlesize"] == 40
    assert Path("other.png").read_bytes() == Path("plain.png").read_bytes()


def test_36_the_working_folder_is_where_it_was(ready: Path) -> None:
    pytest.importorskip("matplotlib")
    code = "from convt_cli.render.pictures import require_sheet; import os; before = os.getcwd();"
    code += "require_sheet((1, 2, 3)); assert os.getcwd() == before; print('well')"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, check=False
    )
    assert done.stdout == b"well\n", done.stderr


# --- the same bytes ---------------------------------------------------------------------------


class Thing:
    """A value whose text says where it lies."""


@pytest.mark.parametrize(
    "value", [Thing(), [Thing()], test_36_completions_that_no_shell_asks_for_are_refused]
)
def test_36_no_message_says_where_a_value_lies(value: object) -> None:
    assert "0x" not in shown(value)
    assert shown(value).startswith(repr(value)[:6])


def test_36_nor_which_number_a_file_has(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        assert shown(f"cannot identify {file!r}") == "cannot identify <_io>"


@pytest.mark.parametrize(
    "command",
    ["check deep.yaml", "nonsense", "deps deep.yaml", "verify net.yaml", "import m.onnx -o -"],
)
def test_36_no_order_depends_on_the_seed_of_hashes(ready: Path, shell: Shell, command: str) -> None:
    if command.startswith("import"):
        pytest.importorskip("onnx")
    results: list[Outcome] = [
        shell(*command.split(), env={"PYTHONHASHSEED": seed}) for seed in ("0", "1", "2")
    ]
    assert results[0] == results[1] == results[2]
