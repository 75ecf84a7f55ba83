"""convt asked about the cases of `tests.peers.cases`, and what it should answer.

What a framework's own tool said is the truth, but for the departures that are written down here,
each with its reason: there convt is held to a refusal, or to the oracle with pads by the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS, at_opset
from convt_cli.arithmetic.layers import LAYER_TYPES
from convt_cli.arithmetic.layers.base import Geometry
from convt_cli.errors import GeometryError
from convt_cli.files.weights import as_c
from convt_cli.operators.routes import route
from tests import oracle
from tests.oracle import Array
from tests.peers.cases import Case, Pairs, digest, floored, source_of, weight_of

Answer = list[Any] | None
"""[shape, sum, crc32] of an output, or the first of it; None is a refusal, [] any acceptance."""

TRUTH = {
    "pytorch": "torch",
    "tensorflow": "tensorflow",
    "keras": "keras",
    "onnx": "onnxruntime",
    "jax": "jax",
    "caffe": "by_hand",
}
"""The tool that convt follows for each framework."""


def case_of(record: dict[str, Any]) -> Case:
    """The case of a record of the reference file."""
    return Case(record["framework"], record["layer"], tuple(record["input"]), record.get("opset"))


def spec_text(case: Case) -> str:
    """The case as a spec; JSON is YAML."""
    opset = {} if case.opset is None else {"opset": case.opset}
    head = {"framework": case.framework, **opset, "input": list(case.input)}
    return json.dumps({**head, "layers": [case.layer]})


# ----------------------------------------------------------------------------- convt's answer


def geometry_of(case: Case) -> Geometry | None:
    """The layer resolved on its input; None where convt refuses it."""
    keys = {name: _frozen(value) for name, value in case.layer.items() if name != "type"}
    layer: Any = LAYER_TYPES[case.type](**keys)
    rules = FRAMEWORKS[case.framework]
    if case.opset is not None:
        rules = at_opset(rules, case.opset)
    if list(layer.problems(rules)):
        return None
    try:
        resolved: Geometry = layer.resolve((case.input,), rules)
    except GeometryError:
        return None
    return resolved


def ours(case: Case) -> Answer:
    """What convt makes of a case: of a pool the shape alone."""
    geometry = geometry_of(case)
    if geometry is None:
        return None
    values = () if geometry.convolution is None else digest(values_of(case, geometry))
    return [list(geometry.output), *values]


def values_of(case: Case, geometry: Geometry) -> Array:
    """The action of a conv or conv_transpose on the input of the case, (channels, *spatial)."""
    convolution = geometry.convolution
    assert convolution is not None
    assert geometry.weight_layout.stored_shape(convolution) == case.weight_shape
    weight = as_c(weight_of(case), geometry.weight_layout, convolution)
    apply = route("auto", forward=not convolution.adjoint)
    result: Array = apply(convolution, weight, source_of(case)[None])[0]
    return result


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


# ------------------------------------------------------------------- the answer it should give


@dataclass(frozen=True)
class Departure:
    """Where convt knowingly does not do what the tool does."""

    reason: str
    applies: Callable[[Case], bool]
    answer: Callable[[Case], Answer]


def expected(case: Case, said: list[Any] | str) -> Answer:
    """What convt should answer where its tool said this; an output of size 0 is a refusal."""
    for departure in DEPARTURES:
        if departure.applies(case) and not _agreed_refusal(departure, said):
            return departure.answer(case)
    return None if isinstance(said, str) or 0 in said[0] else said


def _agreed_refusal(departure: Departure, said: list[Any] | str) -> bool:
    """A departure in where the values lie is none in what is legal."""
    return departure.answer is _before_opset_11 and isinstance(said, str)


def _same_pads(case: Case) -> Pairs:
    """Pads for ceil(n / s) outputs; the odd one is after, with same_lower before."""

    def pair(n: int, k: int, s: int, d: int) -> tuple[int, int]:
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        small, large = total // 2, total - total // 2
        return (large, small) if case.word == "same_lower" else (small, large)

    return tuple(pair(*axis) for axis in _axes(case))


def _axes(case: Case) -> Iterator[tuple[int, int, int, int]]:
    """(size, kernel_size, stride, dilation) of every axis."""
    return zip(case.sizes, case.kernel_size, case.stride, case.dilation)


def _same(case: Case) -> Answer:
    """ceil(n / s) outputs; of a convolution their values too."""
    if case.pools:
        return [[case.input[0], *(-(-n // s) for n, _, s, _ in _axes(case))]]
    return _answered(
        oracle.direct(source_of(case), weight_of(case), **_window(case, _same_pads(case)))
    )


def _before_opset_11(case: Case) -> Answer:
    """The larger half of what is taken off goes before for SAME_UPPER, after for all others."""
    extra = case.axes("output_padding", 0)
    pairs, extras = [], []
    for number, (i, k, s, d) in enumerate(_axes(case)):
        full = (i - 1) * s + (k - 1) * d + 1 + extra[number]
        wanted = min(i * s, full)
        if "output_size" in case.layer:
            wanted = case.axes("output_size")[number]
        total = max(0, full - wanted)
        small, large = total // 2, total - total // 2
        pairs.append((large, small) if case.word == "same" else (small, large))
        extras.append(extra[number] + max(0, wanted - full))
    window = _window(case, tuple(pairs))
    y, weight = source_of(case), weight_of(case)
    return _answered(oracle.transposed(y, weight, output_padding=extras, **window))


def _window(case: Case, pads: Pairs) -> oracle.Window:
    return {
        "stride": case.stride,
        "pads": pads,
        "dilation": case.dilation,
        "groups": case.groups,
    }


def _answered(values: Array) -> Answer:
    return [list(values.shape), *digest(values)]


def _direct_same(case: Case) -> bool:
    """ONNX's SAME with a dilation, or where a short kernel makes the pads negative."""
    if case.framework != "onnx" or case.word not in ("same", "same_lower"):
        return False
    if case.type == "avg_pool" and max(case.dilation) > 1 and (case.opset or 22) < 19:
        return False
    short = any((-(-n // s) - 1) * s + k < n for n, k, s, _ in _axes(case))
    return case.type != "conv_transpose" and (short or max(case.dilation) > 1)


def _too_large(case: Case) -> bool:
    """An ONNX pool without ceil_mode whose window is larger than its padded input."""
    plain = case.framework == "onnx" and case.pools and not case.layer.get("ceil_mode", False)
    return plain and any(size < 1 for size in floored(case))


def _finds_old_pads(case: Case) -> bool:
    """ONNX's ConvTranspose before opset 11 where it finds pads, not where they are written."""
    found = "output_size" in case.layer or case.word in ("same", "same_lower")
    return found and case.type == "conv_transpose" and (case.opset or 22) < 11


def _between(case: Case) -> bool:
    """ONNX's output_padding of a stride or more, but less than the dilation."""
    extra = case.axes("output_padding", 0)
    axes = zip(extra, case.stride, case.dilation)
    below = all(op < max(s, d) for op, s, d in axes)
    return case.framework == "onnx" and below and any(op >= s for op, s in zip(extra, case.stride))


def _positive(case: Case) -> Answer:
    """Accepted, whatever the values, unless written pads leave nothing of an axis."""
    if case.word is not None or "output_size" in case.layer:
        return []
    axes = zip(_axes(case), case.pairs, case.axes("output_padding", 0))
    sizes = [(i - 1) * s + (k - 1) * d + 1 - b - a + op for (i, k, s, d), (b, a), op in axes]
    return [[case.out_channels, *sizes]] if min(sizes) > 0 else None


DEPARTURES = (
    Departure(
        "SAME with dilation is legal, and its pads are never negative: ceil(n / s) outputs",
        _direct_same,
        _same,
    ),
    Departure(
        "a window larger than the padded input is refused; the runtime divides towards zero",
        _too_large,
        lambda case: None,
    ),
    Departure(
        "output_padding from the stride up to the dilation is legal",
        _between,
        _positive,
    ),
    Departure(
        "before opset 11 the halves lie as the text has it; the runtime knows no opset here",
        _finds_old_pads,
        _before_opset_11,
    ),
)
