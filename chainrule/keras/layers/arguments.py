"""Arguments that may be one number or several, and what makes them wrong."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np


def to_tuple(value: Any, rank: int, name: str, *, allow_zero: bool = False) -> tuple[int, ...]:
    """`rank` whole numbers from one number or from as many.

    >>> to_tuple(3, 2, "kernel_size")
    (3, 3)
    """
    least = 0 if allow_zero else 1
    message = f"The `{name}` argument must be a tuple of {rank} integers. Received {name}={value}"
    try:
        single = np.ndim(value) == 0 and hasattr(value, "__index__")
        values = (value,) * rank if single else tuple(value)
    except TypeError:
        values = ()
    whole = all(hasattr(v, "__index__") and not isinstance(v, bool) for v in values)
    if len(values) != rank or not whole or isinstance(value, str):
        raise ValueError(message)
    wrong = {v for v in values if v < least}
    if wrong:
        asked = ">= 0" if allow_zero else "> 0"
        raise ValueError(f"{message}, including values {wrong} that do not satisfy `value {asked}`")
    return tuple(int(v) for v in values)


def to_pairs(value: Any, rank: int, name: str) -> tuple[tuple[int, ...], ...]:
    """(before, after) for each of `rank` axes from a number, `rank` numbers or `rank` pairs.

    >>> to_pairs(((1, 2), 3), 2, "padding")
    ((1, 2), (3, 3))
    """
    if hasattr(value, "__index__") and not isinstance(value, bool) and not np.ndim(value):
        value = operator.index(value)
        if value < 0:
            raise ValueError(f"`{name}` cannot be negative. Received: {name}={value}.")
        return ((value, value),) * rank
    if isinstance(value, str) or not hasattr(value, "__len__"):
        raise ValueError(
            f"`{name}` should be either an int, a tuple of {rank} ints or a tuple of {rank} tuples "
            f"of 2 ints (before, after). Received: {name}={value}."
        )
    if len(value) != rank:
        raise ValueError(f"`{name}` should have {rank} elements. Received: {name}={value}.")
    entries = ("1st", "2nd", "3rd")
    return tuple(
        to_tuple(v, 2, f"{entries[i]} entry of {name}", allow_zero=True)
        for i, v in enumerate(value)
    )
