"""Parameters as the frameworks count them: `numel` in PyTorch, `count_params` in Keras."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from convt_cli.spec.load import load_spec
from tests.conftest import WriteSpec

pytestmark = pytest.mark.peers

SHAPE = (64, 6, 5)
"""Channels and two axes, as a spec has them."""

TORCH: dict[str, Callable[[Any], Any]] = {
    "type: prelu": lambda nn: nn.PReLU(),
    "type: prelu, num_parameters: 64": lambda nn: nn.PReLU(64),
    "type: batch_norm": lambda nn: nn.BatchNorm2d(64),
    "type: batch_norm, affine: false": lambda nn: nn.BatchNorm2d(64, affine=False),
    "type: instance_norm": lambda nn: nn.InstanceNorm2d(64),
    "type: instance_norm, affine: true": lambda nn: nn.InstanceNorm2d(64, affine=True),
    "type: group_norm": lambda nn: nn.GroupNorm(8, 64),
    "type: group_norm, affine: false": lambda nn: nn.GroupNorm(8, 64, affine=False),
    "type: layer_norm": lambda nn: nn.LayerNorm(SHAPE),
    "type: layer_norm, normalized_axes: [1, 2]": lambda nn: nn.LayerNorm(SHAPE[1:]),
    "type: layer_norm, normalized_axes: [2]": lambda nn: nn.LayerNorm(SHAPE[2:]),
    "type: layer_norm, affine: false": lambda nn: nn.LayerNorm(SHAPE, elementwise_affine=False),
    "type: conv, out_channels: 8, kernel_size: 3, groups: 4": lambda nn: nn.Conv2d(
        64, 8, 3, groups=4
    ),
    "type: conv_transpose, out_channels: 8, kernel_size: 3, bias: false": lambda nn: (
        nn.ConvTranspose2d(64, 8, 3, bias=False)
    ),
}
KERAS: dict[str, Callable[[Any], Any]] = {
    "type: batch_norm": lambda layers: layers.BatchNormalization(),
    "type: batch_norm, affine: false": lambda layers: layers.BatchNormalization(
        center=False, scale=False
    ),
    "type: prelu": lambda layers: layers.PReLU(),
    "type: prelu, num_parameters: 64": lambda layers: layers.PReLU(shared_axes=[1, 2]),
    "type: layer_norm": lambda layers: layers.LayerNormalization(),
    "type: layer_norm, normalized_axes: [0, 1, 2]": lambda layers: layers.LayerNormalization(
        axis=[1, 2, 3]
    ),
    "type: group_norm": lambda layers: layers.GroupNormalization(8),
    "type: instance_norm": lambda layers: layers.GroupNormalization(-1),
}
FSRCNN = [
    *("conv 56 5", "prelu 56", "conv 12 1", "prelu 12", "conv 12 3", "conv 12 3"),
    *("conv 12 3", "conv 12 3", "prelu 12", "conv 56 1", "prelu 56"),
]
"""C. Dong, C. C. Loy and X. Tang, "Accelerating the Super-Resolution Convolutional Neural
Network" (2016), up to its transposed convolution, as layers with their channels and kernels."""


def counts(spec: WriteSpec, framework: str, layer: str) -> tuple[int, int]:
    """(all parameters, those that are not trained) of a network of this one layer."""
    text = f"framework: {framework}\ninput: {list(SHAPE)}\nlayers: [{{{layer}}}]"
    geometry = load_spec(spec(text)).layers[0].geometry
    return geometry.parameters, geometry.not_trained


@pytest.mark.parametrize("layer", TORCH)
def test_pytorch_has_as_many_parameters(layer: str, spec: WriteSpec) -> None:
    nn = pytest.importorskip("torch").nn
    parameters = sum(one.numel() for one in TORCH[layer](nn).parameters())
    assert counts(spec, "pytorch", layer) == (parameters, 0)


@pytest.mark.parametrize("layer", KERAS)
def test_keras_has_as_many_parameters(layer: str, spec: WriteSpec) -> None:
    built = KERAS[layer](pytest.importorskip("keras").layers)
    built.build((None, *SHAPE[1:], SHAPE[0]))
    kept = sum(int(weight.shape.num_elements()) for weight in built.non_trainable_weights)
    assert counts(spec, "keras", layer) == (built.count_params(), kept)


def test_fsrcnn_has_as_many_parameters_as_its_module(spec: WriteSpec) -> None:
    nn = pytest.importorskip("torch").nn
    modules, layers, channels = [], [], 1
    for kind, count, *kernel in (line.split() for line in FSRCNN):
        if kind == "prelu":
            modules.append(nn.PReLU(int(count)))
            layers.append(f"{{type: prelu, num_parameters: {count}}}")
        else:
            modules.append(nn.Conv2d(channels, int(count), int(kernel[0])))
            layers.append(
                f"{{type: conv, out_channels: {count}, kernel_size: {kernel[0]}, padding: half}}"
            )
            channels = int(count)
    modules.append(nn.ConvTranspose2d(channels, 1, 9, stride=4, padding=4, output_padding=3))
    layers.append(
        "{type: conv_transpose, out_channels: 1, kernel_size: 9, stride: 4, padding: 4,"
        " output_padding: 3}"
    )
    network = load_spec(spec(f"input: [1, 8, 8]\nlayers: [{', '.join(layers)}]"))
    found = sum(layer.geometry.parameters for layer in network.layers)
    assert found == sum(one.numel() for one in nn.Sequential(*modules).parameters()) == 12_773
