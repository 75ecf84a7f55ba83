"""A network by the names of its layers, as a table, as text and as HTML."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from convt_cli import Layer, load_spec
from convt_cli.arithmetic.network import Network as ResolvedNetwork
from convt_cli.errors import RequestError
from convt_cli.spec.load import load_spec as load_resolved
from tests.conftest import Run, WriteSpec

TEXT = """
    name: two <b>bold</b> layers
    input: [2, 9, 8]
    layers:
      - {name: "down<script>", type: conv, out_channels: 4, kernel_size: 3, expect: [4, 7, 6]}
      - {name: act, type: relu}
      - {name: up, type: conv_transpose, out_channels: 1, kernel_size: 2, stride: 2}
    """


class Cells(HTMLParser):
    """The texts and the tags of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


class TestLayers:
    def test_by_name(self, spec: WriteSpec) -> None:
        network = load_spec(spec(TEXT))
        assert [network[one.name] for one in network.layers] == list(network.layers)
        assert [one.name for one in network.matrix_layers] == ["down<script>", "up"]
        assert all(isinstance(one, Layer) for one in (*network.layers, *network.matrix_layers))

    @pytest.mark.parametrize("error", [KeyError, RequestError])
    def test_an_unknown_name_names_the_closest(
        self, spec: WriteSpec, error: type[Exception]
    ) -> None:
        with pytest.raises(error) as caught:
            load_spec(spec(TEXT))["upp"]
        assert str(caught.value) == (
            "two <b>bold</b> layers has no layer 'upp': did you mean 'up'?"
        )

    def test_all_that_resolving_found_is_there(self, spec: WriteSpec) -> None:
        """The same values, though of richer types, which are therefore not equal."""
        path = spec(TEXT)
        found, resolved = load_spec(path), load_resolved(path)
        assert isinstance(found, ResolvedNetwork)
        for name in ("spec", "name", "rules", "inputs", "warnings", "output", "weight_files"):
            assert getattr(found, name) == getattr(resolved, name)
        for one, other in zip(found.layers, resolved.layers, strict=True):
            assert repr(one).partition("(")[2] == repr(other).partition("(")[2]


class TestTable:
    def test_the_repr_is_what_shapes_prints(self, run: Run, spec: WriteSpec) -> None:
        path = spec(TEXT)
        assert f"{load_spec(path)}\n" == run("shapes", path).out

    def test_the_table_has_the_rows_of_shapes(self, run: Run, spec: WriteSpec) -> None:
        path = spec(TEXT)
        table = load_spec(path).table()
        names = [column.name for column in table.columns]
        (document,) = run("shapes", path, "--format", "json").document["networks"]
        rows = [dict(zip(names, row, strict=True)) for row in table.rows]
        assert [row["layer"] for row in rows] == [one["name"] for one in document["layers"]]
        for row, one in zip(rows, document["layers"], strict=True):
            for key in ("type", "parameters", "multiply_adds", "activations"):
                assert row[key] == one[key]
            assert row["output"] == tuple(one["output"])
            assert row["receptive_field"] == tuple(one["receptive_field"])
            assert row["nnz"] == one.get("nnz")

    def test_html_has_the_cells_and_no_markup_of_a_name(self, run: Run, spec: WriteSpec) -> None:
        path = spec(TEXT)
        page = Cells(load_spec(path)._repr_html_())
        assert {"script", "b"}.isdisjoint(page.tags)
        assert page.tags.count("tr") == 5  # the titles, three layers, the total
        shown = run("shapes", path).out
        words = [text for text in page.texts if text.strip()]
        assert {"down<script>", "4×7×6", "multiply adds"} <= set(words)
        assert all(word in shown for word in words)
