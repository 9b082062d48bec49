"""Rprop: only the sign of the gradient counts. For full batches."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import rprop_update
from chainrule.optim._base import (
    FormulaOptimizer,
    Numbers,
    check_lr,
    filled,
    next_step,
    number,
    read,
    require,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update


class Rprop(FormulaOptimizer):
    """Resilient backpropagation: each element has a step size that grows while its sign stays.

    `lr` is the first step size, `etas` the factors (η⁻, η⁺), `step_sizes` the bounds. Riedmiller
    and Braun 1993; formula: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = Rprop([w], lr=0.1)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * 1000).sum().backward()
    ...     optimizer.step()
    >>> round(w.item(), 4)  # 1 - 0.1 - 1.2 · 0.1
    0.78
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_lr(lr)
        require(0.0 < etas[0] < 1.0 < etas[1], f"Invalid eta values: {etas[0]}, {etas[1]}")
        defaults: dict[str, Any] = {
            "lr": lr,
            "etas": etas,
            "step_sizes": step_sizes,
            "foreach": foreach,
            "maximize": maximize,
            "differentiable": differentiable,
            "capturable": capturable,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {
            "step": number(0.0),
            "prev": filled(p),
            "step_size": filled(p, read(group["lr"])),
        }

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        next_step(state)
        shrink, grow = group["etas"]
        smallest, largest = group["step_sizes"]
        update(
            (p, state["prev"], state["step_size"]),
            rprop_update,
            g,
            shrink=shrink,
            grow=grow,
            smallest=smallest,
            largest=largest,
            maximize=group["maximize"],
        )
