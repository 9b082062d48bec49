"""How a model is trained: what `compile` says, and one step of training, testing and predicting.

One step of `fit` is one program: forward, loss, metrics, gradients and update are recorded, every
tensor that nobody needs afterwards is let go of, and the update's end computes what is left. No
value is looked at in between.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from chainrule.keras import context, optimizers, registry
from chainrule.keras import losses as losses_module
from chainrule.keras import variables as variables_module
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.signatures import signature_of
from chainrule.keras.metrics_base import Mean, Metric
from chainrule.keras.models.compiled import CompileLoss, CompileMetrics
from chainrule.keras.scopes import StatelessScope
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, flush, no_grad
from chainrule.training.data import unpack
from chainrule.training.tree import leaves


class Trainable(Layer):
    """A layer that can be compiled, and does one step at a time."""

    #: Set by `compile`; before it there is none.
    optimizer: Any
    _compile_loss: CompileLoss | None
    _compile_metrics: CompileMetrics | None
    _loss_tracker: Mean | None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.__dict__.update(
            compiled=False, stop_training=False, stop_evaluating=False, stop_predicting=False,
            loss=None, history=None, steps_per_execution=1, run_eagerly=False, jit_compile="auto",
            train_function=None, test_function=None, predict_function=None,
            _compile_arguments=Kept({}),
            _compile_loss=None, _compile_metrics=None, _loss_tracker=None, _train_variables=None,
        )  # fmt: skip

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

        Args:
            optimizer: a name, or an optimizer.
            loss: a name, a function `(y_true, y_pred)`, a loss, or a structure of them like the
                outputs.
            loss_weights: factors of the losses.
            metrics, weighted_metrics: lists, or dicts by output; the latter see sample weights.
            run_eagerly: do what the model does in Python at each step, instead of recording it in
                the first steps of each `fit`.
            steps_per_execution: callbacks are called after so many batches.
            jit_compile: accepted; a step is always compiled as a whole.
            auto_scale_loss: with the dtype policy "mixed_float16", scale the loss as it fits.

        Raises ValueError for names that are not known.
        """
        self.optimizer = _optimizer(optimizer, self.dtype_policy.name, auto_scale_loss)
        names = self._output_names()
        for item in leaves(loss):  # refuse an unknown name now, not at the first batch
            if isinstance(item, str) and item.lower() not in ("crossentropy", "ce"):
                losses_module.get(item)
        if jit_compile is True and run_eagerly:
            warnings.warn(
                "If `run_eagerly` is True, then `jit_compile` cannot also be True. Disabling "
                "`jit_compile`.",
                stacklevel=2,
            )
        self.loss = loss
        compiled = {
            "_compile_loss": None if loss is None else CompileLoss(
                loss, loss_weights, output_names=names
            ),
            "_compile_metrics": None if metrics is None and weighted_metrics is None else
            CompileMetrics(metrics, weighted_metrics, output_names=names),
            "_loss_tracker": Mean(name="loss"),
        }  # fmt: skip
        self.__dict__.update(compiled)  # no parts of the model: its files do not have them
        jit_compile = jit_compile is True and not run_eagerly
        self._compile_arguments = Kept(
            {
                "optimizer": self.optimizer,
                "loss": loss,
                "loss_weights": loss_weights,
                "metrics": metrics,
                "weighted_metrics": weighted_metrics,
                "run_eagerly": run_eagerly,
                "steps_per_execution": steps_per_execution,
                "jit_compile": jit_compile,
            }
        )
        self.run_eagerly = run_eagerly
        self.jit_compile = jit_compile
        self.steps_per_execution = steps_per_execution
        self.stop_training = False
        self._train_variables: tuple[int, list[Variable]] | None = None
        self.train_function = self.test_function = self.predict_function = None
        self.compiled = True

    def _output_names(self) -> list[str] | None:
        return None

    def _require_compiled(self, method: str) -> None:
        if not self.compiled:
            raise ValueError(
                f"You must call `compile()` before calling `{method}()`: "
                "model.compile(optimizer=..., loss=..., metrics=[...])"
            )

    def get_compile_config(self) -> dict[str, Any] | None:
        """What `compile` was given, as plain data; None before it was called."""
        if not self.compiled:
            return None
        return registry.to_config(self._compile_arguments.values)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile with what `get_compile_config` gave."""
        if type(self).compile is not Trainable.compile:
            warnings.warn(
                "`compile()` was not called as part of model loading because the model's "
                "`compile()` method is custom. All subclassed Models that have `compile()` "
                "overridden should also override `get_compile_config()` and "
                "`compile_from_config(config)`. Alternatively, you can call `compile()` manually "
                "after loading.",
                stacklevel=2,
            )
            return
        self.compile(**registry.from_config(config))
        if self.optimizer is not None and self.built:
            self.optimizer.build(self.trainable_variables)

    # metrics --------------------------------------------------------------------------------------

    @property
    def metrics(self) -> list[Metric]:
        """Loss, compiled metrics, and metrics kept as attributes, here and in the layers."""
        found: dict[int, Metric] = {}
        if self.compiled:
            compiled = [self._loss_tracker, self._compile_metrics]
            if self._compile_loss is not None:
                compiled += self._compile_loss.metrics
            found = {id(m): m for m in compiled if m is not None}
        for layer in self._flatten_layers():
            for metric in layer._metrics:
                if not _is_compiled(layer, metric) or layer is self:
                    found.setdefault(id(metric), metric)
        return list(found.values())

    @property
    def metrics_names(self) -> list[str]:
        return [metric.name for metric in self.metrics]

    def reset_metrics(self) -> None:
        """Forget what the metrics have seen."""
        for metric in self.metrics:
            metric.reset_state()

    def get_metrics_result(self) -> dict[str, Any]:
        """The values of all metrics by name; a metric of several gives several."""
        found: dict[str, Any] = {}
        for metric in self.metrics:
            if isinstance(metric, CompileMetrics) and not metric.built:
                continue
            result = metric.result()
            found |= result if isinstance(result, dict) else {metric.name: result}
        return found

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Update the compiled metrics and return all results. Override it for others."""
        self._update_metrics(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def _update_metrics(self, y: Any, y_pred: Any, sample_weight: Any) -> None:
        if self._compile_metrics is not None and y is not None:
            with no_grad():
                self._compile_metrics.update_state(y, y_pred, sample_weight)

    # losses ---------------------------------------------------------------------------------------

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The compiled loss plus penalties and added losses, a scalar. Override it for a loss of
        your own.

        Raises ValueError where there is none.
        """
        parts = []
        if self._compile_loss is not None:
            if y is None:
                raise ValueError("the loss needs targets: give y, or batches of (x, y)")
            parts.append(self._compile_loss(y, y_pred, sample_weight))
        parts += [part.sum() if isinstance(part, Tensor) else part for part in self.losses]
        parts = [part for part in parts if part is not None]
        if not parts:
            raise ValueError(
                "No loss to compute. Provide a `loss` argument in `compile()`, or call add_loss() "
                "in a layer."
            )
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def _compute_loss(self, x: Any, y: Any, y_pred: Any, weight: Any, training: bool) -> Any:
        if signature_of(type(self).compute_loss).takes_training:
            return self.compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=weight, training=training
            )
        return self.compute_loss(x=x, y=y, y_pred=y_pred, sample_weight=weight)

    def stateless_compute_loss(
        self,
        trainable_variables: Any,
        non_trainable_variables: Any,
        metrics_variables: Any,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """`compute_loss` with other values of the variables: (loss, (trainable, non_trainable,
        metrics)), where the last two are as the computation leaves them.
        """
        mapping = [
            *zip(self.trainable_variables, trainable_variables, strict=True),
            *zip(self.non_trainable_variables, non_trainable_variables, strict=True),
            *zip(self.metrics_variables, metrics_variables, strict=True),
        ]
        with StatelessScope(mapping) as scope:
            loss = self._compute_loss(x, y, y_pred, sample_weight, training)
        rest, sums = (
            [scope.get_current_value(v) for v in kept]
            for kept in (self.non_trainable_variables, self.metrics_variables)
        )
        return loss, (trainable_variables, rest, sums)

    def compiled_loss(
        self,
        y: Any,
        y_pred: Any,
        sample_weight: Any = None,
        regularization_losses: Any = None,
    ) -> Any:
        """The compiled loss with the penalties (the name that Keras 2 programs use)."""
        return self.compute_loss(x=None, y=y, y_pred=y_pred, sample_weight=sample_weight)

    @property
    def compiled_metrics(self) -> OldMetrics | None:
        """The compiled metrics, with the method that Keras 2 programs call."""
        return OldMetrics(self) if self.compiled else None

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
        return self._forward(unpack(data)[0], False)

    def _forward(self, x: Any, training: bool) -> Any:
        return self(x, training=training) if self._signature().takes_training else self(x)

    def _train_on(self, data: Any, compute: Callable[[], None] = flush) -> None:
        x, y, weight = unpack(data)
        self.optimizer.begin()
        with context.scope(training=True):
            y_pred = self._forward(x, True)
            loss = self._compute_loss(x, y, y_pred, weight, True)
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
        if type(self).compute_metrics is Trainable.compute_metrics:
            self._update_metrics(y, y_pred, weight)
        else:
            self.compute_metrics(x, y, y_pred, weight)

    def _test_on(self, data: Any, compute: Callable[[], None] = flush) -> None:
        x, y, weight = unpack(data)
        with no_grad(), context.scope(training=False):
            y_pred = self._forward(x, False)
            loss = self._compute_loss(x, y, y_pred, weight, False)
            self._track(loss, x)
            self._update_metrics_or_compute(x, y, y_pred, weight)
        del y_pred, loss
        compute()

    def _symbolic_build(self, data_batch: Any) -> None:
        """Make weights and the metrics' variables for such a batch; nothing is computed."""
        self._test_on(data_batch, compute=lambda: None)
        self.reset_metrics()

    def _track(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is not None and loss is not None:
            rows = next((t.shape[0] for t in leaves(x) if t is not None), 1)
            self._loss_tracker.update_state(loss, sample_weight=float(rows))

    def _variables_to_train(self) -> list[Variable]:
        """The trainable weights, looked for again only when something has changed."""
        version = variables_module.structure_version
        if self._train_variables is None or self._train_variables[0] != version:
            variables = self.trainable_weights
            if not variables:
                warnings.warn(
                    f"The model does not have any trainable weights: of model {self.name!r} "
                    "nothing is trained",
                    stacklevel=6,
                )
            self._train_variables = (version, variables)
        return self._train_variables[1]


class Kept:
    """Values that are no parts of the model: its weights and metrics are not looked for in them."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values


class OldMetrics:
    """`model.compiled_metrics.update_state(y, y_pred)`, as Keras 2 programs write it."""

    def __init__(self, model: Trainable) -> None:
        self._model = model

    def update_state(self, y: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._model._update_metrics(y, y_pred, sample_weight)

    @property
    def metrics(self) -> list[Metric]:
        compiled = self._model._compile_metrics
        return [] if compiled is None else compiled.metrics


def _optimizer(given: Any, policy: str, auto_scale: bool) -> Any:
    made = optimizers.get(given)
    scaled = getattr(optimizers, "LossScaleOptimizer", None)
    if auto_scale and policy == "mixed_float16" and made is not None and scaled is not None:
        return made if isinstance(made, scaled) else scaled(made, name="loss_scale_optimizer")
    return made


def _is_compiled(layer: Any, metric: Metric) -> bool:
    """Whether a metric comes from the `compile` of a model: of one inside, it is not counted."""
    return isinstance(layer, Trainable) and metric in (layer._loss_tracker, layer._compile_metrics)
