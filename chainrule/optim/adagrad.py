"""Adagrad: the gradient over the root of the sum of all its squares."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import adagrad_update
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


class Adagrad(FormulaOptimizer):
    """Adagrad: θ ← θ - lr / (1 + (t - 1) · lr_decay) · g / (√s + eps), s the sum of squares of g.

    s begins as `initial_accumulator_value`. Duchi, Hazan and Singer 2011; formula:
    `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Adagrad([w], lr=0.5)
    >>> (w * 7).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        check_not_negative(
            lr_decay=lr_decay,
            weight_decay=weight_decay,
            initial_accumulator_value=initial_accumulator_value,
            eps=eps,
        )
        defaults: dict[str, Any] = {
            "lr": lr,
            "lr_decay": lr_decay,
            "eps": eps,
            "weight_decay": weight_decay,
            "initial_accumulator_value": initial_accumulator_value,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:  # PyTorch has this state before the first step, too
            for p in group["params"]:
                self._state_of(p, group)

    def _first_state(self, p: Tensor, group: Group) -> State:
        start = self.defaults["initial_accumulator_value"]
        return {"step": number(0.0), "sum": filled(p, start)}

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, step = read(group["lr"]), next_step(state)
        kind, decay = decay_of(group, lr)
        update(
            (p, state["sum"]),
            adagrad_update,
            g,
            *numbers(p, decay=decay, lr=lr / (1 + (step - 1) * group["lr_decay"])),
            eps=group["eps"],
            maximize=group["maximize"],
            kind=kind,
        )
