"""The value of a key, read as its `Kind` asks: one reader a kind."""

from __future__ import annotations

from typing import Any

from convt_cli.arithmetic.keys import (
    Bias,
    EarlierLayer,
    EarlierShape,
    FactorPerAxis,
    Flag,
    Integer,
    IntegerPerAxis,
    Kind,
    Number,
    PaddingPerAxis,
    Sizes,
    Weight,
    Word,
)
from convt_cli.spec.nodes import Node
from convt_cli.spec.values import (
    read_factor_per_axis,
    read_flag,
    read_integer,
    read_integer_per_axis,
    read_name,
    read_padding_per_axis,
    read_real,
    read_sizes,
    read_word,
)
from convt_cli.spec.weight_values import read_bias, read_weight


def read_value(kind: Kind, node: Node, field: str) -> Any:
    """The value of `node` for a key of this kind, names of layers aside.  Raises Refusal."""
    match kind:
        case Integer():
            return read_integer(node, field, kind.minimum)
        case Number():
            return read_real(node, field, kind.minimum)
        case IntegerPerAxis():
            return read_integer_per_axis(node, field, kind)
        case FactorPerAxis():
            return read_factor_per_axis(node, field)
        case PaddingPerAxis():
            return read_padding_per_axis(node, field, kind.words)
        case Sizes():
            return read_sizes(node, field, kind.minimum)
        case Flag():
            return read_flag(node, field)
        case Word():
            return read_word(node, field, kind.choices)
        case Weight(scalar):
            return read_weight(node, field, scalar=scalar)
        case Bias(scalar):
            return read_bias(node, field, scalar=scalar)
        case EarlierLayer() | EarlierShape():
            return read_name(node, field)
