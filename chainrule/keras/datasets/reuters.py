"""Reuters newswires as `keras.datasets.reuters` returns them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from chainrule.datasets.formats import Array, read_npz
from chainrule.datasets.reuters import LABEL_NAMES, load_reuters, reuters_word_index
from chainrule.keras.datasets.words import indices, lists, restricted, without_long


def load_data(
    path: str = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(x_train, y_train), (x_test, y_test)`: object arrays of lists of word indices, and topics 0
    … 45. The arguments are those of `imdb.load_data`; `test_split` is the part of the test set.

    `path` may be the absolute path of a reuters.npz. Raises `DataError` where the data are missing
    and cannot be fetched.
    """
    if Path(path).is_absolute():
        arrays = read_npz(Path(path), ("x", "y"))
        texts, labels = arrays["x"], arrays["y"]
    else:
        texts, labels = load_reuters()
    order = np.arange(len(texts))
    np.random.RandomState(seed).shuffle(order)
    words, lengths = indices(texts[order], start_char, index_from)
    labels = labels[order]
    if maxlen:
        words, lengths, labels = without_long(words, lengths, labels, maxlen)
    limit = num_words or int(words.max(initial=0))
    x = lists(*restricted(words, lengths, skip_top, limit, oov_char))
    kept = int(len(x) * (1 - test_split))
    return (x[:kept], labels[:kept]), (x[kept:], labels[kept:])


def get_word_index(path: str = "reuters_word_index.json") -> dict[str, int]:
    """Word → rank (1 = the commonest). An index in `load_data`'s lists is this rank plus
    `index_from`. `path` is Keras's name in its cache and changes nothing here.
    """
    return reuters_word_index()


def get_label_names() -> tuple[str, ...]:
    """The topics, in the order of their labels."""
    return LABEL_NAMES
