"""The losses of `functions` as classes: their options, then a reduction and a name.

A class is a row: its function, the name of its losses, the options in Keras's order. What an option
is when it is not given stands in the function's signature.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from chainrule.keras.losses import functions as L
from chainrule.keras.losses.base import Loss, LossFunctionWrapper
from chainrule.keras.registry import known, to_config

_LAST = {"reduction": "sum_over_batch_size", "name": None, "dtype": None}


def _loss(
    class_name: str,
    function: Callable[..., Any],
    order: str = "",
    *,
    name: str | None = None,
    check: Callable[..., None] | None = None,
    **defaults: Any,
) -> Any:
    """The class of a loss function; `order` names its arguments where they are not the function's
    options and then reduction, name and dtype; `defaults` has those that differ from them.
    """
    signature = inspect.signature(function)
    own = {n: p.default for n, p in signature.parameters.items() if n not in ("y_true", "y_pred")}
    known_defaults = own | _LAST | {"name": name or function.__name__} | defaults
    names = order.split() or [*own, *_LAST]
    options = [n for n in names if n not in _LAST]
    parameters = [
        inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=known_defaults[n])
        for n in names
    ]
    arguments = inspect.Signature(parameters)

    class Wrapped(LossFunctionWrapper):
        __doc__ = (function.__doc__ or "").partition(">>>")[0].rstrip()
        __signature__ = arguments

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            try:
                given = arguments.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{class_name}(): {error}; it takes {', '.join(names)}") from error
            given.apply_defaults()
            values = given.arguments
            if check is not None:
                check(**{n: values[n] for n in options})
            super().__init__(function, **values)

        def __getattr__(self, attribute: str) -> Any:
            options = self.__dict__.get("_fn_kwargs", {})
            if attribute in options:
                return options[attribute]
            raise AttributeError(f"{class_name!r} object has no attribute {attribute!r}")

        def get_config(self) -> dict[str, Any]:
            return Loss.get_config(self) | {n: to_config(v) for n, v in self._fn_kwargs.items()}

    Wrapped.__name__ = Wrapped.__qualname__ = class_name
    return known(Wrapped)


def _a_share(q: float) -> None:
    if not 0 < q < 1:
        raise ValueError(f"q must be in the interval (0, 1), got {q}")


# fmt: off
MeanSquaredError = _loss("MeanSquaredError", L.mean_squared_error)
MeanAbsoluteError = _loss("MeanAbsoluteError", L.mean_absolute_error)
MeanAbsolutePercentageError = _loss("MeanAbsolutePercentageError", L.mean_absolute_percentage_error)
MeanSquaredLogarithmicError = _loss("MeanSquaredLogarithmicError", L.mean_squared_logarithmic_error)
CosineSimilarity = _loss("CosineSimilarity", L.cosine_similarity)
Huber = _loss("Huber", L.huber, name="huber_loss")
LogCosh = _loss("LogCosh", L.log_cosh)
Hinge = _loss("Hinge", L.hinge)
SquaredHinge = _loss("SquaredHinge", L.squared_hinge)
CategoricalHinge = _loss("CategoricalHinge", L.categorical_hinge)
KLDivergence = _loss("KLDivergence", L.kl_divergence)
Poisson = _loss("Poisson", L.poisson)
BinaryCrossentropy = _loss("BinaryCrossentropy", L.binary_crossentropy)
BinaryFocalCrossentropy = _loss("BinaryFocalCrossentropy", L.binary_focal_crossentropy)
CategoricalCrossentropy = _loss("CategoricalCrossentropy", L.categorical_crossentropy)
CategoricalFocalCrossentropy = _loss(
    "CategoricalFocalCrossentropy", L.categorical_focal_crossentropy)
SparseCategoricalCrossentropy = _loss(
    "SparseCategoricalCrossentropy", L.sparse_categorical_crossentropy,
    "from_logits ignore_class reduction axis name dtype")
CTC = _loss("CTC", L.ctc)
Dice = _loss("Dice", L.dice, "reduction name axis dtype")
Tversky = _loss("Tversky", L.tversky, "alpha beta reduction name axis dtype")
Circle = _loss("Circle", L.circle, "gamma margin remove_diagonal reduction name dtype", gamma=80.0)
CategoricalGeneralizedCrossEntropy = _loss(
    "CategoricalGeneralizedCrossEntropy", L.categorical_generalized_cross_entropy,
    check=_a_share, q=0.5)
# fmt: on

CLASSES: tuple[type[Loss], ...] = (
    BinaryCrossentropy, BinaryFocalCrossentropy, CTC, CategoricalCrossentropy,
    CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy, CategoricalHinge, Circle,
    CosineSimilarity, Dice, Hinge, Huber, KLDivergence, LogCosh, MeanAbsoluteError,
    MeanAbsolutePercentageError, MeanSquaredError, MeanSquaredLogarithmicError, Poisson,
    SparseCategoricalCrossentropy, SquaredHinge, Tversky,
)  # fmt: skip
