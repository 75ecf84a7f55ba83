"""Reconstruction: which activations are kept, and pictures against brute force."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli import reconstruct
from convt_cli.analysis.backward.reconstruct import Kept, Reconstruction
from convt_cli.arithmetic.network import Network
from convt_cli.arithmetic.vocabulary import RULES, Rule
from convt_cli.errors import ConvtError
from convt_cli.io import memory
from convt_cli.spec.load import load_spec
from tests import oracle
from tests.conftest import WriteSpec
from tests.oracle import Array

SINGLE = "input: [2, 5, 6]\nlayers: [{name: c, type: conv, out_channels: 3, kernel_size: 3,\
 stride: 2, padding: 1, weight: w.npy, bias: [1, 2, 3]}]"
STACK = """
    input: [2, 8, 9]
    layers:
      - {name: c1, type: conv, out_channels: 3, kernel_size: 3, padding: 1, weight: w.npy}
      - {name: r1, type: relu}
      - {name: p1, type: max_pool, kernel_size: 3, stride: 2}
      - {name: c2, type: conv, out_channels: 4, kernel_size: 2, weight: v.npy}
      - {name: r2, type: relu}
    """


def integers(*shape: int, seed: int = 0) -> Array:
    array: Array = np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float64)
    return array


@pytest.fixture
def stack(spec: WriteSpec) -> Network:
    np.save("w.npy", integers(3, 2, 3, 3))
    np.save("v.npy", integers(4, 3, 2, 2, seed=1))
    return load_spec(spec(STACK))


class Brute:
    """The reconstruction of one image by the oracle's matrices and loops over windows."""

    def __init__(self, image: Array) -> None:
        window: dict[str, Any] = {"stride": (1, 1), "dilation": (1, 1), "groups": 1}
        first = oracle.matrix(np.load("w.npy"), (8, 9), pads=[(1, 1)] * 2, **window)
        second = oracle.matrix(np.load("v.npy"), (3, 4), pads=[(0, 0)] * 2, **window)
        self.matrices = first, second
        self.before = (first @ image.ravel()).reshape(3, 8, 9)
        rectified = self.before.clip(0)
        self.pool = np.zeros((36, 216))  # a row for every window, with a 1 where its maximum is
        for row, (channel, y, x) in enumerate(np.ndindex(3, 3, 4)):
            places = [(channel, 2 * y + down, 2 * x + right) for down, right in np.ndindex(3, 3)]
            best = max(places, key=lambda place: rectified[place])
            self.pool[row, np.ravel_multi_index(best, (3, 8, 9))] = 1
        self.after = second @ self.pool @ rectified.ravel()
        self.activations = self.after.clip(0).reshape(4, 2, 3)

    def down(self, signal: Array, rule: Rule) -> Array:
        first, second = self.matrices
        signal = second.T @ self.passed(signal.ravel(), self.after, rule)
        signal = self.passed(self.pool.T @ signal, self.before.ravel(), rule)
        return (first.T @ signal).reshape(2, 8, 9)

    def passed(self, signal: Array, forward: Array, rule: Rule) -> Array:
        """At a relu."""
        signal = signal if rule == "gradient" else signal.clip(0)
        return signal if rule == "deconvnet" else np.where(forward > 0, signal, 0)


def images(count: int) -> Array:
    return np.stack([integers(2, 8, 9, seed=seed) for seed in range(10, 10 + count)])


def only(activations: Array, *where: int) -> Array:
    kept = np.zeros_like(activations)
    kept[where] = activations[where]
    return kept


@pytest.mark.parametrize("rule", RULES)
class TestPictures:
    def test_of_all_activations(self, stack: Network, rule: Rule) -> None:
        (image,) = images(1)
        brute = Brute(image)
        found = reconstruct(stack, image, layer="r2", rule=rule)
        assert np.array_equal(found.pictures, [brute.down(brute.activations, rule)])
        assert found.pictures.any()

    def test_of_one_channel(self, stack: Network, rule: Rule) -> None:
        (image,) = images(1)
        brute = Brute(image)
        found = reconstruct(stack, image, layer="r2", channel=2, rule=rule)
        expected = brute.down(only(brute.activations, 2), rule)
        assert np.array_equal(found.pictures, [expected])

    def test_of_one_unit(self, stack: Network, rule: Rule) -> None:
        (image,) = images(1)
        brute = Brute(image)
        unit = tuple(int(n) for n in np.unravel_index(brute.activations.argmax(), (4, 2, 3)))
        found = reconstruct(stack, image, layer="r2", unit=unit, rule=rule)
        expected = brute.down(only(brute.activations, *unit), rule)
        assert np.array_equal(found.pictures, [expected])
        assert expected.any()

    def test_of_each_image_of_a_batch(self, stack: Network, rule: Rule) -> None:
        batch = images(3)
        found = reconstruct(stack, batch, layer="r2", channel=1, rule=rule)
        brutes = [Brute(image) for image in batch]
        expected = [brute.down(only(brute.activations, 1), rule) for brute in brutes]
        assert np.array_equal(found.pictures, expected)
        assert [kept.image for kept in found.kept] == [0, 1, 2]

    def test_of_the_strongest_channels_of_an_image(self, stack: Network, rule: Rule) -> None:
        (image,) = images(1)
        brute = Brute(image)
        largest = [brute.activations[channel].max() for channel in range(4)]
        order = sorted(range(4), key=lambda channel: -largest[channel])
        found = reconstruct(stack, image, layer="r2", top=3, rule=rule)
        assert [kept.channel for kept in found.kept] == order[:3]
        for kept, picture in zip(found.kept, found.pictures, strict=True):
            unit = strongest(brute.activations, kept.channel or 0)
            assert (kept.channel, *(kept.position or ())) == unit
            assert np.array_equal(picture, brute.down(only(brute.activations, *unit), rule))

    def test_of_the_images_in_which_each_channel_is_strongest(
        self, stack: Network, rule: Rule
    ) -> None:
        batch = images(5)
        brutes = [Brute(image) for image in batch]
        found = reconstruct(stack, batch, layer="r2", top=2, rule=rule)
        assert [kept.channel for kept in found.kept] == [0, 0, 1, 1, 2, 2, 3, 3]
        for channel in range(4):
            largest = [brute.activations[channel].max() for brute in brutes]
            order = sorted(range(5), key=lambda image: -largest[image])
            mine = [n for n, kept in enumerate(found.kept) if kept.channel == channel]
            assert [found.kept[n].image for n in mine] == order[:2]
            for n in mine:
                brute = brutes[found.kept[n].image]
                unit = strongest(brute.activations, channel)
                expected = brute.down(only(brute.activations, *unit), rule)
                assert np.array_equal(found.pictures[n], expected)


def strongest(activations: Array, channel: int) -> tuple[int, ...]:
    """(channel, *position) of the largest unit of a channel; of equal units the first."""
    places = np.ndindex(activations.shape[1:])
    position = max(places, key=lambda place: activations[(channel, *place)])
    return (channel, *position)


class TestSingle:
    @pytest.mark.parametrize("rule", RULES)
    def test_one_convolution_is_apply(self, spec: WriteSpec, rule: Rule) -> None:
        np.save("w.npy", weight := integers(3, 2, 3, 3))
        image = integers(2, 5, 6, seed=3)
        matrix = oracle.matrix(
            weight, (5, 6), stride=(2, 2), pads=[(1, 1)] * 2, dilation=(1, 1), groups=1
        )
        y = (matrix @ image.ravel()).reshape(3, 9) + np.array([[1], [2], [3]])
        found = reconstruct(load_spec(spec(SINGLE)), image, layer="c", rule=rule)
        assert np.array_equal(found.pictures[0].ravel(), matrix.T @ y.ravel())

    def test_ties_go_to_the_first_and_overlaps_add_up(self, spec: WriteSpec) -> None:
        text = "input: [1, 5]\nlayers: [{name: p, type: max_pool, kernel_size: 3, stride: 1}]"
        found = reconstruct(load_spec(spec(text)), [[0, 7, 7, 7, 0]], layer="p")
        assert found.pictures.tolist() == [[[0, 14, 7, 0, 0]]]

    def test_a_layer_without_positions_has_channels_alone(self, spec: WriteSpec) -> None:
        text = "input: [1, 3]\nlayers: [{name: f, type: flatten}]"
        found = reconstruct(load_spec(spec(text)), [[4, 9, 5]], layer="f", top=2)
        assert found.pictures.tolist() == [[[0, 9, 0]], [[0, 0, 5]]]
        assert [kept.position for kept in found.kept] == [(), ()]

    def test_what_is_kept_is_told(self, spec: WriteSpec) -> None:
        network = load_spec(spec("input: [2, 2]\nlayers: [{name: r, type: relu}]"))
        found = reconstruct(network, [[1, -2], [3, 5]], layer="r", channel=1)
        assert found.kept == (Kept(image=0, channel=1, position=None, activation=5.0),)
        assert isinstance(found, Reconstruction)
        assert (found.layer, found.rule, found.notes) == ("r", "deconvnet", ())


WRONG = [
    ({"channel": 4}, "E503", "no such channel: got 4, the last one is 3"),
    ({"channel": -1}, "E503", "no such channel: got -1"),
    ({"unit": (0, 2, 0)}, "E503", "no such unit: got 0,2,0, the last one is 3,1,2"),
    ({"unit": (0, 0)}, "E503", "a unit of this layer is 3 numbers"),
    ({"unit": (0, 0, 0), "channel": 0}, "E503", "a unit is all that is kept"),
    ({"unit": (0, 0, 0), "top": 1}, "E503", "a unit is all that is kept"),
    ({"top": 0}, "E503", "top is at least 1"),
    ({"top": 2, "channel": 0}, "E503", "chosen from several"),
    ({"layer": "r3"}, "E502", "has no layer 'r3'"),
    ({"images": np.zeros((2, 8, 8))}, "E301", "an image must be (2, 8, 9)"),
    ({"images": np.zeros((0, 2, 8, 9))}, "E301", "an image must be"),
    ({"images": np.zeros((1, 1, 2, 8, 9))}, "E301", "an image must be"),
    ({"images": np.full((2, 8, 9), np.nan)}, "E302", "finite"),
    ({"images": np.zeros((2, 8, 9), bool)}, "E302", "must hold integers, floats"),
]


@pytest.mark.parametrize(("changes", "code", "message"), WRONG)
def test_what_cannot_be_done_is_refused(
    stack: Network, changes: dict[str, Any], code: str, message: str
) -> None:
    arguments: dict[str, Any] = {"images": images(1)[0], "layer": "r2", **changes}
    with pytest.raises(ConvtError) as caught:
        reconstruct(stack, arguments.pop("images"), **arguments)
    assert caught.value.code == code
    assert message in str(caught.value)


def test_pictures_that_do_not_fit_into_memory_are_refused(
    stack: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    def require(_needed: int, what: str, **_: str) -> None:
        if "pictures of" in what:
            raise MemoryError(what)

    monkeypatch.setattr(memory, "require", require)
    with pytest.raises(MemoryError, match=r"4 pictures of \(2, 8, 9\)"):
        reconstruct(stack, images(1)[0], layer="r2", top=9)
