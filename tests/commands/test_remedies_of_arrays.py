"""A remedy that names an option or a call of NumPy is pasted, and the array is taken."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convt_cli import ArrayError, conv
from tests.commands.test_remedies import INPUT, net, the_help
from tests.conftest import Found, Outcome, Run, WriteSpec, assert_quiet, assert_refused

Shape = tuple[int, ...]


def save(**arrays: NDArray[Any]) -> None:
    """Save arrays in the working folder, each under its name."""
    for name, array in arrays.items():
        np.save(f"{name}.npy", array)


class TestDtypes:
    """E304, E302: the command succeeds with the --dtype that is named, and exactly."""

    SPEC = """
        input: [1, 4]
        layers: [{type: conv, out_channels: 1, kernel_size: 2, weight: w.npy, bias: b.npy}]
        """

    def apply(self, run: Run, *options: str) -> Outcome:
        return run("apply", "net.yaml", "x.npy", "--forward", "-o", "y.npy", *options)

    def assert_mended(self, run: Run, outcome: Outcome, code: str, *options: str) -> Any:
        """The array that the command writes once it is given what its error names."""
        assert_refused(outcome, code)
        remedy = re.search(r"help: pass (--dtype \w+);", outcome.err)
        assert remedy, outcome.err
        assert self.apply(run, *options, *remedy[1].split()).status == 0
        return np.load("y.npy")

    @pytest.mark.parametrize(
        ("x", "w"),
        [
            (np.int8(100), np.int8(2)),
            (np.uint8(200), np.uint8(3)),
            (np.uint8(200), np.int16(-999)),
            (np.int32(2**30), np.int32(9)),
            (np.int64(2**40), np.int64(2**40)),
            (np.uint64(3), np.uint64(2**63)),
        ],
    )
    def test_of_integers_that_do_not_fit(
        self, run: Run, spec: WriteSpec, x: np.integer[Any], w: np.integer[Any]
    ) -> None:
        spec(self.SPEC)
        save(x=np.full((1, 4), x), w=np.full((1, 1, 2), w))
        found = self.assert_mended(run, self.apply(run), "E304")
        assert found.tolist() == [[2 * int(x) * int(w)] * 3]

    def test_of_a_bias_that_does_not_fit(self, run: Run, spec: WriteSpec) -> None:
        spec(self.SPEC)
        save(x=np.full((1, 4), 10, "int8"), w=np.full((1, 1, 2), 5, "int8"))
        save(b=np.full(1, 100, "int8"))
        outcome = self.apply(run, "--bias")
        assert self.assert_mended(run, outcome, "E304", "--bias").tolist() == [[200] * 3]

    @pytest.mark.parametrize(
        ("value", "option"), [(0.5, "int32"), (2**40, "int32"), (2j, "float64"), (0.5, "int64")]
    )
    def test_of_numbers_that_the_chosen_one_cannot_hold(
        self, run: Run, spec: WriteSpec, value: complex, option: str
    ) -> None:
        spec(self.SPEC)
        save(x=np.full((1, 4), value), w=np.ones((1, 1, 2), "int8"))
        outcome = self.apply(run, "--dtype", option)
        found = self.assert_mended(run, outcome, "E302")
        assert found.tolist() == [[2 * value] * 3]

    @pytest.mark.parametrize("target", ["C.npz", "C.mtx"])
    def test_of_a_matrix(self, run: Run, spec: WriteSpec, target: str) -> None:
        spec(self.SPEC)
        save(w=np.ones((1, 1, 2), "float16"))
        outcome = run("matrix", "net.yaml", "-o", target)
        assert_refused(outcome, "E302")
        remedy = re.search(r"help: pass (--dtype \w+);", outcome.err)
        assert remedy
        assert run("matrix", "net.yaml", "-o", target, *remedy[1].split()).status == 0

    def test_is_not_named_in_python(self) -> None:
        with pytest.raises(ArrayError) as caught:
            conv(np.full((1, 4), 100, "int8"), np.full((1, 1, 2), 2, "int8"))
        assert "--dtype" not in caught.value.help


class TestLayouts:
    """E301: the --layout that is named takes the array."""

    SPEC = """
        input: [3, 5, 6]
        layers: [{type: conv, out_channels: 2, kernel_size: 1, weight: {fill: ones}}]
        """

    @pytest.mark.parametrize(
        ("shape", "given", "result"),
        [
            ((5, 6, 2), "channels_first", (5, 6, 3)),
            ((7, 5, 6, 2), "channels_first", (7, 5, 6, 3)),
            ((2, 5, 6), "channels_last", (3, 5, 6)),
            ((7, 2, 5, 6), "channels_last", (7, 3, 5, 6)),
        ],
    )
    def test_the_other_one_takes_it(
        self, run: Run, spec: WriteSpec, shape: Shape, given: str, result: Shape
    ) -> None:
        spec(self.SPEC)
        save(y=np.ones(shape))
        for command in ("apply", "invert"):
            arguments = (command, "net.yaml", "y.npy", "--force", "-o", "x.npy", "--layout")
            outcome = run(*arguments, given)
            assert_refused(outcome, "E301")
            remedy = re.search(r"pass --layout (\w+);", outcome.err)
            assert remedy
            assert run(*arguments, remedy[1]).status == 0
            assert np.load("x.npy").shape == result

    @pytest.mark.parametrize("options", [(), ("--forward",)])
    @pytest.mark.parametrize("target", ["x.npy", "-"])
    def test_the_other_direction_takes_the_other_side(
        self, run: Run, spec: WriteSpec, options: tuple[str, ...], target: str
    ) -> None:
        spec(self.SPEC)
        save(y=np.ones((2, 5, 6) if options else (3, 5, 6)))
        outcome = run("apply", "net.yaml", "y.npy", "-o", target, *options)
        assert_refused(outcome, "E301")
        remedy = "leave --forward out" if options else "pass --forward"
        assert f"other side: {remedy};" in outcome.err
        other = () if options else ("--forward",)
        assert run("apply", "net.yaml", "y.npy", "-o", target, *other).status == 0

    def test_in_python_numpy_does_it(self) -> None:
        x, weight = np.ones((7, 5, 6, 3)), np.ones((2, 3, 1, 1))
        with pytest.raises(ArrayError) as caught:
            conv(x, weight)
        axes = re.search(r"numpy\.moveaxis\(x, (-\d), (-\d)\)", caught.value.help)
        assert axes
        assert conv(np.moveaxis(x, int(axes[1]), int(axes[2])), weight).shape == (7, 2, 5, 6)

    def test_is_not_named_for_another_shape(self, run: Run, spec: WriteSpec) -> None:
        save(y=np.ones((5, 2, 6)))
        outcome = run("apply", spec(self.SPEC), "y.npy", "-o", "x.npy")
        assert_refused(outcome, "E301")
        assert "--layout" not in outcome.err

    @pytest.mark.parametrize("batch", [(), (2,)])
    def test_where_there_is_none_numpy_does_it(
        self, run: Run, spec: WriteSpec, batch: tuple[int, ...]
    ) -> None:
        spec(self.SPEC)
        x = np.ones((*batch, 5, 6, 3))
        save(x=x)
        options = ["--batch"] * bool(batch)
        arguments = ("reconstruct", "net.yaml", "x.npy", "--layer", "conv1", "-o", "y.npy")
        outcome = run(*arguments, *options)
        assert_refused(outcome, "E301")
        axes = re.search(r"numpy\.moveaxis\(x, (-\d), (-\d)\)", outcome.err)
        assert axes
        save(x=np.moveaxis(x, int(axes[1]), int(axes[2])))
        assert run(*arguments, *options).status == 0


class TestWeights:
    """E121: the order of axes that is named fits."""

    @pytest.mark.parametrize(
        ("layer", "shape"),
        [
            ("type: conv, out_channels: 5, kernel_size: [2, 3]", (2, 3, 4, 5)),
            ("type: conv, out_channels: 5, kernel_size: [2, 3]", (4, 5, 2, 3)),
            ("type: conv, out_channels: 5, kernel_size: 3", (3, 3, 4, 5)),
            ("type: conv_transpose, out_channels: 5, kernel_size: [2, 3]", (2, 3, 5, 4)),
        ],
    )
    def test_of_a_file(self, run: Run, spec: WriteSpec, layer: str, shape: Shape) -> None:
        spec(net(f"{layer}, weight: w.npy"))
        w = np.ones(shape)
        save(w=w)
        outcome = run("matrix", "net.yaml", "-o", "C.npz")
        assert_refused(outcome, "E121")
        order = re.search(r"numpy\.transpose\(w, (\([\d, ]+\))\)", outcome.err)
        assert order
        assert ("equal sizes do not tell" in outcome.err) == (len(set(shape)) < len(shape))
        save(w=np.transpose(w, json.loads(f"[{order[1][1:-1]}]")))
        assert_quiet(run("matrix", "net.yaml", "-o", "C.npz"))

    def test_a_square_kernel_s_channels_move_together(self, found: Found) -> None:
        w = np.zeros((3, 3, 4, 5)).tolist()
        layer = "type: conv, out_channels: 5, kernel_size: 3, weight: "
        assert "(3, 2, 0, 1)" in the_help(found, net(f"{layer}{w}"), "E121")
        back = f"framework: keras\n{INPUT}"
        w = np.zeros((5, 4, 3, 3)).tolist()
        assert "(2, 3, 1, 0)" in the_help(found, net(f"{layer}{w}", top=back), "E121")

    def test_nor_do_equal_sizes_part_the_taps(self, found: Found) -> None:
        w = np.zeros((3, 3, 3, 5)).tolist()
        text = net(
            f"type: conv, out_channels: 5, kernel_size: 3, weight: {w}", top="input: [3, 8, 8]\n"
        )
        assert "(3, 2, 0, 1)" in the_help(found, text, "E121")

    @pytest.mark.parametrize("framework", ["pytorch", "keras", "jax"])
    def test_written_in_the_spec(self, found: Found, framework: str) -> None:
        top = f"framework: {framework}\ninput: [3, 8]\n"
        layer = "type: conv, out_channels: 5, kernel_size: 2, weight: "
        right = (5, 3, 2) if framework == "pytorch" else (2, 3, 5)
        w = np.arange(30.0).reshape(right[::-1])
        remedy = the_help(found, net(f"{layer}{w.tolist()}", top=top), "E121")
        order = re.search(r"numpy\.transpose\(w, \(([\d, ]+)\)\)\.tolist\(\)", remedy)
        assert order
        pasted = np.transpose(w, json.loads(f"[{order[1]}]")).tolist()
        assert found(net(f"{layer}{pasted}", top=top)) == ()

    def test_of_a_linear_layer(self, found: Found) -> None:
        layers = ("type: flatten", "type: linear, out_features: 2, weight: ")
        w = np.ones((4, 2))
        top = "input: [4, 1]\n"
        remedy = the_help(found, net(layers[0], f"{layers[1]}{w.tolist()}", top=top), "E121")
        assert "numpy.transpose(w, (1, 0)).tolist()" in remedy
        assert found(net(layers[0], f"{layers[1]}{w.T.tolist()}", top=top)) == ()

    def test_of_other_sizes_no_order_is_named(self, found: Found) -> None:
        w = np.ones((3, 3, 4, 6)).tolist()
        text = net(f"type: conv, out_channels: 5, kernel_size: 3, weight: {w}")
        assert "numpy.transpose" not in the_help(found, text, "E121")
