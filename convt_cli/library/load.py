"""Loading a network for Python callers and commands."""

from __future__ import annotations

import os
from collections.abc import Sequence

from convt_cli.library.network import Network
from convt_cli.models import load
from convt_cli.spec.load import NO_OVERRIDE
from convt_cli.spec.reader import InputOverride


def load_spec(
    path: str | os.PathLike[str],
    *,
    input: InputOverride = NO_OVERRIDE,
    partial: bool = False,
    allow_outside: bool = False,
    settings: Sequence[str] = (),
) -> Network:
    """The network in the spec or the model file at `path`, every shape resolved.

    `path` is a YAML file ('-' is standard input), a model (.onnx, .pt2, .keras, .h5, .tflite), or
    an expression such as "nn.Conv2d(3, 64, 7); nn.ReLU()".  `input` maps names of inputs to other
    shapes; "" stands for the only one.  With `partial` a model's network lacks what a spec cannot
    say, and its `warnings` tell what that is.  With `allow_outside` weights, and a model's data,
    may lie outside the folder of `path`.  `settings` such as "conv1.stride=2" change one value
    each before it is read.  Whether every `expect` holds is `convt check`'s business.

    Raises SpecError with every problem of the spec, or all that a spec cannot say of the model;
    FileError when it cannot be read; RequestError for an input that it does not have, for too
    little memory, and for a package that reading the model needs.

    >>> network = load_spec("configs/lenet5.yaml")
    >>> network["c1"].output, network["c1"].matrix().shape
    ((6, 28, 28), (4704, 1024))
    """
    network = load.load_spec(
        path, input=input, partial=partial, allow_outside=allow_outside, settings=settings
    )
    return Network.of(network)
