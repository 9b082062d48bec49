"""Adafactor: Adam's scaling for the memory of a row and a column."""

from __future__ import annotations

from typing import Any, ClassVar

from chainrule import dtypes
from chainrule.ops.updates import adafactor_update, adafactor_vector_update
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


class Adafactor(FormulaOptimizer):
    """Adafactor: the second moment of a matrix is the product of a row and a column.

    Steps are relative to the size of the parameter: α = max(ε₂, RMS(θ)) · min(lr, 1 / √t), and
    clipped where their root mean square exceeds `d`. `eps` is (ε₁, ε₂); ε₁ = None means the
    smallest difference of the parameter's dtype. `beta2_decay` is τ in β̂₂ = 1 - t^τ; `weight_decay`
    is decoupled. Shazeer and Stern 2018, with `lr` where the paper has 0.01; formulas:
    `chainrule.ops.updates`.

    >>> from chainrule.tensor.creation import ones
    >>> w = ones(3, 4, requires_grad=True)
    >>> optimizer = Adafactor([w], lr=0.1)
    >>> (w * 5).sum().backward()
    >>> optimizer.step()
    >>> round(w[0, 0].item(), 4), optimizer.state[w]["row_var"].shape
    (0.9, torch.Size([3, 1]))
    """

    options_of_old: ClassVar[dict[str, Any]] = {"foreach": None}

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_lr(lr, "Learning rate should be >= 0 but is:")
        require(beta2_decay <= 0.0, f"beta2_decay should be <= 0 but is: {beta2_decay}")
        require(eps[0] is None or eps[0] >= 0.0, f"epsilon1 should be >= 0 but is: {eps[0]}")
        require(eps[1] >= 0.0, f"epsilon2 should be >= 0 but is: {eps[1]}")
        require(d >= 1.0, f"Clipping threshold d should be >= 1 but is: {d}")
        require(weight_decay >= 0.0, f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults: dict[str, Any] = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        if p.dim() < 2:
            return {"step": number(0.0), "variance": filled(p)}
        *batch, rows, columns = p.shape
        return {
            "step": number(0.0),
            "row_var": filled(p, shape=(*batch, rows, 1)),
            "col_var": filled(p, shape=(*batch, 1, columns)),
        }

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, step = read(group["lr"]), next_step(state)
        eps1, eps2 = group["eps"]
        if "variance" in state:
            names, rule = ["variance"], adafactor_vector_update
        else:
            names, rule = ["row_var", "col_var"], adafactor_update
        update(
            (p, *(state[name] for name in names)),
            rule,
            g,
            *numbers(
                p,
                shrink=1 - lr * group["weight_decay"],
                rho=min(lr, 1 / step**0.5),
                rate2=step ** group["beta2_decay"],
            ),
            eps1=dtypes.finfo(p.dtype).eps if eps1 is None else eps1,
            eps2=eps2,
            threshold=group["d"],
            maximize=group["maximize"],
        )
