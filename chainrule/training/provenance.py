"""Where a result comes from: what ran where, on which data. Plain values, which a file can keep."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from importlib import metadata
from typing import Any

import numpy as np

from chainrule._version import __version__
from chainrule.runtime import machine


def versions() -> dict[str, str]:
    """Of what has a say in the numbers."""
    return {
        "chainrule": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "llvmlite": metadata.version("llvmlite"),
    }


def this_machine() -> dict[str, Any]:
    """Processor, cores, memory, system."""
    found = machine.machine()
    return {
        "cpu": found["cpu"],
        "cores": found["usable cores"],
        "memory_gib": found["memory, GiB"],
        "system": found["system"],
    }


def fingerprint(arrays: Iterable[Any]) -> str:
    """SHA-256 of arrays: for each its type, its shape and its bytes in C order.

    >>> fingerprint([np.arange(3)])[:16]
    '129d7c8430eea69d'
    """
    total = hashlib.sha256()
    for array in arrays:
        a = np.ascontiguousarray(array)
        total.update(f"{a.dtype.newbyteorder('<').str}{a.shape}".encode())
        little = a.astype(a.dtype.newbyteorder("<"), copy=False)
        total.update(little.tobytes() if little.dtype.hasobject else little.data.cast("B"))
    return total.hexdigest()
