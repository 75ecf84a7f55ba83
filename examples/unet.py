"""Makes unet.pt2 and unet.onnx: one small U-Net, as PyTorch exports it to both formats.

    python3 examples/unet.py

needs the packages torch and onnx.  The weights are those that PyTorch begins with: nothing is
trained.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

HERE = Path(__file__).parent
SHAPE = (1, 3, 64, 64)
"""That of an image like coffee.npy, with the batch in front."""


class UNet(nn.Module):
    """Down to half the size, up again by a transposed convolution, and on beside the skip."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.down = nn.Conv2d(4, 8, 3, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.relu2 = nn.ReLU()
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.mix = nn.Conv2d(8, 4, 3, padding=1)
        self.relu3 = nn.ReLU()
        self.head = nn.Conv2d(4, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        skip = self.relu1(self.stem(image))
        low = self.relu2(self.norm(self.down(skip)))
        joined = torch.cat([self.up(low), skip], 1)
        return self.head(self.relu3(self.mix(joined)))


def network() -> UNet:
    """The network with its weights."""
    torch.manual_seed(0)
    return UNet().eval()


def export(folder: Path) -> None:
    """Write unet.pt2 and unet.onnx into `folder`."""
    image = torch.zeros(()).expand(SHAPE)  # one zero for all, as the .pt2 keeps the example
    program = torch.export.export(network(), (image,))
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # where this file and PyTorch lie on a disk
    torch.export.save(program, folder / "unet.pt2")
    torch.onnx.export(network(), (image,), folder / "unet.onnx", dynamo=False)


if __name__ == "__main__":
    export(HERE)
