"""`torch._C`: the few names of PyTorch's own inside that programs use."""

from __future__ import annotations

from chainrule import names
from chainrule.runtime.random import Generator
from chainrule.tensor import is_grad_enabled

__all__ = ["Generator", "_get_tracing_state", "_log_api_usage_once", "is_grad_enabled"]

__getattr__ = names.absent(__name__, "it is the inside of PyTorch; use the public names")


def _get_tracing_state() -> None:
    """None: nothing is being traced."""
    return None


def _log_api_usage_once(name: str) -> None:
    """Nothing is reported."""
