"""Images as (channels, *sizes): any array file, and .png or .jpg where Pillow is there.

An array is taken as it is.  A picture becomes float32 from 0 to 1 in one channel, grey, or
three, red, green and blue; it is resized until it just covers the wanted size, and what then
sticks out is cut off on both sides alike.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import ArrayError, ConvtError, FileError, RequestError, shown
from convt_cli.files.arrays import damaged, is_text, read_array
from convt_cli.files.layout import Form, arrange
from convt_cli.io import memory
from convt_cli.io.reading import open_regular, unreadable
from convt_cli.operators.dtypes import Array

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")
_MODES = {1: "L", 3: "RGB"}
_PNG_END = b"IEND\xaeB`\x82"
_JPEG_END = b"\xff\xd9"
_MOST_PIXELS_PER_BYTE = 8 * 1032
"""Deflate makes a byte of up to 1,032, each of eight pixels; JPEG has a bit for 64 at least."""


def read_image(name: str, shape: Shape) -> tuple[Array, Form]:
    """(1, *shape) from an array file or a picture, and the form in which it came.

    Raises FileError (E401), ArrayError (E301, E302, E303), RequestError (E501, E504).
    """
    if is_picture(name):
        return read_picture(name, shape)[np.newaxis], Form(channels_last=False)
    batch, form = arrange(read_array(name), shape, "channels_first", text=is_text(name))
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

    Those come in the order of their names.  Raises as `read_image`.
    """
    if is_picture(name):
        return read_image(name, shape)[0]
    if not os.path.isdir(name):
        return arrange(read_array(name), shape, "channels_first", text=is_text(name))[0]
    pictures = _pictures_in(name)
    memory.require(
        4 * len(pictures) * prod(shape),
        f"{len(pictures)} images",
        help="use fewer",
    )
    return np.stack([read_picture(one, shape) for one in pictures])


def is_picture(name: str) -> bool:
    """Whether `name` names a picture."""
    return os.path.splitext(name)[1].lower() in PICTURE_SUFFIXES


def _pictures_in(folder: str) -> list[str]:
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
        from PIL import Image  # noqa: PLC0415  # an extra
    except ImportError:
        raise RequestError(
            "E504",
            "reading pictures needs the package Pillow, which comes with matplotlib",
            help="install it with: pip install 'convt-cli[plot]'",
        ) from None
    with open_regular(path) as file:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the size is held against the memory there is
                picture = Image.open(file, formats=("PNG", "JPEG"))
                _require_room(file, path, picture.size, shape)
                fitted = _fitted(picture.convert(_MODES[shape[0]]), shape[1:])
            _require_end(file, picture.format)
        except ConvtError:
            raise
        except MemoryError as error:
            what = f"memory ran out while {shown(path)} was read"
            raise memory.ran_out(error, what, help="use a smaller picture") from None
        except Exception as error:  # whatever a decoder finds wrong with its bytes
            raise damaged(path, str(error).partition("\n")[0] or type(error).__name__) from None
    pixels = np.asarray(fitted, np.float32).reshape(*shape[1:], shape[0]) / 255
    return np.moveaxis(pixels, -1, 0)


def _require_room(file: BinaryIO, path: str, size: tuple[int, int], shape: Shape) -> None:
    """Ask for what a picture of `size` takes in its file, unpacked, and as float32 of `shape`.

    Raises ValueError for more pixels than the file can hold, RequestError (E501).
    """
    length = os.fstat(file.fileno()).st_size
    if prod(size) > _MOST_PIXELS_PER_BYTE * length:
        raise ValueError(f"{length:,} bytes are too few for {size[0]:,} by {size[1]:,} pixels")
    needed = length + 8 * prod(size) + 9 * prod(shape)
    memory.require(needed, shown(path), help="use a smaller picture, or a smaller --input")


def _require_end(file: BinaryIO, picture_format: str | None) -> None:
    """Raise ValueError where the last part of the file is missing: Pillow can do without it."""
    file.seek(0)
    if (_PNG_END if picture_format == "PNG" else _JPEG_END) not in file.read():
        raise ValueError("its end is missing")


def _fitted(picture: Image, sizes: Sequence[int]) -> Image:
    """`picture` in `sizes`, (height, width): the largest part of their proportion, resized."""
    height, width = sizes
    factor = max(height / picture.height, width / picture.width)
    wide, high = width / factor, height / factor
    left, top = (picture.width - wide) / 2, (picture.height - high) / 2
    return picture.resize((width, height), box=(left, top, left + wide, top + high))
