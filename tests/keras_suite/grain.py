"""`grain`, where it is not installed: as much of it as Keras's tests of other things import."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np


class RandomAccessDataSource:
    """What a data set reads from: `len` and `[]`."""


class MapDataset:
    """Elements by index."""

    def __init__(self, items: Callable[[], Iterator[Any]]) -> None:
        self._items = items

    @classmethod
    def source(cls, source: Any) -> MapDataset:
        return cls(lambda: (source[i] for i in range(len(source))))

    def map(self, function: Callable[[Any], Any]) -> MapDataset:
        return MapDataset(lambda: map(function, self._items()))

    def batch(self, batch_size: int, **options: Any) -> MapDataset:
        def batches() -> Iterator[Any]:
            waiting: list[Any] = []
            for item in self._items():
                waiting.append(item)
                if len(waiting) == batch_size:
                    yield np.stack(waiting)
                    waiting = []
            if waiting:
                yield np.stack(waiting)

        return MapDataset(batches)

    def to_iter_dataset(self) -> MapDataset:
        return self

    def __iter__(self) -> Iterator[Any]:
        return self._items()


IterDataset = MapDataset
sources = SimpleNamespace(RandomAccessDataSource=RandomAccessDataSource)
