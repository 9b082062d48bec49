r"""Reads the mathematics that `explain.math` prints, and computes it with NumPy in float64.

    evaluate(text, values)     one expression
    Sheet(values).run(lines)   equations, one after another; loops over time step by step

Only what is printed is read: no graph is looked at.

>>> import numpy as np
>>> from chainrule.explain.reading import Value, evaluate
>>> W, x = Value(np.array([[1.0, 2.0]]), (0, 1)), Value(np.array([[3.0, 4.0]]), ("n", 0))
>>> evaluate(r"\sigma(W x)", {"W": W, "x": x}).array.round(6)
array([[0.999983]])
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from chainrule.explain.reading.parser import Reader, ReadError, Scope
from chainrule.explain.reading.values import Value, union

__all__ = ["ReadError", "Sheet", "Value", "evaluate"]

_TIMED = re.compile(r"(.*)_\{([a-z])(?:=(\d+))?\}", re.DOTALL)


def evaluate(text: str, values: Mapping[str, Value]) -> Value:
    """The value of one printed expression."""
    return Reader(text, Scope(values)).whole()


class Sheet:
    """Equations and what their symbols are."""

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.scope = Scope(values)
        for v in values.values():
            for label, size in zip(v.labels, v.array.shape, strict=True):
                if isinstance(label, str):
                    self.scope.lengths.setdefault(label, size)

    def run(self, lines: Iterable[Any]) -> dict[str, Value]:
        """Evaluate lines that have `left`, `right` and `over` (the loop that they belong to)."""
        waiting: list[Any] = []
        for line in [*lines, None]:
            if waiting and (line is None or line.over != waiting[0].over):
                self._loop(waiting)
                waiting = []
            if line is None:
                break
            if line.over is not None:
                waiting.append(line)
                continue
            value = Reader(line.right, self.scope).whole()
            timed = _TIMED.fullmatch(line.left)
            if timed and timed[3] is not None:  # a state before its loop begins
                self.scope.series.setdefault(_bare(timed[1]), {})[int(timed[3])] = value
                self.scope.refresh()
            else:
                self.scope.put(line.left, value)
        return self.scope.values

    def _loop(self, lines: list[Any]) -> None:
        over = lines[0].over
        scope = self.scope
        scope.lengths.setdefault(over.letter, over.length)
        names: list[str] = []
        for line in lines:
            timed = _TIMED.fullmatch(line.left)
            if timed is None:
                raise ReadError(f"{line.left} stands in a loop and has no step")
            names.append(_bare(timed[1]))
            scope.series.setdefault(names[-1], {})
        scope.refresh()
        steps = range(over.length, 0, -1) if over.reverse else range(1, over.length + 1)
        for t in steps:
            scope.at[over.letter] = t
            for name, line in zip(names, lines, strict=True):
                scope.series[name][t] = Reader(line.right, scope).whole()
        del scope.at[over.letter]
        for name in names:
            values = [scope.series[name][t] for t in range(1, over.length + 1)]
            labels = union(*values)
            stack = np.stack(np.broadcast_arrays(*(v.ordered(labels) for v in values)))
            scope.put(name, Value(stack, (over.letter, *labels)))


def _bare(name: str) -> str:
    """A name without the braces that hold it together."""
    return name[1:-1] if name.startswith("{") and name.endswith("}") else name
