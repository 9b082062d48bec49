"""Gradient descent, with momentum in the forms of Polyak and of Nesterov."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import momentum_update, sgd_update
from chainrule.optim._base import (
    FormulaOptimizer,
    Member,
    Numbers,
    check_lr,
    decay_of,
    filled,
    precision,
    read,
    require,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update_rows


class SGD(FormulaOptimizer):
    """Stochastic gradient descent: θ ← θ - lr · g.

    With `momentum` μ: b ← μ b + (1 - τ) g, θ ← θ - lr · b. `dampening` is τ; `nesterov` looks
    ahead, θ ← θ - lr · (g + μ b). `weight_decay` adds λ θ to g.
    Formulas: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([w], lr=0.1, momentum=0.9)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     (w * 5).sum().backward()
    ...     optimizer.step()
    >>> round(w.item(), 4)  # 1 - 0.1 · 5 - 0.1 · (0.9 · 5 + 5)
    -0.45
    """

    numbers_in_state = ()
    options_of_old = FormulaOptimizer.options_of_old | {"nesterov": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float | Tensor = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_lr(lr)
        require(momentum >= 0.0, f"Invalid momentum value: {momentum}")
        require(weight_decay >= 0.0, f"Invalid weight_decay value: {weight_decay}")
        require(
            not nesterov or (momentum > 0 and dampening == 0),
            "Nesterov momentum requires a momentum and zero dampening",
        )
        defaults: dict[str, Any] = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
            "maximize": maximize,
            "foreach": foreach,
            "differentiable": differentiable,
            "fused": fused,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {"momentum_buffer": None} if group["momentum"] != 0 else {}

    def _update_group(self, members: list[Member], group: Group, numbers: Numbers) -> None:
        lr, momentum = read(group["lr"]), group["momentum"]
        kind, decay = decay_of(group, lr)
        flags = {"maximize": group["maximize"], "kind": kind}
        rows: dict[Any, list[tuple[Tensor, ...]]] = {}
        for p, g, state in members:
            if momentum == 0:
                rows.setdefault((precision(p), False), []).append((p, g))
                continue
            first = state["momentum_buffer"] is None
            if first:
                state["momentum_buffer"] = filled(p)
            # without dampening the first step, from b = 0, is like any other: one program
            key = precision(p), first and group["dampening"] != 0
            rows.setdefault(key, []).append((p, state["momentum_buffer"], g))
        for (dtype, first), some in rows.items():
            if momentum == 0:
                update_rows(sgd_update, some, 1, (decay, lr), dtype, **flags)
                continue
            update_rows(
                momentum_update,
                some,
                2,
                (decay, lr, momentum),
                dtype,
                dampening=group["dampening"],
                nesterov=group["nesterov"],
                first=first,
                **flags,
            )
