"""Data sets: rows, whole batches, and that both are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule.runtime.random import Generator
from chainrule.tensor.creation import arange, tensor, zeros
from chainrule.utils.data import (
    ChainDataset,
    ConcatDataset,
    Dataset,
    IterableDataset,
    StackDataset,
    Subset,
    TensorDataset,
    default_collate,
    random_split,
)
from chainrule.utils.data.batching import whole_batch


class Squares(Dataset):
    """A data set that knows rows only."""

    def __init__(self, n: int) -> None:
        self.n = n

    def __getitem__(self, index: int) -> int:
        if not -self.n <= index < self.n:
            raise IndexError(index)
        return int(index) ** 2

    def __len__(self) -> int:
        return self.n


def pairs(n: int, start: int = 0) -> TensorDataset:
    x = arange(start, start + n)
    return TensorDataset(x, x.reshape(n, 1) * 2.0)


def nested(batch: Any) -> Any:
    if isinstance(batch, list | tuple):
        return [nested(part) for part in batch]
    if isinstance(batch, dict):
        return {key: nested(value) for key, value in batch.items()}
    return batch.dtype, batch.tolist()


IN_MEMORY = {
    "tensors": pairs(9),
    "subset": Subset(pairs(12), [11, 1, 3, 0, 5, 7, 2, 4, 6]),
    "subset of a subset": Subset(Subset(pairs(12), range(1, 11)), list(range(9))),
    "two after another": ConcatDataset([pairs(4), pairs(2, 100), pairs(3, 200)]),
    "a tensor": arange(18).reshape(9, 2),
    "an array": np.arange(9.0),
    "subset of a tensor": Subset(arange(20), np.arange(9)[::-1]),
    "side by side": StackDataset(pairs(9), pairs(9, 50)),
    "tensors side by side": StackDataset(arange(9), arange(18).reshape(9, 2)),
    "side by side, named": StackDataset(a=pairs(9), b=pairs(9, 50)),
    "all of it": ConcatDataset(
        [Subset(StackDataset(x=pairs(6)), [5, 0]), StackDataset(x=pairs(7))]
    ),
}


@pytest.mark.parametrize("name", IN_MEMORY)
@pytest.mark.parametrize("indices", [[0], [3, 3, 8], [8, 0, 4, 5, 2, 7], list(range(9))])
def test_a_whole_batch_is_what_its_rows_collate_to(name: str, indices: list[int]) -> None:
    dataset = IN_MEMORY[name]
    whole = whole_batch(dataset)
    assert whole is not None
    batch = whole(np.array(indices))
    assert batch is not NotImplemented
    assert nested(batch) == nested(default_collate([dataset[i] for i in indices]))


def test_a_redefined_row_is_not_bypassed() -> None:
    class Doubled(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            return tuple(2 * part for part in super().__getitem__(index))

    class Both(Doubled):
        def __getbatch__(self, indices: Any) -> Any:
            return "whole"

    assert whole_batch(Doubled(arange(3))) is None
    both = whole_batch(Both(arange(3)))
    assert both is not None and both(np.array([0])) == "whole"
    rows = Subset(Doubled(arange(3)), [0])
    whole = whole_batch(rows)
    assert whole is not None and whole(np.array([0])) is NotImplemented


def test_rows_that_need_a_gradient_are_not_gathered() -> None:
    whole = whole_batch(TensorDataset(zeros(3, requires_grad=True)))
    assert whole is not None and whole(np.array([0])) is NotImplemented


def test_tensors_of_unlike_lengths_are_refused() -> None:
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(zeros(3), zeros(4))


def test_concatenation() -> None:
    both = Squares(3) + Squares(4)
    assert isinstance(both, ConcatDataset)
    assert [both[i] for i in range(7)] == [0, 1, 4, 0, 1, 4, 9]
    assert both[-1] == 9 and both[-7] == 0
    with pytest.raises(ValueError, match="should not exceed dataset length"):
        both[-8]
    with pytest.raises(IndexError):
        both[7]
    assert list(iter_rows(both)) == [0, 1, 4, 0, 1, 4, 9]
    with pytest.raises(AssertionError, match="empty"):
        ConcatDataset([])


def iter_rows(dataset: Any) -> Any:
    return (dataset[i] for i in range(len(dataset)))


def test_iterable_data_sets_are_chained() -> None:
    class Count(IterableDataset):
        def __init__(self, n: int) -> None:
            self.n = n

        def __iter__(self) -> Any:
            return iter(range(self.n))

        def __len__(self) -> int:
            return self.n

    both = Count(2) + Count(3)
    assert isinstance(both, ChainDataset) and list(both) == [0, 1, 0, 1, 2] and len(both) == 5
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Count(1)])
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([Squares(1)]))


def test_side_by_side_needs_equal_lengths() -> None:
    with pytest.raises(ValueError, match="Size mismatch"):
        StackDataset(Squares(1), Squares(2))
    with pytest.raises(ValueError, match="At least one"):
        StackDataset()
    assert StackDataset(Squares(3), Squares(3))[2] == (4, 4)


@pytest.mark.parametrize(
    ("n", "lengths", "expected"),
    [
        (10, [3, 7], [3, 7]),
        (10, [0.3, 0.7], [3, 7]),
        (10, [0.33, 0.33, 0.34], [4, 3, 3]),  # ⌊3.3⌋, ⌊3.3⌋, ⌊3.4⌋; one is left over
        (1, [1], [1]),
    ],
)
def test_random_split(n: int, lengths: list[float], expected: list[int]) -> None:
    parts = random_split(Squares(n), lengths)
    assert [len(part) for part in parts] == expected
    assert sorted(i for part in parts for i in part.indices) == list(range(n))


def test_random_split_follows_its_generator() -> None:
    first, second = (random_split(range(20), [5, 15], Generator(4)) for _ in range(2))
    assert first[0].indices == second[0].indices


def test_random_split_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        random_split(range(10), [3, 8])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(range(10), [1.5, -0.5])
    with pytest.warns(UserWarning, match="Length of split at index 1 is 0"):
        random_split(range(2), [0.9, 0.1])


def test_a_subset_of_a_list_index() -> None:
    chosen = Subset(tensor([10, 20, 30]), [2, 0])
    assert chosen[0].item() == 30 and chosen[[0, 1]].tolist() == [30, 10]


def test_a_subset_follows_its_indices() -> None:
    part = Subset(arange(10), [1, 2, 3])
    whole = whole_batch(part)
    assert whole is not None and whole(np.array([0, 2])).tolist() == [1, 3]
    part.indices[2] = 9  # type: ignore[index]  # a list, here
    assert whole(np.array([0, 2])).tolist() == [1, 9]
