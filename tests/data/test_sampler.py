"""Samplers give the orders that they promise."""

from __future__ import annotations

import numpy as np
import pytest

from chainrule.runtime.random import Generator, manual_seed
from chainrule.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)


def test_sequential() -> None:
    assert list(SequentialSampler(range(4))) == [0, 1, 2, 3]


def test_random_is_a_permutation_a_new_one_each_time() -> None:
    sampler = RandomSampler(range(50))
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert all(type(index) is int for index in first)


def test_the_seed_and_the_generator_decide() -> None:
    sampler = RandomSampler(range(50))
    manual_seed(3)
    first = list(sampler)
    manual_seed(3)
    assert list(sampler) == first
    own = [list(RandomSampler(range(50), generator=Generator(1))) for _ in range(2)]
    assert own[0] == own[1] != first


def test_random_with_num_samples() -> None:
    more = list(RandomSampler(range(4), num_samples=10))
    assert [sorted(more[:4]), sorted(more[4:8]), len(more)] == [[0, 1, 2, 3], [0, 1, 2, 3], 10]
    drawn = list(RandomSampler(range(3), replacement=True, num_samples=300))
    assert len(drawn) == 300 and set(drawn) == {0, 1, 2}


def test_subset_random() -> None:
    assert sorted(SubsetRandomSampler([7, 3, 5])) == [3, 5, 7]


def test_weights_are_probabilities() -> None:
    manual_seed(0)
    drawn = list(WeightedRandomSampler([1.0, 0.0, 3.0], 4000))
    shares = np.bincount(drawn, minlength=3) / 4000
    # a binomial share of 3/4 in 4,000 draws has a standard deviation of 0.7 %
    np.testing.assert_allclose(shares, [0.25, 0, 0.75], atol=0.03)
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.1  # in no order
    assert sorted(WeightedRandomSampler([1.0, 0.0, 3.0], 2, replacement=False)) == [0, 2]


def test_batches() -> None:
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, False)) == 3 and len(BatchSampler(range(5), 2, True)) == 2


def test_processes_share_an_epoch() -> None:
    samplers = [DistributedSampler(range(10), 3, rank) for rank in range(3)]
    shares = [list(sampler) for sampler in samplers]
    assert [len(share) for share in shares] == [4, 4, 4]
    assert {index for share in shares for index in share} == set(range(10))
    samplers[0].set_epoch(1)
    assert list(samplers[0]) != shares[0]
    even = [list(DistributedSampler(range(10), 3, rank, False, drop_last=True)) for rank in (0, 1)]
    assert even == [[0, 3, 6], [1, 4, 7]]


def test_wrong_arguments_say_what_was_expected() -> None:
    with pytest.raises(ValueError, match="num_samples should be a positive integer value, but got"):
        RandomSampler([])
    with pytest.raises(TypeError, match="replacement should be a boolean value, but got"):
        RandomSampler(range(3), replacement=1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="batch_size should be a positive integer value, but got"):
        BatchSampler(range(3), 0, False)
    with pytest.raises(ValueError, match="drop_last should be a boolean value, but got"):
        BatchSampler(range(3), 1, 1)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="weights should be a 1d sequence"):
        WeightedRandomSampler([[1.0]], 1)  # type: ignore[list-item]
    with pytest.raises(RuntimeError, match="only 1 weights are positive"):
        list(WeightedRandomSampler([0.0, 1.0], 2, replacement=False))
    with pytest.raises(RuntimeError, match="none negative"):
        list(WeightedRandomSampler([-1.0, 1.0], 2))
