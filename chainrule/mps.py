"""`torch.mps`: there is no such device."""

from __future__ import annotations

from typing import Any, NoReturn

from chainrule import devices, names

__getattr__ = names.later(__name__)


def is_available() -> bool:
    """False"""
    return False


def device_count() -> int:
    """0"""
    return 0


def manual_seed(seed: int) -> None:
    """Seeds nothing: the device has no stream."""


def seed() -> None:
    """Seeds nothing."""


def empty_cache() -> None:
    """Nothing is cached on a device."""


def synchronize() -> None:
    """Nothing runs on a device."""


def current_allocated_memory() -> int:
    """0 bytes"""
    return 0


driver_allocated_memory = recommended_max_memory = current_allocated_memory


def set_per_process_memory_fraction(fraction: float) -> None:
    """There is no memory to share out."""


def _none(*_: Any, **__: Any) -> NoReturn:
    devices.check("mps")
    raise AssertionError("unreachable")


get_rng_state = set_rng_state = compile_shader = Event = _none
