"""Peers are imported only when they are asked for: they take longer than the tests."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

_OF_KERAS = ("keras_nets.py", "recording.py")
"""Modules without tests, which import Keras."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    if "not peers" in str(config.getoption("markexpr")):
        return True
    return True if collection_path.name in _OF_KERAS and not find_spec("keras") else None


@pytest.fixture(autouse=True, scope="session")
def _torch_on_one_thread() -> None:
    """On layers of a few numbers, more threads only take processors from the other workers."""
    if find_spec("torch"):
        import_module("torch").set_num_threads(1)
