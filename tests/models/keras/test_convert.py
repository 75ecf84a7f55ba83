"""Layers, calls and models of Keras as layers of a spec; and what is refused, by name."""

from __future__ import annotations

import base64
import marshal
from pathlib import Path
from typing import Any

import pytest

from convt_cli.errors import SpecError
from convt_cli.models.load import load_model, load_spec
from tests.conftest import Run, assert_refused
from tests.models.keras.samples import (
    Config,
    called,
    conv,
    functional,
    layer,
    sequential,
    tensor,
    write_keras,
)

pytestmark = pytest.mark.usefixtures("folder")


def layers_of(model: Config) -> list[tuple[str, str, tuple[int, ...]]]:
    network = load_spec(write_keras(model))
    return [(one.name, one.type, one.output) for one in network.layers]


IMAGE = layer("InputLayer", "image", batch_shape=[None, 6, 6, 3])
CODE = base64.b64encode(marshal.dumps(compile("open('canary', 'w')", "x", "exec"))).decode()

CASES: dict[str, tuple[Config, list[str], tuple[int, ...]]] = {
    "leaky": (layer("ReLU", negative_slope=0.1), ["leaky_relu"], (3, 6, 6)),
    "leaky to six": (
        layer("ReLU", negative_slope=0.1, max_value=6),
        ["leaky_relu", "clip"],
        (3, 6, 6),
    ),
    "an activation that is a layer": (
        conv("one", activation=layer("LeakyReLU", negative_slope=0.1)),
        ["conv", "leaky_relu"],
        (2, 4, 4),
    ),
    "an activation of Keras 2": (
        conv("one", activation={"module": "builtins", "class_name": "function", "config": "relu"}),
        ["conv", "relu"],
        (2, 4, 4),
    ),
    "nothing": (layer("Activation", activation="linear"), ["identity"], (3, 6, 6)),
    "glu": (
        layer("Dense", units=4, activation="glu"),
        ["linear", "slice", "slice", "sigmoid", "mul"],
        (2, 6, 6),
    ),
    "log_sigmoid": (
        layer("Activation", activation="log_sigmoid"),
        ["scale", "softplus", "scale"],
        (3, 6, 6),
    ),
    "separable": (
        layer("SeparableConv2D", filters=5, kernel_size=[3, 3], activation="relu"),
        ["conv", "conv", "relu"],
        (5, 4, 4),
    ),
    "one norm, shifted alone": (
        layer("BatchNormalization", scale=False, center=True),
        ["batch_norm", "scale"],
        (3, 6, 6),
    ),
    "a vector kept": (layer("Reshape", target_shape=[36, 3]), ["reshape"], (3, 36)),
    "elements moved": (
        layer("Reshape", target_shape=[3, 36]),
        ["transpose", "reshape", "transpose"],
        (36, 3),
    ),
    "middle": (layer("CenterCrop", height=3, width=4), ["crop"], (3, 3, 4)),
    "augmented": (layer("RandomFlip", mode="horizontal"), ["identity"], (3, 6, 6)),
    "normalised": (
        layer("Normalization", axis=[-1], mean=[[[[1, 2, 3]]]], variance=4.0),
        ["scale"],
        (3, 6, 6),
    ),
    "kept size": (layer("GlobalMaxPooling2D", keepdims=True), ["global_max_pool"], (3, 1, 1)),
}


@pytest.mark.parametrize("name", CASES)
def test_a_layer_becomes_these(name: str) -> None:
    one, types, output = CASES[name]
    found = layers_of(sequential(one))
    assert [kind for _, kind, _ in found] == types
    assert found[-1][0] == "one"
    assert all(own.startswith("one/") for own, _, _ in found[:-1])
    assert found[-1][2] == output


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (layer("UnitNormalization"), "identity stands for UnitNormalization"),
        (layer("ReLU", threshold=1.0), "relu stands for ReLU with a threshold"),
        (layer("Activation", activation="softsign"), "identity stands for softsign"),
        (layer("UpSampling2D", size=2, interpolation="lanczos3"), "UpSampling2D by lanczos3"),
        (layer("RandomFlip", mode="horizontal"), "identity for RandomFlip"),
    ],
    ids=repr,
)
def test_what_is_said_differently_is_told(one: Config, words: str) -> None:
    (message,) = load_model(write_keras(sequential(one)), "m.keras").messages
    assert words in message


def own(kind: str, **entry: Any) -> Config:
    return {**layer(kind, filters=2, kernel_size=3, units=2), **entry}


REFUSED: dict[str, tuple[Config, str]] = {
    "code": (
        layer("Lambda", function={"class_name": "__lambda__", "config": {"code": CODE}}),
        "code of its own, which is not run",
    ),
    "a class": (own("Conv2D", module=None, registered_name="Custom>Conv2D"), "its class is code"),
    "another module": (own("Conv2D", module="mine.layers"), "its class is code of its own"),
    "a class of Keras 2": (own("Custom>Conv2D", module=None), "its class is code of its own"),
    "a class without a package": (own("Mine", module=None, registered_name="Mine"), "is code of"),
    "an activation": (
        conv("one", activation={"module": "builtins", "class_name": "function", "config": "mine"}),
        "its activation mine",
    ),
    "an activation of another module": (
        conv("one", activation={"module": "mine", "class_name": "function", "config": "relu"}),
        "code of its own",
    ),
    "recurrent": (layer("LSTM", units=2), "no layer type does what it does"),
    "attention": (layer("MultiHeadAttention", num_heads=2), "no layer type does what it does"),
    "a wrapper": (layer("TimeDistributed", layer=conv()), "no layer type does what it does"),
    "quantized": (
        layer("Dense", units=2, dtype={"class_name": "QuantizedDTypePolicy"}),
        "its numbers are quantized",
    ),
    "a ratio": (
        layer("Resizing", height=3, width=4, crop_to_aspect_ratio=True),
        "it keeps the ratio of height and width",
    ),
    "a padding": (conv("one", padding="full"), "its padding is full"),
    "no filters": (layer("Conv2D", filters=0, kernel_size=3), "its filters is 0"),
    "a stride of 0": (conv("one", strides=[1, 0]), "its strides is [1, 0]"),
    "an axis": (layer("BatchNormalization", axis=0), "it works along the batch"),
    "slopes": (layer("PReLU", shared_axes=[1]), "its slopes are shared along some"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_spec_cannot_say_is_refused_by_name_and_cut(run: Run, name: str) -> None:
    one, reason = REFUSED[name]
    model = sequential(conv("before"), one)
    with pytest.raises(SpecError) as caught:
        load_spec(write_keras(model))
    (problem,) = caught.value.diagnostics
    assert problem.layer == "one"
    assert reason in problem.value
    assert [one.name for one in load_spec("m.keras", partial=True).layers] == ["before"]
    assert not Path("canary").exists()


def test_a_model_of_a_class_of_its_own_is_refused(run: Run) -> None:
    write_keras({**layer("Mine"), "registered_name": "Custom>Mine", "module": None})
    outcome = run("shapes", "m.keras")
    assert_refused(outcome, "E505")
    assert "m.keras is a Mine" in outcome.err


class TestCalls:
    def test_both_ways_to_write_them_give_the_same(self) -> None:
        """Keras 3 names tensors in mappings, Keras 2 in lists."""
        one, two, three = conv("a"), conv("b"), layer("Add", "sum")
        newer = functional(
            IMAGE,
            called(one, {"args": [tensor("image")], "kwargs": {}}),
            called(two, {"args": [tensor("image")], "kwargs": {"mask": None}}),
            called(three, {"args": [[tensor("a"), tensor("b")]], "kwargs": {}}),
            inputs=["image", 0, 0],
            outputs=["sum", 0, 0],
        )
        older = functional(
            IMAGE,
            called(one, [["image", 0, 0, {}]]),
            called(two, ["image", 0, 0, {}]),
            called(three, [["a", 0, 0, {}], ["b", 0, 0, {}]]),
            inputs=[["image", 0, 0]],
            outputs=[["sum", 0, 0]],
        )
        assert layers_of(newer) == layers_of(older)
        assert layers_of(newer)[-1] == ("sum", "add", (2, 4, 4))

    @pytest.mark.parametrize("first", [0, 1])
    def test_the_first_call_of_a_model_inside_is_0_or_1(self, first: int) -> None:
        inside = layer("Sequential", "block", layers=[conv("c", padding="same")])
        model = functional(
            IMAGE,
            called(inside, [["image", 0, 0, {}]]),
            called(layer("ReLU", "last"), [["block", first, 0, {}]]),
            inputs=[["image", 0, 0]],
            outputs=[["last", 0, 0]],
        )
        assert [name for name, _, _ in layers_of(model)] == ["block/c", "last"]

    def test_a_call_may_stand_before_what_it_reads(self) -> None:
        model = functional(
            called(layer("ReLU", "last"), [["c", 0, 0, {}]]),
            IMAGE,
            called(conv("c"), [["image", 0, 0, {}]]),
            inputs=[["image", 0, 0]],
            outputs=[["last", 0, 0]],
        )
        assert [name for name, _, _ in layers_of(model)] == ["c", "last"]

    @pytest.mark.parametrize(
        "read", [["last", 0, 0], ["none", 0, 0], ["image", 1, 0], ["image", 0, 7]]
    )
    def test_what_nothing_gives_is_refused(self, run: Run, read: list[Any]) -> None:
        model = functional(
            IMAGE,
            called(conv("last"), [[*read, {}]]),
            inputs=[["image", 0, 0]],
            outputs=[["last", 0, 0]],
        )
        write_keras(model)
        assert_refused(run("shapes", "m.keras"), "E405")


class TestInputs:
    def test_open_sizes_are_asked_for_in_the_order_of_a_spec(self, run: Run) -> None:
        write_keras(sequential(conv(), shape=(None, None, 8, 3)))
        outcome = run("shapes", "m.keras")
        assert_refused(outcome, "E506")
        assert "--input image=3,N,8" in outcome.err
        assert "2×7×6" in run("shapes", "m.keras", "--input", "image=3,9,8").out

    def test_a_sequential_without_an_input_has_it_where_it_was_built(self) -> None:
        model = layer("Sequential", "net", layers=[conv()], build_input_shape=[None, 6, 6, 3])
        assert layers_of(model) == [("conv", "conv", (2, 4, 4))]

    def test_a_sequential_of_keras_2_has_it_at_its_first_layer(self) -> None:
        first = conv(batch_input_shape=[None, 6, 6, 3])
        model = {"class_name": "Sequential", "config": [first]}
        assert layers_of(model) == [("conv", "conv", (2, 4, 4))]

    def test_a_sequential_without_any_is_asked_for_its_shape(self, run: Run) -> None:
        write_keras(layer("Sequential", "net", layers=[conv()]))
        assert_refused(run("shapes", "m.keras"), "E506")
        assert "2×4×4" in run("shapes", "m.keras", "--input", "3,6,6").out
