"""Images: arrays as they are, pictures fitted into the input, and what is refused."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from convt_cli.errors import ConvtError, RequestError
from convt_cli.files.images import read_image, read_images
from convt_cli.files.layout import Form
from convt_cli.io import memory
from tests.oracle import Array


def save_picture(name: str, pixels: Array) -> str:
    """(height, width, 3) or (height, width), uint8, as a file."""
    image = pytest.importorskip("PIL.Image")
    image.fromarray(pixels).save(name)
    return name


def colours(height: int, width: int, seed: int = 0) -> Array:
    array: Array = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    return array


@pytest.mark.usefixtures("folder")
class TestArrays:
    def test_an_array_is_taken_as_it_is(self) -> None:
        np.save("x.npy", x := np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
        image, form = read_image("x.npy", (2, 3, 4))
        assert np.array_equal(image, x[np.newaxis])
        assert (image.dtype.name, form) == ("uint8", Form(channels_last=False))

    def test_text_may_leave_out_a_single_channel(self) -> None:
        Path("x.csv").write_text("1,2\n3,4\n", encoding="utf-8")
        image, form = read_image("x.csv", (1, 2, 2))
        assert (image.tolist(), form.bare) == ([[[[1, 2], [3, 4]]]], True)

    def test_a_batch_is_no_single_image(self) -> None:
        np.save("x.npy", np.zeros((5, 2, 3, 4)))
        with pytest.raises(ConvtError, match="a batch of 5") as caught:
            read_image("x.npy", (2, 3, 4))
        assert caught.value.help.startswith("give one of them")
        assert read_images("x.npy", (2, 3, 4)).shape == (5, 2, 3, 4)

    def test_one_array_is_a_batch_of_one(self) -> None:
        np.save("x.npy", np.zeros((2, 3, 4)))
        assert read_images("x.npy", (2, 3, 4)).shape == (1, 2, 3, 4)


@pytest.mark.usefixtures("folder")
class TestPictures:
    def test_of_the_input_s_size_it_is_its_pixels_from_0_to_1(self) -> None:
        pixels = colours(4, 5)
        image, form = read_image(save_picture("x.png", pixels), (3, 4, 5))
        assert image.dtype == np.float32
        assert np.array_equal(image[0] * 255, pixels.transpose(2, 0, 1))
        assert not form.batched

    def test_one_channel_is_grey(self) -> None:
        pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
        image, _ = read_image(save_picture("x.png", pixels), (1, 3, 4))
        assert np.array_equal(np.round(image[0, 0] * 255), pixels)

    def test_a_grey_picture_in_three_channels_has_three_alike(self) -> None:
        pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
        image, _ = read_image(save_picture("x.png", pixels), (3, 3, 4))
        assert [np.array_equal(image[0, 0], channel) for channel in image[0]] == [True] * 3

    def test_what_sticks_out_is_cut_off_on_both_sides(self) -> None:
        pixels = np.zeros((4, 12), np.uint8)
        pixels[:, 4:8] = 255
        image, _ = read_image(save_picture("x.png", pixels), (1, 4, 4))
        assert image.tolist() == [[[[1.0] * 4] * 4]]

    def test_a_larger_one_is_resized(self) -> None:
        pixels = np.zeros((8, 8), np.uint8)
        pixels[:, 4:] = 255
        image, _ = read_image(save_picture("x.png", pixels), (1, 4, 4))
        assert image[0, 0, :, 0].max() < 0.1
        assert image[0, 0, :, 3].min() > 0.9

    def test_a_folder_is_a_batch_in_the_order_of_names(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("all").mkdir()
        pixels = {name: colours(2, 2, seed) for seed, name in enumerate(("b.png", "a.png"))}
        for name, one in pixels.items():
            save_picture(f"all/{name}", one)
        monkeypatch.setattr("os.listdir", lambda _: ["b.png", "notes.txt", "a.png"])
        found = read_images("all", (3, 2, 2))
        expected = np.stack([pixels["a.png"], pixels["b.png"]]).transpose(0, 3, 1, 2)
        assert np.array_equal(found * 255, expected)

    def test_a_jpeg_is_read(self) -> None:
        pixels = np.full((8, 8, 3), 100, np.uint8)
        image, _ = read_image(save_picture("x.jpg", pixels), (3, 8, 8))
        assert image * 255 == pytest.approx(100, abs=3)

    def test_one_picture_is_a_batch_of_one(self) -> None:
        assert read_images(save_picture("x.png", colours(2, 2)), (3, 2, 2)).shape == (1, 3, 2, 2)


@pytest.mark.usefixtures("folder")
class TestRefused:
    @pytest.mark.parametrize("shape", [(2, 4, 4), (3, 4), (3, 4, 4, 4)])
    def test_inputs_that_are_no_picture(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ConvtError, match="one or three channels") as caught:
            read_image("x.png", shape)
        assert caught.value.code == "E301"

    def test_pictures_without_pillow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "PIL", None)
        with pytest.raises(ConvtError, match="needs the package Pillow") as caught:
            read_image("x.png", (3, 4, 4))
        assert caught.value.code == "E504"
        assert caught.value.help == "install it with: pip install 'convt-cli[plot]'"

    def test_a_picture_of_another_format(self) -> None:
        save_picture("x.gif", np.zeros((4, 4), np.uint8))
        Path("x.gif").rename("x.png")
        with pytest.raises(ConvtError) as caught:
            read_image("x.png", (1, 4, 4))
        assert caught.value.code == "E303"

    @pytest.mark.parametrize(
        ("available", "shape"),
        [(8 * 30 * 30 + 9 * 3 * 4 * 4, (3, 4, 4)), (10**6, (3, 200, 200))],
        ids=["itself", "in the network's size"],
    )
    def test_a_picture_that_does_not_fit_into_memory(
        self, monkeypatch: pytest.MonkeyPatch, available: int, shape: tuple[int, ...]
    ) -> None:
        name = save_picture("x.png", colours(30, 30))
        monkeypatch.setattr(memory, "available", lambda: available)
        with pytest.raises(ConvtError, match="does not fit into memory") as caught:
            read_image(name, shape)
        assert caught.value.code == "E501"

    def test_a_picture_that_memory_runs_out_for_is_not_called_damaged(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def runs_out(*_: object) -> None:
            raise MemoryError

        name = save_picture("x.png", colours(30, 30))
        monkeypatch.setattr("convt_cli.files.images._fitted", runs_out)
        with pytest.raises(RequestError) as caught:
            read_image(name, (3, 4, 4))
        assert caught.value.code == "E501"

    def test_a_picture_larger_than_pillow_likes_is_a_matter_of_memory(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = save_picture("x.png", colours(30, 30))
        monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", 600)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_image(name, (3, 30, 30))[0].shape == (1, 3, 30, 30)

    @pytest.mark.parametrize("name", ["none.png", "none"])
    def test_what_is_not_there(self, name: str) -> None:
        pytest.importorskip("PIL")
        with pytest.raises(ConvtError) as caught:
            read_images(name, (3, 4, 4))
        assert caught.value.code == "E401"

    def test_a_folder_without_pictures(self) -> None:
        Path("none").mkdir()
        with pytest.raises(ConvtError, match="has no pictures") as caught:
            read_images("none", (3, 4, 4))
        assert caught.value.code == "E401"

    def test_a_folder_that_may_not_be_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_: str) -> None:
            raise PermissionError(13, "Permission denied")

        Path("all").mkdir()
        monkeypatch.setattr("os.listdir", refuse)
        with pytest.raises(ConvtError, match="cannot read all: permission denied") as caught:
            read_images("all", (3, 2, 2))
        assert caught.value.code == "E401"

    def test_a_folder_that_does_not_fit_into_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        Path("all").mkdir()
        save_picture("all/a.png", colours(2, 2))
        monkeypatch.setattr(memory, "available", lambda: 4 * 3 * 4 - 1)
        with pytest.raises(ConvtError, match="1 images does not fit"):
            read_images("all", (3, 2, 2))
