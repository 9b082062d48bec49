"""What a program gives as tensors: arrays keep their types, numbers of Python get Keras's."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.settings import floatx, to_dtype
from chainrule.tensor import Tensor, fromdata


def to_tensor(x: Any, dtype: Any = None) -> Tensor:
    """A tensor of the given type. Without one, arrays keep theirs; numbers of Python, also in
    lists, become `floatx` or int32.

    >>> to_tensor([1.0, 2.0]).dtype, to_tensor(np.zeros(2)).dtype
    (chainrule.float32, chainrule.float64)
    """
    if not isinstance(x, Tensor):
        if isinstance(x, list | tuple) and any(isinstance(item, Tensor) for item in x):
            x = [item.detach().numpy() if isinstance(item, Tensor) else item for item in x]
        array = np.asarray(x)
        if dtype is None and not hasattr(x, "dtype"):
            array = _as_python_numbers(x, array)
        x = fromdata.from_owned(np.array(array))
    return x if dtype is None else x.to(to_dtype(dtype))


def _as_python_numbers(x: Any, array: np.ndarray) -> np.ndarray:
    leaf = x
    while isinstance(leaf, list | tuple) and leaf:
        leaf = leaf[0]
    if hasattr(leaf, "dtype"):  # a list of arrays
        return array
    if array.dtype == np.float64:
        return array.astype(to_dtype(floatx()).np)
    fits = array.dtype == np.int64 and (not array.size or abs(array).max() < 2**31)
    return array.astype(np.int32) if fits else array


def align_ranks(a: Any, b: Any, expand_rank_1: bool = True) -> tuple[Any, Any]:
    """(n,) meets (n, 1) as (n, 1); a trailing axis of size 1 is dropped where only one has it."""
    if len(a.shape) == len(b.shape) + 1 and a.shape[-1] == 1:
        grows = len(b.shape) == 1 and expand_rank_1
        return (a, b.unsqueeze(-1)) if grows else (a.squeeze(-1), b)
    if len(b.shape) == len(a.shape) + 1 and b.shape[-1] == 1:
        grows = len(a.shape) == 1 and expand_rank_1
        return (a.unsqueeze(-1), b) if grows else (a, b.squeeze(-1))
    return a, b


#: Keras's name.
squeeze_or_expand_to_same_rank = align_ranks
