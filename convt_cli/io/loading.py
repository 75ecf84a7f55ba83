"""Asking for memory before NumPy, SciPy and the extras are loaded, and keeping BLAS to one thread.

Libraries that find too little memory, or no further thread, while they are being loaded do not
say so: they end the process, interrupt it, or try for ever, where no signal reaches Python.  So
memory is asked for first, and BLAS is told to begin no threads: `operators.threads` has its own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convt_cli.io.memory import Need, require_for
from convt_cli.io.processors import BLAS_VARIABLES

if TYPE_CHECKING:  # loading them takes longer than this whole module
    from importlib.machinery import ModuleSpec
    from types import ModuleType

_MIB = 2**20
_LAPACK = Need(address_space=128 * _MIB, data=84 * _MIB, resident=20 * _MIB)
"""What SciPy's own OpenBLAS takes, which scipy.linalg and scipy.special load."""
_NEEDS = {
    "numpy": Need(address_space=136 * _MIB, data=88 * _MIB, resident=32 * _MIB),
    "scipy": Need(address_space=36 * _MIB, data=16 * _MIB, resident=24 * _MIB),
    "scipy.linalg": _LAPACK,
    "scipy.special": _LAPACK,
    "onnx": Need(address_space=32 * _MIB, data=16 * _MIB, resident=24 * _MIB),
    "matplotlib": Need(address_space=96 * _MIB, data=64 * _MIB, resident=64 * _MIB),
    "PIL": Need(address_space=32 * _MIB, data=16 * _MIB, resident=24 * _MIB),
    "torch": Need(address_space=1024 * _MIB, data=512 * _MIB, resident=256 * _MIB),
}
"""By the first module of a package: what loading it takes, with one thread and its BLAS buffers.
Measured on wheels for x86-64 of 2024 to 2026, and rounded up a little."""

_TO_BEGIN = Need(address_space=12 * _MIB, data=8 * _MIB, resident=8 * _MIB)
"""What a command takes that loads none of these packages."""


def require_room_to_begin() -> None:
    """Raise RequestError (E501) unless there is the memory that every command takes."""
    require_for(_TO_BEGIN, "convt itself")


def watch_over_imports() -> None:
    """From now on importing a package without memory for it raises RequestError (E501)."""
    if not any(isinstance(finder, _Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Watch())


def one_thread_per_product() -> None:
    """Set the variables that keep a BLAS, if it is loaded later, from beginning threads."""
    os.environ.update(dict.fromkeys(BLAS_VARIABLES, "1"))


@contextmanager
def working_in(folder: str) -> Iterator[None]:
    """Within the block the working folder is `folder`; then the one before, even if deleted."""
    before = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
    try:
        os.chdir(folder)
        yield
    finally:
        os.fchdir(before)
        os.close(before)


class _Watch:
    """An import finder that finds no module, but sees each one that is imported first."""

    def __init__(self) -> None:
        self._granted: set[Need] = set()

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  # Python's signature
        target: ModuleType | None = None,  # noqa: ARG002  # as above
    ) -> ModuleSpec | None:
        """None; raises RequestError (E501) where there is no room for the module."""
        need = _NEEDS.get(fullname)
        if need is not None and need not in self._granted:
            require_for(need, f"the package {fullname.partition('.')[0]}")
            self._granted.add(need)
        if fullname == "numpy":
            one_thread_per_product()
        return None
