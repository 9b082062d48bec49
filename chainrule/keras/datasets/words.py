"""Texts as lists of word indices, for `imdb` and `reuters`."""

from __future__ import annotations

from itertools import chain

import numpy as np

from chainrule.datasets.formats import Array

# A part is one flat array of indices and the length of each text: 12 million words are too many
# for a loop.


def indices(texts: Array, start_char: int | None, index_from: int | None) -> tuple[Array, Array]:
    """Word ranks as indices, one text behind the other, and the lengths of the texts."""
    lengths = np.fromiter((len(text) for text in texts), np.int64, len(texts))
    words = np.fromiter(chain.from_iterable(texts), np.int64, int(lengths.sum()))
    words += index_from or 0
    if start_char is not None:
        words = np.insert(words, np.cumsum(lengths) - lengths, start_char)
        lengths += 1
    return words, lengths


def without_long(
    words: Array, lengths: Array, labels: Array, maxlen: int
) -> tuple[Array, Array, Array]:
    """Only the texts of fewer than `maxlen` indices."""
    kept = lengths < maxlen
    if not kept.any():
        raise ValueError(
            f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept. "
            "Increase maxlen."
        )
    return words[np.repeat(kept, lengths)], lengths[kept], labels[kept]


def restricted(
    words: Array, lengths: Array, skip_top: int, num_words: int, oov_char: int | None
) -> tuple[Array, Array]:
    """Indices below `skip_top` or not below `num_words` become `oov_char`, or are dropped."""
    known = (words >= skip_top) & (words < num_words)
    if oov_char is not None:
        return np.where(known, words, oov_char), lengths
    owner = np.repeat(np.arange(len(lengths)), lengths)
    return words[known], np.bincount(owner[known], minlength=len(lengths))


def lists(words: Array, lengths: Array) -> Array:
    """The texts as an array of lists."""
    flat, start = words.tolist(), 0
    result = np.empty(len(lengths), dtype=object)
    for i, end in enumerate(np.cumsum(lengths).tolist()):
        result[i] = flat[start:end]
        start = end
    return result
