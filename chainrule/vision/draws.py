"""The random numbers of data augmentation, one draw at a time.

They come from the stream "augmentation" or, inside a DataLoader, from the batch's own generator
(see `chainrule.utils.data.chance`). Under `config.random = "mt19937"` they are PyTorch's, drawn in
the order in which torchvision draws them, so that the same seed gives the same images.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule.dtypes import get_default_dtype, int64
from chainrule.runtime.mersenne import Twister
from chainrule.runtime.random import stream
from chainrule.utils.data.chance import augmentation

Array = np.ndarray[Any, np.dtype[Any]]


class Draws:
    """What the transforms ask of chance, from a NumPy generator."""

    __slots__ = ("_rng",)

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def share(self) -> float:
        """A number in [0, 1)."""
        return float(self._rng.random())

    def uniform(self, low: float, high: float) -> float:
        """A number between low and high."""
        return float(self._rng.uniform(low, high))

    def integer(self, low: int, high: int) -> int:
        """A whole number in [low, high)."""
        return int(self._rng.integers(low, high))

    def permutation(self, n: int) -> list[int]:
        """0 … n - 1 in some order."""
        order: list[int] = self._rng.permutation(n).tolist()
        return order

    def shares(self, *shape: int) -> Array:
        """Numbers in [0, 1), float32."""
        return self._rng.random(shape, dtype=np.float32)

    def normal(self, *shape: int) -> Array:
        """Normal numbers, float32."""
        return self._rng.standard_normal(shape, dtype=np.float32)

    def dirichlet(self, alpha: Sequence[float], n: int) -> Array:
        """n rows of shares that sum to one, float32."""
        return self._rng.dirichlet(alpha, n).astype(np.float32)

    def shuffled(self, n: int) -> list[int]:
        """`permutation`, for the two transforms that use Python's random numbers in torchvision."""
        return self.permutation(n)

    def choice(self, n: int, weights: Sequence[float] | None) -> int:
        """One of 0 … n - 1, in proportion to `weights`."""
        p = None if weights is None else np.asarray(weights, np.float64) / sum(weights)
        return int(self._rng.choice(n, p=p))


class TwisterDraws(Draws):
    """The same from PyTorch's generator; floats of the default dtype, as there."""

    __slots__ = ("_twister",)

    def __init__(self, twister: Twister) -> None:
        self._twister = twister

    def share(self) -> float:
        return float(self._twister.uniform((1,), get_default_dtype())[0])

    def uniform(self, low: float, high: float) -> float:
        share = self._twister.uniform((1,), get_default_dtype())[0]
        return float(share * share.dtype.type(high - low) + share.dtype.type(low))

    def integer(self, low: int, high: int) -> int:
        return int(self._twister.integers((1,), int64, low, high)[0])

    def permutation(self, n: int) -> list[int]:
        order: list[int] = self._twister.permutation(n).tolist()
        return order

    def shares(self, *shape: int) -> Array:
        return self._twister.uniform(shape, get_default_dtype())

    def normal(self, *shape: int) -> Array:
        return self._twister.normal(shape, get_default_dtype())

    def dirichlet(self, alpha: Sequence[float], n: int) -> Array:
        own = np.random.default_rng(self._twister.seed())
        return own.dirichlet(alpha, n).astype(get_default_dtype().np)

    def shuffled(self, n: int) -> list[int]:
        order = list(range(n))
        random.shuffle(order)
        return order

    def choice(self, n: int, weights: Sequence[float] | None) -> int:
        return random.choices(range(n), weights=weights)[0]


def draws() -> Draws:
    """Where the next numbers come from."""
    twister = stream("augmentation").twister
    return Draws(augmentation()) if twister is None else TwisterDraws(twister)


def drawn_in_batches() -> bool:
    """Whether a whole batch may draw at once: not where PyTorch's order of draws is asked for."""
    return stream("augmentation").twister is None
