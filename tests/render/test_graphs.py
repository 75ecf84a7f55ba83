"""Graphs as Mermaid and as DOT: what is read back from the text is the graph."""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections import Counter

import pytest

from convt_cli import load_spec
from convt_cli.render.graphs import GRAPH_RENDERERS, as_dot, as_mermaid, limits_passed
from convt_cli.reports.graph import Edge, Graph, Group, Node, graph_of
from tests.reports.test_graph import nodes, titles
from tests.test_configs import CONFIGS

HOSTILE = (
    *("end", "subgraph", 'a"b]', "<b>x</b>", "1. list", "- item", "# head", "**b** _i_", "`m`"),
    *('%%{init: {"theme": "dark"}}%%', "a\\nb", "a\\", "{x}|y|", "$$x^2$$", "&amp; #quot;", "\\N"),
    *("click n0 call x()", "graph", "style n0", "--> n1", "A:::b", "@{shape: x}", "名前", "😀"),
    *("a; b", "\x1b[2J", "a\nb", "// x", "/* x", "digraph {", "x -> y", "__proto__"),
)
NAMES = ("lenet5", "resnet18", "unet", "resnet50", "hifigan_generator")

Read = tuple[dict[str, str], Counter[tuple[str, str, str]], list[str]]
"""(node -> its lines, the edges with their labels, the titles of the groups)."""


def hostile() -> Graph:
    """A graph in which every text is one that could be read as something else."""
    members = tuple(Node(id=f"n{n}", lines=(name, name)) for n, name in enumerate(HOSTILE))
    inner = tuple(Group(title=name, members=(one,)) for name, one in zip(HOSTILE, members))
    edge = Edge(source="n0", target="n1", shape=(3, 4))
    return Graph(network=Group(title="end", members=inner), edges=(edge, edge))


def graphs() -> dict[str, list[Graph]]:
    found = {name: [graph_of(load_spec(CONFIGS / f"{name}.yaml"))] for name in NAMES}
    two = [graph_of(load_spec(CONFIGS / f"{name}.yaml"), name) for name in NAMES[:2]]
    return found | {"hostile": [hostile()], "two": two}


GRAPHS = graphs()


def expected(name: str) -> Read:
    """What has to be read back, straight from the graphs."""
    several = len(GRAPHS[name]) > 1
    lines: dict[str, str] = {}
    edges, groups = Counter[tuple[str, str, str]](), list[str]()
    for graph in GRAPHS[name]:
        lines |= {one.id: "\n".join(map(escaped, one.lines)) for one in nodes(graph.network)}
        edges.update((one.source, one.target, "×".join(map(str, one.shape))) for one in graph.edges)
        groups += ([graph.network.title] if several else []) + titles(graph.network)
    return lines, edges, list(map(escaped, groups))


def escaped(text: str) -> str:
    """`text`, characters that no line shows as Python's escapes."""
    return text if text.isprintable() else repr(text)[1:-1]


def mermaid_read(text: str) -> Read:
    """The graph in a flowchart of plain nodes, edges and subgraphs; anything else is refused."""
    lines: dict[str, str] = {}
    edges, groups, depth = Counter[tuple[str, str, str]](), list[str](), 0
    first, *rest = text.splitlines()
    assert first == "flowchart TD"
    for line in map(str.strip, rest):
        if node := re.fullmatch(r'(\w+)(?:\["([^"]*)"\]|\(\["([^"]*)"\]\))', line):
            parts = (node[2] or node[3]).split("<br/>")
            lines[node[1]] = "\n".join(map(entities, parts))
        elif edge := re.fullmatch(r'(\w+) -->\|"([^"]*)"\| (\w+)', line):
            edges[edge[1], edge[3], entities(edge[2])] += 1
        elif group := re.fullmatch(r'subgraph g\d+ \["([^"]*)"\]', line):
            groups.append(entities(group[1]))
            depth += 1
        else:
            assert line == "end", line
            depth -= 1
    assert depth == 0
    return lines, edges, groups


def entities(text: str) -> str:
    """`text` with Mermaid's numbered entities as their characters; no other mark stands in it."""
    plain = re.sub(r"#\d+;", "", text)
    assert not set(plain) & set("\"'<>[]{}|\\`*#%$&;@/-.!~^=+"), plain
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text).replace("\u200b", "")


def dot_read(text: str) -> Read:
    """The graph in a digraph with one statement a line; anything else is refused."""
    lines: dict[str, str] = {}
    edges, groups = Counter[tuple[str, str, str]](), list[str]()
    string = r'"((?:[^"\\]|\\.)*)"'
    for line in map(str.strip, text.splitlines()):
        if node := re.fullmatch(rf"(\w+) \[label={string}(?: style=rounded)?\]", line):
            lines[node[1]] = unquoted(node[2])
        elif edge := re.fullmatch(rf"(\w+) -> (\w+) \[label={string}\]", line):
            edges[edge[1], edge[2], unquoted(edge[3])] += 1
        elif group := re.fullmatch(rf"label={string}", line):
            groups.append(unquoted(group[1]))
        else:
            plain = r'digraph \{|\}|subgraph cluster_\d+ \{|(node|edge) \[.*\]|fontname="[\w-]+"'
            assert re.fullmatch(plain, line), line
    return lines, edges, groups


def unquoted(text: str) -> str:
    """What a DOT string shows."""
    shown = re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], text)
    return html.unescape(shown)


READERS = {"mermaid": mermaid_read, "dot": dot_read}


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("output_format", GRAPH_RENDERERS)
def test_what_is_read_back_is_the_graph(output_format: str, name: str) -> None:
    text = GRAPH_RENDERERS[output_format](GRAPHS[name])
    assert READERS[output_format](text) == expected(name)


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
@pytest.mark.parametrize("name", GRAPHS)
def test_graphviz_reads_the_same(name: str) -> None:
    text = as_dot(GRAPHS[name]).encode()
    done = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, check=True)
    assert done.stderr == b""
    words = [line.split() for line in done.stdout.decode().splitlines()]
    lines, edges, _ = expected(name)
    assert {one[1] for one in words if one[0] == "node"} == set(lines)
    found = Counter((one[1], one[2]) for one in words if one[0] == "edge")
    assert found == Counter((source, target) for source, target, _ in edges.elements())


class TestLimits:
    @pytest.mark.parametrize("name", NAMES)
    def test_what_github_draws_has_nothing_to_be_said(self, name: str) -> None:
        assert limits_passed(as_mermaid(GRAPHS[name]), GRAPHS[name]) is None

    @pytest.mark.parametrize(
        ("characters", "edges", "is_told"),
        [(50_000, 500, False), (50_001, 1, True), (10, 501, True)],
    )
    def test_one_more_than_the_limit_is_told(
        self, characters: int, edges: int, is_told: bool
    ) -> None:
        edge = Edge(source="a", target="b", shape=(1,))
        graph = Graph(network=Group(title="", members=()), edges=(edge,) * edges)
        told = limits_passed("x" * characters, [graph])
        assert (told is not None) == is_told
