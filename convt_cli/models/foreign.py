"""Files that are neither a spec nor a model that convt reads: each refused by what it is.

A file of torch.save is known by its name and not opened, because loading one can run any code.
Others are told by their first bytes, so that nobody looks for a mistake in a text that is none.
"""

from __future__ import annotations

import os
from shlex import quote

from convt_cli.errors import FileError, shown
from convt_cli.io.reading import STDIN, head_of
from convt_cli.io.stand_ins import require_no_stand_in
from convt_cli.models.formats import FORMATS

_TORCH = (".pt", ".pth", ".ckpt")
"""Suffixes of files that torch.save writes."""

_SHARED, _TORCH_HEADS = ".bin", (b"PK\3\4", b"\x80")
"""A suffix of theirs that other programs use too, and how those of torch.save begin."""

_ARRAYS = (".safetensors", ".npz", ".npy")
"""Suffixes of files that hold numbers, and no network."""

_ARRAY_HEADS = (b"\x93NUMPY", b"PK\3\4")
"""How a file of arrays can begin; one of safetensors has a zero byte among its first eight."""

_HEADS = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"PK\3\4": "a zip file",
    b"\x1f\x8b": "a gzip file",
    b"GGUF": "a GGUF file",
    b"\x80": "a file of Python objects",
}
"""What a file is that begins with these bytes, with none of which a text begins."""

_OF_A_MODULE = (
    "import torch; "
    'net = torch.load({source}, map_location="cpu", weights_only=False).eval(); '
    "torch.export.save(torch.export.export(net, (torch.zeros(1, 3, 224, 224),)), {target})"
)
_OF_A_STATE_DICT = (
    "import torch; from safetensors.torch import save_file; "
    'kept = torch.load({source}, map_location="cpu", weights_only=True); '
    'kept = kept.get("state_dict", kept); '
    "save_file({{key: one.contiguous().clone() for key, one in kept.items()}}, {target})"
)
"""Python that turns a file of torch.save into one that convt reads."""


def require_spec(path: str) -> None:
    """Raise FileError (E401) if the file `path`, which is no model, cannot be a spec either."""
    if path == STDIN:
        return
    require_no_torch(path)
    require_no_stand_in(path)
    suffix, head = os.path.splitext(path)[1].lower(), head_of(path)
    if suffix in _ARRAYS and (b"\0" in head or head.startswith(_ARRAY_HEADS)):
        raise FileError(
            "E401",
            "a file of arrays holds no network",
            value=f"got {shown(path)}",
            help="write the layers as a spec, in which weights name the file's arrays",
        )
    what = next((what for begin, what in _HEADS.items() if head.startswith(begin)), None)
    if what is not None:
        raise FileError(
            "E401",
            "a network is a YAML file, or a model that is named by its format",
            value=f"{shown(path)} is {what}",
            help=f"models are {', '.join(FORMATS)}: export one, or give the file its suffix",
        )


def require_no_torch(path: str) -> None:
    """Raise FileError (E401) for a file of torch.save, with the lines that turn it into another."""
    if not (os.path.lexists(path) and _is_torch(path)):
        return
    require_no_stand_in(path)
    stem = os.path.splitext(path)[0]
    raise FileError(
        "E401",
        "convt does not open files of torch.save, because loading one can run any code",
        value=f"got {shown(path)}",
        help="where PyTorch is installed, the first line makes a .pt2 of a module that was saved "
        "whole, for an input of 1, 3, 224, 224: run it if you trust the file; the second, with the "
        "package safetensors, makes a .safetensors of a state_dict, whose tensors a spec can name "
        "as weights",
        pasted=(
            _line(_OF_A_MODULE, path, f"{stem}.pt2"),
            _line(_OF_A_STATE_DICT, path, f"{stem}.safetensors"),
        ),
    )


def _is_torch(path: str) -> bool:
    suffix = os.path.splitext(path)[1].lower()
    return suffix in _TORCH or (suffix == _SHARED and head_of(path).startswith(_TORCH_HEADS))


def _line(code: str, source: str, target: str) -> str:
    """A line for a shell that runs Python `code` on two files."""
    names = {"source": _literal(source), "target": _literal(target)}
    return f"python3 -c {quote(code.format(**names))}"


def _literal(text: str) -> str:
    """`text` as Python writes it, in double quotes where it can be, as a shell line has single."""
    is_plain = text.isprintable() and not set(text) & set("\"'\\")
    return f'"{text}"' if is_plain else ascii(text)
