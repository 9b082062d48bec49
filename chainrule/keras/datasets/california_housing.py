"""Prices of houses in California as `keras.datasets.california_housing` returns them."""

from __future__ import annotations

from pathlib import Path

from chainrule.datasets.formats import Array, read_npz
from chainrule.datasets.housing import load_california_housing
from chainrule.keras.datasets.splitting import shuffled_split


def load_data(
    version: str = "large",
    path: str = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: 8 attributes and the median price in $ of 20,640
    block groups, or with `version="small"` of the first 600.

    `path` may be the absolute path of a california_housing.npz. Raises `DataError` where the data
    are missing and cannot be fetched.
    """
    if version not in ("small", "large"):
        raise ValueError(
            f"Argument `version` must be one of 'small', 'large'. Received: version={version}"
        )
    if Path(path).is_absolute():
        arrays = read_npz(Path(path), ("x", "y"))
        x, y = arrays["x"], arrays["y"]
    else:
        x, y = load_california_housing()
    count = 600 if version == "small" else len(x)
    return shuffled_split(x[:count], y[:count], test_split, seed)
