"""The six networks, written once: `lib` is torch or chainrule.

Each has its data, its optimiser, and how many multiply-adds a training step needs: forward, twice
that backward, without the gradient of what comes in as data. A multiply-add counts as two
operations.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass
class Network:
    """A model in training: `step()` is the ordinary loop's body, `infer()` a forward pass."""

    model: Any
    optimizer: Any
    loss_of: Any
    x: Any
    y: Any
    forward: Callable[[Any], Any]

    def step(self) -> Any:
        """zero_grad, forward, loss, backward, step."""
        self.optimizer.zero_grad()
        loss = self.loss_of(self.forward(self.x), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def infer(self) -> Any:
        """The outputs as an array, so that they have been computed."""
        return self.forward(self.x).numpy()


#: Operations of a training step and of a forward pass.
OPERATIONS: dict[str, tuple[float, float]] = {}


def _count(name: str, first: float, others: float) -> None:
    """Multiply-adds of a forward pass: of the layer that reads the data, and of all others."""
    forward = first + others
    OPERATIONS[name] = 2 * (3 * forward - first), 2 * forward


_count("mlp", 128 * 784 * 128, 128 * 128 * 10)
_count("dcnn", 64 * 784 * 9 * 32, 64 * (196 * 9 * 32 * 64 + 3136 * 128 + 128 * 10))
_count("lstm", 640 * 10 * 200, 640 * (50 * 200 + 100 * 200) + 32 * 50 * 2)
_count("transformer", 0, 320 * (2 * (4 * 50 * 50 + 2 * 50 * 200 + 2 * 10 * 50) + 50 * 10))
_count("gpt", 0, 768 * (4 * (12 * 128**2 + 2 * 64 * 128) + 128 * 65))
_STAGES = ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1))


def _resnet_operations() -> float:
    """All layers of ResNet-18 but the first, for one image of 32 × 32."""
    total, channels, side = 0.0, 64, 32
    for width, stride in _STAGES:
        side //= stride
        total += side**2 * 9 * width * (channels + width)
        if stride != 1 or channels != width:
            total += side**2 * channels * width
        channels = width
    return total + 512 * 10


_count("resnet18", 32 * 1024 * 27 * 64, 32 * _resnet_operations())


def build(lib: Any, name: str, wrap: Callable[[Any], Any] = lambda model: model) -> Network:
    """One of the networks, with data; `wrap` is what may compile the model."""
    lib.manual_seed(0)
    nn, F, optim = lib.nn, lib.nn.functional, lib.optim

    def classes(n: int, *shape: int) -> Any:
        return lib.randint(0, n, shape)

    class MLP(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.out = nn.Linear(784, 128), nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            return self.out(F.relu(self.hidden(x)))

    class DCNN(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv2d(1, 32, 3, 1, 1), nn.Conv2d(32, 64, 3, 1, 1)
            self.pool = nn.MaxPool2d(2, 2)
            self.hidden, self.out = nn.Linear(64 * 7 * 7, 128), nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            return self.out(F.relu(self.hidden(x.view(-1, 64 * 7 * 7))))

    class LSTM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(10, 50, 2, batch_first=True)
            self.out = nn.Linear(50, 2)

        def forward(self, x: Any) -> Any:
            steps, _ = self.lstm(x)
            return self.out(steps[:, -1, :])

    class Encoder(nn.Module):
        def __init__(self, width: int = 50, symbols: int = 10) -> None:
            super().__init__()
            self.width = width
            self.symbols, self.places = nn.Embedding(symbols, width), nn.Embedding(64, width)
            self.layers = nn.ModuleList(
                [
                    nn.TransformerEncoderLayer(width, 2, 4 * width, 0.1, batch_first=True)
                    for _ in range(2)
                ]
            )
            self.out = nn.Linear(width, symbols)

        def forward(self, x: Any) -> Any:
            places = self.places(lib.arange(x.size(1)))
            y = self.symbols(x) * math.sqrt(self.width) + places
            for layer in self.layers:
                y = layer(y)
            return self.out(y).flatten(0, 1)

    class Block(nn.Module):
        def __init__(self, width: int, heads: int) -> None:
            super().__init__()
            self.heads = heads
            self.norm1, self.norm2 = (nn.LayerNorm(width, bias=False) for _ in range(2))
            self.qkv = nn.Linear(width, 3 * width, bias=False)
            self.project = nn.Linear(width, width, bias=False)
            self.up = nn.Linear(width, 4 * width, bias=False)
            self.down = nn.Linear(4 * width, width, bias=False)

        def forward(self, x: Any) -> Any:
            rows, steps, width = x.shape
            q, k, v = (
                part.view(rows, steps, self.heads, width // self.heads).transpose(1, 2)
                for part in self.qkv(self.norm1(x)).split(width, 2)
            )
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.project(y.transpose(1, 2).reshape(rows, steps, width))
            return x + self.down(F.gelu(self.up(self.norm2(x))))

    class GPT(nn.Module):
        def __init__(self, symbols: int = 65, steps: int = 64, width: int = 128) -> None:
            super().__init__()
            self.symbols, self.places = nn.Embedding(symbols, width), nn.Embedding(steps, width)
            self.blocks = nn.ModuleList([Block(width, 4) for _ in range(4)])
            self.norm = nn.LayerNorm(width, bias=False)
            self.out = nn.Linear(width, symbols, bias=False)
            self.out.weight = self.symbols.weight

        def forward(self, x: Any) -> Any:
            y = self.symbols(x) + self.places(lib.arange(x.size(1)))
            for block in self.blocks:
                y = block(y)
            return self.out(self.norm(y)).flatten(0, 1)

    class Residual(nn.Module):
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(before, width, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(width)
            self.past = nn.Identity()
            if stride != 1 or before != width:
                self.past = nn.Sequential(
                    nn.Conv2d(before, width, 1, stride, bias=False), nn.BatchNorm2d(width)
                )

        def forward(self, x: Any) -> Any:
            y = F.relu(self.norm1(self.conv1(x)))
            return F.relu(self.norm2(self.conv2(y)) + self.past(x))

    class ResNet18(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64)
            blocks, before = [], 64
            for width, stride in _STAGES:
                blocks.append(Residual(before, width, stride))
                before = width
            self.blocks, self.out = nn.Sequential(*blocks), nn.Linear(512, 10)

        def forward(self, x: Any) -> Any:
            x = self.blocks(F.relu(self.norm(self.conv(x))))
            return self.out(x.mean((2, 3)))

    table: dict[str, tuple[Any, Callable[[Any], Any], Any, Any]] = {
        "mlp": (
            MLP, lambda p: optim.Adam(p, 1e-3), lib.rand(128, 784), classes(10, 128),
        ),
        "dcnn": (
            DCNN, lambda p: optim.SGD(p, 0.01), lib.rand(64, 1, 28, 28), classes(10, 64),
        ),
        "lstm": (
            LSTM, lambda p: optim.Adam(p, 0.01), lib.rand(32, 20, 10), classes(2, 32),
        ),
        "transformer": (
            Encoder, lambda p: optim.Adam(p, 0.01), classes(10, 32, 10), classes(10, 320),
        ),
        "gpt": (
            GPT, lambda p: optim.AdamW(p, 1e-3), classes(65, 12, 64), classes(65, 768),
        ),
        "resnet18": (
            ResNet18,
            lambda p: optim.SGD(p, 0.1, momentum=0.9, weight_decay=5e-4),
            lib.rand(32, 3, 32, 32), classes(10, 32),
        ),
    }  # fmt: skip
    make, optimizer, x, y = table[name]
    model = make()
    return Network(model, optimizer(model.parameters()), nn.CrossEntropyLoss(), x, y, wrap(model))
