"""`torch.cuda`, truthfully: there is no CUDA device, and everything that needs one says so."""

from __future__ import annotations

from typing import Any, NoReturn

from chainrule import devices


def is_available() -> bool:
    """False: this version computes on the CPU only."""
    return False


def device_count() -> int:
    """0"""
    return 0


def is_initialized() -> bool:
    """False"""
    return False


def is_bf16_supported() -> bool:
    """False: there is no device."""
    return False


def manual_seed(seed: int) -> None:
    """Seeds nothing: there are no device streams; `torch.manual_seed` seeds those that exist."""


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
    devices.check("cuda")
    raise AssertionError("unreachable")


current_device = set_device = get_device_name = get_device_properties = get_device_capability = (
    Event
) = Stream = _none
