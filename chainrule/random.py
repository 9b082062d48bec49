"""`torch.random`: the state of the streams of random numbers, as a tensor that can be saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from chainrule import names
from chainrule.runtime import random as streams
from chainrule.runtime.random import initial_seed, manual_seed, seed
from chainrule.tensor import Tensor
from chainrule.tensor.handle import from_array

__all__ = ["fork_rng", "get_rng_state", "initial_seed", "manual_seed", "seed", "set_rng_state"]

__getattr__ = names.later(__name__, also="chainrule.tensorflow.random")


def get_rng_state() -> Tensor:
    """Seeds and positions of all streams, as bytes in a uint8 tensor.

    >>> import chainrule as torch
    >>> state = torch.get_rng_state()
    >>> a = torch.rand(3)
    >>> torch.set_rng_state(state)
    >>> torch.equal(a, torch.rand(3))
    True
    """
    state: Tensor = from_array(streams.packed(streams.get_state()))
    return state


def set_rng_state(new_state: Tensor) -> None:
    """Go on where `get_rng_state` was called. Raises TypeError for what is no such state."""
    if not isinstance(new_state, Tensor):
        raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
    found = streams.unpacked(new_state._concrete())
    streams.set_state(found)


@contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None,
    enabled: bool = True,
    _caller: str = "fork_rng",
    _devices_kw: str = "devices",
    device_type: str = "cuda",
) -> Iterator[None]:
    """A block after which the streams go on as if it had drawn nothing."""
    if not enabled:
        yield
        return
    before = streams.get_state()
    try:
        yield
    finally:
        streams.set_state(before)
