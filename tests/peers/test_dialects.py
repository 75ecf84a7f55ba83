"""The real frameworks, live: other configurations than those kept in the reference file.

Each tool is skipped by its name where it is not installed; they live in two environments.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.dialects import TRUTH, case_of, expected, ours
from tests.peers.cases import Case
from tests.peers.drawing import drawn
from tests.peers.frameworks import TOOLS, Tool
from tests.peers.make_cases import DRAWN, Record, read, result_of

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),
]

BEYOND = 1000
"""The file's configurations are numbered below this."""
LIVE = 120
"""How many configurations of each type are asked about."""

RECORDS = read()


def live(tool: str, layer_type: str) -> list[Any]:
    framework = TOOLS[tool].framework
    return [
        pytest.param(tool, drawn(framework, layer_type, number), id=f"{tool}-{layer_type}-{number}")
        for number in range(BEYOND, BEYOND + LIVE)
    ]


FOLLOWED = [tool for tool in TRUTH.values() if tool in TOOLS]


def require(tool: str) -> Tool:
    if not TOOLS[tool].installed:
        pytest.skip(f"{TOOLS[tool].module} is not installed")
    return TOOLS[tool]


def assert_agree(mine: list[Any] | None, theirs: list[Any] | None) -> None:
    assert (mine is None) == (theirs is None)
    if mine is not None and theirs is not None:
        known = min(len(mine), len(theirs))
        assert mine[:known] == theirs[:known]


@pytest.mark.parametrize(
    ("tool", "case"), [each for tool in FOLLOWED for kind in DRAWN for each in live(tool, kind)]
)
def test_convt_answers_as_the_framework(tool: str, case: Case) -> None:
    require(tool)
    said = result_of(tool, case)
    if said is None:
        pytest.skip("the framework has no argument for this")
    assert_agree(ours(case), expected(case, said))


@pytest.mark.parametrize(
    ("tool", "record"),
    [(tool, record) for record in RECORDS for tool in record["results"] if tool in TOOLS],
)
def test_the_reference_file_is_what_the_tools_say(tool: str, record: Record) -> None:
    """But for the words of a refusal, which change with the version."""
    require(tool)
    kept, said = record["results"][tool], result_of(tool, case_of(record))
    assert isinstance(kept, str) == isinstance(said, str)
    if not isinstance(kept, str):
        assert kept == said
