"""PyTorch's own random numbers, draw for draw: to see that a program computes the same there.

PyTorch's CPU generator is one Mersenne Twister (Matsumoto and Nishimura 1998) for everything that
a program draws, in the order in which it draws. With `config.random = "mt19937"` (the environment
variable CHAINRULE_RANDOM) so is ours: after the same `manual_seed`, a program starts from the same
weights, sees the same batches, drops the same elements, and prints the same losses. It is slower
than the numbers that are functions of a counter, and a second data loader disturbs what follows.
"""

from __future__ import annotations

import math

import numpy as np

from chainrule import dtypes
from chainrule.dtypes import DType
from chainrule.shapes import Shape

_32 = np.uint64(32)


class Twister:
    """A Mersenne Twister with the distributions of PyTorch's CPU kernels.

    Normal numbers may differ in the last digit (PyTorch approximates logarithm and cosine), and
    what is rarer than the methods below, such as Cauchy numbers, is drawn in ways of our own.
    """

    def __init__(self, seed: int) -> None:
        self._bits = np.random.MT19937()
        self._bits._legacy_seeding(seed & 0xFFFFFFFF)  # the seeding of Matsumoto's init_genrand
        self._spare: float | None = None  # the second of two normal numbers

    def words(self, count: int) -> np.ndarray:
        """32-bit words, in uint64."""
        return np.asarray(self._bits.random_raw(count), np.uint64)

    def pairs(self, count: int) -> np.ndarray:
        """64-bit words, the first draw above."""
        words = self.words(2 * count).reshape(-1, 2)
        return words[:, 0] << _32 | words[:, 1]

    def _uniform(self, count: int, dtype: DType) -> np.ndarray:
        """U[0, 1) with as many bits as the dtype's significand has."""
        if dtype is dtypes.float64:
            return (self.pairs(count) & np.uint64(2**53 - 1)).astype(np.float64) * 2.0**-53
        bits = {dtypes.float16: 11, dtypes.bfloat16: 8}.get(dtype, 24)
        words = self.words(count) & np.uint64(2**bits - 1)
        return words.astype(np.float32) * np.float32(2.0**-bits)

    def uniform(self, shape: Shape, dtype: DType) -> np.ndarray:
        """U[0, 1)"""
        return self._uniform(math.prod(shape), dtype).reshape(shape).astype(dtype.np)

    def normal(self, shape: Shape, dtype: DType) -> np.ndarray:
        """N(0, 1) by Box and Muller: sixteen at once, of which the last overlap; few one by one."""
        count = math.prod(shape)
        if count < 16:
            return np.array([self._one() for _ in range(count)]).reshape(shape).astype(dtype.np)
        values = self._uniform(count, dtype)
        whole = count - count % 16
        values[:whole] = _box_muller(values[:whole])
        if count % 16:
            values[-16:] = _box_muller(self._uniform(16, dtype))
        return values.reshape(shape).astype(dtype.np)

    def _one(self) -> float:
        if self._spare is not None:
            value, self._spare = self._spare, None
            return value
        u, v = self._uniform(2, dtypes.float64)
        r, angle = math.sqrt(-2 * math.log1p(-v)), 2 * math.pi * u
        self._spare = r * math.sin(angle)
        return float(r * math.cos(angle))

    def integers(self, shape: Shape, dtype: DType, low: int, high: int) -> np.ndarray:
        """Whole numbers in [low, high)."""
        draw = self.pairs if high - low >= 2**32 else self.words
        found = draw(math.prod(shape)) % np.uint64(high - low)
        return (found.astype(np.int64) + low).reshape(shape).astype(dtype.np)

    def bernoulli(self, shape: Shape, p: float) -> np.ndarray:
        """True with probability p."""
        return self._uniform(math.prod(shape), dtypes.float64).reshape(shape) < p

    def exponential(self, shape: Shape, dtype: DType, rate: float = 1.0) -> np.ndarray:
        """−log(1 − u) / rate"""
        u = self._uniform(math.prod(shape), dtypes.float64)
        return (-np.log1p(-u) / rate).reshape(shape).astype(dtype.np)

    def seed(self) -> int:
        """A seed for another generator, as PyTorch's samplers and loaders draw it."""
        return int(self.pairs(1)[0]) % 2**63

    def permutation(self, count: int) -> np.ndarray:
        """0 … count − 1 in random order, by exchanges from the front (Fisher and Yates)."""
        order = list(range(count))
        left = np.arange(count, 1, -1, dtype=np.uint64)
        for i, step in enumerate((self.words(max(count - 1, 0)) % left).tolist()):
            order[i], order[i + step] = order[i + step], order[i]
        return np.array(order, np.int64)

    def multinomial(self, rows: np.ndarray, count: int, replacement: bool) -> np.ndarray:
        """Columns drawn in proportion to each row's weights (float64 or float32)."""
        if not replacement or count == 1:
            dtype = dtypes.float64 if rows.dtype == np.float64 else dtypes.float32
            score = rows / self.exponential(rows.shape, dtype)
            return np.argsort(-score, -1, kind="stable")[:, :count]
        edges = np.cumsum(rows, -1, dtype=rows.dtype)
        edges /= edges[:, -1:]
        u = self._uniform(len(rows) * count, dtypes.float64).reshape(len(rows), count)
        return np.stack([np.searchsorted(e, x) for e, x in zip(edges, u, strict=True)])

    def state(self) -> tuple[object, float | None]:
        """What `restore` takes."""
        return self._bits.state, self._spare

    def restore(self, state: tuple[object, float | None]) -> None:
        """Go on where `state` was taken."""
        self._bits.state, self._spare = state  # type: ignore[assignment]  # NumPy types it narrowly


def _box_muller(u: np.ndarray) -> np.ndarray:
    """Normal numbers in sixteens: radii from the first eight uniform ones, angles from the rest."""
    u = u.reshape(-1, 2, 8)
    r = np.sqrt(-2 * np.log(1 - u[:, 0]))
    angle = u.dtype.type(2 * math.pi) * u[:, 1]
    return np.stack([r * np.cos(angle), r * np.sin(angle)], 1).reshape(-1)
