"""`keras.config`: global settings."""

from chainrule.keras.backend import backend
from chainrule.keras.settings import (
    disable_flash_attention,
    dtype_policy,
    enable_flash_attention,
    epsilon,
    floatx,
    image_data_format,
    is_flash_attention_enabled,
    set_dtype_policy,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from chainrule.training.messages import (
    disable_interactive_logging,
    enable_interactive_logging,
    is_interactive_logging_enabled,
)

_flags = {"traceback": False}


def disable_traceback_filtering() -> None:
    """Accepted: tracebacks are always whole here."""
    _flags["traceback"] = False


def enable_traceback_filtering() -> None:
    """Accepted: tracebacks are always whole here."""
    _flags["traceback"] = True


def is_traceback_filtering_enabled() -> bool:
    return _flags["traceback"]


__all__ = [
    "disable_flash_attention",
    "enable_flash_attention",
    "is_flash_attention_enabled",
    "disable_interactive_logging",
    "disable_traceback_filtering",
    "enable_interactive_logging",
    "enable_traceback_filtering",
    "is_interactive_logging_enabled",
    "is_traceback_filtering_enabled",
    "backend",
    "dtype_policy",
    "epsilon",
    "floatx",
    "image_data_format",
    "set_dtype_policy",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
]
