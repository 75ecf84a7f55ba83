"""Array files as batches for a convolution, and results in the form in which their source came."""

from __future__ import annotations

from convt_cli.arithmetic.convolution import Shape
from convt_cli.files.arrays import is_text, locate, read_array, write_array, write_into
from convt_cli.files.layout import Form, arrange, give_back
from convt_cli.io.writing import outputs
from convt_cli.operators.dtypes import Array, require_numeric


def read_batch(name: str, expected: Shape, layout: str) -> tuple[Array, Form]:
    """The file `name` as (batch, channels, *spatial) of the `expected` shape, and its form.

    Raises FileError (E401), ArrayError (E301, E302, E303), RequestError (E501).
    """
    array = require_numeric(read_array(name), "the array")
    return arrange(array, expected, layout, text=is_text(name))


def write_batch(name: str, batch: Array, form: Form, *, force: bool) -> None:
    """Write (batch, channels, *spatial) to the file `name` in `form`.  Raises as `write_array`."""
    write_array(name, give_back(batch, form, text=is_text(name)), force=force)


def write_pictures(
    pictures: Array,
    form: Form | None,
    output: str | None,
    sheet: tuple[str, bytes] | None,
    *,
    force: bool,
) -> None:
    """Write pictures as an array, in `form` if given, and a sheet, (path, bytes): both, or neither.

    Raises as `write_array`.
    """
    array_paths = [] if output is None else [locate(output).path]
    sheet_paths = [] if sheet is None else [sheet[0]]
    with outputs([*array_paths, *sheet_paths], force=force) as files:
        if output is not None:
            array = pictures if form is None else give_back(pictures, form, text=is_text(output))
            write_into(files[0], output, array)
        if sheet is not None:
            files[-1].write(sheet[1])
