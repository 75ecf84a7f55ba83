"""One network in Keras's, ONNX's and PyTorch's formats: convt diff tells of what differs alone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

from keras import layers as kl  # noqa: E402  # it is Keras's
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # what Keras and PyTorch say of their own exports
]

FIRST: Any = {"data_format": "channels_first"}
SAME: Any = {"padding": "same", **FIRST}


class Small(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """SAME strides, a batch norm, a depthwise convolution, a head."""

    size = (33, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, bias=False)
        self.norm = nn.BatchNorm2d(8, 1e-3)
        self.deep = nn.Conv2d(8, 8, 3, 2, groups=8)
        self.point = nn.Conv2d(8, 16, 1)
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        x = functional.relu(self.norm(self.stem(functional.pad(x, (0, 1, 1, 1)))))
        x = functional.relu(self.point(self.deep(functional.pad(x, (0, 1, 1, 1)))))
        return self.fc(functional.max_pool2d(x, 2).mean((2, 3)))

    @staticmethod
    def of_keras(image: Any) -> Any:
        x = kl.Conv2D(8, 3, 2, use_bias=False, name="stem", **SAME)(image)
        x = kl.ReLU(name="relu")(kl.BatchNormalization(axis=1, name="norm")(x))
        x = kl.DepthwiseConv2D(3, 2, name="deep", **SAME)(x)
        x = kl.Conv2D(16, 1, activation="relu", name="point", **FIRST)(x)
        x = kl.GlobalAveragePooling2D(**FIRST)(kl.MaxPooling2D(2, **FIRST)(x))
        return kl.Dense(10, name="fc")(x)


class UNet(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """Two levels with their skips, a transposed convolution and an upsample."""

    size = (32, 48)

    def __init__(self) -> None:
        super().__init__()
        self.enc1 = nn.Conv2d(3, 8, 3, padding=1)
        self.enc2 = nn.Conv2d(8, 16, 3, padding=1)
        self.middle = nn.Conv2d(16, 32, 3, padding=1)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, 2)
        self.dec2 = nn.Conv2d(32, 16, 3, padding=1)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear")
        self.dec1 = nn.Conv2d(24, 4, 1)

    def forward(self, x: Any) -> Any:
        first = functional.relu(self.enc1(x))
        second = functional.relu(self.enc2(functional.max_pool2d(first, 2)))
        x = functional.relu(self.middle(functional.max_pool2d(second, 2)))
        x = functional.relu(self.dec2(torch.cat([self.up2(x), second], 1)))
        return self.dec1(torch.cat([self.up1(x), first], 1))

    @staticmethod
    def of_keras(image: Any) -> Any:
        first = kl.Conv2D(8, 3, activation="relu", name="enc1", **SAME)(image)
        second = kl.MaxPooling2D(2, **FIRST)(first)
        second = kl.Conv2D(16, 3, activation="relu", name="enc2", **SAME)(second)
        x = kl.MaxPooling2D(2, **FIRST)(second)
        x = kl.Conv2D(32, 3, activation="relu", name="middle", **SAME)(x)
        x = kl.Conv2DTranspose(16, 2, 2, name="up2", **FIRST)(x)
        x = kl.Concatenate(axis=1)([x, second])
        x = kl.Conv2D(16, 3, activation="relu", name="dec2", **SAME)(x)
        x = kl.UpSampling2D(2, interpolation="bilinear", name="up1", **FIRST)(x)
        x = kl.Concatenate(axis=1)([x, first])
        return kl.Conv2D(4, 1, name="dec1", **FIRST)(x)


def save(net: type[Any], folder: Path) -> None:
    """net.keras, the net.onnx that is made of it, and net.pt2."""
    image = keras.Input((3, *net.size))
    model, example = keras.Model(image, net.of_keras(image)), (torch.zeros(1, 3, *net.size),)
    model.save(folder / "net.keras")
    torch.onnx.export(model.eval(), example, folder / "net.onnx", dynamo=False)
    torch.export.save(torch.export.export(net().eval(), example), folder / "net.pt2")


BIASES = {("changed", "name"), ("changed", "bias"), ("changed", "parameters")}
APART = BIASES | {("added", "scale"), ("added", "identity")}
"""Keras exports a bias as an Add, between two Casts."""
PADS = {("added", "pad"), ("changed", "inputs"), ("changed", "padding")}
NORMS = {("removed", "batch_norm")}
LAYOUT = {("added", "transpose")}
"""Keras resizes with the channels last."""


@pytest.mark.parametrize(
    ("net", "expected"),
    [
        (Small, (PADS, APART | PADS | NORMS, APART | NORMS)),
        (UNet, (set(), APART | LAYOUT, APART | LAYOUT)),
    ],
)
def test_a_net_in_three_formats(
    run: Run, folder: Path, net: type[Any], expected: tuple[set[Any], ...]
) -> None:
    """Shapes, windows, costs and receptive fields are the same; PyTorch has no SAME strides."""
    save(net, folder)
    pairs = (("keras", "pt2"), ("keras", "onnx"), ("pt2", "onnx"))
    assert tuple(differing(run, *pair) for pair in pairs) == expected


def differing(run: Run, was: str, now: str) -> set[tuple[str, str]]:
    """(added or removed, a type) and (changed, a fact) of all layers that differ."""
    document = run("diff", f"net.{was}", f"net.{now}", "--format", "json").document
    found = set()
    for one in document["layers"]:
        facts = one["is"] or one["was"]
        names = facts if one["change"] == "changed" else [facts["type"]]
        found |= {(one["change"], name) for name in names}
    assert document["is"]["multiply_adds"] == document["was"]["multiply_adds"]
    return found
