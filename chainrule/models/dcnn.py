"""The second document's convolutional network."""

from __future__ import annotations

from collections.abc import Sequence

from chainrule import nn
from chainrule.tensor import Tensor


class DCNN(nn.Module):
    """Two 3 × 3 convolutions (32 and 64 channels), each halved by a maximum, two dense layers.

    x (N, C, H, W) → scores (N, classes); H and W are at least 4.

    >>> import chainrule as torch
    >>> DCNN((1, 28, 28))(torch.zeros(2, 1, 28, 28)).shape
    torch.Size([2, 10])
    """

    def __init__(self, input_shape: Sequence[int] = (1, 28, 28), classes: int = 10) -> None:
        super().__init__()
        channels, height, width = input_shape
        self.conv1 = nn.Conv2d(channels, 32, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.pool = nn.MaxPool2d(kernel_size=2, stride=2)
        self.flatten = nn.Flatten()
        self.fc1 = nn.Linear(64 * (height // 4) * (width // 4), 128)
        self.fc2 = nn.Linear(128, classes)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.conv1(x)))  # (N, 32, H/2, W/2)
        x = self.pool(self.relu(self.conv2(x)))  # (N, 64, H/4, W/4)
        return self.fc2(self.relu(self.fc1(self.flatten(x))))
