"""The second document's recurrent network."""

from __future__ import annotations

from chainrule import nn
from chainrule.tensor import Tensor


class RNN(nn.Module):
    """An LSTM that reads a sequence and a dense layer that judges its last output.

    x (N, T, input_size) → scores (N, num_classes).

    >>> import chainrule as torch
    >>> RNN(input_size=10)(torch.zeros(2, 6, 10)).shape
    torch.Size([2, 2])
    """

    def __init__(
        self, input_size: int = 10, hidden_size: int = 50, num_layers: int = 2, num_classes: int = 2
    ) -> None:
        super().__init__()
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        output, _ = self.lstm(x)  # (N, T, hidden_size)
        return self.fc(output[:, -1, :])
