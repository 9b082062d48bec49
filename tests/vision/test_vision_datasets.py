"""The data sets as torchvision has them: rows, and whole batches that are the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from chainrule import dtypes
from chainrule.datasets import load_digits
from chainrule.runtime.random import manual_seed
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.utils.data import DataLoader, Subset, default_collate
from chainrule.vision import transforms as T
from chainrule.vision.datasets.memory import InMemory


class Digits(InMemory):
    """The embedded digits, kept as MNIST is (grey) or as CIFAR-10 is (colour)."""

    classes = list("0123456789")  # noqa: RUF012  # as in torchvision

    def __init__(self, colour: bool = False, **options: Any) -> None:
        super().__init__(**options)
        images, labels = load_digits()
        images = images * np.uint8(15)
        if colour:
            self.data: Any = np.stack([images, images // 2, 255 - images], axis=-1)
            self.targets: Any = labels.tolist()
        else:
            self.data, self.targets = from_owned(images), from_owned(labels.astype(np.int64))


USUAL = T.Compose([T.ToTensor(), T.Normalize((0.5,), (0.25,))])


@pytest.mark.parametrize("colour", [False, True])
def test_a_batch_is_what_its_rows_are(colour: bool) -> None:
    dataset = Digits(colour, transform=USUAL, target_transform=lambda label: 9 - label)
    images, labels = next(iter(DataLoader(dataset, 50)))
    rows = default_collate([dataset[i] for i in range(50)])
    assert images.shape == (50, 3 if colour else 1, 8, 8)
    np.testing.assert_array_equal(images.numpy(), rows[0].numpy())
    assert labels.dtype == rows[1].dtype == dtypes.int64
    assert labels.tolist() == rows[1].tolist() == [9 - label for label in dataset.targets[:50]]


def test_an_epoch_reads_no_single_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any, index: int) -> Any:
        raise AssertionError("read row by row")

    monkeypatch.setattr(InMemory, "__getitem__", refuse)
    augmented = T.Compose([T.RandomCrop(8, padding=1), T.RandomHorizontalFlip(), USUAL])
    loader = DataLoader(Subset(Digits(transform=augmented), range(500)), 64, shuffle=True)
    assert sum(len(labels) for _, labels in loader) == 500


def test_other_callables_are_called_for_each_row() -> None:
    calls = []

    def flat(image: Any) -> Tensor:
        calls.append(1)
        return T.ToTensor()(image).reshape(-1)

    images, _ = next(iter(DataLoader(Digits(transform=flat), 5)))
    assert images.shape == (5, 64) and len(calls) == 5


def test_without_a_transform_a_sample_is_an_image() -> None:
    image, label = Digits()[3]
    assert image.size == (8, 8) and label == 3 and type(label) is int
    with pytest.raises(TypeError, match="default_collate: batch must contain tensors"):
        next(iter(DataLoader(Digits(), 5)))


def test_a_row_redefined_by_the_user_is_not_bypassed() -> None:
    class Indexed(Digits):
        def __getitem__(self, index: int) -> Any:
            return (*super().__getitem__(index), index)

    _, _, indices = next(iter(DataLoader(Indexed(transform=USUAL), 4)))
    assert indices.tolist() == [0, 1, 2, 3]


def test_data_may_be_cut_down_in_place() -> None:
    dataset = Digits(transform=USUAL)
    dataset.data, dataset.targets = dataset.data[:10], dataset.targets[:10]
    assert len(dataset) == 10
    assert sum(len(labels) for _, labels in DataLoader(dataset, 4)) == 10


@pytest.mark.parametrize("workers", [0, 2])
def test_augmentation_goes_on_where_it_stopped(workers: int) -> None:
    augmented = T.Compose([T.RandomCrop(6), T.RandomHorizontalFlip(), T.ToTensor()])

    def loader() -> Any:
        dataset = Subset(Digits(transform=augmented), range(40))
        return DataLoader(dataset, 8, shuffle=True, num_workers=workers)

    manual_seed(1)
    first = loader()
    batches = iter(first)
    next(batches)
    state = first.state_dict()
    rest = [(x.tolist(), y.tolist()) for x, y in batches]
    manual_seed(2)
    second = loader()
    second.load_state_dict(state)
    assert [(x.tolist(), y.tolist()) for x, y in second] == rest


def test_text_and_classes() -> None:
    dataset = Digits(transform=USUAL, root="~/data")
    text = repr(dataset)
    assert "Dataset Digits" in text and "Number of datapoints: 1797" in text
    assert "Transform: Compose(" in text and "~" not in text
    with pytest.raises(ValueError, match="Only transforms or transform/target_transform"):
        Digits(transforms=lambda image, label: (image, label), transform=USUAL)


def test_both_at_once() -> None:
    dataset = Digits(transforms=lambda image, label: (T.ToTensor()(image), -label))
    _, labels = next(iter(DataLoader(dataset, 4)))
    assert labels.tolist() == [0, -1, -2, -3]
