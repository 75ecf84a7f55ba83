"""The tables of code lines know the same frameworks as the table of frameworks."""

from __future__ import annotations

import pytest

from convt_cli.arithmetic.dialects.frameworks import FRAMEWORKS
from convt_cli.reports import code_lines
from convt_cli.reports.code_lines import code_line, target_of
from convt_cli.reports.code_lines.resizing import ADAPTIVE
from tests.written import layer_of


def test_every_framework_has_a_writer_of_lines() -> None:
    assert set(code_lines.WRITERS) == set(FRAMEWORKS)


def test_adaptive_modules_are_known_where_there_are_adaptive_pools() -> None:
    assert set(ADAPTIVE) == {name for name, one in FRAMEWORKS.items() if one.adaptive_pools}


@pytest.mark.parametrize("layer_type", ["conv", "max_pool"])
def test_a_framework_without_a_writer_is_no_error(layer_type: str) -> None:
    keys = {"out_channels": 1} if layer_type == "conv" else {}
    layer = layer_of("pytorch", layer_type, (1, 4), {"kernel_size": 2, **keys})
    line = code_line(target_of(layer, FRAMEWORKS["pytorch"]), "mxnet")
    assert (line.text, line.reason) == (None, "convt writes no code for mxnet")
