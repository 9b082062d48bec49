"""What can go wrong, on one screen.

Every error says what came, what was expected and how to repair it. The classes also derive from the
built-in that PyTorch raises in the same place, so that programs which catch `RuntimeError` go on
working.
"""

from __future__ import annotations

from typing import Any

from chainrule.lines import users_lines
from chainrule.names import later
from chainrule.telling import tell


class ChainruleError(Exception):
    """The root of everything that chainrule raises on purpose.

    `repair` is what would make it right, in the user's words; it is told in a note, with the user's
    lines (see `telling`).
    """

    def __init__(self, *args: Any, repair: str = "") -> None:
        super().__init__(*args)
        self.repair = repair
        tell(self, repair=repair, lines=users_lines())


class ShapeError(ChainruleError, RuntimeError, ValueError):
    """Shapes that do not fit together."""


class DtypeError(ChainruleError, RuntimeError, TypeError):
    """An element type that an operation does not take."""


class GradientError(ChainruleError, RuntimeError):
    """A derivative that does not exist, or whose graph is gone."""


class GraphError(ChainruleError, RuntimeError):
    """A graph that breaks the grammar of `chainrule.ir`: a fault of ours, never of the user's, so
    that no line of theirs is named.
    """

    def __init__(self, *args: Any) -> None:
        Exception.__init__(self, *args)
        self.repair = ""


class LinAlgError(ChainruleError, RuntimeError):
    """A matrix that has no such factorisation or inverse."""


class NonFiniteError(ChainruleError, FloatingPointError):
    """NaN or infinity where a number was expected (`chainrule.nan_guard`).

    finding    what made it: operation, layer, lines, ranges
    folder     where what the program read was saved, for `chainrule.explain.replay`; None: nowhere
    """

    def __init__(self, message: str, finding: Any = None, folder: str | None = None) -> None:
        super().__init__(message)
        self.finding, self.folder = finding, folder


class DataError(ChainruleError, RuntimeError):
    """A data set that is missing, damaged or cannot be fetched."""


class DeviceError(ChainruleError, RuntimeError):
    """A device that this machine or this version does not have."""


class Interrupted(BaseException):
    """A signal came while a program ran. A program runs to its end; then its executable raises this
    with the values, as what was donated holds new values already.
    """

    def __init__(self, values: list[Any]) -> None:
        super().__init__("interrupted after a program had run")
        self.values = values


__getattr__ = later(__name__, also="chainrule.data.errors")
