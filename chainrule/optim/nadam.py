"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

from typing import Any

from chainrule.ops.updates import nadam_update
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
    write,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update


class NAdam(FormulaOptimizer):
    """NAdam: Adam whose first moment looks one step ahead, with momentum μₜ that warms up.

    μₜ = β₁ (1 - ½ · 0.96^(t · momentum_decay)). Dozat 2016; formula: `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = NAdam([w], lr=0.1)
    >>> (w * 5).sum().backward()
    >>> optimizer.step()
    >>> 0.8 < w.item() < 0.95
    True
    """

    numbers_in_state = ("step", "mu_product")
    options_of_old = FormulaOptimizer.options_of_old | {"decoupled_weight_decay": False}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
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
        check_not_negative(weight_decay=weight_decay, momentum_decay=momentum_decay)
        defaults: dict[str, Any] = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum_decay": momentum_decay,
            "decoupled_weight_decay": decoupled_weight_decay,
            "maximize": maximize,
            "foreach": foreach,
            "capturable": capturable,
            "differentiable": differentiable,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {
            "step": number(0.0),
            "mu_product": number(1.0),
            "exp_avg": filled(p),
            "exp_avg_sq": filled(p),
        }

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, step = read(group["lr"]), next_step(state)
        beta1, beta2 = group["betas"]
        kind, decay = decay_of(group, lr)

        def mu(t: float) -> float:
            return float(beta1 * (1.0 - 0.5 * 0.96 ** (t * group["momentum_decay"])))

        # the product is kept, and multiplied, in the precision of the state, as PyTorch does
        product = write(state, "mu_product", mu(step), times=read(state["mu_product"]))
        ahead = product * mu(step + 1)
        update(
            (p, state["exp_avg"], state["exp_avg_sq"]),
            nadam_update,
            g,
            *numbers(
                p,
                decay=decay,
                rate1=1 - beta1,
                bias2=1 - beta2**step,
                step_g=lr * (1.0 - mu(step)) / (1.0 - product),
                step_m=lr * mu(step + 1) / (1.0 - ahead),
            ),
            beta2=beta2,
            eps=group["eps"],
            maximize=group["maximize"],
            kind=kind,
        )
