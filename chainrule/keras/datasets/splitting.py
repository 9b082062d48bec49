"""Rows shuffled and cut in two, as Keras does it."""

from __future__ import annotations

import numpy as np

from chainrule.datasets.formats import Array


def shuffled_split(
    x: Array, y: Array, test_split: float, seed: int
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)` with Keras's order for `seed`."""
    if not 0 <= test_split < 1:
        raise ValueError(
            f"Invalid `test_split` argument: {test_split}. It must be between 0 and 1 (exclusive "
            "of 1)."
        )
    order = np.arange(len(x))
    np.random.RandomState(seed).shuffle(order)
    x, y, kept = x[order], y[order], int(len(x) * (1 - test_split))
    return (x[:kept].copy(), y[:kept].copy()), (x[kept:].copy(), y[kept:].copy())
