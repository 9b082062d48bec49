"""`make_tensor`: random values for tests, of any dtype."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainrule import devices
from chainrule.dtypes import DType
from chainrule.runtime.random import stream
from chainrule.tensor import Tensor
from chainrule.tensor.handle import from_array


def make_tensor(
    *shape: int | Sequence[int],
    dtype: DType,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Uniform values in [low, high): by default −9 to 9 for floats, −9 to 9 for integers, 0 to 9
    for uint8, both truths for bool.

    >>> import chainrule as torch
    >>> make_tensor(2, 3, dtype=torch.float32, device="cpu").shape
    torch.Size([2, 3])
    """
    devices.check(device)
    sizes: Any = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape
    if requires_grad and not (dtype.is_floating_point or dtype.is_complex):
        raise ValueError(
            f"`requires_grad=True` is not supported for boolean and integral dtypes, got {dtype}"
        )
    rng = stream().numpy()
    begin = (-9 if dtype.is_signed or dtype.is_floating_point else 0) if low is None else low
    end = (
        (2 if dtype.name == "bool" else (9 if dtype.is_floating_point else 10))
        if high is None
        else high
    )
    if not begin < end:
        raise ValueError(f"`low` must be less than `high`, but got {begin} >= {end}")
    if dtype.is_floating_point or dtype.is_complex:
        values: Any = rng.uniform(begin, end, sizes)
        if dtype.is_complex:
            values = values + 1j * rng.uniform(begin, end, sizes)
        array = np.asarray(values).astype(dtype.np)
    else:
        array = np.asarray(rng.integers(int(np.ceil(begin)), int(np.ceil(end)), sizes)).astype(
            dtype.np
        )
    if exclude_zero:
        least = np.finfo(np.float32).tiny if dtype.is_floating_point else 1
        array = np.where(array == 0, np.asarray(least, dtype.np), array)
    if noncontiguous and array.size > 1:
        spread = np.repeat(array, 2, axis=-1)
        whole: Tensor = from_array(spread)
        part = whole[..., ::2]
        return part.requires_grad_() if requires_grad else part
    made: Tensor = from_array(np.asarray(array))
    return made.requires_grad_() if requires_grad else made
