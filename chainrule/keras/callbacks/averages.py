"""Running averages of the weights in place of the weights, where a model is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chainrule.keras.callbacks.rates import inner
from chainrule.training.callbacks import Callback, Values


class SwapEMAWeights(Callback):
    """Evaluates and predicts with the averages that an optimizer with `use_ema` keeps.

    With `swap_on_epoch` they stand in the model also between two epochs, so that a checkpoint saves
    them. Raises ValueError if the optimizer keeps none.
    """

    def __init__(self, swap_on_epoch: bool = False) -> None:
        super().__init__()
        self.swap_on_epoch = swap_on_epoch
        self._ema_weights_in_model = False

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        if self.swap_on_epoch:
            self._show(averages=False)

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if not self.swap_on_epoch or self._ema_weights_in_model:
            return
        self._show(averages=True)
        if epoch == self.params["epochs"] - 1:
            # The end of fit copies the averages into the weights: both must be the averages now.
            for variable, average in _pairs(self.model):
                average.assign(variable)

    def on_test_begin(self, logs: Values = None) -> None:
        self._show(averages=True)

    def on_test_end(self, logs: Values = None) -> None:
        self._show(averages=False)

    def on_predict_begin(self, logs: Values = None) -> None:
        self._show(averages=True)

    def on_predict_end(self, logs: Values = None) -> None:
        self._show(averages=False)

    def _show(self, *, averages: bool) -> None:
        if self._ema_weights_in_model == averages:
            return
        for variable, average in _pairs(self.model):
            weights = variable.numpy()
            variable.assign(average.numpy())
            average.assign(weights)
        self._ema_weights_in_model = averages


def _pairs(model: Any) -> Iterator[tuple[Any, Any]]:
    """Each weight with its running average."""
    optimizer = inner(model.optimizer)
    several = getattr(optimizer, "optimizers", None)
    with_averages = [o for o in several or [optimizer] if getattr(o, "use_ema", False)]
    if not with_averages:
        if several:
            raise ValueError(
                "SwapEMAWeights must be used when at least one inner optimizer has `use_ema=True` "
                "set. Received a MultiOptimizer with all inner optimizers having `use_ema=False`."
            )
        raise ValueError(
            "SwapEMAWeights must be used when `use_ema=True` is set on the optimizer. "
            f"Received: use_ema={getattr(optimizer, 'use_ema', False)}"
        )
    for one in with_averages:
        yield from zip(one._trainable_variables, one._model_variables_moving_average, strict=True)
