"""Optimizers that know matrices from vectors: Adafactor and Muon, with Keras's numerics."""

from __future__ import annotations

import re
from typing import Any

from chainrule.keras.optimizers import formulas
from chainrule.keras.optimizers.adam import adam_step
from chainrule.keras.optimizers.base import Optimizer
from chainrule.keras.optimizers.rules import PLAIN, Numbers, State
from chainrule.keras.optimizers.signatures import complete
from chainrule.keras.variables import Variable
from chainrule.ops import updates
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update
from chainrule.tensor.record import apply


@complete
class Adafactor(Optimizer):
    """Adam's second moment of a matrix from a row and a column; steps relative to the size of the
    variable (Shazeer and Stern 2018).
    """

    slots = ("row", "column", "velocity")
    _options = ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_2_decay: float = -0.8,
        epsilon_1: float = 1e-30,
        epsilon_2: float = 1e-3,
        clip_threshold: float = 1.0,
        relative_step: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, **kwargs)
        self.beta_2_decay = beta_2_decay
        self.epsilon_1 = epsilon_1
        self.epsilon_2 = epsilon_2
        self.clip_threshold = clip_threshold
        self.relative_step = relative_step

    def _add_state(self, variables: list[Variable]) -> None:
        for variable in variables:
            made: tuple[Variable | None, ...] = (None, None, None)
            if not variable.overwrite_with_gradient:
                shape, dtype, name = tuple(variable.shape), variable.dtype, variable.name
                # Keras keeps two numbers beside a vector, which nothing reads.
                whole = len(shape) < 2
                row = self.add_variable(() if whole else shape[:-1], dtype=dtype, name=name)
                column = self.add_variable(
                    () if whole else (*shape[:-2], shape[-1]), dtype=dtype, name=name
                )
                made = (row, column, self.add_variable_from_reference(variable, "velocity"))
            for slot, one in zip(self.slots, made, strict=True):
                self._slots.setdefault(slot, []).append(one)

    def _numbers(self, lr: float) -> dict[str, float]:
        t = self._step + 1
        return {"rho": min(lr, t**-0.5), "beta2": 1.0 - t**self.beta_2_decay}

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        vector = p.ndim < 2
        update(
            (p, state["velocity"]) if vector else (p, *(state[slot] for slot in self.slots)),
            formulas.adafactor_vector if vector else formulas.adafactor,
            g, numbers["decay"], numbers["rho"], numbers["beta2"],
            eps1=self.epsilon_1, eps2=self.epsilon_2, threshold=self.clip_threshold,
        )  # fmt: skip


@complete
class Muon(Optimizer):
    """Momentum whose matrices are made nearly orthogonal (Jordan et al. 2024); AdamW for all that
    is no matrix, for embeddings, and for `exclude_layers` (patterns for paths).
    """

    _options = (
        "adam_beta_1", "adam_beta_2", "epsilon", "exclude_layers", "muon_a", "muon_b", "muon_c",
        "adam_lr_ratio", "momentum", "ns_steps", "nesterov", "exclude_embeddings",
        "adam_weight_decay", "rms_rate",
    )  # fmt: skip

    def __init__(
        self,
        learning_rate: Any = 0.001,
        adam_beta_1: float = 0.9,
        adam_beta_2: float = 0.999,
        adam_weight_decay: float | None = 0.004,
        epsilon: float = 1e-7,
        weight_decay: float | None = 0.004,
        *,
        exclude_layers: Any = None,
        exclude_embeddings: bool = True,
        muon_a: float = 3.4445,
        muon_b: float = -4.7750,
        muon_c: float = 2.0315,
        adam_lr_ratio: float = 1,
        momentum: float = 0.95,
        ns_steps: int = 5,
        nesterov: bool = True,
        rms_rate: float | None = 0.2,
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate, weight_decay, **kwargs)
        self.adam_beta_1 = adam_beta_1
        self.adam_beta_2 = adam_beta_2
        self.epsilon = epsilon
        self.muon_a = muon_a
        self.muon_b = muon_b
        self.muon_c = muon_c
        self.adam_lr_ratio = adam_lr_ratio
        self.momentum = momentum
        self.ns_steps = ns_steps
        self.nesterov = nesterov
        self.exclude_embeddings = exclude_embeddings
        self.exclude_layers = exclude_layers or []
        self.adam_weight_decay = adam_weight_decay
        self.rms_rate = rms_rate

    def _should_use_adamw(self, variable: Variable) -> bool:
        if len(variable.shape) != 2:
            return True
        if self.exclude_embeddings and "embedding" in variable.path.lower():
            return True
        return any(re.search(pattern, variable.path) for pattern in self.exclude_layers)

    def _add_state(self, variables: list[Variable]) -> None:
        for variable in variables:
            momentum = velocity = None
            if not variable.overwrite_with_gradient:
                momentum = self.add_variable_from_reference(variable, "momentum")
                if self._should_use_adamw(variable):
                    velocity = self.add_variable_from_reference(variable, "velocity")
            self._slots.setdefault("momentum", []).append(momentum)
            self._slots.setdefault("velocity", []).append(velocity)

    def _decay_name(self, variable: Variable) -> str:
        if not self._use_weight_decay(variable):
            return "no decay"
        return "adam decay" if self._should_use_adamw(variable) else "decay"

    def _decay(self, lr: float) -> dict[str, float]:
        return super()._decay(lr) | {"adam decay": 1.0 - lr * (self.adam_weight_decay or 0.0)}

    def _numbers(self, lr: float) -> dict[str, float]:
        ratio = lr * self.adam_lr_ratio
        return {
            "lr": lr,
            "rate": 1.0 - self.adam_beta_1,
            "step": adam_step(ratio, self.adam_beta_1, self.adam_beta_2, self._step + 1),
            "one": 1.0,
        }

    def _update(self, p: Variable, g: Tensor, state: State, numbers: Numbers) -> None:
        if "velocity" in state:
            update(
                (p, state["momentum"], state["velocity"]), updates.adam_update, g,
                numbers["decay"], numbers["rate"], numbers["step"], numbers["one"],
                beta2=self.adam_beta_2, eps=self.epsilon, **PLAIN,
            )  # fmt: skip
            return
        update(
            (p, state["momentum"]), formulas.muon, g, numbers["decay"], numbers["lr"],
            mu=self.momentum, nesterov=self.nesterov, steps=self.ns_steps,
            coefficients=(self.muon_a, self.muon_b, self.muon_c), rms=self._length(p.shape),
        )  # fmt: skip

    def _length(self, shape: Any) -> float:
        rms = self.rms_rate
        return 1.0 if rms is None else rms * float(max(shape[0], shape[1])) ** 0.5

    def lr_adjust(self, x: Tensor) -> Tensor:
        """A step with entries of the size of Adam's: times `rms_rate` √(the longer side)."""
        return x * self._length(x.shape)

    def zeropower_via_newtonschulz5(self, x: Tensor, steps: int) -> Tensor:
        """A nearly orthogonal matrix in the direction of `x`."""
        if x.ndim < 2:
            raise ValueError(
                "Expected gradient or momentum to have at least 2 dimensions. "
                f"Received: shape={tuple(x.shape)}"
            )
        coefficients = (self.muon_a, self.muon_b, self.muon_c)
        made: Tensor = apply(formulas.orthogonal, x, coefficients=coefficients, steps=steps)
        return made
