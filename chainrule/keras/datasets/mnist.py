"""MNIST as `keras.datasets.mnist` returns it."""

from __future__ import annotations

from pathlib import Path

from chainrule.datasets.formats import Array, read_npz
from chainrule.datasets.mnist import load_mnist

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def load_data(path: str = "mnist.npz") -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: images (60000, 28, 28) and (10000, 28, 28), labels
    (n,), all uint8.

    `path` may be the absolute path of an mnist.npz; any other value is Keras's name in its cache,
    and the data come from where `chainrule.datasets` finds them. Raises `DataError` where they are
    missing and cannot be fetched.
    """
    if Path(path).is_absolute():
        arrays = read_npz(Path(path), _KEYS)
        return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])
    return load_mnist("train"), load_mnist("test")
