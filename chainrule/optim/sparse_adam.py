"""SparseAdam: Adam that leaves the rows alone which had no gradient."""

from __future__ import annotations

from typing import Any

from chainrule import ops
from chainrule.ir.node import Node
from chainrule.optim._base import (
    FormulaOptimizer,
    Numbers,
    check_betas,
    check_lr,
    check_not_negative,
    filled,
    next_step,
    number,
    read,
)
from chainrule.optim.optimizer import Group, Params, State
from chainrule.tensor import Tensor
from chainrule.tensor.mutate import update


class SparseAdam(FormulaOptimizer):
    """Adam whose moments and parameters move only in the rows with a gradient: for embeddings, of
    which a step reads few rows.

    `Embedding(sparse=True)` has a dense gradient here, so a row without one is a row of zeros; a
    sparse gradient is taken as well.

    >>> import chainrule as torch
    >>> words = torch.nn.Embedding(3, 1, sparse=True)
    >>> before = words.weight.detach().clone()
    >>> optimizer = torch.optim.SparseAdam(words.parameters(), lr=0.1)
    >>> words(torch.tensor([1])).sum().backward()
    >>> optimizer.step()
    >>> (words.weight != before).flatten().tolist()
    [False, True, False]
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        check_lr(lr)
        check_not_negative(eps=eps)
        check_betas(betas)
        defaults: dict[str, Any] = {"lr": lr, "betas": betas, "eps": eps, "maximize": maximize}
        super().__init__(params, defaults)

    def _first_state(self, p: Tensor, group: Group) -> State:
        return {"step": number(0.0), "exp_avg": filled(p), "exp_avg_sq": filled(p)}

    def _update(self, p: Tensor, g: Tensor, state: State, group: Group, numbers: Numbers) -> None:
        lr, step = read(group["lr"]), next_step(state)
        beta1, beta2 = group["betas"]
        size = lr * (1 - beta2**step) ** 0.5 / (1 - beta1**step)
        update(
            (p, state["exp_avg"], state["exp_avg_sq"]),
            _rows_update,
            g.to_dense() if g.is_sparse else g,
            *numbers(p, step_size=size),
            beta1=beta1,
            beta2=beta2,
            eps=group["eps"],
            maximize=group["maximize"],
        )


def _rows_update(
    p: Node, m: Node, v: Node, g: Node, step_size: Node, *,
    beta1: float, beta2: float, eps: float, maximize: bool,
) -> tuple[Node, Node, Node]:  # fmt: skip
    """m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; p ← p − step_size · m / (√v + eps)."""
    g = -g if maximize else g
    moved = ops.ne(g, 0)
    if p.ndim > 1:
        moved = ops.any_(moved, axis=tuple(range(1, p.ndim)), keepdim=True)
    first = m + (g - m) * (1 - beta1)
    second = v + (g * g - v) * (1 - beta2)
    there = p - step_size * (first / (ops.sqrt(second) + eps))
    return ops.where(moved, there, p), ops.where(moved, first, m), ops.where(moved, second, v)
