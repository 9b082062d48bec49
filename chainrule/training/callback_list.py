"""Many callbacks as one. A hook that nobody defines costs nothing, and a batch's values are looked
at only for those who ask for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chainrule.training.callbacks import Callback, History, Logs, Resume, Values
from chainrule.training.progress import ProgbarLogger
from chainrule.training.tree import flatten

#: A batch's hooks: what the list calls → what a callback may define for it.
_BATCH_HOOKS = {
    "on_train_batch_begin": ("on_train_batch_begin", "on_batch_begin"),
    "on_train_batch_end": ("on_train_batch_end", "on_batch_end"),
    "on_test_batch_begin": ("on_test_batch_begin",),
    "on_test_batch_end": ("on_test_batch_end",),
    "on_predict_batch_begin": ("on_predict_batch_begin",),
    "on_predict_batch_end": ("on_predict_batch_end",),
}
#: What else is called there, with values that are read on demand.
_LAZY = {"on_train_batch_end": "see_train_batch", "on_test_batch_end": "see_test_batch"}


def _defines(callback: Any, names: Iterable[str]) -> bool:
    return any(
        getattr(type(callback), name, None) is not getattr(Callback, name)
        or name in getattr(callback, "__dict__", ())
        for name in names
    )


class CallbackList(Callback):
    """Calls each callback in turn.

    `params` (verbose, epochs, steps, …) go to each. Use it in a loop of your own as in Keras:
    `on_train_begin()`, `on_epoch_begin(epoch)`, `on_train_batch_end(step, logs)`, ….
    """

    def __init__(
        self,
        callbacks: Iterable[Any] | Callback | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Any = None,
        **params: Any,
    ) -> None:
        super().__init__()
        self.callbacks: list[Any] = list(flatten(callbacks)) if callbacks else []
        for callback in self.callbacks:
            if isinstance(callback, type) or not hasattr(callback, "on_epoch_end"):
                raise TypeError(
                    f"callbacks must be Callback objects, got {callback!r}"
                    + ("; did you forget to call the class?" if isinstance(callback, type) else "")
                )
        if add_history and not any(isinstance(c, History) for c in self.callbacks):
            self.callbacks.append(History())
        if add_progbar and not any(isinstance(c, ProgbarLogger) for c in self.callbacks):
            self.callbacks.append(ProgbarLogger())
        self._hooks: dict[str, list[tuple[Callable[..., None], bool]]] = {}
        if model is not None:
            self.set_model(model)
        self.set_params(params)
        for callback in self._own():
            callback.set_siblings(self.callbacks)
        self._plan()

    def append(self, callback: Any) -> None:
        """One more."""
        self.callbacks.append(callback)
        self._plan()

    def set_params(self, params: dict[str, Any]) -> None:
        super().set_params(params)
        if params:
            for callback in self.callbacks:
                callback.set_params(params)

    def set_model(self, model: Any) -> None:
        super().set_model(model)
        for callback in self.callbacks:
            callback.set_model(model)

    @property
    def stopped(self) -> bool:
        """Whether a callback asked the model to stop."""
        return bool(getattr(self.model, "stop_training", False))

    def asked(self, flag: str) -> bool:
        """Whether a callback has set such a flag of the model."""
        return bool(getattr(self.model, flag, False))

    def set_steps(self, steps: int) -> None:
        """The number of steps of an epoch has become known."""
        self.params["steps"] = steps

    def _own(self) -> list[Callback]:
        return [c for c in self.callbacks if isinstance(c, Callback)]

    def _plan(self) -> None:
        """Find the hooks that there are (they may be set on an object between two runs), each with
        whether it is given the values themselves.
        """
        self._hooks = {}
        for hook, names in _BATCH_HOOKS.items():
            found = self._hooks[hook] = []
            for callback in self.callbacks:
                if hasattr(callback, hook) and _defines(callback, names):
                    found.append((getattr(callback, hook), True))
                lazy = _LAZY.get(hook, "")
                if hasattr(callback, lazy) and _defines(callback, (lazy,)):
                    found.append((getattr(callback, lazy), False))

    # a run and its epochs -------------------------------------------------------------------------

    def _all(self, hook: str, *arguments: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments)

    def on_train_begin(self, logs: Values = None) -> None:
        self._plan()
        self._all("on_train_begin", _plain(logs))

    def on_train_end(self, logs: Values = None) -> None:
        self._all("on_train_end", _plain(logs))

    def on_epoch_begin(self, epoch: int, logs: Values = None) -> None:
        self._all("on_epoch_begin", epoch, _plain(logs))

    def on_epoch_end(self, epoch: int, logs: Values = None) -> None:
        self._all("on_epoch_end", epoch, _plain(logs))
        for callback in self._own():
            callback.after_epoch(epoch)

    def on_test_begin(self, logs: Values = None) -> None:
        self._plan()
        self._all("on_test_begin", _plain(logs))

    def on_test_end(self, logs: Values = None) -> None:
        self._all("on_test_end", _plain(logs))

    def on_predict_begin(self, logs: Values = None) -> None:
        self._plan()
        self._all("on_predict_begin", _plain(logs))

    def on_predict_end(self, logs: Values = None) -> None:
        self._all("on_predict_end", _plain(logs))

    @property
    def resume(self) -> Resume | None:
        """Where a run that was cut off goes on."""
        return next((c.resume for c in self._own() if c.resume is not None), None)

    def abort(self) -> None:
        for callback in self._own():
            callback.abort()

    # batches --------------------------------------------------------------------------------------

    def on_batch_begin(self, batch: int, logs: Values = None) -> None:
        self._all("on_batch_begin", batch, _plain(logs))

    def on_batch_end(self, batch: int, logs: Values = None) -> None:
        self._all("on_batch_end", batch, _plain(logs))

    def on_train_batch_begin(self, batch: int, logs: Values = None) -> None:
        self._call("on_train_batch_begin", batch, logs)

    def on_train_batch_end(self, batch: int, logs: Values = None) -> None:
        self._call("on_train_batch_end", batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Values = None) -> None:
        self._call("on_test_batch_begin", batch, logs)

    def on_test_batch_end(self, batch: int, logs: Values = None) -> None:
        self._call("on_test_batch_end", batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Values = None) -> None:
        self._call("on_predict_batch_begin", batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Values = None) -> None:
        self._call("on_predict_batch_end", batch, logs)

    def _call(self, name: str, batch: int, logs: Values) -> None:
        hooks = self._hooks[name]
        if not hooks:
            return
        lazy = logs if isinstance(logs, Logs) else Logs(_plain, logs)
        for hook, reads in hooks:
            hook(batch, lazy.read() if reads else lazy)


def _plain(logs: Values) -> dict[str, Any]:
    """Values as a dict of floats, lists and whatever else cannot be a float."""
    if isinstance(logs, Logs):
        return logs.read()
    if type(logs) is dict and all(type(value) is float for value in logs.values()):
        return logs  # the dict itself: what a callback adds, later ones see
    return {name: _number(value) for name, value in (logs or {}).items()}


def _number(value: Any) -> Any:
    if hasattr(value, "item") and getattr(value, "ndim", 1) == 0:
        return value.item()
    return value
