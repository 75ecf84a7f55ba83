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
from convt_cli.spec.values import Refusal, read_flag, read_integer, read_real, read_sizes

_MOST_WRITTEN = 4096
"""The most numbers of a weight that stand in a layer's keys."""

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

    def node(self, name: str, value: float | str | tuple[float, ...]) -> Node:
        """A value that follows from the argument `name`, and has its place."""
        place = self.arguments[name].place if name in self.arguments else self.place
        if isinstance(value, tuple):
            return Sequence([Scalar(one, str(one), place) for one in value], place)
        return Scalar(value, str(value), place)

    def integer(self, name: str, default: int) -> int:
        """An argument that is an integer, also below 0.  Raises Refusal."""
        given = self.arguments.get(name)
        return default if given is None else read_integer(given, name, -(2**53))

    def number(self, name: str, default: float) -> float:
        """An argument that is a finite number.  Raises Refusal."""
        given = self.arguments.get(name)
        return default if given is None else read_real(given, name, None)

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
    """output_size, where None keeps the source's size; of one axis PyTorch takes none."""
    given = call.arguments.get("output_size")
    sizes = call.source[1:]
    if not isinstance(given, Sequence):
        return {"output_size": given or call.node("output_size", sizes)}
    is_kept = [isinstance(one, Scalar) and one.value is None for one in given.items]
    if len(sizes) == 1 and any(is_kept):
        message = f"the output_size of {call.name} is an integer"
        raise call.refused("E107", message, "got None", f"write {sizes[0]}", "output_size")
    filled = [
        call.node("output_size", size) if kept else one
        for one, size, kept in zip(given.items, sizes, is_kept)
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
    axes = tuple(range(rank))[-len(sizes) :]
    return {"normalized_axes": call.node("normalized_shape", axes), **norm_keys(call)}


def norm_keys(call: Call) -> Keys:
    """bias, where it is false: else it goes with affine."""
    given = call.arguments.get("bias")
    return {} if given is None or read_flag(given, "bias") else {"bias": given}


def linear_keys(call: Call) -> Keys:
    """The last axis, of a source that has several."""
    last = len(call.source) - 1
    return {"axis": call.node("in_features", last)} if last else {}


def softmax_keys(call: Call) -> Keys:
    """axis; without a dim PyTorch takes the batch of a source with one spatial axis."""
    return {"axis": call.node("dim", call.axis("dim", 0 if len(call.source) == 2 else 1) - 1)}


def bound_keys(least: int, greatest: int) -> Callable[[Call], Keys]:
    """minimum and maximum of a clip: min_val and max_val, or else `least` and `greatest`."""

    def keys(call: Call) -> Keys:
        low, high = call.number("min_val", least), call.number("max_val", greatest)
        if low >= high:
            message, value = "min_val is less than max_val", f"got {low:g} and {high:g}"
            raise call.refused("E107", message, value, "exchange them", "min_val")
        return {"minimum": call.node("min_val", low), "maximum": call.node("max_val", high)}

    return keys


def random_slope_keys(call: Call) -> Keys:
    """alpha of a leaky_relu: the mean of the slopes that are drawn in training."""
    lower, upper = call.number("lower", 1 / 8), call.number("upper", 1 / 3)
    return {"alpha": call.node("lower", (lower + upper) / 2)}


def prelu_keys(call: Call) -> Keys:
    """num_parameters, and the weight that they all begin with where it is not the layer's own."""
    slopes = call.integer("num_parameters", 1)
    if slopes not in (1, call.source[0]):
        value = f"got {slopes}, the source is {list(call.source)}"
        message = "num_parameters is 1 or the channels of the source"
        raise call.refused("E111", message, value, f"use 1 or {call.source[0]}", "num_parameters")
    keys = {"num_parameters": call.node("num_parameters", slopes)}
    if "init" not in call.arguments:
        return keys
    if slopes > _MOST_WRITTEN:
        message = f"an init is written out for at most {_MOST_WRITTEN:,} slopes"
        raise call.refused("E505", message, f"got {slopes:,}", "leave it out", "init")
    return {**keys, "weight": call.node("init", (call.number("init", 0),) * slopes)}


def padding_keys(rank: int, mode: str = "zeros") -> Callable[[Call], Keys]:
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
        padding = Sequence([*none, *reversed(pairs)], given.place)
        return {"padding": padding, "mode": call.node("padding", mode)}

    return keys


def instance_norm_keys(call: Call) -> Keys:
    if prod(call.source[1:]) == 1:
        value = f"the source is {list(call.source)}"
        message = f"{call.name} takes more than one position"
        raise call.refused("E119", message, value, "leave it out, or give a larger input")
    return norm_keys(call)
