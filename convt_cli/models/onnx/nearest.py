"""Nearest-neighbour sampling of a Resize, computed in float32 as ONNX Runtime does.

An upsample of a spec takes element floor(i * size / output) for output i.  ONNX has six formulas
for the place of an output in the source and four ways to round it, and several of the pairs take
the same elements as an upsample does.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from convt_cli.models.onnx.arithmetic import Array

_MOST_COMPARED = 2**16
"""How many outputs of an axis are compared; more would show nothing new."""


class Sampling(NamedTuple):
    """A Resize's attributes: coordinate_transformation_mode and nearest_mode."""

    transformation: str
    rounding: str

    def takes_floors(self, size: int, output: int, scale: float) -> bool:
        """Whether every output of an axis takes the same element as in an upsample.

        >>> Sampling("half_pixel", "round_prefer_floor").takes_floors(3, 6, 2.0)
        True
        >>> Sampling("half_pixel", "ceil").takes_floors(3, 6, 2.0)
        False
        """
        count = min(output, _MOST_COMPARED)
        places = self._places(np.arange(count, dtype=np.float32), size, output, np.float32(scale))
        if places is None:
            return False
        taken = np.clip(_rounded(places, self.rounding), 0, size - 1)
        return bool(taken.tolist() == [number * size // output for number in range(count)])

    def _places(self, outputs: Array, size: int, output: int, scale: np.float32) -> Array | None:
        """The places of `outputs` in the source; None for an unknown transformation."""
        half = np.float32(0.5)
        match self.transformation:
            case "asymmetric":
                return outputs / scale
            case "half_pixel":
                return (outputs + half) / scale - half
            case "pytorch_half_pixel":
                return (outputs + half) / scale - half if output > 1 else outputs * 0
            case "tf_half_pixel_for_nn":
                return (outputs + half) / scale
            case "align_corners":
                return outputs * np.float32(size - 1) / np.float32(max(1, output - 1))
            case "half_pixel_symmetric":
                kept = np.float32(output) / (scale * np.float32(size))
                return np.float32(size) / 2 * (1 - kept) + (outputs + half) / scale - half
        return None


def _rounded(places: Array, rounding: str) -> Array:
    """Whole places, by a nearest_mode of ONNX; round_prefer_floor is the default."""
    half = np.float32(0.5)
    match rounding:
        case "floor":
            return np.floor(places)
        case "ceil":
            return np.ceil(places)
        case "round_prefer_ceil":
            return np.floor(places + half)
    return np.ceil(places - half)
