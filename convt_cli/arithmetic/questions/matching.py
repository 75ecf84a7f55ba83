"""Which layer of one network is which of another: by name, then by place.

Layers of one type that both networks call the same are the same.  Between these the longest runs
of layers with the same type, shapes and windows are, then those of one name, then those of one
type; and so on in the gaps that are left.  A name that ends in a running number, as conv1 of a spec
or Cast_28 of an exporter, was not chosen: it says less than the place does.  Branches may stand in
another order: of what is still left, layers are the same that look the same and read the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.facts import form_of

_Layers = Sequence[NetworkLayer]
_Key = Callable[[NetworkLayer], Hashable]
"""What two layers have in common that are taken for one."""


def matched(was: Network, now: Network) -> dict[str, str]:
    """The name in `now` of every layer and input of `was` that `now` has too."""
    named = {name for name, _ in _chosen_names(was.layers) & _chosen_names(now.layers)}
    in_order = dict(_runs(was.layers, now.layers, [_name_among(named)]))
    moved = named - in_order.keys()
    first, second = ([one for one in net.layers if one.name not in moved] for net in (was, now))
    keys = [_name_among(named), _form, _name, _type]
    pairs = dict(_runs(first, second, keys)) | {name: name for name in moved}
    return _with_branches(was, now, pairs | _input_pairs(was, now))


def _input_pairs(was: Network, now: Network) -> dict[str, str]:
    """The name in `now` of every input of `was`: its own, or that in its place."""
    first, second = [[name for name, _ in network.inputs] for network in (was, now)]
    return dict(zip(first, first if set(first) == set(second) else second))


def _with_branches(was: Network, now: Network, pairs: Mapping[str, str]) -> dict[str, str]:
    """`pairs`, and those of the layers left over that have one form and read the same."""
    found, taken = dict(pairs), set(pairs.values())
    left = defaultdict(list)
    for layer in reversed(now.layers):
        if layer.name not in taken:
            left[layer.sources, _form(layer)].append(layer.name)
    for layer in was.layers:
        sources = tuple(found.get(name, "") for name in layer.sources)
        if layer.name not in found and left[sources, _form(layer)]:
            found[layer.name] = left[sources, _form(layer)].pop()
    return found


def _runs(was: _Layers, now: _Layers, keys: Sequence[_Key]) -> Iterator[tuple[str, str]]:
    """The names of layers in runs that agree in the first key, and between these in the others."""
    if not (was and now and keys):
        return
    key, *others = keys
    matcher = SequenceMatcher(None, [*map(key, was)], [*map(key, now)], autojunk=False)
    begin, start = 0, 0
    for first, second, length in matcher.get_matching_blocks():
        yield from _runs(was[begin:first], now[start:second], others)
        begin, start = first + length, second + length
        run = zip(was[first:begin], now[second:start], strict=True)
        yield from ((one.name, other.name) for one, other in run)


def _chosen_names(layers: _Layers) -> set[tuple[str, str]]:
    """(name, type) of the layers whose names are more than a running number."""
    chosen = (one for one in layers if not re.fullmatch(rf"(.*_|{one.type})[0-9]+", one.name))
    return {(one.name, one.type) for one in chosen}


def _name_among(names: set[str]) -> _Key:
    """The layer's name if it is one of `names`, else the layer's own identity."""
    return lambda layer: layer.name if layer.name in names else id(layer)


def _form(layer: NetworkLayer) -> Hashable:
    return tuple(form_of(layer).items())


def _name(layer: NetworkLayer) -> Hashable:
    return layer.name


def _type(layer: NetworkLayer) -> Hashable:
    return layer.type
