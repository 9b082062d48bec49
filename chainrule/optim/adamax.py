"""Adamax: Adam whose second moment is a running maximum."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import adamax_update
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


class Adamax(FormulaOptimizer):
    """Adamax: θ ← θ - lr / (1 - β₁ᵗ) · m / u, u ← max(β₂ u, |g| + eps).

    Kingma and Ba 2015, section 7.1; formula: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Adamax([w], lr=0.1)
    >>> (w * 5).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.9
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
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
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {"step": number(0.0), "exp_avg": filled(p), "exp_inf": filled(p)}

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, step = read(group["lr"]), next_step(state)
        beta1, beta2 = group["betas"]
        kind, decay = decay_of(group, lr)
        update(
            (p, state["exp_avg"], state["exp_inf"]),
            adamax_update,
            g,
            *numbers(p, decay=decay, rate1=1 - beta1, step_size=lr / (1 - beta1**step)),
            beta2=beta2,
            eps=group["eps"],
            maximize=group["maximize"],
            kind=kind,
        )
