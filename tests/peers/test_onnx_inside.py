"""Branches that are taken, and local functions: their networks against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.peers.test_onnx_numbers import (
    F32,
    SHAPE,
    assert_computes_as_the_runtime,
    node,
    numbers,
    onnx,
)

pytestmark = pytest.mark.peers

Value = onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT


def tensors(constants: dict[str, Any]) -> list[Any]:
    return [onnx.numpy_helper.from_array(np.asarray(one), name) for name, one in constants.items()]


def body(nodes: list[Any], outputs: str, **constants: Any) -> Any:
    """A branch of an If."""
    values = [Value(name, FLOAT, None) for name in outputs.split()]
    return onnx.helper.make_graph(nodes, "body", [], values, tensors(constants))


def save(
    path: Path, nodes: list[Any], outputs: str = "y", functions: Any = (), **constants: Any
) -> None:
    values = [Value(name, FLOAT, None) for name in outputs.split()]
    graph = onnx.helper.make_graph(
        nodes, "graph", [Value("x", FLOAT, SHAPE)], values, tensors(constants)
    )
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    model = onnx.helper.make_model(
        graph, opset_imports=opsets, ir_version=8, functions=list(functions)
    )
    onnx.save(model, str(path))


CONV = node("Conv", "r w", "t")
RELU = node("Relu", "r", "t")
FEW = {"w": numbers(3, 4, 1, 1)}


def branches(then: Any, other: Any, outputs: str = "y", condition: str = "flag") -> Any:
    return node("If", condition, outputs, then_branch=then, else_branch=other)


@pytest.mark.parametrize("flag", [True, False])
class TestBranches:
    """The condition is a constant: the nodes of its branch stand in the If's place."""

    def test_its_own_weight_and_what_it_reads_from_around_it(
        self, tmp_path: Path, flag: bool
    ) -> None:
        taken = branches(body([CONV], "t", **FEW), body([RELU], "t"))
        save(tmp_path / "m.onnx", [node("Tanh", "x", "r"), taken], flag=np.array(flag))
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    def test_several_outputs_one_of_them_a_value_from_around_it(
        self, tmp_path: Path, flag: bool
    ) -> None:
        then = body([node("Identity", "r", "u"), CONV], "t u", **FEW)
        other = body([RELU, node("Sigmoid", "t", "u")], "u t")
        taken = branches(then, other, "y z")
        nodes = [node("Tanh", "x", "r"), taken, node("Mul", "y m", "v")]
        save(tmp_path / "m.onnx", nodes, "v z", flag=np.array([flag]), m=F32(-2))
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    def test_one_inside_another_with_the_same_names(self, tmp_path: Path, flag: bool) -> None:
        weights = [{"w": numbers(3, 4, 1, number)} for number in (1, 2, 3)]
        inner = branches(body([CONV], "t", **weights[0]), body([CONV], "t", **weights[1]), "s")
        taken = branches(body([inner], "s"), body([CONV], "t", **weights[2]))
        save(tmp_path / "m.onnx", [node("Tanh", "x", "r"), taken], flag=np.array(flag))
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    def test_a_condition_that_the_shapes_decide(self, tmp_path: Path, flag: bool) -> None:
        nodes = [
            node("Tanh", "x", "r"),
            node("Shape", "r", "s"),
            node("Gather", "s one", "c"),
            node("Equal", "c wanted", "flag"),
            branches(body([CONV], "t", **FEW), body([RELU], "t")),
        ]
        save(tmp_path / "m.onnx", nodes, one=np.array(1), wanted=np.array(4 if flag else 5))
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    def test_a_weight_that_a_branch_computes(self, tmp_path: Path, flag: bool) -> None:
        turned = node("Transpose", "v", "w", perm=[1, 0, 2, 3])
        then = body([CONV, turned][::-1], "t", v=numbers(4, 3, 1, 2))
        taken = branches(then, body([RELU], "t"))
        save(tmp_path / "m.onnx", [node("Tanh", "x", "r"), taken], flag=np.array(flag))
        assert_computes_as_the_runtime(tmp_path / "m.onnx")


def function(
    name: str, inputs: str, outputs: str, nodes: list[Any], attributes: Any = (), **defaults: Any
) -> Any:
    opsets = [onnx.helper.make_opsetid("", 17), onnx.helper.make_opsetid("own", 1)]
    protos = [onnx.helper.make_attribute(key, value) for key, value in defaults.items()]
    return onnx.helper.make_function(
        "own", name, inputs.split(), outputs.split(), nodes, opsets, list(attributes), protos
    )


def call(name: str, inputs: str, outputs: str, title: str = "", /, **attributes: Any) -> Any:
    return onnx.helper.make_node(
        name, inputs.split(), outputs.split(), title, domain="own", **attributes
    )


def referring(made: Any, **references: tuple[int, str]) -> Any:
    """`made` with attributes that are those of the call."""
    for key, (kind, name) in references.items():
        made.attribute.add(name=key, ref_attr_name=name, type=kind)
    return made


FLOATS, INTS, ONE = 6, 7, 1
BLOCK = function("Block", "a w", "b", [node("Conv", "a w", "c"), node("Relu", "c", "b")])


class TestFunctions:
    def test_one_that_is_called_twice(self, tmp_path: Path) -> None:
        nodes = [call("Block", "x v", "c", "first"), call("Block", "c w", "y", "second")]
        save(
            tmp_path / "m.onnx",
            nodes,
            functions=[BLOCK],
            v=numbers(4, 4, 3, 3),
            w=numbers(2, 4, 1, 2),
        )
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    def test_one_that_calls_another(self, tmp_path: Path) -> None:
        outer = function("Outer", "p q", "r", [call("Block", "p q", "c"), node("Add", "c p", "r")])
        save(
            tmp_path / "m.onnx",
            [call("Outer", "x w", "y")],
            functions=[outer, BLOCK],
            w=numbers(4, 4, 1, 1),
        )
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    @pytest.mark.parametrize("given", [{}, {"slope": 0.25}])
    def test_attributes_of_the_call_and_their_defaults(
        self, tmp_path: Path, given: dict[str, float]
    ) -> None:
        bent = referring(node("LeakyRelu", "a", "b"), alpha=(ONE, "slope"))
        one = function("Bent", "a", "b", [bent], slope=0.4)
        save(tmp_path / "m.onnx", [call("Bent", "x", "y", "", **given)], functions=[one])
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    def test_an_attribute_passed_on_to_a_constant_inside(self, tmp_path: Path) -> None:
        sizes = referring(node("Constant", "", "s"), value_ints=(INTS, "shape"))
        inner = function("Inner", "a", "b", [sizes, node("Reshape", "a s", "b")], ["shape"])
        passed = referring(call("Inner", "a", "b"), shape=(INTS, "sizes"))
        outer = function("Outer", "a", "b", [passed], ["sizes"])
        nodes = [
            call("Outer", "x", "z", sizes=[2, 63, 4]),
            call("Outer", "z", "y", sizes=[2, 7, -1]),
        ]
        save(tmp_path / "m.onnx", nodes, functions=[outer, inner])
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    def test_its_own_weight_and_two_outputs(self, tmp_path: Path) -> None:
        weight = node("Constant", "", "w", value=tensors(FEW)[0])
        nodes = [weight, node("Conv", "a w", "b"), node("Relu", "b", "c")]
        one = function("Own", "a", "b c", nodes)
        save(tmp_path / "m.onnx", [call("Own", "x", "y z")], "y z", functions=[one])
        assert_computes_as_the_runtime(tmp_path / "m.onnx")

    @pytest.mark.parametrize("flag", [True, False])
    def test_a_branch_inside_one(self, tmp_path: Path, flag: bool) -> None:
        taken = branches(body([CONV], "t", **FEW), body([RELU], "t"), "b", "f")
        one = function("Cases", "r f", "b", [taken])
        save(
            tmp_path / "m.onnx",
            [call("Cases", "x flag", "y")],
            functions=[one],
            flag=np.array(flag),
        )
        assert_computes_as_the_runtime(tmp_path / "m.onnx")
