"""`torch.cpu`: the device that there is. Everything has run when a value is looked at, so streams
and waiting mean nothing.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from chainrule import names
from chainrule.cpu import amp

__getattr__ = names.later(__name__)


def is_available() -> bool:
    """True"""
    return True


def is_initialized() -> bool:
    """True"""
    return True


def device_count() -> int:
    """1"""
    return 1


def current_device() -> str:
    """cpu"""
    return "cpu"


def set_device(device: Any) -> None:
    """There is one."""


def synchronize(device: Any = None) -> None:
    """Nothing runs by itself."""


class Stream:
    """The order of calls."""

    def __init__(self, priority: int = -1) -> None:
        self.priority = priority

    def wait_stream(self, stream: Stream) -> None:
        """Nothing runs by itself."""


class Event:
    """A point in the order of calls."""

    def query(self) -> bool:
        """True: it has happened."""
        return True

    def record(self, stream: Stream | None = None) -> None:
        """Nothing runs by itself."""

    def synchronize(self) -> None:
        """Nothing runs by itself."""

    def wait(self, stream: Stream | None = None) -> None:
        """Nothing runs by itself."""


def current_stream(device: Any = None) -> Stream:
    """The order of calls."""
    return Stream()


def stream(stream: Stream | None) -> AbstractContextManager[None]:
    """The block runs as it is."""
    return nullcontext()


def get_capabilities() -> dict[str, Any]:
    """How many cores this process may use."""
    return {"num_cores": os.cpu_count()}
