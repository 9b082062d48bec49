"""fit, evaluate, predict: what a model gains by being trainable. The walk over the epochs itself is
in `chainrule.training.loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from chainrule.errors import DataError
from chainrule.keras.models.compiled import CompileMetrics
from chainrule.keras.models.repeat import Repeated
from chainrule.keras.models.steps import Kept, Trainable
from chainrule.tensor import Tensor, flush, no_grad
from chainrule.training import data as data_module
from chainrule.training.callback_list import CallbackList
from chainrule.training.callbacks import History
from chainrule.training.data import Batches, as_batches, split_off, unpack
from chainrule.training.loop import Steps, evaluate, predict, run
from chainrule.training.tree import leaves, map_leaves


class Trainer(Trainable):
    """A layer that can be compiled and trained."""

    history: History | None

    # what the loop calls --------------------------------------------------------------------------

    def make_train_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        """`train_function(iterator)`: one training step on the next batch. Override it (and set
        `self.train_function`) for loops of your own.
        """
        return self._made("train", force)

    def make_test_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        """`test_function(iterator)`: one evaluation step on the next batch."""
        return self._made("test", force)

    def make_predict_function(self, force: bool = False) -> Callable[[Iterator[Any]], Any]:
        """`predict_function(iterator)`: the outputs for the next batch."""
        return self._made("predict", force)

    def _made(self, what: str, force: bool) -> Callable[[Iterator[Any]], Any]:
        name = f"{what}_function"
        made = getattr(self, name)
        if made is None or force:
            step = getattr(self, f"{what}_step")

            def made(iterator: Iterator[Any]) -> Any:
                return step(next(iterator))

            setattr(self, name, made)
        return made

    def _steps(self, what: str) -> Steps:
        """How the loop does a step: recorded and repeated, or as the user's own code does it."""
        own = {"train": self._train_on, "test": self._test_on}[what]
        name, maker = f"{what}_step", f"make_{what}_function"
        by_user = getattr(type(self), maker) is not getattr(Trainer, maker)
        by_step = getattr(type(self), name) is not getattr(Trainer, name) or name in self.__dict__
        if not by_user and not by_step:
            return self._for_loop(Repeated(self, own, trains=what == "train"))
        if by_user:
            made = getattr(self, maker)()
            function = getattr(self, f"{what}_function") or made
        else:
            step = getattr(self, name)
            function = None

        def one(batch: Any) -> Any:
            data = _packed(batch)
            logs = step(data) if function is None else function(iter([data]))
            flush()
            return logs

        return self._for_loop(one)

    def _for_loop(self, step: Callable[[Any], Any]) -> Steps:
        return Steps(step, self._results, self.reset_metrics, int(self.steps_per_execution or 1))

    def _results(self, returned: Any) -> dict[str, float]:
        """Look at the metrics; a step of the user's own says what there is to see."""
        values: Any = returned if returned is not None else self.get_metrics_result()
        if not hasattr(values, "keys"):
            values = {"loss": values}
        elif returned is not None:
            known = self.get_metrics_result()
            if set(known) >= set(values):
                values = {n: v for n, v in known.items() if n in values}
        with no_grad():
            return {name: _number(value) for name, value in _flat(values)}

    # fit, evaluate, predict -----------------------------------------------------------------------

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Iterable[int] = 1,
    ) -> History:
        """Train, and return the values of each epoch.

        `x`, `y` are arrays or tensors, or structures of them; or `x` yields batches (a loader, a
        sequence, a data set, a generator). Ctrl-C ends the training where it is: the weights and
        `model.history` stay usable.

        Raises ValueError where `compile` was not called or the data do not fit together.
        """
        self._require_compiled("fit")
        if x is None:
            raise DataError("fit needs data: x is missing")
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_off(
                (x, y, sample_weight), validation_split
            )
        batches = as_batches(
            x, y, sample_weight, batch_size=batch_size, shuffle=shuffle, steps=steps_per_epoch,
            class_weight=class_weight,
        )  # fmt: skip
        validate = None
        self.stop_training = False
        listed = self._callbacks(
            callbacks, verbose, history=True, epochs=epochs, steps=batches.steps
        )
        if validation_data is not None:
            validation = self._validation(
                validation_data, validation_batch_size or batch_size, validation_steps
            )
            testing = self._steps("test")

            def validate() -> dict[str, float]:
                return evaluate(testing, validation, listed)

        run(
            self._steps("train"),
            batches,
            listed,
            epochs=epochs,
            initial_epoch=initial_epoch,
            validate=validate,
            validates_at=_at(validation_freq),
        )
        if hasattr(self.optimizer, "finalize_variable_values"):
            self.optimizer.finalize_variable_values(self.trainable_weights)
        assert self.history is not None
        return self.history

    def _callbacks(
        self, given: Any, verbose: int | str, *, history: bool = False, **params: Any
    ) -> CallbackList:
        if isinstance(given, CallbackList):
            return given
        return CallbackList(
            given,
            add_history=history,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            **params,
        )

    def _validation(self, data: Any, batch_size: int | None, steps: int | None) -> Batches:
        if isinstance(data, tuple | list) and not data_module.is_source(data):
            x, y, weight = unpack(tuple(data))
        else:
            x, y, weight = data, None, None
        return as_batches(x, y, weight, batch_size=batch_size, steps=steps)

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Loss and metrics over the data: a list (loss first), one number if there is only the
        loss, or a dict.
        """
        self._require_compiled("evaluate")
        if kwargs:
            raise ValueError(f"Arguments not recognized: {kwargs}")
        if x is None:
            raise DataError("evaluate needs data: x is missing")
        batches = as_batches(x, y, sample_weight, batch_size=batch_size, steps=steps)
        chosen = self._callbacks(callbacks, verbose, epochs=1, steps=batches.steps)
        self.stop_evaluating = False
        logs = evaluate(self._steps("test"), batches, chosen)
        return logs if return_dict else self._in_order(logs)

    def _in_order(self, logs: dict[str, Any]) -> Any:
        """The values in the order of the metrics, then what else there is; one value by itself."""
        names: list[str] = []
        for metric in self.metrics:
            parts = metric.metrics if isinstance(metric, CompileMetrics) else [metric]
            names += [part.name for part in parts]
        values = [logs[name] for name in names if name in logs]
        values += [logs[name] for name in sorted(logs) if name not in names]
        return values[0] if len(values) == 1 else values

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Any:
        """The outputs for all of `x`, as NumPy arrays."""
        batches = as_batches(x, batch_size=batch_size, steps=steps)
        listed = self._callbacks(callbacks, verbose, epochs=1, steps=batches.steps)
        self.stop_predicting = False
        by_user = type(self).make_predict_function is not Trainer.make_predict_function
        function = None
        if by_user:
            made = self.make_predict_function()
            function = self.predict_function if self.predict_function is not None else made

        def step(batch: Any) -> Any:
            with no_grad():
                data = _packed((batch[0], None, None))
                result = self.predict_step(data) if function is None else function(iter([data]))
                return map_leaves(_array, result)

        outputs = predict(step, batches, listed, int(self.steps_per_execution or 1))
        return map_leaves(lambda *parts: np.concatenate(parts), *outputs)

    # one batch ------------------------------------------------------------------------------------

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch: its loss, and its metrics."""
        self._require_compiled("train_on_batch")
        if class_weight is not None and sample_weight is not None:
            raise ValueError(
                "Arguments `sample_weight` and `class_weight` cannot be specified at the same "
                f"time. Received: sample_weight={sample_weight}, class_weight={class_weight}"
            )
        return self._on_batch("train", x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch."""
        self._require_compiled("test_on_batch")
        return self._on_batch("test", x, y, sample_weight, None, return_dict)

    def _on_batch(
        self, what: str, x: Any, y: Any, weight: Any, class_weight: Any, return_dict: bool
    ) -> Any:
        steps = self._single_steps(what)
        rows = len(next(leaves(x)))
        batches = as_batches(x, y, weight, batch_size=max(rows, 1), class_weight=class_weight)
        self.reset_metrics()
        logs = steps.results(steps.step(next(batches.epoch())))
        return logs if return_dict else self._in_order(logs)

    def _single_steps(self, what: str) -> Steps:
        """The steps of `train_on_batch`: kept from call to call, so that they are repeated too."""
        kept = self.__dict__.setdefault("_kept_steps", Kept({})).values
        found: Any = kept.get(what)
        if found is None or found[0] is not self._compile_arguments:
            found = kept[what] = (self._compile_arguments, self._steps(what))
        return found[1]

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        with no_grad():
            result = self.predict_step((map_leaves(data_module.as_tensor, x),))
            return map_leaves(_array, result)


def _packed(batch: Any) -> Any:
    """A batch as a step of the user's own gets it: `x`, `(x, y)` or `(x, y, weights)`."""
    x, y, weight = batch
    if weight is not None:
        return x, y, weight
    if y is not None:
        return x, y
    return (x,) if isinstance(x, list | tuple) else x


def _array(value: Any) -> np.ndarray:
    return np.array(value.detach()._concrete()) if isinstance(value, Tensor) else np.asarray(value)


def _flat(values: Any) -> Iterator[tuple[str, Any]]:
    """Names and values, sorted; those of a metric that stands for several come in its place."""
    for name, value in sorted(values.items()):
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, value


def _number(value: Any) -> Any:
    if isinstance(value, Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray | np.generic):
        return float(value) if value.ndim == 0 else value.tolist()
    return float(value) if isinstance(value, int | float) else value


def _at(frequency: int | Iterable[int]) -> Callable[[int], bool]:
    """Which epochs (counted from 0) are followed by a validation."""
    if isinstance(frequency, int):
        return lambda epoch: (epoch + 1) % frequency == 0
    if not isinstance(frequency, Iterable):
        raise ValueError(
            "Expected `validation_freq` to be a list or int. Received: "
            f"validation_freq={frequency} of the type {type(frequency)}."
        )
    wanted = set(frequency)
    return lambda epoch: epoch + 1 in wanted
