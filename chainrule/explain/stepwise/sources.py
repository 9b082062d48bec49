"""Where a step's formula and its gradient rule are written: file, line, and the text."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.errors import ChainruleError
from chainrule.explain.stepwise.tape import Step

_PACKAGE = Path(inspect.getfile(ChainruleError)).parent.parent
_LONGEST = 40


class Source(NamedTuple):
    """Some lines of a file; `text` may be a sentence instead, where there are none."""

    file: str
    line: int
    text: str

    @property
    def place(self) -> str:
        """file:line"""
        return f"{self.file}:{self.line}" if self.file else ""


def of_op(step: Step) -> Source | None:
    """The formula or reference of a step's op."""
    op = step.node.op
    if step.custom is not None:
        return None
    return _source(op.formula or op.reference)


def of_rule(step: Step) -> Source | None:
    """The gradient rule of a step's op; None: it is derived from the formula."""
    if step.custom is not None:
        return None if step.custom.rule is None else _source(step.custom.rule)
    return None if step.node.op.gradient is None else _source(step.node.op.gradient)


def _source(f: Callable[..., Any] | None) -> Source | None:
    if f is None:
        return None
    f = inspect.unwrap(f)
    try:
        lines, first = inspect.getsourcelines(f)
        file = inspect.getsourcefile(f)
    except (TypeError, OSError):  # NumPy's own, or typed at a prompt
        name = getattr(f, "__name__", repr(f))
        owner = getattr(f, "__module__", None) or type(f).__module__
        return Source("", 0, f"{owner}.{name}")
    text = inspect.cleandoc("\n" + "".join(lines[:_LONGEST]))
    return Source(shown(file or ""), first, text + ("\n…" if len(lines) > _LONGEST else ""))


def shown(file: str) -> str:
    """A path as a reader knows it: from the package, from here, or the name alone."""
    path = Path(file)
    if path.is_relative_to(_PACKAGE):
        return path.relative_to(_PACKAGE).as_posix()
    here = Path(os.getcwd())
    return path.relative_to(here).as_posix() if path.is_relative_to(here) else path.name
