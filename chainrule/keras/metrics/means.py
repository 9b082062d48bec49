"""Means of losses and of correlations, as metrics; and the root of the mean squared error."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from chainrule.keras import losses as L
from chainrule.keras.arrays import to_tensor
from chainrule.keras.metrics.accuracy import same_shape
from chainrule.keras.metrics_base import Mean, MeanMetricWrapper
from chainrule.keras.registry import known, to_config
from chainrule.keras.settings import epsilon
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """The cosine of the angle between targets and predictions: 1 means the same direction."""
    return -L.cosine_similarity(y_true, y_pred, axis)


@known
def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """cov(y_true, y_pred) / (σ(y_true) σ(y_pred)) along `axis`."""
    y_true, y_pred = _centred(y_true, y_pred, axis, "pearson_correlation")[:2]
    sizes = T.sqrt((y_true * y_true).mean(axis) * (y_pred * y_pred).mean(axis))
    return (y_true * y_pred).mean(axis) / sizes


@known
def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Tensor:
    """2 cov / (σ²(y_true) + σ²(y_pred) + (μ(y_true) - μ(y_pred))²) along `axis` (Lin 1989)."""
    y_true, y_pred, apart = _centred(y_true, y_pred, axis, "concordance_correlation")
    spread = (y_true * y_true).mean(axis) + (y_pred * y_pred).mean(axis) + apart * apart
    return 2.0 * (y_true * y_pred).mean(axis) / (spread + epsilon())


def _centred(y_true: Any, y_pred: Any, axis: int, name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Both without their means along `axis`, and how far the means are apart."""
    y_pred = to_tensor(y_pred)
    y_true, y_pred = same_shape(to_tensor(y_true, y_pred.dtype), y_pred, name)
    middle, other = y_true.mean(axis, keepdim=True), y_pred.mean(axis, keepdim=True)
    return y_true - middle, y_pred - other, (middle - other).squeeze(axis)


def _mean_of(
    class_name: str,
    function: Callable[..., Any],
    options: str = "",
    *,
    direction: str | None = "down",
    name: str | None = None,
) -> Any:
    """The metric that is the mean of `function`: its name, its type, then options of the function
    with their defaults.
    """
    of_function = inspect.signature(function).parameters
    names = options.split()
    defaults = {"name": name or function.__name__, "dtype": None}
    defaults |= {option: of_function[option].default for option in names}
    arguments = inspect.Signature([
        inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=d)
        for n, d in defaults.items()
    ])  # fmt: skip

    class Wrapped(MeanMetricWrapper):
        __doc__ = (function.__doc__ or "").partition(">>>")[0].rstrip()
        __signature__ = arguments
        _direction = direction

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            try:
                given = arguments.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{class_name}(): {error}; it takes {', '.join(defaults)}") from (
                    error
                )
            given.apply_defaults()
            super().__init__(function, **given.arguments)
            for option in names:
                setattr(self, option, given.arguments[option])

        def get_config(self) -> dict[str, Any]:
            config = {"name": self.name, "dtype": self.dtype}
            return config | {n: to_config(v) for n, v in self._fn_kwargs.items()}

    Wrapped.__name__ = Wrapped.__qualname__ = class_name
    return known(Wrapped)


# fmt: off
MeanSquaredError = _mean_of("MeanSquaredError", L.mean_squared_error)
MeanAbsoluteError = _mean_of("MeanAbsoluteError", L.mean_absolute_error)
MeanAbsolutePercentageError = _mean_of(
    "MeanAbsolutePercentageError", L.mean_absolute_percentage_error)
MeanSquaredLogarithmicError = _mean_of(
    "MeanSquaredLogarithmicError", L.mean_squared_logarithmic_error)
LogCoshError = _mean_of("LogCoshError", L.log_cosh, name="logcosh")
Hinge = _mean_of("Hinge", L.hinge)
SquaredHinge = _mean_of("SquaredHinge", L.squared_hinge)
CategoricalHinge = _mean_of("CategoricalHinge", L.categorical_hinge)
KLDivergence = _mean_of("KLDivergence", L.kl_divergence)
Poisson = _mean_of("Poisson", L.poisson)
BinaryCrossentropy = _mean_of(
    "BinaryCrossentropy", L.binary_crossentropy, "from_logits label_smoothing")
CategoricalCrossentropy = _mean_of(
    "CategoricalCrossentropy", L.categorical_crossentropy, "from_logits label_smoothing axis")
SparseCategoricalCrossentropy = _mean_of(
    "SparseCategoricalCrossentropy", L.sparse_categorical_crossentropy,
    "from_logits ignore_class axis")
CosineSimilarity = _mean_of("CosineSimilarity", cosine_similarity, "axis", direction="up")
PearsonCorrelation = _mean_of("PearsonCorrelation", pearson_correlation, "axis", direction="up")
ConcordanceCorrelation = _mean_of(
    "ConcordanceCorrelation", concordance_correlation, "axis", direction="up")
# fmt: on


@known
class RootMeanSquaredError(Mean):
    """√ of the mean squared error over all elements."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(  # type: ignore[override]  # the mean of values, made from pairs
        self, y_true: Any, y_pred: Any, sample_weight: Any = None
    ) -> None:
        y_true, y_pred = same_shape(
            to_tensor(y_true, self.dtype), to_tensor(y_pred, self.dtype), "root_mean_squared_error"
        )
        super().update_state((y_pred - y_true) ** 2, sample_weight)

    def result(self) -> Any:
        return T.sqrt(super().result())
