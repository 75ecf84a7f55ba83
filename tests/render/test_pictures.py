"""Sheets of pictures: how numbers become pixels, and where each picture stands."""

from __future__ import annotations

import sys
from io import BytesIO

import numpy as np
import pytest

from convt_cli.errors import ConvtError
from convt_cli.render.pictures import Panel, as_it_is, require_sheet, sheet, stretched
from tests.oracle import Array


class TestPixels:
    def test_zero_is_grey_and_the_99th_percentile_black_or_white(self) -> None:
        picture = np.zeros((1, 1, 201))
        picture[0, 0, :101], picture[0, 0, 101:103] = np.linspace(-50, 50, 101), (-200, 25)
        pixels = stretched(picture)[0, :, 0]
        largest = np.percentile(np.abs(picture[picture != 0]), 99)
        assert 50 <= largest < 200
        assert pixels == pytest.approx(np.clip(0.5 + picture[0, 0] / (2 * largest), 0, 1))
        assert (pixels[50], pixels[101], pixels.min()) == (0.5, 0, 0)

    def test_three_channels_are_colours(self) -> None:
        picture = np.array([[[1.0]], [[-1.0]], [[0.0]]])
        assert stretched(picture).tolist() == [[[1, 0, 0.5]]]

    @pytest.mark.parametrize("channels", [1, 2, 4])
    def test_any_other_number_is_their_mean_in_grey(self, channels: int) -> None:
        picture = np.ones((channels, 1, 2))
        picture[0, 0, 0] -= 2 * channels
        assert stretched(picture).tolist() == [[[0] * 3, [1] * 3]]

    def test_nothing_is_grey(self) -> None:
        assert stretched(np.zeros((3, 1, 1))).tolist() == [[[0.5] * 3]]

    def test_an_image_runs_from_its_smallest_to_its_largest_number(self) -> None:
        image = np.array([[[10, 20, 30]]], np.uint8)
        assert as_it_is(image)[0, :, 0].tolist() == [0, 0.5, 1]
        assert as_it_is(np.full((1, 1, 1), 7)).tolist() == [[[0.5] * 3]]


def pixels_of(png: bytes) -> Array:
    image = pytest.importorskip("PIL.Image")
    found: Array = np.asarray(image.open(BytesIO(png)).convert("RGB"))
    return found


class TestSheet:
    def test_panels_stand_row_by_row(self) -> None:
        pytest.importorskip("matplotlib")
        colours = [(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 0), (0, 1, 1)]
        panels = [
            Panel(str(n), np.full((4, 8, 3), colour, float)) for n, colour in enumerate(colours)
        ]
        pixels = pixels_of(sheet(panels))
        places: list[list[float]] = []
        for colour in colours:
            there = np.argwhere((pixels == np.multiply(colour, 255)).all(2))
            height, width = np.ptp(there, axis=0) + 1
            assert width == pytest.approx(192, abs=2)
            assert height == pytest.approx(96, abs=2)
            places.append(there.mean(0).tolist())
        rows, columns = zip(*places, strict=True)
        assert max(rows[:3]) - min(rows[:3]) < 1
        assert rows[3] - rows[0] > 100
        assert columns[0] < columns[1] < columns[2]
        assert columns[3:] == pytest.approx(columns[:2])

    def test_the_same_panels_make_the_same_bytes(self) -> None:
        pytest.importorskip("matplotlib")
        panels = [Panel("one", np.full((2, 2, 3), 0.5))]
        assert sheet(panels) == sheet(panels)

    @pytest.mark.parametrize("shape", [(3, 4), (3, 4, 4, 4)])
    def test_pictures_without_height_and_width_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ConvtError) as caught:
            require_sheet(shape)
        assert caught.value.code == "E503"

    def test_without_matplotlib_it_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(ConvtError) as caught:
            require_sheet((3, 4, 4))
        assert caught.value.code == "E504"
        assert caught.value.help == "install it with: pip install 'convt-cli[plot]'"
