"""ONNX's own test cases: values of Conv and ConvTranspose, and the shapes that pools give.

The cases are those that the installed `onnx` package generates for its backends, and those it
ships that were converted from PyTorch.  Attributes become explicit arguments by the text of the
operators' specification; the half of an odd total that is larger goes where that text says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.arithmetic.layers.adaptive_pools import GlobalPool
from convt_cli.arithmetic.layers.pools import AveragePool, MaxPool
from convt_cli.operators.functions import conv, conv_transpose
from tests.oracle import Array

onnx = pytest.importorskip("onnx")
node = pytest.importorskip("onnx.backend.test.case.node")
loader = pytest.importorskip("onnx.backend.test.loader")

pytestmark = pytest.mark.peers

PYTORCH = FRAMEWORKS["pytorch"]

# ONNX operator -> the layer type whose shape rule it is held to
POOLS: dict[str, type[Any]] = {
    "MaxPool": MaxPool,
    "AveragePool": AveragePool,
    "GlobalMaxPool": GlobalPool,
    "GlobalAveragePool": GlobalPool,
}

_BEYOND_HALF = "PyTorch pads a pool by at most half its kernel"
_DILATED = "PyTorch's average pool has no dilation"

REFUSED_BY_PYTORCH = {
    "test_maxpool_2d_pads": _BEYOND_HALF,
    "test_averagepool_2d_pads": _BEYOND_HALF,
    "test_averagepool_2d_pads_count_include_pad": _BEYOND_HALF,
    "test_averagepool_2d_dilations": _DILATED,
    "test_averagepool_3d_dilations_small": _DILATED,
    **{
        "test_averagepool_3d_dilations_large_count_include_pad"
        f"_is_{included}_ceil_mode_is_{ceil}": _DILATED
        for included in (0, 1)
        for ceil in (True, False)
    },
}


@dataclass(frozen=True)
class Case:
    """One node with its attributes, what goes in and what must come out."""

    name: str
    operator: str
    attributes: dict[str, Any]
    inputs: list[Array]
    output: Array

    @property
    def size(self) -> tuple[int, ...]:
        return self.inputs[0].shape[2:]

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """Of a convolution from its weight, of a pool from its attribute."""
        if len(self.inputs) > 1:
            return self.inputs[1].shape[2:]
        return tuple(self.attributes["kernel_shape"])

    def per_axis(self, attribute: str, default: int) -> tuple[int, ...]:
        return tuple(self.attributes.get(attribute, [default] * len(self.size)))

    @property
    def stride(self) -> tuple[int, ...]:
        return self.per_axis("strides", 1)

    @property
    def dilation(self) -> tuple[int, ...]:
        return self.per_axis("dilations", 1)

    @property
    def effective(self) -> list[int]:
        """The elements that the kernel spans on each axis."""
        return [d * (k - 1) + 1 for k, d in zip(self.kernel_size, self.dilation, strict=True)]

    @property
    def auto_pad(self) -> str:
        return str(self.attributes.get("auto_pad", b"NOTSET"), "ascii")


def case_of(name: str, model: Any, data: Sequence[Array], outputs: Sequence[Array]) -> Case:
    """The one node of `model`; what `data` leaves of its inputs are initializers."""
    graph = model.graph
    (only,) = graph.node
    values = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    free = [each.name for each in graph.input if each.name not in values]
    values |= zip(free, data, strict=True)
    return Case(
        name=name,
        operator=only.op_type,
        attributes={each.name: onnx.helper.get_attribute_value(each) for each in only.attribute},
        inputs=[values[each] for each in only.input],
        output=outputs[0],
    )


def generated() -> Iterator[Case]:
    """The cases that onnx generates as its modules are imported."""
    for operator in ("Conv", "ConvTranspose", *POOLS):
        import_module(f"{node.__name__}.{operator.lower()}")
    for case in node._NodeTestCases:
        if case.model.graph.node[0].op_type in ("Conv", "ConvTranspose", *POOLS):
            yield case_of(case.name, case.model, *case.data_sets[0])


def converted() -> Iterator[Case]:
    """The cases of a single node that onnx ships as files."""
    for kind in ("pytorch-converted", "pytorch-operator"):
        for case in loader.load_model_tests(kind=kind):
            model = onnx.load(Path(case.model_dir) / "model.onnx")
            nodes = [each.op_type for each in model.graph.node]
            if len(nodes) == 1 and nodes[0] in ("Conv", "ConvTranspose", *POOLS):
                folder = Path(case.model_dir) / "test_data_set_0"
                yield case_of(case.name, model, tensors(folder, "input"), tensors(folder, "output"))


def tensors(folder: Path, what: str) -> list[Array]:
    """input_0.pb, input_1.pb ... or the outputs, as arrays."""
    paths = sorted(folder.glob(f"{what}_*.pb"))
    return [onnx.numpy_helper.to_array(onnx.load_tensor(path)) for path in paths]


CASES = [*generated(), *converted()]


def cases(*operators: str) -> pytest.MarkDecorator:
    """Parametrises over the cases of these operators; those PyTorch refuses are skipped."""
    return pytest.mark.parametrize(
        "case",
        [
            pytest.param(case, id=case.name, marks=_skipped(case))
            for case in CASES
            if case.operator in operators
        ],
    )


def _skipped(case: Case) -> list[pytest.MarkDecorator]:
    reason = REFUSED_BY_PYTORCH.get(case.name)
    return [] if reason is None else [pytest.mark.skip(reason=reason)]


def halves(total: int, *, larger_first: bool) -> tuple[int, int]:
    smaller = total // 2
    return (total - smaller, smaller) if larger_first else (smaller, total - smaller)


def written_pads(case: Case) -> list[tuple[int, int]]:
    """All the begins, then all the ends, as pairs."""
    rank = len(case.size)
    flat = case.attributes.get("pads", [0] * (2 * rank))
    return list(zip(flat[:rank], flat[rank:], strict=True))


def direct_pads(case: Case) -> list[tuple[int, int]]:
    """The pads of Conv and the pools; SAME gives ceil(n / stride) outputs."""
    if not case.auto_pad.startswith("SAME"):
        return written_pads(case)
    axes = zip(case.size, case.stride, case.effective, strict=True)
    totals = [max(0, (-(-n // s) - 1) * s + ke - n) for n, s, ke in axes]
    return [halves(total, larger_first=case.auto_pad == "SAME_LOWER") for total in totals]


def transposed_pads(case: Case) -> tuple[list[tuple[int, int]], list[int]]:
    """(pads, output_padding) of ConvTranspose.

    With output_shape, or SAME and so size * stride, the pads are what is too much; where it is
    too little, zeros follow at the end.
    """
    extra = list(case.per_axis("output_padding", 0))
    same = case.auto_pad.startswith("SAME")
    if "output_shape" not in case.attributes and not same:
        return written_pads(case), extra
    scaled = [n * s for n, s in zip(case.size, case.stride, strict=True)]
    wanted = case.attributes.get("output_shape", scaled)
    axes = zip(case.size, case.stride, case.effective, extra, wanted, strict=True)
    totals = [(n - 1) * s + ke + op - size for n, s, ke, op, size in axes]
    larger_first = case.auto_pad != "SAME_UPPER"
    pads = [halves(max(0, total), larger_first=larger_first) for total in totals]
    return pads, [op + max(0, -total) for op, total in zip(extra, totals, strict=True)]


def with_bias(case: Case, result: Array) -> Array:
    if len(case.inputs) < 3:
        return result
    biased: Array = result + case.inputs[2].reshape(-1, *(1 for _ in case.size))
    return biased


def assert_output(case: Case, result: Array) -> None:
    assert result.dtype == case.output.dtype
    assert result.shape == case.output.shape
    np.testing.assert_allclose(with_bias(case, result), case.output, rtol=1e-4, atol=1e-5)


@cases("Conv")
def test_conv(case: Case) -> None:
    x, weight, *_ = case.inputs
    result = conv(
        x,
        weight,
        stride=case.stride,
        padding=direct_pads(case),
        dilation=case.dilation,
        groups=case.attributes.get("group", 1),
    )
    assert_output(case, result)


@cases("ConvTranspose")
def test_conv_transpose(case: Case) -> None:
    y, weight, *_ = case.inputs
    pads, output_padding = transposed_pads(case)
    result = conv_transpose(
        y,
        weight,
        stride=case.stride,
        padding=pads,
        output_padding=output_padding,
        dilation=case.dilation,
        groups=case.attributes.get("group", 1),
    )
    assert_output(case, result)


@cases("MaxPool", "AveragePool")
def test_pool(case: Case) -> None:
    dilation = {"dilation": case.dilation} if case.operator == "MaxPool" else {}
    layer = POOLS[case.operator](
        kernel_size=case.kernel_size,
        stride=case.stride,
        padding=tuple(direct_pads(case)),
        ceil_mode=bool(case.attributes.get("ceil_mode", 0)),
        **dilation,
    )
    source = case.inputs[0].shape[1:]
    assert layer.resolve((source,), PYTORCH).output == case.output.shape[1:]


@cases("GlobalMaxPool", "GlobalAveragePool")
def test_global_pool(case: Case) -> None:
    source = case.inputs[0].shape[1:]
    layer = POOLS[case.operator]()
    assert layer.resolve((source,), PYTORCH).output == case.output.shape[1:]


def test_as_many_cases_are_compared_as_onnx_has() -> None:
    """Fewer would mean that cases were lost on the way, not that they hold."""
    compared = Counter(case.operator for case in CASES if case.name not in REFUSED_BY_PYTORCH)
    least = {
        "Conv": 33,
        "ConvTranspose": 14,
        "MaxPool": 27,
        "AveragePool": 17,
        "GlobalMaxPool": 2,
        "GlobalAveragePool": 2,
    }
    assert compared >= Counter(least)


def test_every_case_that_is_skipped_is_there() -> None:
    assert set(REFUSED_BY_PYTORCH) <= {case.name for case in CASES}
