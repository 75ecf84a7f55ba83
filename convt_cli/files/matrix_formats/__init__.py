"""The formats of matrix files: a module with a `MatrixFormat` each, and their table by suffix."""

from __future__ import annotations

from convt_cli.files.matrix_formats.base import MatrixFormat
from convt_cli.files.matrix_formats.mtx import Mtx
from convt_cli.files.matrix_formats.npz import Npz

MATRIX_FORMATS: dict[str, MatrixFormat] = {one.suffix: one for one in (Npz(), Mtx())}
"""Every format by the suffix of its files; a stream has the first one."""
