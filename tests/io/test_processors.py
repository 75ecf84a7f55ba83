"""As many threads are granted as a BLAS would take."""

from __future__ import annotations

import os

import pytest

from convt_cli.io import memory, processors


@pytest.fixture(autouse=True)
def _nothing_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every test begins with empty variables, on three processors."""
    for name in processors.BLAS_VARIABLES:
        monkeypatch.setenv(name, "")
    monkeypatch.setattr(processors, "_processors", lambda: 3)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"OPENBLAS_NUM_THREADS": "3", "OMP_NUM_THREADS": "2"}, 3),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"MKL_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "2,1"}, 2),
        ({"OPENBLAS_NUM_THREADS": "1"}, 1),
        ({"OPENBLAS_NUM_THREADS": "64"}, memory.MOST_THREADS),
        ({"OPENBLAS_NUM_THREADS": "0", "OMP_NUM_THREADS": "2"}, 2),
        ({"OPENBLAS_NUM_THREADS": "many"}, 3),
        ({}, 3),
    ],
    ids=str,
)
def test_are_as_many_as_the_blas_would_have(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: int
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert processors.granted() == expected


def test_of_many_processors_few_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "_processors", lambda: 64)
    assert processors.granted() == memory.MOST_THREADS


def test_processors_are_those_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert processors._processors() >= 1
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 5}, raising=False)
    assert processors._processors() == 2
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors._processors() == 1
