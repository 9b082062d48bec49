"""Accuracies: 1 or 0 per example, and their means."""

from __future__ import annotations

from typing import Any

from chainrule.keras.arrays import align_ranks, to_tensor
from chainrule.keras.errors import ShapeError
from chainrule.keras.metrics_base import MeanMetricWrapper
from chainrule.keras.registry import known
from chainrule.keras.settings import floatx, to_dtype
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


def same_shape(y_true: Tensor, y_pred: Tensor, name: str) -> tuple[Tensor, Tensor]:
    """Both with aligned ranks, or an error that names the metric and both shapes."""
    y_true, y_pred = align_ranks(y_true, y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise ShapeError(
            f"{name}: targets and predictions must have the same shape, got y_true of shape "
            f"{tuple(y_true.shape)} and y_pred of shape {tuple(y_pred.shape)}"
        )
    return y_true, y_pred


def _ones(hits: Tensor) -> Tensor:
    return hits.to(to_dtype(floatx()))


@known
def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where both are equal."""
    y_pred = to_tensor(y_pred)
    y_true, y_pred = same_shape(to_tensor(y_true, y_pred.dtype), y_pred, "accuracy")
    return _ones(T.eq(y_true, y_pred))


@known
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """1 where the target is 1 and the prediction above `threshold`, or neither."""
    y_true, y_pred = same_shape(to_tensor(y_true), to_tensor(y_pred), "binary_accuracy")
    if not y_pred.dtype.is_floating_point:
        y_pred = _ones(y_pred)
    return _ones(T.eq((y_pred > threshold).to(y_true.dtype), y_true))


@known
def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the largest prediction stands at the largest target; y_true one-hot."""
    y_true, y_pred = same_shape(to_tensor(y_true), to_tensor(y_pred), "categorical_accuracy")
    return _ones(T.eq(y_true.argmax(-1), y_pred.argmax(-1)))


@known
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the largest prediction stands at the class that `y_true` names."""
    labels, y_pred = _labels(y_true, y_pred, "sparse_categorical_accuracy")
    hits = _ones(T.eq(labels, y_pred.argmax(-1)))
    return hits.squeeze(-1) if hits.ndim > 1 and hits.shape[-1] == 1 else hits


@known
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 where the class of the one-hot target is among the `k` largest predictions."""
    y_true, y_pred = same_shape(to_tensor(y_true), to_tensor(y_pred), "top_k_categorical_accuracy")
    return _in_top_k(y_true.argmax(-1), y_pred, k)


@known
def sparse_top_k_categorical_accuracy(
    y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False
) -> Tensor:
    """1 where the class that `y_true` names is among the `k` largest predictions, or with
    `from_sorted_ids` among the first `k` of `y_pred`, which are classes themselves.
    """
    labels, y_pred = _labels(y_true, y_pred, "sparse_top_k_categorical_accuracy")
    if from_sorted_ids:
        found = T.eq(labels.to(y_pred.dtype).unsqueeze(-1), y_pred[..., :k])
        return _ones(found.any(-1))
    return _in_top_k(labels, y_pred, k)


def _labels(y_true: Any, y_pred: Any, name: str) -> tuple[Tensor, Tensor]:
    labels, y_pred = to_tensor(y_true), to_tensor(y_pred)
    if labels.ndim == y_pred.ndim and labels.shape[-1] == 1:
        labels = labels.squeeze(-1)
    if tuple(labels.shape) != tuple(y_pred.shape[:-1]):
        raise ShapeError(
            f"{name} needs one class number per prediction, got y_true of shape "
            f"{tuple(labels.shape)} and y_pred of shape {tuple(y_pred.shape)}"
        )
    return labels.long(), y_pred


def _in_top_k(labels: Tensor, y_pred: Tensor, k: int) -> Tensor:
    own = T.gather(y_pred, -1, labels.unsqueeze(-1))
    larger = (y_pred > own).float().sum(-1)
    return _ones((larger < k) & T.isfinite(own).squeeze(-1))


class _Right(MeanMetricWrapper):
    """The mean of an accuracy."""

    _direction = "up"

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype} | self._fn_kwargs


@known
class Accuracy(_Right):
    """How often both are equal."""

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(accuracy, name, dtype)


@known
class BinaryAccuracy(_Right):
    """How often the prediction is on the target's side of `threshold`."""

    def __init__(
        self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)
        self.threshold = threshold


@known
class CategoricalAccuracy(_Right):
    """How often the largest prediction stands at the class of the one-hot target."""

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(categorical_accuracy, name, dtype)


@known
class SparseCategoricalAccuracy(_Right):
    """How often the largest prediction stands at the class that the target names."""

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(sparse_categorical_accuracy, name, dtype)


@known
class TopKCategoricalAccuracy(_Right):
    """How often the class of the one-hot target is among the `k` largest predictions."""

    def __init__(
        self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@known
class SparseTopKCategoricalAccuracy(_Right):
    """How often the class that the target names is among the `k` largest predictions."""

    def __init__(
        self,
        k: int = 5,
        name: str | None = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        options: dict[str, Any] = {"from_sorted_ids": True} if from_sorted_ids else {}
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k, **options)
        self.k = k
        self.from_sorted_ids = from_sorted_ids
