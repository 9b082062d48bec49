"""`keras.optimizers.legacy`: Keras 2's optimizers, which Keras 3 names and does not have either."""

from __future__ import annotations

from typing import Any


class _Legacy:
    """An optimizer of Keras 2: making one says what to use."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise ImportError(
            "`keras.optimizers.legacy` has no optimizers in Keras 3; "
            f"use `keras.optimizers.{type(self).__name__}`"
        )


class Adagrad(_Legacy):
    """Say `keras.optimizers.Adagrad`."""


class Adam(_Legacy):
    """Say `keras.optimizers.Adam`."""


class Ftrl(_Legacy):
    """Say `keras.optimizers.Ftrl`."""


class RMSprop(_Legacy):
    """Say `keras.optimizers.RMSprop`."""


class SGD(_Legacy):
    """Say `keras.optimizers.SGD`."""


class Optimizer(_Legacy):
    """Say `keras.optimizers.Optimizer`."""


__all__ = ["SGD", "Adagrad", "Adam", "Ftrl", "Optimizer", "RMSprop"]
