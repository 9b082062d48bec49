"""AdamW: Adam whose weight decay is not scaled by the gradient's history."""

from __future__ import annotations

from typing import Any

from chainrule.optim.adam import Adam
from chainrule.optim.optimizer import Params
from chainrule.tensor import Tensor


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← (1 - lr · λ) θ, then Adam's step.

    Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> optimizer = AdamW([w], lr=0.1, weight_decay=0.5)
    >>> (w * 0).sum().backward()
    >>> optimizer.step()
    >>> round(w.item(), 4)
    0.95
    """

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # a checkpoint of Adam must not turn AdamW into it
            group["decoupled_weight_decay"] = True
