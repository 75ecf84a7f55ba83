"""The modules of torch.nn that a layer type does: their arguments, and the keys these become.

Source: the signatures of PyTorch 2.13's modules.  `expression` reads their calls.  A module that
keeps shapes and that no layer type computes becomes an identity that stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from convt_cli.arithmetic.layers.assumed import SOFTPLUS_THRESHOLD
from convt_cli.errors import shown
from convt_cli.spec.calls import (
    Call,
    Keys,
    adaptive_keys,
    bound_keys,
    flatten_keys,
    instance_norm_keys,
    layer_norm_keys,
    linear_keys,
    norm_keys,
    padding_keys,
    prelu_keys,
    random_slope_keys,
    softmax_keys,
    unflatten_keys,
)
from convt_cli.spec.nodes import Scalar
from convt_cli.spec.values import read_integer


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """What a module takes, and the layer type that does what it does.

    `arguments` are in PyTorch's order, the first `required` of them without a default.  `keys`
    maps those that are keys of the type.  `ranks` are the numbers of spatial axes that it takes.
    `channels` names the argument that has to equal the channels of the source, "" for none.
    `further` gives keys that depend on the source.

    With an argument that is not as in `assumed` the layer stands for the call, as it does with
    `stands_in`; one that is not as in `fixed` cannot be said.
    """

    type: str
    arguments: tuple[str, ...]
    required: int
    keys: Mapping[str, str]
    ranks: tuple[int, ...] = (0, 1, 2, 3)
    channels: str = ""
    assumed: Mapping[str, object] = field(default_factory=dict)
    fixed: Mapping[str, object] = field(default_factory=dict)
    stands_in: bool = False
    further: Callable[[Call], Keys] | None = None


def _module(layer_type: str, signature: str, keys: str = "", **others: object) -> Module:
    """A module; names in front of `|` in its signature are required, and `a:b` renames a key."""
    required, _, optional = signature.partition("|")
    pairs = (key.partition(":")[::2] for key in keys.split())
    return Module(
        type=layer_type,
        arguments=(*required.split(), *optional.split()),
        required=len(required.split()),
        keys={name: key or name for name, key in pairs},
        **others,  # type: ignore[arg-type]  # fields of Module
    )


_RANKS = (1, 2, 3)
_NORM = "eps momentum affine track_running_stats device dtype bias"

_CONVOLUTIONS: dict[str, Module] = {}
_POOLS: dict[str, Module] = {}
_PADS: dict[str, Module] = {}
_NORMS: dict[str, Module] = {}

for _rank in _RANKS:
    _only = (_rank,)
    _shared = "in_channels out_channels kernel_size"
    _CONVOLUTIONS[f"Conv{_rank}d"] = _module(
        "conv",
        f"{_shared} | stride padding dilation groups bias padding_mode device dtype",
        f"{_shared} stride padding dilation groups bias padding_mode",
        ranks=_only,
    )
    _CONVOLUTIONS[f"ConvTranspose{_rank}d"] = _module(
        "conv_transpose",
        f"{_shared} | stride padding output_padding groups bias dilation padding_mode device dtype",
        f"{_shared} stride padding output_padding groups bias dilation padding_mode",
        ranks=_only,
    )
    _POOLS[f"MaxPool{_rank}d"] = _module(
        "max_pool",
        "kernel_size | stride padding dilation return_indices ceil_mode",
        "kernel_size stride padding dilation ceil_mode",
        ranks=_only,
        fixed={"return_indices": False},
    )
    _POOLS[f"AvgPool{_rank}d"] = _module(
        "avg_pool",
        "kernel_size | stride padding ceil_mode count_include_pad"
        + (" divisor_override" if _rank > 1 else ""),
        "kernel_size stride padding ceil_mode count_include_pad",
        ranks=_only,
        assumed={"divisor_override": None},
    )
    _POOLS[f"AdaptiveAvgPool{_rank}d"] = _module(
        "adaptive_avg_pool", "output_size |", ranks=_only, further=adaptive_keys
    )
    _POOLS[f"AdaptiveMaxPool{_rank}d"] = _module(
        "adaptive_max_pool",
        "output_size | return_indices",
        ranks=_only,
        fixed={"return_indices": False},
        further=adaptive_keys,
    )
    _PADS[f"ZeroPad{_rank}d"] = _module(
        "pad", "padding |", ranks=_RANKS[_rank - 1 :], further=padding_keys(_rank)
    )
    _PADS[f"ConstantPad{_rank}d"] = _module(
        "pad",
        "padding value |",
        ranks=_RANKS[_rank - 1 :],
        assumed={"value": 0},
        further=padding_keys(_rank),
    )
    for _name, _mode in (
        ("Reflection", "reflect"),
        ("Replication", "replicate"),
        ("Circular", "circular"),
    ):
        _PADS[f"{_name}Pad{_rank}d"] = _module(
            "pad", "padding |", ranks=_only, further=padding_keys(_rank, _mode)
        )
    _NORMS[f"BatchNorm{_rank}d"] = _module(
        "batch_norm",
        f"num_features | {_NORM}",
        "eps affine",
        ranks=(0, 1) if _rank == 1 else _only,
        channels="num_features",
        assumed={"track_running_stats": True},
        further=norm_keys,
    )
    _NORMS[f"InstanceNorm{_rank}d"] = _module(
        "instance_norm",
        f"num_features | {_NORM}",
        "eps affine",
        ranks=_only,
        channels="num_features",
        assumed={"track_running_stats": False},
        further=instance_norm_keys,
    )

_NORMS["GroupNorm"] = _module(
    "group_norm",
    "num_groups num_channels | eps affine device dtype bias",
    "num_groups eps affine",
    channels="num_channels",
    further=norm_keys,
)
_NORMS["LayerNorm"] = _module(
    "layer_norm",
    "normalized_shape | eps elementwise_affine bias device dtype",
    "eps elementwise_affine:affine",
    further=layer_norm_keys,
)
_NORMS["LocalResponseNorm"] = _module("lrn", "size | alpha beta k", "size alpha beta k")

_ACTIVATIONS = {
    "ReLU": _module("relu", "| inplace"),
    "ReLU6": _module("clip", "| inplace", further=bound_keys(0, 6)),
    "Hardtanh": _module("clip", "| min_val max_val inplace", further=bound_keys(-1, 1)),
    "LeakyReLU": _module("leaky_relu", "| negative_slope inplace", "negative_slope:alpha"),
    "RReLU": _module("leaky_relu", "| lower upper inplace", further=random_slope_keys),
    "PReLU": _module("prelu", "| num_parameters init device dtype", further=prelu_keys),
    "ELU": _module("elu", "| alpha inplace", "alpha"),
    "CELU": _module("elu", "| alpha inplace", assumed={"alpha": 1}),
    "SELU": _module("selu", "| inplace"),
    "GELU": _module("gelu", "| approximate", "approximate"),
    "SiLU": _module("silu", "| inplace"),
    "Mish": _module("mish", "| inplace"),
    "Softplus": _module(
        "softplus", "| beta threshold", assumed={"beta": 1, "threshold": SOFTPLUS_THRESHOLD}
    ),
    "Sigmoid": _module("sigmoid", ""),
    "Hardsigmoid": _module("hard_sigmoid", "| inplace"),
    "Hardswish": _module("hard_swish", "| inplace"),
    "Tanh": _module("tanh", ""),
    "Softmax": _module("softmax", "| dim", further=softmax_keys),
    "Softmax2d": _module("softmax", "", ranks=(2,)),
    "LogSoftmax": _module("log_softmax", "| dim", further=softmax_keys),
    "Identity": _module("identity", ""),
    **{
        name: _module("dropout", "| p inplace")
        for name in ("Dropout", "AlphaDropout", "FeatureAlphaDropout")
    },
    **{f"Dropout{rank}d": _module("dropout", "| p inplace") for rank in _RANKS},
}

_STAND_INS = {
    "Softshrink": "| lambd",
    "Hardshrink": "| lambd",
    "Threshold": "threshold value | inplace",
    "Softmin": "| dim",
    "LogSigmoid": "",
    "Softsign": "",
    "Tanhshrink": "",
}
"""The signatures of modules that keep shapes, and that no layer type computes."""

MODULES: dict[str, Module] = {
    **_CONVOLUTIONS,
    **_POOLS,
    **_PADS,
    **_NORMS,
    **_ACTIVATIONS,
    **{name: _module("identity", one, stands_in=True) for name, one in _STAND_INS.items()},
    "Linear": _module(
        "linear",
        "in_features out_features | bias device dtype",
        "in_features out_features bias",
        further=linear_keys,
    ),
    "Flatten": _module("flatten", "| start_dim end_dim", further=flatten_keys),
    "Unflatten": _module("reshape", "dim unflattened_size |", further=unflatten_keys),
    "Upsample": _module(
        "upsample",
        "| size scale_factor mode align_corners recompute_scale_factor",
        "size:output_size scale_factor mode",
        ranks=_RANKS,
        assumed={"align_corners": False, "recompute_scale_factor": False},
    ),
    "UpsamplingNearest2d": _module(
        "upsample", "| size scale_factor", "size:output_size scale_factor", ranks=(2,)
    ),
    "PixelShuffle": _module(
        "pixel_shuffle", "upscale_factor |", "upscale_factor:factor", ranks=(2,)
    ),
    "PixelUnshuffle": _module(
        "pixel_unshuffle", "downscale_factor |", "downscale_factor:factor", ranks=(2,)
    ),
}
"""By the name that torch.nn has for it."""


def require_fitting(module: Module, call: Call) -> None:
    """Raise Refusal for a source that the module does not take, or an argument out of line."""
    spatial = len(call.source) - 1
    if spatial not in module.ranks:
        wanted = " or ".join(map(str, module.ranks))
        raise call.refused(
            "E119",
            f"{call.name} takes [channels, *spatial] with {wanted} spatial axes",
            f"the source is {list(call.source)}",
            f"use the module for {spatial} axes, or give another --input",
        )
    for name, value in module.fixed.items():
        given = call.arguments.get(name)
        if given is not None and not (isinstance(given, Scalar) and given.value is value):
            text = given.text if isinstance(given, Scalar) else ""
            raise call.refused(
                "E505",
                f"{call.name} with another {name} cannot be said in a spec",
                f"got {shown(text)}",
                f"leave {name} out",
                name,
            )
    if module.channels:
        channels = read_integer(call.arguments[module.channels], module.channels, 1)
        if channels != call.source[0]:
            raise call.refused(
                "E114",
                f"{module.channels} must equal the channels of the source",
                f"got {channels}, the source has {call.source[0]}",
                f"write {call.source[0]}",
                module.channels,
            )


def stands_for_call(module: Module, call: Call) -> bool:
    """Whether the layer has the module's shapes and not its numbers."""
    return module.stands_in or any(
        isinstance(given, Scalar) and given.value != module.assumed[name]
        for name, given in call.arguments.items()
        if name in module.assumed
    )
