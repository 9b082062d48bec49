"""What the modules of flags share: settings that a `with` sets for a while."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def set_flags(module: str, **values: Any) -> tuple[Any, ...]:
    """Set flags of a module; their values before. None leaves a flag as it is."""
    owner = sys.modules[module]
    before = tuple(getattr(owner, name) for name in values)
    for name, value in values.items():
        if value is not None:
            setattr(owner, name, value)
    return before


@contextmanager
def flags_for_a_while(module: str, **values: Any) -> Iterator[None]:
    """The same, until the block ends."""
    before = dict(zip(values, set_flags(module, **values), strict=True))
    try:
        yield
    finally:
        set_flags(module, **before)
