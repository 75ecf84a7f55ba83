"""The zip file that a `.pt2` is: the folder that its entries are in, and their bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from convt_cli.errors import FileError, shown
from convt_cli.io.reading import Opened, open_regular
from convt_cli.models.stored_zip import StoredZip, open_zip

_MODEL = "/models/model.json"
"""The end of the name of the entry that holds the graph; in front is a folder of any name."""

_SAVE_AGAIN = "save it again with torch.export.save of PyTorch 2.9 or newer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An open `.pt2` file; `root` is the folder that all of its entries are in."""

    path: str
    root: str
    _zip: StoredZip

    def has(self, name: str) -> bool:
        """Whether there is an entry of this name below `root`."""
        return f"{self.root}/{name}" in self._zip.entries

    def size(self, name: str) -> int:
        """The bytes of an entry below `root`.  Raises FileError (E405)."""
        return self._zip.size(f"{self.root}/{name}")

    def read(self, name: str, *, factor: int = 1) -> bytes:
        """The bytes of an entry below `root`, which take `factor` times their size in memory.

        Raises FileError (E405), RequestError (E501).
        """
        return self._zip.read(f"{self.root}/{name}", factor=factor)


@contextmanager
def open_archive(path: str, opened: Opened = open_regular) -> Iterator[Archive]:
    """The `.pt2` file `path`, open during the block.

    Raises FileError (E401, E405), RequestError (E501), within the block too.
    """
    with open_zip(path, opened, damaged) as found:
        archive = Archive(path=path, root=_root(found), _zip=found)
        if archive.has("byteorder") and archive.read("byteorder") != b"little":
            raise FileError(
                "E405",
                "the numbers of a .pt2 file are little-endian",
                value=f"those of {shown(path)} are not",
                help="save it again on a little-endian machine",
            )
        yield archive


def _root(found: StoredZip) -> str:
    """The folder in which the graph of the file is.  Raises FileError (E405)."""
    roots = [name.removesuffix(_MODEL) for name in found.entries if name.endswith(_MODEL)]
    if len(roots) != 1:
        listed = ", ".join(shown(name) for name in list(found.entries)[:3])
        raise FileError(
            "E405",
            f"a .pt2 file holds one graph, {_MODEL[1:]}",
            value=f"{shown(found.path)} has {len(roots)}; its entries are {listed or 'none'}",
            help=_SAVE_AGAIN,
        )
    return roots[0]


def damaged(path: str, reason: str) -> FileError:
    """The error (E405) for a file that is no whole `.pt2`."""
    return FileError("E405", f"{shown(path)} is no whole .pt2 file", value=reason, help=_SAVE_AGAIN)
