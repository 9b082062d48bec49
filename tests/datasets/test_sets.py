"""Each data set is found in every layout that people have, and is what it should be."""

from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule.datasets import (
    cifar10,
    load_cifar10,
    load_digits,
    load_fashion_mnist,
    load_imdb,
    load_mnist,
    load_sonar,
    overview,
)
from chainrule.datasets.fetch import DATA_VARIABLE, DataWarning
from chainrule.errors import DataError
from chainrule.keras import datasets as keras_datasets

Array = np.ndarray[Any, np.dtype[Any]]


def test_the_digits_need_nothing() -> None:
    images, labels = load_digits()
    assert images.shape == (1797, 8, 8) and images.dtype == np.uint8
    # scikit-learn's description: 0 … 16, and this many of each digit
    assert images.max() == 16
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    train, test = load_digits("train"), load_digits("test")
    np.testing.assert_array_equal(np.concatenate([train[0], test[0]]), images)
    with pytest.raises(ValueError, match="split"):
        load_digits("validation")


def test_mnist_is_mnist(shared: Path) -> None:
    images, labels = load_mnist("train")
    assert images.shape == (60000, 28, 28) and labels.shape == (60000,)
    assert labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    # the published mean and standard deviation of its pixels
    assert round(images.mean() / 255, 4) == 0.1307 and round(images.std() / 255, 4) == 0.3081
    images, labels = load_mnist("test")
    assert images.shape == (10000, 28, 28)
    assert labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]


def test_fashion_mnist_is_fashion_mnist(shared: Path) -> None:
    images, labels = load_fashion_mnist("train")
    assert np.bincount(labels).tolist() == [6000] * 10
    assert round(images.mean() / 255, 4) == 0.2860 and round(images.std() / 255, 4) == 0.3530
    assert load_fashion_mnist("test")[0].shape == (10000, 28, 28)


def test_torchvisions_layout_packed_or_not(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import gzip

    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    images, labels = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
    (raw / images).write_bytes(gzip.decompress((shared / "mnist" / f"{images}.gz").read_bytes()))
    (raw / f"{labels}.gz").write_bytes((shared / "mnist" / f"{labels}.gz").read_bytes())
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert load_mnist("test", download=False)[0].shape == (10000, 28, 28)
    monkeypatch.delenv(DATA_VARIABLE)
    assert load_mnist("test", root=tmp_path, download=False)[1][0] == 7
    with pytest.raises(DataError, match="fashion-mnist"):
        load_fashion_mnist("test", root=tmp_path, download=False)


def test_keras_layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    arrays = {
        "x_train": rng.integers(256, size=(6, 28, 28), dtype=np.uint8),
        "y_train": np.arange(6, dtype=np.uint8),
        "x_test": rng.integers(256, size=(2, 28, 28), dtype=np.uint8),
        "y_test": np.array([9, 0], dtype=np.uint8),
    }
    np.savez_compressed(tmp_path / "mnist.npz", **arrays)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    (x_train, y_train), (x_test, y_test) = keras_datasets.mnist.load_data()
    for name, array in zip(arrays, (x_train, y_train, x_test, y_test), strict=True):
        np.testing.assert_array_equal(array, arrays[name])
    monkeypatch.delenv(DATA_VARIABLE)
    (x, _), _ = keras_datasets.mnist.load_data(str(tmp_path / "mnist.npz"))
    np.testing.assert_array_equal(x, arrays["x_train"])
    np.savez(tmp_path / "mnist.npz", **{**arrays, "y_test": np.array([9, 10], np.uint8)})
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    with pytest.raises(DataError, match="labels up to 10"):
        load_mnist("test")


# CIFAR-10


def cifar_batches() -> Iterator[tuple[str, Array, list[int]]]:
    rng = np.random.default_rng(1)
    for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"):
        labels = rng.integers(10, size=4).tolist()
        yield name, rng.integers(256, size=(4, 3072), dtype=np.uint8), labels


def test_the_official_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    kinds: list[tuple[str, str, Any]] = [
        (
            "ARCHIVE",
            "cifar-10-batches-py/{}",
            lambda x, y: pickle.dumps({"data": x, "labels": y}, 2),
        ),
        (
            "BINARY_ARCHIVE",
            "cifar-10-batches-bin/{}.bin",
            lambda x, y: np.column_stack([np.array(y, np.uint8), x]).tobytes(),
        ),
    ]
    for constant, member, packed in kinds:
        file = getattr(cifar10, constant)
        path = tmp_path / file.name
        with tarfile.open(path, "w:gz") as archive:
            for name, pixels, labels in cifar_batches():
                data = packed(pixels, labels)
                entry = tarfile.TarInfo(member.format(name))
                entry.size = len(data)
                archive.addfile(entry, io.BytesIO(data))
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        monkeypatch.setattr(cifar10, constant, replace(file, sha256=digest, mirrors=()))
        (x_train, y_train), (x_test, y_test) = keras_datasets.cifar10.load_data()
        assert x_train.shape == (20, 32, 32, 3) and y_train.shape == (20, 1)
        assert x_train.dtype == y_train.dtype == np.uint8
        *train, (_, pixels, labels) = cifar_batches()
        assert y_train[:, 0].tolist() == list(chain.from_iterable(batch[2] for batch in train))
        assert y_test[:, 0].tolist() == labels
        assert x_test[1, 2, 3].tolist() == pixels[1].reshape(3, 32, 32)[:, 2, 3].tolist()
        path.unlink()


def test_damaged_batches_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    with pytest.raises(DataError, match="test_batch is missing"):
        load_cifar10("test")
    for name, pixels, labels in cifar_batches():
        (folder / name).write_bytes(pickle.dumps({"data": pixels, "labels": labels}, 2))
    with pytest.raises(DataError, match="test_batch is damaged"):
        load_cifar10("test")


def test_the_subset_is_announced(shared: Path) -> None:
    with pytest.warns(DataWarning, match="only a SUBSET is at hand .4,000 train, 1,000 test"):
        (x_train, y_train), (x_test, y_test) = keras_datasets.cifar10.load_data()
    assert x_train.shape == (4000, 32, 32, 3) and x_test.shape == (1000, 32, 32, 3)
    # the known first records of data_batch_1 and test_batch: label, then red pixels
    assert y_train[0, 0] == 6 and x_train[0, 0, :4, 0].tolist() == [59, 43, 50, 68]
    assert y_test[0, 0] == 3 and x_test[0, 0, :3, 0].tolist() == [158, 159, 165]


# IMDB


def write_reviews(path: Path) -> dict[str, Array]:
    rng = np.random.default_rng(2)
    arrays: dict[str, Array] = {}
    for part, count in (("train", 30), ("test", 20)):
        reviews = np.empty(count, dtype=object)
        for i in range(count):
            reviews[i] = rng.integers(1, 50, size=int(rng.integers(1, 12))).tolist()
        arrays[f"x_{part}"], arrays[f"y_{part}"] = reviews, rng.integers(2, size=count)
    np.savez_compressed(path, **arrays)
    return arrays


OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_words": 20},
    {"num_words": 20, "skip_top": 5},
    {"skip_top": 5, "oov_char": None},
    {"num_words": 20, "oov_char": None, "start_char": None},
    {"start_char": None, "index_from": None},
    {"maxlen": 6, "num_words": 30, "oov_char": 99},
    {"start_char": 7, "index_from": 0, "seed": 5},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_imdb_means_what_keras_means(tmp_path: Path, options: dict[str, Any]) -> None:
    """Against Keras's documented rules, written as plainly as possible."""
    arrays = write_reviews(tmp_path / "imdb.npz")
    rules = {
        "num_words": None,
        "skip_top": 0,
        "maxlen": None,
        "seed": 113,
        "start_char": 1,
        "oov_char": 2,
        "index_from": 3,
        **options,
    }
    rng = np.random.RandomState(rules["seed"])
    expected = []
    for part in ("train", "test"):
        order = np.arange(len(arrays[f"x_{part}"]))
        rng.shuffle(order)
        pairs = []
        for i in order:
            review = [rank + (rules["index_from"] or 0) for rank in arrays[f"x_{part}"][i]]
            if rules["start_char"] is not None:
                review = [rules["start_char"], *review]
            if not rules["maxlen"] or len(review) < rules["maxlen"]:
                pairs.append((review, arrays[f"y_{part}"][i]))
        expected.append(pairs)
    top = rules["num_words"] or max(max(review) for pairs in expected for review, _ in pairs)
    known = range(rules["skip_top"], top)
    got = keras_datasets.imdb.load_data(str(tmp_path / "imdb.npz"), **options)
    for (x, y), pairs in zip(got, expected, strict=True):
        assert y.tolist() == [label for _, label in pairs]
        for mine, (review, _) in zip(x, pairs, strict=True):
            if rules["oov_char"] is None:
                assert mine == [word for word in review if word in known]
            else:
                assert mine == [w if w in known else rules["oov_char"] for w in review]


def test_imdb_that_leaves_nothing_is_an_error(tmp_path: Path) -> None:
    write_reviews(tmp_path / "imdb.npz")
    with pytest.raises(ValueError, match="maxlen=1, no sequence was kept"):
        keras_datasets.imdb.load_data(str(tmp_path / "imdb.npz"), maxlen=1)


def test_imdb_is_imdb(shared: Path) -> None:
    index = keras_datasets.imdb.get_word_index()
    assert index["the"] == 1 and len(index) == 88584
    (x_train, y_train), (x_test, y_test) = keras_datasets.imdb.load_data(num_words=10000)
    assert x_train.shape == x_test.shape == (25000,) and y_train.sum() == y_test.sum() == 12500
    # the best-known review: "this film was just brilliant casting location scenery story …"
    start = [1, 14, 22, 16, 43, 530, 973, 1622, 1385, 65]
    (found,) = [i for i, x in enumerate(x_train) if len(x) == 218 and x[:10] == start]
    assert y_train[found] == 1
    words = {rank + 3: word for word, rank in index.items()}
    assert " ".join(words[i] for i in start[1:7]) == "this film was just brilliant casting"
    reviews, labels = load_imdb("test")
    assert len(reviews) == 25000 and labels.sum() == 12500


def test_the_sonar_echoes(shared: Path) -> None:
    echoes, classes = load_sonar()
    assert echoes.shape == (208, 6, 10) and echoes.dtype == np.float32
    assert np.bincount(classes).tolist() == [97, 111]  # as published
    assert echoes.min() >= 0 and echoes.max() <= 1
    assert len(load_sonar("train")[1]) == 166 and len(load_sonar("test")[1]) == 42


def test_the_overview_says_where_things_are(shared: Path) -> None:
    places = overview()
    assert places["mnist"] == str(shared / "mnist")
    assert places["cifar10"].endswith("(a subset)")


def test_the_overview_of_an_empty_machine() -> None:
    assert set(overview().values()) == {"inside the package", "not here"}


@pytest.mark.parametrize("load", [load_mnist, load_cifar10, load_imdb, load_sonar])
def test_without_data_the_error_says_what_to_do(load: Any) -> None:
    with pytest.raises(DataError, match=DATA_VARIABLE):
        load("train", download=False)
    with pytest.raises(ValueError, match="split"):
        load("trian", download=False)
