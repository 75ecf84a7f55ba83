"""Arrays that another tool has kept of a network's run: an .npz, by the names of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from convt_cli.files.arrays import keys_of, read_with_bfloat16
from convt_cli.operators.dtypes import Array


def read_dump(
    path: str, names: Iterable[str], others: Mapping[str, str]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """The arrays of the .npz `path` by the `names` they have there, and the keys of all the rest.

    A name may have lost a / in front, as in the archives that convt writes.  `others` has further
    names for some of `names`, such as those of a model's values.  Raises FileError (E401),
    ArrayError (E302, E303), RequestError (E501).
    """
    known = {other.strip("/"): name for other, name in others.items()}
    known |= {name.strip("/"): name for name in names}
    found: dict[str, Array] = {}
    rest = []
    for key in keys_of(path):
        name = known.get(key.strip("/"))
        if name is None:
            rest.append(key)
            continue
        found.setdefault(name, read_with_bfloat16(f"{path}#{key}"))
    return found, tuple(rest)
