"""A command works in as many threads as the BLAS would have had."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from convt_cli.commands import threads
from convt_cli.io.processors import BLAS_VARIABLES
from tests.conftest import Shell, WriteSpec


class TestThreads:
    def test_are_as_many_as_the_blas_would_have_had(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in BLAS_VARIABLES:
            monkeypatch.setenv(name, "3")
        monkeypatch.delitem(sys.modules, "numpy")
        assert threads._threads_for_tiles() == 3
        assert {os.environ[name] for name in BLAS_VARIABLES} == {"1"}

    def test_are_left_to_a_blas_that_has_begun(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in BLAS_VARIABLES:
            monkeypatch.setenv(name, "2")
        assert threads._threads_for_tiles() == 1
        assert {os.environ[name] for name in BLAS_VARIABLES} == {"2"}


NET = """
    input: [8, 60, 60]
    layers:
      - {name: first, type: conv, out_channels: 40, kernel_size: 5, weight: {fill: normal}}
      - {type: relu}
      - {name: last, type: conv, out_channels: 20, kernel_size: 3, weight: {fill: normal}}
    """


@pytest.mark.parametrize(
    "options",
    [("reconstruct", "--layer", "last"), ("invert", "--layer", "first")],
    ids=lambda options: options[0],
)
def test_their_number_changes_no_byte(
    shell: Shell, spec: WriteSpec, options: tuple[str, ...]
) -> None:
    path = spec(NET)
    command, *rest = options
    shape = (8, 60, 60) if command == "reconstruct" else (40, 56, 56)
    np.save("a.npy", np.random.default_rng(0).standard_normal(shape))
    results = []
    for count in ("1", "2", "3"):
        outcome = shell(
            command, path, "a.npy", *rest, "-o", f"{count}.npy", env={"OPENBLAS_NUM_THREADS": count}
        )
        assert outcome.status == 0
        results.append(Path(f"{count}.npy").read_bytes())
    assert results[0] == results[1] == results[2]
