"""Muon: steps along orthogonal matrices, for the hidden layers of a network."""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule.ops.updates import muon_update
from chainrule.optim._base import (
    FormulaOptimizer,
    Numbers,
    check_lr,
    filled,
    read,
    require,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update


def _adjustment(how: str | None, rows: int, columns: int) -> float:
    """The factor of the learning rate that makes steps alike for matrices of unlike shape.

    "original" (also None): √max(1, rows / columns); "match_rms_adamw": 0.2 √max(rows, columns), so
    that learning rates tuned for AdamW fit (Liu et al., "Muon is Scalable for LLM Training", 2025).
    """
    if how == "match_rms_adamw":
        return 0.2 * float(max(rows, columns)) ** 0.5
    return float(max(1.0, rows / columns)) ** 0.5


class Muon(FormulaOptimizer):
    """Muon: momentum whose matrix is made orthogonal, θ ← (1 - lr · λ) θ - lr' · orth(b).

    For matrices only: give biases, embeddings and the like to AdamW. `ns_coefficients`, `ns_steps`
    and `eps` belong to the Newton-Schulz iteration (`chainrule.ops.updates.orthogonalise`),
    `adjust_lr_fn` ("original" or "match_rms_adamw") to lr'. Jordan et al. 2024.

    >>> from chainrule.tensor.creation import eye, zeros
    >>> w = zeros(2, 2, requires_grad=True)
    >>> optimizer = Muon([w], lr=1.0)
    >>> (w * (100 * eye(2))).sum().backward()
    >>> optimizer.step()
    >>> -1.3 < w[0, 0].item() < -0.6  # about one, however large the gradient
    True
    """

    numbers_in_state = ()
    options_of_old: ClassVar[dict[str, Any]] = {}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is:")
        require(momentum >= 0.0, f"momentum should be >= 0 but is: {momentum}")
        require(weight_decay >= 0.0, f"weight decay should be >= 0 but is: {weight_decay}")
        require(
            adjust_lr_fn in (None, "original", "match_rms_adamw"),
            f"Adjust learning rate function {adjust_lr_fn} is not supported",
        )
        defaults: dict[str, Any] = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for p in group["params"]:
                require(
                    p.ndim == 2,
                    "Muon only supports 2D parameters whereas we found a parameter with size: "
                    f"{p.size()}",
                )

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {"momentum_buffer": filled(p)}

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, steps = read(group["lr"]), group["ns_steps"]
        require(steps < 100, "Number of steps must be less than 100 for computational efficiency")
        coefficients = tuple(group["ns_coefficients"])
        require(len(coefficients) == 3, "Coefficients must be a tuple of exactly 3 values")
        update(
            (p, state["momentum_buffer"]),
            muon_update,
            g,
            *numbers(
                p,
                shrink=1 - lr * group["weight_decay"],
                step_size=lr * _adjustment(group["adjust_lr_fn"], *p.shape),
                rate=1 - group["momentum"],
            ),
            nesterov=group["nesterov"],
            coefficients=coefficients,
            steps=steps,
            eps=group["eps"],
        )
