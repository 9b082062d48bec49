"""F-scores and R²: sums over all batches for each class or output, made into a score at the end."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

from chainrule.keras.arrays import align_ranks, to_tensor
from chainrule.keras.metrics_base import Metric, divide_no_nan
from chainrule.keras.registry import known
from chainrule.keras.settings import epsilon
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T


def _two_axes(name: str, true: Any, pred: Any) -> int:
    """The number of columns of both."""
    if len(pred) != 2 or len(true) != 2:
        raise ValueError(
            f"{name} expects 2D inputs with shape (batch_size, output_dim). Received input "
            f"shapes: y_pred.shape={tuple(pred)} and y_true.shape={tuple(true)}."
        )
    if pred[-1] is None or true[-1] is None:
        raise ValueError(
            f"{name} expects 2D inputs with shape (batch_size, output_dim), with output_dim fully "
            f"defined (not None). Received input shapes: y_pred.shape={tuple(pred)} and "
            f"y_true.shape={tuple(true)}."
        )
    return int(pred[-1])


def _a_float(name: str, value: Any) -> None:
    if not isinstance(value, float):
        raise ValueError(
            f"Invalid `{name}` argument value. It should be a Python float. "
            f"Received: {name}={value} of type '{type(value)}'"
        )


@known
class FBetaScore(Metric):
    """(1 + β²) P R / (β² P + R) per class; `average`: None, "micro", "macro" or "weighted"."""

    _direction = "up"
    _options: ClassVar[tuple[str, ...]] = ("average", "beta", "threshold")

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str | None = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError(
                "Invalid `average` argument value. Expected one of: {None, 'micro', 'macro', "
                f"'weighted'}}. Received: average={average}"
            )
        _a_float("beta", beta)
        if beta <= 0.0:
            raise ValueError(
                f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}"
            )
        if threshold is not None:
            _a_float("threshold", threshold)
            if not 0.0 < threshold <= 1.0:
                raise ValueError(
                    "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. "
                    f"Received: threshold={threshold}"
                )
        self.average = average
        self.beta = beta
        self.threshold = threshold
        self._built = False

    def _build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        classes = _two_axes("FBetaScore", y_true_shape, y_pred_shape)
        shape = () if self.average == "micro" else (classes,)

        def zeros(name: str) -> Variable:
            return self.add_variable(shape, dtype=self.dtype, name=name)

        self.true_positives = zeros("true_positives")
        self.false_positives = zeros("false_positives")
        self.false_negatives = zeros("false_negatives")
        self.intermediate_weights = zeros("intermediate_weights")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = to_tensor(y_true, self.dtype), to_tensor(y_pred, self.dtype)
        if not self._built:
            self._build(y_true.shape, y_pred.shape)
        if self.threshold is None:
            highest = y_pred >= y_pred.amax(-1, keepdim=True)
            chosen = highest & (y_pred.abs() > 1e-9)  # a row of zeros chooses nothing
        else:
            chosen = y_pred > self.threshold
        chosen = chosen.to(y_true.dtype)
        axes = (0, 1) if self.average == "micro" else (0,)
        weights = None
        if sample_weight is not None:
            weights = to_tensor(sample_weight, self.dtype).reshape(-1, 1)
        for variable, values in (
            (self.true_positives, chosen * y_true),
            (self.false_positives, chosen * (1.0 - y_true)),
            (self.false_negatives, (1.0 - chosen) * y_true),
            (self.intermediate_weights, y_true),
        ):
            weighted = values if weights is None else values * weights
            variable.assign(variable + weighted.sum(axes))

    def result(self) -> Any:
        if not self._built:
            return to_tensor(0.0, self.dtype)
        with no_grad():
            tp, eps = self.true_positives, epsilon()
            precision = tp / (tp + self.false_positives + eps)
            recall = tp / (tp + self.false_negatives + eps)
            squared = self.beta**2
            score = precision * recall / (squared * precision + recall + eps) * (1.0 + squared)
            if self.average == "weighted":
                weights = self.intermediate_weights
                return (score * weights / (weights.sum() + eps)).sum()
            return score if self.average is None else score.mean()


@known
class F1Score(FBetaScore):
    """2 P R / (P + R)."""

    _options = ("average", "threshold")

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str | None = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)


@known
class R2Score(Metric):
    """1 - Σ (y_true - y_pred)² / Σ (y_true - mean)² of each output, then averaged; with
    `num_regressors`, adjusted for the number of independent variables.
    """

    _direction = "up"
    _options = ("class_aggregation", "num_regressors")

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str | None = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        allowed = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in allowed:
            raise ValueError(
                "Invalid value for argument `class_aggregation`. Expected one of "
                f"{allowed}. Received: class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. "
                f"Received: num_regressors={num_regressors}"
            )
        self.class_aggregation = class_aggregation
        self.num_regressors = num_regressors
        self.num_samples = self.add_variable(name="num_samples")
        self._built = False

    def _build(self, y_true_shape: Any, y_pred_shape: Any) -> None:
        outputs = _two_axes("R2Score", y_true_shape, y_pred_shape)
        self.squared_sum = self.add_variable((outputs,), name="squared_sum")
        self.sum = self.add_variable((outputs,), name="sum")
        self.total_mse = self.add_variable((outputs,), name="residual")
        self.count = self.add_variable((outputs,), name="count")
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = align_ranks(to_tensor(y_true, self.dtype), to_tensor(y_pred, self.dtype))
        if not self._built:
            self._build(y_true.shape, y_pred.shape)
        weights = to_tensor(1.0 if sample_weight is None else sample_weight, self.dtype)
        if weights.ndim == 1:
            weights = weights.unsqueeze(1)
        weights = weights.expand(y_true.shape)
        self.sum.assign(self.sum + (y_true * weights).sum(0))
        self.squared_sum.assign(self.squared_sum + (y_true * y_true * weights).sum(0))
        residual = (y_true - y_pred) ** 2 * weights
        self.total_mse.assign(self.total_mse + residual.sum(0))
        self.count.assign(self.count + weights.sum(0))
        self.num_samples.assign(self.num_samples + float(y_true.numel()))

    def result(self) -> Any:
        if not self._built:
            return to_tensor(0.0, self.dtype)
        with no_grad():
            total = self.squared_sum - self.sum * (self.sum / self.count)
            scores = 1.0 - self.total_mse / total
            scores = T.where(T.isinf(scores), 0.0, scores)
            return self._adjusted(self._averaged(scores, total))

    def _averaged(self, scores: Tensor, total: Tensor) -> Tensor:
        if self.class_aggregation == "uniform_average":
            return scores.mean()
        if self.class_aggregation == "variance_weighted_average":
            return divide_no_nan((total * scores).sum(), total.sum())
        return scores

    def _adjusted(self, score: Tensor) -> Tensor:
        if self.num_regressors == 0:
            return score
        count = float(self.num_samples)
        if self.num_regressors >= count - 1:
            warnings.warn(
                f"R² cannot be adjusted for {self.num_regressors} independent variables with "
                f"{count:.0f} samples; this is the standard one",
                stacklevel=3,
            )
            return score
        return 1.0 - (1.0 - score) * (count - 1.0) / (count - self.num_regressors - 1.0)
