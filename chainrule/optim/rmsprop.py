"""RMSprop: the gradient over the root of a running mean of its square."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import (
    rmsprop_centered_momentum_update,
    rmsprop_centered_update,
    rmsprop_momentum_update,
    rmsprop_update,
)
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
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update

_RULES = {  # (centered, with momentum)
    (False, False): rmsprop_update,
    (True, False): rmsprop_centered_update,
    (False, True): rmsprop_momentum_update,
    (True, True): rmsprop_centered_momentum_update,
}


class RMSprop(FormulaOptimizer):
    """RMSprop: θ ← θ - lr · g / (√v + eps), v ← α v + (1 - α) g².

    `centered` takes the variance of g instead of its mean square; `momentum` averages the steps.
    Tieleman and Hinton 2012; formulas: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = RMSprop([w], lr=0.01, alpha=0.99)
    >>> (w * 7).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)  # 1 - 0.01 · 7 / √(0.01 · 49)
    0.9
    """

    options_of_old = FormulaOptimizer.options_of_old | {"momentum": 0, "centered": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative(eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "alpha": alpha,
            "eps": eps,
            "centered": centered,
            "weight_decay": weight_decay,
            "capturable": capturable,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        state = {"step": number(0.0), "square_avg": filled(p)}
        if group["momentum"] > 0:
            state["momentum_buffer"] = filled(p)
        if group["centered"]:
            state["grad_avg"] = filled(p)
        return state

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        next_step(state)
        lr, momentum = read(group["lr"]), group["momentum"]
        kind, decay = decay_of(group, lr)
        targets, values = [p, state["square_avg"]], {"decay": decay, "lr": lr}
        if group["centered"]:
            targets.append(state["grad_avg"])
        if momentum > 0:
            targets.append(state["momentum_buffer"])
            values["momentum"] = momentum
        update(
            tuple(targets),
            _RULES[bool(group["centered"]), momentum > 0],
            g,
            *numbers(p, **values),
            alpha=group["alpha"],
            eps=group["eps"],
            maximize=group["maximize"],
            kind=kind,
        )
