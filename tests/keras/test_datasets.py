"""Keras's built-in data sets, from files that stand in for them."""

import pickle

import numpy as np
import pytest

from chainrule.errors import DataError
from chainrule.keras import datasets


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No data but those of the test, and no network."""
    monkeypatch.setenv("CHAINRULE_DATA", str(tmp_path))
    for module in ("housing", "reuters", "cifar100"):
        monkeypatch.setattr(f"chainrule.datasets.{module}.fetch", _nothing)
    return tmp_path


def _nothing(file, **options):
    raise DataError(f"{file.key} is not here")


def test_rows_come_in_keras_order(tmp_path):
    x, y = np.arange(20.0).reshape(10, 2), np.arange(10.0)
    path = tmp_path / "boston_housing.npz"
    np.savez(path, x=x, y=y)
    (x_train, y_train), (x_test, y_test) = datasets.boston_housing.load_data(str(path))
    order = np.arange(10)
    np.random.RandomState(113).shuffle(order)
    np.testing.assert_array_equal(np.concatenate([y_train, y_test]), order)
    np.testing.assert_array_equal(x_train, x[order[:8]])
    assert len(x_test) == 2
    with pytest.raises(ValueError, match="test_split"):
        datasets.boston_housing.load_data(str(path), test_split=1.0)


def test_california_in_two_sizes(tmp_path):
    path = tmp_path / "california_housing.npz"
    np.savez(path, x=np.zeros((700, 8)), y=np.arange(700.0))
    (a, _), (b, _) = datasets.california_housing.load_data("small", str(path))
    assert len(a) + len(b) == 600
    with pytest.raises(ValueError, match="small"):
        datasets.california_housing.load_data("tiny", str(path))


def test_newswires_are_marked_limited_and_cut(tmp_path):
    texts = np.empty(5, object)
    texts[:] = [[1, 2], [3], [9, 1, 1], [2], [4, 5]]
    path = tmp_path / "reuters.npz"
    np.savez(path, x=texts, y=np.arange(5))
    (x, y), (x_test, _) = datasets.reuters.load_data(str(path), num_words=7)
    order = np.arange(5)
    np.random.RandomState(113).shuffle(order)
    wanted = {0: [1, 4, 5], 1: [1, 6], 2: [1, 2, 4, 4], 3: [1, 5], 4: [1, 2, 2]}
    assert [*x, *x_test] == [wanted[i] for i in order]
    assert list(y) == list(order[:4])
    assert datasets.reuters.get_label_names()[3] == "earn"


def test_cifar100_from_its_folder(alone):
    folder = alone / "cifar-100-python"
    folder.mkdir()
    for name, count in {"train": 3, "test": 2}.items():
        batch = {"data": np.zeros((count, 3072), np.uint8), "fine_labels": list(range(count)),
                 "coarse_labels": [7] * count}  # fmt: skip
        (folder / name).write_bytes(pickle.dumps(batch))
    (x, y), (x_test, _) = datasets.cifar100.load_data()
    assert (x.shape, y.tolist(), x_test.shape) == ((3, 32, 32, 3), [[0], [1], [2]], (2, 32, 32, 3))
    assert datasets.cifar100.load_data("coarse")[1][1].tolist() == [[7], [7]]


@pytest.mark.parametrize("name", ["boston_housing", "california_housing", "reuters", "cifar100"])
def test_what_is_missing_is_said(alone, name):
    with pytest.raises(DataError, match="not here"):
        getattr(datasets, name).load_data()
