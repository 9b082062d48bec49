"""What the guard saved, run again: operation by operation, on the reference.

    replay("runs/nan-20261122-143000")

See `chainrule.nan_guard`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from chainrule.ir.graph import topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node
from chainrule.tensor.evidence import Saved, load
from chainrule.tensor.nonfinite import Finding, Place, Range, find, inherited, is_clean, run

#: So many operations before the one that is to blame are printed.
_BEFORE = 12


class Ran(NamedTuple):
    """One operation of the program, with the range of what it made."""

    op: str
    output: Range
    place: Place | None

    def __str__(self) -> str:
        where = f"   {self.place}" if self.place is not None else ""
        return f"{self.op:<14}{self.output}{where}"


class Replay:
    """The program that the guard stopped, run again.

    finding   what made NaN or infinity: as the error told it, found anew
    saved     the graph (`outputs`), its inputs (`arrays`, `names`)
    steps     every operation in order, with the range of what it made, up to the one that is to
              blame and the one after
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = os.fspath(folder)
        self.saved: Saved = load(folder)
        saved = self.saved
        ends = list(range(len(saved.outputs)))
        told = saved.finding
        found = find(
            saved.outputs, saved.arrays, ends, reached=lambda i: told.reached,
            places=saved.places, name=lambda i: saved.names[i],
        )  # fmt: skip
        self.finding: Finding = told if found is None else found
        self.steps: list[Ran] = list(self._steps())

    def _steps(self) -> Iterator[Ran]:
        saved = self.saved
        order = topological(saved.outputs, below=below)
        places = inherited(order, saved.places)
        last = self.finding.at + 1 if self.finding.at >= 0 else len(order)
        for i, (node, value, _) in enumerate(run(order, saved.arrays)):
            if i > last:
                return
            name = saved.names[node.attr("index")] if node.op.name == "input" else ""
            yield Ran(node.op.name, Range.of(name, node, value), places.get(node))

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        """What the program read, by name; what has none by its number."""
        names = [name or f"input {i}" for i, name in enumerate(self.saved.names)]
        twice = {name for name in names if names.count(name) > 1}
        return {
            f"{name} ({i})" if name in twice else name: array
            for i, (name, array) in enumerate(zip(names, self.saved.arrays, strict=True))
        }

    def outputs(self) -> list[np.ndarray]:
        """What the reference gives for the program's outputs."""
        values = {n: v for n, v, _ in run(topological(self.saved.outputs, below=below),
                                          self.saved.arrays) if n in self._ends}  # fmt: skip
        return [values[o] for o in self.saved.outputs]

    @property
    def _ends(self) -> frozenset[Node]:
        return frozenset(self.saved.outputs)

    def __str__(self) -> str:
        shown = self.steps[-_BEFORE:]
        more = len(self.steps) - len(shown)
        head = [f"… {more} operations before"] if more else []
        marks = ["→ " if not is_clean(ran.output) else "  " for ran in shown]
        rows = [mark + str(ran) for mark, ran in zip(marks, shown, strict=True)]
        return "\n".join([str(self.finding), "", *head, *rows])

    def __repr__(self) -> str:
        return str(self)


def replay(folder: str | os.PathLike[str]) -> Replay:
    """Run a program again that the guard has stopped, from the folder that its error names: in
    another process, too. The random streams are where they were.

    Raises FileNotFoundError if nothing was saved there.
    """
    return Replay(folder)
