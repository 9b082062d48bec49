"""Models in files while they are trained."""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from chainrule.keras.callbacks.monitor import MonitorCallback
from chainrule.tensor import Tensor
from chainrule.training.callbacks import Callback, Logs, Values
from chainrule.training.messages import print_msg


class ModelCheckpoint(MonitorCallback):
    """Saves the model (or its weights) after epochs, or after every `save_freq` batches; all of
    them, or the best only.

    `filepath` ends in ".keras" or ".h5" (".weights.h5" with `save_weights_only`), and may hold
    `{epoch:02d}`, `{batch}` and the names of values: "m.{epoch:02d}-{val_loss:.2f}.keras".
    """

    def __init__(
        self,
        filepath: Any,
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode, initial_value_threshold)
        self.verbose = verbose
        self.filepath = os.fspath(filepath)
        self.save_best_only = save_best_only
        self.save_weights_only = save_weights_only
        self.save_freq = save_freq
        self._current_epoch = 0
        self._batches_since_saved = 0
        self._last_batch: int | None = None
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(
                f"Unrecognized save_freq: {save_freq}. Expected save_freq are 'epoch' or integer "
                "values"
            )
        endings = (".weights.h5",) if save_weights_only else (".keras", ".h5")
        if not self.filepath.endswith(endings):
            raise ValueError(
                f"The filepath provided must end in {' or '.join(f'`{e}`' for e in endings)} "
                f"({'weights' if save_weights_only else 'Keras model'} format). "
                f"Received: filepath={self.filepath}"
            )

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        self._current_epoch = epoch

    def see_train_batch(self, batch: int, logs: Logs) -> None:
        if self.save_freq == "epoch":
            return
        new_epoch = self._last_batch is None or batch <= self._last_batch
        # Where several steps are done at once, only the last one's number is seen.
        self._batches_since_saved += batch + 1 if new_epoch else batch - (self._last_batch or 0)
        self._last_batch = batch
        if self._batches_since_saved >= int(self.save_freq):
            self._batches_since_saved = 0
            self._save_model(self._current_epoch, batch, logs.read())

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        if self.monitor_op is None and self.save_best_only:
            self._set_monitor_op()
        if self.save_freq == "epoch":
            self._save_model(epoch, None, dict(logs or {}))

    def _save_model(self, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        path = self._get_file_path(epoch, batch, logs)
        if not self._should_save_model(epoch, logs, path):
            return
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        if Path(path).is_dir():
            raise OSError(
                "Please specify a non-directory filepath for ModelCheckpoint. Filepath used is an "
                f"existing directory: {path}"
            )
        if self.save_weights_only:
            self.model.save_weights(path, overwrite=True)
        else:
            self.model.save(path, overwrite=True)
        if self.verbose > 0:
            print_msg(f"\nEpoch {epoch + 1}: finished saving model to {path}")

    def _should_save_model(self, epoch: int, logs: dict[str, Any], path: str) -> bool:
        if not self.save_best_only:
            if self.verbose > 0:
                print_msg(f"\nEpoch {epoch + 1}: saving model to {path}")
            return True
        value = logs.get(self.monitor)
        if value is None:
            warnings.warn(f"Can save best model only with {self.monitor} available.", stacklevel=4)
            return True
        if isinstance(value, np.ndarray | Tensor | list) and np.ndim(value) > 0:
            warnings.warn(
                "Can save best model only when `monitor` is a scalar value. Received: "
                f"{value}. Falling back to `save_best_only=False`.",
                stacklevel=4,
            )
            return True
        best = "None" if self.best is None else f"{self.best:.5f}"
        better = self._is_improvement(value, self.best)
        if self.verbose > 0:
            print_msg(
                f"\nEpoch {epoch + 1}: {self.monitor} "
                + (
                    f"improved from {best} to {value:.5f}, saving model to {path}"
                    if better
                    else f"did not improve from {best}"
                )
            )
        if better:
            self.best = value
        return better

    def _get_file_path(self, epoch: int, batch: int | None, logs: Values) -> str:
        fields: dict[str, Any] = {"epoch": epoch + 1, **(logs or {})}
        if batch is not None:
            fields.setdefault("batch", batch + 1)
        try:
            return self.filepath.format(**fields)
        except KeyError as error:
            raise KeyError(
                f'Failed to format this callback filepath: "{self.filepath}". Reason: {error}; '
                f"available: {', '.join(fields)}"
            ) from None

    def _get_most_recently_modified_file_matching_pattern(self, pattern: str) -> str | None:
        """The newest file whose name fits a pattern with `{…}`; of equally new ones the last by
        name.
        """
        folder, name = os.path.split(pattern)
        fits = re.compile(f"^{re.sub('{.*}', '.*', name)}$")
        if not os.path.isdir(folder):
            return None
        files = [os.path.join(folder, n) for n in os.listdir(folder) if fits.match(n)]
        return max(files, key=lambda f: (os.path.getmtime(f), f), default=None)

    def training_state(self) -> dict[str, Any]:
        names = ("best", "_batches_since_saved", "_last_batch")
        return {name: getattr(self, name) for name in names}


class OrbaxCheckpoint(Callback):
    """Not available: Orbax writes arrays of JAX. Raises NotImplementedError."""

    def __init__(self, directory: Any, **options: Any) -> None:
        _refuse_orbax()


def _refuse_orbax() -> NoReturn:
    raise NotImplementedError(
        "OrbaxCheckpoint needs JAX's Orbax, which cannot hold arrays of chainrule; use "
        "ModelCheckpoint to keep models, BackupAndRestore to go on with a run that was cut off"
    )
