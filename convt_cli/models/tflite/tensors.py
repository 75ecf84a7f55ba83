"""The tensors of a graph: their names, shapes and types, and the numbers of those that have any."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from struct import calcsize

from convt_cli.errors import shown
from convt_cli.models.inputs import OpenShape
from convt_cli.models.tflite.flatbuffer import Extent, Table, damaged
from convt_cli.models.tflite.schema import form_of

_MOST_NUMBERS = 4096
"""Numbers of a constant that are read for shapes and scales."""

_AT_ONCE = 16
"""Numbers of a constant that are read in the time of one field of a table."""

_MOST_AXES = 64  # as in NumPy 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantization:
    """Real numbers of stored ones: (stored - zero_point) * scale.

    There is one of both, or one for each place along `axis`.
    """

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tensor:
    """A value of the graph; `extent` is where its numbers are, None for one that is computed.

    `open_shape` has None for the sizes that the model leaves open, for which `shape` has 1.
    `quantization` and `sparsity` are tables of the file, None where the numbers are as they are.
    """

    name: str
    shape: tuple[int, ...]
    open_shape: OpenShape
    type: int
    extent: Extent | None
    quantization: Table | None
    sparsity: Table | None

    @property
    def is_quantized(self) -> bool:
        """Whether its numbers are integers that stand for real ones."""
        return self.quantization is not None and bool(self.quantization.vector(2, 4).size)

    def quantized(self) -> Quantization | None:
        """What its stored numbers mean, None for themselves.  Raises FileError (E405)."""
        table = self.quantization
        if table is None or not self.is_quantized:
            return None
        scales, zeros = table.numbers(2, "f"), table.integers(3, "q")
        axis = table.integer(6)
        along = self.shape[axis : axis + 1] if axis >= 0 else ()
        path = table.source.path
        if len(scales) > 1 and along != (len(scales),):
            raise damaged(path, f"'{shown(self.name)}' has {len(scales)} scales along axis {axis}")
        if len(zeros) not in (0, 1, len(scales)):
            raise damaged(path, f"'{shown(self.name)}' has {len(zeros)} zero points")
        every = zeros or (0,)
        return Quantization(
            scales=scales,
            zero_points=every * len(scales) if len(every) == 1 else every,
            axis=axis,
        )


def small_numbers(
    tensor: Tensor, source: Table, most: int = _MOST_NUMBERS
) -> tuple[int | float, ...] | None:
    """The numbers of a constant of at most so many, row-major; None for one that is not read here.

    Raises FileError (E405).
    """
    form, count = form_of(tensor.type), prod(tensor.shape)
    if not form or tensor.sparsity is not None or count > most:
        return None
    if not count:
        return ()
    if tensor.extent is None or tensor.extent.size != count * calcsize(f"<{form}"):
        return None
    source.source.count(1 + count // _AT_ONCE)
    stored = source.source.numbers(tensor.extent.place, form, count)
    meaning = tensor.quantized()
    if meaning is None:
        return stored
    if len(meaning.scales) > 1:
        return None
    (scale,), (zero,) = meaning.scales, meaning.zero_points
    return tuple((number - zero) * scale for number in stored)


def read_tensors(model: Table, graph: Table, given: dict[int, str]) -> tuple[Tensor, ...]:
    """The tensors of a graph of the model, each with a name of its own.

    `given` are names that the model has for some of them, by their numbers.  Raises FileError
    (E405).
    """
    buffers = model.tables(4)
    tables = graph.tables(0)
    names = _names((given.get(number) or table.text(3)) for number, table in enumerate(tables))
    return tuple(_tensor(table, name, buffers) for table, name in zip(tables, names))


def _names(texts: Iterable[str]) -> tuple[str, ...]:
    """`texts`, made unique by numbers; a reference to a weight cannot hold a zero byte."""
    used: dict[str, None] = {}
    for number, text in enumerate(texts):
        name = text.replace("\0", "_") or f"tensor_{number}"
        if name in used:
            name = f"{name}_{number}"
        while name in used:
            name += "_"
        used[name] = None
    return tuple(used)


def _tensor(table: Table, name: str, buffers: tuple[Table, ...]) -> Tensor:
    """One tensor of a graph."""
    shape, signature = table.integers(0), table.integers(7)
    path = table.source.path
    if len(shape) > _MOST_AXES or min(shape, default=0) < 0:
        raise damaged(path, f"'{shown(name)}' has the shape {shown(list(shape))}")
    open_shape: OpenShape = shape
    if len(signature) == len(shape):
        open_shape = tuple(None if size < 0 else size for size in signature)
    number = table.integer(2, "I")
    if number >= len(buffers) and number:
        raise damaged(path, f"'{shown(name)}' has the buffer {number} of {len(buffers)}")
    return Tensor(
        name=name,
        shape=shape,
        open_shape=open_shape,
        type=table.integer(1, "b"),
        extent=_extent(buffers[number]) if number else None,
        quantization=table.table(4),
        sparsity=table.table(6),
    )


def _extent(buffer: Table) -> Extent | None:
    """Where the bytes of a buffer are: in it, or behind the flatbuffer; None for an empty one."""
    offset, size = buffer.integer(1, "Q"), buffer.integer(2, "Q")
    found = Extent(offset, size) if offset > 1 else buffer.vector(0, 1)
    if found.place > buffer.source.size - found.size:
        path = buffer.source.path
        raise damaged(path, f"a buffer of {found.size:,} bytes at {found.place:,} is not there")
    return found if found.size else None
