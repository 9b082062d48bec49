"""`torch.backends.mha`: whether attention may take a shorter way. Nothing depends on it."""

from chainrule import names

_fast = {"path": True}


def get_fastpath_enabled() -> bool:
    """What `set_fastpath_enabled` was told."""
    return _fast["path"]


def set_fastpath_enabled(value: bool) -> None:
    """Remembered, and read by nobody."""
    _fast["path"] = bool(value)


__getattr__ = names.later(__name__)
