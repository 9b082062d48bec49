"""`keras.src.quantizers`: there is no quantization here. Tests of it can be collected, and fail."""

from __future__ import annotations

from typing import Any


class Absent:
    """Any name of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("chainrule has no quantization")


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent
