"""The user's lines: where in a program, outside this library, something came about."""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NamedTuple

#: Where this library lies.
HERE = os.path.dirname(os.path.abspath(__file__)) + os.sep
_PYTHON = os.path.dirname(os.__file__) + os.sep
_INSTALLED = os.sep + "site-packages" + os.sep

#: So many lines tell the way to an operation; what is further out is in the traceback.
_MOST = 4


class Line(NamedTuple):
    """A place in a program."""

    file: str
    number: int
    function: str

    @property
    def text(self) -> str:
        """The line as it is written; empty where the source is not at hand."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        text = self.text
        return f"{self.file}:{self.number}" + (f": {text}" if text else "")


def users_line() -> Line | None:
    """The innermost line outside the library that led here."""
    return next(_outside(sys._getframe(1)), None)


def users_lines() -> tuple[Line, ...]:
    """The lines outside the library that led here, innermost first; those of other installed
    packages only if there are no others, and none of what was typed into an interpreter, which
    keeps no source.
    """
    found = [line for line in _outside(sys._getframe(1)) if not line.file.startswith("<")]
    own = [line for line in found if _INSTALLED not in line.file]
    return tuple((own or found)[:_MOST])


def _outside(frame: FrameType | None) -> Iterator[Line]:
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        ours = file.startswith((HERE, _PYTHON, "<frozen")) and (
            _INSTALLED not in file or file.startswith(HERE)
        )
        if not ours:
            yield Line(file, frame.f_lineno, code.co_name)
        frame = frame.f_back
