"""Peers are imported only when they are asked for: they take longer than the tests."""

from __future__ import annotations

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if "not peers" in str(config.getoption("markexpr")) else None
