"""The network read from a model file, whatever the file's format: `ImportedModel`.

Every format gives this one value, `text` writes it as a spec, and the command prints its
messages.  What belongs here is what a spec can say or lacks; how a format keeps it is for the
format's own folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.errors import shown

_MOST_LISTED = 3
"""How many names a message lists before it says "and more"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLayer:
    """A layer of the spec to be written, its shapes resolved.

    `keys` are the spec's keys with the values to write, weights by reference into the model's
    file.  `sources` are numbers of inputs and layers, `output` is (channels, *spatial), and
    `value` is the model's name for it.  `stands_for` names the model's operation where the layer
    has its shapes and not its numbers.
    """

    name: str
    type: str
    sources: tuple[int, ...]
    keys: dict[str, Any]
    output: Shape
    value: str = ""
    stands_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """A model file as a network: numbered inputs and layers, and what the spec will not say.

    `origin` is what the file is, in words such as "an ONNX model", and `producer` the program
    that wrote it, "" where the file does not say.  `rules` are the framework's, under which
    the shapes were resolved.

    Inputs are numbered from 0, layers from there on; `sources` of layers and `outputs` use these
    numbers.  `outputs` are by the model's names for them, the main one first.

    `notes` counts, by its text, how often something is said differently than in the model.
    `unused` are sentences about what no output depends on, and `cuts` about what the spec lacks;
    `left_out` counts the nodes that were cut.
    """

    origin: str
    producer: str
    rules: Framework
    inputs: tuple[tuple[str, Shape], ...]
    layers: dict[int, ImportedLayer]
    outputs: dict[str, int]
    notes: dict[str, int]
    unused: tuple[str, ...]
    cuts: tuple[str, ...]
    left_out: int

    @property
    def messages(self) -> tuple[str, ...]:
        """What to tell about the spec: further outputs, what stands in, what is missing."""
        return tuple(self._messages())

    def _messages(self) -> Iterator[str]:
        main, *others = self.outputs or [""]
        if others:
            listed = ", ".join(map(shown, others))
            yield f"note: the spec's output is {shown(main)}; also computed: {listed}"
        yield from (f"note: {note}, {_times(count)}" for note, count in self.notes.items())
        yield from (f"note: {sentence}" for sentence in self.unused)
        yield from (f"cut: {cut}" for cut in self.cuts)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def counted_names(names: list[str], what: str, count: int) -> str:
    """How many of `what` there are, and the first of their names.

    >>> counted_names(["a"], "input", 1), counted_names(["a", "b", "c", "d"], "input", 4)
    ('1 input (a)', '4 inputs (a, b, c and more)')
    """
    listed = ", ".join(names[:_MOST_LISTED]) + (" and more" if len(names) > _MOST_LISTED else "")
    return f"{count:,} {what}{'s' if count > 1 else ''} ({listed})"
