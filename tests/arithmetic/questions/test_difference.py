"""What differs between two networks: laws that hold whatever the networks are."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from convt_cli import difference, load_spec
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.facts import facts_of
from convt_cli.arithmetic.questions.receptive import receptives
from tests.analysis.backward import test_layers as samples
from tests.conftest import WriteSpec
from tests.test_configs import CONFIGS, NAMES

TOLD_OTHERWISE = {
    "kernel_size": "kernel_size, per axis",
    "out_channels": "output",
    "out_features": "output",
    "output_size": "output",
    "scale_factor": "output",
    "factor": "output",
    "shape": "output",
    "in_channels": "inputs",
    "in_features": "inputs",
    "ceil_mode": "padding and output",
    "affine": "parameters",
    "num_parameters": "parameters",
    "learned": "parameters",
    "like": "padding, which follows from that layer's size",
    "offset": "padding",
    "end": "output",
    "pool": "from: what a max_unpool reads",
    "weight": "not compared",
    "bias": "parameters, and whether there is one",
    "running_mean": "not compared",
    "running_var": "not compared",
    "transpose_kernel": "not compared: the layout of the weight",
    "axis": "axis, or the axes of a softmax",
    "count_include_pad": "count_include_pad of a pool with padding",
}
"""The keys that are no facts of their name in every layer, and what tells of them."""


def config(name: str) -> Network:
    return load_spec(CONFIGS / f"{name}.yaml")


def called(layer: NetworkLayer, names: dict[str, str]) -> NetworkLayer:
    """`layer` with its name, and those that it reads, replaced."""
    sources = tuple(names.get(name, name) for name in layer.sources)
    pools = tuple(names.get(name, name) for name in layer.pool_sources)
    return replace(layer, name=names[layer.name], sources=sources, pool_sources=pools)


def renamed(network: Network) -> Network:
    """`network` under names that it does not have."""
    return with_names(
        network, {layer.name: f"/{n}/{layer.name}" for n, layer in enumerate(network.layers)}
    )


def with_names(network: Network, names: dict[str, str]) -> Network:
    """`network` with the names of its layers replaced."""
    layers: Any = tuple(called(layer, names) for layer in network.layers)
    return replace(network, layers=layers, outputs=tuple(names[one] for one in network.outputs))


def with_identity(network: Network, behind: str) -> Network:
    """`network` with a layer that changes nothing between `behind` and all that read it."""
    place = next(n for n, layer in enumerate(network.layers) if layer.name == behind)
    names = {layer.name: layer.name for layer in network.layers}
    shape = network[behind].output
    new = replace(
        load_spec("nn.Identity()", input={"": shape}).layers[0], name="new", sources=(behind,)
    )
    after = [called(layer, names | {behind: "new"}) for layer in network.layers[place + 1 :]]
    after = [replace(one, name=names[one.name]) for one in after]
    layers: Any = (*network.layers[: place + 1], new, *after)
    outputs = tuple("new" if one == behind else one for one in network.outputs)
    return replace(network, layers=layers, outputs=outputs)


class TestLaws:
    @pytest.mark.parametrize("name", NAMES)
    def test_nothing_differs_from_itself(self, name: str) -> None:
        found = difference(config(name), config(name))
        assert (found.is_equal, found.layers, found.renamed) == (True, (), ())

    @pytest.mark.parametrize("name", NAMES)
    def test_other_names_make_no_difference(self, name: str) -> None:
        network = config(name)
        found = difference(network, renamed(network))
        assert (found.is_equal, found.layers) == (True, ())
        assert found.renamed == tuple(
            (layer.name, f"/{n}/{layer.name}") for n, layer in enumerate(network.layers)
        )

    @pytest.mark.parametrize("own", [True, False], ids=["its names", "other names"])
    @pytest.mark.parametrize("share", [0, 1, 2, 3], ids=["first", "early", "late", "last"])
    @pytest.mark.parametrize("name", NAMES)
    def test_a_layer_more_is_that_layer_and_nothing_else(
        self, name: str, share: int, own: bool
    ) -> None:
        network = config(name)
        behind = network.layers[(len(network.layers) - 1) * share // 3].name
        more = with_identity(network, behind)
        other = network if own else renamed(network)
        (one,) = difference(other, more).layers
        assert (one.change, one.layer, one.was) == ("added", "new", None)
        (one,) = difference(more, other).layers
        assert (one.change, one.layer, one.now) == ("removed", "new", None)

    @pytest.mark.parametrize(("was", "now"), [("unet", "unet_same"), ("resnet18", "resnet50")])
    def test_the_counts_of_layers_add_up_to_those_of_the_network(self, was: str, now: str) -> None:
        found = difference(config(was), config(now))
        for count in ("parameters", "multiply_adds"):
            more = sum(
                (one.now or {}).get(count, 0) - (one.was or {}).get(count, 0)
                for one in found.layers
            )
            assert more == found.now[count] - found.was[count]

    @pytest.mark.parametrize(("was", "now"), [("unet", "unet_same"), ("resnet18", "resnet50")])
    def test_both_ways_tell_the_same(self, was: str, now: str) -> None:
        there, back = difference(config(was), config(now)), difference(config(now), config(was))
        assert sum(one.change == "added" for one in there.layers) == sum(
            one.change == "removed" for one in back.layers
        )
        assert (there.was, there.now, there.is_equal) == (back.now, back.was, back.is_equal)


class TestFacts:
    @pytest.mark.parametrize("layer_type", LAYER_TYPES)
    def test_every_key_is_told_or_known_not_to_be(self, spec: WriteSpec, layer_type: str) -> None:
        network = samples.network_of(spec, layer_type)
        layer = network.layers[-1]
        facts = facts_of(layer, network.rules, receptives(network)[layer.name])
        keys = {one.name for one in fields(LAYER_TYPES[layer_type])}  # type: ignore[arg-type]
        missing = keys - set(facts) - set(TOLD_OTHERWISE)
        assert not missing, f"tell {missing} of {layer_type} in arithmetic/questions/facts.py"

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("{type: conv, out_channels: 2, kernel_size: 3, padding: same}",
             "{type: conv, out_channels: 2, kernel_size: [3, 3], padding: [[1, 1], [1, 1]]}"),
            ("{type: adaptive_avg_pool, output_size: 1}", "{type: global_avg_pool}"),
            ("{type: flatten}", "{type: reshape, shape: [64]}"),
            ("{type: slice, axis: 1, begin: -2}", "{type: slice, axis: 1, begin: 2, end: 9}"),
            ("{type: leaky_relu}", "{type: leaky_relu, alpha: 0.01}"),
            ("{type: batch_norm}", "{type: batch_norm, eps: 0.000009999999747378752}"),
            ("{type: upsample, scale_factor: 2, mode: linear}",
             "{type: upsample, output_size: [8, 8], mode: bilinear}"),
            ("{type: crop, padding: 1}", "{type: crop, padding: [[1, 1], [1, 1]]}"),
        ],
    )  # fmt: skip
    def test_two_ways_to_write_a_layer_are_one(
        self, spec: WriteSpec, first: str, second: str
    ) -> None:
        nets = [
            load_spec(spec(f"input: [4, 4, 4]\nlayers: [{one}]", name))
            for one, name in ((first, "a.yaml"), (second, "b.yaml"))
        ]
        assert difference(*nets).layers == ()

    def test_statistics_that_one_framework_counts_are_no_difference(self, spec: WriteSpec) -> None:
        """Keras counts the kept means and variances among the parameters, and PyTorch does not."""
        text = "framework: %s\ninput: [4, 4, 4]\nlayers: [{name: n, type: batch_norm, %s}]"
        was, same, other = (
            load_spec(spec(text % (framework, keys), f"{n}.yaml"))
            for n, (framework, keys) in enumerate(
                (
                    ("keras", "eps: 0.001"),
                    ("pytorch", "eps: 0.001"),
                    ("pytorch", "eps: 0.001, affine: false"),
                )
            )
        )
        found = difference(was, same)
        assert (found.is_equal, found.was["parameters"], found.now["parameters"]) == (True, 16, 8)
        (one,) = difference(was, other).layers
        assert one.now == {"parameters": 0, "not_trained": 0}

    @pytest.mark.parametrize(
        ("layer", "setting", "fact"),
        [
            ("{type: conv, out_channels: 4, kernel_size: 3}", "kernel_size=2", "kernel_size"),
            ("{type: conv, out_channels: 4, kernel_size: 3}", "groups=2", "groups"),
            ("{type: conv, out_channels: 4, kernel_size: 3}", "bias=false", "bias"),
            ("{type: conv, out_channels: 4, kernel_size: 1}", "stride=2", "stride"),
            ("{type: conv, out_channels: 4, kernel_size: 2}", "dilation=2", "dilation"),
            ("{type: conv, out_channels: 4, kernel_size: 2}", "padding=1", "padding"),
            ("{type: conv, out_channels: 4, kernel_size: 3, padding: 1}",
             "padding_mode=reflect", "padding_mode"),
            ("{type: conv_transpose, out_channels: 4, kernel_size: 2, stride: 2}",
             "output_padding=1", "output_padding"),
            ("{type: avg_pool, kernel_size: 2, padding: 1}",
             "count_include_pad=false", "count_include_pad"),
            ("{type: leaky_relu}", "alpha=0.2", "alpha"),
            ("{type: elu}", "alpha=0.2", "alpha"),
            ("{type: clip, minimum: 0}", "maximum=6", "maximum"),
            ("{type: gelu}", "approximate=tanh", "approximate"),
            ("{type: function, function: exp}", "function=log", "function"),
            ("{type: power, exponent: 2}", "exponent=3", "exponent"),
            ("{type: softmax}", "axis=1", "axes"),
            ("{type: batch_norm}", "eps=0.001", "eps"),
            ("{type: group_norm, num_groups: 2}", "num_groups=4", "num_groups"),
            ("{type: layer_norm, normalized_axes: [1]}", "normalized_axes=[2]", "normalized_axes"),
            ("{type: lrn, size: 5}", "size=3", "size"),
            ("{type: upsample, scale_factor: 2}", "mode=bilinear", "mode"),
            ("{type: transpose, axes: [0, 1, 2]}", "axes=[0, 2, 1]", "axes"),
            ("{type: slice, axis: 1, begin: 0, end: 2}", "axis=2", "axis"),
            ("{type: pad, padding: 1}", "mode=reflect", "mode"),
        ],
    )  # fmt: skip
    def test_one_other_value_is_told_by_name(
        self, spec: WriteSpec, layer: str, setting: str, fact: str
    ) -> None:
        path = spec(f"input: [4, 4, 4]\nlayers: [{layer.replace('{', '{name: n, ')}]")
        (one,) = difference(load_spec(path), load_spec(path, settings=[f"n.{setting}"])).layers
        assert one.change == "changed"
        assert fact in {*(one.was or ()), *(one.now or ())}


NET = """
    input: [3, 16, 16]
    layers:
      - {name: stem, type: conv, out_channels: 8, kernel_size: 3, padding: 1}
      - {name: act, type: relu}
      - {name: body, type: conv, out_channels: 8, kernel_size: 3, padding: 1}
      - {name: join, type: add, from: [body, act]}
      - {name: head, type: conv, out_channels: 2, kernel_size: 1}
    """


class TestMatching:
    def changes(self, spec: WriteSpec, *exchanged: tuple[str, str]) -> list[tuple[str, str]]:
        """(change, layer) of all that differs from NET once texts in it are exchanged."""
        text = NET
        for old, new in exchanged:
            assert old in text
            text = text.replace(old, new)
        found = difference(load_spec(spec(NET)), load_spec(spec(text, "b.yaml")))
        return [(one.change, one.layer) for one in found.layers]

    def test_an_order_that_means_nothing_makes_no_difference(self, spec: WriteSpec) -> None:
        assert self.changes(spec, ("[body, act]", "[act, body]")) == []

    def test_another_source_does(self, spec: WriteSpec) -> None:
        changes = self.changes(spec, ("[body, act]", "[body, stem]"))
        assert changes == [("changed", "join")]

    def test_of_a_layer_with_another_name_and_type_both_are_told(self, spec: WriteSpec) -> None:
        changes = self.changes(
            spec, ("{name: act, type: relu}", "{name: gate, type: tanh}"), ("act]", "gate]")
        )
        assert changes == [("removed", "act"), ("added", "gate")]

    def test_of_the_same_name_and_another_type_it_is_one(self, spec: WriteSpec) -> None:
        assert self.changes(spec, ("type: relu", "type: tanh")) == [("changed", "act")]

    def test_a_renamed_layer_that_changed_is_found_at_its_place(self, spec: WriteSpec) -> None:
        head, top = "head, type: conv, out_channels: 2", "top, type: conv, out_channels: 4"
        assert self.changes(spec, (head, top)) == [("changed", "top")]

    def test_layers_that_moved_are_found_by_name(self, spec: WriteSpec) -> None:
        two = "input: [1, 8, 8]\noutputs: [a, b]\nlayers: [{first}, {second}]"
        one = "{name: a, type: relu, from: input}"
        other = "{name: b, type: conv, out_channels: 1, kernel_size: 3, from: input}"
        was = load_spec(spec(two.format(first=one, second=other)))
        now = load_spec(spec(two.format(first=other, second=one), "b.yaml"))
        assert difference(was, now).layers == ()

    def test_a_name_that_means_another_layer_is_no_match(self, spec: WriteSpec) -> None:
        """Keras gives a layer's name to its activation, PyTorch to the convolution."""
        exchanged = (
            ("name: stem", "name: stem/conv"), ("name: act", "name: stem"), ("act]", "stem]")
        )  # fmt: skip
        assert self.changes(spec, *exchanged) == []

    def test_branches_in_another_order_make_no_difference(self, spec: WriteSpec) -> None:
        """Of two branches with other names one is found in its place, the other by its source."""
        text = "input: {%s: [1, 8, 8]}\nlayers: [%s, %s, {type: concat, from: [%s, %s]}]"
        conv = "{name: %s, type: conv, out_channels: 1, kernel_size: %d, padding: same, from: %s}"
        was = text % ("x", conv % ("a", 1, "x"), conv % ("b", 3, "x"), "a", "b")
        now = text % ("y", conv % ("d", 3, "y"), conv % ("c", 1, "y"), "c", "d")
        found = difference(load_spec(spec(was)), load_spec(spec(now, "b.yaml")))
        assert (found.layers, set(found.renamed)) == ((), {("a", "c"), ("b", "d")})

    def test_the_running_numbers_of_an_exporter_are_no_names(self) -> None:
        """Another exporter leaves out some of them."""
        network = load_spec("; ".join(["nn.ReLU()"] * 8), input={"": (1, 4)})
        names = {one.name: f"/Op_{n}" for n, one in enumerate(network.layers)}
        others = {one.name: f"/Op_{n + n // 3}" for n, one in enumerate(network.layers)}
        assert difference(with_names(network, names), with_names(network, others)).is_equal

    def test_running_numbers_are_no_names(self, spec: WriteSpec) -> None:
        """A layer put in front gives every layer behind it the next one's name."""
        layer = "{type: conv, out_channels: %d, kernel_size: 3}"
        layers = [layer % channels for channels in (4, 5, 6)]
        text = "input: [3, 16, 16]\nlayers: [%s]"
        was = load_spec(spec(text % ", ".join(layers)))
        more = "{type: conv, out_channels: 3, kernel_size: 1}"
        now = load_spec(spec(text % ", ".join([more, *layers]), "b.yaml"))
        found = difference(was, now)
        assert [(one.change, one.layer) for one in found.layers] == [("added", "conv1")]
        assert found.renamed == (("conv1", "conv2"), ("conv2", "conv3"), ("conv3", "conv4"))

    def test_inputs_are_the_same_by_name_or_else_by_place(self, spec: WriteSpec) -> None:
        text = "input: {%s: [1, 4], %s: [2, 4]}\nlayers: [{type: concat, from: [%s, %s]}]"
        was = load_spec(spec(text % ("a", "b", "a", "b")))
        assert difference(was, load_spec(spec(text % ("x", "y", "x", "y"), "b.yaml"))).is_equal
        crossed = load_spec(spec(text % ("x", "y", "y", "x"), "b.yaml"))
        assert [one.change for one in difference(was, crossed).layers] == ["changed"]

    def test_another_output_is_a_difference_without_layers(self, spec: WriteSpec) -> None:
        was = load_spec(spec(NET))
        now = load_spec(spec(NET.replace("layers:", "outputs: [join]\n    layers:"), "b.yaml"))
        found = difference(was, now)
        assert (found.layers, found.same_ends, found.is_equal) == ((), False, False)


def test_a_thousand_equal_layers_are_matched(folder: Path) -> None:
    expression = "; ".join(["nn.ReLU()"] * 1000)
    network = load_spec(expression, input={"": (1, 4)})
    assert difference(network, renamed(network)).is_equal
