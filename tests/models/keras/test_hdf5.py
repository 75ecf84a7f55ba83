"""HDF5 files that h5py writes, read without it; and those that are refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from convt_cli.errors import ConvtError
from convt_cli.io.folders import Folder
from convt_cli.models.keras.hdf5 import Hdf5
from convt_cli.models.keras.weights import open_weights
from tests.conftest import Run, assert_refused
from tests.files.samples import code_of
from tests.models.keras.samples import BIAS, KERNEL, conv, read_file, sequential, write_h5

pytestmark = pytest.mark.usefixtures("folder")

SIGNATURE = b"\x89HDF\r\n\x1a\n"
MODEL = sequential(conv())


def kernel(path: str = "m.h5") -> Any:
    return open_weights(path, Folder.of(path, allow_outside=False)).read("conv/kernel")


def numbers_of(write: Callable[[Any], object]) -> Any:
    """The kernel of a model where `write` has written `model_weights/conv/conv/kernel:0`."""
    write_h5(MODEL)
    with h5py.File("m.h5", "a") as file:
        group = file["model_weights/conv"]
        del group["conv/kernel:0"]
        write(group)
    return kernel()


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "<i4", ">u2", "i1"])
def test_numbers_are_those_that_h5py_has_written(dtype: str) -> None:
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    found = numbers_of(lambda group: group.create_dataset("conv/kernel:0", data=array))
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_one_number_and_none() -> None:
    assert numbers_of(lambda group: group.create_dataset("conv/kernel:0", data=2.5)) == 2.5
    empty = numbers_of(
        lambda group: group.create_dataset("conv/kernel:0", shape=(0, 3), dtype="f4")
    )
    assert empty.shape == (0, 3)


def test_bfloat16_is_widened() -> None:
    """As Keras writes it: two bytes of no type that HDF5 knows, and the type's name."""
    bits = (np.array([1, -2.5, 0.15625], np.float32).view("<u4") >> 16).astype("<u2")

    def write(group: Any) -> None:
        group.create_dataset("conv/kernel:0", data=bits.view("V2")).attrs["dtype"] = "bfloat16"

    np.testing.assert_array_equal(numbers_of(write), [1, -2.5, 0.15625])


@pytest.mark.parametrize("count", [1, 8, 9, 400, 5000])
def test_a_group_has_all_its_members_and_lists(count: int) -> None:
    """Small groups are one list of names, large ones a tree of several levels."""
    names = [f"layer_{number}" for number in range(count)]
    with h5py.File("m.h5", "w") as file:
        for number, name in enumerate(names):
            file[name] = [number]
        parts = [names[begin : begin + 100] for begin in range(0, count, 100)]
        for number, part in enumerate(parts):
            file.attrs[f"short{number}"] = [name.encode() for name in part]
        file.attrs["long"] = [name.encode() for name in names[:1000]]
        file.attrs["texts"] = names[:1000]
    with Path("m.h5").open("rb") as content:
        found = Hdf5(content, "m.h5")
        assert found.texts("", "short") == names
        assert found.texts("", "texts") == found.texts("", "long") == names[:1000]
        assert found.texts("", "none") == []
        for number, name in enumerate(names):
            stored = found.stored(name)
            assert stored is not None
            assert found.numbers(stored) == number.to_bytes(8, "little")


def external(group: Any) -> None:
    group.create_dataset("conv/kernel:0", KERNEL.shape, "f4", external=[("outside.bin", 0, 216)])


def virtual(group: Any) -> None:
    virtual_layout = h5py.VirtualLayout(KERNEL.shape, "f4")
    virtual_layout[:] = h5py.VirtualSource("outside.h5", "w", KERNEL.shape)
    group.create_virtual_dataset("conv/kernel:0", virtual_layout)


def linked(link: Any) -> Callable[[Any], None]:
    def write(group: Any) -> None:
        group["conv/kernel:0"] = link

    return write


def packed(**options: Any) -> Callable[[Any], None]:
    return lambda group: group.create_dataset("conv/kernel:0", data=KERNEL, **options)


REFUSED: dict[str, tuple[Callable[[Any], object], str]] = {
    "external storage": (external, "E405"),
    "virtual": (virtual, "E405"),
    "a link in the file": (linked(h5py.SoftLink("/model_weights/conv/conv/bias:0")), "E404"),
    "a link to another file": (linked(h5py.ExternalLink("outside.h5", "w")), "E405"),
    "gzip": (packed(compression="gzip"), "E405"),
    "lzf": (packed(compression="lzf"), "E405"),
    "in chunks": (packed(chunks=(1, 1, 3, 2)), "E405"),
    "texts": (lambda group: group.create_dataset("conv/kernel:0", data=b"text"), "E302"),
    "complex": (lambda group: group.create_dataset("conv/kernel:0", data=KERNEL * 1j), "E302"),
    "a group": (lambda group: group.create_group("conv/kernel:0"), "E405"),
    "nothing": (lambda group: None, "E405"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_in_the_file_as_it_is_is_refused(name: str) -> None:
    """Whole files lie where links and external storage lead."""
    Path("outside.bin").write_bytes(KERNEL.tobytes())
    with h5py.File("outside.h5", "w") as file:
        file["w"] = KERNEL
    write, code = REFUSED[name]
    assert code_of(lambda: numbers_of(write)) == code


@pytest.mark.parametrize("place", ["model_weights", "model_weights/conv"])
@pytest.mark.parametrize("link", [h5py.SoftLink("/other"), h5py.ExternalLink("outside.h5", "/")])
def test_a_link_on_the_way_is_refused(place: str, link: Any) -> None:
    write_h5(MODEL)
    with h5py.File("m.h5", "a") as file:
        file.move(place, "other")
        file[place] = link
    assert code_of(kernel) in ("E404", "E405")


def test_a_file_of_a_newer_kind_is_refused(run: Run) -> None:
    write_h5(MODEL, libver="latest")
    assert_refused(run("shapes", "m.h5"), "E405")


def test_a_file_of_weights_alone_is_said_to_be_one(run: Run) -> None:
    with h5py.File("m.h5", "w") as file:
        file["layers/conv2d/vars/0"] = KERNEL
    outcome = run("shapes", "m.h5")
    assert_refused(outcome, "E405")
    assert "save the whole model with model.save" in outcome.err


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 600, b"text", b"\x89HDF\r\n\x1a\n" + b"\xff" * 600]
)
def test_what_is_no_hdf5_is_refused(run: Run, content: bytes) -> None:
    Path("m.h5").write_bytes(content)
    assert_refused(run("shapes", "m.h5"), "E405")


def attempt() -> str:
    return code_of(lambda: (Hdf5(Path("m.h5").open("rb"), "m.h5"), kernel()))


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_cut_file_is_refused() -> None:
    """Nothing stands behind the numbers of the kernel and the texts."""
    write_h5(MODEL)
    content = read_file("m.h5")
    needed = content.index(BIAS.tobytes())
    for length in range(0, len(content), 101):
        Path("m.h5").write_bytes(content[:length])
        assert attempt() == "E405" or length > needed


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_no_flipped_byte_gets_past_the_coded_errors() -> None:
    write_h5(MODEL)
    content = read_file("m.h5")
    for place in range(0, len(content), 13):
        data = bytearray(content)
        data[place] ^= 1 << (place % 8)
        Path("m.h5").write_bytes(data)
        attempt()  # it lets nothing but ConvtError through


def test_a_node_that_is_its_own_child_ends() -> None:
    write_h5(MODEL)
    data = bytearray(read_file("m.h5"))
    place = data.index(b"TREE")
    data[place + 5], data[place + 32 : place + 40] = 1, place.to_bytes(8, "little")
    Path("m.h5").write_bytes(data)
    with pytest.raises(ConvtError, match="is not as HDF5 has it"):
        kernel()


def test_a_shape_that_lies_is_refused_before_memory_is_asked_for() -> None:
    write_h5(MODEL)
    data = bytearray(read_file("m.h5"))
    sizes = b"".join(size.to_bytes(8, "little") for size in KERNEL.shape)
    place = data.index(sizes)
    data[place : place + 8] = (2**50).to_bytes(8, "little")
    Path("m.h5").write_bytes(data)
    with pytest.raises(ConvtError, match="are not all in the file"):
        kernel()


def test_shapes_are_those_of_the_text_alone(run: Run) -> None:
    write_h5(MODEL)
    with h5py.File("m.h5", "a") as file:
        del file["model_weights"]
    assert "2×4×4" in run("shapes", "m.h5").out
    assert json.loads(run("shapes", "m.h5", "--format", "json").out)["problems"] == []
