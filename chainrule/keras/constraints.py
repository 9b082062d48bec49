"""Constraints: what a weight is projected onto after every update."""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule.keras.arrays import to_tensor
from chainrule.keras.registry import from_config, known, lookup, to_config
from chainrule.keras.settings import epsilon
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


class Constraint:
    """Base class: called with a weight, returns the projected weight."""

    def __call__(self, w: Tensor) -> Tensor:
        return w

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constraint:
        return cls(**config)


def _norm(w: Tensor, axis: Any) -> Tensor:
    """Lengths along `axis`, which stays with size 1."""
    axes = tuple(axis) if isinstance(axis, list | tuple) else (axis,)
    return T.sqrt((w * w).sum(axes, keepdim=True))


@known
class MaxNorm(Constraint):
    """Vectors along `axis` no longer than `max_value`."""

    def __init__(self, max_value: float = 2, axis: Any = 0) -> None:
        self.max_value = max_value
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        w = to_tensor(w)
        norms = _norm(w, self.axis)
        return w * (T.clamp(norms, 0, self.max_value) / (epsilon() + norms))


@known
class NonNeg(Constraint):
    """No negative numbers."""

    def __call__(self, w: Tensor) -> Tensor:
        return T.clamp(to_tensor(w), min=0.0)


@known
class UnitNorm(Constraint):
    """Vectors along `axis` of length 1."""

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        w = to_tensor(w)
        return w / (epsilon() + _norm(w, self.axis))


@known
class MinMaxNorm(Constraint):
    """Lengths along `axis` drawn towards [min_value, max_value] at the given `rate`."""

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0
    ) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        w = to_tensor(w)
        norms = _norm(w, self.axis)
        wanted = (
            self.rate * T.clamp(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        )
        return w * (wanted / (epsilon() + norms))


_TABLE = {
    "max_norm": MaxNorm, "non_neg": NonNeg, "unit_norm": UnitNorm, "min_max_norm": MinMaxNorm,
    "MaxNorm": MaxNorm, "NonNeg": NonNeg, "UnitNorm": UnitNorm, "MinMaxNorm": MinMaxNorm,
}  # fmt: skip

max_norm, non_neg, unit_norm, min_max_norm = MaxNorm, NonNeg, UnitNorm, MinMaxNorm


def get(identifier: Any) -> Any:
    """The constraint that a name, a config or a callable means; None stays None."""
    if identifier is None:
        return None
    found = lookup(identifier, _TABLE, "constraint")
    if isinstance(found, type):
        return found()
    if not callable(found):
        raise ValueError(f"cannot make a constraint from {identifier!r}")
    return found


def serialize(constraint: Any) -> Any:
    """A constraint as plain data."""
    return to_config(constraint)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """What `serialize` was given, or the constraint of that name."""
    return from_config(config, custom_objects=custom_objects, module_objects=_TABLE)


__getattr__ = names.later(__name__)
