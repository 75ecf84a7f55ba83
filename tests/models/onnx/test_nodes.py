"""Nodes of a model's file: the graphs inside them, and the functions that they call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli import load_spec
from convt_cli.errors import FileError
from convt_cli.models.load import load_model
from convt_cli.models.onnx import nodes
from tests.conftest import Run, assert_refused
from tests.models.onnx.test_file import model_of, opened, value

onnx = pytest.importorskip("onnx")

make = onnx.helper.make_node


@pytest.fixture(autouse=True)
def _in_the_folder(folder: Path) -> None:
    pass


def body(*nodes: Any, outputs: str, inputs: str = "", constants: Any = ()) -> Any:
    """A graph inside a node."""
    names = [[value(name) for name in text.split()] for text in (inputs, outputs)]
    return onnx.helper.make_graph(list(nodes), "body", *names, list(constants))


def branches(then: Any, other: Any) -> Any:
    return make("If", ["flag"], ["y"], "if1", then_branch=then, else_branch=other)


RELU = make("Relu", ["a"], ["t"])
PLAIN = body(make("Constant", [], ["e"], value_float=1.0), outputs="e")


class TestGraphsInside:
    @pytest.mark.parametrize(
        ("inside", "captured", "inner"),
        [
            (branches(body(RELU, outputs="t"), PLAIN), "a", 1),
            (branches(body(outputs="a"), PLAIN), "a", 0),
            (branches(body(outputs="a"), body(outputs="x")), "x a", 0),
            (branches(body(branches(body(RELU, outputs="t"), PLAIN), outputs="y"), PLAIN),
             "flag a", 2),
            (make("Loop", ["", "flag", "x"], ["y"], "if1",
                  body=body(make("Add", ["v", "a"], ["w"]), inputs="i c v", outputs="c w")),
             "a", 1),
            (make("Scan", ["x", "x"], ["z", "y"], "if1", num_scan_inputs=1,
                  body=body(make("Add", ["v", "k"], ["w"]), make("Relu", ["a"], ["u"]),
                            inputs="v s", outputs="w u",
                            constants=[onnx.numpy_helper.from_array(np.float32(1), "k")])), "a", 2),
            (make("Cases", ["x"], ["y"], "if1", domain="own",
                  bodies=[body(RELU, outputs="t"), PLAIN]), "a", 1),
        ],
        ids=["node", "output", "outputs", "nested", "loop", "scan", "several"],
    )  # fmt: skip
    def test_what_they_read_from_around_them(self, inside: Any, captured: str, inner: int) -> None:
        graph = opened(model_of(make("Sigmoid", ["x"], ["a"]), inside))
        found = next(node for node in graph.nodes if node.name == "if1")
        assert (" ".join(found.captured), found.inner) == (captured, inner)
        assert {node.operator for node in graph.needed_for(("y",))} >= {"Sigmoid"}

    def test_what_nothing_gives_is_missed(self) -> None:
        with pytest.raises(FileError, match=r"'if1' \(If\) reads is given by the model: 'a'"):
            opened(model_of(branches(body(RELU, outputs="t"), PLAIN)))

    def test_an_import_keeps_it_and_names_the_node(self, run: Run) -> None:
        unknown = make(
            "If", ["a"], ["y"], "if1", then_branch=body(RELU, outputs="t"), else_branch=PLAIN
        )
        opened(model_of(unknown, make("Sigmoid", ["x"], ["a"], "kept")))
        assert_refused(run("import", "m.onnx", "-o", "m.yaml"), "E505")
        outcome = run("import", "m.onnx", "-o", "m.yaml", "--partial")
        assert outcome.err.splitlines()[0] == (
            "cut: 2 of its 3 nodes, because of node 'if1' (If): which of its branches it takes is "
            "not known without an input; with it go the nodes inside it, 1"
        )
        assert "{name: kept, type: sigmoid}" in Path("m.yaml").read_text(encoding="utf-8")


class TestConditions:
    """An If whose condition is a constant is the branch that it takes."""

    @staticmethod
    def model(flag: bool, w: str = "w") -> Any:
        """conv, an If, and what follows it; each branch has a convolution and a weight `w`."""
        weights = [
            onnx.numpy_helper.from_array(np.full((2, 3, 1, 1), number, np.float32), w)
            for number in (1, 2)
        ]
        sides = [
            body(make("Transpose", [w], ["u"], perm=[0, 1, 3, 2]),
                 make("Conv", ["x", "u"], ["t"], name),
                 outputs="t", constants=[tensor])
            for name, tensor in zip(("then", "else"), weights)
        ]  # fmt: skip
        return model_of(
            branches(*sides), constants=[onnx.numpy_helper.from_array(np.array(flag), "flag")]
        )

    @pytest.mark.parametrize(("flag", "taken"), [(True, "then"), (False, "else")])
    def test_it_is_the_branch_it_takes(self, flag: bool, taken: str) -> None:
        opened(self.model(flag))
        imported = load_model("m.onnx", "m.onnx")
        assert [layer.name for layer in imported.layers.values()] == [taken]
        assert imported.messages == ()

    @pytest.mark.parametrize(("flag", "number"), [(True, 1), (False, 2)])
    def test_its_weights_are_those_of_its_branch(self, flag: bool, number: int) -> None:
        opened(self.model(flag))
        weight = load_spec("m.onnx")["then" if flag else "else"].weight()
        assert (weight == np.full((2, 3, 1, 1), number)).all()


class TestFunctions:
    """Nodes that call a function of the model are what is in it."""

    @staticmethod
    def model(*functions: Any, calls: Any, opset: int = 17) -> Any:
        made = model_of(*calls, constants=())
        made.opset_import.append(onnx.helper.make_opsetid("own", 1))
        for name, inputs, outputs, inside, attributes in functions:
            made.functions.append(
                onnx.helper.make_function(
                    "own", name, inputs.split(), outputs.split(), inside,
                    [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("own", 1)],
                    attributes,
                )
            )  # fmt: skip
        return made

    @staticmethod
    def of_caller(operator: str, inputs: str, output: str, **attributes: str) -> Any:
        """A node in a function with attributes that are the caller's, by their names there."""
        node = make(operator, inputs.split(), [output])
        for name, theirs in attributes.items():
            node.attribute.add(name=name, ref_attr_name=theirs, type=onnx.AttributeProto.FLOAT)
        return node

    def call(
        self, operator: str, inputs: str, output: str, name: str = "", **attributes: Any
    ) -> Any:
        return make(operator, inputs.split(), [output], name, domain="own", **attributes)

    def test_they_are_inlined_within_each_other(self) -> None:
        leaky = self.of_caller("LeakyRelu", "a", "b", alpha="slope")
        inner = ("Inner", "a", "b", [leaky], ["slope"])
        calls = [
            make("Sigmoid", ["c"], ["d"], "first"),
            self.call("Inner", "d", "e", "second", slope=0.5),
        ]
        graph = opened(
            self.model(
                inner, ("Outer", "c", "e", calls, []), calls=[self.call("Outer", "x", "y", "block")]
            )
        )
        assert [(one.name, one.operator, one.inputs, one.outputs) for one in graph.nodes] == [
            ("block/first", "Sigmoid", ("x",), ("y/d",)),
            ("", "LeakyRelu", ("y/d",), ("y",)),
        ]
        assert graph.nodes[1].attributes == {"alpha": 0.5}

    def test_a_call_without_an_attribute_has_none(self) -> None:
        leaky = self.of_caller("LeakyRelu", "a", "b", alpha="slope")
        graph = opened(
            self.model(("F", "a", "b", [leaky], ["slope"]), calls=[self.call("F", "x", "y")])
        )
        assert graph.nodes[0].attributes == {}

    def test_two_calls_have_values_and_constants_of_their_own(self) -> None:
        two = make("Constant", [], ["k"], value_float=2.0)
        inside = [two, make("Mul", ["a", "k"], ["m"]), make("Relu", ["m"], ["b"])]
        calls = [self.call("F", "x", "h"), self.call("F", "h", "y")]
        graph = opened(self.model(("F", "a", "b", inside, []), calls=calls))
        assert [one.outputs for one in graph.nodes] == [("h/m",), ("h",), ("y/m",), ("y",)]
        assert set(graph.constants) == {"h/k", "y/k"}

    def test_an_input_that_a_call_leaves_out_is_left_out(self) -> None:
        conv = make("Conv", ["a", "w", "bias"], ["b"])
        model = self.model(("F", "a w bias", "b", [conv], []), calls=[self.call("F", "x x", "y")])
        assert opened(model).nodes[0].inputs == ("x", "x", "")

    def test_one_of_another_opset_stays_a_call(self) -> None:
        relu = make("Relu", ["a"], ["b"])
        model = self.model(("F", "a", "b", [relu], []), calls=[self.call("F", "x", "y")], opset=9)
        assert opened(model).nodes[0].operator == "own.F"

    def test_one_that_calls_itself_is_refused(self) -> None:
        circle: list[Any] = [
            ("F", "a", "b", [self.call("G", "a", "b")], []),
            ("G", "a", "b", [self.call("F", "a", "b")], []),
        ]
        with pytest.raises(FileError, match="the function 'F' calls itself"):
            opened(self.model(*circle, calls=[self.call("F", "x", "y")]))

    def test_a_tower_of_calls_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(nodes, "MOST_PARTS", 1000)
        tower: list[Any] = [
            (
                f"F{n}",
                "a",
                "b",
                [self.call(f"F{n + 1}", "a", "c"), self.call(f"F{n + 1}", "c", "b")],
                [],
            )
            for n in range(40)
        ]
        last: Any = ("F40", "a", "b", [make("Relu", ["a"], ["b"])], [])
        with pytest.raises(FileError, match="more than 1,000 nodes"):
            opened(self.model(*tower, last, calls=[self.call("F0", "x", "y")]))
