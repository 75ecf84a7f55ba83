"""The words and numbers that commands offer and the code below takes: one home, without NumPy.

A command's help needs them before anything is computed, so they stand here and not beside the
functions that take them, which load NumPy.
"""

from __future__ import annotations

from typing import Literal, get_args

METHODS = ("auto", "matrix", "direct", "zero-insert")
"""The ways to apply C or Cᵀ, the default first; `operators.routes` has the function of each."""

LAYOUTS = ("channels_first", "channels_last")
"""Where an array has its channels, the default first."""

Norm = Literal["2", "inf"]
"""The norm of a stimulus that is 1: the 2-norm, or the max-norm."""
NORMS: tuple[Norm, ...] = get_args(Norm)

Rule = Literal["deconvnet", "gradient", "guided"]
"""How a signal goes back through a rectifier: relu, leaky_relu, prelu or clip.

    gradient    the signal times the slope at the forward input
    deconvnet   the positive part of the signal, whatever the forward input was
    guided      both

Smooth functions have no positive part to keep: gradient and guided take their derivative, and
deconvnet has no way back through them.

Sources: M. D. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks"
(2013); J. T. Springenberg et al., "Striving for Simplicity" (2014), for the guided rule.
"""
RULES: tuple[Rule, ...] = get_args(Rule)

SPARSE_FORMATS = ("csr", "csc", "coo", "bsr", "dia")
"""The forms of C in an .npz, as scipy.sparse.load_npz reads them, the default first."""
MATRIX_DTYPES = (
    *("int8", "int16", "int32", "int64"),
    *("float32", "float64", "complex64", "complex128"),
)
"""The dtypes of C's entries; scipy.sparse has no float16."""
APPLY_DTYPES = ("int32", "int64", "float16", "float32", "float64", "complex64", "complex128")
"""The dtypes in which C and Cᵀ are applied."""
RUN_DTYPES = ("float32", "float64")
"""The dtypes in which a network is run."""
ACCUMULATORS = ("float64", "float32", "tf32", "bfloat16", "float16")
"""The types that another tool may have summed in, the widest first."""
INVERSE_DTYPES = ("float16", "float32", "float64")
"""The dtypes in which an inverse is written; the solver computes in float64."""

TOLERANCE = 1e-10
"""Where LSMR stops unless told otherwise: its atol and btol, relative to |A| and |y|."""
MOST_ITERATIONS = 10_000
"""LSMR stops after this many iterations unless told otherwise, converged or not."""
