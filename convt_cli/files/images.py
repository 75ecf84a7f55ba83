"""Images as (channels, *sizes), from any array file, and from .png or .jpg if Pillow is installed.

An array is taken as it is.  A picture becomes float32 from 0 to 1 with one channel, grey, or three,
red, green and blue.  It is turned as its EXIF orientation says and resized until it just covers the
wanted size; what then sticks out is cut off equally on both sides.  Transparency is ignored: a
pixel has the colour that the file gives it.  Grey of 16 bits keeps all bits; colour of 16 bits,
which Pillow reads as 8, animations and CMYK are refused.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, BinaryIO, NoReturn

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import ArrayError, ConvtError, FileError, RequestError, shown
from convt_cli.files.arrays import is_text, read_array
from convt_cli.files.damage import damaged
from convt_cli.files.layout import Form, arrange
from convt_cli.io import memory
from convt_cli.io.reading import open_regular, unreadable
from convt_cli.operators.dtypes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_MODES = {1: "L", 3: "RGB"}  # Pillow's mode by the number of channels
_READ_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I", "I;16", "I;16B")
"""Pillow's modes of the pictures that are read."""
_LARGEST_OF_16_BITS = 2**16 - 1
_PNG_BEGIN = b"\x89PNG\r\n\x1a\n"  # the first bytes of every PNG
_PNG_DEPTH = 24
"""The byte of a PNG that gives the bits of a channel; the next is the colour type, 0 for grey."""
_PNG_END = b"IEND\xaeB`\x82"  # the last bytes of every PNG
_JPEG_END = b"\xff\xd9"  # the mark at the end of a JPEG
_BYTES_PER_PIXEL = 12
"""Bytes of a pixel in memory while it is unpacked, turned and converted: 2 + 4 + 4 for grey of 16
bits, 3 times 4 for colour."""
_MOST_PIXELS_PER_BYTE = 8 * 1032
"""Pixels that a byte of a file can hold: deflate packs up to 1,032 bytes, each of eight pixels,
into one; JPEG has at least a bit for every 64 pixels, which is less."""


def read_image(name: str, shape: Shape) -> tuple[Array, Form]:
    """One image (1, *shape) from an array file or a picture, and the form in which it came.

    Raises FileError (E401), ArrayError (E301, E302, E303), RequestError (E501, E504).
    """
    if is_picture(name):
        return read_picture(name, shape)[np.newaxis], Form(channels_last=False)
    batch, form = arrange(read_array(name), shape, None, text=is_text(name))
    if form.batched:
        raise ArrayError(
            "E301",
            "one image is wanted",
            value=f"{shown(name)} holds a batch of {len(batch)}",
            help="give one of them, or take them as a batch where that is an option",
        )
    return batch, form


def read_images(name: str, shape: Shape) -> Array:
    """(images, *shape) from an array file with a batch axis, or from the pictures in a folder.

    Pictures come in the order of their names.  Raises as `read_image`.
    """
    if is_picture(name):
        return read_image(name, shape)[0]
    if not os.path.isdir(name):
        return arrange(read_array(name), shape, None, text=is_text(name))[0]
    pictures = _pictures_in(name)
    memory.require(
        4 * len(pictures) * prod(shape),
        f"{len(pictures)} images",
        help="use fewer",
    )
    return np.stack([read_picture(one, shape) for one in pictures])


def is_picture(name: str) -> bool:
    """Whether `name` has the suffix of a picture."""
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _pictures_in(folder: str) -> list[str]:
    """The paths of the pictures in a folder, by name.  Raises FileError (E401) without any."""
    try:
        found = sorted(filter(is_picture, os.listdir(folder)))
    except OSError as error:
        raise unreadable(folder, error) from None
    if not found:
        raise FileError(
            "E401",
            f"the folder {shown(folder)} has no pictures",
            help=f"known are {', '.join(PICTURE_SUFFIXES)}",
        )
    return [os.path.join(folder, one) for one in found]


def read_picture(path: str, shape: Shape) -> Array:
    """The picture at `path` as float32 of `shape`, (channels, height, width).

    Raises RequestError (E501, E504), FileError (E401), ArrayError (E301, E303).
    """
    if len(shape) != 3 or shape[0] not in _MODES:
        raise ArrayError(
            "E301",
            "a picture has one or three channels, height and width",
            value=f"the network takes {shown(str(shape))}",
            help="use an array file",
        )
    try:
        from PIL import Image, ImageOps  # noqa: PLC0415  # an extra
    except ImportError:
        raise RequestError(
            "E504",
            "reading pictures needs the package Pillow, which comes with matplotlib",
            help="install it with: pip install 'convt-cli[plot]'",
        ) from None
    with open_regular(path) as file:
        try:
            _require_depth(file, path)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the size is held against the memory there is
                picture = Image.open(file, formats=("PNG", "JPEG"))
                _require_room(file, path, picture.size, shape)
                _require_one_of(picture, path)
                pixels = _pixels(ImageOps.exif_transpose(picture), shape)
            _require_end(file, picture.format)
        except ConvtError:
            raise
        except MemoryError as error:
            what = f"memory ran out while {shown(path)} was read"
            raise memory.ran_out(error, what, help="use a smaller picture") from None
        except Exception as error:  # a decoder raises nearly anything for damaged bytes
            raise damaged(path, str(error).partition("\n")[0] or type(error).__name__) from None
    return pixels


def _pixels(picture: Image, shape: Shape) -> Array:
    """A picture as float32 of `shape` from 0 to 1."""
    if picture.mode.startswith("I"):  # grey of 16 bits: Pillow's L would cut it off at 255
        deep = np.asarray(_fitted(picture.convert("I").convert("F"), shape[1:]), np.float32)
        return np.repeat((deep / _LARGEST_OF_16_BITS).clip(0, 1)[np.newaxis], shape[0], axis=0)
    fitted = _fitted(picture.convert(_MODES[shape[0]]), shape[1:])
    # (height, width, channels)
    pixels = np.asarray(fitted, np.float32).reshape(*shape[1:], shape[0]) / 255
    return np.moveaxis(pixels, -1, 0)


def _require_depth(file: BinaryIO, path: str) -> None:
    """Raise ArrayError (E302) for a PNG whose numbers of 16 bits Pillow would cut to 8."""
    head = file.read(_PNG_DEPTH + 2)
    file.seek(0)
    if head.startswith(_PNG_BEGIN) and head[_PNG_DEPTH:] > b"\x10\x00":
        _refuse("colour or transparency of 16 bits", path, help="save it with 8 bits a channel")


def _require_one_of(picture: Image, path: str) -> None:
    """Raise ArrayError (E302) for an animation, and for colours such as CMYK."""
    if picture.format == "PNG" and getattr(picture, "n_frames", 1) > 1:
        _refuse("an animation", path, help="save one of its frames")
    if picture.mode not in _READ_MODES:
        _refuse(f"a picture in {picture.mode}", path, help="convert it to RGB")


def _refuse(what: str, path: str, *, help: str) -> NoReturn:
    raise ArrayError(
        "E302",
        "a picture has 8 bits a channel, or is grey with 16",
        value=f"{shown(path)} is {what}",
        help=f"{help}, or use an array file",
    )


def _require_room(file: BinaryIO, path: str, size: tuple[int, int], shape: Shape) -> None:
    """Ask for the memory of a picture: its file, `size` unpacked pixels, and float32 of `shape`.

    Raises ValueError for more pixels than the file can hold, RequestError (E501).
    """
    length = os.fstat(file.fileno()).st_size
    if prod(size) > _MOST_PIXELS_PER_BYTE * length:
        raise ValueError(f"{length:,} bytes are too few for {size[0]:,} by {size[1]:,} pixels")
    needed = length + _BYTES_PER_PIXEL * prod(size) + 9 * prod(shape)
    memory.require(needed, shown(path), help="use a smaller picture, or a smaller --input")


def _require_end(file: BinaryIO, picture_format: str | None) -> None:
    """Raise ValueError where the file's last part is missing, which Pillow does not mind."""
    file.seek(0)
    if (_PNG_END if picture_format == "PNG" else _JPEG_END) not in file.read():
        raise ValueError("its end is missing")


def _fitted(picture: Image, sizes: Sequence[int]) -> Image:
    """The largest part of `picture` in the proportion of `sizes`, resized to (height, width)."""
    height, width = sizes
    factor = max(height / picture.height, width / picture.width)
    wide, high = width / factor, height / factor
    left, top = (picture.width - wide) / 2, (picture.height - high) / 2
    return picture.resize((width, height), box=(left, top, left + wide, top + high))
