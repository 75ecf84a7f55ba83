"""A zip file's directory is measured before it is read; the rest is tested with the formats."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from convt_cli.errors import FileError
from convt_cli.models import stored_zip


def damaged(path: str, reason: str) -> FileError:
    return FileError("E405", path, value=reason)


def test_a_directory_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(100):
            archive.writestr(f"entry {number}", b"")
    with path.open("rb") as file:
        found = stored_zip.open_zip(file, "many.zip", damaged)
        assert len(stored_zip.stored_entries(found, file, "many.zip", damaged)) == 100
        monkeypatch.setattr(stored_zip, "_MOST_DIRECTORY", 4000)
        with pytest.raises(FileError, match="its directory has"):
            stored_zip.open_zip(file, "many.zip", damaged)
