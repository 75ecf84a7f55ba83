"""A spec as a graph: its sizes stay open, all else must be right."""

from __future__ import annotations

import pytest

from convt_cli.errors import FileError, RequestError, SpecError
from convt_cli.spec.open_network import load_open_network
from tests.conftest import WriteSpec

OPEN = """
    input: [1, 5, 5]
    layers:
      - {name: p, type: max_pool, kernel_size: 2}
      - {name: u, type: max_unpool, pool: p}
      - {type: add, from: [p, u]}
    """


class TestGraph:
    def test_need_not_close(self, spec: WriteSpec) -> None:
        graph = load_open_network(spec(OPEN))
        assert [(step.name, step.sources) for step in graph.layers] == [
            ("p", ("input",)),
            ("u", ("p", "input")),
            ("add1", ("p", "u")),
        ]
        assert graph.shapes_on(dict(graph.inputs)).refused is not None

    def test_has_the_name_and_the_input_that_it_is_given(self, spec: WriteSpec) -> None:
        graph = load_open_network(spec(OPEN, "open.yaml"), input={"": (1, 8, 8)})
        assert (graph.name, graph.inputs) == ("open", (("input", (1, 8, 8)),))

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            ("{type: relay}", "E104"),
            ("{type: conv, out_channels: 3, kernel_size: 1, groups: 2}", "E111"),
            ("{type: relu, from: nowhere}", "E108"),
        ],
    )
    def test_tells_what_no_size_would_mend(self, spec: WriteSpec, line: str, code: str) -> None:
        with pytest.raises(SpecError) as caught:
            load_open_network(spec(f"input: [2, 5]\nlayers:\n  - {line}\n"))
        assert caught.value.code == code

    def test_refuses_what_cannot_be_read(self, spec: WriteSpec) -> None:
        with pytest.raises(FileError):
            load_open_network("missing.yaml")
        with pytest.raises(RequestError):
            load_open_network(spec(OPEN), input={"other": (1, 5, 5)})
