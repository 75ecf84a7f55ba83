"""Runs up to a layer and back: the layers on the way, joins, notes and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from convt_cli.analysis.backward.run import prepared, run, way_of, way_to
from convt_cli.errors import ArrayError, RequestError
from convt_cli.files.weights import Weights
from convt_cli.io import memory
from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec

BRANCHES = """
    input: [1, 4]
    layers:
      - {name: two, type: scale, weight: [2]}
      - {name: three, type: scale, weight: [3], from: input}
      - {name: aside, type: softmax, from: input}
      - {name: both, type: concat, from: [two, three, two]}
      - {name: ten, type: scale, weight: [1, 10, 100]}
      - {name: sum, type: add, from: [ten, both]}
      - {name: end, type: identity, stands_for: CumSum}
    """


class TestWay:
    def test_it_has_the_layers_that_lead_to_the_layer_alone(self, spec: WriteSpec) -> None:
        way = way_to(load_spec(spec(BRANCHES)), "sum")
        assert [layer.name for layer in way.layers] == ["two", "three", "both", "ten", "sum"]
        assert (way.source, way.input_shape) == ("input", (1, 4))

    def test_a_layer_alone_begins_at_its_source(self, spec: WriteSpec) -> None:
        way = way_of(load_spec(spec(BRANCHES)), "ten")
        assert [layer.name for layer in way.layers] == ["ten"]
        assert (way.source, way.input_shape) == ("both", (3, 4))

    def test_an_unknown_layer_is_refused(self, spec: WriteSpec) -> None:
        with pytest.raises(RequestError, match="no layer 'six'") as caught:
            way_to(load_spec(spec(BRANCHES)), "six")
        assert caught.value.code == "E502"
        assert caught.value.help == "known are two, three, aside, both, ten, sum, end"

    def test_a_layer_that_reads_two_inputs_is_refused(self, spec: WriteSpec) -> None:
        network = load_spec(
            spec("input: {a: [1, 4], b: [1, 4]}\nlayers: [{type: add, from: [a, b]}]")
        )
        with pytest.raises(RequestError, match="add1 reads a, b") as caught:
            way_to(network, "add1")
        assert caught.value.code == "E503"

    def test_a_layer_that_reads_one_of_two_inputs_begins_there(self, spec: WriteSpec) -> None:
        text = "input: {a: [1, 4], b: [2, 4]}\nlayers: [{name: r, type: relu, from: b}]"
        assert way_to(load_spec(spec(text)), "r").input_shape == (2, 4)

    def test_a_join_alone_is_refused(self, spec: WriteSpec) -> None:
        with pytest.raises(RequestError, match="sum joins ten, both") as caught:
            way_of(load_spec(spec(BRANCHES)), "sum")
        assert caught.value.code == "E503"


class TestDown:
    def test_signals_add_up_where_paths_join(self, spec: WriteSpec) -> None:
        network = load_spec(spec(BRANCHES))
        image = np.array([[[1.0, 0, -1, 5]], [[0, 2, 0, 0]]])
        way = way_to(network, "sum")
        there = run(prepared(way, Weights(network), image.dtype), image)
        factors = np.array([2 * 2, 3 * 11, 2 * 101]).reshape(3, 1)
        assert np.array_equal(there.activations, image * factors)
        signal = np.arange(24.0).reshape(2, 3, 4)
        expected = (signal * factors).sum(1, keepdims=True)
        assert np.array_equal(there.down(signal, "deconvnet"), expected)

    @pytest.mark.parametrize(
        ("stored", "image", "expected"),
        [("f2", "f2", "f4"), ("f4", "u1", "f4"), ("f4", "f8", "f8"), ("i8", "u1", "f8")],
    )
    def test_numbers_are_computed_in_the_dtype_of_all(
        self, spec: WriteSpec, stored: str, image: str, expected: str
    ) -> None:
        text = (
            "input: [1, 4]\nlayers: [{type: conv, out_channels: 1, kernel_size: 1, weight: w.npy}]"
        )
        network = load_spec(spec(text))
        np.save("w.npy", np.ones((1, 1, 1), stored))
        ready = prepared(way_to(network, "conv1"), Weights(network), np.dtype(image))
        assert run(ready, np.ones((1, 1, 4), image)).activations.dtype == np.dtype(expected)


class TestNotes:
    def test_they_say_what_a_spec_does_not(self, spec: WriteSpec) -> None:
        text = """
            input: [1, 4]
            layers:
              - {name: a, type: conv, out_channels: 1, kernel_size: 1}
              - {name: n, type: batch_norm}
              - {name: b, type: conv, out_channels: 1, kernel_size: 1}
              - {name: m, type: batch_norm}
              - {name: p, type: prelu}
            """
        assert way_to(load_spec(spec(text)), "p").notes == (
            "n, m: batch_norm passes signals unchanged: a spec holds no numbers for it",
            "p: prelu has the slope 0.25 below 0",
            "a, b: no weight; using fill normal, seed 0",
        )

    def test_there_are_none_where_the_spec_says_all(self, spec: WriteSpec) -> None:
        assert way_to(load_spec(spec(BRANCHES)), "sum").notes == ()


class TestRefused:
    @pytest.mark.parametrize("rule", ["gradient", "deconvnet"])
    def test_what_has_no_way_back_by_name(self, spec: WriteSpec, rule: str) -> None:
        with pytest.raises(RequestError, match="through CumSum: end stands on the way") as caught:
            way_to(load_spec(spec(BRANCHES)), "end").require_back(rule)  # type: ignore[arg-type]
        assert caught.value.code == "E507"

    def test_what_only_stands_for_another_operation(self, spec: WriteSpec) -> None:
        text = "input: [1, 4]\nlayers: [{type: identity, stands_for: Abs}, {name: r, type: relu}]"
        with pytest.raises(
            RequestError, match="through Abs: identity1 stands on the way"
        ) as caught:
            way_to(load_spec(spec(text)), "r").require_back("gradient")
        assert caught.value.code == "E507"

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_images_that_are_not_finite(self, spec: WriteSpec, value: float) -> None:
        network = load_spec(spec(BRANCHES))
        ready = prepared(way_to(network, "two"), Weights(network), np.dtype("f8"))
        with pytest.raises(ArrayError, match="1 of 4 are nan or inf") as caught:
            run(ready, np.array([[[0, value, 1, 2]]]))
        assert caught.value.code == "E302"

    def test_activations_past_the_largest_number(self, spec: WriteSpec) -> None:
        network = load_spec(spec(BRANCHES))
        ready = prepared(way_to(network, "two"), Weights(network), np.dtype("f8"))
        with pytest.raises(ArrayError, match="the activations of two must be finite"):
            run(ready, np.full((1, 1, 4), 1e308))

    def test_complex_numbers(self, spec: WriteSpec) -> None:
        network = load_spec(spec(BRANCHES))
        with pytest.raises(ArrayError, match="must hold real numbers"):
            prepared(way_to(network, "two"), Weights(network), np.dtype("c8"))

    def test_more_than_fits_into_memory(
        self, spec: WriteSpec, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        network = load_spec(spec(BRANCHES))
        ready = prepared(way_to(network, "sum"), Weights(network), np.dtype("f8"))
        needed = 2 * 8 * (4 + 4 + 4 + 12 + 12 + 12)
        monkeypatch.setattr(memory, "available", lambda: needed)
        run(ready, np.ones((1, 1, 4)))
        monkeypatch.setattr(memory, "available", lambda: needed - 1)
        with pytest.raises(RequestError, match="a run up to sum does not fit"):
            run(ready, np.ones((1, 1, 4)))
