"""What the ONNX format offers to `models.load`: a file as a network, in one call."""

from __future__ import annotations

from collections.abc import Mapping

from convt_cli.arithmetic.convolution import Shape
from convt_cli.models.imported import ImportedModel
from convt_cli.models.onnx.convert import convert
from convt_cli.models.onnx.file import open_model


def read_model(
    path: str,
    reference: str,
    *,
    override: Mapping[str, Shape],
    partial: bool,
    allow_outside: bool,
) -> ImportedModel:
    """The network in the ONNX file `path`; see `convt_cli.models.formats.Format`."""
    graph = open_model(path, allow_outside=allow_outside).graph
    return convert(graph, reference, override=override, partial=partial)
