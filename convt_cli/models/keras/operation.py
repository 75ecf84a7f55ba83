"""One call of a layer, its settings, and the layers of a spec that it becomes.

Keras counts axes with the batch, and may have the channels last.  A spec has no batch, and the
channels first; so all activations of a model with the channels last have Keras's last axis in
front.  A layer of the other format gets its axes transposed, and back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isfinite
from typing import Any

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.arithmetic.keys import FileReference, Inline
from convt_cli.models.keras.config import field
from convt_cli.models.keras.graph import Found, Node, Reference
from convt_cli.models.keras.variables import names_of
from convt_cli.models.translation import Activation, Cut, Translation

Value = Activation
"""What a call can read or give."""


class Operation(Translation):
    """A call; translators ask for its settings by Keras's names."""

    def __init__(
        self,
        node: Node,
        values: Mapping[str, Activation | Cut],
        rules: Framework,
        reference: str,
        first: int,
        *,
        channels_last: bool,
        is_keras_2: bool,
    ) -> None:
        """`reference` is the model's file as weights name it, `first` the first layer's number."""
        super().__init__(node.path, node.operator, rules, first)
        self.node = node
        self.config = node.layer.config
        self.is_keras_2 = is_keras_2
        self._channels_last = channels_last
        self._reference = reference
        self._arguments = [_value(one, values) for one in node.arguments]
        self._named = {
            key: [_value(one, values) for one in some] for key, some in node.named.items()
        }

    @property
    def arguments(self) -> list[Activation | Found]:
        """What the layer is called with: activations and numbers, those without a name first."""
        return [*self._arguments, *(one for some in self._named.values() for one in some)]

    @property
    def sources(self) -> list[Activation]:
        """The activations that the layer is called with.  Raises Untranslatable for none."""
        found = [one for one in self._arguments if isinstance(one, Activation)]
        if not found:
            self.refuse("it reads no activation")
        self.require_one_batch(found)
        return found

    @property
    def source(self) -> Activation:
        """The one activation that the layer is called with.  Raises Untranslatable."""
        first, *others = self.sources
        if others:
            self.refuse(f"it reads {len(others) + 1} activations")
        return first

    def is_training(self) -> bool:
        """Whether the layer is called as in training."""
        return self._named.get("training") == [True]

    # its settings

    def setting(self, *names: str) -> Any:
        """The first setting of these names that is there and not null; None without one."""
        given = (self.config.get(name) for name in names)
        return next((value for value in given if value is not None), None)

    def count(self, name: str, default: int | None = None) -> int:
        """A setting that is an integer above 0.  Raises FileError (E405), Untranslatable."""
        value = self.integer(name, default)
        if value < 1:
            self.refuse(f"its {name} is {value}", code="E107")
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        """A setting that is an integer.  Raises FileError (E405)."""
        value = self.setting(name)
        return field({name: default if value is None else value}, name, int)

    def flag(self, name: str, *, default: bool = False) -> bool:
        """A setting that is true or false.  Raises FileError (E405)."""
        value = self.setting(name)
        return default if value is None else field({name: value}, name, bool)

    def word(self, name: str, *choices: str) -> str:
        """A setting that is one of `choices`, the first one by default.  Raises Untranslatable."""
        value = self.setting(name)
        found = choices[0] if value is None else field({name: value}, name, str).lower()
        if found not in choices:
            self.refuse(f"its {name} is {found}")
        return found

    def number(self, default: float, *names: str) -> float:
        """A setting that is a finite number.  Raises Untranslatable."""
        value = _unpacked(self.setting(*names))
        value = default if value is None else value
        if not isinstance(value, int | float) or not isfinite(value):
            self.refuse(f"its {names[0]} is not a number")
        return float(value)

    def per_axis(
        self, name: str, rank: int, default: int | None = None, *, minimum: int = 1
    ) -> Shape:
        """A setting with an integer for each of `rank` axes.  Raises Untranslatable."""
        value = self.setting(name)
        values = value if isinstance(value, list) else [default if value is None else value]
        values = values * rank if len(values) == 1 else values
        sizes = tuple(field({name: one}, name, int) for one in values)
        if len(sizes) != rank:
            self.refuse(f"its {name} has {len(sizes)} entries for {rank} axes", code="E106")
        if min(sizes, default=minimum) < minimum:
            self.refuse(f"its {name} is {list(sizes)}", code="E107")
        return sizes

    def pairs(self, name: str, rank: int) -> tuple[tuple[int, int], ...]:
        """A setting of (before, after) pairs: for all axes, for each, or one for one axis."""
        value = self.setting(name)
        if isinstance(value, list) and rank == 1 and len(value) == 2:
            value = [value] if not isinstance(value[0], list) else value
        listed = value if isinstance(value, list) else [value] * rank
        if len(listed) != rank:
            self.refuse(f"its {name} has {len(listed)} entries for {rank} axes", code="E106")
        found = []
        for one in listed:
            pair = one if isinstance(one, list) else [one, one]
            sizes = tuple(field({name: size}, name, int) for size in pair)
            if len(sizes) != 2 or min(sizes) < 0:
                self.refuse(f"its {name} is {list(sizes)}", code="E107")
            found.append((sizes[0], sizes[1]))
        return tuple(found)

    # its axes

    def axis(self, number: int, source: Activation) -> int:
        """An axis as a spec counts it, of one that Keras counts.  Raises Untranslatable."""
        rank = len(source.shape)
        own = self.counted(number, rank + 1)
        if own == 0:
            self.refuse("it works along the batch")
        if not self._channels_last:
            return own - 1
        return 0 if own == rank else own

    def axes(self, name: str, source: Activation, default: int) -> list[int]:
        """The axes, as a spec counts them, that a setting names.  Raises Untranslatable."""
        value = self.setting(name)
        listed = value if isinstance(value, list) else [default if value is None else value]
        return [self.axis(field({name: one}, name, int), source) for one in listed]

    def own_shape(self, source: Activation) -> Shape:
        """The shape in the order that Keras has."""
        return tuple(source.shape[axis] for axis in self.axes_of_own(source))

    def axes_of_own(self, source: Activation) -> Shape:
        """Keras's axes in their order, as a spec counts them."""
        rank = len(source.shape)
        return (*range(1, rank), 0) if self._channels_last else tuple(range(rank))

    def ordered(self, source: Activation, axes: Shape) -> Activation:
        """`source` with its axes in this order; itself where no element moves by that."""
        moved = [axis for axis in axes if source.shape[axis] > 1]
        return source if moved == sorted(moved) else self.layer("transpose", source, axes=axes)

    def from_own_shape(self, shape: Shape) -> Shape:
        """The shape in a spec of one in Keras's order."""
        return (shape[-1], *shape[:-1]) if self._channels_last else shape

    def channels_front(self, source: Activation) -> Activation:
        """`source` with the channels of the layer's own format in front."""
        last = len(source.shape) - 1
        if not self._is_of_other_format or not last:
            return source
        # of a model with the channels last, Keras's first axis is the second, and so on
        order = (*range(1, last + 1), 0) if self._channels_last else (last, *range(last))
        return self.layer("transpose", source, axes=order)

    def channels_back(self, given: Activation) -> Activation:
        """What `channels_front` has done undone."""
        last = len(given.shape) - 1
        if not self._is_of_other_format or not last:
            return given
        order = (last, *range(last)) if self._channels_last else (*range(1, last + 1), 0)
        return self.layer("transpose", given, axes=order)

    @property
    def _is_of_other_format(self) -> bool:
        default = "channels_last" if self._channels_last else "channels_first"
        return self.word("data_format", default, "channels_last", "channels_first") != default

    def reshaped(self, source: Activation, target: Shape) -> Activation:
        """The elements of `source`, in the order that Keras has them, in Keras's shape `target`."""
        own = self.own_shape(source)
        shape = self.from_own_shape(target)
        if not self._channels_last or own[-1] == target[-1]:
            return self._in_shape(source, shape)
        source = self.ordered(source, self.axes_of_own(source))
        if len(target) == 1 or target[-1] == 1:
            return self._in_shape(source, shape)
        apart = self.layer("reshape", source, shape=target)
        return self.layer("transpose", apart, axes=(len(target) - 1, *range(len(target) - 1)))

    def _in_shape(self, source: Activation, shape: Shape) -> Activation:
        return self.in_shape(source, (source.batch, *shape))

    # the layers that it becomes

    def variable(self, name: str, **rearranged: Any) -> FileReference:
        """The place of a variable in the model's file.  Raises Untranslatable without it."""
        if name not in names_of(self.node.layer):
            self.refuse(f"it has no {name}")
        key = f"{self.node.path}/{name}"
        return FileReference(file=self._reference, key=key, **rearranged)

    def bias(self) -> bool | FileReference:
        """The key of a bias: its place, or False."""
        return self.variable("bias") if self.flag("use_bias", default=True) else False

    def called(self, given: Activation, part: str) -> Activation:
        """`given`, whose layer is called NAME/PART where it is not the last of several."""
        self.layers[-1] = replace(self.layers[-1], name=part)
        return given

    def scaled(self, source: Activation, factor: float, addend: float = 0) -> Activation:
        """`source` times a number plus a number, as a layer unless that changes nothing."""
        numbers = {"weight": (factor, 1), "bias": (addend, 0)}
        if not isfinite(factor) or not isfinite(addend):
            self.refuse(f"it multiplies by {factor} and adds {addend}")
        keys = {
            key: Inline(shape=(), values=(float(number),))
            for key, (number, nothing) in numbers.items()
            if number != nothing
        }
        return self.layer("scale", source, **keys) if keys else source

    def along(
        self, source: Activation, axis: int, step: Callable[[Activation], Activation]
    ) -> Activation:
        """`step` on `source` with `axis` in the place of the channels, and back."""
        if axis == 0:
            return step(source)
        order = self._exchanged(len(source.shape), axis)
        given = step(self.layer("transpose", source, axes=order))
        return self.layer("transpose", given, axes=order)

    @staticmethod
    def _exchanged(rank: int, axis: int) -> Shape:
        order = list(range(rank))
        order[0], order[axis] = axis, 0
        return tuple(order)


def numbers_in(value: object) -> list[float] | None:
    """The numbers of a setting in nested lists, one after the other; None for another setting."""
    value = _unpacked(value)
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return [float(value)]
    if not isinstance(value, list):
        return None
    found: list[float] = []
    for one in value:
        inner = numbers_in(one)
        if inner is None:
            return None
        found.extend(inner)
    return found


def _unpacked(value: object) -> object:
    """A number or a list as it is, out of the mapping in which Keras writes an array."""
    if isinstance(value, dict):
        inner = value.get("config")
        return inner.get("value") if isinstance(inner, dict) else value.get("value")
    return value


def _value(argument: Found, values: Mapping[str, Activation | Cut]) -> Activation | Found:
    if not isinstance(argument, Reference):
        return argument
    value = values[argument.name]
    return value if isinstance(value, Activation) else None


def inline(values: Sequence[float]) -> Inline:
    """Numbers as a spec writes them: one for all channels, or a list."""
    shape = () if len(values) == 1 else (len(values),)
    return Inline(shape=shape, values=tuple(map(float, values)))


Translator = Callable[[Operation], Activation]
"""Adds the layers that a call turns into, and returns what they give."""
