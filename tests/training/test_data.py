"""Batches: whole gathers in the right order, and clear refusals."""

import numpy as np
import pytest

from chainrule.errors import DataError, ShapeError
from chainrule.runtime.random import manual_seed
from chainrule.tensor import creation
from chainrule.training.data import as_batches, class_weights, split_off


def rows(batches):
    return [[int(v) for v in x.numpy()[:, 0]] for x, _, _ in batches.epoch()]


def test_arrays_in_order_with_a_smaller_last_batch():
    x = np.arange(10)[:, None]
    batches = as_batches(x, x[:, 0], batch_size=4)
    assert batches.steps == 3
    assert rows(batches) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_shuffling_is_a_permutation_that_differs_and_repeats_with_the_seed():
    x = np.arange(100)[:, None]

    def epochs():
        manual_seed(1)
        batches = as_batches(x, batch_size=32, shuffle=True)
        return [[i for batch in rows(batches) for i in batch] for _ in range(2)]

    first, second = epochs()
    assert sorted(first) == list(range(100)) and first != second != list(range(100))
    assert epochs() == [first, second]


def test_whole_batches_can_be_shuffled():
    manual_seed(0)
    found = rows(as_batches(np.arange(10)[:, None], batch_size=3, shuffle="batch"))
    assert found[-1] == [9]
    assert sorted(found[:3]) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_x_and_y_stay_together_in_any_structure():
    x = {"a": np.arange(6), "b": [np.arange(6) * 2]}
    batches = as_batches(x, (np.arange(6) * 3,), batch_size=2, shuffle=True)
    for given, y, weight in batches.epoch():
        assert weight is None
        assert (given["b"][0] == given["a"] * 2).all() and (y[0] == given["a"] * 3).all()


def test_floats_become_float32_and_other_types_stay():
    x, y, _ = next(as_batches(np.zeros((2, 2)), np.zeros(2, np.int64)).epoch())
    assert (x.dtype.name, y.dtype.name) == ("float32", "int64")
    assert next(as_batches(np.zeros(2, np.uint8)).epoch())[0].dtype.name == "uint8"


def test_generators_and_iterables():
    def endless():
        i = 0
        while True:
            yield np.full((2, 1), i), np.zeros(2)
            i += 1

    batches = as_batches(endless(), steps=2)
    assert rows(batches) == [[0, 0], [1, 1]]
    assert rows(batches) == [[2, 2], [3, 3]]  # an epoch goes on where the last one stopped
    once = as_batches([(np.zeros((1, 1)), np.zeros(1))].__iter__())
    assert once.steps is None and len(list(once.epoch())) == 1


def test_what_is_refused():
    with pytest.raises(ShapeError, match=r"\(3, 1\).*\(2,\)"):
        as_batches(np.zeros((3, 1)), np.zeros(2))
    with pytest.raises(DataError, match="no rows"):
        as_batches(np.zeros((0, 2)))
    with pytest.raises(ShapeError, match="single number"):
        as_batches(np.zeros(()))
    with pytest.raises(ValueError, match="own targets"):
        as_batches(iter([]), np.zeros(2))
    ragged = np.array([[1], [1, 2]], dtype=object)
    with pytest.raises(TypeError, match="pad_sequences"):
        as_batches(ragged)
    with pytest.raises(ValueError, match="tuple of 4"):
        next(as_batches(iter([(1, 2, 3, 4)])).epoch())


def test_class_weights_of_numbers_and_one_hot_rows():
    np.testing.assert_array_equal(class_weights(np.array([0, 2, 2]), {2: 5.0}), [1, 5, 5])
    np.testing.assert_array_equal(class_weights(np.eye(3)[[0, 2]], {2: 5.0}), [1, 5])
    np.testing.assert_array_equal(class_weights(np.array([[0.0], [1.0]]), {1: 0.5}), [1, 0.5])


def test_validation_is_the_end_of_the_data():
    x = np.arange(10)
    (a, _, _), (b, _, _) = split_off((x, None, None), 0.25)
    assert list(a) == list(range(7)) and list(b) == [7, 8, 9]
    t = creation.tensor(np.arange(4.0))
    (head, _, _), _ = split_off((t, None, None), 0.5)
    assert len(head) == 2
    with pytest.raises(ValueError, match="nothing to train on"):
        split_off((x[:1], None, None), 0.5)
