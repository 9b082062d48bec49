"""What is said to whoever runs a program: on the screen, or in the log of `logging`."""

from __future__ import annotations

import logging
import sys

_LOG = logging.getLogger("chainrule.keras")
_LEVELS = {
    "FATAL": logging.FATAL,
    "ERROR": logging.ERROR,
    "WARNING": logging.WARNING,
    "INFO": logging.INFO,
    "DEBUG": logging.DEBUG,
}
_interactive = True


def enable_interactive_logging() -> None:
    """Messages and progress go to stdout (as at first)."""
    global _interactive
    _interactive = True


def disable_interactive_logging() -> None:
    """Messages and progress go to the logger "chainrule.keras", as information."""
    global _interactive
    _interactive = False


def is_interactive_logging_enabled() -> bool:
    """Whether messages go to stdout."""
    return _interactive


def set_logging_verbosity(level: str) -> None:
    """The least level that is logged: "FATAL", "ERROR", "WARNING", "INFO" or "DEBUG"."""
    if level not in _LEVELS:
        raise ValueError(
            "Please pass a valid level for logging verbosity. Expected one of: "
            f"{set(_LEVELS)}. Received: {level}"
        )
    _LOG.setLevel(_LEVELS[level])


def print_msg(message: object, line_break: bool = True) -> None:
    """Say it: at once, and also where the output's encoding lacks a character.

    >>> print_msg("saved")
    saved
    """
    text = str(message)
    if not _interactive:
        _LOG.info(text)
        return
    text = f"{text}\n" if line_break else text
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError:
        encoding = sys.stdout.encoding or "utf-8"
        plain = text.replace("━", "=").encode(encoding, errors="ignore")
        sys.stdout.write(plain.decode(encoding))
    sys.stdout.flush()


def ask_to_proceed_with_overwrite(filepath: object) -> bool:
    """Ask on the terminal whether a file may be replaced."""
    answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n]").strip().lower()
    while answer not in ("y", "n"):
        answer = input('Enter "y" (overwrite) or "n" (cancel).').strip().lower()
    if answer == "n":
        return False
    print_msg("[TIP] Next time specify overwrite=True!")
    return True
