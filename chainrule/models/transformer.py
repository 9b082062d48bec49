"""The second document's Transformer, repaired (examples/seeds/transformer.py names each fault)."""

from __future__ import annotations

import math

from chainrule import nn
from chainrule.errors import ShapeError
from chainrule.tensor import Tensor, creation


class Transformer(nn.Module):
    """A stack of self-attention layers that says at each place what comes next.

    src (N, T) of int64 codes below input_size → scores (N, input_size, T): classes on axis 1, as a
    cross-entropy wants them. No place sees a later one. T is at most `max_length`.

    >>> import chainrule as torch
    >>> Transformer(input_size=10)(torch.zeros(2, 9, dtype=torch.int64)).shape
    torch.Size([2, 10, 9])
    """

    def __init__(
        self,
        input_size: int = 10,
        hidden_size: int = 50,
        num_layers: int = 2,
        num_heads: int = 2,
        dropout: float = 0.1,
        *,
        feedforward: int = 200,
        max_length: int = 64,
    ) -> None:
        super().__init__()
        self.max_length = max_length
        self.scale = math.sqrt(hidden_size // num_heads)
        self.embedding = nn.Embedding(input_size, hidden_size)
        self.position_encoding = nn.Embedding(max_length, hidden_size)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                hidden_size,
                num_heads,
                dim_feedforward=feedforward,
                dropout=dropout,
                batch_first=True,
            )
            for _ in range(num_layers)
        )
        self.output = nn.Linear(hidden_size, input_size)

    def forward(self, src: Tensor) -> Tensor:
        steps = src.size(1)
        if steps > self.max_length:
            raise ShapeError(
                f"the sequence has {steps} steps, the network knows {self.max_length} positions; "
                "shorten it, or build the network with a larger max_length"
            )
        mask = creation.full((steps, steps), -math.inf).triu(1)  # no look ahead
        x = self.embedding(src) * self.scale + self.position_encoding(creation.arange(steps))
        for layer in self.layers:
            x = layer(x, mask)
        return self.output(x).transpose(1, 2)
