"""A network run forward: exact on integers, several inputs, and what is let go of and refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli import Network, load_spec
from convt_cli.analysis import forward
from convt_cli.errors import ArrayError, RequestError
from convt_cli.io import memory
from tests import oracle
from tests.conftest import WriteSpec

RNG = np.random.default_rng(3)

TWO = """
    input: {a: [2, 3, 4], b: [1, 3, 1]}
    layers:
      - {name: product, type: mul, from: [a, b]}
      - {name: sum, type: add, from: [product, b]}
      - {name: both, type: concat, from: [sum, a]}
      - {name: last, type: linear, out_features: 2, axis: 2, weight: [[1, 2, 3, 4], [0, 1, 0, -1]],
         bias: [5, 7]}
    """
CHAIN = """
    input: [1, 8, 8]
    layers:
      - {name: one, type: scale, weight: [2]}
      - {name: two, type: scale, weight: [3]}
      - {name: three, type: add, from: [two, one]}
      - {name: four, type: scale, weight: [5]}
    """


@pytest.fixture
def two(spec: WriteSpec) -> Network:
    return load_spec(spec(TWO))


def whole(*shape: int) -> Any:
    return RNG.integers(-9, 10, shape).astype(np.float64)


class TestNumbers:
    def test_a_convolution_is_exact_on_integers(self, spec: WriteSpec) -> None:
        path = spec(
            """
            input: [4, 7, 6]
            layers:
              - {type: conv, out_channels: 6, kernel_size: [3, 2], stride: [2, 1], groups: 2,
                 padding: [[1, 0], [2, 1]], dilation: [1, 2], weight: w.npy, bias: b.npy}
            """
        )
        weight, bias, x = whole(6, 2, 3, 2), whole(6), whole(4, 7, 6)
        np.save("w.npy", weight)
        np.save("b.npy", bias)
        expected = oracle.direct(
            x, weight, stride=(2, 1), pads=((1, 0), (2, 1)), dilation=(1, 2), groups=2
        )
        np.testing.assert_array_equal(load_spec(path).run(x), expected + bias[:, None, None])

    def test_several_inputs_are_broadcast_and_joined(self, two: Network) -> None:
        a, b = whole(2, 3, 4), whole(1, 3, 1)
        joined = np.concatenate([a * b + b, a])
        expected = joined @ np.array([[1.0, 2, 3, 4], [0, 1, 0, -1]]).T + [5, 7]
        np.testing.assert_array_equal(two.run({"a": a, "b": b}), expected)

    def test_a_batch_is_its_images_one_by_one(self, two: Network) -> None:
        batch = {"a": whole(3, 2, 3, 4), "b": whole(3, 1, 3, 1)}
        found = two.run(batch)
        for number in range(3):
            one = two.run({name: x[number] for name, x in batch.items()})
            np.testing.assert_array_equal(found[number], one)

    @pytest.mark.parametrize(
        ("given", "dtype", "expected"),
        [("f4", None, "f4"), ("f8", None, "f8"), ("f4", "float64", "f8"), ("f2", None, "f4")],
    )
    def test_the_precision_is_the_inputs_or_the_one_asked_for(
        self, spec: WriteSpec, given: str, dtype: str | None, expected: str
    ) -> None:
        network = load_spec(spec("input: [1, 4]\nlayers: [{type: tanh}]"))
        assert network.run(np.ones((1, 4), given), dtype=dtype).dtype == expected

    def test_nan_and_infinity_are_values(self, spec: WriteSpec) -> None:
        network = load_spec(spec("input: [1, 3]\nlayers: [{type: relu}]"))
        found = network.run(np.array([[np.nan, np.inf, -np.inf]]))
        np.testing.assert_array_equal(found, [[np.nan, np.inf, 0]])


class TestMemory:
    def test_an_activation_is_let_go_of_once_nothing_reads_it(self, spec: WriteSpec) -> None:
        made = forward.plan(load_spec(spec(CHAIN)))
        assert made.done_with == (("input",), (), ("two", "one"), ("three", "four"))

    def test_layers_that_nothing_wanted_reads_are_not_run(self, two: Network) -> None:
        made = forward.plan(two, ["product"])
        assert [layer.name for layer in made.layers] == ["product"]

    def test_is_asked_for_before_it_is_taken(
        self, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        network = load_spec(spec(CHAIN))
        monkeypatch.setattr(memory, "available", lambda: 1000)
        with pytest.raises(RequestError) as refused:
            network.run(np.ones((1, 8, 8)))
        assert refused.value.code == "E501"


class TestRefused:
    @pytest.mark.parametrize(
        ("keys", "named"),
        [
            ("type: batch_norm", "last is batch_norm, without running_mean and running_var"),
            ("type: group_norm", "last is group_norm"),
            ("type: identity, stands_for: Erf", "last is Erf, of which the spec has the shape"),
        ],
    )
    def test_a_layer_without_numbers_is_named(self, spec: WriteSpec, keys: str, named: str) -> None:
        path = spec(f"input: [4, 5]\nlayers: [{{type: relu}}, {{name: last, {keys}}}]")
        network = load_spec(path)
        with pytest.raises(RequestError) as refused:
            network.run(np.ones((4, 5)))
        assert refused.value.code == "E507"
        assert named in refused.value.value
        assert "--layer" in refused.value.help
        assert network.run(np.ones((4, 5)), layers=["relu1"])["relu1"].shape == (4, 5)

    @pytest.mark.parametrize(
        ("inputs", "code"),
        [
            (np.ones((2, 3, 4)), "E503"),
            ({"a": np.ones((2, 3, 4))}, "E503"),
            ({"a": np.ones((2, 3, 4)), "b": np.ones((1, 3, 1)), "c": np.ones(1)}, "E503"),
            ({"a": np.ones((2, 3, 4)), "b": np.ones((1, 3, 2))}, "E301"),
            ({"a": np.ones((2, 2, 3, 4)), "b": np.ones((3, 1, 3, 1))}, "E301"),
            ({"a": np.ones((2, 3, 4)), "b": np.ones((1, 3, 1), complex)}, "E302"),
        ],
    )
    def test_inputs_that_do_not_fit(self, two: Network, inputs: Any, code: str) -> None:
        with pytest.raises((RequestError, ArrayError)) as refused:
            two.run(inputs)
        assert refused.value.code == code
