"""`keras.config`: global settings."""

from chainrule.keras.backend import backend
from chainrule.keras.settings import (
    dtype_policy,
    epsilon,
    floatx,
    image_data_format,
    set_dtype_policy,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)

_flags = {"traceback": False, "interactive": True}


def disable_traceback_filtering() -> None:
    """Accepted: tracebacks are always whole here."""
    _flags["traceback"] = False


def enable_traceback_filtering() -> None:
    """Accepted: tracebacks are always whole here."""
    _flags["traceback"] = True


def is_traceback_filtering_enabled() -> bool:
    return _flags["traceback"]


def enable_interactive_logging() -> None:
    """Accepted: the progress bar itself sees whether there is a terminal."""
    _flags["interactive"] = True


def disable_interactive_logging() -> None:
    """Accepted: the progress bar itself sees whether there is a terminal."""
    _flags["interactive"] = False


def is_interactive_logging_enabled() -> bool:
    return _flags["interactive"]


__all__ = [
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
