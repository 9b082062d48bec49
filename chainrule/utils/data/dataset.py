"""Data sets: something with `__getitem__` and `__len__`, or something to iterate over."""

from __future__ import annotations

import bisect
import itertools
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from chainrule.runtime.random import Generator, stream
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data.batching import Array, chosen, gather, values, whole_batch

T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """A mapping from keys to samples: subclasses define `__getitem__`, and mostly `__len__`.

    A subclass in memory may define `__getbatch__` too (see `chainrule.utils.data.batching`).
    """

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[Any]) -> ConcatDataset:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """A stream of samples: subclasses define `__iter__`.

    With several workers every one of them iterates over a copy of the data set; `get_worker_info()`
    says which part is whose.
    """

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError("Subclasses of IterableDataset should implement __iter__.")

    def __add__(self, other: Dataset[Any]) -> ChainDataset:  # type: ignore[override]  # as in torch
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples along the first axis of several tensors: `(tensors[0][i], tensors[1][i], …)`.

    Raises `AssertionError` where their first axes differ.

    >>> import chainrule as torch
    >>> from chainrule.utils.data import TensorDataset
    >>> pairs = TensorDataset(torch.arange(4), torch.arange(4) ** 2)
    >>> len(pairs), pairs[3]
    (4, (tensor(3), tensor(9)))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensors[0].shape[0] != tensor.shape[0] for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __getbatch__(self, indices: Array) -> Any:
        columns = [gather(tensor, indices) for tensor in self.tensors]
        return NotImplemented if any(column is NotImplemented for column in columns) else columns

    def __len__(self) -> int:
        return int(self.tensors[0].shape[0])


class StackDataset(Dataset[Any]):
    """Data sets of one length side by side: a sample is a tuple (or, by keyword, a dictionary)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or ``dict``- (via ``kwargs``) like "
                "input/output, but both types are given."
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets: tuple[Any, ...] | dict[str, Any] = kwargs or args
        lengths = {len(dataset) for dataset in self._all()}
        if len(lengths) > 1:
            raise ValueError("Size mismatch between datasets")
        self._length = lengths.pop()

    def _all(self) -> list[Any]:
        return list(self.datasets.values() if isinstance(self.datasets, dict) else self.datasets)

    def _like(self, parts: list[Any]) -> Any:
        if isinstance(self.datasets, dict):
            return dict(zip(self.datasets, parts, strict=True))
        return tuple(parts)

    def __getitem__(self, index: Any) -> Any:
        return self._like([dataset[index] for dataset in self._all()])

    def __getbatch__(self, indices: Array) -> Any:
        parts = []
        for dataset in self._all():
            whole = whole_batch(dataset)
            part = NotImplemented if whole is None else whole(indices)
            if part is NotImplemented:
                return NotImplemented
            parts.append(part)
        return self._like(parts) if isinstance(self.datasets, dict) else parts

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[Any]):
    """One data set after the other. Raises `AssertionError` for none, or for an iterable one."""

    def __init__(self, datasets: Iterable[Any]) -> None:
        self.datasets: list[Any] = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(itertools.accumulate(len(d) for d in self.datasets))

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx: int) -> Any:
        if idx < 0:
            if -idx > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            idx += len(self)
        which = bisect.bisect_right(self.cumulative_sizes, idx)
        if which == len(self.datasets):
            raise IndexError(f"index {idx} is out of range for {len(self)} samples")
        return self.datasets[which][idx - (self.cumulative_sizes[which - 1] if which else 0)]

    def __getbatch__(self, indices: Array) -> Any:
        indices = np.where(indices < 0, indices + len(self), indices)
        if indices.size == 0 or indices.min() < 0 or indices.max() >= len(self):
            return NotImplemented  # row by row, which names the index that is wrong
        owner = np.searchsorted(self.cumulative_sizes, indices, side="right")
        order = np.argsort(owner, kind="stable")  # the rows of the first data set first, …
        counts = np.bincount(owner, minlength=len(self.datasets)).tolist()
        parts, first = [], 0
        for which, count in enumerate(counts):
            if not count:
                continue
            mine, first = order[first : first + count], first + count
            whole = whole_batch(self.datasets[which])
            start = self.cumulative_sizes[which - 1] if which else 0
            part = NotImplemented if whole is None else whole(indices[mine] - start)
            if part is NotImplemented:
                return NotImplemented
            parts.append(part)
        back = np.empty_like(order)
        back[order] = np.arange(len(order))
        return _interleave(parts, back)


def _interleave(parts: list[Any], order: Array) -> Any:
    """Batches of several data sets as one, rows in `order`; NotImplemented where they differ."""
    first = parts[0]
    if len(parts) == 1:
        return first
    if all(isinstance(part, Tensor) for part in parts):
        arrays = [values(part) for part in parts]
        if len({(array.shape[1:], array.dtype) for array in arrays}) > 1:
            return NotImplemented
        return from_owned(np.concatenate(arrays).take(order, 0))
    if all(type(part) is list and len(part) == len(first) for part in parts):
        columns = [_interleave(list(column), order) for column in zip(*parts, strict=True)]
        return NotImplemented if any(column is NotImplemented for column in columns) else columns
    if all(type(part) is dict and part.keys() == first.keys() for part in parts):
        merged = {key: _interleave([part[key] for part in parts], order) for key in first}
        return NotImplemented if any(v is NotImplemented for v in merged.values()) else merged
    return NotImplemented


class ChainDataset(IterableDataset[Any]):
    """One iterable data set after the other."""

    def __init__(self, datasets: Iterable[Dataset[Any]]) -> None:
        self.datasets = datasets

    def _streams(self) -> Iterator[IterableDataset[Any]]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[Any]:
        for dataset in self._streams():
            yield from dataset

    def __len__(self) -> int:
        streams: Iterator[Any] = self._streams()  # TypeError below for one without a length
        return sum(len(dataset) for dataset in streams)


class Subset(Dataset[T_co]):
    """The samples of a data set at the given indices."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx: Any) -> T_co:
        if isinstance(idx, list):
            sample: T_co = self.dataset[[self.indices[i] for i in idx]]
            return sample
        sample = self.dataset[self.indices[idx]]
        return sample

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        if type(self).__getitem__ is not Subset.__getitem__:
            return [self[index] for index in indices]
        rows = [self.indices[index] for index in indices]
        many = getattr(self.dataset, "__getitems__", None)
        return list(many(rows)) if callable(many) else [self.dataset[i] for i in rows]

    def __getbatch__(self, indices: Array) -> Any:
        whole = whole_batch(self.dataset)
        if whole is None:
            return NotImplemented
        rows = chosen(self.indices, indices)
        return NotImplemented if rows is None else whole(rows)

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Any, lengths: Sequence[int | float], generator: Generator | None = None
) -> list[Subset[Any]]:
    """Disjoint random subsets of the given lengths, or of fractions that sum to 1.

    A fraction f becomes ⌊f·n⌋ samples; what is left over goes to the subsets one by one, the first
    first. Draws from `generator`, or from the stream "shuffle". Raises `ValueError` where the
    lengths do not sum to the length of the data set, or a fraction is not between 0 and 1.

    >>> from chainrule.utils.data import random_split
    >>> [len(part) for part in random_split(range(10), [0.5, 0.25, 0.25])]
    [6, 2, 2]
    """
    n = len(dataset)
    sizes: list[int] = []
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        for i, fraction in enumerate(lengths):
            if fraction < 0 or fraction > 1:
                raise ValueError(f"Fraction at index {i} is not between 0 and 1")
            sizes.append(math.floor(n * fraction))
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
        for i, size in enumerate(sizes):
            if size == 0:
                warnings.warn(
                    f"Length of split at index {i} is 0. This might result in an empty dataset.",
                    stacklevel=2,
                )
    else:
        sizes = [int(length) for length in lengths]
    if sum(sizes) != n:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    source = generator if generator is not None else stream("shuffle")
    order = (source.twister or source.numpy()).permutation(n).tolist()
    ends = list(itertools.accumulate(sizes))
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
