"""Array files: .npy, .npz#key, .csv, .txt, and a stream of .npy for '-'.

A header is only believed after it has been compared with the length of the file, and memory is
only taken after that.  Object arrays are refused: nothing is ever unpickled.
"""

from __future__ import annotations

import io
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.lib import format as npy

from convt_cli.errors import ArrayError, ConvtError, FileError, shown
from convt_cli.files.archive import opened_npz, write_npy, write_npz
from convt_cli.files.text import TEXT_DELIMITERS, read_text, write_text
from convt_cli.io import memory
from convt_cli.io.reading import STDIN, Opened, open_regular, standard_input
from convt_cli.io.writing import output
from convt_cli.operators.dtypes import Array

if TYPE_CHECKING:
    import zipfile

ARRAY_SUFFIXES = (".npy", ".npz", *TEXT_DELIMITERS)

_CHUNK = 64 * 2**20  # bytes that one read asks for
_MOST_HEADER = 10_000
"""The longest header, in bytes; NumPy has the same limit, but reads all of the header first."""
_MOST_AXES = 32
"""The most axes an array can have in every NumPy from 1.26 on; 2.0 and newer have up to 64."""
_METHODS = (0, 8)
"""zipfile.ZIP_STORED and ZIP_DEFLATED; data compressed otherwise zipfile unpacks all at once."""
_HEADERS = {
    (1, 0): npy.read_array_header_1_0,
    (2, 0): npy.read_array_header_2_0,
    (3, 0): npy.read_array_header_2_0,  # differs from 2.0 in the names of fields alone
}
"""NumPy's reader of a .npy header, by the version of the format."""
_DEFAULT_KEY = "arr_0"  # as numpy.savez calls an array without a name
_MOST_KEY = 1000
"""The longest key that is written, in characters; an archive holds names up to 65,535 bytes."""


class Header(NamedTuple):
    """What the header of a .npy file says; `length` is how many bytes the header takes."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    length: int

    @property
    def size(self) -> int:
        """The bytes that the numbers behind the header take."""
        return prod(self.shape) * self.dtype.itemsize


class Location(NamedTuple):
    """An array's file, its key within the file, and the format: a suffix, or '-'."""

    path: str
    key: str
    format: str


def locate(name: str) -> Location:
    """`name` split into file and key.  Raises FileError (E401) for an unknown format."""
    if name == STDIN:
        return Location(name, "", STDIN)
    path, archive, key = name.partition(".npz#")
    return located(path + archive.removesuffix("#"), key)


def located(path: str, key: str, also: tuple[str, ...] = ()) -> Location:
    """The array `key` of the file `path`.

    Raises FileError (E401) for an unknown format; it names those that the caller reads `also`.
    """
    suffix = os.path.splitext(path)[1].lower()
    if suffix not in ARRAY_SUFFIXES or (key and suffix != ".npz"):
        raise FileError(
            "E401",
            "an array file is named by its format",
            value=f"got {shown(f'{path}#{key}' if key else path)}",
            help=f"known are {', '.join((*ARRAY_SUFFIXES, *also))}, and file.npz#key",
        )
    return Location(path, key, suffix)


def is_text(name: str) -> bool:
    """Whether `name` names a text file.  Raises FileError (E401) for an unknown format."""
    return locate(name).format in TEXT_DELIMITERS


def read_array(name: str) -> Array:
    """The array called `name`: a file, file.npz#key, or '-' for a .npy stream.

    Raises FileError (E401), ArrayError (E302, E303), RequestError (E501).
    """
    return read_located(locate(name))


def read_located(location: Location, opened: Opened = open_regular) -> Array:
    """The array at `location`; `opened` is the function that opens its file.

    A text file gives two axes, with an integer dtype if all its numbers are integers, else float64.
    Raises FileError (E401), ArrayError (E302, E303), RequestError (E501).
    """
    path, key, suffix = location
    if suffix == STDIN:
        return _read_npy(standard_input(), "standard input", None)
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        if suffix in TEXT_DELIMITERS:
            with reporting_damage(path):
                return read_text(file, path, TEXT_DELIMITERS[suffix])
        if suffix == ".npz":
            return _read_npz(file, path, key)
        return _read_npy(file, shown(path), size)


@contextmanager
def opened_npy(path: str) -> Iterator[tuple[BinaryIO, Header]]:
    """The .npy file `path` and its header, which agrees with the file's length.

    Raises FileError (E401), ArrayError (E302, E303).
    """
    with open_regular(path) as file:
        with reporting_damage(path):
            header = _checked_header(file, shown(path), os.fstat(file.fileno()).st_size)
        yield file, header


def header_bytes(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """The header of a .npy file of a row-major array, as `write_array` writes it."""
    stream = io.BytesIO()
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, described)
    return stream.getvalue()


def write_array(name: str, array: Array, *, force: bool) -> None:
    """Write `array` to `name`, row-major, whole or not at all.

    Text takes one or two axes.  Raises FileError (E402, E403, E406), ArrayError (E301, E302).
    """
    with output(locate(name).path, force=force) as file:
        write_into(file, name, array)


def _require_fit(name: str, array: Array) -> None:
    """Raise unless the format and the key of `name` can hold `array`: ArrayError, FileError."""
    _, key, suffix = locate(name)
    if suffix in TEXT_DELIMITERS and (array.ndim > 2 or array.dtype.kind == "c"):
        raise ArrayError(
            "E301",
            f"a {suffix} file holds one or two axes of real numbers",
            value=f"got {array.dtype} of shape {array.shape}",
            help="write a .npy file",
        )
    if key and (_leads_out(key) or len(key) > _MOST_KEY):
        raise FileError(
            "E402",
            "the key of an .npz is the name of an array in it",
            value=f"got {shown(key)}",
            help="use a short name without .. and without / at its ends",
        )


def write_into(file: BinaryIO, name: str, array: Array) -> None:
    """Write `array` into the open file of the output `name`.  Raises as `write_array`."""
    _require_fit(name, array)
    _, key, suffix = locate(name)
    if suffix in TEXT_DELIMITERS:
        write_text(file, array, TEXT_DELIMITERS[suffix])
    elif suffix == ".npz":
        write_npz(file, {key or _DEFAULT_KEY: _row_major(array)})
    else:
        write_npy(file, _row_major(array))


def _row_major(array: Array) -> Array:
    """`array`, copied if it is in Fortran order, which NumPy would otherwise keep in the file."""
    return array.copy(order="C") if array.flags.fnc else array


# --- reading ----------------------------------------------------------------------------------


def _read_npz(file: BinaryIO, path: str, key: str) -> Array:
    with reporting_damage(path):
        archive = opened_npz(file, path)
        member = _member(archive, path, key)
        with archive.open(member) as stream:
            return _read_npy(stream, f"{shown(path)}#{shown(member.filename)}", member.file_size)


def _member(archive: zipfile.ZipFile, path: str, key: str) -> zipfile.ZipInfo:
    """The member that holds the array `key`; without a key, the only member."""
    names = [info.filename for info in archive.infolist()]
    if any(map(_leads_out, names)):
        raise damaged(path, "it has a member whose name leads out of it")
    keys = [name.removesuffix(".npy") for name in names]
    if len(set(keys)) < len(keys):
        raise damaged(path, "two of its members have the same name")
    wanted = key or (keys[0] if len(keys) == 1 else "")
    if wanted not in keys:
        raise missing_array(path, key, keys)
    member = archive.infolist()[keys.index(wanted)]
    if member.compress_type not in _METHODS:
        raise damaged(path, f"'{member.filename}' is compressed in another way than NumPy's")
    return member


def _leads_out(name: str) -> bool:
    """Whether unpacking a member of this name would leave the folder, or have no file name."""
    return not {"", ".."}.isdisjoint(re.split(r"[/\\]", name))


def _read_npy(file: Any, name: str, length: int | None) -> Array:
    """One .npy array; `length` is that of the whole file with its header, None for a stream."""
    with reporting_damage(name):
        header = _checked_header(file, name, length)
        shape = header.shape
        memory.require(header.size, f"the array in {name}", help="use a machine with more memory")
        flat = read_exactly(file, name, prod(shape), header.dtype)
        if length is not None and file.read(1):  # zipfile compares the checksum at the end
            raise damaged(name, "there is more behind the array")
        return flat.reshape(shape[::-1]).T if header.fortran else flat.reshape(shape)


def _checked_header(file: Any, name: str, length: int | None) -> Header:
    """The header of a .npy file, which must fit the file's `length` in bytes if that is known."""
    header = _read_header(file, name)
    promised = header.length + header.size
    if length is not None and promised != length:
        raise damaged(name, f"the header promises {promised} bytes, there are {length}")
    return header


def _read_header(file: Any, name: str) -> Header:
    """The header at the beginning of a .npy file.  Raises ArrayError (E301, E302, E303)."""
    counted = _Counted(file)
    version = npy.read_magic(counted)  # type: ignore[arg-type]  # `read` is all it needs
    read = _HEADERS.get(version)
    if read is None:
        raise damaged(name, f"format version {version} is not that of an array of numbers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            shape, fortran, dtype = read(counted)  # type: ignore[arg-type]  # as above
        except MemoryError:  # raised by Python's parser for deep nesting
            raise damaged(name, "its header is nested too deeply") from None
    if dtype.hasobject or dtype.kind not in "biufc":
        raise ArrayError(
            "E302",
            f"the array in {name} must hold numbers",
            value=f"got dtype {dtype}",
            help="save it as integers, floats or complex numbers",
        )
    if any(size < 0 for size in shape):
        raise damaged(name, f"the header gives the shape {shape}")
    if len(shape) > _MOST_AXES:
        raise ArrayError(
            "E301",
            f"the array in {name} must have at most {_MOST_AXES} axes",
            value=f"got {len(shape)}",
            help="reshape it to (channels, *spatial)",
        )
    return Header(tuple(int(size) for size in shape), bool(fortran), dtype, counted.count)


class _Counted:
    """A file that counts the bytes of a header as they are read, and refuses a long header."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.count = 0

    def read(self, size: int) -> bytes:
        if size > _MOST_HEADER:
            raise ValueError(f"its header claims to be {size} bytes long")
        data: bytes = self._file.read(size)
        self.count += len(data)
        return data


def read_exactly(file: Any, name: str, count: int, dtype: np.dtype[Any]) -> Array:
    """The next `count` numbers of a file.  Raises ArrayError (E303) if it ends before."""
    flat = np.empty(count, dtype)
    target = flat.view(np.uint8)
    done = 0
    while done < len(target):
        data = file.read(min(_CHUNK, len(target) - done))
        if not data:
            raise damaged(name, f"it ends after {done} of {len(target)} bytes of numbers")
        target[done : done + len(data)] = np.frombuffer(data, np.uint8)
        done += len(data)
    return flat


@contextmanager
def reporting_damage(name: str) -> Iterator[None]:
    """Turn what zipfile, zlib, lzma and NumPy raise on damaged files into an ArrayError (E303).

    NumPy reads headers with Python's own tokenizer and parser, so that nearly every kind of
    exception can come out of a few flipped bits.
    """
    try:
        yield
    except ConvtError:
        raise
    except MemoryError as error:
        what = f"memory ran out while {shown(name)} was read"
        raise memory.ran_out(error, what, help="use a machine with more memory") from None
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise damaged(name, reason.partition("\n")[0]) from None


def damaged(name: str, reason: str) -> ArrayError:
    """The ArrayError (E303) for an array file that is not what it should be."""
    return ArrayError(
        "E303",
        f"cannot read an array from {shown(name)}",
        value=shown(reason)[:200],
        help="was it cut short, or is it another format?",
    )


def missing_array(path: str, key: str, names: list[str]) -> FileError:
    """The FileError (E401) for a file with several arrays that has none called `key`."""
    listed = ", ".join(shown(name) for name in names[:20]) or "none"
    return FileError(
        "E401",
        f"{shown(path)} has no array '{shown(key)}'" if key else f"{shown(path)} needs a key",
        value=f"its arrays are {listed}{' and more' if len(names) > 20 else ''}",
        help=f"write {shown(path)}#KEY",
    )
