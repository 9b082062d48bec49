"""Softmax over very many classes, in clusters by frequency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from chainrule.dtypes import DType
from chainrule.errors import ShapeError
from chainrule.nn import functional as F
from chainrule.nn.functional.sparse import check_classes
from chainrule.nn.modules.container import ModuleList, Sequential
from chainrule.nn.modules.linear import Linear
from chainrule.nn.modules.module import Module
from chainrule.tensor import Tensor
from chainrule.tensor.functions import cat, where


class _ASMoutput(NamedTuple):
    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """log p(class): frequent classes by one softmax (the head), rare ones by one of several tails

    input (N, in_features) or (in_features), target classes (N) or () → (log-probability of each
    target, their mean loss). Classes are sorted by frequency; cutoffs say where clusters begin;
    tail i projects to in_features / div_value^(i + 1) first.

    Grave et al., "Efficient softmax approximation for GPUs" (2017).

    >>> import chainrule as torch
    >>> layer = torch.nn.AdaptiveLogSoftmaxWithLoss(8, 100, cutoffs=[10, 50])
    >>> output, loss = layer(torch.ones(3, 8), torch.tensor([0, 20, 99]))
    >>> output.shape, layer.log_prob(torch.ones(3, 8)).shape
    (torch.Size([3]), torch.Size([3, 100]))
    """

    def __init__(
        self, in_features: int, n_classes: int, cutoffs: Sequence[int], div_value: float = 4.0,
        head_bias: bool = False, device: Any = None, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        given = list(cutoffs)
        if not given:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if given != sorted({int(c) for c in given}) or given[0] <= 0 or given[-1] > n_classes - 1:
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an increasing "
                f"order, where each value is between 1 and n_classes-1, got {given}"
            )
        self.in_features, self.n_classes, self.div_value = in_features, n_classes, div_value
        self.cutoffs, self.head_bias = [*given, n_classes], head_bias
        self.shortlist_size, self.n_clusters = given[0], len(given)
        self.head_size = self.shortlist_size + self.n_clusters
        kw: dict[str, Any] = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **kw)
        self.tail = ModuleList()
        for i in range(self.n_clusters):
            narrow = int(in_features // div_value ** (i + 1))
            wide = self.cutoffs[i + 1] - self.cutoffs[i]
            self.tail.append(
                Sequential(
                    Linear(in_features, narrow, bias=False, **kw),
                    Linear(narrow, wide, bias=False, **kw),
                )
            )

    def reset_parameters(self) -> None:
        """First values anew."""
        self.head.reset_parameters()
        for first, second in self.tail:
            first.reset_parameters()
            second.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> _ASMoutput:
        if target_.ndim > 1:
            raise ShapeError("0D or 1D target tensor expected, multi-target not supported")
        if input_.ndim != target_.ndim + 1 or input_.shape[:-1] != target_.shape:
            raise ShapeError(
                "Input and target should have the same size in the batch dimension, got input "
                f"{tuple(input_.shape)} and target {tuple(target_.shape)}"
            )
        check_classes(target_, self.n_classes, "AdaptiveLogSoftmaxWithLoss", RuntimeError)
        single = target_.ndim == 0
        x, t = (input_.unsqueeze(0), target_.unsqueeze(0)) if single else (input_, target_)
        place, found = t.clamp(max=self.shortlist_size - 1), x.new_zeros(())
        for i, layer in enumerate(self.tail):
            low, high = self.cutoffs[i], self.cutoffs[i + 1]
            here = (t >= low) & (t < high)
            place = where(here, self.shortlist_size + i, place)
            rest = F.log_softmax(layer(x), 1)
            own = rest.gather(1, (t - low).clamp(0, high - low - 1).unsqueeze(1)).squeeze(1)
            found = found + where(here, own, 0.0)
        head = F.log_softmax(self.head(x), 1)
        output = head.gather(1, place.unsqueeze(1)).squeeze(1) + found
        return _ASMoutput(output.squeeze(0) if single else output, -output.mean())

    def log_prob(self, input: Tensor) -> Tensor:
        """Log-probabilities of all classes: (N, in_features) → (N, n_classes)"""
        head = F.log_softmax(self.head(input), 1)
        parts = [head[:, : self.shortlist_size]]
        for i, layer in enumerate(self.tail):
            at = self.shortlist_size + i
            parts.append(F.log_softmax(layer(input), 1) + head[:, at : at + 1])
        return cat(parts, 1)

    def predict(self, input: Tensor) -> Tensor:
        """The most probable class: (N, in_features) → (N)"""
        return self.log_prob(input).argmax(1)
