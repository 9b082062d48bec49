"""IMDB reviews as `keras.datasets.imdb` returns them."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np

from chainrule.datasets.formats import Array, read_npz
from chainrule.datasets.imdb import load_imdb_arrays, word_index

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
        words, lengths = _indices(arrays[f"x_{part}"][order], start_char, index_from)
        labels = arrays[f"y_{part}"][order]
        if maxlen:
            words, lengths, labels = _without_long(words, lengths, labels, maxlen)
        parts.append((words, lengths, labels))
    if not num_words:
        # As in Keras: the largest index itself counts as out of vocabulary.
        num_words = max(int(words.max(initial=0)) for words, _, _ in parts)
    (x_train, y_train), (x_test, y_test) = (
        (_lists(*_restricted(words, lengths, skip_top, num_words, oov_char)), labels)
        for words, lengths, labels in parts
    )
    return (x_train, y_train), (x_test, y_test)


def get_word_index(path: str = "imdb_word_index.json") -> dict[str, int]:
    """Word → rank (1 = the commonest). An index in `load_data`'s lists is this rank plus
    `index_from`.

    `path` is Keras's name in its cache and changes nothing here.
    """
    return word_index()


# A part is one flat array of indices and the length of each review: 12 million words are too many
# for a loop.


def _indices(reviews: Array, start_char: int | None, index_from: int | None) -> tuple[Array, Array]:
    lengths = np.fromiter((len(review) for review in reviews), np.int64, len(reviews))
    words = np.fromiter(chain.from_iterable(reviews), np.int64, int(lengths.sum()))
    words += index_from or 0
    if start_char is not None:
        words = np.insert(words, np.cumsum(lengths) - lengths, start_char)
        lengths += 1
    return words, lengths


def _without_long(
    words: Array, lengths: Array, labels: Array, maxlen: int
) -> tuple[Array, Array, Array]:
    kept = lengths < maxlen
    if not kept.any():
        raise ValueError(
            f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. "
            "Increase maxlen."
        )
    return words[np.repeat(kept, lengths)], lengths[kept], labels[kept]


def _restricted(
    words: Array, lengths: Array, skip_top: int, num_words: int, oov_char: int | None
) -> tuple[Array, Array]:
    known = (words >= skip_top) & (words < num_words)
    if oov_char is not None:
        return np.where(known, words, oov_char), lengths
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return words[known], np.bincount(owner[known], minlength=len(lengths))


def _lists(words: Array, lengths: Array) -> Array:
    flat, start = words.tolist(), 0
    result = np.empty(len(lengths), dtype=object)
    for i, end in enumerate(np.cumsum(lengths).tolist()):
        result[i] = flat[start:end]
        start = end
    return result
