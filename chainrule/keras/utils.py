"""Helpers of `keras.utils`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from chainrule.keras.files import get_file
from chainrule.keras.images import array_to_img, img_to_array, load_img, save_img
from chainrule.keras.plotting import model_to_dot, plot_model
from chainrule.keras.registry import (
    custom_object_scope,
    get_custom_objects,
    register_keras_serializable,
)
from chainrule.runtime.random import manual_seed
from chainrule.tensor import Tensor

__all__ = [
    "PyDataset",
    "Sequence",
    "array_to_img",
    "custom_object_scope",
    "get_custom_objects",
    "get_file",
    "img_to_array",
    "load_img",
    "model_to_dot",
    "normalize",
    "pad_sequences",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "set_random_seed",
    "split_dataset",
    "to_categorical",
]

CustomObjectScope = custom_object_scope


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Class numbers as one-hot rows of float64.

    >>> to_categorical([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    labels = np.asarray(x.numpy() if isinstance(x, Tensor) else x).astype(np.int64)
    shape = labels.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    labels = labels.reshape(-1)
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("num_classes cannot be found in no labels: give it")
        num_classes = int(labels.max()) + 1
    if labels.size and (labels.min() < 0 or labels.max() >= num_classes):
        raise ValueError(
            f"labels lie between {labels.min()} and {labels.max()}, which does not fit "
            f"num_classes={num_classes}"
        )
    hot = np.zeros((labels.size, num_classes))
    hot[np.arange(labels.size), labels] = 1.0
    return hot.reshape(*shape, num_classes)


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Vectors along `axis` divided by their norm."""
    array = np.asarray(x)
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    return array / np.expand_dims(norms, axis)


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and chainrule's random numbers."""
    if not isinstance(seed, int):
        raise ValueError(f"seed must be a whole number, got {seed!r}")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    manual_seed(seed)


def pad_sequences(
    sequences: Any,
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: float = 0.0,
) -> np.ndarray:
    """Sequences of unlike lengths as one array; filled up and cut in front, unless told otherwise.

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2)
    array([[0, 1],
           [3, 4]], dtype=int32)
    """
    for name, choice in {"padding": padding, "truncating": truncating}.items():
        if choice not in ("pre", "post"):
            raise ValueError(f"{name} must be 'pre' or 'post', got {choice!r}")
    lists = [np.asarray(s) for s in sequences]
    lengths = [len(s) for s in lists]
    if maxlen is None:
        maxlen = max(lengths, default=0)
    inner: tuple[int, ...] = next((s.shape[1:] for s in lists if len(s)), ())
    out = np.full((len(lists), maxlen, *inner), value, dtype=dtype)
    for row, sequence in enumerate(lists):
        if not len(sequence):
            continue
        if sequence.shape[1:] != inner:
            raise ValueError(
                f"sequence {row} has steps of shape {sequence.shape[1:]}, the others {inner}"
            )
        kept = sequence[-maxlen:] if truncating == "pre" else sequence[:maxlen]
        if maxlen == 0:
            continue
        if padding == "post":
            out[row, : len(kept)] = kept
        else:
            out[row, maxlen - len(kept) :] = kept
    return out


def split_dataset(
    dataset: Any,
    left_size: Any = None,
    right_size: Any = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """An array, or a tuple of arrays, in two parts."""
    arrays = dataset if isinstance(dataset, tuple) else (dataset,)
    count = len(arrays[0])

    def size(given: Any) -> int:
        return int(given if isinstance(given, int) else round(given * count))

    if left_size is None and right_size is None:
        raise ValueError("give left_size or right_size")
    left = size(left_size) if left_size is not None else count - size(right_size)
    order = np.random.default_rng(seed).permutation(count) if shuffle else np.arange(count)
    parts = [tuple(np.asarray(a)[rows] for a in arrays) for rows in (order[:left], order[left:])]
    first, second = (part if isinstance(dataset, tuple) else part[0] for part in parts)
    return first, second


class PyDataset:
    """Batches by index: define `__len__` and `__getitem__`; `fit` takes it as x."""

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} does not define __len__")

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError(f"{type(self).__name__} does not define __getitem__")

    @property
    def num_batches(self) -> int:
        return len(self)

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


Sequence = PyDataset
