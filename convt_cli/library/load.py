"""Loading a network for Python callers and commands."""

from __future__ import annotations

import os

from convt_cli.library.network import Network
from convt_cli.spec import load
from convt_cli.spec.reader import InputOverride


def load_spec(
    path: str | os.PathLike[str],
    *,
    input: InputOverride = load.NO_OVERRIDE,
    allow_outside: bool = False,
) -> Network:
    """The network in the spec at `path` ('-' is standard input), every shape resolved.

    `input` maps names of inputs to other shapes; "" stands for the only one.  With `allow_outside`
    its weights may lie outside the spec's folder.  Whether every `expect` holds is `convt check`'s
    business.

    Raises SpecError with every problem of the spec, FileError when it cannot be read,
    RequestError for an input that it does not have.

    >>> network = load_spec("configs/lenet5.yaml")
    >>> network["c1"].output, network["c1"].matrix().shape
    ((6, 28, 28), (4704, 1024))
    """
    return Network.of(load.load_spec(path, input=input, allow_outside=allow_outside))
