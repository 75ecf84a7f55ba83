"""Which layer of one network is which of another: by name, then by place.

Layers that both networks call the same are the same.  Between these the longest runs of layers
with the same type, shapes and windows are, then those of one name, then those of one type; and so
on in the gaps that are left.  A name that is a type and its running number was not chosen: it says
less than the place does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from difflib import SequenceMatcher

from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.questions.facts import form_of

_Layers = Sequence[NetworkLayer]
_Key = Callable[[NetworkLayer], Hashable]
"""What two layers have in common that are taken for one."""


def matched(was: Network, now: Network) -> dict[str, str]:
    """The name in `now` of every layer of `was` that `now` has too."""
    named = _chosen_names(was.layers) & _chosen_names(now.layers)
    in_order = dict(_runs(was.layers, now.layers, [_name_among(named)]))
    moved = named - in_order.keys()
    first, second = ([one for one in net.layers if one.name not in moved] for net in (was, now))
    keys = [_name_among(named), _form, _name, _type]
    return dict(_runs(first, second, keys)) | {name: name for name in moved}


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


def _chosen_names(layers: _Layers) -> set[str]:
    return {one.name for one in layers if not re.fullmatch(rf"{one.type}[0-9]+", one.name)}


def _name_among(names: set[str]) -> _Key:
    """The layer's name if it is one of `names`, else the layer's own identity."""
    return lambda layer: layer.name if layer.name in names else id(layer)


def _form(layer: NetworkLayer) -> Hashable:
    return tuple(form_of(layer).items())


def _name(layer: NetworkLayer) -> Hashable:
    return layer.name


def _type(layer: NetworkLayer) -> Hashable:
    return layer.type
