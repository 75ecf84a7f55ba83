"""Pictures of every kind, written byte by byte: their pixels come back exactly, or are refused.

A PNG is made here from the standard's own words: a header, scanlines packed from the highest bit,
zlib around them, and for an interlaced one the seven passes of Adam7.
"""

from __future__ import annotations

import struct
import zlib
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from convt_cli.errors import ArrayError, ConvtError
from convt_cli.files.images import read_image, read_picture
from tests.oracle import Array

pytestmark = pytest.mark.usefixtures("folder")
pillow = pytest.importorskip("PIL.Image")

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
CHANNELS = {GREY: 1, RGB: 3, PALETTE: 1, GREY_ALPHA: 2, RGBA: 4}
DEPTHS = {
    GREY: (1, 2, 4, 8, 16),
    RGB: (8, 16),
    PALETTE: (1, 2, 4, 8),
    GREY_ALPHA: (8, 16),
    RGBA: (8, 16),
}
KINDS = [(kind, depth) for kind, depths in DEPTHS.items() for depth in depths]
READ = [(kind, depth) for kind, depth in KINDS if depth < 16 or kind == GREY]
PASSES = [
    *((0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4)),
    *((2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)),
]
"""First row, step of rows, first column and step of columns of each pass of Adam7."""


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def scanlines(numbers: Array, depth: int) -> bytes:
    """(height, width, channels) as lines of packed bits, each behind its filter: 0, none."""
    lines = []
    for row in numbers.reshape(len(numbers), -1).tolist():
        bits = "".join(f"{number:0{depth}b}" for number in row)
        bits += "0" * (-len(bits) % 8)
        lines.append(b"\0" + bytes(int(bits[n : n + 8], 2) for n in range(0, len(bits), 8)))
    return b"".join(lines)


def png(numbers: Array, kind: int, depth: int, *, interlaced: bool, more: bytes = b"") -> bytes:
    height, width, _ = numbers.shape
    passes = [numbers[a::b, c::d] for a, b, c, d in PASSES] if interlaced else [numbers]
    lines = b"".join(scanlines(one, depth) for one in passes if one.size)
    head = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + more
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


def numbers_of(kind: int, depth: int, height: int = 9, width: int = 11) -> Array:
    """Numbers from the least to the largest of a depth, about their end among them."""
    random = np.random.default_rng(depth)
    found: Array = random.integers(0, 2**depth, (height, width, CHANNELS[kind]))
    found.flat[:6] = [0, 2**depth - 1, min(255, 2**depth - 1), min(256, 2**depth - 1), 1, 0]
    return found


def palette(depth: int) -> Array:
    colours: Array = np.random.default_rng(9).integers(0, 256, (2**depth, 3))
    return colours


def colours_of(numbers: Array, kind: int, depth: int) -> Array:
    """(height, width, 1 or 3): what the numbers stand for, from 0 to 1, transparency left out."""
    if kind == PALETTE:
        return np.asarray(palette(depth)[numbers[..., 0]] / 255)
    return np.asarray(numbers[..., : 3 if kind in (RGB, RGBA) else 1] / (2**depth - 1))


def transparency(kind: int, depth: int) -> bytes:
    """A chunk that makes one colour of a picture without an alpha channel transparent."""
    values = {GREY: struct.pack(">H", 1), RGB: struct.pack(">3H", 1, 2, 3), PALETTE: b"\0\x80"}
    return chunk(b"tRNS", values[kind]) if kind in values else b""


@pytest.mark.parametrize("transparent", [False, True], ids=["", "transparent"])
@pytest.mark.parametrize("interlaced", [False, True], ids=["", "interlaced"])
class TestPng:
    @pytest.mark.parametrize(("kind", "depth"), READ)
    def test_the_pixels_come_back(
        self, kind: int, depth: int, interlaced: bool, transparent: bool
    ) -> None:
        numbers = numbers_of(kind, depth)
        more = chunk(b"PLTE", palette(depth).astype("u1").tobytes()) if kind == PALETTE else b""
        more += transparency(kind, depth) if transparent else b""
        Path("x.png").write_bytes(png(numbers, kind, depth, interlaced=interlaced, more=more))
        expected = colours_of(numbers, kind, depth)
        found, _ = read_image("x.png", (3, 9, 11))
        assert found.dtype == np.float32
        wanted = np.broadcast_to(np.moveaxis(expected, -1, 0), (3, 9, 11))
        np.testing.assert_array_equal(found[0], wanted.astype(np.float32))
        if expected.shape[-1] == 1:
            np.testing.assert_array_equal(
                read_picture("x.png", (1, 9, 11)), wanted[:1].astype("f4")
            )

    @pytest.mark.parametrize("kind", [RGB, GREY_ALPHA, RGBA])
    @pytest.mark.parametrize("channels", [1, 3])
    def test_16_bits_that_pillow_would_halve_are_refused(
        self, kind: int, channels: int, interlaced: bool, transparent: bool
    ) -> None:
        more = transparency(kind, 16) if transparent else b""
        content = png(numbers_of(kind, 16), kind, 16, interlaced=interlaced, more=more)
        Path("x.png").write_bytes(content)
        with pytest.raises(ArrayError, match="is colour or transparency of 16") as caught:
            read_picture("x.png", (channels, 9, 11))
        assert caught.value.code == "E302"


class TestGreyOf16Bits:
    @pytest.mark.parametrize("value", [0, 1, 255, 256, 257, 1000, 32768, 65535])
    @pytest.mark.parametrize("sizes", [(4, 4), (2, 2), (9, 7)])
    def test_an_even_one_keeps_its_value_when_resized(
        self, value: int, sizes: tuple[int, int]
    ) -> None:
        numbers = np.full((4, 4, 1), value)
        Path("x.png").write_bytes(png(numbers, GREY, 16, interlaced=False))
        found = read_picture("x.png", (1, *sizes))
        np.testing.assert_allclose(found, value / 65535, rtol=1e-6)

    def test_resizing_never_leaves_the_range(self) -> None:
        numbers = 65535 * (np.arange(64).reshape(8, 8, 1) % 2)
        Path("x.png").write_bytes(png(numbers, GREY, 16, interlaced=False))
        found = read_picture("x.png", (1, 21, 21))
        assert (found.min(), found.max()) == (0, 1)


class TestJpeg:
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_it_is_turned_as_its_orientation_says(self, orientation: int) -> None:
        """Where row 0 and column 0 of the file stand in the picture, as EXIF defines it."""
        pixels = np.zeros((16, 32), np.uint8)
        pixels[:8, :16] = 255
        exif = pillow.Exif()
        exif[0x0112] = orientation
        pillow.fromarray(pixels).save("x.jpg", exif=exif)
        sizes = (16, 32) if orientation < 5 else (32, 16)
        found = read_picture("x.jpg", (1, *sizes))[0] > 0.5
        bottom, right = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
        halves = [
            found[half(found.shape[0], low), half(found.shape[1], far)].mean()
            for low, far in product((False, True), repeat=2)
        ]
        assert halves[2 * bottom + right] > 0.95
        assert sum(halves) < 1.05

    def test_cmyk_is_refused(self) -> None:
        pillow.new("CMYK", (8, 8)).save("x.jpg")
        with pytest.raises(ArrayError, match=r"x\.jpg is a picture in CMYK") as caught:
            read_picture("x.jpg", (3, 8, 8))
        assert caught.value.code == "E302"


def half(size: int, second: bool) -> slice:
    return slice(size // 2, size) if second else slice(0, size // 2)


class TestOthers:
    def test_an_animation_is_refused(self) -> None:
        frames = [pillow.new("L", (8, 8), shade) for shade in (10, 200)]
        frames[0].save("x.png", save_all=True, append_images=frames[1:])
        with pytest.raises(ArrayError, match=r"x\.png is an animation") as caught:
            read_picture("x.png", (1, 8, 8))
        assert (caught.value.code, caught.value.help[:19]) == ("E302", "save one of its fra")

    @pytest.mark.parametrize(
        ("width", "height"), [(2**31 - 1, 2**31 - 1), (60_000, 60_000), (0, 5)]
    )
    def test_sizes_that_no_file_holds_are_refused(self, width: int, height: int) -> None:
        content = png(np.zeros((1, 1, 1), int), GREY, 8, interlaced=False)
        head = struct.pack(">IIBBBBB", width, height, 8, GREY, 0, 0, 0)
        Path("x.png").write_bytes(content[:8] + chunk(b"IHDR", head) + content[33:])
        with pytest.raises(ConvtError) as caught:
            read_picture("x.png", (1, 4, 4))
        assert caught.value.code in ("E303", "E501")
