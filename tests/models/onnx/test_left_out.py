"""Everything that a spec lacks of a graph is reported and counted, whatever the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from convt_cli.errors import FileError, RequestError
from convt_cli.models.inputs import Input
from convt_cli.models.onnx.convert import convert
from convt_cli.models.onnx.graph import Body, Graph, Node
from tests.models.onnx.test_convert import constant, graph_of, node, text_of


def branching(name: str, captured: str, condition: str = "flag") -> Node:
    """An If whose branches, of a node each, read `captured` from around them."""
    bodies = {
        branch: Body(
            nodes=(node(operator, captured, branch),), outputs=(branch,), given=frozenset([branch])
        )
        for branch, operator in (("then_branch", "Relu"), ("else_branch", "Tanh"))
    }
    return replace(node("If", condition, "b", name), bodies=bodies)


FLAG = constant([[1, 2]])  # as a condition it is none


class TestInsideNodes:
    GRAPH = graph_of(
        node("Relu", "x", "r", "relu1"),
        branching("if1", "r"),
        node("Tanh", "b", "y", "tanh1"),
        flag=FLAG,
    )

    def test_what_a_branch_reads_is_kept(self) -> None:
        imported = convert(self.GRAPH, "m.onnx", partial=True)
        assert [layer.name for layer in imported.layers.values()] == ["relu1"]

    def test_the_node_is_named_and_what_is_inside_is_counted(self) -> None:
        messages = convert(self.GRAPH, "m.onnx", partial=True).messages
        assert messages == (
            (
                "cut: 4 of its 5 nodes, because of node 'if1' (If): which of its branches it takes "
                "is not known without an input; with it go the nodes inside it, 2"
            ),
        )
        assert "# Left out: 4 of its nodes" in text_of(self.GRAPH, partial=True)

    def test_without_partial_it_is_refused_by_name(self) -> None:
        with pytest.raises(RequestError, match="'if1'") as caught:
            convert(self.GRAPH, "m.onnx")
        assert caught.value.code == "E505"

    def test_a_branch_that_gives_too_little_is_refused(self) -> None:
        one = branching("if1", "x")
        short = replace(
            one, bodies={name: replace(body, outputs=()) for name, body in one.bodies.items()}
        )
        graph = graph_of(short, node("Tanh", "b", "y"), flag=constant(True, "bool"))
        with pytest.raises(FileError, match="gives as many values as the If"):
            convert(graph, "m.onnx", partial=True)

    def test_a_branch_that_reads_what_is_cut_is_cut_for_that(self) -> None:
        graph = graph_of(
            node("Relu", "x", "z"), node("LSTM", "x", "l"), branching("if1", "l"),
            outputs=("z", "b"), flag=FLAG,
        )  # fmt: skip
        imported = convert(graph, "m.onnx", partial=True)
        assert [one.title for one in imported.causes] == ["node 'l' (LSTM)"]
        assert imported.left_out == 4

    def test_an_input_that_a_branch_alone_reads_is_an_input(self) -> None:
        graph = graph_of(
            node("Relu", "x", "y"),
            branching("if1", "z"),
            inputs=[Input(name="z", shape=(1, 2, 3))],
            outputs=("y", "b"),
            flag=FLAG,
        )
        imported = convert(graph, "m.onnx", partial=True)
        assert [name for name, _ in imported.inputs] == ["x", "z"]


class TestIdle:
    def messages(self, graph: Graph) -> tuple[str, ...]:
        return convert(graph, "m.onnx").messages

    def test_nodes_that_no_output_depends_on(self) -> None:
        graph = graph_of(
            node("Relu", "x", "y"), *(node("Tanh", "x", f"t{number}") for number in range(5))
        )
        (message,) = self.messages(graph)
        assert message == (
            "note: no output depends on 5 nodes (node 't0' (Tanh), node 't1' (Tanh), "
            "node 't2' (Tanh) and more): left out"
        )

    def test_a_node_without_outputs(self) -> None:
        (message,) = self.messages(graph_of(node("Relu", "x", "y"), node("Print", "x", "", "p")))
        assert message == "note: no output depends on 1 node (node 'p' (Print)): left out"

    def test_nodes_inside_one_are_counted(self) -> None:
        (message,) = self.messages(
            graph_of(node("Relu", "x", "y"), branching("if1", "x"), flag=FLAG)
        )
        assert message.startswith("note: no output depends on 3 nodes (node 'if1' (If))")

    def test_inputs(self) -> None:
        idle = [Input(name="idle", shape=(1, 2, 3))]
        (message,) = self.messages(graph_of(node("Relu", "x", "y"), inputs=idle))
        assert message == "note: no output depends on 1 input (idle): left out"

    def test_outputs_that_no_input_decides_on(self) -> None:
        graph = graph_of(
            node("Relu", "x", "y"), node("Shape", "x", "s"), outputs=("y", "s", "k"), k=constant(1)
        )
        assert self.messages(graph) == ("note: no input decides on 2 outputs (s, k): left out",)

    def test_nothing_is_told_where_nothing_is_left_out(self) -> None:
        assert self.messages(graph_of(node("Relu", "x", "y"))) == ()


class TestOutputs:
    GRAPH = graph_of(
        node("MaxPool", "x", "y places", "pool", kernel_shape=(2, 2)), outputs=("y", "places")
    )

    def test_a_second_output_of_a_node_is_refused_as_one_of_the_model(self) -> None:
        with pytest.raises(RequestError) as caught:
            convert(self.GRAPH, "m.onnx")
        assert caught.value.code == "E505"
        assert str(caught.value) == (
            "output 'places' of the model cannot be said in a spec: "
            "it is the places that a max_pool found"
        )

    def test_partial_tells_of_it(self) -> None:
        assert convert(self.GRAPH, "m.onnx", partial=True).messages == (
            (
                "cut: 1 output, because of "
                "output 'places' of the model: it is the places that a max_pool found"
            ),
        )


class TestInputs:
    @pytest.mark.parametrize(
        ("shape", "said"), [((), "has 0 axes"), (None, "has no shape in the model")]
    )
    def test_one_that_is_no_image_is_cut_with_what_reads_it(
        self, shape: tuple[int, ...] | None, said: str
    ) -> None:
        graph = graph_of(
            node("Relu", "x", "y"),
            node("Add", "x s", "z", "other"),
            inputs=[Input(name="s", shape=shape)],
            outputs=("y", "z"),
        )
        assert convert(graph, "m.onnx", partial=True).messages == (
            f"cut: 1 of its 2 nodes, because of input 's': {said}",
        )
        with pytest.raises(RequestError, match=f"'s' {said}") as caught:
            convert(graph, "m.onnx")
        assert caught.value.code == "E506"

    def test_a_shape_that_the_model_lacks_can_be_given(self) -> None:
        graph = replace(graph_of(node("Relu", "x", "y")), inputs=(Input(name="x", shape=None),))
        assert convert(graph, "m.onnx", override={"x": (3, 4)}).inputs == (("x", (3, 4)),)


class TestOrder:
    def order(self, *nodes: Node) -> str:
        return " ".join(one.name for one in graph_of(*nodes).nodes)

    def test_what_is_in_order_stays(self) -> None:
        nodes = [
            node("Relu", "x", "c", "n3"),
            node("Relu", "x", "a", "n1"),
            node("Relu", "a", "b", "n2"),
            node("Add", "b c", "y", "n4"),
        ]
        assert self.order(*nodes) == "n3 n1 n2 n4"

    def test_a_node_is_moved_behind_what_it_reads(self) -> None:
        nodes = [
            node("Relu", "b", "y", "n3"),
            node("Relu", "x", "c", "n4"),
            node("Relu", "a", "b", "n2"),
            node("Relu", "x", "a", "n1"),
        ]
        assert self.order(*nodes) == "n4 n1 n2 n3"

    def test_and_behind_what_its_branches_read(self) -> None:
        nodes = [branching("if1", "a"), node("Relu", "x", "a", "n1"), node("Relu", "a", "y", "n2")]
        assert " ".join(one.name for one in graph_of(*nodes, flag=FLAG).nodes) == "n1 if1 n2"

    @pytest.mark.parametrize("count", [1, 2, 1000])
    def test_a_circle_is_named(self, count: int) -> None:
        circle = [
            node("Relu", f"v{number}", f"v{(number + 1) % count}", f"n{number}")
            for number in range(count)
        ]
        with pytest.raises(Exception, match="no node depends on itself") as caught:
            graph_of(node("Relu", "x", "y", "fine"), node("Relu", "v0", "z", "behind"), *circle)
        named = "1000 nodes, from node" if count > 4 else "node 'n0' (Relu), which reads node"
        assert named in str(caught.value)
        assert "fine" not in str(caught.value)
        assert "behind" not in str(caught.value)


class TestUnknownNumbers:
    """Large constants have a shape alone: nothing is made of numbers that were not looked at."""

    def test_sizes_taken_from_a_large_constant_are_not_known(self) -> None:
        graph = graph_of(
            node("ConstantOfShape", "many", "zeros"),
            node("Cast", "zeros", "large", to=7),
            node("Add", "large row", "sums"),  # too many to be computed here
            node("Gather", "sums place", "sizes"),
            node("Reshape", "small sizes", "w"),
            node("Add", "x w", "y"),
            many=constant([5000]),
            row=constant([list(range(5000)), list(range(5000))]),
            place=constant([0]),
            small=constant([1.0]),
        )
        with pytest.raises(RequestError, match="the numbers of input 1 are not known"):
            convert(graph, "m.onnx")

    def test_the_shape_of_a_large_constant_is_known(self) -> None:
        graph = graph_of(
            node("Concat", "w w", "ww", axis=0),
            node("Gather", "ww rows", "some", axis=0),
            node("Conv", "x some", "y"),
            w=replace(constant([0.0]), shape=(700, 4, 3, 3), packed=None),
            rows=constant([0, 1, 2, 3, 1399]),
        )
        (layer,) = convert(graph, "m.onnx").layers.values()
        assert layer.keys["out_channels"] == 5

    def test_all_constants_together_are_bounded(self) -> None:
        """Each is small, and there are very many."""
        count = 3000
        chain = [node("Add", f"c{number} c0", f"c{number + 1}") for number in range(count)]
        graph = graph_of(
            *chain, node("Reshape", f"x c{count}", "y"), c0=constant(list(range(4096)))
        )
        with pytest.raises(RequestError, match="not known"):
            convert(graph, "m.onnx")
