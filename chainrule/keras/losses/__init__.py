"""Losses: functions of (y_true, y_pred) that give one number per example, and classes that reduce
them.
"""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule.keras.arrays import align_ranks, squeeze_or_expand_to_same_rank, to_tensor
from chainrule.keras.losses.base import (
    Loss,
    LossFunctionWrapper,
    reduce_weighted,
)
from chainrule.keras.losses.classes import (
    CLASSES,
    CTC,
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    CategoricalGeneralizedCrossEntropy,
    CategoricalHinge,
    Circle,
    CosineSimilarity,
    Dice,
    Hinge,
    Huber,
    KLDivergence,
    LogCosh,
    MeanAbsoluteError,
    MeanAbsolutePercentageError,
    MeanSquaredError,
    MeanSquaredLogarithmicError,
    Poisson,
    SparseCategoricalCrossentropy,
    SquaredHinge,
    Tversky,
)
from chainrule.keras.losses.functions import (
    binary_crossentropy,
    binary_focal_crossentropy,
    categorical_crossentropy,
    categorical_focal_crossentropy,
    categorical_generalized_cross_entropy,
    categorical_hinge,
    circle,
    cosine_similarity,
    ctc,
    dice,
    hinge,
    huber,
    kl_divergence,
    log_cosh,
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_squared_error,
    mean_squared_logarithmic_error,
    poisson,
    sparse_categorical_crossentropy,
    squared_hinge,
    tversky,
)
from chainrule.keras.registry import from_config, lookup, to_config

#: Names of old programs.
mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh

FUNCTIONS = (
    binary_crossentropy, binary_focal_crossentropy, categorical_crossentropy,
    categorical_focal_crossentropy, categorical_generalized_cross_entropy, categorical_hinge,
    circle, cosine_similarity, ctc, dice, hinge, huber, kl_divergence, log_cosh,
    mean_absolute_error, mean_absolute_percentage_error, mean_squared_error,
    mean_squared_logarithmic_error, poisson, sparse_categorical_crossentropy, squared_hinge,
    tversky,
)  # fmt: skip
_TABLE: dict[str, Any] = {
    **{f.__name__: f for f in FUNCTIONS},
    **{c.__name__: c for c in CLASSES},
    "mse": mse, "MSE": mse, "mae": mae, "MAE": mae, "mape": mape, "MAPE": mape, "msle": msle,
    "MSLE": msle, "kld": kld, "KLD": kld, "kullback_leibler_divergence": kld, "logcosh": log_cosh,
    "bce": binary_crossentropy, "BCE": binary_crossentropy,
}  # fmt: skip

__all__ = [
    *(c.__name__ for c in CLASSES), *(f.__name__ for f in FUNCTIONS), "Loss", "deserialize", "get",
    "serialize",
]  # fmt: skip


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


def serialize(loss: Any) -> Any:
    """A loss, or a function, as plain data."""
    return to_config(loss)


def deserialize(name: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """What `serialize` was given, or the loss of that name."""
    return from_config(name, custom_objects=custom_objects, module_objects=_TABLE)


__getattr__ = names.later(__name__)
