"""One layer as a line of code of each framework, padding and all.

A line is an expression on `x`, an input with a batch axis in the framework's own order, that
gives what the layer gives, whatever word the spec has for it: where the framework cannot say a
padding itself the line pads or crops around its operator.  Where `w` stands for the kernel and
`b` for the bias they have the framework's own layout.  A module for each family knows how it
spells a layer; `target` is what all of them are told, integers and nothing of a spec.
"""

from __future__ import annotations

from collections.abc import Callable

from convt_cli.reports.code_lines import caffe, jax, keras, onnx, pytorch, tensorflow
from convt_cli.reports.code_lines.target import Target, target_of

__all__ = ["Target", "code_line", "target_of"]

_LINES: dict[str, Callable[[Target], str | None]] = {
    "pytorch": pytorch.line,
    "tensorflow": tensorflow.line,
    "keras": keras.line,
    "onnx": onnx.line,
    "jax": jax.line,
    "caffe": caffe.line,
}


def code_line(target: Target, framework: str) -> str | None:
    """The line that does in `framework` what `target` says; None where no line can."""
    return _LINES[framework](target)
