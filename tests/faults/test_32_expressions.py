"""Expressions that are more than calls of modules with numbers: parsed, and never evaluated.

Each would make a folder called `song` if it were run, and the caret stands under the part that is
not allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from convt_cli.errors import SpecError
from convt_cli.spec.load import check_spec, load_spec
from tests.conftest import Run, Shell

SONG = "__import__('os').mkdir('song')"

# (expression, the code, what the caret is under)
NOT_ALLOWED = [
    (SONG, "E103", "__import__('os').mkdir"),
    ("__import__('os')", "E104", "__import__"),
    (f"nn.ReLU({SONG})", "E103", SONG),
    (f"nn.Conv2d(3, {SONG}, 3)", "E103", SONG),
    (f"nn.Conv2d(3, 8, 3, stride=(1, {SONG}))", "E103", SONG),
    (f"nn.Conv2d(3, 8, 3, padding=[{SONG}])", "E103", SONG),
    (f"[nn.ReLU(), {SONG}]", "E103", "__import__('os').mkdir"),
    (f"nn.ReLU(); x = {SONG}", "E103", f"x = {SONG}"),
    ("nn.ReLU(); import os", "E103", "import os"),
    (f"nn.ReLU() if {SONG} else nn.ReLU()", "E103", f"nn.ReLU() if {SONG} else nn.ReLU()"),
    (f"lambda: {SONG}", "E103", f"lambda: {SONG}"),
    (f"(lambda: {SONG})()", "E103", f"lambda: {SONG}"),
    (f"[nn.ReLU() for _ in {SONG}]", "E103", f"[nn.ReLU() for _ in {SONG}]"),
    ("{nn.ReLU() for _ in range(3)}", "E103", "{nn.ReLU() for _ in range(3)}"),
    ("nn.Sequential(nn.ReLU() for _ in range(3))", "E103", "(nn.ReLU() for _ in range(3))"),
    ("nn.Sequential(*[nn.ReLU()])", "E103", "*[nn.ReLU()]"),
    ("nn.Sequential(relu=nn.ReLU())", "E103", "relu=nn.ReLU()"),
    ("nn.Sequential(**{'relu': nn.ReLU()})", "E103", "**{'relu': nn.ReLU()}"),
    ("nn.Conv2d(3, 8, [k for k in (3, 3)])", "E103", "[k for k in (3, 3)]"),
    ("nn.Conv2d(*x)", "E103", "*x"),
    ("nn.Conv2d(3, 8, *(3,))", "E103", "*(3,)"),
    ("nn.Conv2d(**x)", "E101", "**x"),
    ("nn.Conv2d(3, 8, 3, **{'stride': 2})", "E101", "**{'stride': 2}"),
    ("nn.Conv2d.__class__.mro()", "E104", "nn.Conv2d.__class__.mro"),
    ("a.b.c.d.Conv2d(3, 8, 3)", "E104", "a.b.c.d.Conv2d"),
    ("nn.ReLU().__class__.__base__.__subclasses__()", "E103",
     "nn.ReLU().__class__.__base__.__subclasses__"),
    ("nn.ReLU()(x)", "E103", "nn.ReLU()"),
    ("nn.ReLU().forward", "E103", "nn.ReLU().forward"),
    ("nn.ReLU()[0]", "E103", "nn.ReLU()[0]"),
    ("getattr(nn, 'ReLU')()", "E103", "getattr(nn, 'ReLU')"),
    ("eval('1')", "E104", "eval"),
    ("nn.Conv2d(3, 8, 1 + 2)", "E103", "1 + 2"),
    ("nn.Conv2d(3, 8, 9 ** 9 ** 9)", "E103", "9 ** 9 ** 9"),
    ("nn.Conv2d(3, 8, x := 3)", "E103", "x := 3"),
    ("nn.Conv2d(3, 8, f'{3}')", "E103", "f'{3}'"),
    ("nn.Conv2d(3, 8, b'3')", "E103", "b'3'"),
    ("nn.Conv2d(3, 8, 3j)", "E103", "3j"),
    ("nn.Conv2d(3, 8, ...)", "E103", "..."),
    ("nn.Conv2d(3, 8, {3})", "E103", "{3}"),
    ("nn.Conv2d(3, 8, 3, bias=not True)", "E103", "not True"),
    ("def f(): nn.ReLU()", "E103", "def f(): nn.ReLU()"),
    ("class A: f()", "E103", "class A: f()"),
    ("while f(): pass", "E103", "while f(): pass"),
    ("del f(x).y", "E103", "del f(x).y"),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _no_song(folder: Path) -> Iterator[None]:
    yield
    assert not (folder / "song").exists()


def test_32_the_song_makes_a_folder(folder: Path) -> None:
    eval(SONG)
    assert (folder / "song").exists()
    (folder / "song").rmdir()


@pytest.mark.parametrize(("text", "code", "under"), NOT_ALLOWED, ids=lambda one: str(one)[:40])
def test_32_the_caret_is_under_what_is_not_allowed(text: str, code: str, under: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_spec(text, input={"": (3, 8, 8)})
    (problem,) = caught.value.diagnostics
    assert problem.code == code
    begin = problem.column - 1
    assert text[begin : begin + problem.width] == under


def test_32_every_part_that_is_not_allowed_is_told(run: Run) -> None:
    outcome = run("shapes", f"nn.ReLU({SONG}); nn.Conv2d(*x); {SONG}", "--input", "3,8,8")
    assert (outcome.status, outcome.codes) == (2, ["E103"] * 3)


DEPTH = 10_000

DEEP = {
    "calls": "f(" * DEPTH + ")" * DEPTH,
    "chains": "Sequential(" * 5000 + "ReLU()" + ")" * 5000,
    "calls of calls": "f" + "()" * DEPTH,
    "attributes": "f" + ".a" * DEPTH + "()",
    "subscripts": "f()" + "[0]" * DEPTH,
    "lists": "nn.ReLU(" + "[" * DEPTH + "]" * DEPTH + ")",
    "signs": "nn.ReLU(" + "-" * DEPTH + "1)",
    "powers": "nn.ReLU(" + "2 ** " * DEPTH + "1)",
    "nots": "nn.ReLU(" + "not " * DEPTH + "1)",
    "lambdas": "lambda: " * 5000 + "f()",
    "blocks": "".join(" " * depth + "if f():\n" for depth in range(200)) + " " * 200 + "f()",
    "unclosed": "nn.ReLU(" * 8000,
}


@pytest.mark.parametrize("kind", DEEP)
def test_32_what_nests_deeply_is_refused(shell: Shell, kind: str) -> None:
    """As a process, in which a stack that overflows would be a signal."""
    outcome = shell("shapes", DEEP[kind], "--input", "3,8,8")
    assert outcome.status == 2
    assert len(outcome.codes) == 1
    assert set(outcome.codes) <= {"E002", "E007", "E103"}
    assert len(outcome.err) < 2000


@pytest.mark.parametrize("count", [1000, 4000])
def test_32_mistakes_beyond_number_end(count: int) -> None:
    problems = check_spec("f(x); " * count, input={"": (3, 8, 8)})
    assert len(problems) <= 1001
