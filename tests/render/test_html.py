"""Tables as HTML: nothing of a name becomes markup, and nothing invisible stays so."""

from __future__ import annotations

from convt_cli.render.html import as_html
from convt_cli.reports.table import CellKind, Table, column


def page(text: str) -> str:
    """A table in which `text` stands wherever a text can."""
    columns = (column("name", text), column("count", kind=CellKind.TALLY), column("empty"))
    rows = ((text, 1234, None),)
    return as_html(
        Table(title=text, columns=columns, rows=rows, total=(text, 0, None), notes=(text,))
    )


def test_markup_is_escaped() -> None:
    found = page("<b onclick='x'>&\"")
    assert "<b" not in found
    assert found.count("&lt;b onclick=&#x27;x&#x27;&gt;&amp;&quot;") == 5


def test_invisible_characters_are_shown() -> None:
    found = page("a\u202eb\x1b[2J")
    assert found.isascii()
    assert found.count("a\\u202eb\\x1b[2J") == 5


def test_cells_are_those_of_the_text_and_empty_columns_are_left_out() -> None:
    found = page("one")
    assert found.count("<th ") == 2
    assert '<td style="text-align: right">1,234</td>' in found
    assert '<td style="text-align: right">-</td>' in found
