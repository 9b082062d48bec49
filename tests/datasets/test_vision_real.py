"""`vision.datasets` finds the real files, or downloads them into torchvision's layout."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from local_mirror import Mirror, sends

from chainrule import dtypes
from chainrule.datasets import mnist
from chainrule.datasets.fetch import DATA_VARIABLE, DataWarning
from chainrule.utils.data import DataLoader
from chainrule.vision import transforms as T
from chainrule.vision.datasets import CIFAR10, MNIST, FashionMNIST


def test_mnist(shared: Path, tmp_path: Path) -> None:
    chain = T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])
    dataset = MNIST(tmp_path, train=False, download=True, transform=chain)
    assert list(tmp_path.iterdir()) == [tmp_path / "cache"] or not list(tmp_path.iterdir())
    assert dataset.data.shape == (10000, 28, 28) and dataset.data.dtype == dtypes.uint8
    assert dataset.targets.dtype == dtypes.int64 and dataset.classes[7] == "7 - seven"
    batches = list(DataLoader(dataset, 1000))
    pixels = np.concatenate([images.numpy() for images, _ in batches])
    assert pixels.shape == (10000, 1, 28, 28) and pixels.dtype == np.float32
    assert abs(pixels.mean()) < 0.02 and abs(pixels.std() - 1) < 0.02
    assert batches[0][1][:5].tolist() == [7, 2, 1, 0, 4]


def test_fashion_mnist_and_cifar10(shared: Path) -> None:
    assert FashionMNIST("data", train=False).classes[9] == "Ankle boot"
    with pytest.warns(DataWarning, match="SUBSET"):
        cifar = CIFAR10("data", train=False)
    assert cifar.data.shape == (1000, 32, 32, 3) and type(cifar.targets[0]) is int
    image, label = cifar[0]
    assert image.size == (32, 32) and cifar.classes[label] == "cat"


def test_a_download_goes_where_torchvision_puts_it(
    shared: Path, mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATA_VARIABLE)
    files = {}
    for name, file in mnist.FILES["MNIST"].items():
        address = mirror.url(f"/{name}", sends((shared / "mnist" / name).read_bytes()))
        files[name] = replace(file, mirrors=(address,))
    monkeypatch.setitem(mnist.FILES, "MNIST", files)
    with pytest.raises(RuntimeError, match="Dataset not found"):
        MNIST(tmp_path, train=False)
    assert len(MNIST(tmp_path, train=False, download=True)) == 10000
    raw = tmp_path / "MNIST" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]
    assert len(MNIST(tmp_path, train=False)) == 10000
    assert len(mirror.requests) == 2
