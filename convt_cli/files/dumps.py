"""Arrays that another tool has kept of a network's run: an .npz, by the names of layers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from convt_cli.files.arrays import keys_of, read_with_bfloat16
from convt_cli.operators.dtypes import Array


def read_dump(
    path: str, names: Iterable[str], others: Mapping[str, str]
) -> tuple[dict[str, Array], tuple[str, ...]]:
    """The arrays of the .npz `path` by the `names` they have there, and the keys of all the rest.

    `others` has further names for some of `names`, such as those of a model's values; where a key
    is in both, it belongs to those that more of the keys are from.  A name may have lost a / in
    front.  Raises FileError (E401), ArrayError (E302, E303), RequestError (E501).
    """
    keys = keys_of(path)
    tables = [_stripped(others), _stripped({name: name for name in names})]
    # a model may call a node by the name of another node's value
    tables.sort(key=lambda table: len(table.keys() & {*keys}))
    known = {**tables[0], **tables[1]}
    found: dict[str, Array] = {}
    rest = []
    for key in keys:
        name = known.get(key)
        if name is None:
            rest.append(key)
            continue
        found.setdefault(name, read_with_bfloat16(f"{path}#{key}"))
    return found, tuple(rest)


def _stripped(table: Mapping[str, str]) -> dict[str, str]:
    """The table with its keys as an archive has them."""
    return {key.strip("/"): name for key, name in table.items()}
