"""All that convt writes, on inputs that take no time: files, tables and streams."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convt_cli.commands.main import COMMANDS, group

TARGET = "TARGET"
"""What stands in a command for the file to write."""

NET = """\
name: net
input: [1, 4, 4]
layers:
  - {type: conv, out_channels: 1, kernel_size: 3, weight: w.npy, bias: [100]}
"""
"""One layer whose C is 4 by 16."""

FOLDED = """\
input: [1, 4, 4]
layers:
  - {type: conv, out_channels: 1, kernel_size: 3, padding: 1, padding_mode: reflect,
     weight: {fill: index}}
"""

DEEP = """\
input: [3, 8, 8]
layers:
  - {name: first, type: conv, out_channels: 4, kernel_size: 3, weight: {fill: normal, seed: 1}}
  - {type: relu}
  - {type: max_pool, kernel_size: 2}
  - {name: last, type: conv, out_channels: 5, kernel_size: 2, weight: {fill: normal, seed: 2}}
"""


def write_inputs(folder: Path) -> Path:
    """Write what the commands below read into `folder`, which comes back."""
    for name, content in _inputs().items():
        (folder / name).write_bytes(content)
    return folder


@cache
def _inputs() -> dict[str, bytes]:
    """Name and content of every input."""
    arrays = {
        "w": np.arange(1.0, 10).reshape(1, 1, 3, 3),
        "x": np.arange(16.0).reshape(1, 4, 4),
        "y": np.arange(4.0).reshape(1, 2, 2),
        "made": np.array([[[403.0, 448.0], [583.0, 628.0]]]),  # what the layer of NET makes of x
        "image": np.random.default_rng(0).standard_normal((3, 8, 8)),
    }
    contents = {
        "net.yaml": NET.encode(),
        "folded.yaml": FOLDED.encode(),
        "deep.yaml": DEEP.encode(),
    }
    for name, array in arrays.items():
        stream = BytesIO()
        np.save(stream, array)
        contents[f"{name}.npy"] = stream.getvalue()
    contents["y.csv"] = b"1,2\n3,4\n"
    if find_spec("onnx") is not None:
        contents["m.onnx"] = _model().SerializeToString()
    return contents


def _model() -> Any:
    """An ONNX model of one convolution."""
    onnx = pytest.importorskip("onnx")
    value, floats = onnx.helper.make_tensor_value_info, onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Conv", ["x", "w"], ["y"], "conv1")],
        "net",
        [value("x", floats, ("N", 3, 8, 8))],
        [value("y", floats, None)],
        [onnx.numpy_helper.from_array(np.ones((8, 3, 3, 3), np.float32), "w")],
    )
    opsets = [onnx.helper.make_opsetid("", 17)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


@dataclass(frozen=True, slots=True)
class Output:
    """A command that writes the file `name`, and that alone."""

    command: str
    name: str

    def arguments(self, target: str | Path, *, force: bool = False) -> list[str]:
        """The command's words, for another target."""
        words = [str(target) if word == TARGET else word for word in shlex.split(self.command)]
        return [*words, "--force"] if force else words


NEEDS = {
    "import": pytest.mark.skipif(find_spec("onnx") is None, reason="onnx is not installed"),
    "--sheet": pytest.mark.skipif(
        find_spec("matplotlib") is None, reason="matplotlib is not installed"
    ),
}
"""The word of a command that needs an extra, and when to leave it out."""


def _params(commands: dict[str, Any]) -> list[Any]:
    """Commands by their names, as pytest's parameters."""

    def marks(command: Any) -> list[pytest.MarkDecorator]:
        words = shlex.split(command.command if isinstance(command, Output) else command)
        return [mark for word, mark in NEEDS.items() if word in words]

    return [
        pytest.param(command, id=name, marks=marks(command)) for name, command in commands.items()
    ]


_SIZES = "--input-size 4 --output-size 2 --kernel-size 3 --stride 1 --dilation 1"
_DIAGNOSE = "diagnose net.yaml --layer conv1 --x x.npy --y made.npy"
_FILES = {
    "matrix csr": Output("matrix net.yaml -o TARGET", "C.npz"),
    "matrix csc": Output("matrix net.yaml --sparse-format csc -o TARGET", "C.npz"),
    "matrix coo": Output("matrix net.yaml --sparse-format coo -o TARGET", "C.npz"),
    "matrix bsr": Output("matrix net.yaml --sparse-format bsr -o TARGET", "C.npz"),
    "matrix dia": Output("matrix net.yaml --sparse-format dia -o TARGET", "C.npz"),
    "matrix compressed": Output("matrix net.yaml --compress -o TARGET", "C.npz"),
    "matrix transposed": Output("matrix net.yaml --transpose -o TARGET", "C.npz"),
    "matrix folded": Output("matrix folded.yaml -o TARGET", "C.npz"),
    "matrix mtx": Output("matrix net.yaml -o TARGET", "C.mtx"),
    "matrix folded mtx": Output("matrix folded.yaml -o TARGET", "C.mtx"),
    "apply npy by tiles": Output("apply net.yaml y.npy -o TARGET", "x.out.npy"),
    "apply npy by matrix": Output("apply net.yaml y.npy --method matrix -o TARGET", "x.out.npy"),
    "apply npz": Output("apply net.yaml x.npy --forward --bias -o TARGET", "x.out.npz"),
    "apply csv": Output("apply net.yaml y.csv -o TARGET", "x.out.csv"),
    "apply txt": Output("apply net.yaml y.csv -o TARGET", "x.out.txt"),
    "run npy": Output("run deep.yaml image.npy -o TARGET", "y.out.npy"),
    "run npz": Output("run deep.yaml image.npy --all -o TARGET", "y.out.npz"),
    "invert npy": Output("invert net.yaml y.npy -o TARGET", "x.out.npy"),
    "invert npz": Output("invert net.yaml y.npy -o TARGET", "x.out.npz"),
    "reconstruct": Output("reconstruct deep.yaml image.npy --layer last -o TARGET", "p.npy"),
    "reconstruct sheet": Output(
        "reconstruct deep.yaml image.npy --layer last --sheet TARGET", "p.png"
    ),
    "stimulus": Output("stimulus deep.yaml --layer last --unit 1,1,1 -o TARGET", "s.npy"),
    "import": Output("import m.onnx -o TARGET", "m.yaml"),
    "deps": Output("deps net.yaml -o TARGET", "net.d"),
    "shapes text": Output("shapes net.yaml -o TARGET", "out.txt"),
    "shapes json": Output("shapes net.yaml --format json -o TARGET", "out.json"),
    "shapes mermaid": Output("shapes net.yaml --format mermaid -o TARGET", "out.mmd"),
    "shapes dot": Output("shapes net.yaml --format dot -o TARGET", "out.dot"),
    "check text": Output("check net.yaml -o TARGET", "out.txt"),
    "check json": Output("check net.yaml --format json -o TARGET", "out.json"),
    "table markdown": Output("table -o TARGET --format markdown", "out.md"),
    "compare csv": Output("compare net.yaml --format csv -o TARGET", "out.csv"),
    "diff": Output("diff net.yaml net.yaml -o TARGET", "out.txt"),
    "diff markdown": Output("diff net.yaml net.yaml --format markdown -o TARGET", "out.md"),
    "solve": Output(f"solve {_SIZES} -o TARGET", "out.txt"),
    "analyze": Output("analyze net.yaml -o TARGET", "out.txt"),
    "verify": Output("verify net.yaml -o TARGET", "out.txt"),
    "diagnose": Output(f"{_DIAGNOSE} -o TARGET", "out.txt"),
}

FILES = _params(_FILES)
"""Commands that write a file, in every format there is."""

_FEW = ("matrix csr", "matrix mtx", "apply npy by tiles", "apply npz", "import", "shapes json")
FEW_FILES = _params({name: _FILES[name] for name in _FEW})
"""One of them for every kind of writer."""

_SAID = {
    "shapes": "shapes net.yaml",
    "shapes json": "shapes net.yaml --format json",
    "shapes dot": "shapes net.yaml --format dot",
    "check": "check net.yaml",
    "table": "table",
    "table csv": "table net.yaml --format csv",
    "compare": "compare net.yaml",
    "diff": "diff net.yaml net.yaml",
    "solve": f"solve {_SIZES}",
    "deps": "deps net.yaml",
    "explain": "explain E105",
    "matrix --show": "matrix net.yaml --show",
    "matrix --dry-run": "matrix net.yaml --dry-run",
    "analyze": "analyze net.yaml",
    "verify": "verify net.yaml",
    "diagnose": _DIAGNOSE,
    "import": "import m.onnx -o -",
    "reconstruct": "reconstruct deep.yaml image.npy --layer last",
    "stimulus": "stimulus deep.yaml --layer last --unit 1,1,1",
    "--help": "--help",
    "--version": "--version",
}
_STREAMS = {
    "matrix -o -": "matrix net.yaml -o -",
    "matrix compressed": "matrix net.yaml --compress -o -",
    "apply -o -": "apply net.yaml y.npy -o -",
    "run -o -": "run deep.yaml image.npy -o -",
    "invert -o -": "invert net.yaml y.npy -o -",
    "reconstruct -o -": "reconstruct deep.yaml image.npy --layer last -o -",
    "stimulus -o -": "stimulus deep.yaml --layer last --unit 1,1,1 -o -",
    "sheet -": "reconstruct deep.yaml image.npy --layer last --sheet -",
}

SAID = _params(_SAID)
"""Commands that print text to standard output."""

STREAMS = _params(_STREAMS)
"""Commands that write binary data to standard output."""


def commands_tested() -> set[str]:
    """The commands of which there is an example above."""
    examples = [*_SAID.values(), *_STREAMS.values(), *(one.command for one in _FILES.values())]
    return {words.split()[0] for words in examples} & set(COMMANDS)


def commands_that_write() -> set[str]:
    """The commands with an option for a file to write."""
    return {name for name in COMMANDS if "output" in _options(name)}


def _options(name: str) -> set[str | None]:
    command = group.commands.get(name) or group.get_command(None, name)  # type: ignore[arg-type]
    assert command is not None
    return {parameter.name for parameter in command.params}
