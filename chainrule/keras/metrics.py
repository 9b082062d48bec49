"""Metrics, by the names that Keras programs use."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.keras import losses as L
from chainrule.keras.losses import align_ranks, to_tensor
from chainrule.keras.metrics_base import (
    Averaged,
    Mean,
    MeanMetricWrapper,
    Metric,
    Sum,
    divide_no_nan,
    weighted,
)
from chainrule.keras.naming import snake_case
from chainrule.keras.registry import known, lookup
from chainrule.tensor import Tensor, creation, no_grad
from chainrule.tensor import functions as T

# accuracies: 1 or 0 per example -------------------------------------------------------------------


def _same_shape(y_true: Tensor, y_pred: Tensor, name: str) -> tuple[Tensor, Tensor]:
    y_true, y_pred = align_ranks(y_true, y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        raise ShapeError(
            f"{name} needs targets and predictions of the same shape, got y_true of shape "
            f"{tuple(y_true.shape)} and y_pred of shape {tuple(y_pred.shape)}"
        )
    return y_true, y_pred


@known
def accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where both are equal."""
    y_true, y_pred = _same_shape(to_tensor(y_true), to_tensor(y_pred), "accuracy")
    return (y_true == y_pred).float()


@known
def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Tensor:
    """1 where the target is 1 and the prediction above `threshold`, or neither."""
    y_pred = to_tensor(y_pred)
    y_true, y_pred = _same_shape(to_tensor(y_true, y_pred.dtype), y_pred, "binary_accuracy")
    return ((y_pred > threshold).to(y_true.dtype) == y_true).float()


@known
def categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the largest prediction stands at the largest target; y_true one-hot."""
    y_true, y_pred = _same_shape(to_tensor(y_true), to_tensor(y_pred), "categorical_accuracy")
    return (y_true.argmax(-1) == y_pred.argmax(-1)).float()


@known
def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Tensor:
    """1 where the largest prediction stands at the class that `y_true` names."""
    labels, y_pred = _labels(y_true, y_pred, "sparse_categorical_accuracy")
    return (labels == y_pred.argmax(-1)).float()


@known
def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 where the class of the one-hot target is among the `k` largest predictions."""
    y_true, y_pred = _same_shape(to_tensor(y_true), to_tensor(y_pred), "top_k_categorical_accuracy")
    return _in_top_k(y_true.argmax(-1), y_pred, k)


@known
def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Tensor:
    """1 where the class that `y_true` names is among the `k` largest predictions."""
    labels, y_pred = _labels(y_true, y_pred, "sparse_top_k_categorical_accuracy")
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
    return (larger < k).float()


def _mean_of(
    class_name: str, function: Any, direction: str | None, short: str | None = None
) -> Any:
    """A metric class that is the mean of `function`."""
    default = short or function.__name__

    class Wrapped(MeanMetricWrapper):
        __doc__ = function.__doc__

        def __init__(
            self, *args: Any, name: str = default, dtype: Any = None, **kwargs: Any
        ) -> None:
            if args:
                name = args[0]
            super().__init__(function, name, dtype, **kwargs)

    Wrapped.__name__ = Wrapped.__qualname__ = class_name
    Wrapped.direction = direction
    return known(Wrapped)


Accuracy = _mean_of("Accuracy", accuracy, "up")
BinaryAccuracy = _mean_of("BinaryAccuracy", binary_accuracy, "up")
CategoricalAccuracy = _mean_of("CategoricalAccuracy", categorical_accuracy, "up")
SparseCategoricalAccuracy = _mean_of("SparseCategoricalAccuracy", sparse_categorical_accuracy, "up")
BinaryCrossentropy = _mean_of("BinaryCrossentropy", L.binary_crossentropy, "down")
CategoricalCrossentropy = _mean_of("CategoricalCrossentropy", L.categorical_crossentropy, "down")
SparseCategoricalCrossentropy = _mean_of(
    "SparseCategoricalCrossentropy", L.sparse_categorical_crossentropy, "down"
)
MeanSquaredError = _mean_of("MeanSquaredError", L.mean_squared_error, "down")
MeanAbsoluteError = _mean_of("MeanAbsoluteError", L.mean_absolute_error, "down")
MeanAbsolutePercentageError = _mean_of(
    "MeanAbsolutePercentageError", L.mean_absolute_percentage_error, "down"
)
MeanSquaredLogarithmicError = _mean_of(
    "MeanSquaredLogarithmicError", L.mean_squared_logarithmic_error, "down"
)
KLDivergence = _mean_of("KLDivergence", L.kl_divergence, "down")
Poisson = _mean_of("Poisson", L.poisson, "down")
Hinge = _mean_of("Hinge", L.hinge, "down")
SquaredHinge = _mean_of("SquaredHinge", L.squared_hinge, "down")
CategoricalHinge = _mean_of("CategoricalHinge", L.categorical_hinge, "down")
LogCoshError = _mean_of("LogCoshError", L.log_cosh, "down", "logcosh")


@known
class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class of the one-hot target is among the `k` largest predictions."""

    direction = "up"

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@known
class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the class that the target names is among the `k` largest predictions."""

    direction = "up"

    def __init__(
        self, k: int = 5, name: str = "sparse_top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(sparse_top_k_categorical_accuracy, name, dtype, k=k)
        self.k = k


@known
class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine between targets and predictions (1: the same direction)."""

    direction = "up"

    def __init__(self, name: str = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(
            lambda y_true, y_pred: -L.cosine_similarity(y_true, y_pred, axis), name, dtype
        )
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self._dtype, "axis": self.axis}


@known
class RootMeanSquaredError(Averaged):
    """√ of the mean squared error over all elements."""

    direction = "down"

    def __init__(self, name: str = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = to_tensor(y_pred)
        y_true, y_pred = _same_shape(
            to_tensor(y_true, y_pred.dtype), y_pred, "root_mean_squared_error"
        )
        self._count((y_true - y_pred) ** 2, sample_weight)

    def result(self) -> Any:
        return T.sqrt(super().result())


# counts of a confusion matrix ---------------------------------------------------------------------


class _Confusion(Metric):
    """Counts of right and wrong decisions at one or more thresholds."""

    direction = "up"
    _kinds: tuple[str, ...] = ()

    def __init__(
        self, thresholds: Any = None, name: str | None = None, dtype: Any = None, **options: Any
    ) -> None:
        super().__init__(dtype, name or snake_case(type(self).__name__))
        self.thresholds = thresholds
        self._values = np.atleast_1d(
            np.asarray(0.5 if thresholds is None else thresholds, np.float32)
        )
        if ((self._values < 0) | (self._values > 1)).any():
            raise ValueError(f"thresholds must lie between 0 and 1, got {thresholds}")
        self.top_k = options.pop("top_k", None)
        self.class_id = options.pop("class_id", None)
        if options:
            raise TypeError(f"{type(self).__name__} does not know {', '.join(options)}")
        self.counts = {
            kind: self.add_variable((len(self._values),), name=kind) for kind in self._kinds
        }

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = to_tensor(y_pred)
        y_true = to_tensor(y_true, y_pred.dtype)
        y_true, y_pred = _same_shape(y_true, y_pred, self.name)
        if self.top_k is not None:
            larger = (y_pred.unsqueeze(-2) > y_pred.unsqueeze(-1)).float().sum(-1)
            y_pred = (larger < self.top_k).to(y_pred.dtype)
        if self.class_id is not None:
            y_true, y_pred = y_true[..., self.class_id], y_pred[..., self.class_id]
        weights = None
        if sample_weight is not None:
            weights = to_tensor(sample_weight, y_pred.dtype)
            weights = weights.reshape(*weights.shape, *(1,) * (y_true.ndim - weights.ndim))
            weights = weights.expand(y_true.shape).reshape(1, -1)
        positive = (y_true.reshape(1, -1) > 0.5).float()
        limits = creation.from_owned(np.array(self._values)).unsqueeze(-1)
        chosen = (y_pred.reshape(1, -1) > limits).float()
        products = {
            "true_positives": lambda: positive * chosen,
            "false_positives": lambda: (1.0 - positive) * chosen,
            "true_negatives": lambda: (1.0 - positive) * (1.0 - chosen),
            "false_negatives": lambda: positive * (1.0 - chosen),
        }
        for kind, variable in self.counts.items():
            hits = products[kind]()
            variable.assign(variable + (hits if weights is None else hits * weights).sum(-1))

    @property
    def variables(self) -> list[Any]:
        return list(self._own)

    def _one_or_all(self, values: Tensor) -> Tensor:
        return values[0] if len(self._values) == 1 else values

    def result(self) -> Any:
        with no_grad():
            return self._one_or_all(self._compute())

    def _compute(self) -> Tensor:
        raise NotImplementedError


def _count_of(class_name: str, kind: str, direction: str) -> Any:
    class Count(_Confusion):
        _kinds = (kind,)

        def _compute(self) -> Tensor:
            return self.counts[kind] + 0.0

    Count.__name__ = Count.__qualname__ = class_name
    Count.__doc__ = f"The number of {kind.replace('_', ' ')}."
    Count.direction = direction
    return known(Count)


TruePositives = _count_of("TruePositives", "true_positives", "up")
FalsePositives = _count_of("FalsePositives", "false_positives", "down")
TrueNegatives = _count_of("TrueNegatives", "true_negatives", "up")
FalseNegatives = _count_of("FalseNegatives", "false_negatives", "down")


@known
class Precision(_Confusion):
    """True positives / all chosen."""

    _kinds = ("true_positives", "false_positives")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k=top_k, class_id=class_id)

    def _compute(self) -> Tensor:
        right = self.counts["true_positives"]
        return divide_no_nan(right, right + self.counts["false_positives"])


@known
class Recall(_Confusion):
    """True positives / all positives."""

    _kinds = ("true_positives", "false_negatives")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(thresholds, name, dtype, top_k=top_k, class_id=class_id)

    def _compute(self) -> Tensor:
        right = self.counts["true_positives"]
        return divide_no_nan(right, right + self.counts["false_negatives"])


@known
class AUC(_Confusion):
    """Area under the ROC (or precision-recall) curve, by the trapezoid rule over `num_thresholds`
    points.
    """

    _kinds = ("true_positives", "false_positives", "true_negatives", "false_negatives")

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        from_logits: bool = False,
    ) -> None:
        if curve not in ("ROC", "PR"):
            raise ValueError(f"curve must be 'ROC' or 'PR', got {curve!r}")
        if multi_label:
            raise NotImplementedError(
                "AUC(multi_label=True) is not available; use one AUC per label"
            )
        inner = (
            np.arange(1, num_thresholds - 1) / (num_thresholds - 1)
            if thresholds is None
            else np.sort(np.asarray(thresholds))
        )
        super().__init__([], name or "auc", dtype)
        self.num_thresholds = len(inner) + 2
        self.curve = curve
        self.summation_method = summation_method
        self.from_logits = from_logits
        # A little outside [0, 1], so that the ends of the curve are everything and nothing.
        self._values = np.concatenate([[-1e-7], inner, [1.0 + 1e-7]]).astype(np.float32)
        self._own.clear()
        self.counts = {
            kind: self.add_variable((len(self._values),), name=kind) for kind in self._kinds
        }

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = to_tensor(y_pred)
        super().update_state(
            y_true, T.sigmoid(y_pred) if self.from_logits else y_pred, sample_weight
        )

    def result(self) -> Any:
        with no_grad():
            return self._compute()

    def _compute(self) -> Tensor:
        tp, fp = self.counts["true_positives"], self.counts["false_positives"]
        tn, fn = self.counts["true_negatives"], self.counts["false_negatives"]
        recall = divide_no_nan(tp, tp + fn)
        if self.curve == "PR":
            return self._interpolated_precision(tp, fp, fn)
        fallout = divide_no_nan(fp, fp + tn)
        heights = (recall[:-1] + recall[1:]) / 2.0
        return ((fallout[:-1] - fallout[1:]) * heights).sum()

    def _interpolated_precision(self, tp: Tensor, fp: Tensor, fn: Tensor) -> Tensor:
        # Davis and Goadrich (2006): between two points true and false positives change linearly.
        gained = tp[:-1] - tp[1:]
        chosen = tp + fp
        slope = divide_no_nan(gained, T.clamp(chosen[:-1] - chosen[1:], min=0.0))
        intercept = tp[1:] - slope * chosen[1:]
        positive = (chosen[:-1] > 0) & (chosen[1:] > 0)
        ratio = T.where(positive, divide_no_nan(T.clamp(chosen[:-1], min=0.0), chosen[1:]), 1.0)
        area = divide_no_nan(
            slope * (gained + intercept * T.log(ratio)), T.clamp(tp[1:] + fn[1:], min=0.0)
        )
        return area.sum()

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dtype": self._dtype,
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "from_logits": self.from_logits,
        }


@known
class FBetaScore(Metric):
    """(1 + β²) P R / (β² P + R) per class; `average`: None, "micro", "macro" or "weighted"."""

    direction = "up"

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                f"average must be None, 'micro', 'macro' or 'weighted', got {average!r}"
            )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._counts: dict[str, Any] = {}

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = to_tensor(y_pred)
        y_true, y_pred = _same_shape(to_tensor(y_true, y_pred.dtype), y_pred, self.name)
        if y_true.ndim != 2:
            raise ShapeError(f"{self.name} takes targets (n, classes), got {tuple(y_true.shape)}")
        if self.threshold is None:
            highest = y_pred == y_pred.amax(-1, keepdim=True)
            chosen = (highest & (y_pred.abs() > 1e-9)).to(y_pred.dtype)
        else:
            chosen = (y_pred > self.threshold).to(y_pred.dtype)
        axes = (0, 1) if self.average == "micro" else (0,)
        weights = 1.0
        if sample_weight is not None:
            weights = to_tensor(sample_weight, y_pred.dtype).reshape(-1, 1)
        found = {
            "true_positives": chosen * y_true,
            "false_positives": chosen * (1.0 - y_true),
            "false_negatives": (1.0 - chosen) * y_true,
            "support": y_true,
        }
        for kind, values in found.items():
            total = (values * weights).sum(axes)
            if kind not in self._counts:
                self._counts[kind] = self.add_variable(tuple(total.shape), name=kind)
            self._counts[kind].assign(self._counts[kind] + total)

    def result(self) -> Any:
        if not self._counts:
            return creation.from_owned(np.zeros((), np.float32))
        with no_grad():
            tp = self._counts["true_positives"]
            precision = divide_no_nan(tp, tp + self._counts["false_positives"])
            recall = divide_no_nan(tp, tp + self._counts["false_negatives"])
            squared = self.beta**2
            score = (1.0 + squared) * divide_no_nan(
                precision * recall, squared * precision + recall
            )
            if self.average == "weighted":
                support = self._counts["support"]
                return (score * divide_no_nan(support, support.sum())).sum()
            return score.mean() if self.average == "macro" else score


@known
class F1Score(FBetaScore):
    """2 P R / (P + R)."""

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)


@known
class MeanIoU(Metric):
    """Mean over the classes of intersection / union, from class numbers."""

    direction = "up"

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        sparse_y_pred: bool = True,
    ) -> None:
        super().__init__(dtype, name)
        self.num_classes = num_classes
        self.sparse_y_pred = sparse_y_pred
        self.matrix = self.add_variable((num_classes, num_classes), name="confusion_matrix")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = to_tensor(y_pred)
        if not self.sparse_y_pred:
            y_pred = y_pred.argmax(-1)
        classes = creation.from_owned(np.arange(self.num_classes))
        rows = (to_tensor(y_true).reshape(-1, 1).long() == classes).float()
        columns = (y_pred.reshape(-1, 1).long() == classes).float()
        if sample_weight is not None:
            rows = rows * to_tensor(sample_weight, rows.dtype).reshape(-1, 1)
        self.matrix.assign(self.matrix + rows.T @ columns)

    def result(self) -> Any:
        with no_grad():
            both = T.diagonal(self.matrix)
            union = self.matrix.sum(0) + self.matrix.sum(1) - both
            present = (union > 0).float()
            return divide_no_nan(divide_no_nan(both, union).sum(), present.sum())


# by name ------------------------------------------------------------------------------------------

mse = MSE = mean_squared_error = L.mean_squared_error
mae = MAE = mean_absolute_error = L.mean_absolute_error
mape = MAPE = L.mean_absolute_percentage_error
msle = MSLE = L.mean_squared_logarithmic_error
binary_crossentropy = L.binary_crossentropy
categorical_crossentropy = L.categorical_crossentropy
sparse_categorical_crossentropy = L.sparse_categorical_crossentropy
kl_divergence = L.kl_divergence
hinge = L.hinge
poisson = L.poisson

_CLASSES = (
    Accuracy, AUC, BinaryAccuracy, BinaryCrossentropy, CategoricalAccuracy, CategoricalCrossentropy,
    CategoricalHinge, CosineSimilarity, F1Score, FBetaScore, FalseNegatives, FalsePositives, Hinge,
    KLDivergence, LogCoshError, Mean, MeanAbsoluteError, MeanAbsolutePercentageError, MeanIoU,
    MeanSquaredError, MeanSquaredLogarithmicError, Poisson, Precision, Recall, RootMeanSquaredError,
    SparseCategoricalAccuracy, SparseCategoricalCrossentropy, SparseTopKCategoricalAccuracy,
    SquaredHinge, Sum, TopKCategoricalAccuracy, TrueNegatives, TruePositives,
)  # fmt: skip
_TABLE: dict[str, Any] = {
    **{c.__name__: c for c in _CLASSES},
    **{snake_case(c.__name__): c for c in _CLASSES},
    "mse": MeanSquaredError, "MSE": MeanSquaredError, "mae": MeanAbsoluteError,
    "MAE": MeanAbsoluteError, "mape": MeanAbsolutePercentageError,
    "MAPE": MeanAbsolutePercentageError, "msle": MeanSquaredLogarithmicError,
    "MSLE": MeanSquaredLogarithmicError, "rmse": RootMeanSquaredError, "RMSE": RootMeanSquaredError,
    "kld": KLDivergence, "cosine_similarity": CosineSimilarity, "bce": BinaryCrossentropy,
    "auc": AUC, "f1_score": F1Score, "mean_io_u": MeanIoU,
}  # fmt: skip

__all__ = [
    *(c.__name__ for c in _CLASSES), "MeanMetricWrapper", "Metric", "accuracy", "binary_accuracy",
    "categorical_accuracy", "get", "sparse_categorical_accuracy",
    "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy", "weighted",
]  # fmt: skip


def get(identifier: Any) -> Any:
    """The metric that a name, a config, a class or a function means; None stays None."""
    if identifier is None:
        return None
    found = lookup(identifier, _TABLE, "metric")
    if isinstance(found, type):
        return found()
    if not callable(found):
        raise ValueError(f"cannot make a metric from {identifier!r}")
    return found
