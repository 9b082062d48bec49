"""Arrays of numbers: labels as one-hot rows, vectors of length 1, seeds."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from chainrule.keras.settings import to_dtype
from chainrule.nn import functional as F
from chainrule.runtime.random import manual_seed
from chainrule.tensor import Tensor


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """Class numbers as one-hot rows of float64 (a tensor's as a tensor of the float type).

    >>> to_categorical([0, 2], 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    labels = np.asarray(x.detach().numpy() if isinstance(x, Tensor) else x).astype(np.int64)
    shape = labels.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    labels = labels.reshape(-1)
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("num_classes cannot be found in no labels: give it")
        num_classes = int(labels.max()) + 1
    if isinstance(x, Tensor):
        whole = x.detach().long().reshape(shape)
        return F.one_hot(whole, num_classes).to(to_dtype(None))
    if labels.size and (labels.min() < -num_classes or labels.max() >= num_classes):
        raise ValueError(
            f"labels lie between {labels.min()} and {labels.max()}, which does not fit "
            f"num_classes={num_classes}"
        )
    hot = np.zeros((labels.size, num_classes))
    hot[np.arange(labels.size), labels] = 1.0
    return hot.reshape(*shape, num_classes)


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """Vectors along `axis` divided by their norm; zeros stay as they are.

    >>> normalize(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    if isinstance(x, Tensor):
        return F.normalize(x, p=float(order), dim=axis)
    array = np.asarray(x)
    norms = np.atleast_1d(np.linalg.norm(array, order, axis))
    norms[norms == 0] = 1
    return array / np.expand_dims(norms, axis)


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and chainrule's random numbers."""
    if not isinstance(seed, int):
        raise ValueError(
            f"Expected `seed` argument to be an integer. Received: seed={seed} (of type "
            f"{type(seed)})"
        )
    random.seed(seed)
    np.random.seed(seed % 2**32)
    manual_seed(seed)
