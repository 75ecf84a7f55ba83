"""The constraints under which the gate installs the lowest versions."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from tests.lowest import PYPROJECT, lowest


def with_dependencies(*dependencies: str) -> dict[str, Any]:
    """A pyproject.toml as far as it says what must be installed."""
    return {
        "build-system": {"requires": ["builder>=1"]},
        "project": {
            "dependencies": [*dependencies],
            "optional-dependencies": {"test": ["tester[more]>=3.1"], "other": ["other>=9"]},
        },
    }


def test_they_are_of_what_builds_runs_and_tests() -> None:
    assert list(lowest(with_dependencies("a-b>=2.0.1"))) == [
        "builder==1",
        "a-b==2.0.1",
        "tester==3.1",
    ]


@pytest.mark.parametrize("requirement", ["a", "a>1", "a==1", "a>=1,<2", "a>=1; os_name == 'nt'"])
def test_a_requirement_of_another_form_is_not_passed_over(requirement: str) -> None:
    with pytest.raises(ValueError, match="NAME>=VERSION"):
        list(lowest(with_dependencies(requirement)))


def test_every_requirement_of_this_project_has_a_lowest_version() -> None:
    pyproject = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))
    project = pyproject["project"]
    wanted = (*project["dependencies"], *project["optional-dependencies"]["test"])
    found = list(lowest(pyproject))
    assert len(found) == len(pyproject["build-system"]["requires"]) + len(wanted)
