"""What the documentation shows is what happens, and everything there is is documented."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from convt_cli import __all__ as public_names
from convt_cli.commands.main import COMMANDS
from tests.docs import PAGES, ROOT, copy_of_project, rerun

README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_console_block_shows_what_its_commands_print(page: str, tmp_path: Path) -> None:
    assert rerun(page, copy_of_project(tmp_path)) == (ROOT / page).read_text(encoding="utf-8")


def test_the_python_examples_of_the_readme_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(copy_of_project(tmp_path))
    blocks = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    parser = doctest.DocTestParser()
    test = parser.get_doctest("\n".join(blocks), {}, "README.md", "README.md", 0)
    assert doctest.DocTestRunner().run(test) == doctest.TestResults(0, len(test.examples))
    assert test.examples


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_heading_and_an_example_in_the_readme(command: str) -> None:
    assert f"### convt {command}\n" in README
    assert re.search(rf"^\$ convt {command}\b", README, re.MULTILINE)


@pytest.mark.parametrize("name", [name for name in public_names if not name.startswith("_")])
def test_every_public_name_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README or f"{name}(" in README


def test_the_gate_runs_the_test_command_of_the_readme_with_coverage() -> None:
    command = next(line for line in README.splitlines() if line.endswith("pytest -n auto"))
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert re.search(
        rf"^  export PYTEST_ADDOPTS=--cov .*\n  {re.escape(command)}$", gate, re.MULTILINE
    )
