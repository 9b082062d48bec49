"""Penalties on weights (and on outputs): `Σ l1·|w| + l2·w²`."""

from __future__ import annotations

import math
from typing import Any

from chainrule import names
from chainrule.keras.arrays import to_tensor
from chainrule.keras.registry import from_config, known, lookup, to_config
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


class Regularizer:
    """Base class: called with a weight, returns a scalar tensor."""

    def __call__(self, x: Tensor) -> Any:
        return 0.0

    def get_config(self) -> dict[str, Any]:
        return dict(vars(self))

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        return cls(**config)


@known
class L1L2(Regularizer):
    """`l1 · Σ|w| + l2 · Σw²`."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1 = 0.0 if l1 is None else validate_float_arg(l1, "l1")
        self.l2 = 0.0 if l2 is None else validate_float_arg(l2, "l2")

    def __call__(self, x: Tensor) -> Any:
        x = to_tensor(x)
        terms = []
        if self.l1:
            terms.append(self.l1 * T.abs(x).sum())
        if self.l2:
            terms.append(self.l2 * (x * x).sum())
        return sum(terms[1:], terms[0]) if terms else 0.0 * x.sum()


@known
class L1(Regularizer):
    """`l1 · Σ|w|`."""

    def __init__(self, l1: float = 0.01) -> None:
        self.l1 = validate_float_arg(0.01 if l1 is None else l1, "l1")

    def __call__(self, x: Tensor) -> Any:
        return self.l1 * T.abs(to_tensor(x)).sum()


@known
class L2(Regularizer):
    """`l2 · Σw²`."""

    def __init__(self, l2: float = 0.01) -> None:
        self.l2 = validate_float_arg(0.01 if l2 is None else l2, "l2")

    def __call__(self, x: Tensor) -> Any:
        x = to_tensor(x)
        return self.l2 * (x * x).sum()


@known
class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean absolute cosine between different rows (or columns) of a matrix."""

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise ValueError(
                'Invalid value for argument `mode`. Expected one of {"rows", "columns"}. '
                f"Received: mode={mode}"
            )
        self.factor = validate_float_arg(factor, "factor")
        self.mode = mode

    def __call__(self, x: Tensor) -> Any:
        x = to_tensor(x)
        if x.ndim != 2:
            raise ValueError(
                "Inputs to OrthogonalRegularizer must have rank 2. "
                f"Received: inputs.shape={tuple(x.shape)}"
            )
        rows = x if self.mode == "rows" else x.T
        rows = rows / (T.sqrt((rows * rows).sum(-1, keepdim=True)) + 1e-12)
        count = rows.shape[0]
        products = T.abs(rows @ rows.T)
        off_diagonal = products.sum() - T.diagonal(products).sum()
        return self.factor * 0.5 * off_diagonal / max(count * (count - 1.0) / 2.0, 1.0)


def validate_float_arg(value: Any, name: str) -> float:
    """A weight of a penalty: a number that is not negative."""
    if not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. "
            f"Received: {name}={value}"
        )
    return float(value)


_TABLE = {
    "l1": L1, "l2": L2, "l1_l2": L1L2, "l1l2": L1L2, "L1": L1, "L2": L2, "L1L2": L1L2,
    "orthogonal_regularizer": OrthogonalRegularizer, "OrthogonalRegularizer": OrthogonalRegularizer,
}  # fmt: skip

l1, l2, l1_l2, orthogonal_regularizer = L1, L2, L1L2, OrthogonalRegularizer


def get(identifier: Any) -> Any:
    """The regularizer that a name, a config or a callable means; None stays None."""
    if identifier is None:
        return None
    found = lookup(identifier, _TABLE, "regularizer")
    if isinstance(found, type):
        return found()
    if not callable(found):
        raise ValueError(f"cannot make a regularizer from {identifier!r}")
    return found


def serialize(regularizer: Any) -> Any:
    """A regularizer as plain data."""
    return to_config(regularizer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """What `serialize` was given, or the regularizer of that name."""
    return from_config(config, custom_objects=custom_objects, module_objects=_TABLE)


__getattr__ = names.later(__name__)
