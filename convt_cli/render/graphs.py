"""Graphs of networks as text: in Mermaid, which GitHub draws, and in DOT, which Graphviz draws.

Ids are made by convt and names stand in quotes alone, so that none of them is read as a keyword.
Sources: mermaid.js.org/syntax/flowchart.html, graphviz.org/doc/info/lang.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count

from convt_cli.errors import visible
from convt_cli.reports.cells import sizes_text
from convt_cli.reports.graph import Graph, Group, Node

MOST_CHARACTERS, MOST_EDGES = 50_000, 500
"""What Mermaid draws unless it is configured otherwise: `maxTextSize` and `maxEdges`."""

_INDENT = "    "
_PLAIN = frozenset(" ,_×:()")
"""The characters, beside letters and digits, that mean nothing in Mermaid's quotes."""

_ALONE = frozenset("\\$")
"""Those that mean something with the next character even as entities: a space of no width parts
them.
"""
_SPACE = "#8203;"

_Lines = Iterator[str]


def as_mermaid(graphs: Sequence[Graph]) -> str:
    """The graphs as one flowchart, from top to bottom; several stand in a frame each."""
    ids = count()
    lines = ["flowchart TD"]
    for graph in graphs:
        for member in _members(graph, graphs):
            lines += (_INDENT + line for line in _mermaid(member, ids))
        lines += (
            f'{_INDENT}{edge.source} -->|"{sizes_text(edge.shape)}"| {edge.target}'
            for edge in graph.edges
        )
    return "\n".join(lines) + "\n"


def as_dot(graphs: Sequence[Graph]) -> str:
    """The graphs as one digraph, from top to bottom; several stand in a frame each."""
    ids = count()
    lines = ["digraph {", f'{_INDENT}node [shape=box fontname="sans-serif"]']
    lines += [f'{_INDENT}edge [fontname="sans-serif"]', f'{_INDENT}fontname="sans-serif"']
    for graph in graphs:
        for member in _members(graph, graphs):
            lines += (_INDENT + line for line in _dot(member, ids))
        lines += (
            f'{_INDENT}{edge.source} -> {edge.target} [label="{sizes_text(edge.shape)}"]'
            for edge in graph.edges
        )
    return "\n".join([*lines, "}"]) + "\n"


GRAPH_RENDERERS: dict[str, Callable[[Sequence[Graph]], str]] = {
    "mermaid": as_mermaid,
    "dot": as_dot,
}


def limits_passed(text: str, graphs: Sequence[Graph]) -> str | None:
    """Why GitHub does not draw a Mermaid text; None where it does."""
    edges = sum(len(graph.edges) for graph in graphs)
    if len(text) <= MOST_CHARACTERS and edges <= MOST_EDGES:
        return None
    return (
        f"GitHub draws at most {MOST_EDGES} edges and {MOST_CHARACTERS:,} characters of Mermaid, "
        f"and these are {edges:,} and {len(text):,}; Graphviz draws --format dot of any size"
    )


def _members(graph: Graph, graphs: Sequence[Graph]) -> tuple[Node | Group, ...]:
    return graph.network.members if len(graphs) == 1 else (graph.network,)


def _mermaid(member: Node | Group, ids: Iterator[int]) -> _Lines:
    if isinstance(member, Node):
        text = "<br/>".join(map(_mermaid_text, member.lines))
        yield f'{member.id}(["{text}"])' if member.is_end else f'{member.id}["{text}"]'
        return
    yield f'subgraph g{next(ids)} ["{_mermaid_text(member.title)}"]'
    for one in member.members:
        yield from (_INDENT + line for line in _mermaid(one, ids))
    yield "end"


def _dot(member: Node | Group, ids: Iterator[int]) -> _Lines:
    if isinstance(member, Node):
        label = "\\n".join(map(_dot_text, member.lines))
        yield f'{member.id} [label="{label}"{" style=rounded" if member.is_end else ""}]'
        return
    yield f"subgraph cluster_{next(ids)} {{"
    yield f'{_INDENT}label="{_dot_text(member.title)}"'
    for one in member.members:
        yield from (_INDENT + line for line in _dot(one, ids))
    yield "}"


def _mermaid_text(text: str) -> str:
    """`text` for Mermaid's quotes: all that could mean something is a numbered entity."""
    return "".join(
        one if one.isalnum() or one in _PLAIN else f"#{ord(one)};{_SPACE if one in _ALONE else ''}"
        for one in visible(text)
    )


def _dot_text(text: str) -> str:
    """`text` for DOT's quotes, where backslashes begin escapes and ampersands entities."""
    return visible(text).replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
