"""Small things that torchvision's own modules import from `torchvision._utils`."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Any


class StrEnumMeta(enum.EnumMeta):
    """The type of enumerations that are also found by the names of their members."""

    auto = enum.auto

    def from_str(cls, member: str) -> Any:
        """The member of that name; ValueError where there is none."""
        try:
            return cls[member]
        except KeyError:
            raise ValueError(f"Unknown value '{member}' for {cls.__name__}.") from None


class StrEnum(enum.Enum, metaclass=StrEnumMeta):
    """An enumeration of names."""


def sequence_to_str(seq: Sequence[Any], separate_last: str = "") -> str:
    """The items in quotes, with commas between them and `separate_last` before the last.

    >>> sequence_to_str(["a", "b", "c"], separate_last="and ")
    "'a', 'b', and 'c'"
    """
    quoted = [f"'{item}'" for item in seq]
    if len(quoted) < 2:
        return "".join(quoted)
    comma = "" if separate_last and len(quoted) == 2 else ","
    return f"{', '.join(quoted[:-1])}{comma} {separate_last}{quoted[-1]}"
