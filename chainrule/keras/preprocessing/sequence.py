"""`keras.preprocessing.sequence`: windows of series and pairs of words, for older programs."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from chainrule.keras.utils.batches import PyDataset
from chainrule.keras.utils.sequences import pad_sequences


class TimeseriesGenerator(PyDataset):
    """Batches of windows: the target of row i goes with the `length` rows before it.

    `stride` is the distance from one window to the next, `sampling_rate` that between the steps of
    a window. For `fit`.

    >>> windows = TimeseriesGenerator(np.arange(5), np.arange(5), length=2, batch_size=2)
    >>> windows[0][0].tolist(), windows[0][1].tolist()
    ([[0, 1], [1, 2]], [2, 3])
    """

    def __init__(
        self,
        data: Any,
        targets: Any,
        length: int,
        sampling_rate: int = 1,
        stride: int = 1,
        start_index: int = 0,
        end_index: int | None = None,
        shuffle: bool = False,
        reverse: bool = False,
        batch_size: int = 128,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if len(data) != len(targets):
            raise ValueError(
                f"Data and targets have to be of same length. Data length is {len(data)} while "
                f"target length is {len(targets)}"
            )
        self.data = data
        self.targets = targets
        self.length = length
        self.sampling_rate = sampling_rate
        self.stride = stride
        self.start_index = start_index + length
        self.end_index = len(data) - 1 if end_index is None else end_index
        self.shuffle = shuffle
        self.reverse = reverse
        self.batch_size = batch_size
        if self.start_index > self.end_index:
            raise ValueError(
                f"`start_index+length={self.start_index} > end_index={self.end_index}` is "
                "disallowed, as no part of the sequence would be left to be used as current step."
            )

    def __len__(self) -> int:
        span = self.batch_size * self.stride
        return (self.end_index - self.start_index + span) // span

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        if self.shuffle:
            rows = np.random.randint(self.start_index, self.end_index + 1, size=self.batch_size)
        else:
            span = self.batch_size * self.stride
            first = self.start_index + span * index
            rows = np.arange(first, min(first + span, self.end_index + 1), self.stride)
        windows = np.array([self.data[r - self.length : r : self.sampling_rate] for r in rows])
        targets = np.array([self.targets[r] for r in rows])
        return (windows[:, ::-1] if self.reverse else windows), targets

    def get_config(self) -> dict[str, Any]:
        """Arguments and data, as plain data."""
        config: dict[str, Any] = {}
        for name in ("data", "targets"):
            values = getattr(self, name)
            config[name] = json.dumps(values.tolist() if hasattr(values, "tolist") else values)
        names = ("length", "sampling_rate", "stride", "start_index", "end_index", "shuffle",
                 "reverse", "batch_size")  # fmt: skip
        return config | {name: getattr(self, name) for name in names}

    def to_json(self, **kwargs: Any) -> str:
        """The config as a text."""
        return json.dumps(
            {"class_name": type(self).__name__, "config": self.get_config()}, **kwargs
        )


def make_sampling_table(size: int, sampling_factor: float = 1e-5) -> np.ndarray:
    """The chance to keep the word of each rank, for `skipgrams`: common words are kept seldom.

    p = min(1, √(t / f)) with t = `sampling_factor` and f the frequency that Zipf's law gives for
    the rank (Mikolov et al. 2013).
    """
    rank = np.arange(size)
    rank[0] = 1
    inverse = rank * (np.log(rank) + 0.577) + 0.5 - 1.0 / (12.0 * rank)
    return np.minimum(1.0, np.sqrt(sampling_factor * inverse))


def skipgrams(
    sequence: Any,
    vocabulary_size: int,
    window_size: int = 4,
    negative_samples: float = 1.0,
    shuffle: bool = True,
    categorical: bool = False,
    sampling_table: Any = None,
    seed: int | None = None,
) -> tuple[list[list[int]], list[Any]]:
    """Pairs of words, and 1 for those that stand within `window_size` words of each other, 0 for
    words with random others (`negative_samples` times as many). 0 is no word.

    >>> pairs, labels = skipgrams([1, 2], 3, negative_samples=0, shuffle=False)
    >>> pairs, labels
    ([[1, 2], [2, 1]], [1, 1])
    """
    yes: Any = [0, 1] if categorical else 1
    no: Any = [1, 0] if categorical else 0
    couples = []
    for i, word in enumerate(sequence):
        if not word or (sampling_table is not None and sampling_table[word] < random.random()):
            continue
        for j in range(max(0, i - window_size), min(len(sequence), i + window_size + 1)):
            if j != i and sequence[j]:
                couples.append([word, sequence[j]])
    labels = [yes] * len(couples)
    if negative_samples > 0 and couples:
        count = int(len(labels) * negative_samples)
        words = [couple[0] for couple in couples]
        random.shuffle(words)
        couples += [
            [words[i % len(words)], random.randint(1, vocabulary_size - 1)] for i in range(count)
        ]
        labels += [no] * count
    if shuffle:
        if seed is None:
            seed = random.randint(0, 10**7)
        for values in (couples, labels):
            random.seed(seed)
            random.shuffle(values)
    return couples, labels


def remove_long_seq(maxlen: int, seq: Any, label: Any) -> tuple[list[Any], list[Any]]:
    """The sequences shorter than `maxlen`, and their labels."""
    kept = [(s, y) for s, y in zip(seq, label, strict=False) if len(s) < maxlen]
    return [s for s, _ in kept], [y for _, y in kept]


__all__ = [
    "TimeseriesGenerator", "make_sampling_table", "pad_sequences", "remove_long_seq", "skipgrams",
]  # fmt: skip
