"""What came of a graph: the layers of a spec, and what has to be told about them."""

from __future__ import annotations

from dataclasses import dataclass

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import shown
from convt_cli.models.onnx.operation import ImportedLayer

_MOST_LISTED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What came of a graph: inputs and layers by their numbers, which `sources` refer to.

    `outputs` are the numbers that give the model's outputs, by the outputs' names, the main one
    first.  `notes` counts what the spec says differently, `idle` tells what no output depends
    on, and `cuts` what the spec lacks, of which `left_out` counts the nodes.
    """

    opset: int
    inputs: tuple[tuple[str, Shape], ...]
    layers: dict[int, ImportedLayer]
    outputs: dict[str, int]
    notes: dict[str, int]
    idle: tuple[str, ...]
    cuts: tuple[str, ...]
    left_out: int
    producer: str

    @property
    def messages(self) -> tuple[str, ...]:
        """What to tell about the spec: further outputs, what stands in, what is missing."""
        main, *others = self.outputs or [""]
        listed = ", ".join(map(shown, others))
        return (
            *(
                [f"note: the spec's output is {shown(main)}; also computed: {listed}"]
                * bool(others)
            ),
            *(f"note: {note}, {_times(count)}" for note, count in self.notes.items()),
            *(f"note: {idle}" for idle in self.idle),
            *(f"cut: {cut}" for cut in self.cuts),
        )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def counted_names(names: list[str], what: str, count: int) -> str:
    """How many there are, and the first of them.

    >>> counted_names(["a"], "input", 1), counted_names(["a", "b", "c", "d"], "input", 4)
    ('1 input (a)', '4 inputs (a, b, c and more)')
    """
    listed = ", ".join(names[:_MOST_LISTED]) + (" and more" if len(names) > _MOST_LISTED else "")
    return f"{count:,} {what}{'s' if count > 1 else ''} ({listed})"
