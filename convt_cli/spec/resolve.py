"""A `NetworkSpec` handed to the arithmetic, layer by layer: a `Network`, or its problems.

The core raises `GeometryError` with the name of a field; here that name finds its place in the
spec.  A layer that cannot be resolved passes on what it was expected to give, so that one error
does not hide the next; without an `expect`, the layers behind it are left alone.
"""

from __future__ import annotations

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.frameworks import Framework
from convt_cli.arithmetic.layers import Geometry, LayerType
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.errors import GeometryError, shown
from convt_cli.spec.layers import LayerSpec
from convt_cli.spec.reader import NetworkSpec
from convt_cli.spec.source import Problems

# Rules that a layer can break and still have an output of a certain size.
_STILL_SIZED = frozenset({"E105", "E122"})


def resolve(spec: NetworkSpec, problems: Problems, mismatches: Problems) -> Network | None:
    """The network with every shape known, or None after noting why not in `problems`.

    Outputs that differ from their `expect` are noted in `mismatches`.
    """
    framework = spec.framework
    shapes: dict[str, Shape] = dict(spec.inputs)
    layers = []
    for layer in spec.layers:
        definition = layer.definition
        geometry = (
            None
            if definition is None
            else _geometry(definition, layer, shapes, framework, problems)
        )
        if definition is None or geometry is None:
            if layer.expect is not None:
                shapes[layer.name] = layer.expect
            continue
        shapes[layer.name] = geometry.output
        _compare(layer, geometry, mismatches)
        layers.append(
            NetworkLayer(
                name=layer.name,
                type=layer.type,
                line=layer.place("").line + 1,
                definition=definition,
                sources=layer.sources or (),
                inputs=tuple(shapes[name] for name in layer.sources or ()),
                geometry=geometry,
                stands_for=layer.stands_for,
            )
        )
    if problems.has_errors:
        return None
    return Network(
        spec=problems.spec,
        name=spec.name,
        rules=framework,
        inputs=tuple(spec.inputs.items()),
        layers=tuple(layers),
        warnings=problems.diagnostics,
    )


def _geometry(
    definition: LayerType,
    layer: LayerSpec,
    shapes: dict[str, Shape],
    framework: Framework,
    problems: Problems,
) -> Geometry | None:
    """What the layer comes to, as far as it can be said; None where it cannot."""
    errors = list(definition.problems(framework))
    geometry = None
    needed = layer.needed
    sized = {error.code for error in errors} <= _STILL_SIZED
    if sized and needed and all(name in shapes for name in needed):
        try:
            geometry = definition.resolve(tuple(shapes[name] for name in needed), framework)
        except GeometryError as found:
            if found.code not in {error.code for error in errors}:
                errors.append(found)
    for error in errors:
        _note(error, layer, problems)
    return geometry


def _note(error: GeometryError, layer: LayerSpec, problems: Problems) -> None:
    problems.add(
        layer.place(error.field),
        error.code,
        error.message,
        value=error.value,
        help=error.help,
        layer=layer.name,
    )


def _compare(layer: LayerSpec, geometry: Geometry, mismatches: Problems) -> None:
    if layer.expect is not None and layer.expect != geometry.output:
        mismatches.add(
            layer.place("expect"),
            "E201",
            f"the output of {shown(layer.name)} must be as expected",
            value=f"expected {list(layer.expect)}, the arithmetic gives {list(geometry.output)}",
            help="`convt table` shows each axis with its numbers put in",
            layer=layer.name,
        )
