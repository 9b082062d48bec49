"""The DataLoader: batches of a data set, in order or shuffled, prepared here or by worker threads.

A data set that can hand out whole batches (see `chainrule.utils.data.batching`) is asked for them;
others are read row by row and collated. `state_dict()` says exactly where in which epoch the loader
is, and `load_state_dict()` goes on from there with the same order and the same augmentation.
"""

from __future__ import annotations

import collections
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import partial
from typing import Any, Generic, TypeVar

import numpy as np

from chainrule.runtime.random import Generator, stream
from chainrule.utils.data.batching import whole_batch
from chainrule.utils.data.chance import batch_chance
from chainrule.utils.data.collate import default_collate, default_convert
from chainrule.utils.data.dataset import IterableDataset
from chainrule.utils.data.sampler import (
    BatchSampler,
    OrderedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
)
from chainrule.utils.data.workers import WorkerPool, get_worker_info

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)

_FIXED = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")
_START_METHODS = ("fork", "spawn", "forkserver")
_END = object()  # what the stream of an exhausted iterable data set answers


class _InfiniteConstantSampler(Sampler[None]):
    """The "keys" of an iterable data set, which has none."""

    def __iter__(self) -> Iterator[None]:
        return itertools.repeat(None)


class DataLoader(Generic[T_co]):
    """Batches of `dataset`, as `torch.utils.data.DataLoader` yields them.

    dataset             something with `__getitem__` and `__len__`, or an `IterableDataset`
    batch_size          samples in a batch; None: samples one by one, not collated
    shuffle             a new random order each epoch, from the stream "shuffle"
    sampler             the order of the keys, instead of `shuffle`
    batch_sampler       lists of keys, instead of all of these
    num_workers         worker threads that prepare batches in advance; 0: none
    collate_fn          a batch of a list of samples; `default_collate` by default
    drop_last           leave out the last batch where it is short
    timeout             seconds to wait for a worker's batch; 0: for ever
    worker_init_fn      called as `worker_init_fn(id)` in each worker thread before its first batch
    generator           the random numbers for shuffling, instead of the stream's
    prefetch_factor     batches in preparation per worker; 2 by default
    persistent_workers  keep the worker threads from one epoch to the next
    in_order            False: yield batches as they get ready
    pin_memory, pin_memory_device, multiprocessing_context   accepted; they have no meaning here

    Raises `ValueError` for options that exclude each other, with PyTorch's words.

    >>> import chainrule as torch
    >>> from chainrule.utils.data import DataLoader, TensorDataset
    >>> for x, y in DataLoader(TensorDataset(torch.arange(5), torch.zeros(5)), batch_size=2):
    ...     print(x, tuple(y.shape))
    tensor([0, 1]) (2,)
    tensor([2, 3]) (2,)
    tensor([4]) (1,)
    """

    _ready = False

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[Any] | None = None,
        batch_sampler: Iterable[Any] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[Any], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], Any] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        iterable = isinstance(dataset, IterableDataset)
        _check_workers(
            num_workers, timeout, prefetch_factor, persistent_workers, multiprocessing_context
        )
        _check_order(iterable, batch_size, shuffle, sampler, batch_sampler, drop_last)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = prefetch_factor if num_workers == 0 else (prefetch_factor or 2)
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.in_order = in_order
        self.generator = generator
        self.persistent_workers = persistent_workers
        self._iterable = iterable
        if sampler is None:
            if iterable:
                sampler = _InfiniteConstantSampler()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_sampler is not None:
            batch_size, drop_last = None, False
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.batch_size = batch_size
        self.drop_last = drop_last
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        self.collate_fn = collate_fn
        self._pool: WorkerPool | None = None
        self._position = _Position()
        self._resume: _Position | None = None
        self._promised: int | None = None  # the length that an iterable data set claimed
        self._ready = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._ready and name in _FIXED:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    def __len__(self) -> int:
        """The number of batches. `TypeError` where the data set or the sampler has no length."""
        if not self._iterable:
            return len(self.sampler if self.batch_sampler is None else self.batch_sampler)  # type: ignore[arg-type]  # or TypeError
        n = len(self.dataset)
        if self.batch_size is not None:
            n = n // self.batch_size if self.drop_last else -(-n // self.batch_size)
        self._promised = n
        return n

    def __iter__(self) -> Iterator[Any]:
        return _Epoch(self)

    # Where it is

    def state_dict(self) -> dict[str, Any]:
        """Where the newest iterator is: enough to go on with its next batch in another process.

        These are the epoch, the number of batches it has yielded, the seeds of its order and its
        augmentation, and the state of the loader's own `generator` if it has one. (The streams
        "shuffle" and "augmentation" belong to the program: `chainrule.runtime.random.get_state()`
        saves them.)
        """
        position = self._resume or self._position
        generator = self._generator()
        return {**vars(position), "generator": None if generator is None else generator.snapshot()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Let the next iterator go on where `state` was taken.

        With a sampler or an iterable data set of the user's own, whose order no seed gives, the
        batches before it are drawn once more and left out.
        """
        expected = {*vars(_Position()), "generator"}
        if state.keys() != expected:
            raise ValueError(
                f"this is not the state of a DataLoader: it has {sorted(state)}, expected "
                f"{sorted(expected)}"
            )
        self._resume = _Position(**{k: v for k, v in state.items() if k != "generator"})
        generator = self._generator()
        if generator is not None and state["generator"] is not None:
            generator.restore(state["generator"])

    def _generator(self) -> Generator | None:
        """The random numbers that are this loader's own, if they are not the program's."""
        if self.generator is not None:
            return self.generator
        ordered, _ = self._ordered()
        return None if ordered is None else ordered.generator

    def _ordered(self) -> tuple[OrderedSampler | None, BatchSampler | None]:
        """The sampler whose epoch is one array, and how batches are cut out of that.

        (None, None) where a sampler is of the user's own making and has to be iterated over.
        """
        cutter, sampler = self.batch_sampler, self.sampler
        if isinstance(cutter, BatchSampler) and type(cutter).__iter__ is BatchSampler.__iter__:
            sampler = cutter.sampler
        elif cutter is not None:
            return None, None
        if (
            isinstance(sampler, OrderedSampler)
            and type(sampler).__iter__ is OrderedSampler.__iter__
            and sampler.source().twister is None
        ):
            return sampler, cutter
        return None, None

    def _start(self) -> _Position:
        """The position of a new epoch, or the one to resume."""
        resumed, self._resume = self._resume, None
        if resumed is not None and not resumed.finished:
            self._position = resumed
            return resumed
        ordered, _ = self._ordered()
        source = self.generator if self.generator is not None else stream("augmentation")
        twister = source.twister  # PyTorch draws a seed for its workers first
        chance = int(source.numpy().integers(2**63)) if twister is None else twister.seed()
        self._position = _Position(
            epoch=(resumed or self._position).epoch + 1,
            order_seed=None if ordered is None else ordered.draw(),
            chance_seed=chance,
        )
        return self._position

    def _keys(self, position: _Position) -> Iterator[Any]:
        """Batches of keys (single keys where nothing is collated) from the position on."""
        ordered, cutter = self._ordered()
        if ordered is None or position.order_seed is None:
            batches = self.sampler if self.batch_sampler is None else self.batch_sampler
            return itertools.islice(iter(batches), position.batch, None)
        if ordered.is_endless:
            keys = itertools.chain.from_iterable(
                part.tolist() for part in ordered.parts(position.order_seed)
            )
            if cutter is None:
                return itertools.islice(keys, position.batch, None)
            cut = BatchSampler(keys, cutter.batch_size, cutter.drop_last)
            return itertools.islice(iter(cut), position.batch, None)
        order = ordered.order(position.order_seed)
        if cutter is None:
            return iter(order[position.batch :].tolist())
        size = cutter.batch_size
        end = len(order) - len(order) % size if cutter.drop_last else len(order)
        return (order[i : i + size] for i in range(position.batch * size, end, size))

    def _workers(self, position: _Position) -> WorkerPool:
        """The worker threads: new ones, or those of the last epoch."""
        if self._pool is not None:
            return self._pool
        pool = WorkerPool(self.dataset, self.num_workers, position.chance_seed, self.worker_init_fn)
        if self.persistent_workers:
            self._pool = pool
        return pool


class _Position:
    """Which epoch (from 1), how many of its batches were yielded, and the seeds that made it."""

    def __init__(
        self,
        epoch: int = 0,
        batch: int = 0,
        finished: bool = False,
        order_seed: int | None = None,
        chance_seed: int = 0,
    ) -> None:
        self.epoch = epoch
        self.batch = batch
        self.finished = finished
        self.order_seed = order_seed
        self.chance_seed = chance_seed


class _Epoch(Iterator[Any]):
    """One pass over the data: counts what it yields."""

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._loader = loader
        self._position = loader._start()
        prepare = {
            (False, False): _serial,
            (False, True): _parallel,
            (True, False): _serial_stream,
            (True, True): _parallel_streams,
        }[loader._iterable, loader.num_workers > 0]
        self._batches = prepare(loader, self._position)

    def __next__(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            self._position.finished = True
            raise
        self._position.batch += 1
        promised = self._loader._promised
        if promised is not None and self._position.batch > promised:
            warnings.warn(
                f"Length of IterableDataset {self._loader.dataset} was reported to be {promised} "
                f"(when accessing len(dataloader)), but {self._position.batch} samples have been "
                "fetched.",
                stacklevel=2,
            )
        return batch

    def __len__(self) -> int:
        return len(self._loader)


# A batch


def _fetch(
    keys: Any, collated: bool, collate: Callable[[Any], Any], seed: int, number: int, dataset: Any
) -> Any:
    """The batch of these keys: whole where the data set can, else row by row."""
    with batch_chance(seed, number):
        if not collated:
            return collate(dataset[keys])
        if collate is default_collate and (whole := whole_batch(dataset)) is not None:
            indices = np.asarray(keys)
            if indices.ndim == 1 and indices.dtype.kind in "iu":
                batch = whole(indices)
                if batch is not NotImplemented:
                    return batch
        rows = keys.tolist() if isinstance(keys, np.ndarray) else keys
        many = getattr(dataset, "__getitems__", None)
        return collate(many(rows) if callable(many) else [dataset[row] for row in rows])


def _tasks(loader: DataLoader[Any], position: _Position) -> Iterator[Callable[[Any], Any]]:
    """For each batch to come, the function of the data set that makes it."""
    collated = loader.batch_sampler is not None
    for number, keys in enumerate(loader._keys(position), position.batch):
        yield partial(_fetch, keys, collated, loader.collate_fn, position.chance_seed, number)


def _serial(loader: DataLoader[Any], position: _Position) -> Iterator[Any]:
    """Batches made here. What can be asked once is asked here, once an epoch."""
    collated, collate, dataset = loader.batch_sampler is not None, loader.collate_fn, loader.dataset
    seed = position.chance_seed
    whole = whole_batch(dataset) if collated and collate is default_collate else None
    for number, keys in enumerate(loader._keys(position), position.batch):
        if whole is not None and type(keys) is np.ndarray:
            with batch_chance(seed, number):
                batch = whole(keys)
            if batch is not NotImplemented:
                yield batch
                continue
        yield _fetch(keys, collated, collate, seed, number, dataset)


def _parallel(loader: DataLoader[Any], position: _Position) -> Iterator[Any]:
    pool = loader._workers(position)
    tasks = zip(itertools.cycle(range(pool.count)), _tasks(loader, position), strict=False)
    pending: collections.deque[Future[Any]] = collections.deque()

    def fill() -> None:
        room = pool.count * (loader.prefetch_factor or 1) - len(pending)
        pending.extend(pool.submit(*task) for task in itertools.islice(tasks, room))

    try:
        fill()
        while pending:
            batch = _result(_next(pending, loader), loader.timeout)
            fill()  # before the batch is used, so that the workers go on meanwhile
            yield batch
            del batch
    finally:
        _leave(pool, pending, loader)


# Iterable data sets: each worker has one stream of batches, and answers one batch at a time


class _Stream:
    """The batches of one iterator over an iterable data set."""

    def __init__(self, loader: DataLoader[Any], seed: int) -> None:
        self._collate, self._seed = loader.collate_fn, seed
        self._size = None if loader.batch_sampler is None else loader.batch_size
        self._drop_last = loader.drop_last
        self._samples: Iterator[Any] | None = None
        self._number = 0

    def __call__(self, dataset: Any) -> Any:
        with batch_chance(self._seed, self._number):
            if self._samples is None:
                self._samples = iter(dataset)
            self._number += 1
            if self._size is None:
                sample = next(self._samples, _END)
                return _END if sample is _END else self._collate(sample)
            samples = list(itertools.islice(self._samples, self._size))
            if not samples or (self._drop_last and len(samples) < self._size):
                return _END
            return self._collate(samples)


def _serial_stream(loader: DataLoader[Any], position: _Position) -> Iterator[Any]:
    batches = _Stream(loader, position.chance_seed)
    skip = position.batch
    while (batch := batches(loader.dataset)) is not _END:
        if skip:
            skip -= 1
            continue
        yield batch


def _parallel_streams(loader: DataLoader[Any], position: _Position) -> Iterator[Any]:
    pool = loader._workers(position)
    streams = {w: _Stream(loader, position.chance_seed + w) for w in range(pool.count)}
    pending: collections.deque[Future[Any]] = collections.deque()
    owner: dict[Future[Any], int] = {}
    turns = itertools.cycle(range(pool.count))
    skip = position.batch

    def fill() -> None:
        while streams and len(pending) < len(streams) * (loader.prefetch_factor or 1):
            worker = next(turns)
            if worker in streams:
                future = pool.submit(worker, streams[worker])
                pending.append(future)
                owner[future] = worker

    try:
        fill()
        while pending:
            future = _next(pending, loader)
            worker = owner.pop(future)
            batch = _result(future, loader.timeout)
            if batch is _END:
                streams.pop(worker, None)
            fill()
            if batch is _END:
                continue
            if skip:
                skip -= 1
                continue
            yield batch
            del batch
    finally:
        _leave(pool, pending, loader)


def _next(pending: collections.deque[Future[Any]], loader: DataLoader[Any]) -> Future[Any]:
    """The batch to wait for: the oldest, or whichever is ready first."""
    if loader.in_order:
        return pending.popleft()
    ready, _ = wait(pending, loader.timeout or None, FIRST_COMPLETED)
    chosen = next((future for future in pending if future in ready), pending[0])
    pending.remove(chosen)
    return chosen


def _result(future: Future[Any], timeout: float) -> Any:
    try:
        return future.result(timeout or None)
    except TimeoutError:
        if future.done():
            raise  # the data set's own
        raise RuntimeError(f"DataLoader timed out after {timeout} seconds") from None


def _leave(pool: WorkerPool, pending: Iterable[Future[Any]], loader: DataLoader[Any]) -> None:
    for future in pending:
        future.cancel()
    if not loader.persistent_workers:
        pool.close()


# What does not go together


def _check_workers(
    num_workers: int,
    timeout: float,
    prefetch_factor: int | None,
    persistent_workers: bool,
    multiprocessing_context: Any,
) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable "
            "multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")
    known = multiprocessing_context in _START_METHODS
    if isinstance(multiprocessing_context, str) and num_workers > 0 and not known:
        raise ValueError(
            "multiprocessing_context option should specify a valid start method in "
            f"{list(_START_METHODS)!r}, but got multiprocessing_context={multiprocessing_context!r}"
        )
    if multiprocessing_context is not None and num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading "
            f"(num_workers > 0), but got num_workers={num_workers}"
        )


def _check_order(
    iterable: bool,
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Any,
    batch_sampler: Any,
    drop_last: bool,
) -> None:
    if iterable:
        given = (
            ("shuffle", shuffle or None),
            ("sampler", sampler),
            ("batch_sampler", batch_sampler),
        )
        for name, value in given:
            if value is not None:
                raise ValueError(
                    f"DataLoader with IterableDataset: expected unspecified {name} option, but got "
                    f"{name}={value}"
                )
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None:
        if batch_size != 1 or shuffle or sampler is not None or drop_last:
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and "
                "drop_last"
            )
    elif batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )
