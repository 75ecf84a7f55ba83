"""Networks run forward against PyTorch and ONNX Runtime: every layer type, and whole networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli import load_spec
from convt_cli.errors import RequestError
from tests.conftest import WriteSpec

torch = pytest.importorskip("torch")
nn: Any = torch.nn

from tests.peers.nets import NETS  # noqa: E402  # they need torch

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),  # PyTorch's words about its own export
]

IMAGE = (8, 10, 12)
LAYERS = {
    "max_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true": (
        "nn.MaxPool2d(3, 2, 1, ceil_mode=True)"
    ),
    "max_pool, kernel_size: 2, stride: 1, dilation: 2": "nn.MaxPool2d(2, 1, dilation=2)",
    "avg_pool, kernel_size: 3, stride: 2, padding: 1, ceil_mode: true": (
        "nn.AvgPool2d(3, 2, 1, ceil_mode=True)"
    ),
    "avg_pool, kernel_size: 3, padding: 1, count_include_pad: false": (
        "nn.AvgPool2d(3, padding=1, count_include_pad=False)"
    ),
    "adaptive_avg_pool, output_size: [3, 5]": "nn.AdaptiveAvgPool2d((3, 5))",
    "adaptive_max_pool, output_size: 4": "nn.AdaptiveMaxPool2d(4)",
    "global_avg_pool": "nn.AdaptiveAvgPool2d(1)",
    "global_max_pool": "nn.AdaptiveMaxPool2d(1)",
    "pixel_shuffle, factor: 2": "nn.PixelShuffle(2)",
    "pixel_unshuffle, factor: 2": "nn.PixelUnshuffle(2)",
    "flatten": "nn.Flatten()",
    "reshape, shape: [4, 20, 12]": "lambda x: x.reshape(2, 4, 20, 12)",
    "transpose, axes: [2, 0, 1]": "lambda x: x.permute(0, 3, 1, 2)",
    "slice, axis: 1, begin: 1, end: -1, step: 3": "lambda x: x[:, :, 1:-1:3]",
    "crop, padding: [[1, 2], [0, 3]]": "lambda x: x[:, :, 1:-2, :-3]",
    "pad, padding: [[1, 2], [0, 3]]": "nn.ZeroPad2d((0, 3, 1, 2))",
    "pad, padding: 2, mode: reflect": "nn.ReflectionPad2d(2)",
    "pad, padding: [[2, 1], [1, 0]], mode: replicate": "nn.ReplicationPad2d((1, 0, 2, 1))",
    "pad, padding: 1, mode: circular": "nn.CircularPad2d(1)",
    "relu": "nn.ReLU()",
    "leaky_relu, alpha: 0.2": "nn.LeakyReLU(0.2)",
    "leaky_relu": "nn.LeakyReLU()",
    "prelu": "nn.PReLU()",
    "clip, minimum: -0.5, maximum: 0.25": "nn.Hardtanh(-0.5, 0.25)",
    "elu, alpha: 2": "nn.ELU(2.0)",
    "elu": "nn.ELU()",
    "gelu": "nn.GELU()",
    "gelu, approximate: tanh": "nn.GELU('tanh')",
    "silu": "nn.SiLU()",
    "mish": "nn.Mish()",
    "softplus": "nn.Softplus()",
    "selu": "nn.SELU()",
    "sigmoid": "nn.Sigmoid()",
    "hard_sigmoid": "nn.Hardsigmoid()",
    "hard_swish": "nn.Hardswish()",
    "tanh": "nn.Tanh()",
    "softmax, axis: 0": "nn.Softmax(1)",
    "log_softmax": "nn.LogSoftmax(1)",
    **{
        f"function, function: {name}": f"lambda x: x.{name}()"
        for name in ("abs", "sign", "floor", "ceil", "round", "exp", "erf", "sin", "cos", "atan")
    },
    "power, exponent: -3": "lambda x: x**-3",
    "lrn, size: 3, k: 2, alpha: 0.5, beta: 0.7": "nn.LocalResponseNorm(3, 0.5, 0.7, 2.0)",
    "batch_norm, running_mean: {fill: ones}, running_var: {fill: ones}": (
        "lambda x: (x - 1) / (1 + 1e-5) ** 0.5"
    ),
    "instance_norm": "nn.InstanceNorm2d(8)",
    "group_norm, num_groups: 4": "nn.GroupNorm(4, 8)",
    "layer_norm, normalized_axes: [1, 2]": "nn.LayerNorm((10, 12))",
    "dropout": "nn.Dropout()",
    "identity": "nn.Identity()",
    **{
        f"upsample, {key}: {size}, mode: {mode}": f"nn.Upsample({own}={size}, mode='{mode}')"
        for mode in ("nearest", "bilinear", "bicubic", "area")
        for own, key, size in (
            ("scale_factor", "scale_factor", "2"),
            ("scale_factor", "scale_factor", "1.5"),
            ("size", "output_size", "[7, 19]"),
            ("size", "output_size", "[3, 25]"),
        )
    },
}
"""The keys of a layer after its type, and the same in PyTorch."""

NOT_RUN = ("upsample corners", "upsample exact", "functions that are broken")
"""Networks whose numbers no layer type has, which `run` refuses."""


def normal(*shape: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(5).standard_normal(shape)


@pytest.mark.parametrize("keys", LAYERS)
def test_a_layer(spec: WriteSpec, keys: str) -> None:
    x = normal(2, *IMAGE)
    function = eval(LAYERS[keys], {"nn": nn})
    if isinstance(function, nn.Module):
        function = function.eval().double()
    expected = function(torch.tensor(x)).detach().numpy()
    path = spec(f"input: {list(IMAGE)}\nlayers: [{{type: {keys}}}]")
    found = load_spec(path).run(x)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", NETS)
def test_a_network_of_pytorch(folder: Path, name: str) -> None:
    make, shape = NETS[name]
    module, x = make().double().eval(), torch.randn(shape).double()
    torch.export.save(torch.export.export(module, (x,)), "net.pt2")
    if name in NOT_RUN:
        with pytest.raises(RequestError) as caught:
            load_spec("net.pt2").run(x.numpy())
        assert caught.value.code == "E507"
        return
    with torch.no_grad():
        expected = module(x).numpy()
    found = load_spec("net.pt2").run(x.numpy())
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-9 * (1 + abs(expected).max()))


@pytest.mark.parametrize(
    ("pool", "more"),
    [("2", ""), ("3, stride: 2", ", output_size: source"), ("2, stride: 2", ", output_size: 7")],
)
def test_a_max_unpool(spec: WriteSpec, pool: str, more: str) -> None:
    sizes = [6, 8] if not more else [7, 7]
    path = spec(
        f"""
        input: [3, {sizes[0]}, {sizes[1]}]
        layers:
          - {{name: p, type: max_pool, kernel_size: {pool}}}
          - {{type: scale, weight: [1, 2, 3]}}
          - {{type: max_unpool, pool: p{more}}}
        """
    )
    x = torch.tensor(normal(2, 3, *sizes))
    window = (3, 2) if pool.startswith("3") else (2, 2)
    y, indices = nn.functional.max_pool2d(x, *window, return_indices=True)
    scaled = y * torch.tensor([1.0, 2, 3]).reshape(3, 1, 1)
    expected = nn.functional.max_unpool2d(scaled, indices, *window, output_size=sizes)
    np.testing.assert_array_equal(load_spec(path).run(x.numpy()), expected.numpy())


class TestOnnx:
    @pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
    @pytest.mark.parametrize("sizes", [[1, 4, 9, 13], [1, 4, 3, 11]])
    def test_a_model_of_onnx(self, folder: Path, mode: str, sizes: list[int]) -> None:
        onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
        make, rng = onnx.helper, np.random.default_rng(1)
        arrays = {
            "w": rng.standard_normal((4, 3, 3, 3)),
            "b": rng.standard_normal(4),
        }
        attributes = (
            {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            if mode == "nearest"
            else {"coordinate_transformation_mode": "half_pixel"}
        )
        nodes = [
            make.make_node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
            make.make_node("Relu", ["c"], ["r"], "relu"),
            make.make_node("Resize", ["r", "", "", "sizes"], ["s"], "up", mode=mode, **attributes),
            make.make_node("MaxPool", ["s"], ["y"], "pool", kernel_shape=[2, 2], ceil_mode=1),
        ]
        value, floats = make.make_tensor_value_info, onnx.TensorProto.FLOAT
        initializers = [
            onnx.numpy_helper.from_array(one.astype(np.float32), name)
            for name, one in arrays.items()
        ]
        initializers.append(onnx.numpy_helper.from_array(np.array(sizes, np.int64), "sizes"))
        graph = make.make_graph(
            nodes,
            "net",
            [value("x", floats, (1, 3, 6, 7))],
            [value("y", floats, None)],
            initializers,
        )
        opsets = [make.make_opsetid("", 18)]
        model = make.make_model(graph, opset_imports=opsets, ir_version=9)
        Path("m.onnx").write_bytes(model.SerializeToString())
        x = normal(1, 3, 6, 7).astype(np.float32)
        session = runtime.InferenceSession("m.onnx", providers=["CPUExecutionProvider"])
        (expected,) = session.run(None, {"x": x})
        found = load_spec("m.onnx").run(x)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
