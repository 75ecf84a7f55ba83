"""From a `NetworkSpec` to a `Network`, layer by layer, or to the list of its problems.

The arithmetic raises `GeometryError` with the name of a field; here that name finds its place in
the spec.  The `expect` of a layer that cannot be resolved serves as its shape, so that one error
does not hide the next; without one, the layers that read it are passed over.
"""

from __future__ import annotations

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.layers import Definition, Geometry
from convt_cli.arithmetic.layers.pools import MaxUnpool
from convt_cli.arithmetic.network import Network, NetworkLayer
from convt_cli.arithmetic.sharing import counted_once
from convt_cli.errors import GeometryError, SourcesError, shown
from convt_cli.spec.layer_spec import LayerSpec, Situation
from convt_cli.spec.reader import NetworkSpec
from convt_cli.spec.source import Problems


def resolve(spec: NetworkSpec, problems: Problems, mismatches: Problems) -> Network | None:
    """The network with every shape known; None where `problems` has errors, which are noted there.

    Outputs that differ from their `expect` are noted in `mismatches`.
    """
    shapes: dict[str, Shape] = dict(spec.inputs)
    above: dict[str, LayerSpec] = {}
    layers = []
    for layer in spec.layers:
        here = Situation(layer=layer, framework=spec.framework, above=above, shapes=shapes)
        definition = layer.definition
        geometry = None if definition is None else _geometry(definition, here, problems)
        above[layer.name] = layer
        if definition is None or geometry is None:
            if layer.expect is not None:
                shapes[layer.name] = layer.expect
            continue
        shapes[layer.name] = geometry.output
        _compare(geometry, here, mismatches)
        layers.append(
            NetworkLayer(
                name=layer.name,
                type=layer.type,
                line=problems.line(layer.place("")),
                definition=definition,
                sources=layer.sources or (),
                inputs=tuple(shapes[name] for name in layer.sources or ()),
                geometry=geometry,
                stands_for=layer.stands_for,
                pool_sources=_pool_sources(layer),
            )
        )
    if problems.has_errors:
        return None
    return Network(
        spec=problems.spec,
        name=spec.name,
        rules=spec.framework,
        inputs=tuple(spec.inputs.items()),
        layers=tuple(counted_once(layers, spec.framework)),
        outputs=spec.outputs or (layers[-1].name,),
        warnings=problems.diagnostics,
    )


def _pool_sources(layer: LayerSpec) -> tuple[str, ...]:
    """What the pool reads that the layer undoes; other links are to shapes, not to numbers."""
    return (layer.linked or ()) if isinstance(layer.definition, MaxUnpool) else ()


def _geometry(definition: Definition, here: Situation, problems: Problems) -> Geometry | None:
    """The shapes of a layer, all its problems noted; None where they are not defined."""
    errors = list(definition.problems(here.framework))
    geometry = None
    # with other problems, or without a shape it needs, resolving says nothing new
    needed = here.layer.needed
    sized = all(error.keeps_size for error in errors)
    if sized and needed and all(name in here.shapes for name in needed):
        try:
            sources = tuple(here.shapes[name] for name in needed)
            geometry = definition.resolve(sources, here.framework)
        except GeometryError as found:
            # one that keeps the size has been noted above, if anything has
            if not (errors and found.keeps_size):
                errors.append(found)
    for error in errors:
        _note(error, here, problems)
    return geometry


def _note(error: GeometryError, here: Situation, problems: Problems) -> None:
    """Note an error at the place of its field, with the help of the join where it is one."""
    remedy = error.help
    if isinstance(error, SourcesError) and len(here.sources) > 1:
        from convt_cli.spec.remedies import join_help  # noqa: PLC0415  # an error alone needs it

        remedy = join_help(error, here, problems.spec)
    problems.add(
        here.layer.place(error.field),
        error.code,
        error.message,
        value=error.value,
        help=remedy,
        layer=here.layer.name,
    )


def _compare(geometry: Geometry, here: Situation, mismatches: Problems) -> None:
    """Note an output that is not the expected one (E201)."""
    layer = here.layer
    if layer.expect is not None and layer.expect != geometry.output:
        from convt_cli.spec.remedies import expect_help  # noqa: PLC0415  # an error alone needs it

        mismatches.add(
            layer.place("expect"),
            "E201",
            f"the output of {shown(layer.name)} must be as expected",
            value=f"expected {list(layer.expect)}, the arithmetic gives {list(geometry.output)}",
            help=expect_help(geometry, here),
            layer=layer.name,
        )
