"""Reuters newswires: 11,228 texts in 46 topics, as lists of word ranks (Keras's selection of
Reuters-21578).
"""

from __future__ import annotations

import json

from chainrule.datasets.fetch import DataFile, fetch
from chainrule.datasets.formats import Array, read_npz
from chainrule.errors import DataError

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"

NEWSWIRES = DataFile(
    folder="reuters",
    name="reuters.npz",
    sha256="d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916",
    size=0,
    mirrors=(f"{_KERAS}/reuters.npz",),
    elsewhere=("reuters.npz",),
)
WORD_INDEX = DataFile(
    folder="reuters",
    name="reuters_word_index.json",
    sha256="",
    size=0,
    mirrors=(f"{_KERAS}/reuters_word_index.json",),
    elsewhere=("reuters_word_index.json",),
    md5="4d44cc38712099c9e383dc6e5f11a921",
)

#: The topics, in the order of their labels.
LABEL_NAMES = (
    "cocoa", "grain", "veg-oil", "earn", "acq", "wheat", "copper", "housing", "money-supply",
    "coffee", "sugar", "trade", "reserves", "ship", "cotton", "carcass", "crude", "nat-gas", "cpi",
    "money-fx", "interest", "gnp", "meal-feed", "alum", "oilseed", "gold", "tin",
    "strategic-metal", "livestock", "retail", "ipi", "iron-steel", "rubber", "heat", "jobs", "lei",
    "bop", "zinc", "orange", "pet-chem", "dlr", "gas", "silver", "wpi", "hog", "lead",
)  # fmt: skip


def load_reuters(*, download: bool = True) -> tuple[Array, Array]:
    """The newswires as an array of lists of word ranks, and their topics."""
    path = fetch(NEWSWIRES, download=download)
    arrays = read_npz(path, ("x", "y"))
    x, y = arrays["x"], arrays["y"]
    if x.ndim != 1 or x.shape != y.shape:
        raise DataError(f"{path}: x of shape {x.shape} and y of shape {y.shape}; expected as many")
    return x, y


def reuters_word_index(*, download: bool = True) -> dict[str, int]:
    """Word → rank (1 = the commonest)."""
    path = fetch(WORD_INDEX, download=download)
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is not JSON: {error}") from error
    return {str(word): int(rank) for word, rank in index.items()}
