"""Optimizers around others: one that scales losses, one that sends variables to several."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import Any

import numpy as np

from chainrule.keras import initializers
from chainrule.keras.arrays import to_tensor
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.registry import from_config, known, to_config
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T

_UNSUPPORTED = {
    "weight_decay": None, "clipnorm": None, "global_clipnorm": None, "clipvalue": None,
    "use_ema": False, "ema_momentum": 0.99, "ema_overwrite_frequency": None,
    "loss_scale_factor": None, "gradient_accumulation_steps": None,
}  # fmt: skip


@known
class LossScaleOptimizer(Optimizer):
    """Losses are made large before they are differentiated in float16, and gradients small again.

    The scale is halved, and the step left out, where a gradient is not finite; it is doubled after
    `dynamic_growth_steps` steps without that.
    """

    def __init__(
        self,
        inner_optimizer: Optimizer,
        initial_scale: float = 2.0**15,
        dynamic_growth_steps: int = 2000,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        if not kwargs.pop("dynamic", True):
            raise ValueError(
                "LossScaleOptimizer has no `dynamic=False`; set `loss_scale_factor` on the "
                "`inner_optimizer` instead"
            )
        for option, default in _UNSUPPORTED.items():  # older files name them
            if kwargs.pop(option, default) != default:
                raise ValueError(
                    f"LossScaleOptimizer does not support `{option}`. Instead, set it on the "
                    "`inner_optimizer`."
                )
        if kwargs:
            raise ValueError(
                f"LossScaleOptimizer does not support arguments: `{'`, `'.join(kwargs)}`."
            )
        super().__init__(0.0, name=name)
        self.inner_optimizer = inner_optimizer
        self.initial_scale = initial_scale
        self.dynamic_growth_steps = dynamic_growth_steps
        inner_optimizer.loss_scale_factor = None  # gradients are divided here

    def build(self, variables: Sequence[Variable]) -> None:
        """Make the state of these variables, the inner optimizer's too."""
        if self.built:
            return
        self.step_counter = self.add_variable((), dtype="int32", name="step_counter")
        self.dynamic_scale = self.add_variable(
            (), initializers.Constant(self.initial_scale), "float32", name="dynamic_scale"
        )
        self.inner_optimizer.build(variables)
        super().build(variables)

    @property
    def variables(self) -> list[Variable]:
        return [*super().variables, *self.inner_optimizer.variables]

    @property
    def slot_tensors(self) -> list[Tensor]:
        return [*super().slot_tensors, *self.inner_optimizer.slot_tensors]

    @property
    def repeatable(self) -> bool:
        return False  # whether a step is made depends on its gradients

    def begin(self) -> None:
        self.inner_optimizer.begin()

    def record(self, grads: list[Any], variables: Sequence[Variable]) -> None:
        """Record one change of the variables, if all gradients are finite."""
        given = [None if g is None else to_tensor(g) for g in grads]
        grads.clear()
        with no_grad():
            self._know(variables)
            if not bool(self.check_finite(given)):
                self.step_counter.assign(np.zeros((), np.int32))
                self.dynamic_scale.assign(self.dynamic_scale * 0.5)
                return
            scale = self.dynamic_scale
            self.inner_optimizer.record(
                [
                    g if g is None or v.overwrite_with_gradient else g / scale
                    for g, v in zip(given, variables, strict=True)
                ],
                variables,
            )
            steps = int(self.step_counter) + 1
            if steps == self.dynamic_growth_steps:
                steps = 0
                self.dynamic_scale.assign(scale * 2.0)
            self.step_counter.assign(np.asarray(steps, np.int32))

    def check_finite(self, grads: Sequence[Any]) -> Tensor:
        """Whether every number in the gradients is finite."""
        finite = [T.isfinite(g).all() for g in grads if g is not None]
        return T.stack(finite).all()

    @property
    def learning_rate(self) -> Any:
        return self.inner_optimizer.learning_rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        self.inner_optimizer.learning_rate = value

    @property
    def iterations(self) -> Any:
        return self.inner_optimizer.iterations

    def scale_loss(self, loss: Any) -> Any:
        """The loss times the scale of now."""
        scale = self.dynamic_scale.detach() if self.built else self.initial_scale
        return loss * scale

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        self.inner_optimizer.finalize_variable_values(var_list)

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "inner_optimizer": to_config(self.inner_optimizer),
            "initial_scale": self.initial_scale,
            "dynamic_growth_steps": self.dynamic_growth_steps,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Optimizer:
        config = dict(config)
        inner = from_config(config.pop("inner_optimizer"), custom_objects=custom_objects)
        return cls(inner, **config)


@known
class OptimizerMap(MutableMapping[str, Optimizer]):
    """An optimizer for each variable, by its path or a pattern for paths, and one for all others.

    >>> from chainrule.keras.optimizers import SGD, Adam
    >>> chosen = OptimizerMap(SGD(), {"dense/.*": Adam()})
    >>> type(chosen["dense/kernel"]).__name__, type(chosen["conv/kernel"]).__name__
    ('Adam', 'SGD')
    """

    def __init__(
        self, default_optimizer: Optimizer, optimizer_map: dict[str, Optimizer] | None = None
    ) -> None:
        if not isinstance(default_optimizer, Optimizer):
            raise TypeError(
                "default_optimizer must be a Keras Optimizer instance. "
                f"Received: {default_optimizer}"
            )
        if optimizer_map is not None and not isinstance(optimizer_map, dict):
            raise TypeError(f"optimizer_map must be a dictionary. Received: {optimizer_map}")
        self._default = default_optimizer
        self._optimizer_map = optimizer_map or {}

    @property
    def default_optimizer(self) -> Optimizer:
        return self._default

    def __getitem__(self, key: str) -> Optimizer:
        if key in self._optimizer_map:
            return self._optimizer_map[key]
        fits = [pattern for pattern in self._optimizer_map if re.fullmatch(pattern, key)]
        if len(fits) > 1:
            raise ValueError(
                f"Multiple optimizers assigned to variable {key}: it matches {', '.join(fits)}"
            )
        return self._optimizer_map[fits[0]] if fits else self._default

    def __setitem__(self, key: str, optimizer: Optimizer) -> None:
        if not isinstance(key, str):
            raise ValueError(f"key must be a string. Received: {key}")
        if key in self._optimizer_map:
            raise ValueError(
                f"'{key}' already exists in the OptimizerMap with value "
                f"{self._optimizer_map[key]}; delete it first"
            )
        if not isinstance(optimizer, Optimizer):
            raise ValueError(f"optimizer must be a Keras Optimizer instance. Received: {optimizer}")
        _plain(optimizer, "optimizer cannot be {}.")
        self._optimizer_map[key] = optimizer

    def __delitem__(self, key: str) -> None:
        del self._optimizer_map[key]

    def __len__(self) -> int:
        return len(self._optimizer_map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._optimizer_map)

    def __call__(self, variable: Any) -> Optimizer:
        return self[variable.path]

    def get_config(self) -> dict[str, Any]:
        return {
            "default_optimizer": to_config(self._default),
            "optimizer_map": to_config(self._optimizer_map),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> OptimizerMap:
        return cls(
            from_config(config["default_optimizer"], custom_objects=custom_objects),
            from_config(config["optimizer_map"], custom_objects=custom_objects),
        )


@known
class MultiOptimizer(Optimizer):
    """Several optimizers, each for the variables that `optimizer_map` (an `OptimizerMap`, or any
    function of a variable) sends to it.
    """

    def __init__(
        self,
        optimizer_map: OptimizerMap | Callable[[Any], Optimizer],
        loss_scale_factor: float | None = None,
        name: str | None = None,
    ) -> None:
        self._inner_optimizers: list[Optimizer] = []
        super().__init__(0.0, loss_scale_factor=loss_scale_factor, name=name)
        self._optimizer_map = optimizer_map
        self._var_to_optimizer_idx: dict[int, int] = {}
        if isinstance(optimizer_map, OptimizerMap):
            for optimizer in (*optimizer_map.values(), optimizer_map.default_optimizer):
                self._take(optimizer)

    def _take(self, optimizer: Optimizer) -> int:
        """The place of an optimizer in the list, which it joins."""
        for place, one in enumerate(self._inner_optimizers):
            if one is optimizer:
                return place
        optimizer.loss_scale_factor = self.loss_scale_factor
        self._inner_optimizers.append(optimizer)
        return len(self._inner_optimizers) - 1

    def build(self, variables: Sequence[Variable]) -> None:
        """Find each variable's optimizer, and make their state."""
        if self.built:
            return
        groups: dict[int, list[Variable]] = {}
        for variable in variables:
            optimizer = self._optimizer_map(variable)
            if not isinstance(optimizer, Optimizer):
                raise ValueError(
                    f"Optimizer for variable {variable} is not an Optimizer instance, but "
                    f"{optimizer!r}"
                )
            _plain(optimizer, "{} cannot be used inside an MultiOptimizer.")
            place = self._take(optimizer)
            self._var_to_optimizer_idx[self._var_key(variable)] = place
            groups.setdefault(place, []).append(variable)
        for place, group in groups.items():
            self._inner_optimizers[place].build(group)
        super().build(variables)

    @property
    def optimizers(self) -> list[Optimizer]:
        """The optimizers inside."""
        return self._inner_optimizers

    @property
    def variables(self) -> list[Variable]:
        return [*super().variables, *(v for o in self._inner_optimizers for v in o.variables)]

    @property
    def slot_tensors(self) -> list[Tensor]:
        return [t for o in self._inner_optimizers for t in o.slot_tensors]

    @property
    def repeatable(self) -> bool:
        return False  # numbers of several optimizers have one name

    def begin(self) -> None:
        for optimizer in self._inner_optimizers:
            optimizer.begin()

    @property
    def learning_rate(self) -> Any:
        raise AttributeError(
            "Learning rate cannot be accessed on a MultiOptimizer. Access the learning rate on the "
            "individual sub-optimizers (`optimizer.optimizers`) instead."
        )

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        raise AttributeError(
            "Learning rate cannot be set on a MultiOptimizer. Set the learning rate on the "
            "individual sub-optimizers (`optimizer.optimizers`) instead."
        )

    @property
    def loss_scale_factor(self) -> float | None:
        return self._loss_scale_factor

    @loss_scale_factor.setter
    def loss_scale_factor(self, value: float | None) -> None:
        self._loss_scale_factor = value
        for optimizer in self._inner_optimizers:
            optimizer.loss_scale_factor = value

    def record(self, grads: list[Any], variables: Sequence[Variable]) -> None:
        """Record one change of the variables by their optimizers."""
        if len(grads) != len(variables):
            raise ValueError(
                "Gradients must match trainable variables one-to-one. Received "
                f"{len(grads)} gradients and {len(variables)} variables."
            )
        if not self.built:
            self.build(list(variables))
        groups: dict[int, tuple[list[Any], list[Variable]]] = {}
        for gradient, variable in zip(grads, variables, strict=True):
            place = self._var_to_optimizer_idx[self._var_key(variable)]
            group = groups.setdefault(place, ([], []))
            group[0].append(gradient)
            group[1].append(variable)
        grads.clear()
        for place, (some, owned) in groups.items():
            self._inner_optimizers[place].record(some, owned)
        self._calls += 1

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        for place, optimizer in enumerate(self._inner_optimizers):
            chosen = self._var_to_optimizer_idx
            optimizer.finalize_variable_values(
                [v for v in var_list if chosen.get(self._var_key(v)) == place]
            )

    def get_config(self) -> dict[str, Any]:
        return {
            "optimizer_map": to_config(self._optimizer_map),
            "loss_scale_factor": self.loss_scale_factor,
            "name": self.name,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Optimizer:
        config = dict(config)
        chosen = from_config(config.pop("optimizer_map"), custom_objects=custom_objects)
        return cls(chosen, **config)


def _plain(optimizer: Optimizer, message: str) -> None:
    """An optimizer around others cannot be inside one."""
    if isinstance(optimizer, LossScaleOptimizer | MultiOptimizer):
        raise ValueError(message.format(type(optimizer).__name__))
