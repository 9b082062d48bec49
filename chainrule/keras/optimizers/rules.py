"""Gradient descent, and optimizers that divide by the sizes of gradients: Keras's defaults and
numerics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.keras import initializers
from chainrule.keras.optimizers import formulas
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.optimizers.signatures import complete
from chainrule.keras.variables import Variable
from chainrule.ops import updates
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update

#: θ is multiplied by `decay` first (1 without decay).
PLAIN = {"maximize": False, "kind": "decoupled"}
State = dict[str, Variable]
Numbers = dict[str, Tensor]


@complete
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
        if not isinstance(momentum, float | int) or not 0 <= momentum <= 1:
            raise ValueError(f"`momentum` must be a float between [0, 1]. Received: {momentum}")
        self.momentum = float(momentum)
        self.nesterov = nesterov
        self.slots = ("momentum",) if momentum else ()

    def _numbers(self, lr: float) -> dict[str, float]:
        return {"lr": lr, "mu": self.momentum}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        decay, lr = numbers["decay"], numbers["lr"]
        if not self.momentum:
            update((p,), updates.sgd_update, g, decay, lr, **PLAIN)
            return
        update(
            (p, state["momentum"]), formulas.momentum, g, decay, lr, numbers["mu"],
            nesterov=self.nesterov,
        )  # fmt: skip


@complete
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

    def _add_state(self, variables: list[Variable]) -> None:
        for slot in ("velocity", "momentum", "average_gradient"):  # the order of Keras's files
            if slot in self.slots:
                self._add_slots([slot], variables)

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


@complete
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

    def _add_state(self, variables: list[Variable]) -> None:
        start = initializers.Constant(self.initial_accumulator_value)
        self._add_slots(self.slots, variables, start)

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["accumulator"]), formulas.adagrad, g, numbers["decay"], numbers["lr"],
            eps=self.epsilon,
        )  # fmt: skip


@complete
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
            g, numbers["decay"], numbers["lr"], rho=self.rho, eps=self.epsilon, **PLAIN,
        )  # fmt: skip


@complete
class Lion(Optimizer):
    """`θ ← θ - η sign(β₁ m + (1 - β₁) g)`, `m ← β₂ m + (1 - β₂) g`."""

    slots = ("momentum",)
    _options = ("beta_1", "beta_2")

    def __init__(
        self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if not 0 < beta_1 <= 1:
            raise ValueError(
                "Argument `beta_1` must be in the [0, 1] range. Otherwise, the optimizer "
                f"degenerates to SignSGD. Received: beta_1={beta_1}."
            )
        self.beta_1 = beta_1
        self.beta_2 = beta_2

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["momentum"]), formulas.lion, g, numbers["decay"], numbers["lr"],
            beta1=self.beta_1, beta2=self.beta_2,
        )  # fmt: skip


@complete
class Ftrl(Optimizer):
    """Follow the regularised leader: weights that many rare features push stay exactly zero until
    there is evidence (McMahan et al. 2013).
    """

    slots = ("accumulator", "linear")
    _options = (
        "learning_rate_power", "initial_accumulator_value", "l1_regularization_strength",
        "l2_regularization_strength", "l2_shrinkage_regularization_strength", "beta",
    )  # fmt: skip

    def __init__(
        self,
        learning_rate: Any = 0.001,
        learning_rate_power: float = -0.5,
        initial_accumulator_value: float = 0.1,
        l1_regularization_strength: float = 0.0,
        l2_regularization_strength: float = 0.0,
        l2_shrinkage_regularization_strength: float = 0.0,
        beta: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        if learning_rate_power > 0.0:
            raise ValueError(
                "`learning_rate_power` needs to be negative or zero. "
                f"Received: learning_rate_power={learning_rate_power}."
            )
        for name, value in (
            ("initial_accumulator_value", initial_accumulator_value),
            ("l1_regularization_strength", l1_regularization_strength),
            ("l2_regularization_strength", l2_regularization_strength),
            ("l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength),
        ):
            if value < 0.0:
                raise ValueError(
                    f"`{name}` needs to be positive or zero. Received: {name}={value}."
                )
        self.learning_rate_power = learning_rate_power
        self.initial_accumulator_value = initial_accumulator_value
        self.l1_regularization_strength = l1_regularization_strength
        self.l2_regularization_strength = l2_regularization_strength
        self.l2_shrinkage_regularization_strength = l2_shrinkage_regularization_strength
        self.beta = beta

    def _add_state(self, variables: list[Variable]) -> None:
        start = initializers.Constant(self.initial_accumulator_value)
        self._add_slots(self.slots, variables, [start, "zeros"])

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        update(
            (p, state["accumulator"], state["linear"]), formulas.ftrl, g, numbers["decay"],
            numbers["lr"], power=-self.learning_rate_power, l1=self.l1_regularization_strength,
            l2=self.l2_regularization_strength,
            shrinkage=self.l2_shrinkage_regularization_strength, beta=self.beta,
        )  # fmt: skip
