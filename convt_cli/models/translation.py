"""What the walk over a model's graph gives, in any format: values, and the layers of an operation.

A value is an `Activation`, which an input or a layer of the spec gives, `Cut`, or a constant of
the format's own kind.  Every activation has the batch axis first, which a spec does not have; an
operator that moves it or mixes it with other axes has no counterpart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import LARGEST, Padding, Pair, PerAxis
from convt_cli.arithmetic.layers import LAYER_TYPES, Definition, Geometry
from convt_cli.arithmetic.layers.pools import MaxPool
from convt_cli.errors import GeometryError
from convt_cli.models.imported import ImportedLayer


class Untranslatable(Exception):
    """A spec cannot say what the node does; `code` is that of the rule it would break."""

    def __init__(self, reason: str, *, code: str = "E505") -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """A value that depends on the model's input: `source` is the input or layer that gives it.

    `source` is a number, as in `ImportedModel`; `shape` is (channels, *spatial), without the
    graph's batch axis of size `batch`.
    """

    source: int
    shape: Shape
    batch: int

    @property
    def full_shape(self) -> Shape:
        """(batch, channels, *spatial), which is the shape in the graph."""
        return (self.batch, *self.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A value that the spec lacks; `cause` names the node or input that it could not say.

    `is_known`: that something is lacking was noted there.  It was not for a further output of a
    node that the spec has.
    """

    cause: str
    is_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where a max pool found its elements: `pool` is its layer, and `source` what that reads."""

    pool: int
    definition: MaxPool
    source: Activation


class Translation:
    """An operation that reads at least one activation, and the layers that it becomes.

    Translators add layers with `layer` and `stand_in`.
    """

    def __init__(self, name: str, operator: str, rules: Framework, first: int) -> None:
        """`first` is the number of the first layer that is added."""
        self.layers: list[ImportedLayer] = []
        self.notes: list[str] = []
        self._name = name
        self._operator = operator
        self._rules = rules
        self._first = first

    def counted(self, axis: int, rank: int) -> int:
        """`axis`, or `axis` + `rank` where it is negative.  Raises Untranslatable."""
        if not -rank <= axis < rank:
            self.refuse(f"it names axis {axis} of {rank}")
        return axis % rank

    def refuse(self, reason: str, *, code: str = "E505") -> NoReturn:
        """Raise Untranslatable: a spec cannot say what the node does, for this reason."""
        raise Untranslatable(reason, code=code)

    def layer(self, layer_type: str, *sources: Activation, **keys: Any) -> Activation:
        """Add a layer to the spec and return what it gives.  Raises Untranslatable if illegal."""
        geometry = self.geometry(layer_type, *sources, **keys)
        return self._added(layer_type, sources, keys, geometry.output)

    def unpooled(self, source: Activation, places: Places, size: Shape) -> Activation:
        """Add a max_unpool of `source` that gives this spatial size.  Raises Untranslatable."""
        if size != places.source.shape[1:]:
            pooled = list(places.source.shape[1:])
            self.refuse(f"it gives {list(size)}, where its pool reads {pooled}")
        keys = {"pool": places.definition, "output_size": "source"}
        geometry = self.geometry("max_unpool", source, places.source, **keys)
        return self._added("max_unpool", (source,), keys, geometry.output, pool=places.pool)

    def _added(
        self,
        layer_type: str,
        sources: tuple[Activation, ...],
        keys: dict[str, Any],
        output: Shape,
        pool: int | None = None,
    ) -> Activation:
        if any(abs(number) > LARGEST for number in _integers((*keys.values(), output))):
            self.refuse("it leads to numbers beyond 2^53", code="E107")
        self.layers.append(
            ImportedLayer(
                name=self._name,
                type=layer_type,
                sources=tuple(source.source for source in sources),
                keys=keys,
                output=output,
                pool=pool,
            )
        )
        number = self._first + len(self.layers) - 1
        return replace(sources[0], source=number, shape=output)

    def stand_in(
        self, layer_type: str, *sources: Activation, stands_for: str = "", **keys: Any
    ) -> Activation:
        """As `layer`, for one that has the node's shapes and other numbers; a note says so.

        `stands_for` says what the node does, where the operator's name does not say it all.
        """
        operation = stands_for or self._operator
        self.notes.append(f"{layer_type} stands for {operation}")
        given = self.layer(layer_type, *sources, **keys)
        self.layers[-1] = replace(self.layers[-1], stands_for=operation)
        return given

    def geometry(self, layer_type: str, *sources: Activation, **keys: Any) -> Geometry:
        """The shapes that a layer would have, which is not added.  Raises Untranslatable."""
        make: Callable[..., Definition] = LAYER_TYPES[layer_type]
        definition = make(**keys)
        try:
            for error in definition.problems(self._rules):
                raise error  # the first one, if there is any
            return definition.resolve(tuple(source.shape for source in sources), self._rules)
        except GeometryError as error:
            self.refuse(str(error), code=error.code)

    def require_one_batch(self, sources: list[Activation]) -> None:
        """Refuse sources whose batch axes differ."""
        if len({source.batch for source in sources}) > 1:
            self.refuse("its sources have batches of different sizes")

    def in_shape(self, source: Activation, full: Shape) -> Activation:
        """A layer with the elements of `source` in the shape `full`, the batch axis first."""
        if len(full) < 2 or full[0] != source.batch:
            self.refuse(f"the first axis of {list(full)} is not the batch")
        if full[1:] == source.shape:
            return self.layer("identity", source)
        if len(full) == 2:
            return self.layer("flatten", source)
        return self.layer("reshape", source, shape=full[1:])

    def exchanged(self, source: Activation, block: int, *, block_first: bool) -> Activation:
        """`source` with its channels (block, depth) in the order (depth, block); or back.

        `block` is the number of places in a block, and `block_first` says that `source` has the
        first of the two orders.
        """
        channels, *sizes = source.shape
        depth, left = divmod(channels, block)
        if left:
            self.refuse(f"{block} does not divide its {channels} channels", code="E126")
        if depth == 1 or block == 1:
            return source
        pair = (block, depth) if block_first else (depth, block)
        axes = (1, 0, *range(2, 2 + len(sizes)))
        apart = self.layer("reshape", source, shape=(*pair, *sizes))
        exchanged = self.layer("transpose", apart, axes=axes)
        return self.layer("reshape", exchanged, shape=source.shape)

    def cropped(self, source: Activation, cut: tuple[Pair, ...]) -> Activation:
        """`source` cropped by one (before, after) pair per spatial axis, if any is above 0."""
        if not any(map(any, cut)):
            return source
        return self.layer("crop", source, padding=short_pairs(cut))

    def taken(self, source: Activation, ranges: Sequence[range]) -> Activation:
        """A crop, or slices, to the places `ranges` of all axes, of which the batch is first."""
        batch, *wanted = ranges
        if not all(ranges):
            self.refuse("it takes nothing")
        if batch != range(source.batch):
            self.refuse("it takes some of the batch")
        # the axes of which not all elements are taken in their order
        cut = [axis for axis, size in enumerate(source.shape) if wanted[axis] != range(size)]
        if not cut:
            return self.layer("identity", source)
        if 0 not in cut and all(len(one) == one[-1] - one[0] + 1 for one in wanted):
            sizes = zip(wanted[1:], source.shape[1:])
            return self.cropped(source, tuple((one[0], size - 1 - one[-1]) for one, size in sizes))
        for axis in cut:
            source = self._sliced(source, axis, wanted[axis])
        return source

    def _sliced(self, source: Activation, axis: int, places: range) -> Activation:
        """The elements of `source` at `places` along `axis`."""
        first, last = places[0], places[-1]
        step = places.step if len(places) > 1 else 1
        takes_rest = not 0 <= last + step < source.shape[axis]
        end = None if takes_rest else last + (1 if step > 0 else -1)
        return self.layer("slice", source, axis=axis, begin=first, end=end, step=step)


def _integers(values: tuple[object, ...]) -> Iterator[int]:
    """The integers in nested tuples."""
    for value in values:
        if isinstance(value, tuple):
            yield from _integers(value)
        elif isinstance(value, int):
            yield value


def short(values: tuple[int, ...]) -> PerAxis:
    """`values`, or one integer in their place where all are equal.

    >>> short((3, 3)), short((3, 1))
    (3, (3, 1))
    """
    return values[0] if len(set(values)) == 1 else values


def short_pairs(pairs: tuple[Pair, ...]) -> Padding:
    """`pairs`, or one integer per axis, or one for all, where before and after are equal.

    >>> short_pairs(((1, 1), (1, 1))), short_pairs(((1, 1), (2, 2))), short_pairs(((0, 1),))
    (1, (1, 2), ((0, 1),))
    """
    if all(before == after for before, after in pairs):
        return short(tuple(before for before, _ in pairs))
    return pairs
