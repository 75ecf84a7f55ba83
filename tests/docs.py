"""The console blocks of the documentation, run and compared; `python -m tests.docs` renews them.

A block is fenced as ```console and holds commands that begin with `$ `, each followed by what it
prints.  Commands run in a shell in a copy of the project, one after the other.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = ("README.md",)

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def rerun(page: str, folder: Path) -> str:
    """The text of `page` with every console block as it comes out of running it in `folder`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return _BLOCK.sub(lambda match: f"```console\n{_run_block(match[1], folder)}```", text)


def copy_of_project(folder: Path) -> Path:
    """What the documentation's commands read, copied into `folder`."""
    for name in ("configs", "examples"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def _run_block(block: str, folder: Path) -> str:
    commands = re.findall(r"^\$ (.*(?:\\\n.*)*)$", block, re.MULTILINE)
    return "".join(f"$ {command}\n{_output(command, folder)}" for command in commands)


def _output(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8", "COLUMNS": "100"}
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return done.stdout.decode()


def main() -> None:
    """Write the output of every command into the pages."""
    for page in PAGES:
        with tempfile.TemporaryDirectory() as name:
            text = rerun(page, copy_of_project(Path(name)))
        (ROOT / page).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
