"""Adadelta: steps in the unit of the parameter, without a learning rate to choose."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import adadelta_update
from chainrule.optim._base import (
    FormulaOptimizer,
    Numbers,
    check_lr,
    check_not_negative,
    decay_of,
    filled,
    next_step,
    number,
    read,
    require,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update


class Adadelta(FormulaOptimizer):
    """Adadelta: θ ← θ - lr · Δ, Δ = g √(d + eps) / √(v + eps), running means v of g², d of Δ².

    Zeiler 2012; formula: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Adadelta([w], rho=0.9, eps=1e-6)
    >>> (w * 5).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 6)  # 1 - 5 · √(1e-6 / (0.1 · 25 + 1e-6))
    0.996838
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        require(0.0 <= rho <= 1.0, f"Invalid rho value: {rho}")
        check_not_negative(eps=eps, weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "rho": rho,
            "eps": eps,
            "weight_decay": weight_decay,
            "maximize": maximize,
            "capturable": capturable,
            "foreach": foreach,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {"step": number(0.0), "square_avg": filled(p), "acc_delta": filled(p)}

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        next_step(state)
        lr = read(group["lr"])
        kind, decay = decay_of(group, lr)
        update(
            (p, state["square_avg"], state["acc_delta"]),
            adadelta_update,
            g,
            *numbers(p, decay=decay, lr=lr),
            rho=group["rho"],
            eps=group["eps"],
            maximize=group["maximize"],
            kind=kind,
        )
