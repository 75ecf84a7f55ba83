"""A network as a graph for people: nodes, edges with shapes, and groups, in no format yet.

Three rules make it short enough to read.  A layer that keeps its source's shape, has no window and
is the only reader joins the node of its source, as a batch norm and a relu behind a convolution do.
Names with dots or slashes give groups, as `layer1.0.conv1` is in `layer1.0`, which is in `layer1`.
Equal blocks that follow one another are drawn once, with their number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Windows
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.facts import form_of
from convt_cli.reports.cells import layer_words

_LONGEST_BLOCK = 64
"""The most nodes of a block that is looked for; longer ones are drawn as often as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An input, an output, or one or several layers in a row; `lines` are its text."""

    id: str
    lines: tuple[str, ...]
    is_end: bool = False
    """Whether it is an input or an output of the network."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What is drawn within one frame, under its title."""

    title: str
    members: tuple[Node | Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """From the node with one id to that with another, along which an array of `shape` goes."""

    source: str
    target: str
    shape: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """A network: everything in it as one group under its name, and the edges."""

    network: Group
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Layers in a row that one node stands for, and the numbers of the chains it reads.

    `path` are the groups that it is in, from the outermost on; inputs are numbered below 0.
    """

    layers: tuple[NetworkLayer, ...]
    sources: tuple[int, ...]
    path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """`count` blocks of `length` chains, all equal, from the chain numbered `first` on."""

    first: int
    length: int
    count: int

    @property
    def past(self) -> int:
        """The number of the chain behind the last block."""
        return self.first + self.length * self.count

    @property
    def spared(self) -> int:
        """How many nodes fewer it takes to draw the blocks as one."""
        return self.length * (self.count - 1)

    def shown(self, chain: int) -> int:
        """The chain of the first block in place of one of any block; any other stays."""
        inside = self.first <= chain < self.past
        return self.first + (chain - self.first) % self.length if inside else chain


def chains_of(network: Network) -> list[Chain]:
    """The layers of `network` in chains, in the order of their first layers."""
    numbers = {name: n - len(network.inputs) for n, (name, _) in enumerate(network.inputs)}
    readers = Counter(name for layer in network.layers for name in layer.reads)
    readers.update(network.outputs)
    found: list[list[NetworkLayer]] = []
    for layer in network.layers:
        number = numbers[layer.sources[0]]
        if _joins(layer) and number >= 0 and readers[layer.sources[0]] == 1:
            found[number].append(layer)
        else:
            number = len(found)
            found.append([layer])
        numbers[layer.name] = number
    paths = _paths([layers[0].name for layers in found])
    return [
        Chain(
            layers=tuple(layers),
            sources=tuple(numbers[name] for name in layers[0].reads),
            path=path,
        )
        for layers, path in zip(found, paths, strict=True)
    ]


def _joins(layer: NetworkLayer) -> bool:
    """Whether a layer says little beside the one that it reads."""
    geometry = layer.geometry
    has_window = isinstance(geometry.dependence, Windows) or geometry.multiply_adds > 0
    return layer.inputs == (layer.output,) and not layer.pool_sources and not has_window


def _paths(names: Sequence[str]) -> list[tuple[str, ...]]:
    """The groups that each name is in, by its parts; a group of one alone is none."""
    parts = [_parts(name) for name in names]
    sizes: dict[str, int] = {}
    for path in parts:
        for group in path:
            sizes[group] = sizes.get(group, 0) + 1
    return [_telling(path, sizes) for path in parts]


def _parts(name: str) -> tuple[str, ...]:
    """The prefixes of a name that end before a slash, or in a name without any, before a dot.

    >>> _parts("layer1.0.conv1"), _parts("/layer1/layer1.0/Conv")
    (('layer1', 'layer1.0'), ('/layer1', '/layer1/layer1.0'))
    """
    mark = "/" if "/" in name else "."
    ends = [n for n, letter in enumerate(name) if letter == mark and n]
    return tuple(name[:end] for end in ends)


def _telling(path: Sequence[str], sizes: dict[str, int]) -> tuple[str, ...]:
    """The groups of `path` that hold several, each unlike the one around it."""
    kept: list[str] = []
    for group in path:
        if sizes[group] > 1:
            same = bool(kept) and sizes[kept[-1]] == sizes[group]
            kept[-1:] = [group] if same else [*kept[-1:], group]
    return tuple(kept)


def repeats_of(chains: Sequence[Chain], outputs: Sequence[int]) -> list[Repeat]:
    """The blocks that are equal and follow one another, where that spares two nodes or more."""
    forms = [_form(number, chain) for number, chain in enumerate(chains)]
    found: list[Repeat] = []
    first = 0
    while first < len(chains):
        lengths = range(1, min(_LONGEST_BLOCK, (len(chains) - first) // 2) + 1)
        runs = (_run(first, length, forms) for length in lengths)
        repeats = [one for one in runs if one.spared > 1 and _is_block(one, chains, outputs)]
        best = max(repeats, key=lambda one: (one.past, -one.length), default=None)
        if best is not None:
            found.append(best)
        first = first + 1 if best is None else best.past
    return found


def _form(number: int, chain: Chain) -> tuple[object, ...]:
    """All that equal chains have in common: their layers, and how far back their sources are."""
    layers = [form_of(layer) for layer in chain.layers]
    return (layers, [number - source for source in chain.sources])


def _run(first: int, length: int, forms: Sequence[object]) -> Repeat:
    """The longest run of blocks of `length` chains from `first` on that are equal to the first."""
    past = first + length
    while past < len(forms) and forms[past] == forms[past - length]:
        past += 1
    return Repeat(first=first, length=length, count=(past - first) // length)


def _is_block(repeat: Repeat, chains: Sequence[Chain], outputs: Sequence[int]) -> bool:
    """Whether the blocks can be drawn as one.

    Each is in one group, reads no further back than the block before it, and is read by the next
    one alone.
    """
    starts = range(repeat.first, repeat.past, repeat.length)
    groups = [{chains[start + n].path for n in range(repeat.length)} for start in starts]
    first = chains[repeat.first : repeat.first + repeat.length]
    before = [source for chain in first for source in chain.sources]
    behind = [source for chain in chains[repeat.past :] for source in chain.sources]
    not_drawn = range(repeat.first, repeat.past - repeat.length)
    return (
        all(len(paths) == 1 for paths in groups)
        and min(before) >= repeat.first - repeat.length
        and not any(source in not_drawn for source in (*behind, *outputs))
    )


def graph_of(network: Network, prefix: str = "") -> Graph:
    """The graph of `network`; all ids begin with `prefix`, so that several fit into one file."""
    chains = chains_of(network)
    of_layer = {layer.name: n for n, chain in enumerate(chains) for layer in chain.layers}
    repeats = repeats_of(chains, [of_layer[name] for name in network.outputs])
    stands_for = {n: n for n in range(len(chains))}
    stands_for |= {n: one.shown(n) for one in repeats for n in range(one.first, one.past)}
    drawn = [n for n, shown in stands_for.items() if n == shown]
    ids = {name: f"{prefix}in{n}" for n, (name, _) in enumerate(network.inputs)}
    ids |= {name: f"{prefix}n{stands_for[n]}" for name, n in of_layer.items()}
    paths = _titled_paths(chains, repeats)
    layers = [(paths[n], _node(chains[n], ids)) for n in drawn]
    inputs = [Node(id=ids[name], lines=(name,), is_end=True) for name, _ in network.inputs]
    ends = {name: f"{prefix}out{n}" for n, name in enumerate(network.outputs)}
    outputs = [Node(id=end, lines=("output",), is_end=True) for end in ends.values()]
    return Graph(
        network=Group(
            title=f"{network.name} ({network.rules.title})",
            members=(*inputs, *_grouped(layers), *outputs),
        ),
        edges=(
            *(edge for n in drawn for edge in _edges_into(chains[n], network, ids)),
            *(
                Edge(source=ids[name], target=end, shape=network.output_shapes[name])
                for name, end in ends.items()
            ),
        ),
    )


def _titled_paths(chains: Sequence[Chain], repeats: Sequence[Repeat]) -> dict[int, tuple[str, ...]]:
    """The titles of the groups around each chain; that of a repeated block has the number."""
    paths = {n: chain.path for n, chain in enumerate(chains)}
    for one in repeats:
        first, last = chains[one.first], chains[one.past - 1]
        if first.path != last.path:
            around, begin, end = first.path[:-1], first.path[-1], last.path[-1]
        else:
            around, begin, end = first.path, first.layers[0].name, last.layers[0].name
        title = f"{begin} to {end}: × {one.count}"
        paths |= dict.fromkeys(range(one.first, one.past), (*around, title))
    return paths


def _node(chain: Chain, ids: Mapping[str, str]) -> Node:
    """The node of a chain: the name of its first layer within its group, and what its layers do."""
    first, *others = chain.layers
    name = first.name.removeprefix(chain.path[-1]).lstrip("./") if chain.path else first.name
    words = ", ".join([layer_words(form_of(first)), *(layer.operation for layer in others)])
    return Node(id=ids[first.name], lines=(name, words))


def _grouped(nodes: Sequence[tuple[tuple[str, ...], Node]]) -> tuple[Node | Group, ...]:
    """The nodes, each in the groups of its path, a group where its first member stands."""
    members: dict[str, list[tuple[tuple[str, ...], Node]]] = {}
    for path, node in nodes:
        members.setdefault(f"group {path[0]}" if path else node.id, []).append((path, node))
    return tuple(_member(entries) for entries in members.values())


def _member(entries: Sequence[tuple[tuple[str, ...], Node]]) -> Node | Group:
    path, node = entries[0]
    if not path:
        return node
    return Group(title=path[0], members=_grouped([(path[1:], one) for path, one in entries]))


def _edges_into(chain: Chain, network: Network, ids: Mapping[str, str]) -> Iterator[Edge]:
    """The edges to the node of a chain, one for each array that its first layer reads."""
    first = chain.layers[0]
    pools = [network[name].output for name in first.pool_sources]
    for name, shape in zip(first.reads, (*first.inputs, *pools), strict=True):
        yield Edge(source=ids[name], target=ids[first.name], shape=shape)
