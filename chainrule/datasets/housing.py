"""Prices of houses: around Boston (506 rows, D. Harrison and D. Rubinfeld, 1978) and in California
(20,640 rows, R. Pace and R. Barry, 1997).

Looked for as Keras's files; Boston also as `uci/housing.data`, UCI's table of the same rows in the
same order.
"""

from __future__ import annotations

import numpy as np

from chainrule.datasets.fetch import DataFile, fetch, find, is_here
from chainrule.datasets.formats import Array, read_npz
from chainrule.errors import DataError

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"

BOSTON = DataFile(
    folder="housing",
    name="boston_housing.npz",
    sha256="f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    size=0,
    mirrors=(f"{_KERAS}/boston_housing.npz",),
    elsewhere=("boston_housing.npz",),
)
BOSTON_TABLE = DataFile(
    folder="uci",
    name="housing.data",
    sha256="e3e36f7b9e5435f9eb8320e106aebad00031fefa3064527da0c71dec59e49b76",
    size=49081,
    mirrors=(),
)
CALIFORNIA = DataFile(
    folder="housing",
    name="california_housing.npz",
    sha256="1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    size=0,
    mirrors=(f"{_KERAS}/california_housing.npz",),
    elsewhere=("california_housing.npz",),
)


def load_boston_housing(*, download: bool = True) -> tuple[Array, Array]:
    """The 13 attributes of 506 districts (506, 13) and the median prices in k$ (506,), float64.

    One attribute, B, was made from the share of black people: use the data to show what is wrong
    with that, and other data for anything else.
    """
    if not is_here(BOSTON):
        table = find(BOSTON_TABLE)
        if table is not None:
            rows = np.loadtxt(table)
            return rows[:, :13], rows[:, 13]
    arrays = read_npz(fetch(BOSTON, download=download), ("x", "y"))
    return _checked(arrays, 13, "boston_housing.npz")


def load_california_housing(*, download: bool = True) -> tuple[Array, Array]:
    """The 8 attributes of 20,640 block groups (20640, 8) and the median prices in $ (20640,)."""
    arrays = read_npz(fetch(CALIFORNIA, download=download), ("x", "y"))
    return _checked(arrays, 8, "california_housing.npz")


def _checked(arrays: dict[str, Array], columns: int, origin: str) -> tuple[Array, Array]:
    x, y = arrays["x"], arrays["y"]
    if x.ndim != 2 or x.shape != (len(y), columns):
        raise DataError(f"{origin}: x of shape {x.shape} with {len(y)} prices")
    return x, y
