"""What `chainrule train` can train on: name → arrays for training and testing.

images      (n, channels, height, width), 0 to 1            for mlp and dcnn
sequences   (n, steps, features)                            for rnn
codes       (n, steps) int64, targets of the same shape     for transformer
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chainrule import datasets
from chainrule.datasets.formats import Array
from chainrule.datasets.symbolic import load_symbolic
from chainrule.datasets.text import encode, load_tiny_shakespeare, windows

Part = tuple[Array, Array]

CONTEXT = 64  # characters of Shakespeare in one piece


@dataclass(frozen=True)
class Data:
    """Arrays to train and to test on, and how many classes the labels have."""

    train: Part
    test: Part
    classes: int

    def limited(self, count: int | None) -> Data:
        """At most the first `count` rows of each part."""
        (x, y), (u, v) = self.train, self.test
        return Data((x[:count], y[:count]), (u[:count], v[:count]), self.classes)


def auto() -> str:
    """ "mnist" where its files are at hand, "digits" otherwise: real digits without a download."""
    return "digits" if datasets.overview()["mnist"] == "not here" else "mnist"


def _images(load: Callable[[str], Part], brightest: float) -> Callable[[], Data]:
    def part(split: str) -> Part:
        images, labels = load(split)
        pixels = images.astype(np.float32) / np.float32(brightest)
        if pixels.ndim == 3:
            pixels = pixels[:, None]  # (n, 1, h, w)
        elif pixels.shape[-1] == 3:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return pixels, labels.astype(np.int64)

    return lambda: Data(part("train"), part("test"), classes=10)


def _rows(images: Callable[[], Data]) -> Callable[[], Data]:
    """An image read as a sequence: a step is a row of pixels, from the top."""

    def load() -> Data:
        data = images()
        return Data(
            (data.train[0][:, 0], data.train[1]), (data.test[0][:, 0], data.test[1]), data.classes
        )

    return load


def _sonar() -> Data:
    """Bands standardised by the training echoes: on raw ones an LSTM mostly stays at chance."""
    (x, y), (u, v) = datasets.load_sonar("train"), datasets.load_sonar("test")
    mean, spread = x.mean(axis=0), x.std(axis=0)
    return Data(((x - mean) / spread, y), ((u - mean) / spread, v), classes=2)


def _symbolic(task: str) -> Callable[[], Data]:
    def load() -> Data:
        x, y = load_symbolic(task, 12_000)
        return Data((x[:10_000], y[:10_000]), (x[10_000:], y[10_000:]), classes=10)

    return load


def _shakespeare() -> Data:
    alphabet = "".join(sorted(set(load_tiny_shakespeare())))
    train, test = (
        windows(encode(load_tiny_shakespeare(s), alphabet), CONTEXT) for s in ("train", "test")
    )
    return Data(train, test, classes=len(alphabet))


_DIGITS = _images(datasets.load_digits, 16)
_MNIST = _images(datasets.load_mnist, 255)
_FASHION = _images(datasets.load_fashion_mnist, 255)
_CIFAR10 = _images(datasets.load_cifar10, 255)

_IMAGES = {"digits": _DIGITS, "mnist": _MNIST, "fashion-mnist": _FASHION, "cifar10": _CIFAR10}

#: Network → data set → loader; the first needs nothing but the package.
CHOICES: dict[str, dict[str, Callable[[], Data]]] = {
    "mlp": _IMAGES,
    "dcnn": _IMAGES,
    "rnn": {"digits": _rows(_DIGITS), "sonar": _sonar, "mnist": _rows(_MNIST)},
    "transformer": {
        "sort": _symbolic("sort"),
        "reverse": _symbolic("reverse"),
        "shakespeare": _shakespeare,
    },
}
