"""`torch.backends.nnpack`: NNPACK is not used."""

from __future__ import annotations

from contextlib import AbstractContextManager

from chainrule import names
from chainrule.backends._flags import flags_for_a_while

enabled = False


def is_available() -> bool:
    """False"""
    return False


def flags(enabled: bool = False) -> AbstractContextManager[None]:
    """Set the flag for a while."""
    return flags_for_a_while(__name__, enabled=enabled)


__getattr__ = names.later(__name__)
