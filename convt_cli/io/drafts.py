"""New files that wait beside their targets until all of them can be published.

A draft is published in one step, so that its target is what it was or the new file whole, even
where the process is killed.  Several are published one after the other, and what was published is
taken back where a later one fails.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from typing import BinaryIO

from convt_cli.errors import FileError, shown
from convt_cli.io.conflicts import Identity, identity_of, note_output

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
"""The errors by which a file system says that it has no hard links."""


class Draft:
    """A new file beside its target, with the permissions that the target has."""

    def __init__(self, path: str) -> None:
        """Raises FileError (E402) for a folder."""
        self.target = _target(path)
        beside = os.path.dirname(self.target)
        self._new, self._old = (
            os.path.join(beside, f".convt-{os.urandom(8).hex()}.tmp") for _ in range(2)
        )
        self._file: BinaryIO | None = None
        self._identity: Identity | None = None

    def opened(self) -> BinaryIO:
        """The new file, open for writing; `discard` closes it."""
        file = self._file = open(self._new, "wb", opener=_new_file)  # noqa: SIM115  # see above
        self._identity = identity_of(os.fstat(file.fileno()))
        with suppress(OSError):
            os.chmod(self._new, stat.S_IMODE(os.stat(self.target).st_mode))
        return file

    def complete(self, file: BinaryIO) -> None:
        """Flush the new file to the disk and close it."""
        file.flush()
        os.fsync(file.fileno())
        file.close()

    def keep_old(self) -> None:
        """Give the present target a second name, from which it can be put back."""
        if not os.path.lexists(self.target):
            return
        try:
            os.link(self.target, self._old)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            from shutil import copy2  # noqa: PLC0415  # slow to import, and rarely needed

            copy2(self.target, self._old)

    def publish(self, *, force: bool) -> None:
        """Put this file in the target's place.  Raises FileError (E403, E406)."""
        if force:
            with suppress(FileNotFoundError):
                note_output(self.target, os.stat(self.target))
            os.replace(self._new, self.target)
        else:
            _publish_new(self._new, self.target)

    def is_at(self, target: str) -> bool:
        """Whether the file called `target` is this new file."""
        with suppress(OSError):
            return identity_of(os.stat(target)) == self._identity
        return False

    def take_back(self) -> None:
        """Put the old file back in the target's place.  Raises FileError (E402)."""
        if not self.is_at(self.target):
            return
        if not os.path.lexists(self._old):
            os.unlink(self.target)
            return
        try:
            os.replace(self._old, self.target)
        except OSError as error:
            kept, self._old = self._old, ""
            raise FileError(
                "E402",
                f"cannot put back {shown(self.target)}",
                value=reason_of(error),
                help=f"what stood there before is {shown(kept)}",
            ) from None

    def discard(self) -> None:
        """Close the new file, and remove the new and the old one's names beside the target."""
        if self._file is not None:
            with suppress(OSError):
                self._file.close()
        for path in (self._new, self._old):
            with suppress(OSError):
                os.unlink(path)


def publish(drafts: Sequence[Draft], *, force: bool) -> None:
    """Publish all drafts, or take back those that were.  Raises FileError (E402, E403, E406)."""
    for draft in drafts[:-1]:  # after the last one nothing can fail, so it needs no way back
        draft.keep_old()
    try:
        for number, draft in enumerate(drafts):
            for other in drafts[:number]:
                if other.is_at(draft.target):  # two names that this file system takes for one
                    raise same(other.target, draft.target)
            draft.publish(force=force)
    except BaseException:
        if not all(draft.is_at(draft.target) for draft in drafts):
            for draft in drafts[:-1]:
                draft.take_back()
        raise


def _publish_new(temporary: str, target: str) -> None:
    """Give `temporary` the name `target`.  Raises FileError (E403) where that exists."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise exists(target) from None
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _publish_by_claim(temporary, target)


def _new_file(path: str, _flags: int) -> int:
    return os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)


def _publish_by_claim(temporary: str, target: str) -> None:
    """The same without hard links: claim the name with an empty file, then replace that."""
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        os.replace(temporary, target)
    except FileExistsError:
        raise exists(target) from None
    except BaseException:
        _remove_if_empty(target)
        raise


def _remove_if_empty(path: str) -> None:
    with suppress(OSError):
        if not os.path.getsize(path):
            os.unlink(path)


def _target(path: str) -> str:
    """The file that `path` leads to, links followed.  Raises FileError (E402) for a folder."""
    if not os.path.basename(path) or os.path.isdir(path):
        raise FileError("E402", f"cannot write {shown(path)}", value="it names a folder")
    return os.path.realpath(path)


def same(one: str, other: str) -> FileError:
    """The FileError (E406) for two outputs that are one file."""
    return FileError(
        "E406",
        "two outputs of a command are two files",
        value=f"{shown(one)} and {shown(other)} are one",
        help="choose another name for one of them",
    )


def exists(path: str) -> FileError:
    """The FileError (E403) for a target that is there already."""
    return FileError(
        "E403",
        f"{shown(path)} exists already",
        help="pass --force to replace it, or choose another name",
    )


def reason_of(error: OSError | ValueError) -> str:
    """The system's reason for an error, beginning with a small letter."""
    reason = getattr(error, "strerror", None) or str(error)
    return reason[:1].lower() + reason[1:]
