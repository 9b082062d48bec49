"""Keras's built-in data sets, each with `load_data()`."""

from chainrule.keras.datasets import cifar10, fashion_mnist, imdb, mnist

__all__ = ["mnist", "fashion_mnist", "cifar10", "imdb"]
