"""The network read from a model file, whatever the file's format: `ImportedModel`.

Every format gives this one value, `text` writes it as a spec, and the command prints its
messages.  What belongs here is what a spec can say or lacks; how a format keeps it is for the
format's own folder.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote
from typing import Any

from convt_cli.arithmetic.convolution import Shape
from convt_cli.arithmetic.dialects.frameworks import Framework
from convt_cli.errors import Diagnostic, RequestError, shown

UNSAYABLE = "E505"
"""The code of what no layer type does; other codes are those of rules that a layer would break."""

_MOST_LISTED = 3
"""How many names a message lists before it says "and more"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """What the spec cannot say, where that begins: an operation or an output of the model.

    `title` names the first place and `layer` the node there, "" for none.  `count` places have
    the same `operator` and `reason`.  `code` is that of the rule that a layer would break.
    """

    title: str
    layer: str
    operator: str
    reason: str
    help: str = "--partial keeps the layers that do not depend on it"
    code: str = UNSAYABLE
    count: int = 1

    @property
    def message(self) -> str:
        """The rule that is broken."""
        if self.code == UNSAYABLE:
            return f"{self.title} cannot be said in a spec"
        return f"{self.title} is not legal"

    @property
    def value(self) -> str:
        """Why, and in how many more places."""
        others = f" (and {self.count - 1:,} more {self.operator})" if self.count > 1 else ""
        return f"{shown(self.reason)}{others}"

    def __str__(self) -> str:
        return f"{self.title}: {self.value}"


class Unsayable(RequestError):
    """A model that a spec cannot say in full; `causes` are all reasons, the first cause first."""

    def __init__(self, causes: tuple[Cause, ...]) -> None:
        first = causes[0]
        super().__init__(first.code, first.message, value=first.value, help=first.help)
        self.causes = causes

    def diagnostics(self, path: str, *, is_resized: bool) -> tuple[Diagnostic, ...]:
        """Every cause as a problem of the file `path`; `is_resized` if an input was given sizes."""
        sizes = f"`convt solve --sizes {quote(path)}` says which input sizes fit"
        return tuple(
            Diagnostic(
                code=cause.code,
                spec=path,
                line=0,
                column=0,
                width=1,
                layer=cause.layer or None,
                message=cause.message,
                value=cause.value,
                help=sizes if is_resized and cause.code != UNSAYABLE else cause.help,
                excerpt="",
            )
            for cause in self.causes
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedLayer:
    """A layer of the spec to be written, its shapes resolved.

    `keys` are the spec's keys with the values to write, weights by reference into the model's
    file.  `sources` are numbers of inputs and layers, `output` is (channels, *spatial), and
    `value` is the model's name for it.  `stands_for` names the model's operation where the layer
    has its shapes and not its numbers.  `pool` is the number of the max_pool that a max_unpool
    undoes; its keys hold the pool's definition.
    """

    name: str
    type: str
    sources: tuple[int, ...]
    keys: dict[str, Any]
    output: Shape
    value: str = ""
    stands_for: str | None = None
    pool: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedModel:
    """A model file as a network: numbered inputs and layers, and what the spec will not say.

    `origin` is what the file is, in words such as "an ONNX model", and `producer` the program
    that wrote it, "" where the file does not say.  `rules` are the framework's, under which
    the shapes were resolved.

    Inputs are numbered from 0, layers from there on; `sources` of layers and `outputs` use these
    numbers.  `outputs` are by the model's names for them, the main one first.

    `notes` counts, by its text, how often something is said differently than in the model.
    `unused` are sentences about what no output depends on.  `causes` say why the spec lacks
    something; `left_out` counts the nodes that were cut, with all that depend on them, and `nodes`
    those of the model.
    """

    origin: str
    producer: str
    rules: Framework
    inputs: tuple[tuple[str, Shape], ...]
    layers: dict[int, ImportedLayer]
    outputs: dict[str, int]
    notes: dict[str, int]
    unused: tuple[str, ...]
    causes: tuple[Cause, ...]
    left_out: int
    nodes: int

    @property
    def messages(self) -> tuple[str, ...]:
        """What to tell about the spec: what stands in, what is missing."""
        return tuple(self._messages())

    def _messages(self) -> Iterator[str]:
        yield from (f"note: {note}, {_times(count)}" for note, count in self.notes.items())
        yield from (f"note: {sentence}" for sentence in self.unused)
        if self.causes:
            yield f"cut: {self.cut}"

    @property
    def differences(self) -> str:
        """What the spec says differently than the model, in one line; "" for nothing."""
        said = [f"{note}, {_times(count)}" for note, count in self.notes.items()]
        return _first_of([*said, *self.unused], "more difference")

    @property
    def cut(self) -> str:
        """One sentence: how much of the model the spec lacks, and the first causes."""
        first = _first_of(list(map(str, self.causes)), "more cause")
        what = f"{self.left_out:,} of its {_counted(self.nodes, 'node')}"
        if not self.left_out:  # an output can be left out although no node is
            what = _counted(len(self.causes), "output")
        return f"{what}, because of {first}"


def _first_of(said: list[str], what: str) -> str:
    """The first of some sentences, and how many more there are, called `what`."""
    others = len(said) - _MOST_LISTED
    more = [f"and {_counted(others, what)}"] if others > 0 else []
    return "; ".join([*said[:_MOST_LISTED], *more])


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' if count > 1 else ''}"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def counted_names(names: list[str], what: str, count: int) -> str:
    """How many of `what` there are, and the first of their names.

    >>> counted_names(["a"], "input", 1), counted_names(["a", "b", "c", "d"], "input", 4)
    ('1 input (a)', '4 inputs (a, b, c and more)')
    """
    listed = ", ".join(names[:_MOST_LISTED]) + (" and more" if len(names) > _MOST_LISTED else "")
    return f"{_counted(count, what)} ({listed})"
