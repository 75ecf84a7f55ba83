"""The real frameworks, live: other configurations than those kept in the reference file.

Each tool is skipped by its name where it is not installed; they live in two environments.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import pytest

from tests.dialects import TRUTH, case_of, expected, ours
from tests.peers.cases import Case
from tests.peers.drawing import drawn
from tests.peers.frameworks import TOOLS
from tests.peers.make_cases import DRAWN, PATH, Result, result_of
from tests.records import Record, read
from tests.rows import assert_each

pytestmark = [
    pytest.mark.peers,
    pytest.mark.filterwarnings("ignore"),
]

BEYOND = 1000
"""The file's configurations are numbered below this."""
LIVE = 120
"""How many configurations of each type are asked about; some tools have no argument for some."""

RECORDS = read(PATH)


def live(tool: str) -> Iterator[tuple[Case, Result]]:
    """Configurations of every type that the tool can be asked, and what it says."""
    framework = TOOLS[tool].framework
    for layer_type, number in product(DRAWN, range(BEYOND, BEYOND + LIVE)):
        case = drawn(framework, layer_type, number)
        said = result_of(tool, case)
        if said is not None:
            yield case, said


FOLLOWED = [tool for tool in TRUTH.values() if tool in TOOLS]


def require(tool: str) -> None:
    if not TOOLS[tool].installed:
        pytest.skip(f"{TOOLS[tool].module} is not installed")


def assert_agree(row: tuple[Case, Result]) -> None:
    case, said = row
    mine, theirs = ours(case), expected(case, said)
    assert (mine is None) == (theirs is None)
    if mine is not None and theirs is not None:
        known = min(len(mine), len(theirs))
        assert mine[:known] == theirs[:known]


@pytest.mark.parametrize("tool", FOLLOWED)
def test_convt_answers_as_the_framework(tool: str) -> None:
    require(tool)
    assert_each(live(tool), assert_agree)


@pytest.mark.parametrize("tool", TOOLS)
def test_the_reference_file_is_what_the_tools_say(tool: str) -> None:
    """But for the words of a refusal, which change with the version."""

    def check(record: Record) -> None:
        kept, said = record["results"][tool], result_of(tool, case_of(record))
        assert isinstance(kept, str) == isinstance(said, str)
        if not isinstance(kept, str):
            assert kept == said

    require(tool)
    assert_each([record for record in RECORDS if tool in record["results"]], check)
