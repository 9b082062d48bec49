"""Devices and operations, of which there is one kind, and none."""

from __future__ import annotations

from typing import Any


class device:
    """A block on a device; every one is this machine's CPU."""

    def __init__(self, device_name: Any) -> None:
        self.name = device_name

    def __enter__(self) -> device:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class Operation:
    """An operation of TensorFlow's graphs, of which there are none here."""
