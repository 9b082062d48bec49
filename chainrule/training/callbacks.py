"""Callbacks: code of yours (and ours) that the training loop calls at its turning points.

Values reach a callback as plain floats. The hooks `see_train_batch` and `see_test_batch` are for
callbacks that want a batch's values only sometimes: they get `Logs`, which look when they are first
read.
"""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

Values = Mapping[str, float] | None


class Logs(Mapping[str, float]):
    """The metrics after a batch, computed when somebody reads them. Not to be kept beyond the
    call.
    """

    __slots__ = ("_look", "_returned", "_values")

    def __init__(self, look: Callable[[Any], dict[str, float]], returned: Any) -> None:
        self._look = look
        self._returned = returned
        self._values: dict[str, float] | None = None

    def read(self) -> dict[str, float]:
        """The values as a dict of floats."""
        if self._values is None:
            self._values = self._look(self._returned)
        return self._values

    def __getitem__(self, name: str) -> float:
        return self.read()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.read())

    def __len__(self) -> int:
        return len(self.read())


class Callback:
    """Base class. Override what you need; `self.model` and `self.params` are set before training
    starts.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: Any = None

    @property
    def model(self) -> Any:
        return self._model

    def set_model(self, model: Any) -> None:
        self._model = model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def on_train_begin(self, logs: Values = None) -> None: ...
    def on_train_end(self, logs: Values = None) -> None: ...
    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None: ...
    def on_epoch_end(self, epoch: int, logs: Values = None) -> None: ...
    def on_batch_begin(self, batch: int, logs: Values = None) -> None: ...
    def on_batch_end(self, batch: int, logs: Values = None) -> None: ...

    def on_train_batch_begin(self, batch: int, logs: Values = None) -> None:
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Values = None) -> None:
        self.on_batch_end(batch, logs)

    def on_test_begin(self, logs: Values = None) -> None: ...
    def on_test_end(self, logs: Values = None) -> None: ...
    def on_test_batch_begin(self, batch: int, logs: Values = None) -> None: ...
    def on_test_batch_end(self, batch: int, logs: Values = None) -> None: ...
    def on_predict_begin(self, logs: Values = None) -> None: ...
    def on_predict_end(self, logs: Values = None) -> None: ...
    def on_predict_batch_begin(self, batch: int, logs: Values = None) -> None: ...
    def on_predict_batch_end(self, batch: int, logs: Values = None) -> None: ...

    def see_train_batch(self, batch: int, logs: Logs) -> None:
        """A training batch is done; `logs` look only if read."""

    def see_test_batch(self, batch: int, logs: Logs) -> None:
        """A batch of an evaluation is done; `logs` look only if read."""

    def abort(self) -> None:
        """An exception ends the run: let go of the screen, of files. Raise nothing."""


def _overrides(callback: Callback, *names: str) -> bool:
    return any(
        getattr(type(callback), name, None) is not getattr(Callback, name)
        or name in getattr(callback, "__dict__", ())
        for name in names
    )


class CallbackList:
    """Calls each callback in turn, and looks at a batch's values only for those that ask for
    them.
    """

    def __init__(
        self, callbacks: Iterable[Callback] | Callback | None, model: Any, **params: Any
    ) -> None:
        if isinstance(callbacks, Callback):
            callbacks = [callbacks]
        self.callbacks = list(callbacks or ())
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
                raise TypeError(
                    f"callbacks must be Callback objects, got {callback!r}"
                    + ("; did you forget to call the class?" if isinstance(callback, type) else "")
                )
        self.model = model
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)
            callback.set_model(model)
        self._readers = {
            kind: [c for c in self.callbacks if _overrides(c, *names)]
            for kind, names in {
                "train": ("on_train_batch_end", "on_batch_end"),
                "test": ("on_test_batch_end",),
            }.items()
        }

    @property
    def stopped(self) -> bool:
        """Whether a callback asked the model to stop."""
        return bool(getattr(self.model, "stop_training", False))

    def set_steps(self, steps: int) -> None:
        self.params["steps"] = steps

    def on_train_begin(self) -> None:
        for callback in self.callbacks:
            callback.on_train_begin({})

    def on_train_end(self, logs: Values = None) -> None:
        for callback in self.callbacks:
            callback.on_train_end(logs or {})

    def on_epoch_begin(self, epoch: int) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int) -> None:
        for callback in self.callbacks:
            callback.on_train_batch_begin(batch, {})

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        for callback in self._readers["train"]:
            callback.on_train_batch_end(batch, logs.read())
        for callback in self.callbacks:
            callback.see_train_batch(batch, logs)

    def on_test_begin(self) -> None:
        for callback in self.callbacks:
            callback.on_test_begin({})

    def on_test_end(self, logs: Values = None) -> None:
        for callback in self.callbacks:
            callback.on_test_end(logs or {})

    def on_test_batch_begin(self, batch: int) -> None:
        for callback in self.callbacks:
            callback.on_test_batch_begin(batch, {})

    def on_test_batch_end(self, batch: int, logs: Logs) -> None:
        for callback in self._readers["test"]:
            callback.on_test_batch_end(batch, logs.read())
        for callback in self.callbacks:
            callback.see_test_batch(batch, logs)

    def on_predict_begin(self) -> None:
        for callback in self.callbacks:
            callback.on_predict_begin({})

    def on_predict_end(self) -> None:
        for callback in self.callbacks:
            callback.on_predict_end({})

    def on_predict_batch_begin(self, batch: int) -> None:
        for callback in self.callbacks:
            callback.on_predict_batch_begin(batch, {})

    def on_predict_batch_end(self, batch: int) -> None:
        for callback in self.callbacks:
            callback.on_predict_batch_end(batch, {})

    def abort(self) -> None:
        for callback in self.callbacks:
            if hasattr(callback, "abort"):
                callback.abort()


class History(Callback):
    """Values of every epoch: `history["loss"]` is a list, `epoch` the epochs' numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[float]] = {}
        self.epoch: list[int] = []

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        model.history = self  # at once, so that it survives Ctrl-C

    def on_train_begin(self, logs: Values = None) -> None:
        self.epoch = []

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """Hooks given as functions: `LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch))`."""

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        super().__init__()
        for name, hook in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise TypeError(f"there is no hook {name!r}")
            if hook is not None:
                setattr(self, name, hook)


class TerminateOnNaN(Callback):
    """Stops when the loss of a batch is NaN or infinite (and therefore looks at every batch)."""

    def on_train_batch_end(self, batch: int, logs: Values = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch}: Invalid loss, terminating training")
            self.model.stop_training = True


class _Monitor(Callback):
    """Watches one value and knows which direction is better."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        super().__init__()
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"mode must be 'auto', 'min' or 'max', got {mode!r}")
        self.monitor = monitor
        self.mode = mode
        self.min_delta = abs(min_delta)
        self.best: float | None = None

    def _improves(self, value: float, than: float | None) -> bool:
        if than is None:
            return True
        if self._larger_is_better():
            return value - self.min_delta > than
        return value + self.min_delta < than

    def _larger_is_better(self) -> bool:
        if self.mode != "auto":
            return self.mode == "max"
        name = self.monitor.removeprefix("val_")
        for metric in getattr(self.model, "metrics", ()):
            if metric.name == name and getattr(metric, "direction", None):
                return metric.direction == "up"
        return name == "acc" or any(
            part in name for part in ("accuracy", "auc", "precision", "recall", "f1", "fbeta")
        )

    def _value(self, logs: Values) -> float | None:
        logs = logs or {}
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(
                f"{type(self).__name__} watches {self.monitor!r}, which is not available; "
                f"available: {', '.join(logs)}",
                stacklevel=4,
            )
        return value


class EarlyStopping(_Monitor):
    """Stops when `monitor` has not improved by more than `min_delta` for `patience` epochs."""

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
        super().__init__(monitor, mode, min_delta)
        self.patience = patience
        self.verbose = verbose
        self.baseline = baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Values = None) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = None
        self.best_weights: Any = None

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        value = self._value(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        if self.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if self._improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            if self.baseline is None or self._improves(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Values = None) -> None:
        if self.stopped_epoch > 0 and self.verbose > 0:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.restore_best_weights and self.best_weights is not None:
            if self.verbose > 0:
                print(
                    "Restoring model weights from the end of the best epoch: "
                    f"{self.best_epoch + 1}."
                )
            self.model.set_weights(self.best_weights)


class ModelCheckpoint(_Monitor):
    """Saves the model (or its weights) after epochs, all of them or the best only.

    `filepath` may hold `{epoch:02d}` and the names of values:
    `"m.{epoch:02d}-{val_loss:.2f}.keras"`.
    """

    def __init__(
        self,
        filepath: str | Path,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(f"save_freq must be 'epoch' or a number of batches, got {save_freq!r}")
        self.filepath = str(filepath)
        self.verbose = verbose
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self.best = initial_value_threshold
        self._epoch = 0
        self._since_saved = 0

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        self._epoch = epoch

    def see_train_batch(self, batch: int, logs: Logs) -> None:
        if self.save_freq == "epoch":
            return
        self._since_saved += 1
        if self._since_saved >= int(self.save_freq):
            self._since_saved = 0
            self._save(logs.read(), batch=batch)

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if self.save_freq == "epoch":
            self._save(logs, batch=None)

    def _save(self, logs: Values, batch: int | None) -> None:
        path = self._path(dict(logs or {}), batch)
        note = f"Epoch {self._epoch + 1}: "
        if self.save_best_only:
            value = self._value(logs)
            if value is not None:
                before = "None" if self.best is None else f"{self.best:.5f}"
                if not self._improves(value, self.best):
                    if self.verbose:
                        print(f"\n{note}{self.monitor} did not improve from {before}")
                    return
                self.best = value
                note += f"{self.monitor} improved from {before} to {value:.5f}, "
        if self.verbose:
            print(f"\n{note}saving model to {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)

    def _path(self, logs: dict[str, float], batch: int | None) -> Path:
        fields: dict[str, Any] = {"epoch": self._epoch + 1, **logs}
        if batch is not None:
            fields.setdefault("batch", batch + 1)
        try:
            return Path(self.filepath.format(**fields))
        except KeyError as error:
            raise KeyError(
                f"the file name {self.filepath!r} asks for {error}; available: {', '.join(fields)}"
            ) from None


class LearningRateScheduler(Callback):
    """Sets the learning rate at the start of each epoch to `schedule(epoch, learning_rate)`."""

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        self.schedule = schedule
        self.verbose = verbose

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        now = float(self.model.optimizer.learning_rate)
        try:
            new = self.schedule(epoch, now)
        except TypeError:  # the older form: schedule(epoch)
            new = self.schedule(epoch)
        new = float(new)
        self.model.optimizer.learning_rate = new
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: LearningRateScheduler setting learning rate to {new}.")

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if isinstance(logs, dict):
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ReduceLROnPlateau(_Monitor):
    """Multiplies the learning rate by `factor` when `monitor` has stopped improving for `patience`
    epochs.
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
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if factor >= 1.0:
            raise ValueError(f"factor must be below 1 to reduce the learning rate, got {factor}")
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.on_train_begin()

    def on_train_begin(self, logs: Values = None) -> None:
        self.best = None
        self.wait = self.cooldown_counter = 0

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if isinstance(logs, dict):
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)
        value = self._value(logs)
        if value is None:
            return
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._improves(value, self.best):
            self.best, self.wait = value, 0
        elif self.cooldown_counter == 0:
            self.wait += 1
            if self.wait >= self.patience:
                self._reduce(epoch)

    def _reduce(self, epoch: int) -> None:
        old = float(self.model.optimizer.learning_rate)
        if old <= self.min_lr:
            return
        new = max(old * self.factor, self.min_lr)
        self.model.optimizer.learning_rate = new
        self.cooldown_counter, self.wait = self.cooldown, 0
        if self.verbose > 0:
            print(f"\nEpoch {epoch + 1}: ReduceLROnPlateau reducing learning rate to {new}.")


class CSVLogger(Callback):
    """Writes the values of each epoch as a row of a CSV file."""

    def __init__(self, filename: str | Path, separator: str = ",", append: bool = False) -> None:
        super().__init__()
        self.filename = Path(filename)
        self.separator = separator
        self.append = append
        self._names: list[str] | None = None

    def on_train_begin(self, logs: Values = None) -> None:
        self._names = None
        if self.append and self.filename.exists() and self.filename.stat().st_size:
            with self.filename.open(newline="") as file:
                header = next(csv.reader(file, delimiter=self.separator))
            self._names = header[1:]
        else:
            self.filename.write_text("")

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        logs = logs or {}
        with self.filename.open("a", newline="") as file:  # per row: Ctrl-C loses nothing
            writer = csv.writer(file, delimiter=self.separator)
            if self._names is None:
                self._names = list(logs)
                writer.writerow(["epoch", *self._names])
            writer.writerow([epoch, *(logs.get(name, "NA") for name in self._names)])


class BackupAndRestore(Callback):
    """Keeps the model's weights and the epoch on disk, and goes on there if a run was cut off."""

    def __init__(
        self, backup_dir: str | Path, save_freq: str = "epoch", delete_checkpoint: bool = True
    ) -> None:
        super().__init__()
        if save_freq != "epoch":
            raise ValueError(f"save_freq must be 'epoch', got {save_freq!r}")
        self.backup_dir = Path(backup_dir)
        self.delete_checkpoint = delete_checkpoint

    @property
    def _file(self) -> Path:
        return self.backup_dir / "backup.crt"

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        if self._file.exists():
            model.restore_backup(self._file)

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        self.model.write_backup(self._file, epoch + 1)

    def on_train_end(self, logs: Values = None) -> None:
        if self.delete_checkpoint:
            self._file.unlink(missing_ok=True)
