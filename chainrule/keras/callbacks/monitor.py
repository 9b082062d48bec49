"""Callbacks that watch one value: when it stops improving, they stop, or train more slowly."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule.keras import ops
from chainrule.keras.callbacks.rates import note_rates, optimizers_of
from chainrule.training.callbacks import Callback, Values
from chainrule.training.messages import print_msg

#: Metrics of the user's own, whose direction nobody told, but whose name does.
_RISING = ("accuracy", "auc", "precision", "recall", "f1", "fbeta")


class MonitorCallback(Callback):
    """Watches `monitor` and knows which direction is better.

    `mode` is "min", "max" or "auto": the metric of that name says it. An improvement is more than
    `min_delta`; `baseline` is the first value to be improved.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        mode: str = "auto",
        baseline: float | None = None,
        min_delta: float = 0,
    ) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            warnings.warn(
                f"{type(self).__name__} mode '{mode}' is unknown, fallback to auto mode.",
                stacklevel=3,
            )
            mode = "auto"
        self.monitor = monitor
        self.mode = mode
        self.best: Any = baseline
        self.min_delta = abs(min_delta)
        self.monitor_op: Callable[[Any, Any], Any] | None = None

    def _set_monitor_op(self) -> None:
        """Decide; the model's metrics are known only when it has been trained on something."""
        rising = self.mode == "max" if self.mode != "auto" else self._rises()
        if rising is None:
            raise ValueError(
                f"{type(self).__name__} callback received monitor={self.monitor}, and no metric of "
                "that name says whether more is better. Pass mode='max' or mode='min'."
            )
        self.monitor_op = ops.greater if rising else ops.less
        self.min_delta = abs(self.min_delta) * (1 if rising else -1)

    def _rises(self) -> bool | None:
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "metrics", ()):
            for one in (metric, *getattr(metric, "metrics", ())):
                direction = getattr(one, "_direction", None)
                if one.name == name and direction:
                    return bool(direction == "up")
        if name == "loss" or name.endswith("_loss"):
            return False
        return True if name == "acc" or any(part in name for part in _RISING) else None

    def _is_improvement(self, monitor_value: Any, reference_value: Any) -> bool:
        if reference_value is None:
            return True
        if self.monitor_op is None:
            self._set_monitor_op()
        assert self.monitor_op is not None
        return bool(self.monitor_op(monitor_value - self.min_delta, reference_value))

    def _now(self, logs: Values, what: str) -> Any:
        """The value, or None with a warning that begins with `what`."""
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"{what} conditioned on metric `{self.monitor}` which is not available. "
                f"Available metrics are: {','.join(logs)}",
                stacklevel=4,
            )
        return np.asarray(value) if isinstance(value, list) else value

    def training_state(self) -> dict[str, Any]:
        return {"best": self.best}

    def take_training_state(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


class EarlyStopping(MonitorCallback):
    """Stops when `monitor` has not improved by more than `min_delta` for `patience` epochs.

    `baseline` must be beaten too; `restore_best_weights` goes back to the best epoch at the end;
    nothing is watched before epoch `start_from_epoch`.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self._forget()

    def _forget(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: Any = None

    def on_train_begin(self, logs: Values = None) -> None:
        self._forget()

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if self.monitor_op is None:
            self._set_monitor_op()
        value = self.get_monitor_value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._is_improvement(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._is_improvement(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Values = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print_msg(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print_msg(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)

    def get_monitor_value(self, logs: Values) -> Any:
        """The value that is watched; None, with a warning, where there is none."""
        return self._now(logs, "Early stopping")

    def training_state(self) -> dict[str, Any]:
        names = ("best", "best_epoch", "best_weights", "stopped_epoch", "wait")
        return {name: getattr(self, name) for name in names}


class ReduceLROnPlateau(MonitorCallback):
    """Multiplies the learning rate by `factor` when `monitor` has stopped improving for `patience`
    epochs, down to `min_lr`; then waits `cooldown` epochs before it watches again.
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(monitor, mode, min_delta=min_delta)
        if factor >= 1.0:
            raise ValueError(
                f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}"
            )
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self._reset()

    def _reset(self) -> None:
        self.best = None
        self.wait = self.cooldown_counter = 0

    def on_train_begin(self, logs: Values = None) -> None:
        self._reset()

    def in_cooldown(self) -> bool:
        """Whether the rate was reduced so recently that nothing is watched."""
        return self.cooldown_counter > 0

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if self.monitor_op is None:
            self._set_monitor_op()
        note_rates(self.model, logs)
        value = self._now(logs, "Learning rate reduction is")
        if value is None:
            return
        if self.in_cooldown():
            self.cooldown_counter -= 1
            self.wait = 0
        if self._is_improvement(value, self.best):
            self.best, self.wait = value, 0
        elif not self.in_cooldown():
            self.wait += 1
            if self.wait >= self.patience:
                reduced = [self._reduce(o, name, epoch) for name, o in optimizers_of(self.model)]
                if any(reduced):
                    self.cooldown_counter, self.wait = self.cooldown, 0

    def _reduce(self, optimizer: Any, name: str, epoch: int) -> bool:
        old = float(np.asarray(optimizer.learning_rate))
        if old <= np.float32(self.min_lr):
            return False
        new = max(old * self.factor, self.min_lr)
        optimizer.learning_rate = new
        if self.verbose > 0:
            print_msg(
                f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing {name and name + ' '}"
                f"learning rate to {new}."
            )
        return True

    def training_state(self) -> dict[str, Any]:
        names = ("best", "cooldown_counter", "wait")
        return {name: getattr(self, name) for name in names}
