"""Prices of houses around Boston as `keras.datasets.boston_housing` returns them."""

from __future__ import annotations

from pathlib import Path

from chainrule.datasets.formats import Array, read_npz
from chainrule.datasets.housing import load_boston_housing
from chainrule.keras.datasets.splitting import shuffled_split


def load_data(
    path: str = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: 13 attributes and the price in k$ of 506 districts.

    `path` may be the absolute path of a boston_housing.npz. One of the attributes was made from the
    share of black people: see `chainrule.datasets.housing`. Raises `DataError` where the data are
    missing and cannot be fetched.
    """
    if Path(path).is_absolute():
        arrays = read_npz(Path(path), ("x", "y"))
        return shuffled_split(arrays["x"], arrays["y"], test_split, seed)
    return shuffled_split(*load_boston_housing(), test_split, seed)
