"""Opening an ONNX model: within bounds of size, and with its data inside its folder.

What a file claims is checked before it is believed: a tensor has as many bytes as its shape
takes, and external data lies inside the model's folder and inside its own file.  The package
`onnx` does no more than parse; nothing of a model is executed, and no function of the package
that opens files is called.  The numbers of large tensors stay in the file until they are asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO

from convt_cli.errors import ConvtError, FileError, RequestError, shown
from convt_cli.io import memory
from convt_cli.io.conflicts import note_named
from convt_cli.io.folders import Folder
from convt_cli.io.reading import HEAD, Opened, open_regular, require_unchanged
from convt_cli.io.stand_ins import require_no_stand_in
from convt_cli.models.onnx.graph import MOST_VALUES, Graph
from convt_cli.models.onnx.marks import (
    Edit,
    edited,
    edited_size,
    extent_of,
    marking,
    read_extent,
)
from convt_cli.models.onnx.nodes import MOST_PARTS, NodeReader, input_of, text
from convt_cli.models.onnx.tensors import (
    Content,
    byte_count,
    content_of,
    is_outside,
    is_sparse,
    own_content,
    parts,
    tensor_of,
)
from convt_cli.models.onnx.wire import MOST_FIELDS, NoMessage, parsing_needs

MOST_BYTES = 2**31
"""Bytes of a file; protobuf has no larger messages."""

_MOST_KNOWN = 8 * MOST_VALUES
"""Bytes of a constant at most whose numbers are among the graph's values."""

_WITH_OPSETS = 3
"""The version of ONNX's format from which on a model has to say its opset."""

_MORE_MEMORY = "use a machine with more memory"
_EXPORT_AGAIN = "export the model again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that has been read: its graph as plain values, and the bytes of its constants.

    The file is opened again for the bytes, and has to be as it was: `_status`.
    """

    path: str
    graph: Graph
    _tensors: dict[str, Any]
    _folder: Folder
    _opened: Opened
    _status: os.stat_result

    def content(self, name: str) -> bytes:
        """The bytes of a constant, row-major and little-endian.

        Raises FileError (E401, E404, E405), RequestError (E501).
        """
        stored = self._tensors[name]
        with _reporting_damage(self.path):
            if is_sparse(stored):
                self._require(2 * byte_count(stored))
            return content_of(stored, self._dense)

    def _dense(self, stored: Any) -> bytes:
        """The bytes of a dense tensor, in the model or in another file."""
        if is_outside(stored):
            return self._external(stored)
        self._require(byte_count(stored))
        with self._opened(self.path) as file:
            require_unchanged(self.path, self._status, os.fstat(file.fileno()))
            return _content(file, stored)

    def _external(self, stored: Any) -> bytes:
        """The bytes of a dense tensor in another file.  Raises ValueError if they do not fit it."""
        entries = _external_entries(stored)
        path = self._folder.resolved(entries["location"])
        if not os.path.lexists(path):
            raise FileError(
                "E401",
                f"the model {shown(self.path)} has its numbers in another file",
                value=f"{shown(entries['location'])} is not there",
                help="put that file beside the model, of which it is a part",
            )
        wanted = byte_count(stored)
        offset = _natural_number(entries.get("offset", "0"))
        with self._folder.opened(path) as file:
            size = os.fstat(file.fileno()).st_size
            if (
                _natural_number(entries.get("length", str(wanted))) != wanted
                or offset + wanted > size
            ):
                require_no_stand_in(path, file.read(HEAD))
                raise ValueError(f"external data of {wanted} bytes does not fit its file or length")
            self._require(wanted)
            file.seek(offset)
            return file.read(wanted)

    def _require(self, needed: int) -> None:
        memory.require(needed, f"a tensor of {shown(self.path)}", help=_MORE_MEMORY)


def open_model(path: str, *, allow_outside: bool = False, within: Folder | None = None) -> Model:
    """The model in the file `path`; with `allow_outside` its data may lie outside its folder.

    A model that a spec names is opened `within` the spec's folder.

    Raises RequestError (E501, E504), FileError (E401, E404, E405).
    """
    message = _message_type()
    folder = within.below(path) if within else Folder.of(path, allow_outside=allow_outside)
    opened = within.opened if within else open_regular
    with opened(path) as file:
        proto = _read(path, file, message)
        with _reporting_damage(path):
            if not proto.HasField("graph"):
                raise ValueError("it holds no graph")
            _require_bounded(proto.graph)
            graph, tensors = _graph(proto, partial(_content, file))
            for location in _external_locations(tensors):
                note_named(folder.resolved(location))
        return Model(
            path=path,
            graph=graph,
            _tensors=tensors,
            _folder=folder,
            _opened=opened,
            _status=os.fstat(file.fileno()),
        )


def _message_type() -> Any:
    """The class ModelProto.  Raises RequestError (E504) without the extra."""
    try:
        from onnx import ModelProto  # noqa: PLC0415  # an extra
    except ImportError as error:
        failed = shown(f"it is there and fails to load, with {error}") if str(error) else ""
        raise RequestError(
            "E504",
            "reading ONNX models needs the package onnx",
            value="" if isinstance(error, ModuleNotFoundError) else failed,
            help="install it with: pip install 'convt-cli[onnx]'",
        ) from None
    return ModelProto


def _read(path: str, file: BinaryIO, message: Any) -> Any:
    """The file parsed as a `message`, with marks for numbers.

    Raises FileError (E405), RequestError (E501).
    """
    size = os.fstat(file.fileno()).st_size
    if not 0 < size < MOST_BYTES:
        reason = "it is empty" if not size else "a protobuf file ends below 2 GiB"
        raise _damaged(path, ValueError(reason), help="is it the file that was meant?")
    try:
        edits = marking(file, message.DESCRIPTOR)
    except NoMessage:
        # Parsing the whole of it says what is wrong; nothing is read from what parses all the same.
        _parsed_edited(path, file, [], message)
        raise _damaged(path, ValueError("its lengths do not fit"), help=_EXPORT_AGAIN) from None
    return _parsed_edited(path, file, edits, message)


def _parsed_edited(path: str, file: BinaryIO, edits: list[Edit], message: Any) -> Any:
    """As `_parsed`, of the file after the edits.  Raises RequestError (E501) too."""
    replaced = (edit.end - edit.begin for edit in edits)
    known = sum(one for one in replaced if one <= _MOST_KNOWN)
    needed = 3 * edited_size(file, edits) + known
    memory.require(needed, f"the model {shown(path)}", help=_MORE_MEMORY)
    content = edited(file, edits)
    _require_parsable(path, content, known, message.DESCRIPTOR)
    return _parsed(path, content, message)


def _content(file: BinaryIO, stored: Any) -> bytes:
    """The bytes of a dense tensor of the model in `file`."""
    extent = extent_of(stored.raw_data)
    return read_extent(file, extent) if extent else own_content(stored)


def _require_parsable(path: str, content: bytes, numbers: int, descriptor: Any) -> None:
    """Raise RequestError (E501) unless there is memory for what `content` is parsed to.

    The graph's values hold `numbers` bytes more, which have marks in `content`.
    """
    needs = parsing_needs(content, descriptor)
    size = 2 * len(content) + numbers + needs.size
    if needs.fields > MOST_FIELDS:
        there = memory.available()
        known = "" if there is None else f", {memory.text(there)} there"
        raise RequestError(
            "E501",
            f"the model {shown(path)} has too many parts to be read",
            value=f"over {MOST_FIELDS:,}, for which {memory.text(size)} are needed{known}",
            help="export the part of the network that is wanted",
        )
    memory.require(size, f"the model {shown(path)}", help=_MORE_MEMORY)


def _require_bounded(graph: Any) -> None:
    """Raise ValueError for a graph of too many parts."""
    for part in ("node", "initializer", "sparse_initializer", "input", "output"):
        if len(getattr(graph, part)) > MOST_PARTS:
            raise ValueError(f"it has more than {MOST_PARTS:,} entries of {part}")


def _graph(proto: Any, content: Content) -> tuple[Graph, dict[str, Any]]:
    """The plain value of a ModelProto's graph, and the tensors of its constants by name."""
    graph = proto.graph
    opsets = [one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")]
    if proto.ir_version >= _WITH_OPSETS and not proto.opset_import:
        raise ValueError("it names no opset: was it cut short?")
    opset = max(opsets, default=1)
    reader = NodeReader(proto.functions, opset, content)
    nodes, tensors = reader.graph(graph), reader.tensors
    found = Graph(
        opset=opset,
        inputs=tuple(input_of(one) for one in graph.input if one.name not in tensors),
        outputs=tuple(text(one.name) for one in graph.output),
        constants={name: tensor_of(name, tensor, content) for name, tensor in tensors.items()},
        nodes=nodes,
        producer=f"{text(proto.producer_name)} {text(proto.producer_version)}".strip(),
    )
    return found, tensors


def _external_locations(tensors: dict[str, Any]) -> dict[str, None]:
    """The files in which tensors lie, by the model's names for them and in its order."""
    dense = (part for tensor in tensors.values() for part in parts(tensor))
    return {_external_entries(one)["location"]: None for one in dense if is_outside(one)}


def _external_entries(tensor: Any) -> dict[str, str]:
    """The place of a tensor's external data: `location`, and perhaps `offset` and `length`."""
    entries = {text(entry.key): text(entry.value) for entry in tensor.external_data}
    return {"location": "", **entries}


def _natural_number(text: str) -> int:
    """The number in `text`.  Raises ValueError for all but plain digits."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ValueError(f"external data at {text!r}")
    return int(text)


def _parsed(path: str, content: bytes, message: Any) -> Any:
    """`content` parsed as a `message`.  Raises FileError (E405), MemoryError."""
    try:
        return message.FromString(content)
    except MemoryError:
        raise
    except Exception as error:  # protobuf's DecodeError
        if "alloc" in str(error):
            raise MemoryError(f"{memory.text(len(content))} were being parsed") from None
        raise _damaged(path, error, help="was it cut short, or is it another format?") from None


@contextmanager
def _reporting_damage(path: str) -> Iterator[None]:
    """Turn a ValueError of ours, or what protobuf raises on odd values, into FileError (E405)."""
    try:
        yield
    except (ConvtError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(path, error, help=_EXPORT_AGAIN) from None


def _damaged(path: str, error: Exception, *, help: str) -> FileError:
    reason = str(error).partition("\n")[0] or type(error).__name__
    return FileError(
        "E405",
        f"cannot read an ONNX model from {shown(path)}",
        value=shown(reason)[:200],
        help=help,
    )
