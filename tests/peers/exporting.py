"""Networks exported by PyTorch to `.pt2` files, and what their modules say of them.

    python -m tests.peers.exporting

writes tests/data/models.jsonl.gz anew; `tests.models.pt2.records` says what a record holds.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tests.models.pt2.records import PATH, digest_of, example_of, sampled
from tests.peers.cases import numbers
from tests.peers.nets import IMAGE, NETS, Calls, Net
from tests.records import Record, write

ROOT = Path(__file__).parents[2]

DECOMPOSED = (
    *("resnet", "unet", "inverted", "conv_transpose1d", "group_norm", "instance_norm", "chained"),
    *("upsample nearest", "pads", "adaptive_avg_pool2d", "function: softmax", "shuffle"),
    *("linear of an axis", "linear on an axis", "functions of one number"),
)
"""The networks that are recorded a second time, in the operators of `run_decompositions`."""

OPEN: dict[str, tuple[tuple[int, ...], dict[int, Any]]] = {
    "resnet": (
        (2, 3, 48, 32),
        {0: torch.export.Dim("b"), 2: torch.export.Dim("h", min=33, max=200)},
    ),
    "shuffle": ((3, 8, 5, 5), {2: torch.export.Dim("h", min=2, max=64)}),
    "function: sizes": (IMAGE, {2: torch.export.Dim("h", min=2, max=64)}),
}
"""Networks exported with open sizes: the shape of the example, and the sizes by their axis."""


def _einsum(x: Any) -> Any:
    return torch.einsum("nchw,nchv->nhwv", x, x).sum() + torch.linalg.norm(x)


def _changed(x: Any) -> Any:
    y = x.relu()
    part = y[:, :, 1:]
    y.mul_(2)
    return part.sigmoid()


def _scaled_product(x: Any) -> Any:
    return torch.addmm(torch.ones(3), x, torch.ones(8, 3), alpha=2)


def _joined(x: Any) -> Any:
    return torch.cat([x, torch.ones(2, 4, 1, 10)], 2)


REFUSED: dict[str, Net] = {
    "operators": (lambda: Calls(_einsum), IMAGE),
    "changed in place": (lambda: Calls(_changed), IMAGE),
    "a part": (lambda: nn.Sequential(nn.Conv2d(4, 6, 3), Calls(lambda x: x.sort(1)[0])), IMAGE),
    "the batch joined": (lambda: Calls(lambda x: torch.cat([x, x])), IMAGE),
    "a constant joined": (lambda: Calls(_joined), IMAGE),
    "the batch flattened": (lambda: Calls(lambda x: x.flatten(0, 1)), IMAGE),
    "a scaled product": (lambda: Calls(_scaled_product), (2, 8)),
    "a larger constant": (
        lambda: Calls(lambda x: x.mean((2, 3), True) + torch.ones(4, 5, 5)),
        IMAGE,
    ),
    "a norm over batches": (lambda: nn.LayerNorm((2, 8), elementwise_affine=False), (2, 8)),
}
"""Networks that a spec cannot say, whole or in part."""

_LEFT_OUT = ("sample_inputs/model.pt", ".data/version", ".data/serialization_id")
"""The ends of the names of entries that convt does not open; the first is a pickle."""


def record_of(name: str) -> Record:
    """The record of a network of `tests.peers.nets`, made anew."""
    kind, _, own = name.partition(": ")
    make, shape = {**NETS, **REFUSED}[own if kind in ("decomposed", "open", "refused") else name]
    shape, sizes = OPEN[own] if kind == "open" else (shape, {})
    module = filled(make().eval())
    program = exported(module, shape, sizes)
    if kind == "decomposed":
        program = program.run_decompositions()
    facts = {} if kind == "refused" else facts_of(module, shape, program.constants)
    return {"name": name, "input": list(shape), **facts, **entries_of(program)}


def names() -> list[str]:
    """The networks that are recorded: all of them, some of them a second time in other words."""
    others = {"decomposed": DECOMPOSED, "open": OPEN, "refused": REFUSED}
    return [*NETS, *(f"{kind}: {name}" for kind, nets in others.items() for name in nets)]


def filled(module: Any) -> Any:
    """The module with parameters and statistics of few different numbers, which pack well."""
    with torch.no_grad():
        for salt, (name, one) in enumerate(module.state_dict(keep_vars=True).items()):
            if not torch.is_floating_point(one):
                continue
            found = torch.from_numpy(np.asarray(numbers(one.shape, 1000 * salt) / 8.0))
            one.copy_(found.abs() + 0.5 if name.endswith("running_var") else found)
    return module


def exported(module: Any, shape: tuple[int, ...], open_sizes: dict[int, Any]) -> Any:
    dtype = next((one.dtype for one in module.parameters()), torch.float32)
    example = torch.zeros(shape, dtype=dtype)
    return torch.export.export(module, (example,), dynamic_shapes=(open_sizes,))


def entries_of(program: Any) -> Record:
    """{"texts", "arrays"}: the entries of the file, numbers in hexadecimal."""
    file = io.BytesIO()
    torch.export.save(program, file)
    texts, arrays = {}, {}
    with zipfile.ZipFile(file) as archive:
        for entry in archive.namelist():
            content = archive.read(entry)
            if entry.endswith(_LEFT_OUT):
                continue
            if "/weights/weight_" in entry or "/constants/tensor_" in entry:
                arrays[entry] = content.hex()
            else:
                texts[entry] = content.decode().replace(f"{ROOT}/", "")
    return {"texts": texts, "arrays": arrays}


def facts_of(module: Any, shape: tuple[int, ...], constants: dict[str, Any]) -> Record:
    """What the module says: its shapes, parameters and weights, and some values of its output.

    `constants` are the tensors that its code makes, by their names in the file.
    """
    module = deepcopy(module).double()
    seen = watched(module, torch.from_numpy(example_of(shape)))
    trained = module.named_parameters(remove_duplicate=False)
    kept = {**dict(trained), **dict(module.named_buffers(remove_duplicate=False)), **constants}
    return {
        "output": list(seen[""].shape),
        "modules": {name: list(seen[name].shape) for name in own_modules(module) if name in seen},
        "parameters": sum(one.numel() for one in module.parameters()),
        "weights": {name: digest_of(one.detach().numpy()) for name, one in kept.items()},
        "values": sampled(seen[""].numpy()),
    }


def own_modules(module: Any) -> Iterator[str]:
    """The paths of the innermost modules of torch.nn that do something."""
    for name, inner in module.named_modules():
        is_own = type(inner).__module__.startswith("torch.nn") and not [*inner.children()]
        if name and is_own and not isinstance(inner, nn.Identity):
            yield name


def watched(module: Any, x: Any) -> dict[str, Any]:
    """The output of every module inside of `module`, by its path; that of `module` is at ""."""
    found: dict[str, Any] = {}

    def keeps(name: str) -> Callable[..., None]:
        def keep(_: Any, __: Any, result: Any) -> None:
            if torch.is_tensor(result):
                found[name] = result.clone()

        return keep

    for name, inner in module.named_modules():
        inner.register_forward_hook(keeps(name))
    with torch.no_grad():
        module(x)
    return found


if __name__ == "__main__":
    write(PATH, map(record_of, names()))
    sys.stdout.write(f"{PATH}: {PATH.stat().st_size:,} bytes, PyTorch {torch.__version__}\n")
