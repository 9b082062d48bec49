"""`torch.backends.mps`: there is no such device."""

from __future__ import annotations

from chainrule import names


def is_available() -> bool:
    """False"""
    return False


def is_built() -> bool:
    """False"""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """False: asked of the device, which is not there."""
    return False


def is_macos13_or_newer(minor: int = 0) -> bool:
    """False"""
    return False


__getattr__ = names.later(__name__)
