"""Leaving out whole branches at random."""

from __future__ import annotations

from chainrule import nn
from chainrule.tensor import Tensor
from chainrule.tensor.creation import empty


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """`input`, or 0 with probability `p`; what is kept is divided by 1 - p.

    mode "batch": all rows share one fate; "row": each sample has its own. Without `training`
    nothing is changed. Source: Huang et al., Deep Networks with Stochastic Depth,
    arXiv:1603.09382. ValueError for a `p` outside [0, 1] and for another mode.

    >>> from chainrule import ones
    >>> stochastic_depth(ones(2), p=1.0, mode="batch")
    tensor([0., 0.])
    """
    if p < 0.0 or p > 1.0:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0.0:
        return input
    kept = 1.0 - p
    rows = input.shape[0] if mode == "row" else 1
    noise = empty((rows,) + (1,) * (input.ndim - 1), dtype=input.dtype).bernoulli_(kept)
    return input * (noise / kept if kept > 0.0 else noise)


class StochasticDepth(nn.Module):
    """`stochastic_depth` as a layer, at work in training only."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"{self.__class__.__name__}(p={self.p}, mode={self.mode})"
