"""Metrics of right and wrong decisions at one or more thresholds, from counts over all batches."""

from __future__ import annotations

import enum
from typing import Any, ClassVar

import numpy as np

from chainrule.keras.arrays import align_ranks, to_tensor
from chainrule.keras.metrics_base import Metric, divide_no_nan
from chainrule.keras.registry import known
from chainrule.keras.settings import epsilon
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, creation, no_grad
from chainrule.tensor import functions as T

#: A prediction that is above no threshold.
NEG_INF = -1e10
_KINDS = ("true_positives", "false_positives", "true_negatives", "false_negatives")

# counting -----------------------------------------------------------------------------------------


class Decisions:
    """Thresholds at which predictions are taken for positive, and how to count.

    Evenly spaced thresholds are counted by buckets, so that a prediction costs the same however
    many there are; others are each compared with every prediction.
    """

    def __init__(self, values: Any, *, evenly: bool) -> None:
        self.values = np.asarray(values, np.float64)
        self.evenly = evenly
        #: Whether the first and last lie a little outside [0, 1], so that all is above the first.
        self.padded = bool(evenly and (self.values[0] < 0.0 or self.values[-1] > 1.0))

    def __len__(self) -> int:
        return len(self.values)

    def count(
        self, y_true: Tensor, y_pred: Tensor, weights: Tensor | None, *, by_label: bool
    ) -> dict[str, Tensor]:
        """Sums of weights of each kind: (thresholds,), or (thresholds, labels)."""
        positive = y_true.bool().to(y_pred.dtype)
        negative = 1.0 - positive
        if weights is not None:
            positive, negative = positive * weights, negative * weights
        if not by_label:
            positive, negative, y_pred = (x.reshape(-1, 1) for x in (positive, negative, y_pred))
        above = self._by_buckets if self.evenly else self._by_comparing
        tp, fp = above(y_pred, positive), above(y_pred, negative)
        counts = {
            "true_positives": tp,
            "false_positives": fp,
            "true_negatives": negative.sum(0) - fp,
            "false_negatives": positive.sum(0) - tp,
        }
        return counts if by_label else {kind: c.squeeze(-1) for kind, c in counts.items()}

    def _by_comparing(self, y_pred: Tensor, weights: Tensor) -> Tensor:
        limits = to_tensor(self.values, y_pred.dtype).reshape(-1, 1, 1)
        return ((y_pred > limits).to(weights.dtype) * weights).sum(1)

    def _by_buckets(self, y_pred: Tensor, weights: Tensor) -> Tensor:
        """Bucket i has what is above threshold i and not above the next one."""
        count, labels = len(self), int(y_pred.shape[1])
        # Bucket 0 has what is above no threshold; none is, where the first lies below 0.
        bucket = T.ceil(T.clamp(y_pred, 0.0, 1.0) * float(count - 1)).long()
        if self.padded:
            bucket = T.clamp(bucket, min=1)
        place = (bucket * labels + creation.arange(labels)).reshape(-1)
        cells = creation.zeros(((count + 1) * labels,), dtype=weights.dtype)
        sums = T.index_add(cells, 0, place, weights.reshape(-1)).reshape(count + 1, labels)[1:]
        return T.flip(T.cumsum(T.flip(sums, (0,)), 0), (0,))


def _thresholds(given: Any, default: float) -> tuple[list[Any], Decisions]:
    """The thresholds as a list, and what counts with them."""
    values = default if given is None else given
    values = list(values) if isinstance(values, list | tuple | np.ndarray) else [values]
    if given is not None:
        outside = [t for t in values if t is None or t < 0 or t > 1]
        if outside:
            raise ValueError(f"Threshold values must be in [0, 1]. Received: {outside}")
    return values, Decisions(values, evenly=_are_even(values))


def _are_even(values: Any) -> bool:
    if len(values) < 3:
        return False
    even = np.arange(len(values), dtype=np.float32) / (len(values) - 1)
    return bool(np.allclose(np.asarray(values, np.float64), even, atol=epsilon()))


def _only_top(y_pred: Tensor, k: int) -> Tensor:
    """Predictions that are not among the `k` largest of their row are above no threshold."""
    places = T.topk(y_pred, k, -1)[1]
    kept = T.scatter(
        creation.zeros_like(y_pred), -1, places, creation.ones_like(places).to(y_pred.dtype)
    )
    return y_pred * kept + NEG_INF * (1.0 - kept)


def _like(weights: Any, y: Tensor) -> Tensor:
    """Weights for each element of `y`: (n,) for (n, m)."""
    weights = to_tensor(weights, y.dtype)
    while weights.ndim > y.ndim and weights.shape[-1] == 1:
        weights = weights.squeeze(-1)
    return weights.reshape(*weights.shape, *(1,) * (y.ndim - weights.ndim)).expand(y.shape)


class _Confusion(Metric):
    """Counts of some kinds, at thresholds."""

    #: The attributes that are counts, and what each counts.
    _counts: tuple[tuple[str, str], ...]
    decisions: Decisions
    top_k: int | None = None
    class_id: int | None = None

    def _add_counts(self, shape: tuple[int, ...]) -> None:
        for name, _ in self._counts:
            setattr(self, name, self.add_variable(shape, name=name))

    def _variable(self, name: str) -> Variable:
        found: Variable = getattr(self, name)
        return found

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._add(y_true, y_pred, sample_weight)

    def _add(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: Any = None,
        label_weights: Tensor | None = None,
        by_label: bool = False,
    ) -> None:
        dtype = self._variable(self._counts[0][0]).dtype
        y_pred, y_true = align_ranks(to_tensor(y_pred, dtype), to_tensor(y_true, dtype))
        if self.top_k is not None:
            y_pred = _only_top(y_pred, self.top_k)
        if self.class_id is not None:
            if y_pred.ndim == 1:
                raise ValueError(
                    "When class_id is provided, y_pred must be a 2D array with shape "
                    f"(num_samples, num_classes), found shape: {tuple(y_pred.shape)}"
                )
            # A slice keeps the axis, so that weights fit.
            chosen = slice(self.class_id, self.class_id + 1)
            y_true, y_pred = y_true[..., chosen], y_pred[..., chosen]
        weights = None if sample_weight is None else _like(sample_weight, y_pred)
        if label_weights is not None:
            labels = label_weights.unsqueeze(0).expand(y_pred.shape)
            weights = labels if weights is None else weights * labels
        counts = self.decisions.count(y_true, y_pred, weights, by_label=by_label)
        for name, kind in self._counts:
            variable = self._variable(name)
            variable.assign(variable + counts[kind])

    def _rate(self, part: str, rest: str) -> Tensor:
        """part / (part + rest), of counts."""
        counted = self._variable(part)
        return divide_no_nan(counted, counted + self._variable(rest))


# counts and rates at given thresholds -------------------------------------------------------------


class _AtThresholds(_Confusion):
    """One value for each threshold; a number where there is one threshold."""

    def _decide(self, thresholds: Any, default: float) -> None:
        self.init_thresholds = thresholds
        self.thresholds, self.decisions = _thresholds(thresholds, default)
        self._add_counts((len(self.thresholds),))

    def _value(self) -> Tensor:
        raise NotImplementedError

    def result(self) -> Any:
        with no_grad():
            values = self._value()
            return values[0] if len(self.thresholds) == 1 else values

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"thresholds": self.init_thresholds}


class _Count(_AtThresholds):
    """The number of examples of one kind."""

    accumulator: Variable

    def __init__(self, thresholds: Any = None, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(dtype, name)
        self._decide(thresholds, 0.5)

    def _value(self) -> Tensor:
        return self.accumulator.detach() + 0.0


@known
class TruePositives(_Count):
    """How many positive examples are above the threshold."""

    _counts = (("accumulator", "true_positives"),)


@known
class FalsePositives(_Count):
    """How many negative examples are above the threshold."""

    _counts = (("accumulator", "false_positives"),)


@known
class TrueNegatives(_Count):
    """How many negative examples are not above the threshold."""

    _counts = (("accumulator", "true_negatives"),)


@known
class FalseNegatives(_Count):
    """How many positive examples are not above the threshold."""

    _counts = (("accumulator", "false_negatives"),)


class _Rate(_AtThresholds):
    """A share of examples; `top_k` and `class_id` choose among classes."""

    _direction = "up"
    _options = ("top_k", "class_id")

    def __init__(
        self,
        thresholds: Any = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(dtype, name)
        self.top_k = top_k
        self.class_id = class_id
        # Among the largest k, everything counts unless a threshold is given.
        self._decide(thresholds, 0.5 if top_k is None else NEG_INF)


@known
class Precision(_Rate):
    """True positives / all chosen."""

    _counts = tuple((kind, kind) for kind in ("true_positives", "false_positives"))

    def _value(self) -> Tensor:
        return self._rate("true_positives", "false_positives")


@known
class Recall(_Rate):
    """True positives / all positives."""

    _counts = tuple((kind, kind) for kind in ("true_positives", "false_negatives"))

    def _value(self) -> Tensor:
        return self._rate("true_positives", "false_negatives")


# one rate where another is high enough ------------------------------------------------------------


class _Where(_Confusion):
    """The best of one rate over the thresholds at which another is at least some value."""

    _direction = "up"
    _counts = tuple((kind, kind) for kind in _KINDS)
    _options: ClassVar[tuple[str, ...]] = ("num_thresholds", "class_id")
    #: The part and the rest of both rates.
    _best: tuple[str, str]
    _enough: tuple[str, str]

    def __init__(
        self, value: float, what: str, num_thresholds: int, class_id: int | None, name: Any,
        dtype: Any,
    ) -> None:  # fmt: skip
        if value < 0 or value > 1:
            raise ValueError(
                f"Argument `{what}` must be in the range [0, 1]. Received: {what}={value}"
            )
        super().__init__(dtype, name)
        if num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. "
                f"Received: num_thresholds={num_thresholds}"
            )
        self.value = value
        self.num_thresholds = num_thresholds
        self.class_id = class_id
        even = np.linspace(0.0, 1.0, num_thresholds) if num_thresholds > 1 else np.array([0.5])
        self.thresholds = even.tolist()
        self.decisions = Decisions(even, evenly=num_thresholds > 1)
        self._add_counts((len(even),))

    def result(self) -> Any:
        with no_grad():
            feasible = self._rate(*self._enough) >= self.value
            return T.where(feasible, self._rate(*self._best), 0.0).amax()


_SENSITIVITY = ("true_positives", "false_negatives")
_SPECIFICITY = ("true_negatives", "false_positives")
_PRECISION = ("true_positives", "false_positives")


@known
class SensitivityAtSpecificity(_Where):
    """The best sensitivity (recall) where the specificity TN / (TN + FP) is at least the value."""

    _best, _enough = _SENSITIVITY, _SPECIFICITY
    _options = (*_Where._options, "specificity")

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, "specificity", num_thresholds, class_id, name, dtype)
        self.specificity = specificity


@known
class SpecificityAtSensitivity(_Where):
    """The best specificity where the sensitivity TP / (TP + FN) is at least the value."""

    _best, _enough = _SPECIFICITY, _SENSITIVITY
    _options = (*_Where._options, "sensitivity")

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, "sensitivity", num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity


@known
class PrecisionAtRecall(_Where):
    """The best precision where the recall is at least the value."""

    _best, _enough = _PRECISION, _SENSITIVITY
    _options = (*_Where._options, "recall")

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, "recall", num_thresholds, class_id, name, dtype)
        self.recall = recall


@known
class RecallAtPrecision(_Where):
    """The best recall where the precision is at least the value."""

    _best, _enough = _SENSITIVITY, _PRECISION
    _options = (*_Where._options, "precision")

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, "precision", num_thresholds, class_id, name, dtype)
        self.precision = precision


# the area under a curve of two rates --------------------------------------------------------------


class AUCCurve(enum.Enum):
    """What is drawn over what."""

    ROC = "ROC"  # recall over the share of negatives that are chosen
    PR = "PR"  # precision over recall
    PRGAIN = "PRGAIN"  # gain in precision over gain in recall (Flach and Kull 2015)


class AUCSummationMethod(enum.Enum):
    """What is between two points of the curve."""

    INTERPOLATION = "interpolation"
    MAJORING = "majoring"
    MINORING = "minoring"


def _member(kind: Any, what: str, given: Any) -> Any:
    if isinstance(given, kind):
        return given
    for member in kind:
        if isinstance(given, str) and given.lower() == member.value.lower():
            return member
    names = ", ".join(repr(member.value) for member in kind)
    raise ValueError(f'Invalid AUC {what} value: "{given}". Expected one of {names}')


@known
class AUC(_Confusion):
    """Area under the ROC (or precision-recall) curve, by rectangles or trapezoids over
    `num_thresholds` points. With `multi_label`, the (weighted) mean of each label's area.
    """

    _direction = "up"
    _counts = tuple((kind, kind) for kind in _KINDS)
    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str | AUCCurve = "ROC",
        summation_method: str | AUCSummationMethod = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Any = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Any = None,
        from_logits: bool = False,
    ) -> None:
        self.curve: AUCCurve = _member(AUCCurve, "curve", curve)
        self.summation_method: AUCSummationMethod = _member(
            AUCSummationMethod, "summation method", summation_method
        )
        self._init_from_thresholds = thresholds is not None
        if thresholds is not None:
            inner = sorted(thresholds)
            evenly = _are_even([0.0, *inner, 1.0])
        else:
            if num_thresholds <= 1:
                raise ValueError(
                    "Argument `num_thresholds` must be an integer > 1. "
                    f"Received: num_thresholds={num_thresholds}"
                )
            inner, evenly = [i / (num_thresholds - 1) for i in range(1, num_thresholds - 1)], True
        super().__init__(dtype, name)
        self.num_thresholds = len(inner) + 2
        # A little outside [0, 1], so that the ends of the curve are everything and nothing.
        self.decisions = Decisions([-epsilon(), *inner, 1.0 + epsilon()], evenly=evenly)
        self.multi_label = multi_label
        self.num_labels = num_labels
        self.label_weights = None if label_weights is None else to_tensor(label_weights, self.dtype)
        self._from_logits = from_logits
        self._built = False
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        if not multi_label:
            self._build(None)
        elif num_labels:
            self._build((None, num_labels))

    @property
    def thresholds(self) -> list[float]:
        """The thresholds, with one below 0 and one above 1."""
        return list(self.decisions.values)

    def _build(self, shape: Any) -> None:
        if self.multi_label:
            if len(shape) != 2:
                raise ValueError(
                    f"`y_pred` must have rank 2 when `multi_label=True`. Found rank {len(shape)}. "
                    f"Full shape received for `y_pred`: {tuple(shape)}"
                )
            self._add_counts((self.num_thresholds, int(shape[1])))
        else:
            self._add_counts((self.num_thresholds,))
        self._built = True

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = to_tensor(y_pred)
        if not self._built:
            self._build(y_pred.shape)
        if self._from_logits:
            y_pred = T.sigmoid(y_pred)
        # With an area for each label, their weights come in at the end.
        labels = None if self.multi_label else self.label_weights
        self._add(y_true, y_pred, sample_weight, labels, self.multi_label)

    def result(self) -> Any:
        if not self._built:
            return to_tensor(0.0, self.dtype)
        with no_grad():
            interpolated = self.summation_method is AUCSummationMethod.INTERPOLATION
            if self.curve is AUCCurve.PR and interpolated:
                areas = self._interpolated_precision()
            else:
                areas = self._rectangles(*self._points())
            areas = areas.sum(0)
            if not self.multi_label:
                return areas
            if self.label_weights is None:
                return areas.mean()
            weights = self.label_weights
            return divide_no_nan((areas * weights).sum(), weights.sum())

    def _points(self) -> tuple[Tensor, Tensor]:
        recall = self._rate("true_positives", "false_negatives")
        if self.curve is AUCCurve.ROC:
            return self._rate("false_positives", "true_negatives"), recall
        if self.curve is AUCCurve.PR:
            return recall, self._rate("true_positives", "false_positives")
        tp, fp = self.true_positives, self.false_positives
        tn, fn = self.true_negatives, self.false_negatives
        ratio = divide_no_nan(tp + fn, tn + fp)  # of positives to negatives
        nothing = T.eq(tp, 0.0)
        recall_gain = T.where(nothing, 0.0, 1.0 - ratio * divide_no_nan(fn, tp))
        precision_gain = T.where(nothing, 1.0, 1.0 - ratio * divide_no_nan(fp, tp))
        return T.clamp(recall_gain, min=0.0), precision_gain

    def _rectangles(self, x: Tensor, y: Tensor) -> Tensor:
        if self.summation_method is AUCSummationMethod.INTERPOLATION:
            heights = (y[:-1] + y[1:]) / 2.0
        elif self.summation_method is AUCSummationMethod.MINORING:
            heights = T.minimum(y[:-1], y[1:])
        else:
            heights = T.maximum(y[:-1], y[1:])
        return (x[:-1] - x[1:]) * heights

    def _interpolated_precision(self) -> Tensor:
        # Davis and Goadrich (2006): between two points true and false positives change linearly.
        tp, fn = self.true_positives, self.false_negatives
        gained = tp[:-1] - tp[1:]
        chosen = tp + self.false_positives
        slope = divide_no_nan(gained, T.clamp(chosen[:-1] - chosen[1:], min=0.0))
        intercept = tp[1:] - slope * chosen[1:]
        positive = (chosen[:-1] > 0) & (chosen[1:] > 0)
        ratio = T.where(positive, divide_no_nan(T.clamp(chosen[:-1], min=0.0), chosen[1:]), 1.0)
        return divide_no_nan(
            slope * (gained + intercept * T.log(ratio)), T.clamp(tp[1:] + fn[1:], min=0.0)
        )

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve.value,
            "summation_method": self.summation_method.value,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": None if self.label_weights is None else self.label_weights.tolist(),
            "from_logits": self._from_logits,
        }
        if self._init_from_thresholds:
            config["thresholds"] = self.thresholds[1:-1]
        return config
