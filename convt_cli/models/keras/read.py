"""What the formats of Keras offer to `models.load`: a file as a network, in one call."""

from __future__ import annotations

from collections.abc import Mapping

from convt_cli.arithmetic.convolution import Shape
from convt_cli.io.reading import open_regular
from convt_cli.models.imported import ImportedModel
from convt_cli.models.keras.convert import convert
from convt_cli.models.keras.document import read_document
from convt_cli.models.keras.graph import read_graph


def read_model(
    path: str,
    reference: str,
    *,
    override: Mapping[str, Shape],
    partial: bool,
    allow_outside: bool,  # noqa: ARG001  # of the interface; a Keras model names no other files
) -> ImportedModel:
    """The network in the file `path`; see `convt_cli.models.formats.Format`."""
    document = read_document(path, open_regular)
    graph = read_graph(document.model, document.version)
    return convert(graph, reference, override=override, partial=partial)
