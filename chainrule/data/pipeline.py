"""A step of a pipeline, and the two ways through it: element by element, and block by block.

A *block* is many elements in one: every leaf has a first axis more. A step that can give blocks
(elements in memory, and what is made of them) says so by `blocks`, and then `batch` costs one
gather instead of a thousand small arrays. A step whose elements can be had in any order also gives
`rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from chainrule.data.elements import length, mapped, row, spec

INFINITE, UNKNOWN = -1, -2
#: How many elements move at once where nothing else says it.
BLOCK = 256


class Rows(NamedTuple):
    """Elements that can be had in any order: `gather` takes an array of positions, or a slice."""

    size: int
    gather: Callable[[Any], Any]


class Step:
    """A data set that reads something, or changes what another one gives."""

    def elements(self) -> Iterator[Any]:
        """The elements, raw, from the beginning. By default out of the blocks."""
        blocks = self.blocks(BLOCK)
        assert blocks is not None, f"{type(self).__name__} gives neither elements nor blocks"
        for block in blocks:
            for i in range(length(block)):
                yield row(block, i)

    def blocks(self, n: int) -> Iterator[Any] | None:
        """The elements in blocks of about n, or None where they come one by one."""
        rows = self.rows()
        return None if rows is None else _in_order(rows, n)

    def rows(self) -> Rows | None:
        """The elements in any order, or None."""
        return None

    def example(self) -> Any:
        """A block of one or two elements that costs nothing and changes nothing, or None."""
        rows = self.rows()
        if rows is None or not rows.size:
            return None
        return rows.gather(slice(0, 2))

    def count(self) -> int:
        """How many elements there are; INFINITE or UNKNOWN."""
        return UNKNOWN

    def spec(self) -> Any:
        """The specs of an element. Where no step knows better, those of the first one."""
        first = next(iter(self.elements()), None)
        if first is None:
            raise ValueError("the data set is empty: nobody knows what its elements would be")
        return mapped(spec, first)


class Changed(Step):
    """A step after another one, which it changes nothing about by default."""

    def __init__(self, source: Step) -> None:
        self.source = source

    def elements(self) -> Iterator[Any]:
        return self.source.elements()

    def blocks(self, n: int) -> Iterator[Any] | None:
        return self.source.blocks(n)

    def example(self) -> Any:
        return self.source.example()

    def count(self) -> int:
        return self.source.count()

    def spec(self) -> Any:
        return self.source.spec()


def _in_order(rows: Rows, n: int) -> Iterator[Any]:
    for first in range(0, rows.size, n):
        yield rows.gather(slice(first, min(first + n, rows.size)))


def ordered(rows: Rows, order: np.ndarray, n: int) -> Iterator[Any]:
    """Blocks of rows in a given order."""
    for first in range(0, len(order), n):
        yield rows.gather(order[first : first + n])


def chosen(rows: Rows, positions: np.ndarray | range) -> Rows:
    """Some of the rows."""
    if isinstance(positions, range) and positions.step == 1 and positions.start == 0:
        return Rows(len(positions), lambda at: rows.gather(_clipped(at, len(positions))))
    table = np.asarray(positions)
    return Rows(len(table), lambda at: rows.gather(table[at]))


def _clipped(at: Any, count: int) -> Any:
    return slice(*at.indices(count)) if isinstance(at, slice) else at
