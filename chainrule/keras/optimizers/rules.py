"""The optimizers, with Keras's defaults and numerics.

`t` counts from 1. Where Keras folds the bias corrections into the step (`η √(1 - β₂ᵗ) / (1 -
β₁ᵗ)`), epsilon stands beside the uncorrected √v, which makes it larger than PyTorch's in the first
steps; the formulas here keep that.
"""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

from chainrule.keras.optimizers import formulas
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.registry import known
from chainrule.keras.variables import Variable
from chainrule.ops import updates
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update

_PLAIN = {
    "maximize": False,
    "kind": "decoupled",
}  # θ is multiplied by `decay` first (1 without decay)
State = dict[str, Tensor]
Numbers = dict[str, Tensor]


@known
class SGD(Optimizer):
    """`θ ← θ - η g`; with momentum `m ← μ m - η g`, `θ ← θ + m` (Nesterov: `θ + μ m - η g`)."""

    _options = ("momentum", "nesterov")

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 <= momentum <= 1:
            raise ValueError(f"momentum must lie between 0 and 1, got {momentum}")
        self.momentum = float(momentum)
        self.nesterov = nesterov
        self.slots = ("momentum",) if momentum else ()

    def _numbers(self, lr: float) -> dict[str, float]:
        return {"lr": lr, "mu": self.momentum}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        decay, lr = numbers["decay"], numbers["lr"]
        if not self.momentum:
            update((p,), updates.sgd_update, g, decay, lr, **_PLAIN)
            return
        update(
            (p, state["momentum"]), formulas.momentum, g, decay, lr, numbers["mu"],
            nesterov=self.nesterov,
        )  # fmt: skip


@known
class Adam(Optimizer):
    """`m, v` running means of g and g²; `θ ← θ - η √(1 - β₂ᵗ)/(1 - β₁ᵗ) · m / (√v + ε)`.

    >>> import numpy as np
    >>> v = Variable(np.array([1.0]))
    >>> Adam(0.1).apply_gradients([(v * 0 + 1.0, v)])
    >>> v.numpy().round(4)
    array([0.9], dtype=float32)
    """

    slots: tuple[str, ...] = ("momentum", "velocity")
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
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.amsgrad = amsgrad
        if amsgrad:
            self.slots = (*type(self).slots, "velocity_hat")

    def _numbers(self, lr: float) -> dict[str, float]:
        t = self._step + 1
        return {
            "rate": 1.0 - self.beta_1,
            "step": lr * sqrt(1.0 - self.beta_2**t) / (1.0 - self.beta_1**t),
            "one": 1.0,
        }

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        rule = updates.amsgrad_update if self.amsgrad else updates.adam_update
        update(
            (p, *(state[slot] for slot in self.slots)), rule, g,
            numbers["decay"], numbers["rate"], numbers["step"], numbers["one"],
            beta2=self.beta_2, eps=self.epsilon, **_PLAIN,
        )  # fmt: skip


@known
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
            raise ValueError("AdamW needs a weight_decay")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **kwargs
        )


@known
class Nadam(Optimizer):
    """Adam with Nesterov's look ahead."""

    slots: tuple[str, ...] = ("momentum", "velocity")
    _options = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self._product = 1.0  # of the momenta μ so far

    def _numbers(self, lr: float) -> dict[str, float]:
        t = self._step + 1
        now = self.beta_1 * (1.0 - 0.5 * 0.96**t)
        following = self.beta_1 * (1.0 - 0.5 * 0.96 ** (t + 1))
        self._product *= now
        return {
            "rate": 1.0 - self.beta_1,
            "bias2": 1.0 - self.beta_2**t,
            "step_g": lr * (1.0 - now) / (1.0 - self._product),
            "step_m": lr * following / (1.0 - self._product * following),
        }

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"], state["velocity"]), updates.nadam_update, g, numbers["decay"],
            numbers["rate"], numbers["bias2"], numbers["step_g"], numbers["step_m"],
            beta2=self.beta_2, eps=self.epsilon, **_PLAIN,
        )  # fmt: skip

    def _extra_state(self) -> dict[str, float]:
        return {"product": self._product}

    def _take_extra_state(self, state: dict[str, float]) -> None:
        self._product = state["product"]


@known
class Adamax(Optimizer):
    """Adam with the infinity norm: `u ← max(β₂ u, |g|)`."""

    slots = ("momentum", "norm")
    _options = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon

    def _numbers(self, lr: float) -> dict[str, float]:
        return {
            "rate": 1.0 - self.beta_1,
            "step": lr / (1.0 - self.beta_1 ** (self._step + 1)),
        }

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"], state["norm"]), formulas.adamax, g, numbers["decay"],
            numbers["rate"], numbers["step"], beta2=self.beta_2, eps=self.epsilon,
        )  # fmt: skip


@known
class RMSprop(Optimizer):
    """`v ← ρ v + (1 - ρ) g²`; `θ ← θ - η g / √(v + ε)`, optionally centred and with momentum."""

    _options = ("rho", "momentum", "epsilon", "centered")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.momentum = momentum
        self.epsilon = epsilon
        self.centered = centered
        slots = ["velocity"]
        if centered:
            slots.append("average_gradient")
        if momentum > 0:
            slots.append("momentum")
        self.slots = tuple(slots)

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        rule: Callable[..., Any]
        options: dict[str, float] = {"rho": self.rho, "eps": self.epsilon}
        if self.momentum > 0:
            options["mu"] = self.momentum
            rule = (
                formulas.rmsprop_centered_momentum if self.centered else formulas.rmsprop_momentum
            )
        else:
            rule = formulas.rmsprop_centered if self.centered else formulas.rmsprop
        targets = (p, *(state[slot] for slot in self.slots))
        update(targets, rule, g, numbers["decay"], numbers["lr"], **options)


@known
class Adagrad(Optimizer):
    """`s ← s + g²` (from 0.1); `θ ← θ - η g / √(s + ε)`."""

    slots = ("accumulator",)
    _options = ("initial_accumulator_value", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.initial_accumulator_value = initial_accumulator_value
        self.epsilon = epsilon

    def _first_state(self, variable: Variable) -> State:
        first = self._zeros(variable, self.initial_accumulator_value)
        return super()._first_state(variable) | {"accumulator": first}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["accumulator"]), formulas.adagrad, g, numbers["decay"], numbers["lr"],
            eps=self.epsilon,
        )  # fmt: skip


@known
class Adadelta(Optimizer):
    """Steps in the ratio of the running sizes of past steps and of gradients."""

    slots = ("accumulated_grad", "accumulated_delta_var")
    _options = ("rho", "epsilon")

    def __init__(
        self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["accumulated_grad"], state["accumulated_delta_var"]), updates.adadelta_update,
            g, numbers["decay"], numbers["lr"], rho=self.rho, eps=self.epsilon, **_PLAIN,
        )  # fmt: skip


@known
class Lion(Optimizer):
    """`θ ← θ - η sign(β₁ m + (1 - β₁) g)`, `m ← β₂ m + (1 - β₂) g`."""

    slots = ("momentum",)
    _options = ("beta_1", "beta_2")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(f"beta_1 must lie between 0 and 1, got {beta_1}")
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"]), formulas.lion, g, numbers["decay"], numbers["lr"],
            beta1=self.beta_1, beta2=self.beta_2,
        )  # fmt: skip
