"""The random numbers of data augmentation: a function of the epoch's seed and the batch's number.

A worker thread may prepare a batch earlier or later than another one does. The numbers that a
transform draws must not depend on that, nor on how many workers there are, nor on whether the epoch
began at its first batch or was resumed in the middle. So each batch has a generator of its own,
made when a transform first asks for it.
"""

from __future__ import annotations

import threading

import numpy as np

from chainrule.runtime.random import stream

_here = threading.local()


def augmentation() -> np.random.Generator:
    """The generator to draw from now: the batch's inside a DataLoader, else the stream's."""
    key: tuple[int, int] | None = getattr(_here, "key", None)
    if key is None:
        return stream("augmentation").numpy()
    if _here.generator is None:
        _here.generator = np.random.Generator(np.random.Philox(key=key))
    generator: np.random.Generator = _here.generator
    return generator


class batch_chance:
    """Inside, `augmentation()` is the generator of batch `number` of the epoch with this seed.

    (A class: as a generator function it would take a quarter of the time of a small batch.)
    """

    __slots__ = ("before", "key")

    def __init__(self, seed: int, number: int) -> None:
        self.key = (seed, number)

    def __enter__(self) -> None:
        self.before = getattr(_here, "key", None), getattr(_here, "generator", None)
        _here.key, _here.generator = self.key, None

    def __exit__(self, *_: object) -> None:
        _here.key, _here.generator = self.before
