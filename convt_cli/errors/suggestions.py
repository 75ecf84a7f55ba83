"""What a misspelt word may have meant: the closest known one, or what others call it."""

from __future__ import annotations

_MOST_NAMES = 40
_MOST_CANDIDATES = 100
_MOST_LETTERS = 100

_ELSEWHERE = {
    "cat": "concat",
    "deconv": "conv_transpose",
    "dense": "linear",
    "fc": "linear",
    "filters": "out_channels",
    "in_features": "in_channels",
    "kernel": "kernel_size",
    "pad": "padding",
    "pads": "padding",
    "scale": "scale_factor",
    "sum": "add",
    "swish": "silu",
    "tf": "tensorflow",
    "torch": "pytorch",
    "units": "out_features",
}
"""Words of other tools, and the one for the same here."""


def closest(word: str, known: list[str]) -> str | None:
    """The known word that `word` is most likely a slip of, if there is one.

    >>> closest("paddding", ["stride", "padding"]), closest("filters", ["out_channels", "stride"])
    ('padding', 'out_channels')
    """
    from difflib import get_close_matches  # noqa: PLC0415  # only errors need it

    lowered = word[:_MOST_LETTERS].lower()
    if _ELSEWHERE.get(lowered) in known:
        return _ELSEWHERE[lowered]
    candidates = known[-_MOST_CANDIDATES:]  # of very many, the last are the nearest
    return next(iter(get_close_matches(lowered, candidates, n=1, cutoff=0.66)), None)


def suggestion(word: str, known: list[str]) -> str:
    """A remedy for a misspelt word: the closest known one, else all of them.

    >>> suggestion("paddding", ["stride", "padding"])
    "did you mean 'padding'?"
    """
    close = closest(word, known)
    if close:
        return f"did you mean '{close}'?"
    more = f" and {len(known) - _MOST_NAMES:,} more" if len(known) > _MOST_NAMES else ""
    return f"known are {', '.join(known[:_MOST_NAMES])}{more}"
