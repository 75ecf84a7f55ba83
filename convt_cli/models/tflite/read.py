"""What the format .tflite offers to `models.load`: a file as a network, in one call."""

from __future__ import annotations

from collections.abc import Mapping

from convt_cli.arithmetic.convolution import Shape
from convt_cli.io.reading import open_regular
from convt_cli.models.imported import ImportedModel
from convt_cli.models.tflite.convert import convert
from convt_cli.models.tflite.flatbuffer import Bytes
from convt_cli.models.tflite.graph import read_graph


def read_model(
    path: str,
    reference: str,
    *,
    override: Mapping[str, Shape],
    partial: bool,
    allow_outside: bool,  # noqa: ARG001  # of the interface; a .tflite file names no other files
) -> ImportedModel:
    """The network in the `.tflite` file `path`; see `convt_cli.models.formats.Format`."""
    with open_regular(path) as file:
        graph = read_graph(Bytes(file, path))
        return convert(graph, reference, override=override, partial=partial)
