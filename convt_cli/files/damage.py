"""Array files that are not what they should be: what is said about them, whatever their format."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from convt_cli.errors import ArrayError, ConvtError, FileError, shown
from convt_cli.io import memory


@contextmanager
def reporting_damage(name: str) -> Iterator[None]:
    """Turn what zipfile, zlib, lzma and NumPy raise on damaged files into an ArrayError (E303).

    NumPy reads headers with Python's own tokenizer and parser, so that nearly every kind of
    exception can come out of a few flipped bits.
    """
    try:
        yield
    except ConvtError:
        raise
    except MemoryError as error:
        what = f"memory ran out while {shown(name)} was read"
        raise memory.ran_out(error, what, help="use a machine with more memory") from None
    except Exception as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise damaged(name, reason.partition("\n")[0]) from None


def damaged(name: str, reason: str) -> ArrayError:
    """The ArrayError (E303) for an array file that is not what it should be."""
    return ArrayError(
        "E303",
        f"cannot read an array from {shown(name)}",
        value=shown(reason)[:200],
        help="was it cut short, or is it another format?",
    )


def missing_array(path: str, key: str, names: list[str]) -> FileError:
    """The FileError (E401) for a file with several arrays that has none called `key`."""
    if not names:
        return FileError("E401", f"{shown(path)} holds no array", help="save it again, with one")
    listed = ", ".join(shown(name) for name in names[:20])
    return FileError(
        "E401",
        f"{shown(path)} has no array '{shown(key)}'" if key else f"{shown(path)} needs a key",
        value=f"its arrays are {listed}{' and more' if len(names) > 20 else ''}",
        help=f"write {shown(path)}#KEY",
    )
