"""Small JSON texts in `.pt2` files that become large: asked for in time, and refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from convt_cli.io import memory
from convt_cli.models.pt2.fields import values_need
from tests.conftest import Run, assert_refused, environment
from tests.models.pt2.samples import conv_program, node, write_program

MIB = 2**20
COUNT = 40_000


def with_nodes(*nodes: dict[str, Any]) -> bytes:
    """A program that has some nodes many times in front of its own."""
    program = conv_program()
    program["graph_module"]["graph"]["nodes"][:0] = list(nodes)
    return json.dumps(program, separators=(",", ":")).encode()


def with_more(text: str) -> bytes:
    """A program with a key of its own that holds the text."""
    whole = json.dumps(conv_program()).encode()
    return b'{"more":[' + text.encode() + b"0]," + whole[1:]


def chain() -> bytes:
    """A chain of layers, of which each is needed."""
    program = conv_program()
    graph = program["graph_module"]["graph"]
    nodes = graph["nodes"]
    nodes[-1]["outputs"] = [{"as_tensor": {"name": "n0"}}]
    count = COUNT // 20
    nodes.extend(node("relu.default", f"n{n + 1}", self=f"n{n}") for n in range(count))
    sizes = graph["tensor_values"]
    sizes.update({f"n{n}": sizes["y"] for n in range(count + 1)})
    program["graph_module"]["signature"]["output_specs"] = [
        {"user_output": {"arg": {"as_tensor": {"name": f"n{count}"}}}}
    ]
    return json.dumps(program, separators=(",", ":")).encode()


EMPTY: dict[str, Any] = {"target": "", "inputs": [], "outputs": [], "metadata": {}}

GROWING: dict[str, Callable[[], bytes]] = {
    "mappings": lambda: with_more("{}," * COUNT * 10),
    "lists": lambda: with_more("[]," * COUNT * 10),
    "lists of lists": lambda: with_more(("[" * 900 + "]" * 900 + ",") * (COUNT // 100)),
    "mappings of mappings": lambda: with_more(
        ('{"":' * 900 + "0" + "}" * 900 + ",") * (COUNT // 200)
    ),
    "numbers": lambda: with_more("257," * COUNT * 10),
    "texts": lambda: with_more('"ab",' * COUNT * 10),
    "one wide letter": lambda: with_more('"\N{GRINNING FACE}' + "a" * COUNT * 50 + '",'),
    "nodes": lambda: with_nodes(*[EMPTY] * COUNT),
    "arguments": lambda: with_nodes(
        {**EMPTY, "inputs": [{"name": str(n), "arg": {"as_int": n}} for n in range(COUNT)]}
    ),
    "integers": lambda: with_nodes(
        {**EMPTY, "inputs": [{"name": "a", "arg": {"as_ints": [257] * COUNT * 10}}]}
    ),
    "outputs": lambda: with_nodes({**EMPTY, "outputs": [{"as_tensor": {"name": "a"}}] * COUNT}),
    "layers": chain,
}

MEASURED = """
from convt_cli import load_spec
from convt_cli.errors import ConvtError
def peak():  # ru_maxrss is at least what the process had that began this one
    with open("/proc/self/status") as file:
        return 1024 * next(int(line.split()[1]) for line in file if line.startswith("VmHWM"))
load_spec("small.pt2")
before = peak()
try:
    load_spec("m.pt2", partial=True)
except ConvtError:
    pass
print(peak() - before)
"""


@pytest.mark.parametrize("kind", GROWING)
def test_35_what_is_asked_for_is_at_least_what_is_taken(folder: Path, kind: str) -> None:
    content = GROWING[kind]()
    write_program(content)
    write_program(conv_program(), "small.pt2")
    done = subprocess.run(
        [sys.executable, "-c", MEASURED],
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert int(done.stdout) < values_need(content) + 10 * MIB


@pytest.mark.parametrize("kind", ["mappings", "lists of lists", "nodes", "one wide letter"])
def test_35_one_that_does_not_fit_is_refused(
    run: Run, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    content = GROWING[kind]()
    write_program(content)
    monkeypatch.setattr(memory, "available", lambda: values_need(content) - 1)
    outcome = run("shapes", "m.pt2", "--partial")
    assert_refused(outcome, "E501")
    assert "needed" in outcome.err
