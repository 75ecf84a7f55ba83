"""Small PyTorch networks: one for each operator that a `.pt2` file can hold, and whole ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

Net = tuple[Callable[[], Any], tuple[int, ...]]
"""(a function that makes the module, the shape of its input with the batch)."""


class Calls(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """A module that is one function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class Block(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """The basic block of a ResNet."""

    def __init__(self, inner: int, outer: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outer)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.downsample = (
            nn.Sequential(nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer))
            if stride > 1 or inner != outer
            else None
        )

    def forward(self, x: Any) -> Any:
        identity = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += identity
        return self.relu(out)


class Unpooled(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """A pool whose places an unpooling reads, behind another layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.pool = nn.MaxPool2d(2, return_indices=True)
        self.unpool = nn.MaxUnpool2d(2)

    def forward(self, x: Any) -> Any:
        features = self.conv(x)
        pooled, places = self.pool(features)
        return self.unpool(functional.relu(pooled), places, output_size=features.shape)


class ResNet(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """A stem, two blocks and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Block(8, 8, 1), Block(8, 16, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layer1(x)), 1))


class UNet(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """Two levels, a transposed convolution and an upsample on the way up."""

    def __init__(self) -> None:
        super().__init__()
        self.enc1 = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.enc2 = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU())
        self.middle = nn.Conv2d(16, 32, 3, padding="same", dilation=2)
        self.up2 = nn.ConvTranspose2d(32, 16, 2, stride=2)
        self.dec2 = nn.Conv2d(32, 16, 3, padding=1)
        self.up1 = nn.Upsample(scale_factor=2, mode="bilinear")
        self.dec1 = nn.Conv2d(24, 4, 1)

    def forward(self, x: Any) -> Any:
        first = self.enc1(x)
        second = self.enc2(functional.max_pool2d(first, 2))
        up = self.up2(functional.relu(self.middle(functional.max_pool2d(second, 2))))
        up = functional.relu(self.dec2(torch.cat([up, second], 1)))
        return self.dec1(torch.cat([self.up1(up), first], 1))


class Inverted(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """An inverted residual with squeeze and excitation, as in MobileNetV3."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = nn.Conv2d(8, 24, 1, bias=False)
        self.depthwise = nn.Conv2d(24, 24, 3, padding=1, groups=24, bias=False)
        self.norm = nn.BatchNorm2d(24)
        self.act = nn.Hardswish()
        self.squeeze = nn.Conv2d(24, 6, 1)
        self.excite = nn.Conv2d(6, 24, 1)
        self.project = nn.Conv2d(24, 8, 1, bias=False)

    def forward(self, x: Any) -> Any:
        y = self.act(self.norm(self.depthwise(self.expand(x))))
        scale = functional.hardsigmoid(
            self.excite(functional.relu(self.squeeze(functional.adaptive_avg_pool2d(y, 1))))
        )
        return x + self.project(y * scale)


class ShuffleUnit(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """Channels shuffled by a reshape, a transpose and a reshape."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 1, groups=2)

    def forward(self, x: Any) -> Any:
        y = self.conv(x)
        batch, channels, height, width = y.shape
        y = y.view(batch, 2, channels // 2, height, width).transpose(1, 2).contiguous()
        return y.view(batch, channels, height, width)


class Trained(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """Norms and slopes with numbers that are not those of a new module."""

    def __init__(self, *layers: Any) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)
        for name, one in (*self.named_parameters(), *self.named_buffers()):
            if one.is_floating_point():
                low = 0.5 if "var" in name else -1.0
                one.data = torch.rand_like(one) * (2 - low) + low

    def forward(self, x: Any) -> Any:
        return self.body(x)


class Fixed(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """Buffers and parameters: a mean, a deviation, one number, and those of the last axis."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.randn(4, 1, 1))
        self.register_buffer("factor", torch.randn(1, 4, 1, 1))
        self.register_buffer("number", torch.tensor(0.3))
        self.gain = nn.Parameter(torch.randn(1))
        self.gamma = nn.Parameter(torch.randn(10))

    def forward(self, x: Any) -> Any:
        y = (x - self.mean) * self.factor + self.number
        return self.gain * (self.mean - y) * self.gamma


class Products(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """Products with matrices that are stored one way and the other."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(10, 6))
        self.second = nn.Parameter(torch.randn(5, 6))
        self.bias = nn.Parameter(torch.randn(7))
        self.third = nn.Parameter(torch.randn(4 * 12 * 5, 7))

    def forward(self, x: Any) -> Any:
        y = torch.matmul(torch.matmul(x, self.first), self.second.t()).flatten(1)
        return torch.addmm(self.bias, y, self.third)


class Scaled(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """A learned scale per channel, a buffer of means, and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.randn(4, 1, 1))
        self.beta = nn.Parameter(torch.randn(1, 4, 1, 1))

    def forward(self, x: Any) -> Any:
        return (self.gamma * x + self.beta) * 2 - 1 + (3 - x) / 4


class Chained(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """Products with a matrix, as it is and the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(5, 8))
        self.second = nn.Parameter(torch.randn(6, 5))
        self.third = nn.Parameter(torch.randn(3, 6))
        self.shift = nn.Parameter(torch.randn(5))

    def forward(self, x: Any) -> Any:
        y = torch.addmm(self.shift, x, self.first.t())
        return torch.mm(torch.matmul(y, self.second.transpose(0, 1)), self.third.permute(1, 0))


class Stored(nn.Module):  # type: ignore[misc]  # PyTorch is skipped
    """A product with a matrix that is stored as (in, out)."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.randn(8, 5))

    def forward(self, x: Any) -> Any:
        return x @ self.matrix


def _shared() -> Any:
    module = nn.Sequential(nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3))
    module[1].weight = module[0].weight
    return module


def _parts() -> Any:
    """Weights that are parts of another tensor."""
    module = nn.Sequential(nn.Conv2d(4, 6, 3), nn.Conv2d(6, 4, 3))
    stored = torch.randn(500)
    module[0].weight = nn.Parameter(stored[100:316].view(6, 4, 3, 3))
    module[1].weight = nn.Parameter(stored[7:439:2].view(4, 6, 3, 3))
    return module


def _typed(change: Callable[[Any], Any]) -> Callable[[], Any]:
    return lambda: change(nn.Sequential(nn.Conv2d(4, 6, 3), nn.ConvTranspose2d(6, 4, (2, 3))))


def _seq(*layers: Any) -> Callable[[], Any]:
    return lambda: nn.Sequential(*layers)


IMAGE = (2, 4, 12, 10)
WAVE = (2, 4, 20)
VOLUME = (1, 4, 6, 8, 7)

LAYERS: dict[str, Net] = {
    "trained": (
        lambda: Trained(
            *(nn.BatchNorm2d(4, 1e-3), nn.BatchNorm2d(4, affine=False), nn.PReLU(), nn.PReLU(4)),
            *(nn.BatchNorm2d(4), nn.GroupNorm(2, 4, 0.1), nn.LayerNorm((12, 10)), nn.ELU(0.3)),
            *(nn.InstanceNorm2d(4, 0.2, affine=True), nn.LayerNorm(10, bias=False), nn.CELU(0.7)),
            *(nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.Linear(10, 3)),
        ), IMAGE,
    ),
    "conv1d": (_seq(nn.Conv1d(4, 6, 5, 2, 3, 2)), WAVE),
    "conv2d": (_seq(nn.Conv2d(4, 6, (3, 5), (2, 1), (1, 0), groups=2)), IMAGE),
    "conv3d": (_seq(nn.Conv3d(4, 2, 3, padding=1, bias=False)), VOLUME),
    "conv same": (_seq(nn.Conv2d(4, 6, 4, padding="same", dilation=(2, 1))), IMAGE),
    "conv valid": (_seq(nn.Conv2d(4, 6, 3, padding="valid")), IMAGE),
    "conv reflect": (_seq(nn.Conv2d(4, 6, 3, padding=1, padding_mode="reflect")), IMAGE),
    "conv circular": (_seq(nn.Conv1d(4, 6, 3, padding=1, padding_mode="circular")), WAVE),
    "conv_transpose1d": (_seq(nn.ConvTranspose1d(4, 6, 4, 3, 1, 2)), WAVE),
    "conv_transpose2d": (_seq(nn.ConvTranspose2d(4, 6, 3, 2, 1, 1, 2, False, (2, 1))), IMAGE),
    "conv_transpose3d": (_seq(nn.ConvTranspose3d(4, 2, 2, 2)), VOLUME),
    "batch_norm": (_seq(nn.BatchNorm2d(4), nn.BatchNorm2d(4, affine=False)), IMAGE),
    "instance_norm": (_seq(nn.InstanceNorm2d(4), nn.InstanceNorm2d(4, affine=True)), IMAGE),
    "group_norm": (_seq(nn.GroupNorm(2, 4), nn.GroupNorm(1, 4, affine=False)), IMAGE),
    "layer_norm": (_seq(nn.LayerNorm((4, 12, 10)), nn.LayerNorm(10)), IMAGE),
    "max_pool1d": (_seq(nn.MaxPool1d(3, 2, 1)), WAVE),
    "max_pool2d": (
        _seq(nn.MaxPool2d((3, 2), ceil_mode=True), nn.MaxPool2d(2, 1, dilation=2)), IMAGE,
    ),
    "max_pool3d": (_seq(nn.MaxPool3d(2)), VOLUME),
    "avg_pool1d": (_seq(nn.AvgPool1d(3, padding=1, count_include_pad=False)), WAVE),
    "avg_pool2d": (_seq(nn.AvgPool2d(3, 2, 1, ceil_mode=True)), IMAGE),
    "avg_pool3d": (_seq(nn.AvgPool3d(2, 1)), VOLUME),
    "adaptive_avg_pool1d": (_seq(nn.AdaptiveAvgPool1d(5)), WAVE),
    "adaptive_avg_pool2d": (_seq(nn.AdaptiveAvgPool2d((None, 3))), IMAGE),
    "adaptive_avg_pool3d": (_seq(nn.AdaptiveAvgPool3d(2)), VOLUME),
    "adaptive_max_pool2d": (_seq(nn.AdaptiveMaxPool2d(4)), IMAGE),
    "adaptive_max_pool1d": (_seq(nn.AdaptiveMaxPool1d(1)), WAVE),
    "linear": (_seq(nn.Flatten(), nn.Linear(480, 7), nn.Linear(7, 3, bias=False)), IMAGE),
    "linear on an axis": (_seq(nn.Linear(20, 3)), WAVE),
    "unflatten": (_seq(nn.Flatten(), nn.Unflatten(1, (4, 10, 12))), IMAGE),
    "activations": (
        _seq(
            *(nn.ReLU(), nn.ReLU6(), nn.LeakyReLU(), nn.ELU(), nn.GELU(), nn.SiLU(), nn.Sigmoid()),
            *(nn.Tanh(), nn.Hardswish(), nn.Hardsigmoid(), nn.Mish(), nn.Softplus(), nn.SELU()),
            *(nn.PReLU(), nn.PReLU(4), nn.Hardtanh(0, 6), nn.Softmax(1), nn.Dropout(), nn.CELU()),
            *(nn.Dropout2d(), nn.Identity(), nn.GELU("tanh"), nn.LeakyReLU(0.2), nn.Hardtanh()),
            *(nn.LogSigmoid(), nn.Softplus(2, 40), nn.Tanhshrink(), nn.RReLU(0.1), nn.Softmin(1)),
        ),
        IMAGE,
    ),
    "functions of one number": (
        _seq(nn.LogSoftmax(1), nn.Softsign(), nn.LocalResponseNorm(3, 0.1), nn.LogSoftmax(-1)),
        IMAGE,
    ),
    "functions that are broken": (_seq(nn.Softplus(1, 3), nn.Threshold(0, 1)), IMAGE),
    "softmax": (_seq(nn.Softmax(-1), nn.Softmax2d(), nn.Softmax(2)), IMAGE),
    "linear of an axis": (_seq(nn.Linear(10, 3), nn.LayerNorm(3), nn.Linear(3, 5, False)), IMAGE),
    "avg_pool divisor": (_seq(nn.AvgPool2d(3, 2, 1, divisor_override=5)), IMAGE),
    "upsample nearest": (_seq(nn.Upsample(scale_factor=2), nn.Upsample(size=(9, 31))), IMAGE),
    "upsample fraction": (_seq(nn.Upsample(scale_factor=1.15, mode="bilinear")), (1, 4, 100, 20)),
    "upsample linear": (_seq(nn.Upsample(scale_factor=(1.5,), mode="linear")), WAVE),
    "upsample bicubic": (_seq(nn.Upsample(scale_factor=(2, 3), mode="bicubic")), IMAGE),
    "upsample trilinear": (_seq(nn.Upsample(size=(3, 5, 4), mode="trilinear")), VOLUME),
    "upsample corners": (
        _seq(nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)), IMAGE,
    ),
    "upsample exact": (_seq(nn.Upsample(scale_factor=1.5, mode="nearest-exact")), IMAGE),
    "upsample exact by whole factors": (
        _seq(nn.Upsample(scale_factor=(2, 3), mode="nearest-exact")), IMAGE,
    ),
    "pixel_shuffle": (_seq(nn.PixelShuffle(2), nn.PixelUnshuffle(2)), IMAGE),
    "channel_shuffle": (_seq(nn.ChannelShuffle(2)), IMAGE),
    "pads": (
        _seq(nn.ZeroPad2d((1, 2, 0, 3)), nn.ReflectionPad2d(1), nn.ReplicationPad2d((2, 0, 1, 0)),
             nn.ConstantPad2d((-1, 2, 0, 1), 1.5), nn.CircularPad2d(1)), IMAGE,
    ),
}  # fmt: skip
"""Modules of torch.nn."""

FUNCTIONS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "add and mul": (lambda x: x * x + x, IMAGE),
    "numbers": (lambda x: (2 - x) * 0.5 + 1 - 3, IMAGE),
    "sub": (lambda x: x - torch.sigmoid(x), IMAGE),
    "add alpha": (lambda x: torch.add(x, x.relu(), alpha=2), IMAGE),
    "broadcast": (lambda x: x * x.mean((2, 3), keepdim=True), IMAGE),
    "mean": (lambda x: x.mean((-1, -2)), IMAGE),
    "amax": (lambda x: x.amax((2, 3)), IMAGE),
    "cat": (lambda x: torch.cat([x, x.relu()], 2), IMAGE),
    "view": (lambda x: x.view(2, 4, 120).view(2, -1), IMAGE),
    "reshape": (lambda x: x.reshape(2, 8, 6, 10), IMAGE),
    "permute": (lambda x: x.permute(0, 2, 3, 1).transpose(1, 3), IMAGE),
    "flatten": (lambda x: x.flatten(2), IMAGE),
    "squeeze": (lambda x: x.mean((2, 3), keepdim=True).squeeze(-1).unsqueeze(2), IMAGE),
    "slice": (lambda x: x[:, :, 1:-2, ::3], IMAGE),
    "narrow": (lambda x: x.narrow(3, 2, 5), IMAGE),
    "pad": (lambda x: functional.pad(x, (1, 0, 2, 1)), IMAGE),
    "clamp": (lambda x: x.clamp(0, 6).clamp(min=0.5), IMAGE),
    "clamp to infinity": (lambda x: x.clamp(float("-inf"), 0.5), IMAGE),
    "clone": (lambda x: x.clone().contiguous().detach().relu(), IMAGE),
    "in place": (lambda x: x.relu().add_(x).mul_(2), IMAGE),
    "max_pool indices": (lambda x: functional.max_pool2d(x, 2, return_indices=True)[0], IMAGE),
    "softmax": (lambda x: functional.softmax(x.flatten(1), -1), IMAGE),
    "scalar tensor": (lambda x: x * torch.tensor(0.5), IMAGE),
    "sub alpha": (lambda x: torch.sub(x, 3, alpha=2), IMAGE),
    "power": (lambda x: x**2 / (x * x + 1) + 2 / (x.abs() + 1) ** 1.5, IMAGE),
    "functions of numbers": (
        lambda x: (
            x.abs().sqrt()
            + x.sign() * x.sin().exp()
            + x.floor()
            - x.ceil()
            + x.round()
            - (x.abs() + 1).rsqrt() * x.cos()
            + (x.square() + 2).log()
            + (x * x + 1).reciprocal()
        ),
        IMAGE,
    ),
    "other functions": (
        lambda x: x.erf() + x.atan() - (x.abs() + 1).log2() * (x.abs() + 3).log10() + x.exp2(),
        IMAGE,
    ),
    "relu6": (lambda x: functional.relu6(x) + functional.hardtanh(x), IMAGE),
    "unflatten": (lambda x: x.flatten(1).unflatten(1, (4, -1)).swapaxes(1, 2), IMAGE),
    "divisor": (lambda x: functional.avg_pool2d(x, 2, divisor_override=3), IMAGE),
    "crop": (lambda x: functional.pad(x, (-1, 0, 0, -2)), IMAGE),
    "nothing": (lambda x: functional.pad(torch.cat([x], 1), (0, 0)).permute(0, 1, 2, 3), IMAGE),
    "shuffled": (lambda x: functional.channel_shuffle(x, 2), IMAGE),
    "sizes": (lambda x: x.reshape(2, 4, x.shape[2] * x.shape[3]), IMAGE),
    "means": (lambda x: x - torch.tensor([1.0, 2, 3, 4]).view(4, 1, 1), IMAGE),
    "chunk": (lambda x: torch.mul(*x.chunk(2, 1)), IMAGE),
    "glu": (lambda x: functional.glu(x, 1), IMAGE),
    "split": (lambda x: torch.cat(x.split(5, 2)[::-1], 2), IMAGE),
    "split sizes": (lambda x: x.split([1, 3], 1)[1].relu(), IMAGE),
    "parts": (lambda x: x[:, 1:3] + x[:, ::2] + x.narrow(1, 2, 2) + x[:, -3:-1], IMAGE),
    "select": (lambda x: x[:, 1] * x[:, -1] + x.select(1, 2), IMAGE),
    "unbind": (lambda x: torch.stack(x.unbind(1)[1:], 3), IMAGE),
    "flip and roll": (lambda x: x.flip(1, 3).roll((2, -3), (1, 2)), IMAGE),
    "pads of all kinds": (
        lambda x: functional.pad(
            functional.pad(functional.pad(x, (1, -2, 0, 3, 2, 1)), (2, 1, 0, 1), "circular"),
            (1, 1, -1, 2),
            value=-3.5,
        ),
        IMAGE,
    ),
    "padded steps": (lambda x: functional.pad(x[:, :, ::2], (0, 0, 0, 0, 4, 4)), IMAGE),
    "expand": (lambda x: x + x.mean((2, 3), keepdim=True).expand(-1, -1, 12, 10), IMAGE),
    "reductions": (
        lambda x: x.mean(1, keepdim=True) + x.sum(2, keepdim=True) * x.amax(-1, True),
        IMAGE,
    ),
    "tokens": (lambda x: x.flatten(2).transpose(1, 2).mean(1), IMAGE),
    "rsub and alpha": (
        lambda x: torch.rsub(x.relu(), x, alpha=3) - torch.rsub(x, 2, alpha=0.5),
        IMAGE,
    ),
    "powers": (lambda x: x**2 + x.pow(3) - x.square() + (-x), IMAGE),
    "clamps": (lambda x: x.clamp(min=-0.5).clamp_max(0.7) + x.clamp(-1, 1), IMAGE),
}
"""Functions of tensors."""

WHOLE: dict[str, Net] = {
    "resnet": (ResNet, (1, 3, 32, 32)),
    "unpooled": (Unpooled, (1, 3, 11, 10)),
    "unet": (UNet, (2, 3, 16, 24)),
    "inverted": (Inverted, (1, 8, 9, 9)),
    "shuffle": (ShuffleUnit, (3, 8, 5, 5)),
    "scaled": (Scaled, IMAGE),
    "chained": (Chained, (2, 8)),
    "stored": (Stored, (2, 8)),
    "fixed": (Fixed, IMAGE),
    "products": (Products, IMAGE),
}
"""Whole networks."""

STORED: dict[str, Net] = {
    "channels_last": (_typed(lambda one: one.to(memory_format=torch.channels_last)), IMAGE),
    "bfloat16": (_typed(lambda one: one.to(torch.bfloat16)), IMAGE),
    "float16": (_typed(lambda one: one.half()), IMAGE),
    "float64": (_typed(lambda one: one.double()), IMAGE),
    "one weight for two": (_shared, IMAGE),
    "parts of a tensor": (_parts, IMAGE),
}
"""Weights of other types, and in other places."""

NETS: dict[str, Net] = {
    **LAYERS,
    **{
        f"function: {name}": (lambda function=function: Calls(function), shape)  # type: ignore[misc]
        for name, (function, shape) in FUNCTIONS.items()
    },
    **WHOLE,
    **STORED,
}
