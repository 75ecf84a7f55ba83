"""Specs made to exhaust whoever reads them: aliases, merge keys, depth, size and sheer number."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Found, Run, WriteSpec, assert_refused
from tests.cost import Cost, cost, needs_a_measure
from tests.spec.texts import WHOLE

SECONDS = 20
MEGABYTES = 100
"""What a hostile spec may cost: time, beyond a busy machine's, and memory beyond a small spec's."""


def aliases(levels: int) -> str:
    """9 to the power of `levels` values, if every alias is followed."""
    lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, levels)]
    return "a0: &a0 [x]\n" + "".join(lines) + WHOLE


def merges(levels: int) -> str:
    """2 to the power of `levels` mappings, if every merge key is followed."""
    lines = [f"b{n}: &b{n} {{<<: [*b{n - 1}, *b{n - 1}]}}\n" for n in range(1, levels)]
    return "b0: &b0 {x: 1}\n" + "".join(lines) + WHOLE


LAYER = "- {type: relu}\n"
RELU = f"input: [1, 4]\nlayers:\n{LAYER}"

BOMBS = {
    "aliases": (aliases(60), "E003"),
    "merge keys": (merges(60), "E003"),
    "100,000 [": ("[" * 100_000, "E007"),
    "100,000 {": ("{" * 100_000, "E007"),
    "100,000 {a:": ("{a: " * 100_000, "E007"),
    "100,000 -": ("- " * 100_000, "E007"),
    "100,000 ?": ("? " * 100_000, "E007"),
    "2,000 indents": ("".join(f"{' ' * depth}a:\n" for depth in range(2000)), "E007"),
    "a scalar of 10 MB": ("name: " + "x" * 10_000_000, "E007"),
    "a name of 4 MB": (f"name: {'x' * 4_000_000}\n{WHOLE}", "E103"),
    "a key of 4 MB": (f"? {'k' * 4_000_000}\n: 1\n{WHOLE}", "E101"),
    "10 MB of layers": (f"{RELU}{LAYER * 700_000}", "E007"),
    "100,000 anchors": (f"a: [{', '.join(f'&a{n} x' for n in range(100_000))}]\n{WHOLE}", "E003"),
    "100,000 aliases": (f"a: [&x 1, {', '.join(['*x'] * 100_000)}]\n{WHOLE}", "E003"),
    "100,000 tags": (f"a: [{', '.join(['!!int 3'] * 100_000)}]\n{WHOLE}", "E004"),
    "100,000 directives": (
        "".join(f"%TAG !a{n}! tag:{n}\n" for n in range(100_000)) + f"---\n{WHOLE}",
        "E004",
    ),
    "100,000 documents": (WHOLE + "--- 1\n" * 100_000, "E006"),
    "100,000 twins of a key": ("name: x\n" * 100_000 + WHOLE, "E005"),
    "100,000 unknown keys": ("".join(f"k{n}: 1\n" for n in range(100_000)) + WHOLE, "E101"),
}
"""Texts, and the code of what is wrong with each of them."""

LONGEST = {"100,000 unknown keys", "100,000 documents", "a key of 4 MB", "10 MB of layers"}
EACH = [pytest.param(bomb, marks=pytest.mark.slow) if bomb in LONGEST else bomb for bomb in BOMBS]


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Cost:
    """What it costs on a spec of two lines."""
    path = tmp_path_factory.mktemp("idle") / "net.yaml"
    path.write_text(WHOLE, encoding="utf-8")
    return cost("check", path)


@needs_a_measure
@pytest.mark.parametrize("bomb", EACH)
def test_09_a_bomb_is_named_in_little_time_and_memory(
    folder: Path, spec: WriteSpec, idle: Cost, bomb: str
) -> None:
    text, code = BOMBS[bomb]
    bombed = cost("check", folder / spec(text))
    assert (idle.status, bombed.status) == (0, 1)
    assert bombed.seconds < SECONDS
    assert bombed.memory - idle.memory < MEGABYTES * 1_000_000
    assert any(f"error[{code}]" in line for line in bombed.printed)
    assert max(map(len, bombed.printed)) < 1000


@pytest.mark.parametrize("bomb", ["aliases", "merge keys", "100,000 [", "a scalar of 10 MB"])
@pytest.mark.parametrize(("command", "status"), [("check", 1), ("shapes", 2), ("table", 2)])
def test_09_a_bomb_fails_every_command(run: Run, command: str, status: int, bomb: str) -> None:
    text, code = BOMBS[bomb]
    outcome = run(command, "-", stdin=text.encode())
    assert outcome.status == status
    assert f"error[{code}]" in outcome.out + outcome.err
    assert "Traceback" not in outcome.err


def test_09_an_alias_bomb_is_refused_alias_by_alias(found: Found) -> None:
    codes = [one.code for one in found(aliases(30))]
    assert codes.count("E003") == 30 + 29 * 9


def test_09_a_merge_bomb_is_refused_key_by_key(found: Found) -> None:
    codes = [one.code for one in found(merges(30))]
    assert codes.count("E003") == 30 + 3 * 29


def test_09_zeros_without_end_are_too_long(run: Run) -> None:
    assert_refused(run("shapes", "/dev/zero"), "E007")
