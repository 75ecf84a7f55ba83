"""A network as a graph: a node for every layer, an edge for every array, equal blocks once."""

from __future__ import annotations

from collections import Counter

import pytest

from convt_cli import load_spec
from convt_cli.arithmetic.network import Network
from convt_cli.reports.graph import Graph, Group, Node, chains_of, graph_of, repeats_of
from tests.conftest import WriteSpec
from tests.test_configs import CONFIGS, NAMES

MOST_NODES = 60
"""More than that nobody reads."""
DRAWN_ONCE = {
    "resnet18": {"layer1.0 to layer1.1: × 2"},
    "resnet50": {
        "layer1.1 to layer1.2: × 2",
        "layer2.1 to layer2.3: × 3",
        "layer3.1 to layer3.5: × 5",
        "layer4.1 to layer4.2: × 2",
    },
    "mobilenet": {"conv_dw_7 to conv_pw_11: × 5"},
}
"""The blocks that the papers' tables write with a factor."""


def config(name: str) -> Network:
    return load_spec(CONFIGS / f"{name}.yaml")


def nodes(group: Group) -> list[Node]:
    found = []
    for member in group.members:
        found += [member] if isinstance(member, Node) else nodes(member)
    return found


def titles(group: Group) -> list[str]:
    found = []
    for member in group.members:
        found += [] if isinstance(member, Node) else [member.title, *titles(member)]
    return found


def edges(graph: Graph) -> Counter[tuple[str, str, tuple[int, ...]]]:
    return Counter((edge.source, edge.target, edge.shape) for edge in graph.edges)


class TestLaws:
    @pytest.mark.parametrize("name", NAMES)
    def test_every_layer_is_in_one_chain(self, name: str) -> None:
        network = config(name)
        held = [layer.name for chain in chains_of(network) for layer in chain.layers]
        assert sorted(held) == sorted(layer.name for layer in network.layers)

    @pytest.mark.parametrize("name", NAMES)
    def test_a_chain_is_layers_that_read_one_another_and_keep_the_shape(self, name: str) -> None:
        network = config(name)
        read = [source for layer in network.layers for source in layer.reads]
        for chain in chains_of(network):
            for before, layer in zip(chain.layers, chain.layers[1:]):
                assert layer.reads == (before.name,)
                assert (layer.output, read.count(before.name)) == (before.output, 1)
                assert before.name not in network.outputs

    @pytest.mark.parametrize("name", NAMES)
    def test_the_edges_are_those_of_the_network_between_what_is_drawn(self, name: str) -> None:
        """A layer of a block that is not drawn is the layer at the same place of the first."""
        network = config(name)
        chains = chains_of(network)
        of_layer = {layer.name: n for n, chain in enumerate(chains) for layer in chain.layers}
        outputs = [of_layer[one] for one in network.outputs]
        image = list(range(len(chains)))
        for one in repeats_of(chains, outputs):
            for n in range(one.first + one.length, one.first + one.length * one.count):
                image[n] = image[n - one.length]
        ids = {one: f"n{image[n]}" for one, n in of_layer.items()}
        ids |= {one: f"in{n}" for n, (one, _) in enumerate(network.inputs)}
        shapes = {layer.name: layer.output for layer in network.layers} | dict(network.inputs)
        expected = Counter(
            (ids[source], ids[layer.name], shapes[source])
            for layer in network.layers
            for source in layer.reads
            if image[of_layer[layer.name]] == of_layer[layer.name] != of_layer.get(source)
        )
        expected.update((ids[one], f"out{n}", shapes[one]) for n, one in enumerate(network.outputs))
        graph = graph_of(network)
        assert edges(graph) == expected
        drawn = {end for source, target, _ in expected for end in (source, target)}
        assert {node.id for node in nodes(graph.network)} >= drawn

    @pytest.mark.parametrize("name", NAMES)
    def test_equal_blocks_have_equal_layers_and_sources(self, name: str) -> None:
        network = config(name)
        chains = chains_of(network)
        of_layer = {layer.name: n for n, chain in enumerate(chains) for layer in chain.layers}
        for one in repeats_of(chains, [of_layer[output] for output in network.outputs]):
            for n in range(one.first + one.length, one.past):
                first, other = chains[n - one.length], chains[n]
                assert [(a.type, a.inputs, a.output, a.geometry) for a in first.layers] == [
                    (b.type, b.inputs, b.output, b.geometry) for b in other.layers
                ]
                assert [source + one.length for source in first.sources] == list(other.sources)


class TestReadable:
    @pytest.mark.parametrize("name", [name for name in NAMES if name != "hifigan_generator"])
    def test_it_can_be_read(self, name: str) -> None:
        assert len(nodes(graph_of(config(name)).network)) <= MOST_NODES

    @pytest.mark.parametrize("name", DRAWN_ONCE)
    def test_blocks_with_a_factor_in_the_paper_are_drawn_once(self, name: str) -> None:
        found = {title for title in titles(graph_of(config(name)).network) if "×" in title}
        assert found == DRAWN_ONCE[name]

    def test_groups_are_the_prefixes_of_names(self) -> None:
        found = titles(graph_of(config("resnet18")).network)
        assert [title for title in found if "×" not in title] == [
            *("layer1", "layer2", "layer2.0", "layer2.1"),
            *("layer3", "layer3.0", "layer3.1", "layer4", "layer4.0", "layer4.1"),
        ]

    def test_of_names_with_slashes_too(self, spec: WriteSpec) -> None:
        text = "input: [1, 9]\nlayers:\n" + "".join(
            f"  - {{name: /a/{name}/Conv, type: conv, out_channels: {n}, kernel_size: 1}}\n"
            for n, name in enumerate(("a.0/x", "a.0/y", "a.1/x", "a.1/y"), 1)
        )
        assert titles(graph_of(load_spec(spec(text))).network) == ["/a", "/a/a.0", "/a/a.1"]

    @pytest.mark.parametrize(
        ("extra", "is_once"),
        [("", True), ("[d, d]", True), ("[b, d]", False), ("[d, input]", True)],
    )
    def test_blocks_are_drawn_once_unless_another_layer_reads_within(
        self, spec: WriteSpec, extra: str, is_once: bool
    ) -> None:
        names = ("a", "b", "c", "d")
        layers = [f"{{name: {one}, type: conv, out_channels: 1, kernel_size: 1}}" for one in names]
        layers += [f"{{type: add, from: {extra}}}"] if extra else []
        path = spec(f"input: [1, 9]\nlayers: [{', '.join(layers)}]")
        found = titles(graph_of(load_spec(path)).network)
        assert found == (["a to d: × 4"] if is_once else [])

    def test_a_block_reads_no_further_back_than_the_one_before(self, spec: WriteSpec) -> None:
        """Sums of the last two: a block of one would read two back, so a block holds two."""
        layers = ["{name: a0, type: relu}", "{name: a1, type: tanh, from: input}"]
        layers += [f"{{name: a{n}, type: add, from: [a{n - 1}, a{n - 2}]}}" for n in range(2, 8)]
        path = spec(f"input: [1, 9]\nlayers: [{', '.join(layers)}]")
        assert titles(graph_of(load_spec(path)).network) == ["a2 to a7: × 3"]

    def test_hundreds_of_layers_are_one_block(self) -> None:
        pair = ["nn.Conv1d(1, 1, 1)", "nn.Conv1d(1, 1, 3, padding=1)"]
        network = load_spec("; ".join(pair * 300), input={"": (1, 9)})
        assert titles(graph_of(network).network) == ["conv1 to conv600: × 300"]
