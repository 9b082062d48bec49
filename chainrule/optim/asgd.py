"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import asgd_update
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


class ASGD(FormulaOptimizer):
    """Averaged SGD: steps of size η = lr / (1 + λ · lr · t)^α; keeps the mean of θ after step `t0`.

    The mean is the entry "ax" of the state of each parameter; `lambd` is λ, the decay of θ and η.
    Polyak and Juditsky 1992; formula: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = ASGD([w], lr=0.1, lambd=0.0, t0=0)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * 1).sum().backward()
    ...     optimizer.step()
    >>> round(w.item(), 4), round(optimizer.state[w]["ax"].item(), 4)
    (0.8, 0.8)
    """

    numbers_in_state = ("step", "eta", "mu")

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative(weight_decay=weight_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {
            "step": number(0.0),
            "eta": number(read(group["lr"])),
            "mu": number(1.0),
            "ax": filled(p),
        }

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, lambd, step = read(group["lr"]), group["lambd"], next_step(state)
        eta, mu = read(state["eta"]), read(state["mu"])
        kind, decay = decay_of(group, lr)
        update(
            (p, state["ax"]),
            asgd_update,
            g,
            *numbers(p, decay=decay, shrink=1 - lambd * eta, eta=eta, mu=mu),
            averaging=mu != 1,
            maximize=group["maximize"],
            kind=kind,
        )
        state["eta"] = number(lr / (1 + lambd * lr * step) ** group["alpha"])
        state["mu"] = number(1 / max(1, step - group["t0"]))
