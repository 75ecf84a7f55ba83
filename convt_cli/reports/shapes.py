"""Every layer of a network with its shapes, parameters, multiply-adds and receptive field."""

from __future__ import annotations

from collections.abc import Sequence

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.receptive import receptive_fields
from convt_cli.errors import Diagnostic
from convt_cli.reports.table import VERSION, Cell, Kind, Report, Table, column

_Fields = dict[str, Shape | None]

_COLUMNS = (
    column("layer"),
    column("type"),
    column("from"),
    column("input", kind=Kind.SHAPE, optional=3),
    column("output", kind=Kind.SHAPE),
    column("parameters", kind=Kind.TALLY),
    column("multiply_adds", kind=Kind.AMOUNT, optional=1),
    column("receptive_field", kind=Kind.SHAPE, optional=2),
)


def shapes_report(networks: Sequence[Network], problems: Sequence[Diagnostic]) -> Report:
    """One table per network; `problems` of specs that have none go into the document."""
    fields = {network.spec: receptive_fields(network) for network in networks}
    return Report(
        tables=tuple(_table(network, fields[network.spec]) for network in networks),
        document={
            "version": VERSION,
            "networks": [_document(network, fields[network.spec]) for network in networks],
            "problems": [problem.document() for problem in problems],
        },
    )


def _table(network: Network, fields: _Fields) -> Table:
    parameters = sum(layer.geometry.parameters for layer in network.layers)
    multiply_adds = sum(layer.geometry.multiply_adds for layer in network.layers)
    return Table(
        title=f"{network.name} ({network.rules.title}), {_inputs_text(network)}",
        columns=_COLUMNS,
        rows=tuple(_row(layer, before, fields) for layer, before in _with_layer_before(network)),
        total=("total", None, None, None, network.output, parameters, multiply_adds, None),
        spec=network.spec,
        quiet=frozenset(
            number
            for number, layer in enumerate(network.layers)
            if layer.inputs == (layer.output,) and not layer.geometry.parameters
        ),
    )


def _with_layer_before(network: Network) -> list[tuple[NetworkLayer, str]]:
    names = [network.inputs[0][0], *(layer.name for layer in network.layers)]
    return list(zip(network.layers, names))


def _row(layer: NetworkLayer, before: str, fields: _Fields) -> tuple[Cell, ...]:
    """`from` names the sources where they are not simply the layer before."""
    return (
        layer.name,
        layer.type,
        None if layer.sources == (before,) else ", ".join(layer.sources),
        layer.inputs[0] if len(layer.inputs) == 1 else layer.inputs,
        layer.output,
        layer.geometry.parameters,
        layer.geometry.multiply_adds,
        fields[layer.name],
    )


def _inputs_text(network: Network) -> str:
    several = len(network.inputs) > 1
    return "input " + ", ".join(
        f"{name} {list(shape)}" if several else str(list(shape)) for name, shape in network.inputs
    )


def _document(network: Network, fields: _Fields) -> dict[str, object]:
    (_, first), *more = network.inputs
    return {
        "spec": network.spec,
        "name": network.name,
        "framework": network.framework,
        "input": dict(network.inputs) if more else first,
        "layers": [_layer_document(layer, fields) for layer in network.layers],
        "output": network.output,
    }


def _layer_document(layer: NetworkLayer, fields: _Fields) -> dict[str, object]:
    geometry = layer.geometry
    document: dict[str, object] = {
        "name": layer.name,
        "type": layer.type,
        "line": layer.line,
        "inputs": layer.inputs,
        "output": layer.output,
        "parameters": geometry.parameters,
        "multiply_adds": geometry.multiply_adds,
    }
    if geometry.convolution is not None:
        document["nnz"] = geometry.convolution.nnz
    document["receptive_field"] = fields[layer.name]
    return document
