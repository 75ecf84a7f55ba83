"""Whether NumPy's BLAS multiplies small products without copying them first.

A BLAS copies both factors of a product into a layout of its own, which pays off for large ones.
OpenBLAS skips that for small products, but only with its routines for AVX-512.  Which routines it
uses only OpenBLAS knows, so it is asked.  The answer decides how a product is cut into pieces, not
what is computed.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module

# The function that names OpenBLAS's routines, as its builds call it.
_NAMES = (
    "scipy_openblas_get_corename64_",
    "scipy_openblas_get_corename",
    "openblas_get_corename64_",
    "openblas_get_corename",
)
_WITHOUT_COPIES = {"skylakex", "cooperlake", "sapphirerapids"}
"""OpenBLAS's names for its sets of routines for AVX-512."""


@cache
def multiplies_small_products_in_place() -> bool:
    """Whether NumPy's BLAS is an OpenBLAS that uses its routines for AVX-512."""
    return _kernels().casefold() in _WITHOUT_COPIES


def _kernels() -> str:
    """OpenBLAS's name for the set of routines it uses; empty for another BLAS."""
    try:
        library = ctypes.CDLL(import_module("numpy.linalg._umath_linalg").__file__)
    except (ImportError, OSError):
        return ""
    for name in _NAMES:
        if hasattr(library, name):
            ask = getattr(library, name)
            ask.restype = ctypes.c_char_p
            return (ask() or b"").decode()
    return ""
