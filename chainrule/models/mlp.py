"""The first document's network: two dense layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

from chainrule import nn
from chainrule.tensor import Tensor


class MLP(nn.Module):
    """Scores of a multilayer perceptron: `W₂ relu(W₁ x + b₁) + b₂`.

    x (N, *input_shape), flattened → (N, classes). The scores go into a cross-entropy, which
    contains the softmax.

    >>> import chainrule as torch
    >>> MLP((28, 28))(torch.zeros(2, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self, input_shape: Sequence[int] = (28, 28), hidden: int = 128, classes: int = 10
    ) -> None:
        super().__init__()
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(math.prod(input_shape), hidden)
        self.fc2 = nn.Linear(hidden, classes)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.relu(self.fc1(self.flatten(x))))
