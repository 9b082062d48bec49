"""Text: tiny Shakespeare, 1,115,394 characters of plays, 65 different ones.

A. Karpathy: The Unreasonable Effectiveness of Recurrent Neural Networks, 2015
(https://github.com/karpathy/char-rnn). The text is in the public domain.
"""

from __future__ import annotations

import numpy as np

from chainrule.datasets.fetch import DataFile, fetch
from chainrule.datasets.formats import Array

TINY_SHAKESPEARE = DataFile(
    folder="tinyshakespeare",
    name="input.txt",
    sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
    size=1115394,
    mirrors=(
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
        "https://cdn.jsdelivr.net/gh/karpathy/char-rnn@master/data/tinyshakespeare/input.txt",
    ),
)

#: Of the characters, the first nine tenths train and the rest test.
TRAIN = 1003854


def load_tiny_shakespeare(split: str = "all", *, download: bool = True) -> str:
    """The text: "all", "train" (the first nine tenths) or "test" (the rest).

    Raises `DataError` where the file is missing and cannot be fetched, or is damaged.
    """
    parts = {"all": slice(None), "train": slice(TRAIN), "test": slice(TRAIN, None)}
    if split not in parts:
        raise ValueError(f"split is {split!r}; expected 'all', 'train' or 'test'")
    return fetch(TINY_SHAKESPEARE, download=download).read_text(encoding="ascii")[parts[split]]


def encode(text: str, alphabet: str) -> Array:
    """Each character's place in `alphabet`, int64.

    >>> encode("abba", "ab")
    array([0, 1, 1, 0])
    """
    place = {character: number for number, character in enumerate(alphabet)}
    return np.fromiter((place[character] for character in text), np.int64, len(text))


def windows(codes: Array, length: int) -> tuple[Array, Array]:
    """Pieces of `length` codes side by side, and the same pieces one code later: what comes next.

    >>> x, y = windows(np.arange(7), 3)
    >>> x.tolist(), y.tolist()
    ([[0, 1, 2], [3, 4, 5]], [[1, 2, 3], [4, 5, 6]])
    """
    count = (len(codes) - 1) // length
    end = count * length
    return codes[:end].reshape(count, length), codes[1 : end + 1].reshape(count, length)
