"""convt: a convolution is a matrix, y = Cx, and everything that follows from it.

This is the Python interface.  Importing it loads neither numpy nor scipy: each name is loaded on
its first use.

    from convt_cli import conv_matrix, conv, conv_transpose, ConvOperator, load_spec
"""

from __future__ import annotations

# Type checkers take this for true.  Importing it from `typing` would take time.
TYPE_CHECKING = False
__version__ = "0.1.0"

if TYPE_CHECKING:
    from convt_cli.analysis.backward.reconstruct import reconstruct
    from convt_cli.analysis.backward.stimulus import stimulus
    from convt_cli.analysis.coverage import coverage
    from convt_cli.analysis.diagnose.diagnosis import diagnose
    from convt_cli.analysis.diagnose.dump import diagnose_dump
    from convt_cli.analysis.invert import invert
    from convt_cli.analysis.singular.values import singular_values
    from convt_cli.analysis.verify import verify_layer
    from convt_cli.arithmetic.questions.difference import difference
    from convt_cli.errors import (
        ArrayError,
        ConvtError,
        FileError,
        GeometryError,
        RequestError,
        SpecError,
    )
    from convt_cli.library.layer import Layer
    from convt_cli.library.load import load_spec
    from convt_cli.library.network import Network
    from convt_cli.operators.functions import conv, conv_matrix, conv_transpose
    from convt_cli.operators.operator import ConvOperator

# public name -> the module that defines it
_HOMES = {
    "ArrayError": "convt_cli.errors",
    "ConvtError": "convt_cli.errors",
    "FileError": "convt_cli.errors",
    "GeometryError": "convt_cli.errors",
    "RequestError": "convt_cli.errors",
    "SpecError": "convt_cli.errors",
    "ConvOperator": "convt_cli.operators.operator",
    "conv": "convt_cli.operators.functions",
    "conv_matrix": "convt_cli.operators.functions",
    "conv_transpose": "convt_cli.operators.functions",
    "coverage": "convt_cli.analysis.coverage",
    "diagnose": "convt_cli.analysis.diagnose.diagnosis",
    "diagnose_dump": "convt_cli.analysis.diagnose.dump",
    "invert": "convt_cli.analysis.invert",
    "singular_values": "convt_cli.analysis.singular.values",
    "verify_layer": "convt_cli.analysis.verify",
    "difference": "convt_cli.arithmetic.questions.difference",
    "Layer": "convt_cli.library.layer",
    "Network": "convt_cli.library.network",
    "load_spec": "convt_cli.library.load",
    "reconstruct": "convt_cli.analysis.backward.reconstruct",
    "stimulus": "convt_cli.analysis.backward.stimulus",
}

__all__ = [
    "ArrayError",
    "ConvOperator",
    "ConvtError",
    "FileError",
    "GeometryError",
    "Layer",
    "Network",
    "RequestError",
    "SpecError",
    "__version__",
    "conv",
    "conv_matrix",
    "conv_transpose",
    "coverage",
    "diagnose",
    "diagnose_dump",
    "difference",
    "invert",
    "load_spec",
    "reconstruct",
    "singular_values",
    "stimulus",
    "verify_layer",
]


def __getattr__(name: str) -> object:
    if name in _HOMES:
        from importlib import import_module  # noqa: PLC0415  # takes time, and is seldom needed

        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
