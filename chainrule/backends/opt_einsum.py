"""`torch.backends.opt_einsum`: einsum finds the order of its products itself."""

from __future__ import annotations

from chainrule import names

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """False"""
    return False


def get_opt_einsum() -> None:
    """None"""
    return None


__getattr__ = names.later(__name__)
