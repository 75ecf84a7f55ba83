"""The law of model files: a model as SPEC is the network that its import is."""

from __future__ import annotations

from dataclasses import replace

from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.models.imported import ImportedModel
from convt_cli.models.network_spec import network_spec
from convt_cli.spec.load import network_of
from convt_cli.spec.reader import read
from convt_cli.spec.source import Problems


def assert_same_network(imported: ImportedModel, text: str, title: str = "net") -> None:
    """`imported`, taken as it is, is the network that reading `text`, its import, gives."""
    written = Problems("net", text)
    of_text = network_of(read(written, "net", {}), written)
    assert _comparable(network_of(*network_spec(imported, "net", title))) == _comparable(of_text)


def _comparable(network: Network) -> Network:
    """`network` without its lines and warnings, which a model has not; keys by what they mean."""
    return replace(network, warnings=(), layers=tuple(map(_without_place, network.layers)))


def _without_place(layer: NetworkLayer) -> NetworkLayer:
    return replace(layer, line=0)
