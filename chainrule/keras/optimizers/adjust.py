"""What happens to gradients before an update, and to variables beside it: clipping, accumulation,
weight decay, running averages, gradients that replace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainrule.keras.arrays import to_tensor
from chainrule.keras.optimizers.state import State
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor import functions as T

Pairs = list[tuple[Tensor, Variable]]


class Adjustments(State):
    """The common arguments of optimizers, at work."""

    weight_decay: float | None
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None
    _calls: int  # gradients given, more than updates where they are accumulated
    _index: dict[int, int]
    _trainable_variables: list[Variable]
    _accumulated_gradients: list[Variable | None]
    _model_variables_moving_average: list[Variable | None]
    _excluded: set[int]
    _excluded_names: re.Pattern[str] | None
    _next_rate: float | None

    @property
    def _step(self) -> int:
        """Updates done."""
        return self._calls // (self.gradient_accumulation_steps or 1)

    def _rate_now(self) -> float:
        raise NotImplementedError

    def _decay(self, lr: float) -> dict[str, float]:
        """What weights are multiplied with: those that decay, and those that do not."""
        return {"decay": 1.0 - lr * (self.weight_decay or 0.0), "no decay": 1.0}

    def _decay_name(self, variable: Variable) -> str:
        return "decay" if self.weight_decay and self._use_weight_decay(variable) else "no decay"

    def _use_weight_decay(self, variable: Variable) -> bool:
        if id(variable) in self._excluded:
            return False
        pattern = self._excluded_names
        return pattern is None or pattern.search(variable.name) is None

    def _apply_weight_decay(self, variables: Iterable[Variable]) -> None:
        decay = self._decay(self._rate_now() if self._next_rate is None else self._next_rate)
        with no_grad():
            for variable in variables:
                factor = decay[self._decay_name(variable)]
                if factor != 1.0:
                    variable.assign(variable * factor)

    def exclude_from_weight_decay(self, var_list: Any = None, var_names: Any = None) -> None:
        """Name variables that weight decay leaves alone, or patterns for their names."""
        self._excluded = {id(v) for v in var_list or ()}
        self._excluded_names = re.compile("|".join(sorted(set(var_names)))) if var_names else None

    def _clip_gradients(self, grads: Sequence[Any]) -> list[Any]:
        grads = [None if g is None else to_tensor(g) for g in grads]
        limit = self.clipvalue
        if self.clipnorm and self.clipnorm > 0:
            norm = self.clipnorm
            return [None if g is None else _at_most(g, norm, (g * g).sum()) for g in grads]
        if self.global_clipnorm and self.global_clipnorm > 0:
            norm, squares = self.global_clipnorm, sum((g * g).sum() for g in grads if g is not None)
            return [None if g is None else _at_most(g, norm, squares) for g in grads]
        if limit and limit > 0:
            return [None if g is None else T.clamp(g, -limit, limit) for g in grads]
        return grads

    def _accumulated(self, pairs: Pairs) -> Pairs:
        """The gradients that are due: all, or means where they are accumulated."""
        every = self.gradient_accumulation_steps
        if not every:
            return pairs
        due = (self._calls + 1) % every == 0
        out = []
        for gradient, variable in pairs:
            total = self._accumulated_gradients[self._index[id(variable)]]
            assert total is not None
            together = total + gradient
            total.assign(np.zeros(tuple(total.shape), total.dtype.np) if due else together)
            out.append((together / every, variable))
        return out if due else []

    def _average(self) -> None:
        if not self.use_ema:
            return
        kept = self.ema_momentum if self._step else 0.0
        averages = self._model_variables_moving_average
        for variable, average in zip(self._trainable_variables, averages, strict=True):
            if average is not None:
                average.assign(kept * average + (1.0 - kept) * variable.detach())
        every = self.ema_overwrite_frequency
        if every and (self._step + 1) % every == 0:
            self._overwrite_with_averages(self._trainable_variables)

    def _overwrite_with_averages(self, variables: Iterable[Variable]) -> None:
        for variable in variables:
            average = self._model_variables_moving_average[self._index[id(variable)]]
            if average is not None:
                variable.assign(average.detach())

    def finalize_variable_values(self, var_list: Sequence[Variable]) -> None:
        """Give the variables their running averages, at the end of a run with `use_ema`."""
        if self.use_ema:
            self._overwrite_with_averages([v for v in var_list if id(v) in self._index])

    def _overwritten(self, pairs: Pairs) -> Pairs:
        """Put gradients in the place of variables that ask for it; the other pairs."""
        if not any(v.overwrite_with_gradient for _, v in pairs):
            return pairs
        every = self.gradient_accumulation_steps
        for gradient, variable in pairs:
            if not variable.overwrite_with_gradient:
                continue
            if not every:
                variable.assign(gradient)
                continue
            total = self._accumulated_gradients[self._index[id(variable)]]
            assert total is not None
            largest = T.maximum(gradient, total)
            if (self._calls + 1) % every == 0:
                variable.assign(largest)
                total.assign(np.zeros(tuple(total.shape), total.dtype.np))
            else:
                total.assign(largest)
        return [(g, v) for g, v in pairs if not v.overwrite_with_gradient]


def _at_most(g: Tensor, norm: float, squares: Any) -> Tensor:
    """g scaled down where the square of its norm is beyond norm²."""
    return g * (norm / T.clamp(T.sqrt(squares), min=norm))
