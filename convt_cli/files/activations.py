"""The inputs of a network read from array files, and activations of its layers written to one.

A single array is any of the `array_formats`; several are in an .npz, each by the name of its input
or layer.
"""

from __future__ import annotations

from collections.abc import Mapping

from convt_cli.arithmetic.convolution import Shape
from convt_cli.errors import FileError, shown
from convt_cli.files.archive import write_npz
from convt_cli.files.array_formats.npz import leads_out
from convt_cli.files.arrays import is_text, keys_of, locate, require_archive
from convt_cli.files.batches import read_batch, write_batch
from convt_cli.files.layout import Form, give_back
from convt_cli.files.npy import row_major
from convt_cli.io.writing import output
from convt_cli.operators.dtypes import Array


def read_inputs(
    name: str, shapes: Mapping[str, Shape], layout: str
) -> tuple[dict[str, Array], Form]:
    """The inputs of these `shapes` by name, (batch, *shape) each, and the form of the first.

    Several are the arrays of an .npz by their names.  Raises FileError (E401), ArrayError (E301,
    E302, E303), RequestError (E501).
    """
    if len(shapes) == 1:
        ((only, shape),) = shapes.items()
        batch, form = read_batch(name, shape, layout)
        return {only: batch}, form
    _require_names(name, tuple(shapes))
    read = {key: read_batch(f"{name}#{key}", shape, layout) for key, shape in shapes.items()}
    first = next(iter(read.values()))[1]
    return {key: batch for key, (batch, _) in read.items()}, first


def _require_names(name: str, inputs: tuple[str, ...]) -> None:
    """Raise FileError (E401) unless the archive `name` has an array for each of the `inputs`."""
    keys = keys_of(name)
    if missing := [one for one in inputs if one not in keys]:
        held = ", ".join([*map(shown, keys)][:20]) or "none"
        raise FileError(
            "E401",
            "several inputs are the arrays of an .npz, each by its name",
            value=f"{shown(name)} has no '{shown(missing[0])}': its arrays are {held}",
            help=f"give it the arrays {', '.join(map(shown, inputs))}",
        )


def require_room_for(name: str, layers: tuple[str, ...]) -> None:
    """Raise FileError (E401, E402) unless the file `name` can hold activations of `layers`."""
    if len(layers) > 1:
        require_archive(name)
        _ = _keys(layers)


def write_activations(
    name: str, activations: Mapping[str, Array], form: Form, *, force: bool
) -> None:
    """Write (batch, *shape) of one layer as an array, of several as an .npz by their names.

    Raises as `write_batch`, and as `require_room_for`.
    """
    if len(activations) == 1:
        write_batch(name, next(iter(activations.values())), form, force=force)
        return
    place, text = locate(name), is_text(name)
    keys = _keys(tuple(activations))
    with output(place.path, force=force) as file:
        write_npz(
            file,
            {
                keys[layer]: row_major(give_back(batch, form, text=text))
                for layer, batch in activations.items()
            },
        )


def _keys(layers: tuple[str, ...]) -> dict[str, str]:
    """The key of each layer in an .npz: its name, less a / in front, as members have none.

    Raises FileError (E402) where a name cannot be that of a member.
    """
    keys = {layer: layer.strip("/") for layer in layers}
    for layer, key in keys.items():
        if leads_out(key) or list(keys.values()).count(key) > 1:
            raise FileError(
                "E402",
                "a layer's name is the name of its array in an .npz",
                value=f"got {shown(layer)}",
                help="rename the layer in the spec, or write it alone with --layer",
            )
    return keys
