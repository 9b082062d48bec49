"""Arguments that may be one number or several, and what makes them wrong."""

from __future__ import annotations

from typing import Any


def to_tuple(value: Any, rank: int, name: str, *, allow_zero: bool = False) -> tuple[int, ...]:
    """`rank` whole numbers from one number or from as many.

    >>> to_tuple(3, 2, "kernel_size")
    (3, 3)
    """
    least = 0 if allow_zero else 1
    wanted = f"{rank} {'non-negative' if allow_zero else 'positive'} integer(s)"
    try:
        values = (value,) * rank if isinstance(value, int) else tuple(value)
    except TypeError:
        values = ()
    whole = all(isinstance(v, int) and not isinstance(v, bool) for v in values)
    if len(values) != rank or not whole or isinstance(value, str) or any(v < least for v in values):
        raise ValueError(
            f"The `{name}` argument must be a tuple of {wanted}. Received: {name}={value}"
        )
    return tuple(int(v) for v in values)


def to_pairs(value: Any, rank: int, name: str) -> tuple[tuple[int, ...], ...]:
    """(before, after) for each of `rank` axes from a number, `rank` numbers or `rank` pairs.

    >>> to_pairs(((1, 2), 3), 2, "padding")
    ((1, 2), (3, 3))
    """
    if isinstance(value, int) and not isinstance(value, bool):
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
