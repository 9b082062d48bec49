"""IMDB film reviews: 25,000 + 25,000 texts, half of them kind (A. Maas et al., 2011).

Looked for as `imdb/imdb.npz` or `imdb.npz` (Keras's file: every review a list of word ranks, 1 =
the commonest word) and as `imdb/imdb_rebuilt.npz`, the same reviews tokenised again in another
order.
"""

from __future__ import annotations

import hashlib
import json

from chainrule.datasets.fetch import DataFile, fetch, find, is_here
from chainrule.datasets.formats import Array, read_npz
from chainrule.errors import DataError

REVIEWS = DataFile(
    folder="imdb",
    name="imdb.npz",
    sha256="69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f",
    size=17464789,
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb.npz",
        "https://s3.amazonaws.com/text-datasets/imdb.npz",
    ),
    elsewhere=("imdb.npz",),
)
REBUILT = DataFile(
    folder="imdb",
    name="imdb_rebuilt.npz",
    sha256="8166fe2a6dfd042c1fcbc15dbb15e3e65cb88db3cddfd5b508404e29c4057321",
    size=17805104,
    mirrors=(),
)
WORD_INDEX = DataFile(
    folder="imdb",
    name="imdb_word_index.json",
    sha256="027313fe9a320280f3bf0fac5baf58c4a683cf39a7ed9c3d3d3912bde4284cf6",
    size=1641221,
    mirrors=(
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/imdb_word_index.json",
        "https://s3.amazonaws.com/text-datasets/imdb_word_index.json",
    ),
    elsewhere=("imdb_word_index.json",),
)

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def load_imdb(split: str = "train", *, download: bool = True) -> tuple[list[list[int]], Array]:
    """The reviews as lists of word ranks, and their labels (25,000,), int64: 1 = kind.

    `split` is "train" or "test". No start mark, no cut, no shuffle: `chainrule.keras.datasets.imdb`
    does these.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split is {split!r}; expected 'train' or 'test'")
    arrays = load_imdb_arrays(download=download)
    return list(arrays[f"x_{split}"]), arrays[f"y_{split}"]


def load_imdb_arrays(*, download: bool = True) -> dict[str, Array]:
    """`x_train`, `y_train`, `x_test`, `y_test`: arrays of lists of word ranks, and of labels."""
    path = find(REVIEWS) if is_here(REVIEWS) else find(REBUILT)
    if path is None:
        path = fetch(REVIEWS, download=download)
    arrays = read_npz(path, _KEYS)
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim != 1 or x.shape != y.shape or not all(isinstance(review, list) for review in x):
            raise DataError(f"{path}: x_{part} should hold one list of word ranks for each label")
    return arrays


def word_index(*, download: bool = True) -> dict[str, int]:
    """Word → rank (1 = the commonest), 88,584 words."""
    path = fetch(WORD_INDEX, download=download)
    data = path.read_bytes()
    try:
        index = json.loads(data)
    except ValueError as error:
        digest = hashlib.sha256(data).hexdigest()
        raise DataError(f"{path} (sha256 {digest}) is not JSON: {error}") from error
    return {str(word): int(rank) for word, rank in index.items()}
