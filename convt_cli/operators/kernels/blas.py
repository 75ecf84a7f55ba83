"""How NumPy's BLAS multiplies: whether it does small products without copying them first.

BLAS copies both sides of a product into an order of its own, which pays for large products.
OpenBLAS does without for small ones, on processors with AVX-512 only; it alone knows which
processor it works for.  What is asked here decides how a product is cut, and not what is computed.
"""

from __future__ import annotations

import ctypes
from functools import cache
from importlib import import_module

_NAMES = (
    "scipy_openblas_get_corename64_",
    "scipy_openblas_get_corename",
    "openblas_get_corename64_",
    "openblas_get_corename",
)
_WITHOUT_COPIES = {"skylakex", "cooperlake", "sapphirerapids"}


@cache
def multiplies_small_products_in_place() -> bool:
    """Whether NumPy's BLAS is an OpenBLAS that works with the kernels for AVX-512."""
    return _kernels().casefold() in _WITHOUT_COPIES


def _kernels() -> str:
    """The name of the processor that OpenBLAS works for; empty for another BLAS."""
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
