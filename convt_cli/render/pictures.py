"""Pictures side by side on one sheet, through matplotlib.

Signals have both signs, and no scale of their own.  So each picture is stretched by itself to
0.5 + x / 2m, cut off at 0 and 1: 0 is the grey in the middle, and m, the 99th percentile of the
magnitudes that are not 0, is white, -m black.  The percentile, because a few numbers are far larger
than the rest.  Three channels are red, green and blue; any other number of channels is shown as
their mean, in grey.  An image is shown from its smallest number to its largest.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from math import ceil, sqrt
from typing import NamedTuple

import numpy as np

from convt_cli.analysis.backward.reconstruct import Kept, Reconstruction
from convt_cli.errors import RequestError
from convt_cli.io.loading import working_in
from convt_cli.operators.dtypes import Array

_PERCENTILE = 99  # of the magnitudes: where black and white begin
_INCHES = 1.6  # the width of a panel
_TITLE = 0.22  # the height of its title, in inches
_GAP = 0.06  # between two panels, in inches
_DOTS = 120  # pixels per inch


class Panel(NamedTuple):
    """One picture of a sheet, (height, width, 3) from 0 to 1, and the words above it."""

    title: str
    pixels: Array


def stretched(picture: Array) -> Array:
    """A picture, (channels, height, width), as pixels from 0 to 1; 0 becomes 0.5."""
    shown = _in_colour(picture)
    magnitudes = np.abs(shown[shown != 0])
    if not magnitudes.size:
        return np.full(shown.shape, 0.5)
    pixels: Array = 0.5 + shown / (2 * np.percentile(magnitudes, _PERCENTILE))
    return pixels.clip(0, 1)


def as_it_is(image: Array) -> Array:
    """An image, (channels, height, width), as pixels from its smallest number to its largest."""
    shown = _in_colour(image)
    low, high = shown.min(), shown.max()
    return (shown - low) / (high - low) if high > low else np.full(shown.shape, 0.5)


def _in_colour(picture: Array) -> Array:
    """(height, width, 3) in float64: three channels as they are, else their mean three times."""
    numbers = picture.astype(np.float64)
    if len(numbers) != 3:
        numbers = np.broadcast_to(numbers.mean(0), (3, *numbers.shape[1:]))
    return np.moveaxis(numbers, 0, -1)


def require_sheet(shape: tuple[int, ...]) -> None:
    """Raise RequestError: E503 unless `shape` has height and width, E504 without matplotlib."""
    if len(shape) != 3:
        raise RequestError(
            "E503",
            "a sheet shows pictures with height and width",
            value=f"those of this network are {list(shape)}",
            help="write an array with -o",
        )
    try:
        _load_matplotlib()
    except ImportError:
        raise RequestError(
            "E504",
            "a sheet of pictures needs the package matplotlib",
            help="install it with: pip install 'convt-cli[plot]'",
        ) from None


def _load_matplotlib() -> None:
    """Import matplotlib, whatever a matplotlibrc in the working folder or elsewhere says.

    While it is imported, matplotlib reads the first matplotlibrc that it finds, beginning with the
    working folder, and fails on one that it cannot read.  So meanwhile the working folder is that
    of matplotlib's own defaults.  Raises ImportError.
    """
    found = None if "matplotlib" in sys.modules else find_spec("matplotlib")
    if found is None or found.origin is None:  # loaded already, or not installed
        import_module("matplotlib")
        return
    with working_in(os.path.join(os.path.dirname(found.origin), "mpl-data")):
        import_module("matplotlib")


def sheet(panels: Sequence[Panel]) -> bytes:
    """The panels row by row as a .png, in about as many rows as columns."""
    import matplotlib  # noqa: PLC0415  # an extra

    with matplotlib.rc_context(matplotlib.rcParamsDefault):  # not what a caller has set
        return _drawn(panels)


def reconstruction_sheet(found: Reconstruction, images: Array) -> bytes:
    """A .png of the image and its pictures; of several images, each in front of its picture."""
    panels = [Panel("image", as_it_is(images[0]))] if len(images) == 1 else []
    for kept, picture in zip(found.kept, found.pictures, strict=True):
        if len(images) > 1:
            panels.append(Panel(f"image {kept.image}", as_it_is(images[kept.image])))
        panels.append(Panel(_title(found.layer, kept), stretched(picture)))
    return sheet(panels)


def _title(layer: str, kept: Kept) -> str:
    """The title of a picture: the layer, or the channel and the position that were kept."""
    if kept.channel is None:
        return layer
    position = f" at {','.join(map(str, kept.position))}" if kept.position else ""
    return f"channel {kept.channel}{position}"


def _drawn(panels: Sequence[Panel]) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    columns = ceil(sqrt(len(panels)))
    rows = ceil(len(panels) / columns)
    tall, wide = panels[0].pixels.shape[:2]
    height = _INCHES * tall / wide
    size = columns * (_INCHES + _GAP) + _GAP, rows * (height + _TITLE) + _GAP
    figure = Figure(figsize=size, dpi=_DOTS)
    FigureCanvasAgg(figure)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        left = _GAP + column * (_INCHES + _GAP)
        bottom = _GAP + (rows - 1 - row) * (height + _TITLE)
        box = left / size[0], bottom / size[1], _INCHES / size[0], height / size[1]
        axes = figure.add_axes(box)
        axes.imshow(panel.pixels, interpolation="nearest", aspect="auto")
        axes.set_title(panel.title, fontsize=7, pad=3, parse_math=False)
        axes.set_axis_off()
    stream = BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()
