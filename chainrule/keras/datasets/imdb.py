"""IMDB reviews as `keras.datasets.imdb` returns them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.datasets.formats import Array, read_npz
from chainrule.datasets.imdb import load_imdb_arrays, word_index
from chainrule.keras.datasets.words import indices, lists, restricted, without_long

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def load_data(
    path: str = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: object arrays of lists of word indices, int64 labels
    (1 = kind).

    The word of rank r (1 = the commonest) has the index r + `index_from`; every review begins with
    `start_char`. An index below `skip_top` or not below `num_words` becomes `oov_char`, or is
    dropped where that is None. Reviews of `maxlen` indices or more are left out. Training and test
    part are each shuffled with `seed`.

    `path` may be the absolute path of an imdb.npz. Raises `ValueError` where `maxlen` leaves
    nothing, and `DataError` where the data are missing and cannot be fetched.
    """
    arrays = read_npz(Path(path), _KEYS) if Path(path).is_absolute() else load_imdb_arrays()
    # Keras's shuffle, with Keras's generator: both parts go through the same one, one after the
    # other.
    rng = np.random.RandomState(seed)
    parts = []
    for part in ("train", "test"):
        order = np.arange(len(arrays[f"x_{part}"]))
        rng.shuffle(order)
        words, lengths = indices(arrays[f"x_{part}"][order], start_char, index_from)
        labels = arrays[f"y_{part}"][order]
        if maxlen:
            words, lengths, labels = without_long(words, lengths, labels, maxlen)
        parts.append((words, lengths, labels))
    if not num_words:
        # As in Keras: the largest index itself counts as out of vocabulary.
        num_words = max(int(words.max(initial=0)) for words, _, _ in parts)
    (x_train, y_train), (x_test, y_test) = (
        (lists(*restricted(words, lengths, skip_top, num_words, oov_char)), labels)
        for words, lengths, labels in parts
    )
    return (x_train, y_train), (x_test, y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Word → rank (1 = the commonest). An index in `load_data`'s lists is this rank plus
    `index_from`.

    `path` is Keras's name in its cache and changes nothing here.
    """
    return word_index()
