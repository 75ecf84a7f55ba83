"""The tools that hold the style, the types and the layers, run as part of the tests."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("ruff", "check", "."), id="ruff-check"),
        pytest.param(("ruff", "format", "--check", "."), id="ruff-format"),
        pytest.param(("mypy",), id="mypy-strict"),
        pytest.param(("lint-imports",), id="import-layers"),
    ],
)
def test_the_tool_finds_nothing(command: tuple[str, ...]) -> None:
    name, *arguments = command
    done = subprocess.run(
        [TOOLS / name, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


ONLY_WAYS = {
    "open": {"io/reading.py", "io/drafts.py", "io/memory.py"},  # memory: /proc
    "os.open": {
        *("io/reading.py", "io/folders.py", "io/drafts.py", "io/loading.py"),
        *("io/writing.py", "commands/main.py"),  # devices and pipes, and the null device
    },
    "os.replace": {"io/drafts.py"},
    "os.link": {"io/drafts.py"},
    "yaml.parse": {"spec/nodes.py"},
    "resource.getrlimit": {"io/memory.py"},
    "sys.exit": {"__main__.py"},
}
"""The calls that lead in or out, and the modules that make them."""

FORBIDDEN = (
    "np.load", "np.save", "np.savez", "np.fromfile", "np.memmap", "yaml.load", "yaml.safe_load",
    "pickle.load", "pickle.loads", "eval", "exec",
)  # fmt: skip


def calls_of(path: Path) -> set[str]:
    """The functions that a module calls, as it writes their names."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_there_is_one_way_in_and_one_way_out() -> None:
    package = ROOT / "convt_cli"
    calls = {path: calls_of(path) for path in package.rglob("*.py")}
    for name, modules in ONLY_WAYS.items():
        found = {path.relative_to(package).as_posix() for path in calls if name in calls[path]}
        assert found == modules, name
    assert not [name for name in FORBIDDEN if any(name in called for called in calls.values())]
