"""What the format .pt2 offers to `models.load`: a file as a network, in one call."""

from __future__ import annotations

from collections.abc import Mapping

from convt_cli.arithmetic.convolution import Shape
from convt_cli.models.imported import ImportedModel
from convt_cli.models.pt2.archive import open_archive
from convt_cli.models.pt2.convert import convert
from convt_cli.models.pt2.graph import read_graph


def read_model(
    path: str,
    reference: str,
    *,
    override: Mapping[str, Shape],
    partial: bool,
    allow_outside: bool,  # noqa: ARG001  # of the interface; a .pt2 file names no other files
) -> ImportedModel:
    """The network in the `.pt2` file `path`; see `convt_cli.models.formats.Format`."""
    with open_archive(path) as archive:
        graph = read_graph(archive)
    return convert(graph, reference, override=override, partial=partial)
