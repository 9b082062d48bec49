"""Samplers: in which order the samples come."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any, Generic, TypeVar

import numpy as np

from chainrule import distributed, dtypes
from chainrule.runtime.mersenne import Twister
from chainrule.runtime.random import Generator, stream
from chainrule.utils.data.batching import Array

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """An order of keys: subclasses define `__iter__`, and `__len__` where it is known."""

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of Sampler should implement __iter__.")


class OrderedSampler(Sampler[int]):
    """A sampler whose whole epoch is one array, `order(seed)`: a pure function of one number.

    So the DataLoader can cut batches out of it without a loop, and come back to it after a resume.
    """

    generator: Generator | None = None

    def draw(self) -> int:
        """A seed for the next epoch, from `generator` or from the stream "shuffle"."""
        return int(self.source().numpy().integers(2**63))

    def source(self) -> Generator:
        """Where its random numbers come from."""
        return self.generator if self.generator is not None else stream("shuffle")

    def order(self, seed: int) -> Array:
        """The indices of the epoch with this seed, int64."""
        raise NotImplementedError

    def twisted(self, twister: Twister) -> Array:
        """The indices of the next epoch as PyTorch draws them."""
        raise NotImplementedError

    @property
    def is_endless(self) -> bool:
        """Whether an epoch is so long that its order is made in parts, as they are needed."""
        return False

    def parts(self, seed: int) -> Iterator[Array]:
        """The order, in one part or in several."""
        yield self.order(seed)

    def twisted_parts(self, twister: Twister) -> Iterator[Array]:
        """The same as PyTorch draws them."""
        yield self.twisted(twister)

    def __iter__(self) -> Iterator[int]:
        twister = self.source().twister
        parts = self.parts(self.draw()) if twister is None else self.twisted_parts(twister)
        return itertools.chain.from_iterable(part.tolist() for part in parts)


#: So many draws are made at once.
_WHOLE = 1 << 20


def _rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


class SequentialSampler(OrderedSampler):
    """0, 1, 2, …, n - 1."""

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def draw(self) -> int:
        return 0

    def order(self, seed: int) -> Array:
        return np.arange(len(self))

    def twisted(self, twister: Twister) -> Array:
        return self.order(0)

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(OrderedSampler):
    """Every index once in random order, or `num_samples` draws with replacement.

    Without replacement, more than n samples are several orders one after the other.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                "num_samples should be a positive integer value, but got "
                f"num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def order(self, seed: int) -> Array:
        n, rng = len(self.data_source), _rng(seed)
        if self.replacement:
            return rng.integers(n, size=self.num_samples)
        rounds = -(-self.num_samples // n)
        return np.concatenate([rng.permutation(n) for _ in range(rounds)])[: self.num_samples]

    @property
    def is_endless(self) -> bool:
        return self.num_samples > max(_WHOLE, len(self.data_source))

    def parts(self, seed: int) -> Iterator[Array]:
        if not self.is_endless:
            yield self.order(seed)
            return
        n, rng, left = len(self.data_source), _rng(seed), self.num_samples
        while left > 0:
            part = rng.integers(n, size=_WHOLE) if self.replacement else rng.permutation(n)
            yield part[:left]
            left -= len(part)

    def twisted_parts(self, twister: Twister) -> Iterator[Array]:
        if not self.is_endless:
            yield self.twisted(twister)
            return
        n, left = len(self.data_source), self.num_samples
        own = twister if self.generator is not None else Twister(twister.seed())
        while left > 0:  # PyTorch draws 32 at a time
            part = (
                own.integers((32,), dtypes.int64, 0, n) if self.replacement else own.permutation(n)
            )
            yield part[:left]
            left -= len(part)

    def twisted(self, twister: Twister) -> Array:
        n, count = len(self.data_source), self.num_samples
        own = twister if self.generator is not None else Twister(twister.seed())
        if self.replacement:
            return own.integers((count,), dtypes.int64, 0, n)
        rounds = [own.permutation(n) for _ in range(count // n + 1)]  # one more than is used
        return np.concatenate(rounds)[:count]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(OrderedSampler):
    """The given indices in random order."""

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def order(self, seed: int) -> Array:
        return np.asarray(self.indices, dtype=np.int64)[_rng(seed).permutation(len(self.indices))]

    def twisted(self, twister: Twister) -> Array:
        return np.asarray(self.indices, dtype=np.int64)[twister.permutation(len(self.indices))]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(OrderedSampler):
    """Indices drawn with probabilities in proportion to `weights` (which need not sum to 1)."""

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={num_samples}"
            )
        if not isinstance(replacement, bool):
            raise ValueError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        self.weights: Array = np.asarray(weights, dtype=np.float64)
        if self.weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {self.weights.shape}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def order(self, seed: int) -> Array:
        total = self.weights.sum()
        if not np.isfinite(total) or total <= 0 or self.weights.min() < 0:
            raise RuntimeError(
                "WeightedRandomSampler needs finite weights, none negative and some positive; got "
                f"a smallest weight of {self.weights.min()} and a sum of {total}"
            )
        possible = int(np.count_nonzero(self.weights))
        if not self.replacement and self.num_samples > possible:
            raise RuntimeError(
                f"cannot draw {self.num_samples} samples without replacement: only {possible} "
                "weights are positive"
            )
        rng = _rng(seed)
        if not self.replacement:
            return rng.choice(len(self.weights), self.num_samples, False, self.weights / total)
        # Uniform numbers that come sorted (sums of exponential ones) are looked up in a third of
        # the time; the draws are put into random order afterwards.
        steps = rng.standard_exponential(self.num_samples + 1).cumsum()
        up_to = self.weights.cumsum()
        drawn = np.searchsorted(up_to, steps[:-1] * (up_to[-1] / steps[-1]), side="right")
        rng.shuffle(drawn)
        return np.minimum(drawn, np.flatnonzero(self.weights)[-1])  # where rounding went past it

    def twisted(self, twister: Twister) -> Array:
        return twister.multinomial(self.weights[None], self.num_samples, self.replacement)[0]

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """Lists of `batch_size` keys of another sampler; the last may be shorter, or is dropped.

    >>> from chainrule.utils.data import BatchSampler, SequentialSampler
    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    """

    def __init__(self, sampler: Iterable[Any], batch_size: int, drop_last: bool) -> None:
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(
                f"batch_size should be a positive integer value, but got batch_size={batch_size}"
            )
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got drop_last={drop_last}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        keys = iter(self.sampler)
        while batch := list(itertools.islice(keys, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        n = len(self.sampler)  # type: ignore[arg-type]  # a sampler without a length has no len()
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)


class DistributedSampler(OrderedSampler):
    """The share of one of several processes: every `num_replicas`-th index, from `rank` on.

    The order is a function of `seed` and the epoch, so that all processes cut the same one; call
    `set_epoch` before each epoch. Indices repeat, or the tail is dropped, until all shares are
    equal. What is not given, the process group is asked for.
    """

    def __init__(
        self,
        dataset: Sized,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        num_replicas = distributed.get_world_size() if num_replicas is None else num_replicas
        rank = distributed.get_rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        n = len(dataset)
        self.num_samples = n // num_replicas if drop_last else -(-n // num_replicas)
        self.total_size = self.num_samples * num_replicas

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch."""
        self.epoch = epoch

    def draw(self) -> int:
        return self.seed + self.epoch

    def order(self, seed: int) -> Array:
        return self._share(_rng(seed))

    def twisted(self, twister: Twister) -> Array:
        return self._share(Twister(self.draw()))

    def _share(self, rng: np.random.Generator | Twister) -> Array:
        n = len(self.dataset)
        order = rng.permutation(n) if self.shuffle else np.arange(n)
        return np.resize(order, self.total_size)[self.rank :: self.num_replicas]

    def __len__(self) -> int:
        return self.num_samples
