"""Adam and what was made of it, with Keras's defaults and numerics.

`t` counts from 1. Where Keras folds the bias corrections into the step (`η √(1 - β₂ᵗ) / (1 -
β₁ᵗ)`), epsilon stands beside the uncorrected √v, which makes it larger than PyTorch's in the first
steps; the formulas here keep that.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, ClassVar

from chainrule.keras.naming import name_scope
from chainrule.keras.optimizers import formulas
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.optimizers.rules import PLAIN, Numbers, State
from chainrule.keras.optimizers.signatures import complete
from chainrule.keras.optimizers.state import Mirrored
from chainrule.keras.variables import Variable
from chainrule.ops import updates
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update


class _Moments(Optimizer):
    """Optimizers with two decay rates and an epsilon."""

    slots: tuple[str, ...] = ("momentum", "velocity")
    _options: ClassVar[tuple[str, ...]] = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self, learning_rate: Any, beta_1: float, beta_2: float, epsilon: float, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon


def adam_step(lr: float, beta_1: float, beta_2: float, t: int) -> float:
    """η √(1 - β₂ᵗ) / (1 - β₁ᵗ)."""
    return lr * sqrt(1.0 - beta_2**t) / (1.0 - beta_1**t)


@complete
class Adam(_Moments):
    """`m, v` running means of g and g²; `θ ← θ - η √(1 - β₂ᵗ)/(1 - β₁ᵗ) · m / (√v + ε)`.

    >>> import numpy as np
    >>> v = Variable(np.array([1.0]))
    >>> _ = Adam(0.1).apply_gradients([(v * 0 + 1.0, v)])
    >>> v.numpy().round(4)
    array([0.9], dtype=float32)
    """

    _options = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.amsgrad = amsgrad

    def _add_state(self, variables: list[Variable]) -> None:
        super()._add_state(variables)
        if self.amsgrad:
            self._add_slots(["velocity_hat"], variables)

    def _numbers(self, lr: float) -> dict[str, float]:
        step = adam_step(lr, self.beta_1, self.beta_2, self._step + 1)
        return {"rate": 1.0 - self.beta_1, "step": step, "one": 1.0}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        rule = updates.amsgrad_update if self.amsgrad else updates.adam_update
        update(
            (p, *state.values()), rule, g,
            numbers["decay"], numbers["rate"], numbers["step"], numbers["one"],
            beta2=self.beta_2, eps=self.epsilon, **PLAIN,
        )  # fmt: skip


@complete
class AdamW(Adam):
    """Adam with weight decay: `θ ← (1 - η λ) θ` before each step."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **kwargs: Any,
    ) -> None:
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs
        )


@complete
class Nadam(_Moments):
    """Adam with Nesterov's look ahead."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self._known_product = (0, 1.0)

    def _momentum(self, t: int) -> float:
        return float(self.beta_1 * (1.0 - 0.5 * 0.96**t))

    @property
    def _product(self) -> float:
        """Π of the momenta of the updates done: a function of their count."""
        done, product = self._known_product
        if done > self._step:
            done, product = 0, 1.0
        for t in range(done + 1, self._step + 1):
            product *= self._momentum(t)
        self._known_product = (self._step, product)
        return product

    def _keep(self, value: float) -> None:
        """A file's product is that of its count of updates."""

    def _add_state(self, variables: list[Variable]) -> None:
        super()._add_state(variables)
        if "_u_product" not in self.__dict__:
            with name_scope(self.name, caller=self):
                self._u_product = self._shown()

    def _shown(self) -> Mirrored:
        return Mirrored.of(lambda: self._product, self._keep, self._rate.dtype.name, name="product")

    @property
    def variables(self) -> list[Variable]:
        return [*super().variables, self._u_product.refresh()] if self.built else super().variables

    def _numbers(self, lr: float) -> dict[str, float]:
        t = self._step + 1
        now, following = self._momentum(t), self._momentum(t + 1)
        product = self._product * now
        return {
            "rate": 1.0 - self.beta_1,
            "bias2": 1.0 - self.beta_2**t,
            "step_g": lr * (1.0 - now) / (1.0 - product),
            "step_m": lr * following / (1.0 - product * following),
        }

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"], state["velocity"]), updates.nadam_update, g, numbers["decay"],
            numbers["rate"], numbers["bias2"], numbers["step_g"], numbers["step_m"],
            beta2=self.beta_2, eps=self.epsilon, **PLAIN,
        )  # fmt: skip

    def __getstate__(self) -> dict[str, Any]:
        return {n: value for n, value in super().__getstate__().items() if n != "_u_product"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if self.built:
            self._u_product = self._shown()


@complete
class Adamax(_Moments):
    """Adam with the infinity norm: `u ← max(β₂ u, |g|)`."""

    slots = ("momentum", "norm")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def _numbers(self, lr: float) -> dict[str, float]:
        return {"rate": 1.0 - self.beta_1, "step": lr / (1.0 - self.beta_1 ** (self._step + 1))}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"], state["norm"]), formulas.adamax, g, numbers["decay"],
            numbers["rate"], numbers["step"], beta2=self.beta_2, eps=self.epsilon,
        )  # fmt: skip


@complete
class Lamb(_Moments):
    """Adam's step, made as long as a share η of each variable (You et al. 2020)."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def _numbers(self, lr: float) -> dict[str, float]:
        t = self._step + 1
        return {"lr": lr, "bias1": 1.0 - self.beta_1**t, "bias2": 1.0 - self.beta_2**t}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"], state["velocity"]), formulas.lamb, g, numbers["decay"],
            numbers["lr"], numbers["bias1"], numbers["bias2"],
            beta1=self.beta_1, beta2=self.beta_2, eps=self.epsilon,
        )  # fmt: skip


@complete
class ScheduleFreeAdamW(_Moments):
    """Adam without a schedule: gradients are taken between the steps' own place and the average of
    all places so far (Defazio et al. 2024). `momentum` is the place of the steps.
    """

    _options = ("beta_1", "beta_2", "epsilon", "warmup_steps")

    def __init__(
        self,
        learning_rate: Any = 0.0025,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        warmup_steps: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.warmup_steps = warmup_steps

    def _add_state(self, variables: list[Variable]) -> None:
        super()._add_state(variables)
        for variable in variables:
            place = self._state_of(variable).get("momentum")
            if place is not None:
                place.assign(variable.numpy())

    def _numbers(self, lr: float) -> dict[str, float]:
        t = self._step + 1
        if self.warmup_steps > 0:
            lr *= min(t / self.warmup_steps, 1.0)
        return {"lr": lr, "bias2": 1.0 - self.beta_2**t, "weight": 1.0 / t}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"], state["velocity"]), formulas.schedule_free, g, numbers["decay"],
            numbers["lr"], numbers["bias2"], numbers["weight"],
            beta1=self.beta_1, beta2=self.beta_2, eps=self.epsilon,
        )  # fmt: skip
