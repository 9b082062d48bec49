"""The DataLoader: every batch once, in the order asked for, with or without workers."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from chainrule.runtime.random import Generator, manual_seed
from chainrule.tensor import Tensor
from chainrule.tensor.creation import arange
from chainrule.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    Sampler,
    SubsetRandomSampler,
    TensorDataset,
    get_worker_info,
)
from chainrule.utils.data.chance import augmentation


class Rows(Dataset):
    """Rows only: what cannot be gathered. Counts how often it is read."""

    def __init__(self, n: int) -> None:
        self.n, self.reads = n, 0

    def __getitem__(self, index: int) -> int:
        self.reads += 1
        return index

    def __len__(self) -> int:
        return self.n


class Noisy(Dataset):
    """A row with a random number of the augmentation's."""

    def __getitem__(self, index: int) -> tuple[int, float]:
        return index, augmentation().random()

    def __len__(self) -> int:
        return 20


class Stream(IterableDataset):
    """0 … n - 1, or a worker's share of it."""

    def __init__(self, n: int, shared_out: bool = True) -> None:
        self.n, self.shared_out = n, shared_out

    def __iter__(self) -> Iterator[int]:
        info = get_worker_info()
        if info is None or not self.shared_out:
            return iter(range(self.n))
        return iter(range(info.id, self.n, info.num_workers))


def lists(loader: Any) -> list[Any]:
    return [batch.tolist() for batch in loader]


WORKERS = pytest.mark.parametrize("workers", [0, 1, 3])


@WORKERS
@pytest.mark.parametrize(
    "dataset",
    [Rows(7), TensorDataset(arange(7)), list(range(7))],
    ids=["rows", "tensors", "list"],
)
def test_batches_in_order(dataset: Any, workers: int) -> None:
    def batches(**options: Any) -> list[list[int]]:
        loader = DataLoader(dataset, num_workers=workers, **options)
        found = [b[0] if isinstance(b, list) else b for b in loader]
        assert len(loader) == len(found)
        return [batch.tolist() for batch in found]

    assert batches(batch_size=3) == [[0, 1, 2], [3, 4, 5], [6]]
    assert batches(batch_size=3, drop_last=True) == [[0, 1, 2], [3, 4, 5]]
    assert batches() == [[i] for i in range(7)]
    assert batches(batch_size=100) == [list(range(7))]


@WORKERS
def test_shuffling_gives_every_row_once_and_a_new_order_each_epoch(workers: int) -> None:
    loader = DataLoader(TensorDataset(arange(50)), 8, shuffle=True, num_workers=workers)
    epochs = [[i for (batch,) in loader for i in batch.tolist()] for _ in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(50))
    assert epochs[0] != epochs[1]


def test_the_order_depends_on_the_seed_alone() -> None:
    def order(seed: int, dataset: Any, **options: Any) -> list[Any]:
        manual_seed(seed)
        loader = DataLoader(dataset, 4, shuffle=True, **options)
        return [b.tolist() if isinstance(b, Tensor) else b[0].tolist() for b in loader]

    expected = order(1, Rows(20))
    assert order(1, Rows(20), num_workers=3) == expected
    assert order(1, TensorDataset(arange(20))) == expected  # gathered or read row by row
    assert order(2, Rows(20)) != expected
    own = order(1, Rows(20), generator=Generator(5))
    assert own == order(2, Rows(20), generator=Generator(5)) != expected


@WORKERS
def test_samplers(workers: int) -> None:
    class Backwards(Sampler):
        def __iter__(self) -> Iterator[int]:
            return iter([4, 2, 0])

        def __len__(self) -> int:
            return 3

    def batches(**options: Any) -> list[Any]:
        return lists(DataLoader(Rows(6), num_workers=workers, **options))

    assert batches(sampler=Backwards(), batch_size=2) == [[4, 2], [0]]
    assert batches(sampler=[5, 5, 1], batch_size=2) == [[5, 5], [1]]
    assert batches(batch_sampler=[[0, 1], [5]]) == [[0, 1], [5]]
    assert batches(batch_sampler=BatchSampler(Backwards(), 2, True)) == [[4, 2]]
    subset = batches(sampler=SubsetRandomSampler([1, 3]), batch_size=2)
    assert sorted(subset[0]) == [1, 3]
    shuffled = batches(batch_sampler=BatchSampler(RandomSampler(range(6)), 4, False))
    assert sorted(i for batch in shuffled for i in batch) == list(range(6))


def test_keys_need_not_be_numbers() -> None:
    table = {"a": 1, "b": 2, "c": 3}
    loader = DataLoader(table, batch_size=2, sampler=["c", "a", "b"])
    assert lists(loader) == [[3, 1], [2]]


@WORKERS
def test_without_batching(workers: int) -> None:
    loader = DataLoader(Rows(3), batch_size=None, num_workers=workers)
    assert list(loader) == [0, 1, 2] and len(loader) == 3
    arrays = [np.arange(2), np.arange(3)]
    assert lists(DataLoader(arrays, batch_size=None, num_workers=workers)) == [[0, 1], [0, 1, 2]]


def test_a_collate_function_of_the_users_gets_the_rows() -> None:
    dataset = TensorDataset(arange(4))
    loader = DataLoader(dataset, 2, collate_fn=lambda rows: [int(row[0].item()) for row in rows])
    assert list(loader) == [[0, 1], [2, 3]]


def test_torchs_getitems_is_used() -> None:
    class Many(Rows):
        def __getitems__(self, indices: list[int]) -> list[int]:
            assert all(type(index) is int for index in indices)
            return [10 * index for index in indices]

    assert lists(DataLoader(Many(3), 2)) == [[0, 10], [20]]


def test_a_data_set_in_memory_is_never_read_row_by_row() -> None:
    class Counted(TensorDataset):
        rows = 0

        def __getitem__(self, index: Any) -> Any:
            Counted.rows += 1
            return super().__getitem__(index)

        def __getbatch__(self, indices: Any) -> Any:
            return super().__getbatch__(indices)

    for batch in DataLoader(Counted(arange(100), arange(100)), 10, shuffle=True):
        assert isinstance(batch, list) and batch[0].tolist() == batch[1].tolist()
    assert Counted.rows == 0


# Iterable data sets


def test_a_stream() -> None:
    assert lists(DataLoader(Stream(5), 2)) == [[0, 1], [2, 3], [4]]
    assert lists(DataLoader(Stream(5), 2, drop_last=True)) == [[0, 1], [2, 3]]
    assert list(DataLoader(Stream(3), batch_size=None)) == [0, 1, 2]
    with pytest.raises(TypeError):
        len(DataLoader(Stream(5), 2))


def test_workers_take_turns_with_their_shares_of_a_stream() -> None:
    batches = lists(DataLoader(Stream(9), 2, num_workers=2))
    assert batches == [[0, 2], [1, 3], [4, 6], [5, 7], [8]]
    assert lists(DataLoader(Stream(2, False), num_workers=2)) == [[0], [0], [1], [1]]


def test_worker_init_fn_may_change_the_workers_copy() -> None:
    def share(worker: int) -> None:
        info = get_worker_info()
        assert info is not None and info.id == worker and info.num_workers == 2
        info.dataset.n = 1 + worker

    stream = Stream(100, False)
    loader = DataLoader(stream, num_workers=2, worker_init_fn=share)
    assert lists(loader) == [[0], [0], [1]]
    assert stream.n == 100 and get_worker_info() is None


# Workers


@pytest.mark.parametrize("dataset", [Noisy(), Stream(12)], ids=["rows", "stream"])
def test_an_error_in_a_worker_reaches_the_program(dataset: Any) -> None:
    def fail(rows: list[Any]) -> Any:
        raise LookupError("row 3 is broken")

    with pytest.raises(LookupError, match="row 3 is broken") as caught:
        list(DataLoader(dataset, 4, num_workers=2, collate_fn=fail))
    assert any("DataLoader worker" in note for note in caught.value.__notes__)


def test_a_failing_worker_init_fn_reaches_the_program() -> None:
    def fail(worker: int) -> None:
        raise OSError("no such device")

    with pytest.raises(OSError, match="no such device"):
        list(DataLoader(Rows(4), num_workers=2, worker_init_fn=fail))


def test_a_slow_worker_is_a_timeout() -> None:
    class Slow(Rows):
        def __getitem__(self, index: int) -> int:
            time.sleep(0.5)
            return index

    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.05 seconds"):
        list(DataLoader(Slow(2), num_workers=1, timeout=0.05))


def test_workers_stay_a_few_batches_ahead_and_no_more() -> None:
    rows = Rows(1000)
    loader = DataLoader(rows, num_workers=2, prefetch_factor=3, worker_init_fn=None)
    reads: list[int] = []

    def counted(batch: list[int]) -> list[int]:
        reads.append(batch[0])
        return batch

    loader = DataLoader(rows, num_workers=2, prefetch_factor=3, collate_fn=counted)
    batches = iter(loader)
    next(batches)
    time.sleep(0.2)
    assert len(reads) == 1 + 2 * 3


def data_threads() -> int:
    return sum(thread.name.startswith("chainrule-data") for thread in threading.enumerate())


def wait_for_threads(count: int) -> None:
    deadline = time.monotonic() + 10
    while data_threads() != count and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert data_threads() == count


def test_threads_end_with_the_epoch_or_when_it_is_left() -> None:
    wait_for_threads(0)
    loader = DataLoader(Rows(100), num_workers=3)
    assert len(list(loader)) == 100
    wait_for_threads(0)
    for _ in loader:
        assert data_threads() == 3
        break
    wait_for_threads(0)


def test_persistent_workers_stay() -> None:
    started: list[int] = []
    loader = DataLoader(
        Rows(9), num_workers=2, persistent_workers=True, worker_init_fn=started.append
    )
    for _ in range(3):
        assert lists(loader) == [[i] for i in range(9)]
    assert sorted(started) == [0, 1]
    del loader
    wait_for_threads(0)


def test_out_of_order_yields_everything_once() -> None:
    class Uneven(Rows):
        def __getitem__(self, index: int) -> int:
            time.sleep(0.05 if index == 0 else 0)
            return index

    batches = lists(DataLoader(Uneven(12), num_workers=3, in_order=False))
    assert sorted(batches) == [[i] for i in range(12)]
    assert batches[0] != [0]


def test_augmentation_does_not_depend_on_the_workers() -> None:
    def run(workers: int) -> list[Any]:
        manual_seed(7)
        loader = DataLoader(Noisy(), 3, shuffle=True, num_workers=workers)
        return [(i.tolist(), r.tolist()) for _ in range(2) for i, r in loader]

    serial = run(0)
    assert run(1) == run(4) == serial
    numbers = [number for _, batch in serial for number in batch]
    assert len(set(numbers)) == 40  # no two alike, in either epoch


# Where it is


@WORKERS
@pytest.mark.parametrize("stop", [0, 1, 4, 7])
def test_an_epoch_goes_on_where_it_stopped(workers: int, stop: int) -> None:
    def loader() -> DataLoader:
        return DataLoader(Noisy(), 3, shuffle=True, num_workers=workers)

    def rows(batch: Any) -> Any:
        return batch[0].tolist(), batch[1].tolist()

    first = loader()
    list(first)  # an epoch before
    batches = iter(first)
    seen = [rows(next(batches)) for _ in range(stop)]
    state = first.state_dict()
    rest = [rows(batch) for batch in batches]
    manual_seed(99)  # another program
    second = loader()
    second.load_state_dict(state)
    assert second.state_dict() == state
    assert [rows(batch) for batch in second] == rest
    assert len(seen) + len(rest) == 7
    assert len(list(second)) == 7  # the epoch after is whole
    assert second.state_dict()["epoch"] == 3


def test_the_state_after_an_epoch_begins_the_next() -> None:
    first = DataLoader(Rows(5), 2, shuffle=True, generator=Generator(3))
    list(first)
    state = first.state_dict()
    expected = lists(first)
    second = DataLoader(Rows(5), 2, shuffle=True, generator=Generator(8))
    second.load_state_dict(state)
    assert lists(second) == expected


@WORKERS
def test_a_sampler_of_the_users_and_a_stream_are_wound_forward(workers: int) -> None:
    for make in (
        lambda: DataLoader(Rows(9), 2, sampler=[8, 1, 5, 2, 4], num_workers=workers),
        lambda: DataLoader(Stream(11), 2, num_workers=workers),
    ):
        first = make()
        batches = iter(first)
        next(batches)
        state = first.state_dict()
        rest = lists(batches)
        second = make()
        second.load_state_dict(state)
        assert lists(second) == rest


def test_a_foreign_state_is_refused() -> None:
    with pytest.raises(ValueError, match="not the state of a DataLoader"):
        DataLoader(Rows(2)).load_state_dict({"epoch": 1})


# What does not go together: PyTorch's words


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified in multiproc"),
        ({"prefetch_factor": -1, "num_workers": 1}, "prefetch_factor option should be non-neg"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"multiprocessing_context": "spawn"}, "can only be used with multi-process loading"),
        ({"sampler": [0], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": [[0]], "drop_last": True}, "batch_sampler option is mutually excl"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batch"),
        ({"batch_size": 0}, "batch_size should be a positive integer value, but got batch_size=0"),
    ],
)
def test_options_that_exclude_each_other(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(Rows(3), **options)


@pytest.mark.parametrize(
    "options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}], ids=str
)
def test_a_stream_takes_no_order(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(ValueError, match=f"IterableDataset: expected unspecified {name} option"):
        DataLoader(Stream(3), **options)


def test_what_is_fixed_stays_fixed() -> None:
    loader = DataLoader(Rows(3))
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader"):
        loader.batch_size = 5
    loader.num_workers = 1  # this one may change
    assert lists(loader) == [[0], [1], [2]]


def test_workers_may_compute_with_tensors_while_the_program_does() -> None:
    class Computed(Dataset):
        def __init__(self) -> None:
            self.x = arange(200.0) * 2  # recorded, not computed yet, by another thread

        def __getitem__(self, index: int) -> Tensor:
            return self.x[index] * 3 + 1

        def __len__(self) -> int:
            return 200

    total = arange(1.0).sum()
    for batch in DataLoader(Computed(), 10, num_workers=4):
        total = total + (batch - 1).sum()
    assert total.item() == 6 * sum(range(200))


def test_an_endless_sampler_is_drawn_as_it_is_needed() -> None:
    """makemore's loader: ten thousand million draws with replacement."""
    data = TensorDataset(arange(10))
    sampler = RandomSampler(data, replacement=True, num_samples=int(1e10))
    batches = iter(DataLoader(data, batch_size=4, sampler=sampler))
    seen = [next(batches)[0] for _ in range(3)]
    assert all(b.shape == (4,) and int(b.min()) >= 0 and int(b.max()) < 10 for b in seen)
    assert len(DataLoader(data, batch_size=4, sampler=sampler)) == 2_500_000_000
