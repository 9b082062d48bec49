"""Loss: numbers per example from `call`, weighted, masked and reduced by `__call__`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras import context
from chainrule.keras.arrays import align_ranks, to_tensor
from chainrule.keras.errors import ShapeError
from chainrule.keras.naming import auto_name
from chainrule.keras.registry import from_config, to_config
from chainrule.keras.settings import DTypePolicy, floatx, to_policy
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T
from chainrule.training.tree import is_nested, map_leaves

_REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


class Loss:
    """Base class: `call` gives a number per example, `__call__` weighs and reduces them.

    `reduction` is "sum_over_batch_size" (or "mean"), "sum", "mean_with_sample_weight", "none" or
    None. Targets and predictions are cast to `dtype` (`floatx` unless given) before `call`.
    """

    def __init__(
        self,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        self.name = name or auto_name(type(self).__name__)
        self.reduction = standardize_reduction(reduction)
        self._dtype_policy: DTypePolicy = to_policy(dtype or floatx())

    @property
    def dtype(self) -> str:
        """The type in which the loss is computed."""
        return self._dtype_policy.compute_dtype

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define call(y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        dtype = self.dtype
        mask = context.get_keras_mask(y_pred)
        losses = to_tensor(self.call(_cast(y_true, dtype), _cast(y_pred, dtype)), dtype)
        more = context.get_keras_mask(losses)
        if more is not None:
            mask = more if mask is None else to_tensor(mask).bool() & more
        return reduce_weighted(losses, sample_weight, mask, self.reduction)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        return cls(**config)


def _cast(structure: Any, dtype: str) -> Any:
    """Every leaf as a tensor of the type; a prediction keeps the logits that it came from."""
    if is_nested(structure) and not _is_numbers(structure):
        return map_leaves(lambda leaf: _cast(leaf, dtype), structure)
    cast = to_tensor(structure, dtype)
    running = context.current()
    if running is not None and cast is not structure:
        logits = running.logits_of(structure)
        if logits is not None:
            running.set_logits(cast, logits.to(cast.dtype))
    return cast


def _is_numbers(structure: Any) -> bool:
    """Nested lists of numbers are an array, not a structure of several."""
    if isinstance(structure, list | tuple):
        return all(_is_numbers(item) for item in structure)
    return isinstance(structure, bool | int | float | np.generic)


def standardize_reduction(reduction: str | None) -> str | None:
    if reduction not in _REDUCTIONS:
        raise ValueError(
            "Invalid value for argument `reduction`: it must be one of "
            f"{', '.join(map(repr, _REDUCTIONS))}, got {reduction!r}"
        )
    return reduction


def reduce_weighted(
    values: Tensor,
    sample_weight: Any = None,
    mask: Any = None,
    reduction: str | None = "sum_over_batch_size",
) -> Tensor:
    """`values` times weights, then reduced. A mask leaves the mean over what it keeps."""
    weights = None if sample_weight is None else to_tensor(sample_weight, values.dtype)
    weights = apply_mask(weights, mask, values.dtype, reduction)
    if weights is not None:
        values, weights = align_ranks(values, weights)
        weights = _stretched(weights, values)
        try:
            values = values * weights
        except RuntimeError as error:
            raise ShapeError(
                f"sample weights of shape {tuple(weights.shape)} do not fit losses of shape "
                f"{tuple(values.shape)}"
            ) from error
    if reduction in (None, "none") or tuple(values.shape) in ((), (0,)):
        return values
    total_loss = values.sum()
    if reduction == "sum":
        return total_loss
    if reduction == "mean_with_sample_weight" and weights is not None:
        count = weights.sum()
        nothing = T.eq(count, 0.0)  # weights of zero alone give zero
        return T.where(nothing, 0.0, total_loss / T.where(nothing, 1.0, count))
    return total_loss / max(int(np.prod(tuple(values.shape))), 1)


def apply_mask(weights: Any, mask: Any, dtype: Any, reduction: str | None) -> Any:
    """Weights that are zero where the mask is; for a mean, the others make up for them."""
    if mask is None:
        return weights
    kept = to_tensor(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        # The masked values are zero and yet counted by the mean.
        total = float(np.prod(tuple(kept.shape)))
        kept = kept * (total / T.clamp(kept.sum(), min=1.0))
    if weights is None:
        return kept
    kept, weights = align_ranks(kept, to_tensor(weights, dtype))
    return _stretched(weights, kept) * _stretched(kept, weights)


def _stretched(weights: Tensor, like: Tensor) -> Tensor:
    """Weights per example for values with more axes: (n,) for (n, m)."""
    missing = like.ndim - weights.ndim
    return (
        weights.reshape(*weights.shape, *(1,) * missing)
        if missing > 0 and weights.ndim
        else weights
    )


class LossFunctionWrapper(Loss):
    """A function of (y_true, y_pred) as a Loss, with its keyword arguments."""

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name, reduction, dtype)
        self.fn = fn
        self._fn_kwargs = kwargs

    def call(self, y_true: Any, y_pred: Any) -> Any:
        if isinstance(y_true, Tensor) and isinstance(y_pred, Tensor):
            aligned, y_true_like = align_ranks(y_pred, y_true)
            # Where only the targets change, the predictions keep what is known of them.
            y_pred, y_true = aligned, y_true_like
        return self.fn(y_true, y_pred, **self._fn_kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {"fn": to_config(self.fn)}
        return config | {name: to_config(value) for name, value in self._fn_kwargs.items()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        return cls(**(from_config(config) if "fn" in config else config))

    def __repr__(self) -> str:
        return f"<LossFunctionWrapper({self.fn}, kwargs={self._fn_kwargs})>"
