"""Losses: functions of (y_true, y_pred) that give one number per example, and classes that reduce
them.

Shapes are aligned as Keras does, (n,) with (n, 1); anything else that differs is an error. A loss
that broadcasts (n, 1) against (n, m) trains silently towards something else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.errors import ShapeError
from chainrule.keras import context
from chainrule.keras.naming import auto_name
from chainrule.keras.registry import known, lookup, to_config
from chainrule.keras.settings import epsilon, floatx, to_dtype
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T

_REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def to_tensor(x: Any, dtype: Any = None) -> Tensor:
    """A tensor of the given type (None keeps it)."""
    if not isinstance(x, Tensor):
        array = np.asarray(x)
        if array.dtype == np.float64:
            array = array.astype(floatx())
        x = creation.from_owned(np.array(array))
    return x if dtype is None else x.to(dtype)


def _float(x: Any) -> Tensor:
    x = to_tensor(x)
    return x if x.dtype.is_floating_point else x.to(to_dtype(None))


def align_ranks(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(n,) meets (n, 1) as (n, 1); a trailing axis of size 1 is dropped where only one has it."""
    if a.ndim == b.ndim + 1 and a.shape[-1] == 1:
        return (a, b.unsqueeze(-1)) if b.ndim == 1 else (a.squeeze(-1), b)
    if b.ndim == a.ndim + 1 and b.shape[-1] == 1:
        return (a.unsqueeze(-1), b) if a.ndim == 1 else (a, b.squeeze(-1))
    return a, b


def _pair(y_true: Any, y_pred: Any, name: str) -> tuple[Tensor, Tensor]:
    """Both as floats of one shape, or an error that names the loss and both shapes."""
    y_pred = _float(y_pred)
    y_true = to_tensor(y_true, y_pred.dtype)
    y_true, y_pred = align_ranks(y_true, y_pred)
    if tuple(y_true.shape) != tuple(y_pred.shape):
        hint = ""
        if name == "categorical_crossentropy":
            hint = (
                "; class numbers as targets need sparse_categorical_crossentropy, "
                "or keras.utils.to_categorical first"
            )
        raise ShapeError(
            f"{name} needs targets and predictions of the same shape, got y_true of shape "
            f"{tuple(y_true.shape)} and y_pred of shape {tuple(y_pred.shape)}{hint}"
        )
    return y_true, y_pred


def _remembered_logits(y_pred: Any) -> Tensor | None:
    running = context.current()
    return running.logits_of(y_pred) if running is not None else None


# functions: one number per example ----------------------------------------------------------------


@known
def mean_squared_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of (y_true - y_pred)² over the last axis.

    >>> mean_squared_error([[0.0, 1.0]], [[1.0, 1.0]]).tolist()
    [0.5]
    """
    y_true, y_pred = _pair(y_true, y_pred, "mean_squared_error")
    return ((y_pred - y_true) ** 2).mean(-1)


@known
def mean_absolute_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of |y_true - y_pred| over the last axis."""
    y_true, y_pred = _pair(y_true, y_pred, "mean_absolute_error")
    return T.abs(y_true - y_pred).mean(-1)


@known
def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Tensor:
    """100 times the mean of |y_true - y_pred| / |y_true|."""
    y_true, y_pred = _pair(y_true, y_pred, "mean_absolute_percentage_error")
    ratio = T.abs((y_true - y_pred) / T.clamp(T.abs(y_true), min=epsilon()))
    return 100.0 * ratio.mean(-1)


@known
def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of (log(1 + y_true) - log(1 + y_pred))²."""
    y_true, y_pred = _pair(y_true, y_pred, "mean_squared_logarithmic_error")
    first = T.log(T.clamp(y_pred, min=epsilon()) + 1.0)
    second = T.log(T.clamp(y_true, min=epsilon()) + 1.0)
    return ((first - second) ** 2).mean(-1)


@known
def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Tensor:
    """½ e² where |e| ≤ delta, else delta (|e| - ½ delta); mean over the last axis."""
    y_true, y_pred = _pair(y_true, y_pred, "huber")
    error = T.abs(y_pred - y_true)
    return T.where(error <= delta, 0.5 * error * error, delta * (error - 0.5 * delta)).mean(-1)


@known
def log_cosh(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of log(cosh(y_pred - y_true))."""
    y_true, y_pred = _pair(y_true, y_pred, "log_cosh")
    x = y_pred - y_true
    return (x + F.softplus(-2.0 * x) - float(np.log(2.0))).mean(-1)


def _signs(y_true: Tensor) -> Tensor:
    """Targets of 0 and 1 as -1 and 1; others as they are."""
    binary = (T.eq(y_true, 0.0) | T.eq(y_true, 1.0)).all()
    return T.where(binary, 2.0 * y_true - 1.0, y_true)


@known
def hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of max(1 - y_true·y_pred, 0), y_true of -1 and 1 (or 0 and 1)."""
    y_true, y_pred = _pair(y_true, y_pred, "hinge")
    return F.relu(1.0 - _signs(y_true) * y_pred).mean(-1)


@known
def squared_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of max(1 - y_true·y_pred, 0)²."""
    y_true, y_pred = _pair(y_true, y_pred, "squared_hinge")
    return (F.relu(1.0 - _signs(y_true) * y_pred) ** 2).mean(-1)


@known
def categorical_hinge(y_true: Any, y_pred: Any) -> Tensor:
    """max(1 - right + best wrong, 0), y_true one-hot."""
    y_true, y_pred = _pair(y_true, y_pred, "categorical_hinge")
    right = (y_true * y_pred).sum(-1)
    wrong = ((1.0 - y_true) * y_pred).amax(-1)
    return F.relu(wrong - right + 1.0)


@known
def kl_divergence(y_true: Any, y_pred: Any) -> Tensor:
    """Σ y_true log(y_true / y_pred)."""
    y_true, y_pred = _pair(y_true, y_pred, "kl_divergence")
    y_true = T.clamp(y_true, epsilon(), 1.0)
    y_pred = T.clamp(y_pred, epsilon(), 1.0)
    return (y_true * T.log(y_true / y_pred)).sum(-1)


@known
def poisson(y_true: Any, y_pred: Any) -> Tensor:
    """Mean of y_pred - y_true log(y_pred)."""
    y_true, y_pred = _pair(y_true, y_pred, "poisson")
    return (y_pred - y_true * T.log(y_pred + epsilon())).mean(-1)


@known
def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """-Σ of the products of the normalised vectors: -1 means the same direction."""
    y_true, y_pred = _pair(y_true, y_pred, "cosine_similarity")

    def unit(x: Tensor) -> Tensor:
        return x * T.rsqrt(T.clamp((x * x).sum(axis, keepdim=True), min=1e-12))

    return -(unit(y_true) * unit(y_pred)).sum(axis)


@known
def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Mean over `axis` of -(t log p + (1 - t) log(1 - p))."""
    logits = y_pred if from_logits else _remembered_logits(y_pred)
    y_true, outputs = _pair(y_true, y_pred if logits is None else logits, "binary_crossentropy")
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    return _binary(y_true, outputs, logits is not None).mean(axis)


def _binary(y_true: Tensor, outputs: Tensor, from_logits: bool) -> Tensor:
    if from_logits:
        return F.binary_cross_entropy_with_logits(outputs, y_true, reduction="none")
    p = T.clamp(outputs, epsilon(), 1.0 - epsilon())
    return -(y_true * T.log(p) + (1.0 - y_true) * T.log(1.0 - p))


@known
def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """Binary cross entropy times (1 - p of the right class)^gamma: examples that are easy count
    less.
    """
    y_true, y_pred = _pair(y_true, y_pred, "binary_focal_crossentropy")
    if label_smoothing:
        y_true = y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing
    p = T.sigmoid(y_pred) if from_logits else y_pred
    right = y_true * p + (1.0 - y_true) * (1.0 - p)
    loss = (1.0 - right) ** gamma * _binary(y_true, p, False)
    if apply_class_balancing:
        loss = loss * (y_true * alpha + (1.0 - y_true) * (1.0 - alpha))
    return loss.mean(axis)


@known
def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Tensor:
    """-Σ t log p along `axis`, t one-hot (or any distribution)."""
    logits = y_pred if from_logits else (_remembered_logits(y_pred) if axis == -1 else None)
    y_true, outputs = _pair(
        y_true, y_pred if logits is None else logits, "categorical_crossentropy"
    )
    if y_true.ndim and y_true.shape[-1] == 1:
        raise ShapeError(
            "categorical_crossentropy over one class is always 0; predictions of shape "
            f"{tuple(y_true.shape)} need binary_crossentropy or sparse_categorical_crossentropy"
        )
    if label_smoothing:
        classes = int(y_true.shape[axis])
        y_true = y_true * (1.0 - label_smoothing) + label_smoothing / classes
    if logits is not None:
        return -(y_true * F.log_softmax(outputs, dim=axis)).sum(axis)
    p = outputs / outputs.sum(axis, keepdim=True)
    return -(y_true * T.log(T.clamp(p, epsilon(), 1.0 - epsilon()))).sum(axis)


@known
def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Tensor:
    """-log p of the class that `y_true` names: y_true (…) or (…, 1), y_pred (…, classes)."""
    y_true = to_tensor(y_true)
    logits = y_pred if from_logits else (_remembered_logits(y_pred) if axis == -1 else None)
    outputs = _float(y_pred if logits is None else logits)
    if outputs.ndim == 0:
        raise ShapeError("sparse_categorical_crossentropy needs an axis of classes, got a number")
    outputs = outputs.movedim(axis, -1)
    labels = y_true
    if labels.ndim == outputs.ndim and labels.shape[-1] == 1:
        labels = labels.squeeze(-1)
    if tuple(labels.shape) != tuple(outputs.shape[:-1]):
        hint = ""
        if tuple(labels.shape) == tuple(outputs.shape):
            hint = "; one-hot targets need categorical_crossentropy"
        raise ShapeError(
            "sparse_categorical_crossentropy needs one class number per prediction, got y_true of "
            f"shape {tuple(y_true.shape)} and y_pred of shape {tuple(y_pred.shape)}{hint}"
        )
    labels = labels.long()
    valid = None
    if ignore_class is not None:
        valid = labels != ignore_class
        labels = T.where(valid, labels, 0)
    if logits is not None:
        log_p = F.log_softmax(outputs, dim=-1)
    else:
        p = outputs / outputs.sum(-1, keepdim=True)
        log_p = T.log(T.clamp(p, epsilon(), 1.0 - epsilon()))
    loss = -T.gather(log_p, -1, labels.unsqueeze(-1)).squeeze(-1)
    return loss if valid is None else loss * valid.to(loss.dtype)


# reduction ----------------------------------------------------------------------------------------


class Loss:
    """Base class: `call` gives a number per example, `__call__` weighs and reduces them."""

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:  # fmt: skip
        if reduction not in _REDUCTIONS:
            raise ValueError(
                f"reduction must be one of {', '.join(map(str, _REDUCTIONS))}, got {reduction!r}"
            )
        self.name = name or auto_name(type(self).__name__)
        self.reduction = reduction

    def call(self, y_true: Any, y_pred: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define call(y_true, y_pred)")

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        running = context.current()
        mask = running.mask_of(y_pred) if running is not None else None
        y_pred = to_tensor(y_pred)
        losses = self.call(to_tensor(y_true), y_pred)
        return reduce_weighted(to_tensor(losses), sample_weight, mask, self.reduction)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        return cls(**config)


def reduce_weighted(values: Tensor, sample_weight: Any, mask: Any, reduction: str | None) -> Tensor:
    """`values` times weights, then reduced. A mask leaves the mean over what it keeps."""
    weights = None if sample_weight is None else to_tensor(sample_weight, values.dtype)
    if mask is not None:
        kept = mask.to(values.dtype)
        if reduction in ("mean", "sum_over_batch_size"):
            # The masked values are zero and yet counted by the mean; this makes up for them.
            total = float(np.prod(tuple(kept.shape)))
            kept = kept * (total / T.clamp(kept.sum(), min=1.0))
        if weights is None:
            weights = kept
        else:
            kept, weights = align_ranks(kept, weights)
            weights = _stretched(weights, kept) * _stretched(kept, weights)
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
    if reduction in (None, "none") or values.ndim == 0:
        return values
    total_loss = values.sum()
    if reduction == "sum":
        return total_loss
    if reduction == "mean_with_sample_weight" and weights is not None:
        return total_loss / weights.sum()
    return total_loss / max(int(np.prod(tuple(values.shape))), 1)


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
        super().__init__(name or getattr(fn, "__name__", "loss"), reduction, dtype)
        self.fn = fn
        self._kwargs = kwargs

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        running = context.current()
        mask = running.mask_of(y_pred) if running is not None else None
        losses = self.fn(y_true, y_pred, **self._kwargs)
        return reduce_weighted(to_tensor(losses), sample_weight, mask, self.reduction)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self._kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config() | {name: to_config(v) for name, v in self._kwargs.items()}
        if type(self) is LossFunctionWrapper:
            config["fn"] = to_config(self.fn)
        return config


def _wrapped(class_name: str, function: Callable[..., Any]) -> type[LossFunctionWrapper]:
    """The class of a loss function: its keyword arguments, then `reduction` and `name`."""
    options = [
        p for p in inspect.signature(function).parameters.values() if p.default is not p.empty
    ]
    names = [p.name for p in options]

    class Wrapped(LossFunctionWrapper):
        __doc__ = function.__doc__

        def __init__(
            self,
            *args: Any,
            reduction: str | None = "sum_over_batch_size",
            name: str | None = function.__name__,
            dtype: Any = None,
            **kwargs: Any,
        ) -> None:
            given = dict(zip([*names, "reduction", "name"], args, strict=False)) | kwargs
            unknown = set(given) - {*names, "reduction", "name"}
            if unknown:
                raise TypeError(
                    f"{class_name} takes {', '.join(names) or 'no options'}, reduction, name and "
                    f"dtype; got {', '.join(sorted(unknown))}"
                )
            reduction = given.pop("reduction", reduction)
            name = given.pop("name", name)
            for option in options:
                given.setdefault(option.name, option.default)
            super().__init__(function, reduction, name, dtype, **given)

        def __getattr__(self, attribute: str) -> Any:
            options = self.__dict__.get("_kwargs", {})
            if attribute in options:
                return options[attribute]
            raise AttributeError(f"{class_name!r} object has no attribute {attribute!r}")

    Wrapped.__name__ = Wrapped.__qualname__ = class_name
    return known(Wrapped)


MeanSquaredError = _wrapped("MeanSquaredError", mean_squared_error)
MeanAbsoluteError = _wrapped("MeanAbsoluteError", mean_absolute_error)
MeanAbsolutePercentageError = _wrapped(
    "MeanAbsolutePercentageError", mean_absolute_percentage_error
)
MeanSquaredLogarithmicError = _wrapped(
    "MeanSquaredLogarithmicError", mean_squared_logarithmic_error
)
Huber = _wrapped("Huber", huber)
LogCosh = _wrapped("LogCosh", log_cosh)
Hinge = _wrapped("Hinge", hinge)
SquaredHinge = _wrapped("SquaredHinge", squared_hinge)
CategoricalHinge = _wrapped("CategoricalHinge", categorical_hinge)
KLDivergence = _wrapped("KLDivergence", kl_divergence)
Poisson = _wrapped("Poisson", poisson)
CosineSimilarity = _wrapped("CosineSimilarity", cosine_similarity)
BinaryCrossentropy = _wrapped("BinaryCrossentropy", binary_crossentropy)
BinaryFocalCrossentropy = _wrapped("BinaryFocalCrossentropy", binary_focal_crossentropy)
CategoricalCrossentropy = _wrapped("CategoricalCrossentropy", categorical_crossentropy)
SparseCategoricalCrossentropy = _wrapped(
    "SparseCategoricalCrossentropy", sparse_categorical_crossentropy
)

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh

_FUNCTIONS = (
    mean_squared_error, mean_absolute_error, mean_absolute_percentage_error,
    mean_squared_logarithmic_error, huber, log_cosh, hinge, squared_hinge, categorical_hinge,
    kl_divergence, poisson, cosine_similarity, binary_crossentropy, binary_focal_crossentropy,
    categorical_crossentropy, sparse_categorical_crossentropy,
)  # fmt: skip
_CLASSES = (
    MeanSquaredError, MeanAbsoluteError, MeanAbsolutePercentageError, MeanSquaredLogarithmicError,
    Huber, LogCosh, Hinge, SquaredHinge, CategoricalHinge, KLDivergence, Poisson, CosineSimilarity,
    BinaryCrossentropy, BinaryFocalCrossentropy, CategoricalCrossentropy,
    SparseCategoricalCrossentropy,
)  # fmt: skip
_TABLE: dict[str, Any] = {
    **{f.__name__: f for f in _FUNCTIONS},
    **{c.__name__: c for c in _CLASSES},
    "mse": mse, "MSE": mse, "mae": mae, "MAE": mae, "mape": mape, "MAPE": mape, "msle": msle,
    "MSLE": msle, "kld": kld, "KLD": kld, "kullback_leibler_divergence": kld, "logcosh": log_cosh,
    "bce": binary_crossentropy, "BCE": binary_crossentropy,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """The loss that a name, a config or a callable means; None stays None.

    >>> get("mse").__name__
    'mean_squared_error'
    """
    if identifier is None:
        return None
    found = lookup(identifier, _TABLE, "loss")
    if isinstance(found, type):
        return found()
    if not callable(found):
        raise ValueError(f"cannot make a loss from {identifier!r}")
    return found
