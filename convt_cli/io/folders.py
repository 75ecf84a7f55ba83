"""Opening the files that a spec or a model names, and none outside its folder.

A reference is first resolved to a path without links, which must lie in the folder.  Then that
path is opened part by part from the folder down, and no part may be a link: one that has been put
there since the path was looked at is refused and not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.io.conflicts import Identity, identity_of
from convt_cli.io.reading import READ, folder_of, open_regular, regular, unreadable

_BY_PARTS = os.open in os.supports_dir_fd and hasattr(os, "O_NOFOLLOW")
"""Whether this system can open a name within an open folder; Windows cannot."""

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""The flag by which opening a link fails, where the system has one."""
_FOLDER = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_PATH", os.O_RDONLY) | _NO_LINK
"""How folders on the way are opened.  With O_PATH a folder that may not be listed will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """The folder where files may be read; all paths are real, that is without links.

    Nothing outside `root` is opened.  References count from `base`, which is `root` or lies in it,
    and may not lead out of `base`.  `identity` tells whether `root` is still the same folder.
    """

    root: str
    base: str
    identity: Identity
    allow_outside: bool

    @classmethod
    def of(cls, spec: str, *, allow_outside: bool) -> Folder:
        """The folder of a spec or a model.  Raises FileError (E401)."""
        try:
            path = os.path.realpath(folder_of(spec))
            identity = identity_of(os.stat(path))
        except (OSError, ValueError) as error:
            raise unreadable(spec, error) from None
        return cls(root=path, base=path, identity=identity, allow_outside=allow_outside)

    def below(self, path: str) -> Folder:
        """The folder of the file `path`, which `resolved` has found here."""
        return replace(self, base=os.path.dirname(path))

    def resolved(self, reference: str) -> str:
        """The path of the file that `reference` names, every link on the way followed.

        Raises FileError (E404) where that leads out of the folder.
        """
        try:
            path = os.path.realpath(os.path.join(self.base, reference))
            inside = os.path.commonpath((self.base, path)) == self.base
        except (OSError, ValueError) as error:
            raise unreadable(reference, error) from None
        if not (inside or self.allow_outside):
            raise _outside(f"{shown(reference)} leads outside {shown(self.base)}")
        return path

    @contextmanager
    def opened(self, path: str) -> Iterator[BinaryIO]:
        """The regular file `path`, as `resolved` gives it.  Raises FileError (E401, E404)."""
        if self.allow_outside:
            with open_regular(path) as file:
                yield file
            return
        try:
            descriptor = self._descriptor(path) if _BY_PARTS else self._checked(path)
        except (OSError, ValueError) as error:
            raise unreadable(path, error) from None
        with regular(descriptor, path) as file:
            yield file

    def _descriptor(self, path: str) -> int:
        """The descriptor of `path`, opened from the root down without following a link."""
        *folders, name = os.path.relpath(path, self.root).split(os.sep)
        if os.pardir in (*folders, name):
            raise _outside(f"{shown(path)} is not in {shown(self.root)}")
        place = os.open(self.root, _FOLDER)
        try:
            if identity_of(os.fstat(place)) != self.identity:
                raise _outside(f"another folder has taken the place of {shown(self.root)}")
            # `place` is always the one open folder: each is closed once the next one is open.
            for folder in folders:
                above, place = place, os.open(folder, _FOLDER, dir_fd=place)
                os.close(above)
            return os.open(name, READ | _NO_LINK, dir_fd=place)
        finally:
            os.close(place)

    def _checked(self, path: str) -> int:
        """The descriptor of `path`, which was checked to lead to the same file after opening."""
        descriptor = os.open(path, READ)
        if self.resolved(path) != path or not os.path.samestat(os.stat(path), os.fstat(descriptor)):
            os.close(descriptor)
            raise _outside(f"{shown(path)} was replaced while it was opened")
        return descriptor


def _outside(value: str) -> FileError:
    return FileError(
        "E404",
        "a weight file must lie in the folder of its spec",
        value=value,
        help="move it there, or pass --allow-outside if you trust the spec",
    )
