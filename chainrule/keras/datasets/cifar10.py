"""CIFAR-10 as `keras.datasets.cifar10` returns it."""

from __future__ import annotations

from chainrule.datasets.cifar10 import load_cifar10_splits
from chainrule.datasets.formats import Array


def load_data() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: images (n, 32, 32, 3) and labels (n, 1), all uint8; n
    = 50000, 10000.

    Where only the subset of `chainrule.datasets.cifar10` is at hand, n is smaller and a
    `DataWarning` says so. Raises `DataError` where the data are missing and cannot be fetched.
    """
    splits = load_cifar10_splits()
    (x_train, y_train), (x_test, y_test) = splits["train"], splits["test"]
    return (x_train, y_train[:, None]), (x_test, y_test[:, None])
