"""Padding words and padding modes of the library's functions, against PyTorch.

Arrays hold small integers in float64, so that every sum is exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from convt_cli import ConvOperator, conv, conv_matrix, conv_transpose
from convt_cli.errors import GeometryError
from tests.oracle import Array
from tests.strategies import FOLDING_MODES, PADDING_MODES

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.peers

WORDS = ("same", "valid", "half", "full", "causal")
TORCH_MODES = {"zeros": "constant"}
KERNELS = ((3, 2), (4, 3), (1, 5), (2, 2))
RNG = np.random.default_rng(3)


def whole(*shape: int) -> Array:
    return RNG.integers(-9, 10, shape).astype(np.float64)


def pairs(word: str, kernel_size: tuple[int, ...], dilation: int) -> list[tuple[int, int]]:
    """(before, after) of each axis, as papers and PyTorch's manual define the words."""
    spans = [dilation * (size - 1) for size in kernel_size]
    return {
        "same": [(span // 2, span - span // 2) for span in spans],
        "valid": [(0, 0) for _ in spans],
        "half": [((span + 1) // 2, (span + 1) // 2) for span in spans],
        "full": [(span, span) for span in spans],
        "causal": [(span, 0) for span in spans],
    }[word]


def padded_conv(
    x: Array, weight: Array, pads: list[tuple[int, int]], mode: str, **keys: Any
) -> Array:
    """PyTorch's padding, and its convolution without any."""
    flat = [size for pair in reversed(pads) for size in pair]
    source = torch.nn.functional.pad(torch.from_numpy(x), flat, TORCH_MODES.get(mode, mode))
    found: Array = torch.nn.functional.conv2d(source, torch.from_numpy(weight), **keys).numpy()
    return found


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("mode", PADDING_MODES)
@pytest.mark.parametrize("kernel_size", KERNELS, ids=str)
@pytest.mark.parametrize("word", WORDS)
def test_conv(word: Any, kernel_size: tuple[int, int], mode: Any, dilation: int) -> None:
    x, weight = whole(2, 4, 11, 10), whole(6, 2, *kernel_size)
    expected = padded_conv(
        x, weight, pairs(word, kernel_size, dilation), mode, dilation=dilation, groups=2
    )
    keys: dict[str, Any] = {
        "dilation": dilation,
        "groups": 2,
        "padding": word,
        "padding_mode": mode,
    }
    np.testing.assert_array_equal(conv(x, weight, **keys), expected)
    flat, rows = x.reshape(2, -1), expected.reshape(2, -1)
    for matrix in (conv_matrix(weight, (11, 10), **keys), ConvOperator(weight, (11, 10), **keys)):
        np.testing.assert_array_equal(matrix @ flat[0], rows[0])
        y = whole(rows.shape[1])
        assert (matrix @ flat[1]) @ y == flat[1] @ (matrix.T @ y)


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel lengths")
@pytest.mark.parametrize("word", ["same", "valid"])
@pytest.mark.parametrize("kernel_size", KERNELS, ids=str)
def test_conv_with_pytorch_s_own_words(word: Any, kernel_size: tuple[int, int]) -> None:
    x, weight = whole(1, 2, 9, 8), whole(3, 2, *kernel_size)
    expected = torch.nn.functional.conv2d(
        torch.from_numpy(x), torch.from_numpy(weight), padding=word
    )
    np.testing.assert_array_equal(conv(x, weight, padding=word), expected.numpy())


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", KERNELS, ids=str)
@pytest.mark.parametrize("word", ["valid", "half", "full", "causal"])
def test_conv_transpose(word: Any, kernel_size: tuple[int, int], stride: int) -> None:
    """What PyTorch gives without padding, the pads cut off."""
    y, weight = whole(2, 4, 7, 6), whole(4, 3, *kernel_size)
    full = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(y), torch.from_numpy(weight), stride=stride
    ).numpy()
    cut = [
        slice(before, size - after)
        for (before, after), size in zip(pairs(word, kernel_size, 1), full.shape[2:], strict=True)
    ]
    found = conv_transpose(y, weight, stride=stride, padding=word)
    np.testing.assert_array_equal(found, full[:, :, *cut])


@pytest.mark.parametrize("stride", [2, 3])
def test_both_refuse_same_with_a_stride(stride: int) -> None:
    x, weight = whole(1, 2, 9, 8), whole(3, 2, 3, 3)
    with pytest.raises(RuntimeError, match="padding='same' is not supported for strided"):
        torch.nn.functional.conv2d(
            torch.from_numpy(x), torch.from_numpy(weight), stride=stride, padding="same"
        )
    with pytest.raises(GeometryError, match="padding 'same' needs stride 1 in pytorch"):
        conv(x, weight, stride=stride, padding="same")


def test_both_refuse_same_for_conv_transpose() -> None:
    y, weight = whole(1, 2, 9, 8), whole(2, 3, 3, 3)
    with pytest.raises((TypeError, RuntimeError)):
        torch.nn.functional.conv_transpose2d(
            torch.from_numpy(y), torch.from_numpy(weight), padding="same"
        )
    with pytest.raises(GeometryError, match="pytorch has no padding 'same' for conv_transpose"):
        conv_transpose(y, weight, padding="same")


@pytest.mark.parametrize("mode", FOLDING_MODES[:2])
def test_both_refuse_more_padding_than_the_mode_can_fold(mode: Any) -> None:
    x, weight = whole(1, 1, 3, 9), whole(1, 1, 5, 1)
    pads = [(4, 4), (0, 0)]
    with pytest.raises(RuntimeError):
        padded_conv(x, weight, pads, mode)
    with pytest.raises(GeometryError, match=f"padding_mode {mode} takes a padding of at most"):
        conv(x, weight, padding=pads, padding_mode=mode)
