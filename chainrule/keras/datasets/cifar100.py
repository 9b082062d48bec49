"""CIFAR-100 as `keras.datasets.cifar100` returns it."""

from __future__ import annotations

from chainrule.datasets.cifar100 import load_cifar100
from chainrule.datasets.formats import Array


def load_data(label_mode: str = "fine") -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: images (n, 32, 32, 3) and labels (n, 1), all uint8; n
    = 50000, 10000. `label_mode`: "fine" (100 classes) or "coarse" (20).

    Raises `DataError` where the data are missing and cannot be fetched.
    """
    (x_train, y_train), (x_test, y_test) = load_cifar100(label_mode)
    return (x_train, y_train[:, None]), (x_test, y_test[:, None])
