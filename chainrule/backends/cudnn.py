"""`torch.backends.cudnn`: there is none. Its flags can be set, and nothing reads them: algorithms
here are deterministic, and are chosen without trying them.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import SimpleNamespace

from chainrule import names
from chainrule.backends._flags import flags_for_a_while
from chainrule.backends._flags import set_flags as _set

enabled = True
deterministic = False
benchmark = False
benchmark_limit: int | None = 10
allow_tf32 = True
fp32_precision = "none"
conv = SimpleNamespace(fp32_precision="none")
rnn = SimpleNamespace(fp32_precision="none")


def is_available() -> bool:
    """False"""
    return False


def version() -> None:
    """None"""
    return None


def is_acceptable(tensor: object) -> bool:
    """False: no tensor is on a CUDA device."""
    return False


def set_flags(
    _enabled: bool | None = None,
    _benchmark: bool | None = None,
    _benchmark_limit: int | None = None,
    _deterministic: bool | None = None,
    _allow_tf32: bool | None = None,
    _fp32_precision: str = "none",
) -> tuple[object, ...]:
    """Set the flags; their values before."""
    return _set(
        __name__, enabled=_enabled, benchmark=_benchmark, benchmark_limit=_benchmark_limit,
        deterministic=_deterministic, allow_tf32=_allow_tf32,
    )  # fmt: skip


def flags(
    enabled: bool = False,
    benchmark: bool = False,
    benchmark_limit: int = 10,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> AbstractContextManager[None]:
    """Set the flags for a while.

    >>> import chainrule.backends.cudnn as cudnn
    >>> with cudnn.flags(enabled=True, benchmark=True):
    ...     cudnn.benchmark
    True
    >>> cudnn.benchmark
    False
    """
    return flags_for_a_while(
        __name__, enabled=enabled, benchmark=benchmark, benchmark_limit=benchmark_limit,
        deterministic=deterministic, allow_tf32=allow_tf32,
    )  # fmt: skip


__getattr__ = names.later(__name__)
