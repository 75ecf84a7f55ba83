"""A call of a module of torch.nn, and the keys of a layer that follow from its source.

`modules` says which module has which of these; all of them raise Refusal, at an argument's place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from convt_cli.arithmetic.convolution import Shape
from convt_cli.spec.nodes import Node, Scalar, Sequence
from convt_cli.spec.source import Place
from convt_cli.spec.values import Refusal, read_integer, read_sizes

Keys = dict[str, Node]
"""Keys of a layer and their values, at their places in the expression."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of a module: its arguments by name, without those that are None, and its source.

    `source` is (channels, *spatial), and `place` that of the module's name.
    """

    name: str
    arguments: Mapping[str, Node]
    place: Place
    source: Shape

    def refused(self, code: str, message: str, value: str, help: str, at: str = "") -> Refusal:
        """A refusal that points at the argument `at`, or else at the module's name."""
        place = self.arguments[at].place if at in self.arguments else self.place
        return Refusal(place, code, message, value, help)

    def node(self, name: str, value: int | tuple[int, ...]) -> Node:
        """A value that follows from the argument `name`, and has its place."""
        place = self.arguments[name].place if name in self.arguments else self.place
        if isinstance(value, int):
            return Scalar(value, str(value), place)
        return Sequence([Scalar(one, str(one), place) for one in value], place)

    def integer(self, name: str, default: int) -> int:
        """An argument that is an integer, also below 0.  Raises Refusal."""
        given = self.arguments.get(name)
        return default if given is None else read_integer(given, name, -(2**53))

    def axis(self, name: str, default: int) -> int:
        """An argument that is an axis, from 0, the batch, on.  Raises Refusal (E127, E505)."""
        rank, axis = len(self.source) + 1, self.integer(name, default)
        if not -rank <= axis < rank:
            value = f"got {axis}, there are {rank} with the batch"
            raise self.refused("E127", f"{name} names an axis", value, "0 is the batch", name)
        if axis % rank == 0:
            value = f"got {axis}, the batch"
            remedy = "begin with axis 1, the channels"
            raise self.refused("E505", "a spec has no batch axis", value, remedy, name)
        return axis % rank


def adaptive_keys(call: Call) -> Keys:
    """output_size, where None keeps the source's size."""
    given = call.arguments.get("output_size")
    sizes = call.source[1:]
    if not isinstance(given, Sequence):
        return {"output_size": given or call.node("output_size", sizes)}
    filled = [
        call.node("output_size", size) if isinstance(one, Scalar) and one.value is None else one
        for one, size in zip(given.items, sizes)
    ]
    return {"output_size": Sequence(filled + given.items[len(sizes) :], given.place)}


def flatten_keys(call: Call) -> Keys:
    start, end = call.axis("start_dim", 1), call.axis("end_dim", -1)
    full = (1, *call.source)
    if start > end:
        value = f"got {start} and {end}"
        raise call.refused("E127", "start_dim is not behind end_dim", value, "", "start_dim")
    if (start, end) == (1, len(full) - 1):
        return {}  # all of it, which is a layer type of its own
    joined = prod(full[start : end + 1])
    return {"shape": call.node("start_dim", (*full[1:start], joined, *full[end + 1 :]))}


def unflatten_keys(call: Call) -> Keys:
    axis = call.axis("dim", 1)
    full = (1, *call.source)
    sizes = read_sizes(call.arguments["unflattened_size"], "unflattened_size", -1)
    known = prod(size for size in sizes if size != -1)
    if known > 0 and full[axis] % known == 0:
        sizes = tuple(full[axis] // known if size == -1 else size for size in sizes)
    if prod(sizes) != full[axis] or min(sizes) < 1:
        value = f"got {list(sizes)} for {full[axis]}"
        message = "unflattened_size has the elements of its axis"
        raise call.refused(
            "E120", message, value, "write sizes with that product", "unflattened_size"
        )
    return {"shape": call.node("unflattened_size", (*full[1:axis], *sizes, *full[axis + 1 :]))}


def layer_norm_keys(call: Call) -> Keys:
    given, rank = call.arguments["normalized_shape"], len(call.source)
    sizes = (
        read_sizes(given, "normalized_shape", 1)
        if isinstance(given, Sequence)
        else (read_integer(given, "normalized_shape", 1),)
    )
    if sizes != call.source[-len(sizes) :]:
        raise call.refused(
            "E114",
            "normalized_shape must equal the last sizes of the source",
            f"got {list(sizes)}, the source is {list(call.source)}",
            f"write {list(call.source)} to normalise over all of it",
            "normalized_shape",
        )
    return {"normalized_axes": call.node("normalized_shape", tuple(range(rank))[-len(sizes) :])}


def padding_keys(rank: int) -> Callable[[Call], Keys]:
    """padding of a pad of the last `rank` axes, which PyTorch gives from the last axis on."""

    def keys(call: Call) -> Keys:
        given, spatial = call.arguments["padding"], len(call.source) - 1
        if not isinstance(given, Sequence):
            numbers: list[Node] = [given] * (2 * rank)
        elif len(given.items) == 2 * rank:
            numbers = given.items
        else:
            value = f"got {len(given.items)}"
            message = f"padding of {call.name} is one integer or {2 * rank}"
            raise call.refused("E106", message, value, "begin with the last axis", "padding")
        pairs: list[Node] = [
            Sequence(numbers[at : at + 2], given.place) for at in range(0, 2 * rank, 2)
        ]
        none = [call.node("padding", (0, 0))] * (spatial - rank)
        return {"padding": Sequence([*none, *reversed(pairs)], given.place)}

    return keys


def mirrored_keys(rank: int, spare: int) -> Callable[[Call], Keys]:
    """As `padding_keys`, of values taken from the source: at most its size less `spare` of them."""

    def keys(call: Call) -> Keys:
        found = padding_keys(rank)(call)
        pairs = found["padding"]
        for size, pair in zip(call.source[1:], pairs.items if isinstance(pairs, Sequence) else ()):
            most = max(read_sizes(pair, "padding", 0))
            if most > size - spare:
                message = f"padding of {call.name} is at most {size - spare} for a size of {size}"
                raise call.refused("E116", message, f"got {most}", "pad less", "padding")
        return found

    return keys


def group_norm_keys(call: Call) -> Keys:
    groups = read_integer(call.arguments["num_groups"], "num_groups", 1)
    if call.source[0] % groups:
        value = f"got {groups} for {call.source[0]}"
        message = "num_groups divides the channels"
        raise call.refused("E111", message, value, "use a divisor of them", "num_groups")
    return {}


def instance_norm_keys(call: Call) -> Keys:
    if prod(call.source[1:]) == 1:
        value = f"the source is {list(call.source)}"
        message = f"{call.name} takes more than one position"
        raise call.refused("E119", message, value, "leave it out, or give a larger input")
    return {}
