"""Fashion-MNIST as `keras.datasets.fashion_mnist` returns it."""

from __future__ import annotations

from chainrule.datasets.formats import Array
from chainrule.datasets.mnist import load_fashion_mnist


def load_data() -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: images (60000, 28, 28) and (10000, 28, 28), labels
    (n,), all uint8.

    Raises `DataError` where the files are missing and cannot be fetched.
    """
    return load_fashion_mnist("train"), load_fashion_mnist("test")
