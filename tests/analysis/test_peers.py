"""Padding before and cropping after a library's convolution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from convt_cli.analysis.peers import PEERS, Peer, PeerRefused, PeerWindow, peer_result
from convt_cli.arithmetic.convolution import Convolution
from tests import oracle
from tests.strategies import (
    direct_convolutions,
    folded_convolutions,
    geometry,
    transposed_convolutions,
    window,
    with_arrays,
)

Drawn = tuple[Convolution, oracle.Array, oracle.Array, oracle.Array]


def keys(asked: PeerWindow) -> oracle.Window:
    """The arguments of a window without padding, for the oracle."""
    return {
        "stride": asked.stride,
        "pads": [(0, 0)] * asked.rank,
        "dilation": asked.dilation,
        "groups": asked.groups,
    }


def direct(x: oracle.Array, weight: oracle.Array, asked: PeerWindow) -> Any:
    return oracle.direct(x[0], weight, **keys(asked))[np.newaxis]


def transposed(y: oracle.Array, weight: oracle.Array, asked: PeerWindow) -> Any:
    full = oracle.transposed(y[0], weight, output_padding=[0] * asked.rank, **keys(asked))
    assert full.shape[1:] == asked.full
    return full[np.newaxis]


BRUTE_FORCE = Peer(
    name="loops", modules=(), install="", dtype="int64", direct=direct, transposed=transposed
)


@settings(deadline=None, max_examples=40)
@given(drawn=with_arrays(direct_convolutions(short=False)))
def test_a_direct_layer_is_padded_or_cut(drawn: Drawn) -> None:
    convolution, weight, x, _ = drawn
    found = peer_result(BRUTE_FORCE, convolution, weight, x[np.newaxis])
    np.testing.assert_array_equal(found[0], oracle.direct(x, weight, **geometry(convolution)))


@settings(deadline=None, max_examples=40)
@given(drawn=with_arrays(folded_convolutions()))
def test_padding_that_repeats_the_input(drawn: Drawn) -> None:
    convolution, weight, x, _ = drawn
    found = peer_result(BRUTE_FORCE, convolution, weight, x[np.newaxis])[0]
    kept = tuple(slice(size) for size in convolution.output_shape)
    np.testing.assert_array_equal(found[kept], oracle.direct(x, weight, **geometry(convolution)))


@settings(deadline=None, max_examples=40)
@given(drawn=with_arrays(transposed_convolutions()))
def test_a_transposed_layer_is_cropped_or_lengthened(drawn: Drawn) -> None:
    convolution, weight, _, y = drawn
    found = peer_result(BRUTE_FORCE, convolution, weight, y[np.newaxis])
    extra = [axis.output_padding for axis in convolution.axes]
    expected = oracle.transposed(y, weight, output_padding=extra, **window(convolution))
    np.testing.assert_array_equal(found[0], expected)


def test_whatever_a_library_raises_is_a_refusal() -> None:
    def fail(*_: object) -> Any:
        raise KeyError

    peer = Peer(name="x", modules=(), install="", dtype="float64", direct=fail, transposed=fail)
    layer = Convolution(out_channels=1, in_channels=1, axes=())
    with pytest.raises(PeerRefused, match="KeyError"):
        peer_result(peer, layer, np.ones((1, 1)), np.ones((1, 1)))


def test_the_libraries() -> None:
    assert list(PEERS) == ["torch", "onnxruntime", "jax", "tensorflow"]
