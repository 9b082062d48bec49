"""`torch.nn.attention`: which kernel of attention PyTorch may choose. There is one kind here, whose
result is the same as any of them gives but for rounding, so a choice is checked and remembered.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from chainrule import names

__all__ = ["SDPBackend", "sdpa_kernel"]

__getattr__ = names.later(__name__, ("bias", "flex_attention"))


class SDPBackend(IntEnum):
    """PyTorch's kernels."""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


_allowed: list[list[SDPBackend]] = []


@contextmanager
def sdpa_kernel(
    backends: list[SDPBackend] | SDPBackend, set_priority: bool = False
) -> Iterator[None]:
    """Allow these kernels inside the block; attention is computed the same way."""
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(chosen, list) or not all(isinstance(b, SDPBackend) for b in chosen):
        raise AssertionError("Backend must be an instance of SDPBackend or a list of SDPBackend")
    _allowed.append(list(dict.fromkeys(chosen)))
    try:
        yield
    finally:
        _allowed.pop()


def _cur_sdpa_kernel_backends(with_priority: bool = False) -> list[SDPBackend]:
    """What the innermost block allows."""
    if _allowed:
        return _allowed[-1]
    return [b for b in SDPBackend if b is not SDPBackend.ERROR]
