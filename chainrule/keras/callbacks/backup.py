"""A run that was cut off goes on where it was, in another process, as if nothing had happened.

What is kept, in one file that is replaced as a whole: the weights, the optimizer's state, the sums
of the metrics, what the other callbacks remember, and the position of every stream of random
numbers: now, and at the beginning of the epoch, from which the order of the data follows.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from chainrule import config, serialization
from chainrule.errors import DataError
from chainrule.io.files import atomic
from chainrule.runtime import random as streams
from chainrule.tensor import Tensor, flush, fromdata
from chainrule.training.callbacks import Callback, Logs, Resume, Values
from chainrule.training.tree import flatten, map_leaves


class BackupAndRestore(Callback):
    """Keeps the state of the training in `backup_dir`, and goes on there if a run was cut off.

    It is written after each epoch, or after every `save_freq` batches. The run that goes on ends
    with the same bits as one that was never interrupted: also from the middle of an epoch, for
    arrays, data sets and loaders whose order comes from chainrule's, NumPy's or Python's random
    numbers. `double_checkpoint` keeps the backup before the last one too, for the case that the
    last cannot be read. Programs are compiled at once in such a run: bits must not depend on how
    often a process has run one (`config.patience`). At the end of the training the files are
    removed, unless `delete_checkpoint` is False.
    """

    def __init__(
        self,
        backup_dir: Any,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if not backup_dir:
            raise ValueError("Empty `backup_dir` argument passed")
        if save_freq != "epoch" and not isinstance(save_freq, int):
            raise ValueError(
                f"Invalid value for argument `save_freq`. Received: save_freq={save_freq}. "
                "Expected either 'epoch' or an integer value."
            )
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.double_checkpoint = double_checkpoint
        self.delete_checkpoint = delete_checkpoint
        self._weights_path = os.path.join(self.backup_dir, "latest.pt")
        self._training_metadata_path = os.path.join(self.backup_dir, "training_metadata.json")
        self._prev_weights_path = f"{self._weights_path}.bkp"
        self._prev_training_metadata_path = f"{self._training_metadata_path}.bkp"
        self._siblings: list[Any] = []
        self._current_epoch = 0
        self._last_batch_seen = 0
        self._batches_since_saved = 0
        self._epoch_random: Any = None
        self._resume: Resume | None = None
        self._remembered: Any = None
        self._patience: int | None = None  # what `config.patience` was

    def set_siblings(self, callbacks: list[Any]) -> None:
        self._siblings = [c for c in callbacks if isinstance(c, Callback) and c is not self]

    @property
    def resume(self) -> Resume | None:
        return self._resume

    # going on -------------------------------------------------------------------------------------

    def on_train_begin(self, logs: Values = None) -> None:
        if self._patience is None:
            self._patience, config.patience = config.patience, 0
        self._resume = None
        self._current_epoch = self._last_batch_seen = self._batches_since_saved = 0
        state = self._read()
        if state is None:
            return
        if not self.model.built:
            raise ValueError(
                "To use the BackupAndRestore callback, you model must be built before you call "
                f"`fit()`. Model {self.model} is unbuilt. You can build it beforehand by calling "
                "it on a batch of data."
            )
        self._restore(state, None)  # at once: what is wrong shows now
        self._current_epoch = state["epoch"]
        self._resume = Resume(
            state["epoch"],
            state["step"],
            rewind=lambda: _set_random(self.model, state["epoch_random"]),
            restore=lambda batch: self._restore(state, batch),
        )

    def _read(self) -> Any:
        """The last backup that can be read, or None if there is none."""
        paths = [p for p in (self._weights_path, self._prev_weights_path) if os.path.exists(p)]
        for path in paths:
            try:
                return serialization.load(path)
            except (OSError, DataError, RuntimeError, ValueError):
                if path == paths[-1]:
                    raise
        return None

    def _restore(self, state: dict[str, Any], batch: Any) -> None:
        if batch is not None:
            self.model._symbolic_build(batch)  # metrics have sums only when they have seen data
            _assign(_metric_variables(self.model), state["metrics"], "the metrics")
        _assign(self.model.weights, state["weights"], "the model")
        optimizer = self.model.optimizer
        if optimizer is not None and state["optimizer"] is not None:
            optimizer.set_state(_arrays(state["optimizer"]), self.model.trainable_weights)
        self.model.stop_training = state["stop"]
        for callback, remembered in zip(self._siblings, state["callbacks"], strict=False):
            if remembered["kind"] == type(callback).__name__:
                callback.take_training_state(_arrays(remembered["state"]))
        flush()
        _set_random(self.model, state["random"])

    # keeping --------------------------------------------------------------------------------------

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        self._current_epoch = epoch
        self._epoch_random = _get_random(self.model)

    def see_train_batch(self, batch: int, logs: Logs) -> None:
        if self.save_freq == "epoch":
            return
        # Where several steps are done at once, only the last one's number is seen.
        new_epoch = batch <= self._last_batch_seen
        self._batches_since_saved += batch + 1 if new_epoch else batch - self._last_batch_seen
        self._last_batch_seen = batch
        if self._batches_since_saved >= int(self.save_freq):
            self._batches_since_saved = 0
            self._save(self._current_epoch, batch + 1)

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        self._current_epoch = epoch + 1
        self._last_batch_seen = 0
        if self.save_freq == "epoch":
            self._save(epoch + 1, 0)

    def after_epoch(self, epoch: int) -> None:
        # A callback that comes later may have changed the learning rate, or what it remembers.
        if self.save_freq == "epoch" and self._others() != self._remembered:
            self._save(epoch + 1, 0, again=True)

    def _others(self) -> list[Any]:
        rate = getattr(self.model.optimizer, "learning_rate", 0.0)
        states = [c.training_state() for c in self._siblings]
        plain = [{k: v for k, v in s.items() if _is_plain(v)} for s in states]
        return [float(np.asarray(rate)), bool(self.model.stop_training), *plain]

    def _save(self, epoch: int, step: int, *, again: bool = False) -> None:
        Path(self.backup_dir).mkdir(parents=True, exist_ok=True)
        if self.double_checkpoint and not again:
            for path in (self._weights_path, self._training_metadata_path):
                if os.path.exists(path):
                    os.replace(path, f"{path}.bkp")
        optimizer = self.model.optimizer
        state = {
            "epoch": epoch,
            "step": step,
            "weights": [w.detach() for w in self.model.weights],
            "optimizer": optimizer.get_state() if optimizer is not None else None,
            "metrics": [v.detach() for v in _metric_variables(self.model)],
            "stop": bool(self.model.stop_training),
            "callbacks": [
                {"kind": type(c).__name__, "state": c.training_state()} for c in self._siblings
            ],
            "random": _get_random(self.model),
            "epoch_random": self._epoch_random,
        }
        serialization.save(_tensors(state), self._weights_path)
        with atomic(Path(self._training_metadata_path)) as file:
            file.write(json.dumps({"epoch": epoch, "batch": step}).encode())
        self._remembered = self._others()

    def abort(self) -> None:
        if self._patience is not None:
            config.patience, self._patience = self._patience, None

    def on_train_end(self, logs: Values = None) -> None:
        self.abort()
        if not self.delete_checkpoint:
            return
        for path in (self._weights_path, self._training_metadata_path):
            Path(path).unlink(missing_ok=True)
            Path(f"{path}.bkp").unlink(missing_ok=True)
        folder = Path(self.backup_dir)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _metric_variables(model: Any) -> list[Tensor]:
    return [variable for metric in model.metrics for variable in metric.variables]


def _assign(variables: list[Any], values: list[Tensor], whose: str) -> None:
    shapes = [[tuple(t.shape) for t in tensors] for tensors in (variables, values)]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"the backup belongs to another model: {whose} have variables of shapes {shapes[0]}, "
            f"the backup {shapes[1]}"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


# random numbers -----------------------------------------------------------------------------------


def _generators(model: Any) -> Iterator[streams.Generator]:
    """The streams that layers have of their own."""
    shared = {id(streams.stream(name)) for name in streams.STREAMS}
    for layer in model._flatten_layers():
        for value in vars(layer).values():
            for one in value if isinstance(value, list | tuple) else (value,):
                found = getattr(one, "generator", one)
                if isinstance(found, streams.Generator) and id(found) not in shared:
                    shared.add(id(found))
                    yield found


def _get_random(model: Any) -> dict[str, Any]:
    kind, keys, *rest = np.random.get_state(legacy=True)
    return {
        "streams": streams.get_state(),
        "layers": [generator.snapshot() for generator in _generators(model)],
        "numpy": [kind, [int(key) for key in keys], *rest],
        "python": list(flatten(random.getstate()[:2])),
    }


def _set_random(model: Any, state: dict[str, Any]) -> None:
    streams.set_state(state["streams"])
    for generator, snapshot in zip(_generators(model), state["layers"], strict=True):
        generator.restore(snapshot)
    kind, keys, *rest = state["numpy"]
    np.random.set_state((kind, np.array(keys, np.uint32), *rest))
    version, *words = state["python"]
    random.setstate((version, tuple(words), None))


# arrays in files ----------------------------------------------------------------------------------


def _is_plain(value: Any) -> bool:
    return not any(isinstance(leaf, np.ndarray | Tensor) for leaf in flatten(value))


def _tensors(state: Any) -> Any:
    return map_leaves(
        lambda leaf: fromdata.from_owned(np.array(leaf)) if isinstance(leaf, np.ndarray) else leaf,
        state,
    )


def _arrays(state: Any) -> Any:
    return map_leaves(
        lambda leaf: np.array(leaf.numpy()) if isinstance(leaf, Tensor) else leaf, state
    )
