"""Where batches come from: arrays in memory, or anything that yields batches.

`as_batches` turns what a user hands to `fit`, `evaluate` or `predict` into a `Batches`: an object
with a length (or None where nobody knows it) that gives the batches of one epoch after the other. A
batch is `(x, y, sample_weight)` with None for what is missing.
"""

from __future__ import annotations

import functools
import itertools
import math
import warnings
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np

from chainrule.errors import DataError, ShapeError
from chainrule.runtime.random import stream
from chainrule.strings import StringTensor, as_strings, is_string, made
from chainrule.tensor import Tensor, fromdata
from chainrule.training.tree import flatten, map_leaves

Batch = tuple[Any, Any, Any]


class Batches:
    """One epoch of batches after the other."""

    #: Number of batches in an epoch, None where nobody knows it.
    steps: int | None = None

    def epoch(self) -> Iterator[Batch]:
        """The batches of the next epoch."""
        raise NotImplementedError

    def end_epoch(self) -> None:
        """Tell the source that an epoch is over."""

    def pass_by(self) -> None:
        """Leave out an epoch that an earlier process has done."""


class ArrayBatches(Batches):
    """Arrays in memory. A shuffled batch is one gather, an unshuffled one is a view."""

    def __init__(
        self,
        data: Batch,
        *,
        batch_size: int = 32,
        shuffle: bool | str = False,
        steps: int | None = None,
    ) -> None:
        if isinstance(batch_size, bool) or int(batch_size) != batch_size or batch_size < 1:
            raise ValueError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
        self.data = data
        self.count = _common_length(data)
        self.batch_size = int(batch_size)
        self.shuffle = shuffle
        whole = math.ceil(self.count / self.batch_size)
        self.steps = whole if steps is None else min(steps, whole)

    def epoch(self) -> Iterator[Batch]:
        order = self._order()
        for first in range(0, (self.steps or 0) * self.batch_size, self.batch_size):
            last = min(first + self.batch_size, self.count)
            rows: Any = slice(first, last) if order is None else order[first:last]
            yield map_leaves(
                lambda a, rows=rows: None if a is None else as_tensor(_rows(a, rows)), self.data
            )

    def _order(self) -> np.ndarray | None:
        if not self.shuffle:
            return None
        generator = stream("shuffle").numpy()
        if self.shuffle == "batch":  # whole batches change places, rows inside a batch stay
            starts = np.arange(0, self.count, self.batch_size)
            full = starts[: self.count // self.batch_size]
            generator.shuffle(full)
            rows = [np.arange(s, min(s + self.batch_size, self.count)) for s in full]
            rows.append(np.arange(len(full) * self.batch_size, self.count))
            return np.concatenate(rows)
        return generator.permutation(self.count)


class IterableBatches(Batches):
    """A loader, a data set, a generator: whatever yields a batch at a time.

    Without `steps` an epoch is one pass; with it an epoch is that many batches, and the next epoch
    goes on where the last one stopped (an exhausted source that can be iterated again is started
    again).
    """

    def __init__(
        self,
        source: Iterable[Any],
        *,
        steps: int | None = None,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        self.source = source
        self.class_weight = class_weight
        self.limit = steps
        self.steps = steps if steps is not None else _length(source)
        self._running: Iterator[Any] | None = None

    def epoch(self) -> Iterator[Batch]:
        if self.limit is None:
            return map(self._standard, iter(self.source))
        return self._limited(self.limit)

    def _limited(self, limit: int) -> Iterator[Batch]:
        restarted = False
        done = 0
        while done < limit:
            if self._running is None:
                self._running = iter(self.source)
            for item in islice(self._running, limit - done):
                done += 1
                restarted = False
                yield self._standard(item)
            if done < limit:
                if restarted or iter(self.source) is self.source:
                    if not done:
                        raise DataError(
                            f"the data ran out after {done} of {limit} steps; "
                            "give fewer steps_per_epoch or a source that goes on"
                        )
                    warnings.warn(
                        f"Your input ran out of data; interrupting training after {done} of "
                        f"{limit} steps. Make sure that your dataset or generator can generate at "
                        "least `steps_per_epoch * epochs` batches: `.repeat()` makes a dataset "
                        "go on.",
                        stacklevel=2,
                    )
                    return
                self._running, restarted = None, True

    def pass_by(self) -> None:
        if self.limit is not None:  # the next epoch goes on where this one would have stopped
            for _ in self._limited(self.limit):
                pass

    def _standard(self, item: Any) -> Batch:
        x, y, weight = unpack(item)
        if self.class_weight is not None and y is not None:
            weight = _times(class_weights(_numpy(y), self.class_weight), weight)
        return (
            map_leaves(as_tensor, x),
            None if y is None else map_leaves(as_tensor, y),
            None if weight is None else map_leaves(as_tensor, weight),
        )

    def end_epoch(self) -> None:
        if hasattr(self.source, "on_epoch_end"):
            self.source.on_epoch_end()


class SequenceBatches(IterableBatches):
    """An indexable source with a length (`keras.utils.PyDataset`), optionally with its batches
    shuffled.
    """

    def __init__(
        self,
        source: Any,
        *,
        steps: int | None = None,
        shuffle: bool = False,
        class_weight: Mapping[int, float] | None = None,
    ) -> None:
        super().__init__(_Items(source, shuffle), steps=steps, class_weight=class_weight)
        self.sequence = source

    def epoch(self) -> Iterator[Batch]:
        if hasattr(self.sequence, "on_epoch_begin"):
            self.sequence.on_epoch_begin()
        return super().epoch()

    def end_epoch(self) -> None:
        if hasattr(self.sequence, "on_epoch_end"):
            self.sequence.on_epoch_end()


class _Items:
    """Iterates an indexable source by its length, not until an IndexError; with several `workers`
    in threads, some batches ahead.
    """

    def __init__(self, source: Any, shuffle: bool) -> None:
        self.source = source
        self.shuffle = shuffle

    def _count(self) -> int | None:
        if not hasattr(self.source, "num_batches"):
            return len(self.source)
        count: int | None = self.source.num_batches
        return count

    def __len__(self) -> int:
        count = self._count()
        if count is None:
            raise TypeError(f"a {type(self.source).__name__} without end has no length")
        return count

    def __iter__(self) -> Iterator[Any]:
        count = self._count()
        order: Iterable[int] = itertools.count() if count is None else range(count)
        if self.shuffle and count is not None:
            order = stream("shuffle").numpy().permutation(count).tolist()
        workers = getattr(self.source, "workers", 1)
        if workers > 1:
            return self._ahead(iter(order), workers)
        return (self.source[i] for i in order)

    def _ahead(self, order: Iterator[int], workers: int) -> Iterator[Any]:
        waiting: deque[Future[Any]] = deque()
        with ThreadPoolExecutor(workers) as pool:
            for i in itertools.islice(order, max(workers, self.source.max_queue_size)):
                waiting.append(pool.submit(self.source.__getitem__, i))
            while waiting:
                batch = waiting.popleft().result()
                waiting.extend(
                    pool.submit(self.source.__getitem__, i) for i in itertools.islice(order, 1)
                )
                yield batch


def as_batches(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    shuffle: bool | str = False,
    steps: int | None = None,
    class_weight: Mapping[int, float] | None = None,
) -> Batches:
    """Batches from arrays (or nested structures of arrays), a loader, a sequence, a data set or a
    generator.
    """
    if isinstance(x, Batches):
        return x
    if is_source(x):
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"x is a {type(x).__name__}, which yields its own targets and weights; "
                "leave out y and sample_weight"
            )
        if _is_indexable(x):
            return SequenceBatches(x, steps=steps, shuffle=bool(shuffle), class_weight=class_weight)
        return IterableBatches(x, steps=steps, class_weight=class_weight)
    data = (
        map_leaves(as_array, _structure(x)),
        None if y is None else map_leaves(as_array, _structure(y)),
        None if sample_weight is None else map_leaves(as_array, _structure(sample_weight)),
    )
    if class_weight is not None:
        if data[1] is None or isinstance(data[1], list | tuple | dict):
            raise ValueError("class_weight needs one array of targets y")
        data = (data[0], data[1], _times(class_weights(data[1], class_weight), data[2]))
    return ArrayBatches(
        data, batch_size=32 if batch_size is None else batch_size, shuffle=shuffle, steps=steps
    )


def is_source(x: Any) -> bool:
    """Whether `x` yields batches by itself (and is not an array or a structure of arrays)."""
    if isinstance(x, list | tuple | dict | Tensor | np.ndarray) or hasattr(x, "__array__"):
        return False
    return _is_indexable(x) or hasattr(x, "__iter__") or hasattr(x, "__next__")


def _is_indexable(x: Any) -> bool:
    """Whether `x` gives batches by index, as `keras.utils.PyDataset` does."""
    if not hasattr(x, "__getitem__"):
        return False
    return hasattr(x, "num_batches") or (hasattr(x, "__len__") and not hasattr(x, "__iter__"))


def _structure(x: Any) -> Any:
    """A list of numbers is one array; a list of arrays is a list of inputs."""
    if isinstance(x, list | tuple) and not any(
        item is None or isinstance(item, Tensor | np.ndarray | dict) or hasattr(item, "__array__")
        for item in x
    ):
        return np.asarray(x)
    return x


def unpack(item: Any) -> Batch:
    """`(x, y, sample_weight)` from what a source yielded."""
    if isinstance(item, tuple | list) and not hasattr(item, "_fields"):
        if len(item) == 1:
            return item[0], None, None
        if len(item) == 2:
            return item[0], item[1], None
        if len(item) == 3:
            return item[0], item[1], item[2]
        raise ValueError(
            f"a batch is x, (x, y) or (x, y, sample_weight); got a {type(item).__name__} of "
            f"{len(item)}"
        )
    return item, None, None


def as_array(x: Any) -> np.ndarray:
    """A NumPy array of a dtype that a network takes: floats become float32, strings bytes, other
    kinds stay.

    float64 data come from a division by 255.0 far more often than from a wish for 53 bits, and
    Keras does the same. None, for an input that is optional, stays. A column of a table has a last
    axis of size 1.
    """
    if x is None:
        return None  # type: ignore[return-value]  # no array: an input that is optional
    if type(x).__name__ == "Series" and hasattr(x, "to_numpy"):
        x = x.to_numpy()[:, None]
    if is_string(x):
        return as_strings(x).array
    array = _numpy(x)
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype.kind in "OUSV":
        raise TypeError(
            f"data must be numbers, got an array of dtype {array.dtype}"
            + (
                "; rows of unlike lengths need pad_sequences first"
                if array.dtype.kind == "O"
                else ""
            )
        )
    return array


def as_tensor(x: Any) -> Any:
    """A tensor over the array without a copy where the array allows it."""
    if x is None or isinstance(x, Tensor | StringTensor):
        return x
    array = as_array(x)
    return made(array) if array.dtype == object else fromdata.from_owned(array)


def class_weights(y: np.ndarray, class_weight: Mapping[int, float]) -> np.ndarray:
    """One weight per row from a weight per class; classes that are not named weigh 1.

    >>> class_weights(np.array([0, 1, 1]), {1: 3.0})
    array([1., 3., 3.], dtype=float32)
    """
    labels = y
    if y.ndim > 1:
        labels = y.argmax(-1) if y.shape[-1] != 1 else y[..., 0]
    labels = np.rint(labels).astype(np.int64)
    weights = np.ones(labels.shape, np.float32)
    for label, weight in class_weight.items():
        weights[labels == int(label)] = weight
    return weights


def split_off(data: Batch, fraction: float) -> tuple[Batch, Batch]:
    """The first rows for training and the last `fraction` of the rows for validation, before any
    shuffling.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"validation_split must lie between 0 and 1, got {fraction}")
    if is_source(data[0]):
        raise ValueError("validation_split needs arrays; give a source's validation data by itself")
    arrays = tuple(
        None if part is None else map_leaves(as_array, _structure(part)) for part in data
    )
    count = _common_length(arrays)
    kept = math.floor(count * (1 - fraction))
    if kept == 0 or kept == count:
        raise ValueError(
            f"validation_split={fraction} of {count} rows leaves nothing "
            f"{'to train on' if kept == 0 else 'to validate on'}"
        )
    head, tail = (
        tuple(
            None if part is None else map_leaves(functools.partial(_rows, rows=rows), part)
            for part in arrays
        )
        for rows in (slice(None, kept), slice(kept, None))
    )
    return head, tail  # type: ignore[return-value]  # three parts each, by construction


def _rows(array: Any, rows: slice | np.ndarray) -> Any:
    """Some rows, whose places are known to exist: `take` needs half the time of an index."""
    if type(array) is np.ndarray and type(rows) is np.ndarray:
        return array.take(rows, axis=0, mode="clip")
    return None if array is None else array[rows]


def _common_length(data: Any) -> int:
    arrays = [a for a in flatten(data) if a is not None]
    if not arrays:
        raise DataError("there are no data: x is missing")
    for array in arrays:
        if array.ndim == 0:
            raise ShapeError("data need a first axis of examples, got a single number")
    lengths = {len(a) for a in arrays}
    if len(lengths) > 1:
        shapes = ", ".join(
            f"{name} of shape {tuple(a.shape)}"
            for name, part in zip(("x", "y", "sample_weight"), data, strict=False)
            for a in flatten(part)
            if a is not None
        )
        raise ShapeError(
            f"the data have unlike numbers of rows: {shapes}",
            repair=f"every example needs its row in each: x[:{min(lengths)}], y[:{min(lengths)}] "
            "if the rest is not wanted, or see where rows were lost",
        )
    count = lengths.pop()
    if count == 0:
        raise DataError("the data are empty: x has no rows")
    return count


def _numpy(x: Any) -> np.ndarray:
    return x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)


def _times(weights: np.ndarray, more: Any) -> np.ndarray:
    return weights if more is None else weights * _numpy(more).reshape(weights.shape)


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:  # a generator, or an iterable data set: the first epoch will show
        return None
