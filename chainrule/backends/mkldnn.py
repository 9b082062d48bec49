"""`torch.backends.mkldnn`: oneDNN is not used. Its flags can be set, and nothing reads them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import SimpleNamespace

from chainrule import names
from chainrule.backends._flags import flags_for_a_while

enabled = True
deterministic = False
allow_tf32 = True
fp32_precision = "none"
matmul = SimpleNamespace(fp32_precision="none")
conv = SimpleNamespace(fp32_precision="none")
rnn = SimpleNamespace(fp32_precision="none")


def is_available() -> bool:
    """False"""
    return False


def is_acl_available() -> bool:
    """False"""
    return False


def flags(
    enabled: bool = False,
    deterministic: bool = False,
    allow_tf32: bool = True,
    fp32_precision: str = "none",
) -> AbstractContextManager[None]:
    """Set the flags for a while."""
    return flags_for_a_while(
        __name__, enabled=enabled, deterministic=deterministic, allow_tf32=allow_tf32
    )


__getattr__ = names.later(__name__)
