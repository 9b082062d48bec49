"""compile, fit, evaluate, predict: what a model gains by being trainable.

One step of `fit` is one program: forward, loss, metrics, gradients and update are recorded, every
tensor that nobody needs afterwards is let go of, and the update's end computes what is left. No
value is looked at in between.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from chainrule.errors import DataError
from chainrule.keras import context, optimizers
from chainrule.keras import losses as losses_module
from chainrule.keras import variables as variables_module
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.signatures import signature_of
from chainrule.keras.metrics_base import Mean, Metric
from chainrule.keras.models.compiled import CompiledLoss, CompiledMetrics
from chainrule.keras.models.repeat import Repeated
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, flush, no_grad
from chainrule.training import data as data_module
from chainrule.training.callback_list import CallbackList
from chainrule.training.callbacks import History
from chainrule.training.data import Batches, as_batches, split_off, unpack
from chainrule.training.loop import Steps, evaluate, run
from chainrule.training.tree import leaves, map_leaves


class Trainer(Layer):
    """A layer that can be compiled and trained."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.compiled = False
        self.stop_training = False
        self.optimizer: Any = None
        self.loss: Any = None
        self.history: History | None = None
        self._compiled_loss: CompiledLoss | None = None
        self._compiled_metrics: CompiledMetrics | None = None
        self._loss_tracker: Mean | None = None
        self._train_variables: tuple[int, list[Variable]] | None = None
        self._first_epoch = 0

    # compile --------------------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: Any = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Say how to train: optimizer, loss and metrics, by name or as objects.

        A step is always compiled as a whole, and what the model does in Python is done for the
        first steps of each `fit` only, as in Keras; `run_eagerly` does it at each. `jit_compile`
        and `steps_per_execution` are accepted and change nothing.
        """
        self.optimizer = optimizers.get(optimizer)
        names = self._output_names()
        self._check_names(loss)
        self.loss = loss
        self._compiled_loss = None if loss is None else CompiledLoss(loss, loss_weights, names)
        self._compiled_metrics = CompiledMetrics(metrics, weighted_metrics, names)
        self._loss_tracker = Mean(name="loss")
        self._compile_arguments = {
            "optimizer": optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        self.run_eagerly = run_eagerly
        self.jit_compile = jit_compile
        self.steps_per_execution = steps_per_execution
        self._train_variables = None
        self.compiled = True

    def _check_names(self, loss: Any) -> None:
        """Refuse an unknown name now, not at the first batch."""
        for item in leaves(loss):
            if isinstance(item, str) and item.lower() not in ("crossentropy", "ce"):
                losses_module.get(item)

    def _output_names(self) -> list[str] | None:
        return None

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"call compile() before {method}(): "
                "model.compile(optimizer=..., loss=..., metrics=[...])"
            )

    # metrics --------------------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Metric]:
        """Loss, compiled metrics, and metrics kept as attributes, here and in the layers."""
        found: dict[int, Metric] = {}
        if self._loss_tracker is not None:
            found[id(self._loss_tracker)] = self._loss_tracker
        if self._compiled_metrics is not None:
            found |= {id(m): m for m in self._compiled_metrics.metrics}
        if self._compiled_loss is not None:
            found |= {id(m): m for m in self._compiled_loss.trackers}
        for layer in self._flatten_layers():
            for value in vars(layer).values():
                for leaf in leaves(value) if isinstance(value, list | tuple | dict) else (value,):
                    if isinstance(leaf, Metric) and leaf is not self._loss_tracker:
                        found.setdefault(id(leaf), leaf)
        return list(found.values())

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The metrics' values by name."""
        results: dict[str, Any] = {}
        for metric in self.metrics:
            value = metric.result()
            if isinstance(value, dict):
                results |= value
            else:
                results[metric.name] = value
        return results

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Update the compiled metrics and return all results."""
        self._update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        if self._compiled_metrics is not None and y is not None:
            with no_grad():
                self._compiled_metrics.update(y, y_pred, sample_weight)

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The compiled loss plus penalties and added losses."""
        parts = []
        if self._compiled_loss is not None:
            parts.append(self._compiled_loss(y, y_pred, sample_weight))
        parts += [part.sum() if isinstance(part, Tensor) else part for part in self.losses]
        parts = [part for part in parts if part is not None]
        if not parts:
            raise ValueError("there is no loss: give one to compile(), or call add_loss in a layer")
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def compiled_loss(self, y: Any, y_pred: Any, sample_weight: Any = None, **_: Any) -> Any:
        """The compiled loss with the penalties (the name that Keras 2 programs use)."""
        return self.compute_loss(y=y, y_pred=y_pred, sample_weight=sample_weight)

    # one step -------------------------------------------------------------------------------------

    def train_step(self, data: Any) -> dict[str, Any]:
        """One change of the weights by one batch; returns the metrics. Override it for steps of
        your own.
        """
        self._train_on(data)
        return self.get_metrics_result()

    def test_step(self, data: Any) -> dict[str, Any]:
        """Loss and metrics of one batch; returns them. Override it for evaluations of your own."""
        self._test_on(data)
        return self.get_metrics_result()

    def predict_step(self, data: Any) -> Any:
        """The outputs for one batch."""
        return (
            self(unpack(data)[0], training=False)
            if self._call_takes_training()
            else self(unpack(data)[0])
        )

    def _forward(self, x: Any, training: bool) -> Any:
        return self(x, training=training) if self._call_takes_training() else self(x)

    def _call_takes_training(self) -> bool:
        return signature_of(type(self).call).takes_training

    def _train_on(self, data: Any, compute: Callable[[], None] = flush) -> None:
        x, y, weight = unpack(data)
        self.optimizer.begin()
        with context.scope(training=True):
            y_pred = self._forward(x, True)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight)
            self._track(loss, x)
            self._update_metrics_or_compute(x, y, y_pred, weight)
        variables = self._variables_to_train()
        if not variables:
            del y_pred, loss
            compute()
            return
        for variable in variables:
            variable.grad = None
        self.optimizer.scale_loss(loss).backward()
        # What is still held when the step is computed is computed for its own sake: let go of it.
        del y_pred, loss
        gradients = [variable.grad for variable in variables]
        for variable in variables:
            variable.grad = None
        self.optimizer.record(gradients, variables)
        compute()

    def _update_metrics_or_compute(self, x: Any, y: Any, y_pred: Any, weight: Any) -> None:
        if type(self).compute_metrics is Trainer.compute_metrics:
            self._update_metrics(y, y_pred, weight)
        else:
            self.compute_metrics(x, y, y_pred, weight)

    def _test_on(self, data: Any, compute: Callable[[], None] = flush) -> None:
        x, y, weight = unpack(data)
        with no_grad(), context.scope(training=False):
            y_pred = self._forward(x, False)
            loss = self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight, training=False)
            self._track(loss, x)
            self._update_metrics_or_compute(x, y, y_pred, weight)
        del y_pred, loss
        compute()

    def _symbolic_build(self, data_batch: Any) -> None:
        """Make weights and the metrics' variables for such a batch; nothing is computed."""
        self._test_on(data_batch, compute=lambda: None)
        self.reset_metrics()

    def _track(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is not None:
            rows = next((t.shape[0] for t in leaves(x) if t is not None), 1)
            self._loss_tracker.update_state(loss, sample_weight=float(rows))

    def _variables_to_train(self) -> list[Variable]:
        """The trainable weights, looked for again only when something has changed."""
        version = variables_module.structure_version
        if self._train_variables is None or self._train_variables[0] != version:
            variables = self.trainable_weights
            if not variables:
                warnings.warn(
                    f"model {self.name!r} has no trainable weights: nothing is trained",
                    stacklevel=6,
                )
            self._train_variables = (version, variables)
        return self._train_variables[1]

    def zero_grad(self) -> None:
        """Forget the gradients of all weights."""
        for weight in self.weights:
            weight.grad = None

    # what the loop calls --------------------------------------------------------------------------

    def _steps(self, own: Callable[..., None], name: str, step: Callable[[Any], Any]) -> Steps:
        if getattr(type(self), name) is getattr(Trainer, name):
            repeated = Repeated(self, own, trains=name == "train_step")
            return Steps(repeated, self._results, self.reset_metrics)

        def one(batch: Any) -> Any:
            data = (
                tuple(part for part in batch)
                if batch[2] is not None
                else (batch[0] if batch[1] is None else batch[:2])
            )
            logs = step(data)
            flush()
            return logs

        return Steps(one, self._results, self.reset_metrics)

    def _results(self, returned: Any) -> dict[str, float]:
        """Look at the metrics; a step of the user's own says what there is to see."""
        values = dict(returned) if returned is not None else self.get_metrics_result()
        if returned is not None and {m.name for m in self.metrics} >= set(values):
            values = {n: v for n, v in self.get_metrics_result().items() if n in values}
        with no_grad():
            found = {name: _number(value) for name, value in values.items()}
        return dict(sorted(found.items()))

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
        self._first_epoch = initial_epoch
        listed = self._callbacks(callbacks, verbose, epochs=epochs, steps=batches.steps)
        if validation_data is not None:
            validation = self._validation(
                validation_data, validation_batch_size or batch_size, validation_steps
            )
            testing = self._steps(self._test_on, "test_step", self.test_step)

            def validate() -> dict[str, float]:
                return evaluate(testing, validation, listed)

        run(
            self._steps(self._train_on, "train_step", self.train_step),
            batches,
            listed,
            epochs=epochs,
            initial_epoch=self._first_epoch,
            validate=validate,
            validates_at=_at(validation_freq),
        )
        if hasattr(self.optimizer, "finalize_variable_values"):
            self.optimizer.finalize_variable_values(self.trainable_weights)
        assert self.history is not None
        return self.history

    def _callbacks(self, given: Any, verbose: int | str, **params: Any) -> CallbackList:
        if isinstance(given, CallbackList):
            return given
        return CallbackList(
            given, add_history=True, add_progbar=verbose != 0, model=self, verbose=verbose, **params
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
        if x is None:
            raise DataError("evaluate needs data: x is missing")
        batches = as_batches(x, y, sample_weight, batch_size=batch_size, steps=steps)
        chosen = self._plain_callbacks(callbacks, verbose, batches)
        logs = evaluate(self._steps(self._test_on, "test_step", self.test_step), batches, chosen)
        if return_dict:
            return logs
        names = [m.name for m in self.metrics if m.name in logs]
        values = [logs[name] for name in names] or list(logs.values())
        return values[0] if len(values) == 1 else values

    def _plain_callbacks(self, given: Any, verbose: int | str, batches: Batches) -> CallbackList:
        if isinstance(given, CallbackList):
            return given
        return CallbackList(
            given,
            add_progbar=verbose != 0,
            model=self,
            verbose=verbose,
            epochs=1,
            steps=batches.steps,
        )

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
        listed = self._plain_callbacks(callbacks, verbose, batches)
        outputs: list[Any] = []
        try:
            listed.on_predict_begin()
            for index, batch in enumerate(batches.epoch()):
                listed.on_predict_batch_begin(index)
                with no_grad():
                    result = self.predict_step((batch[0],))
                outputs.append(map_leaves(_array, result))
                del result
                listed.on_predict_batch_end(index)
            listed.on_predict_end()
        except BaseException:
            listed.abort()
            raise
        if not outputs:
            raise DataError("the data gave no batch: nothing to predict")
        return map_leaves(lambda *parts: np.concatenate(parts), *outputs)

    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch; the metrics so far (they are not reset)."""
        self._require_compiled("train_on_batch")
        steps = self._steps(self._train_on, "train_step", self.train_step)
        return self._on_batch(steps, x, y, sample_weight, class_weight, return_dict)

    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Loss and metrics of one batch; the metrics so far (they are not reset)."""
        self._require_compiled("test_on_batch")
        steps = self._steps(self._test_on, "test_step", self.test_step)
        return self._on_batch(steps, x, y, sample_weight, None, return_dict)

    def _on_batch(
        self, steps: Steps, x: Any, y: Any, weight: Any, class_weight: Any, return_dict: bool
    ) -> Any:
        rows = len(next(leaves(x)))
        batches = as_batches(x, y, weight, batch_size=max(rows, 1), class_weight=class_weight)
        logs = steps.results(steps.step(next(batches.epoch())))
        if return_dict:
            return logs
        names = [m.name for m in self.metrics if m.name in logs]
        values = [logs[name] for name in names] or list(logs.values())
        return values[0] if len(values) == 1 else values

    def predict_on_batch(self, x: Any) -> Any:
        """The outputs for one batch, as NumPy arrays."""
        with no_grad():
            result = self.predict_step((map_leaves(data_module.as_tensor, x),))
            return map_leaves(_array, result)


def _array(value: Any) -> np.ndarray:
    return np.array(value.detach().numpy()) if isinstance(value, Tensor) else np.asarray(value)


def _number(value: Any) -> Any:
    if isinstance(value, Tensor):
        array = value.detach().numpy()
        return float(array) if array.ndim == 0 else array.tolist()
    return float(value) if not isinstance(value, list | tuple) else value


def _at(frequency: int | Iterable[int]) -> Callable[[int], bool]:
    """Which epochs (counted from 0) are followed by a validation."""
    if isinstance(frequency, int):
        return lambda epoch: (epoch + 1) % frequency == 0
    wanted = set(frequency)
    return lambda epoch: epoch + 1 in wanted
