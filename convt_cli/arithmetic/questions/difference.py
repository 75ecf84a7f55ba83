"""What differs between two networks, layer by layer.

Compared is what `facts` says of each layer, and where it reads.  Names, and the framework's rules
as such, make no difference: what follows from the rules is among the facts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Literal

from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.questions.facts import Facts, facts_of
from convt_cli.arithmetic.questions.matching import matched
from convt_cli.arithmetic.questions.receptive import receptives

_UNORDERED = ("add", "mul")
"""The types that give the same whatever the order of their sources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerDifference:
    """A layer that was added, removed or changed: `layer` is its name, the later one of two.

    Of a changed layer `was` and `now` hold the facts that differ, and its two names if they do; of
    any other layer one holds all its facts, and the other is None.
    """

    layer: str
    was: Facts | None
    now: Facts | None

    @property
    def change(self) -> Literal["added", "removed", "changed"]:
        if self.was is None:
            return "added"
        return "removed" if self.now is None else "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What differs between two networks: `layers`, in the order of the second network.

    `was` and `now` are facts of the whole networks.  `renamed` has the two names of each layer that
    differs in nothing else.  `same_ends`: the inputs and the outputs have the same shapes, and the
    same layers give the outputs.
    """

    was: Facts
    now: Facts
    layers: tuple[LayerDifference, ...]
    renamed: tuple[tuple[str, str], ...]
    same_ends: bool

    @property
    def is_equal(self) -> bool:
        """Whether the networks do the same with the same weights, whatever they call it."""
        return self.same_ends and not self.layers


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One of the networks, and what both have in common of it.

    `origins` gives the layers and inputs of both networks the names of the second one; a layer that
    the other network lacks is passed over, to its first source.
    """

    network: Network
    facts: Mapping[str, Facts]
    origins: Mapping[str, str]

    @classmethod
    def of(cls, network: Network, known: Mapping[str, str]) -> _Side:
        """The side of `network`; `known` gives what both have the name in the second one."""
        seen = receptives(network)
        origins = {name: known.get(name, name) for name, _ in network.inputs}
        facts = {}
        for layer in network.layers:
            origins[layer.name] = known.get(layer.name) or origins[layer.sources[0]]
            own = facts_of(layer, network.rules, seen[layer.name])
            facts[layer.name] = {"name": layer.name, "from": layer.sources, **own}
        return cls(network=network, facts=facts, origins=origins)

    def reads(self, name: str) -> list[str]:
        """What the layer called `name` reads, in an order that means something."""
        layer = self.network[name]
        found = [self.origins[source] for source in layer.reads]
        return sorted(found) if layer.type in _UNORDERED else found

    @property
    def ends(self) -> tuple[object, ...]:
        """The inputs and outputs, by what they are in both networks, and their shapes."""
        inputs = sorted((self.origins[name], shape) for name, shape in self.network.inputs)
        outputs = [(self.origins[name], one) for name, one in self.network.output_shapes.items()]
        return inputs, outputs

    @property
    def whole(self) -> Facts:
        """Facts of the whole network."""
        network, facts = self.network, self.facts.values()
        counted = ("parameters", "not_trained", "multiply_adds")
        return {
            "spec": network.spec,
            "name": network.name,
            "framework": network.framework,
            "inputs": dict(network.inputs),
            "outputs": network.output_shapes,
            "layers": len(network.layers),
            **{name: sum(one[name] for one in facts) for name in counted},
            "activations": sum(prod(layer.output) for layer in network.layers),
        }


def difference(was: Network, now: Network) -> Difference:
    """What differs between two networks; their weights are not compared.

    >>> from convt_cli import load_spec
    >>> net = "nn.Conv2d(3, 8, 3); nn.ReLU()"
    >>> same = load_spec(net, input={"": (3, 9, 9)})
    >>> other = load_spec(net, input={"": (3, 9, 9)}, settings=["conv1.stride=2"])
    >>> difference(same, same).is_equal
    True
    >>> difference(same, other).layers[0].now["output"]
    (8, 4, 4)
    """
    known = matched(was, now)
    first = _Side.of(was, known)
    second = _Side.of(now, {name: name for name in known.values()})
    pairs = {old: new for old, new in known.items() if old in first.facts}
    changes = {new: _change(first, old, second, new) for old, new in pairs.items()}
    return Difference(
        was=first.whole,
        now=second.whole,
        layers=tuple(_in_order(first, second, pairs, changes)),
        renamed=tuple((old, new) for old, new in pairs.items() if old != new and not changes[new]),
        same_ends=first.ends == second.ends,
    )


def _change(first: _Side, old: str, second: _Side, new: str) -> LayerDifference | None:
    """The facts that differ of a layer which both networks have; None if none but the name."""
    was, now = first.facts[old], second.facts[new]
    differing = {name for name in {**was, **now} if was.get(name) != now.get(name)}
    if first.reads(old) == second.reads(new):
        differing.discard("from")
    if _trained(was) == _trained(now):
        differing -= {"parameters", "not_trained"}
    if differing <= {"name"}:
        return None
    was, now = [{key: side[key] for key in side if key in differing} for side in (was, now)]
    return LayerDifference(layer=new, was=was, now=now)


def _trained(facts: Facts) -> int:
    """The parameters without those that are kept, which frameworks count or leave out."""
    count: int = facts["parameters"] - facts["not_trained"]
    return count


def _in_order(
    first: _Side,
    second: _Side,
    pairs: Mapping[str, str],
    changes: Mapping[str, LayerDifference | None],
) -> Iterator[LayerDifference]:
    """All differences in the order of the second network, removed layers behind those before."""
    removed: dict[str, list[LayerDifference]] = {"": []}
    last = ""
    for layer in first.network.layers:
        last = pairs.get(layer.name, last)
        if layer.name not in pairs:
            gone = LayerDifference(layer=layer.name, was=first.facts[layer.name], now=None)
            removed.setdefault(last, []).append(gone)
    yield from removed[""]
    for layer in second.network.layers:
        added = LayerDifference(layer=layer.name, was=None, now=second.facts[layer.name])
        change = changes.get(layer.name, added)
        yield from () if change is None else (change,)
        yield from removed.get(layer.name, ())
