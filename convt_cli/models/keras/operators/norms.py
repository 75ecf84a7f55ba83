"""Normalisations, by kept numbers and by those of the input."""

from __future__ import annotations

from typing import Any

from convt_cli.models.keras.operation import Operation, Translator
from convt_cli.models.translation import Activation


def _batch_norm(operation: Operation) -> Activation:
    source = operation.source
    axes = operation.axes("axis", source, -1)
    if len(axes) != 1:
        operation.refuse("it keeps statistics along several axes")
    if operation.flag("renorm"):
        operation.refuse("it corrects its statistics (renorm)")
    return operation.along(source, axes[0], lambda turned: _normalised(operation, turned))


def _normalised(operation: Operation, source: Activation) -> Activation:
    """A batch norm; one that shifts and does not scale becomes two layers."""
    keys: dict[str, Any] = {"eps": operation.number(1e-3, "epsilon")}
    keys["running_mean"] = operation.variable("moving_mean")
    keys["running_var"] = operation.variable("moving_variance")
    scales, shifts = operation.flag("scale", default=True), operation.flag("center", default=True)
    if operation.is_training():
        other = "BatchNormalization by the numbers of its batch"
        return operation.stand_in("batch_norm", source, stands_for=other, **keys)
    if scales:
        weight = operation.variable("gamma")
        bias = operation.variable("beta") if shifts else False
        return operation.layer("batch_norm", source, **keys, weight=weight, bias=bias)
    given = operation.layer("batch_norm", source, **keys, affine=False)
    return operation.layer("scale", given, bias=operation.variable("beta")) if shifts else given


def _layer_norm(operation: Operation) -> Activation:
    source = operation.source
    axes = operation.axes("axis", source, -1)
    if operation.flag("rms_scaling"):
        operation.refuse("it scales by the mean square alone (rms_scaling)")
    shifts, scales = operation.flag("center", default=True), operation.flag("scale", default=True)
    if shifts and not scales:
        operation.refuse("it shifts and does not scale")
    keys: dict[str, Any] = {"affine": False}
    if scales:
        order = _stored_order(axes)
        keys = {
            "weight": operation.variable("gamma", **order),
            "bias": operation.variable("beta", **order) if shifts else False,
        }
    eps = operation.number(1e-3, "epsilon")
    return operation.layer("layer_norm", source, normalized_axes=tuple(axes), eps=eps, **keys)


def _stored_order(axes: list[int]) -> dict[str, Any]:
    """How the axes of a stored weight are brought into the order that a spec has: channels last.

    `axes` are those of the weight in Keras's order, as a spec counts them.
    """
    wanted = sorted(axes, key=lambda axis: (axis == 0, axis))
    order = tuple(axes.index(axis) for axis in wanted)
    return {} if list(order) == sorted(order) else {"axes": order}


def _group_norm(operation: Operation) -> Activation:
    source = operation.source
    axes = operation.axes("axis", source, -1)
    return operation.along(source, axes[0], lambda turned: _grouped(operation, turned))


def _grouped(operation: Operation, source: Activation) -> Activation:
    groups = operation.integer("groups", 32)
    scales, shifts = operation.flag("scale", default=True), operation.flag("center", default=True)
    keys: dict[str, Any] = {
        "num_groups": source.shape[0] if groups == -1 else groups,
        "eps": operation.number(1e-3, "epsilon"),
    }
    if groups < 1 and groups != -1:
        operation.refuse(f"it has {groups} groups", code="E107")
    if scales:
        weight = operation.variable("gamma")
        bias = operation.variable("beta") if shifts else False
        return operation.layer("group_norm", source, **keys, weight=weight, bias=bias)
    given = operation.layer("group_norm", source, **keys, affine=False)
    return operation.layer("scale", given, bias=operation.variable("beta")) if shifts else given


def _stand_in(operation: Operation) -> Activation:
    return operation.stand_in("identity", operation.source)


OPERATORS: dict[str, Translator] = {
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "GroupNormalization": _group_norm,
    "UnitNormalization": _stand_in,
}
