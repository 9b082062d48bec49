"""What `chainrule train` can train on: name → arrays for training and testing.

images      (n, channels, height, width), 0 to 1            for mlp and dcnn
sequences   (n, steps, features)                            for rnn
codes       (n, steps) int64, targets of the same shape     for transformer
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chainrule import datasets
from chainrule.datasets.cifar10 import CLASSES as CIFAR10_CLASSES
from chainrule.datasets.formats import Array
from chainrule.datasets.mnist import FASHION_MNIST_CLASSES
from chainrule.datasets.sequences import SONAR_CLASSES
from chainrule.datasets.symbolic import load_symbolic
from chainrule.datasets.text import encode, load_tiny_shakespeare, windows

Part = tuple[Array, Array]

CONTEXT = 64  # characters of Shakespeare in one piece


@dataclass(frozen=True)
class Data:
    """Arrays to train and to test on, how many classes the labels have, and what they and the codes
    of a text are called."""

    train: Part
    test: Part
    classes: int
    names: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()

    def limited(self, count: int | None) -> Data:
        """At most the first `count` rows of each part."""
        (x, y), (u, v) = self.train, self.test
        return replace(self, train=(x[:count], y[:count]), test=(u[:count], v[:count]))


def auto() -> str:
    """ "mnist" where its files are at hand, "digits" otherwise: real digits without a download."""
    return "digits" if datasets.overview()["mnist"] == "not here" else "mnist"


def is_here(name: str) -> bool:
    """Whether a data set can be read without fetching it."""
    return datasets.overview().get(_FILES.get(name, ""), "made here") != "not here"


def _images(
    load: Callable[[str], Part], brightest: float, names: Sequence[str] = ()
) -> Callable[[], Data]:
    def part(split: str) -> Part:
        images, labels = load(split)
        pixels = images.astype(np.float32) / np.float32(brightest)
        if pixels.ndim == 3:
            pixels = pixels[:, None]  # (n, 1, h, w)
        elif pixels.shape[-1] == 3:
            pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
        return pixels, labels.astype(np.int64)

    return lambda: Data(part("train"), part("test"), classes=10, names=tuple(names))


def _rows(images: Callable[[], Data]) -> Callable[[], Data]:
    """An image read as a sequence: a step is a row of pixels, from the top."""

    def load() -> Data:
        data = images()
        (x, y), (u, v) = data.train, data.test
        return replace(data, train=(x[:, 0], y), test=(u[:, 0], v))

    return load


def _sonar() -> Data:
    """Bands standardised by the training echoes: on raw ones an LSTM mostly stays at chance."""
    (x, y), (u, v) = datasets.load_sonar("train"), datasets.load_sonar("test")
    mean, spread = x.mean(axis=0), x.std(axis=0)
    return Data(
        ((x - mean) / spread, y), ((u - mean) / spread, v), classes=2, names=tuple(SONAR_CLASSES)
    )


def _symbolic(task: str) -> Callable[[], Data]:
    def load() -> Data:
        x, y = load_symbolic(task, 12_000)
        digits = tuple("0123456789")
        return Data((x[:10_000], y[:10_000]), (x[10_000:], y[10_000:]), 10, digits, digits)

    return load


def _shakespeare() -> Data:
    alphabet = "".join(sorted(set(load_tiny_shakespeare())))
    train, test = (
        windows(encode(load_tiny_shakespeare(s), alphabet), CONTEXT) for s in ("train", "test")
    )
    return Data(train, test, len(alphabet), tuple(alphabet), tuple(alphabet))


_DIGITS = _images(datasets.load_digits, 16)
_MNIST = _images(datasets.load_mnist, 255)
_FASHION = _images(datasets.load_fashion_mnist, 255, FASHION_MNIST_CLASSES)
_CIFAR10 = _images(datasets.load_cifar10, 255, CIFAR10_CLASSES)

#: Data set → its name in `datasets.overview`; the others are made, or in the package.
_FILES = {
    "mnist": "mnist",
    "fashion-mnist": "fashion_mnist",
    "cifar10": "cifar10",
    "sonar": "sonar",
    "shakespeare": "tiny_shakespeare",
}
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
