"""RAdam: Adam that waits until the variance of its scaling is known."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import radam_update
from chainrule.optim._base import (
    FormulaOptimizer,
    Numbers,
    check_betas,
    check_lr,
    check_not_negative,
    decay_of,
    filled,
    next_step,
    number,
    read,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update


def rectification(step: float, beta2: float) -> float | None:
    """r of the paper's algorithm 2; None while ρₜ ≤ 5, where the variance is not tractable.

    ρ∞ = 2 / (1 - β₂) - 1; ρₜ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ);
    r² = (ρₜ - 4)(ρₜ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρₜ).

    >>> rectification(5, 0.999), round(rectification(6, 0.999), 4)
    (None, 0.0258)
    """
    longest = 2 / (1 - beta2) - 1
    rho = longest - 2 * step * beta2**step / (1 - beta2**step)
    if rho <= 5.0:
        return None
    ratio = (rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho)
    return float(ratio**0.5)


class RAdam(FormulaOptimizer):
    """RAdam: θ ← θ - lr · r · m̂ / (√v̂ + eps) once r is known (`rectification`), else θ - lr · m̂.

    Liu et al. 2020; formula: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = RAdam([w], lr=0.1)
    >>> (w * 5).sum().backward()
    >>> optimizer.step()  # the first steps are plain momentum
    >>> round(w.item(), 4)
    0.5
    """

    options_of_old = FormulaOptimizer.options_of_old | {"decoupled_weight_decay": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "decoupled_weight_decay": decoupled_weight_decay,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {"step": number(0.0), "exp_avg": filled(p), "exp_avg_sq": filled(p)}

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, step = read(group["lr"]), next_step(state)
        beta1, beta2 = group["betas"]
        kind, decay = decay_of(group, lr)
        r = rectification(step, beta2)
        update(
            (p, state["exp_avg"], state["exp_avg_sq"]),
            radam_update,
            g,
            *numbers(
                p,
                decay=decay,
                rate1=1 - beta1,
                bias1=1 - beta1**step,
                lr=lr,
                rectifier=0.0 if r is None else r * (1 - beta2**step) ** 0.5,
            ),
            rectified=r is not None,
            beta2=beta2,
            eps=group["eps"],
            maximize=group["maximize"],
            kind=kind,
        )
