"""`torch.accelerator`: there is none; programs that ask go on with the CPU."""

from __future__ import annotations

from typing import Any, NoReturn

from chainrule import names
from chainrule.devices import device

__getattr__ = names.later(__name__)


def is_available() -> bool:
    """False"""
    return False


def device_count() -> int:
    """0"""
    return 0


def current_accelerator(check_available: bool = False) -> device | None:
    """None: this build has no accelerator."""
    return None


def _none(*_: Any, **__: Any) -> NoReturn:
    raise RuntimeError(
        "Cannot access accelerator device when none is available. "
        "Ask torch.accelerator.is_available() first, which is False here."
    )


current_device_index = current_device_idx = current_stream = set_stream = _none
get_device_capability = get_memory_info = set_device_index = set_device_idx = _none


def synchronize(device: Any = None, /) -> None:
    """Raises: there is no device to wait for."""
    _none()


def empty_cache() -> None:
    """Nothing is cached on a device."""


def memory_allocated(device_index: Any = None, /) -> int:
    """0 bytes"""
    return 0


max_memory_allocated = memory_reserved = max_memory_reserved = memory_allocated


def memory_stats(device_index: Any = None, /) -> dict[str, Any]:
    """{}"""
    return {}


def reset_peak_memory_stats(device_index: Any = None, /) -> None:
    """There are none."""


reset_accumulated_memory_stats = reset_peak_memory_stats


class device_index:
    """`with torch.accelerator.device_index(None):` runs the block as it is."""

    def __init__(self, device: int | None, /) -> None:
        self.idx = device

    def __enter__(self) -> None:
        if self.idx is not None:
            _none()

    def __exit__(self, *_: object) -> None:
        return None
