"""Callbacks: code that the training loop calls at its turning points.

Values reach a callback as plain floats. The hooks `see_train_batch` and `see_test_batch` are for
callbacks that want a batch's values only sometimes: they get `Logs`, which look when they are first
read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Values = Mapping[str, Any] | None


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


@dataclass(frozen=True)
class Resume:
    """Where a run that was cut off goes on: before step `step` of epoch `epoch`.

    `rewind` puts the random numbers where they were when the epoch began, so that the epoch's data
    come in the same order; `restore(batch)` puts everything where it was when the run was cut off
    (`batch` is one that has been done, or None at the beginning of an epoch).
    """

    epoch: int
    step: int
    rewind: Callable[[], None]
    restore: Callable[[Any], None]


class Callback:
    """Base class. Override what you need; `self.model` and `self.params` are set before training
    starts.
    """

    params: dict[str, Any]
    _model: Any = None

    def __init__(self) -> None:
        self.params = {}
        self._model = None

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

    # a run that is cut off, and goes on in another process ----------------------------------------

    def set_siblings(self, callbacks: list[Any]) -> None:
        """All callbacks of the run, this one among them."""

    def training_state(self) -> dict[str, Any]:
        """What this callback must remember if the run goes on elsewhere: plain data and arrays."""
        return {}

    def take_training_state(self, state: dict[str, Any]) -> None:
        """Go on where `training_state` was asked."""

    def after_epoch(self, epoch: int) -> None:
        """All callbacks have seen the end of the epoch."""

    @property
    def resume(self) -> Resume | None:
        """Where the run shall go on, for a callback that knows of a run that was cut off."""
        return None


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
