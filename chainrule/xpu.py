"""`torch.xpu`: there is no such device."""

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


def is_initialized() -> bool:
    """False"""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False"""
    return False


def manual_seed(seed: int) -> None:
    """Seeds nothing: the device has no stream."""


manual_seed_all = manual_seed


def empty_cache() -> None:
    """Nothing is cached on a device."""


def synchronize(device: Any = None) -> None:
    """Nothing runs on a device."""


def memory_allocated(device: Any = None) -> int:
    """0 bytes"""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def reset_peak_memory_stats(device: Any = None) -> None:
    """There are none."""


def _none(*_: Any, **__: Any) -> NoReturn:
    devices.check("xpu")
    raise AssertionError("unreachable")


current_device = set_device = get_device_name = get_device_properties = Stream = Event = _none
get_device_capability = current_stream = get_rng_state = set_rng_state = mem_get_info = _none
