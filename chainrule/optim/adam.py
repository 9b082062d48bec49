"""Adam: steps scaled by running means of the gradient and of its square."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import adam_update, amsgrad_update
from chainrule.optim._base import (
    FormulaOptimizer,
    Member,
    Numbers,
    check_betas,
    check_lr,
    check_not_negative,
    decay_of,
    filled,
    number,
    read,
    require,
    rows_by_step,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update_rows


class Adam(FormulaOptimizer):
    """Adam: θ ← θ - lr · m̂ / (√v̂ + eps), m̂ and v̂ the bias-corrected means of g and g².

    `amsgrad` divides by the largest v so far; `weight_decay` adds λ θ to g, or, with
    `decoupled_weight_decay`, shrinks θ by 1 - lr · λ first (AdamW). Kingma and Ba 2015; formulas:
    `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0, 1.0], requires_grad=True)
    >>> optimizer = Adam([w], lr=0.1)
    >>> (w * tensor([3.0, -1000.0])).sum().backward()
    >>> optimizer.step()  # the first step is lr long, whatever the size of the gradient
    >>> [round(x, 4) for x in w.tolist()]
    [0.9, 1.1]
    """

    options_of_old = FormulaOptimizer.options_of_old | {
        "amsgrad": False,
        "decoupled_weight_decay": False,
    }

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        check_not_negative(weight_decay=weight_decay)
        kinds = {isinstance(beta, Tensor) for beta in betas}
        plain = all(isinstance(beta, float) for beta in betas)
        require(plain or kinds == {True}, "betas must be either both floats or both Tensors")
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "weight_decay": weight_decay,
            "amsgrad": amsgrad,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
            "fused": fused,
            "decoupled_weight_decay": decoupled_weight_decay,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        state = {"step": number(0.0), "exp_avg": filled(p), "exp_avg_sq": filled(p)}
        if group["amsgrad"]:
            state["max_exp_avg_sq"] = filled(p)
        return state

    def _update_group(self, members: list[Member], group: Group, numbers: Numbers) -> None:
        lr = read(group["lr"])
        beta1, beta2 = map(read, group["betas"])
        kind, decay = decay_of(group, lr)
        names, rule = ["exp_avg", "exp_avg_sq"], adam_update
        if group["amsgrad"]:
            names, rule = [*names, "max_exp_avg_sq"], amsgrad_update
        for (step, dtype), rows in rows_by_step(members, names).items():
            update_rows(
                rule,
                rows,
                1 + len(names),
                (decay, 1 - beta1, lr / (1 - beta1**step), (1 - beta2**step) ** 0.5),
                dtype,
                beta2=beta2,
                eps=group["eps"],
                maximize=group["maximize"],
                kind=kind,
            )
