"""Remedies for errors that lie outside of the layer at fault, each tried out before it is named.

The arithmetic says what is wrong with a layer.  The change that mends it can be one to a layer
above, or need numbers that only a search finds; a message may name it only if it mends this spec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from shlex import quote

from convt_cli.arithmetic.axis import Axis
from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers import (
    Conv,
    ConvTranspose,
    Definition,
    Geometry,
    Windows,
)
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.arithmetic.layers.resampling import Upsample
from convt_cli.arithmetic.questions.bounds import Bounds
from convt_cli.arithmetic.questions.solver import Question, has_solution
from convt_cli.errors import GeometryError, SourcesError
from convt_cli.spec.layer_spec import LayerSpec, Situation
from convt_cli.spec.reader import DEFAULT_FRAMEWORK

# Bounds for what is tried out, so that a message costs little time.
_MOST_TAPS = 1000
"""Taps of an effective kernel for which a solution is searched."""

_MOST_SOURCES = 8
"""Sources of a join that are looked at."""

_MOST_LAYERS = 32
"""Layers between a join and the layer above that could be resized."""


def join_help(error: SourcesError, here: Situation, path: str) -> str:
    """The help for a join whose sources differ in spatial sizes; else the error's own."""
    if not _would_join(here):
        return error.help
    resized = next(_resized(here), "")
    closing = f"`convt solve --sizes {quote(path)}` says which input sizes fit"
    return "; ".join(filter(None, (resized, closing, error.help)))


def _would_join(here: Situation) -> bool:
    """Whether the sources would fit if their spatial sizes were equal."""
    first, *others = (here.shapes[name] for name in here.sources)  # (channels, *spatial)
    if here.layer.definition is None or any(len(shape) != len(first) for shape in others):
        return False
    equal = (first, *((shape[0], *first[1:]) for shape in others))
    try:
        here.layer.definition.resolve(equal, here.framework)
    except GeometryError:
        return False
    return True


def _resized(here: Situation) -> Iterator[str]:
    """Sentences that name a layer above and the output_size with which the join's sources fit."""
    for name in here.sources[:_MOST_SOURCES]:
        way = _way_to_resizable(name, here.above)
        others = [here.shapes[other][1:] for other in here.sources[:_MOST_SOURCES] if other != name]
        for size in dict.fromkeys(others):
            changed = _with_output_size(way[0].definition, size) if way else None
            if changed is not None and _fits(here, name, way, changed):
                yield f"give {way[0].name} `output_size: {list(size)}`{_instead(way[0].definition)}"


def _way_to_resizable(name: str, above: Mapping[str, LayerSpec]) -> list[LayerSpec]:
    """The layers down to `name` from the nearest one above that takes an output_size.

    Empty if there is none before a layer with several sources, or within `_MOST_LAYERS`.
    """
    way: list[LayerSpec] = []
    while name in above and len(way) < _MOST_LAYERS:
        one = above[name]
        way.insert(0, one)
        if one.needed is None or len(one.needed) != 1:
            return []
        if isinstance(one.definition, (ConvTranspose, Upsample)):
            return way
        (name,) = one.needed
    return []


def _fits(here: Situation, name: str, way: list[LayerSpec], changed: Definition) -> bool:
    """Whether the join is legal with `changed` in place of the first layer of `way`, to `name`."""
    framework = here.framework
    if any(changed.problems(framework)):
        return False
    definitions = (changed, *(one.definition for one in way[1:]), here.layer.definition)
    *before, join = (one for one in definitions if one is not None)
    shape = here.shapes.get((way[0].needed or ("",))[0], ())  # () is refused
    try:
        for definition in before:
            shape = definition.resolve((shape,), framework).output
        trial = (shape if one == name else here.shapes[one] for one in here.sources)
        join.resolve(tuple(trial), framework)
    except GeometryError:
        return False
    return True


def _with_output_size(definition: Definition | None, size: Shape) -> Definition | None:
    """The layer with this output_size and no other key that sizes it; None for other types."""
    match definition:
        case ConvTranspose():
            return replace(definition, output_size=size, output_padding=None)
        case Upsample():
            return replace(definition, output_size=size, scale_factor=None)
    return None


def _instead(definition: Definition | None) -> str:
    """The end of a sentence that names the key which output_size replaces; "" for none."""
    match definition:
        case ConvTranspose(output_padding=value) if value is not None:
            return " in place of output_padding"
        case Upsample(scale_factor=value) if value is not None:
            return " in place of scale_factor"
    return ""


def expect_help(geometry: Geometry, here: Situation) -> str:
    """The help for a layer whose output is not the expected one (E201): how to get that."""
    expected = here.layer.expect or ()
    accept = f"if the layer is right, write `expect: {list(geometry.output)}`"
    if len(expected) != len(geometry.output):
        return accept
    found = _channels(geometry, here) or _ceil_mode(here) or _search(geometry, here)
    return found or accept


def _channels(geometry: Geometry, here: Situation) -> str:
    """The help to set out_channels, where only the channels are not as expected; else ""."""
    expected = here.layer.expect or ()
    convolutional = isinstance(here.layer.definition, (Conv, ConvTranspose))
    if convolutional and geometry.output[1:] == expected[1:]:
        return f"write `out_channels: {expected[0]}`, or `expect: {list(geometry.output)}`"
    return ""


def _ceil_mode(here: Situation) -> str:
    """The help to set a pool's ceil_mode, where that gives the expected output; else ""."""
    definition, framework = here.layer.definition, here.framework
    if not isinstance(definition, (MaxPool, AveragePool)):
        return ""
    for ceil_mode in (True, False):
        changed = replace(definition, ceil_mode=ceil_mode)
        try:
            output = changed.resolve((here.shapes[here.sources[0]],), framework).output
        except GeometryError:
            continue
        if output == here.layer.expect and not any(changed.problems(framework)):
            return f"write `ceil_mode: {str(ceil_mode).lower()}`"
    return ""


def _search(geometry: Geometry, here: Situation) -> str:
    """The help to search with `convt solve`, for the first axis of another size; else ""."""
    windowed = isinstance(here.layer.definition, (Conv, ConvTranspose, MaxPool, AveragePool))
    if not windowed or not isinstance(geometry.dependence, Windows):
        return ""
    adjoint = geometry.dependence.adjoint
    expected = here.layer.expect or ()
    for axis, wanted in zip(geometry.dependence.axes, expected[1:]):
        # the layer's own input and output sizes: of a transposed layer, the axis has them reversed
        size, got = axis.input_size, axis.output_size
        if adjoint:
            size, got = got, size
        if got != wanted:
            question = Question(
                layer_type="conv_transpose" if adjoint else "conv",
                input_size=size,
                output_size=wanted,
                framework=FRAMEWORKS[here.framework.name],
            )
            return _command(question, axis)
    return ""


def _command(question: Question, axis: Axis) -> str:
    """A sentence with `convt solve` and as much of the axis as leaves a solution, else ""."""
    stencil = {"kernel_size": axis.kernel_size, "stride": axis.stride, "dilation": axis.dilation}
    if axis.effective_kernel > _MOST_TAPS:
        return ""
    # from all that the axis has to nothing of it
    for names in (tuple(stencil), ("kernel_size", "dilation"), ("stride",), ()):
        kept = {name: stencil[name] for name in names}
        if has_solution(question, Bounds(**{name: [value] for name, value in kept.items()})):
            break
    else:
        return ""
    if kept.get("dilation") == 1:
        del kept["dilation"]  # the simplest solutions have none
    options = {
        "input-size": question.input_size,
        "output-size": question.output_size,
        "type": question.layer_type,
        **{name.replace("_", "-"): value for name, value in kept.items()},
    }
    if question.framework.name != DEFAULT_FRAMEWORK:
        options["framework"] = question.framework.name
    command = " ".join(f"--{name} {value}" for name, value in options.items())
    return f"`convt solve {command}` finds windows that lead to {question.output_size}"
