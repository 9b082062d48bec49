"""Data and small models for the tests of `why`."""

from __future__ import annotations

import numpy as np

import chainrule as torch
from chainrule import keras, nn


def blobs(n: int = 64, d: int = 8, k: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes around k places, in no order."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, k, n)
    x = rng.standard_normal((n, d)) + 2 * np.eye(k, d)[y]
    return torch.from_numpy(x.astype("float32")), torch.from_numpy(y)


def numbers(n: int = 64, d: int = 8) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, d)).astype("float32")
    y = (x @ rng.standard_normal((d, 1))).astype("float32") + 0.1
    return torch.from_numpy(x), torch.from_numpy(y)


def mlp(*layers: nn.Module, k: int = 3) -> nn.Sequential:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, k), *layers)


def errors(reasons) -> set[str]:
    return {f.kind for f in reasons.errors}


def dense(*layers, loss, optimizer="adam", inputs=(8,)) -> keras.Model:
    model = keras.Sequential([keras.Input(inputs), *layers])
    model.compile(optimizer, loss)
    return model


class Attentive(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.fc = nn.Linear(16, 3)

    def forward(self, x):
        return self.fc(self.encoder(self.words(x)).mean(1))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 12)
        self.lstm = nn.LSTM(12, 16, batch_first=True)
        self.fc = nn.Linear(16, 3)

    def forward(self, x):
        return self.fc(self.lstm(self.words(x))[0][:, -1])


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.3),
        nn.Linear(8 * 4 * 4, 3),
    )  # fmt: skip


def texts(n: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(1)
    x = rng.integers(0, 20, (n, 7))
    return torch.from_numpy(x), torch.from_numpy(x[:, -1] % 3)


def images(n: int = 48) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = blobs(n, 144)
    return x.reshape(n, 1, 12, 12), y
