"""Indices as sums: const + Σ coefficient · atom, where an atom is a loop variable, a loaded index,
or a quotient or remainder of such a sum. Reshapes and windows of views stay readable, because
(8i + j) // 8 is i when 0 ≤ j < 8.

>>> from chainrule.schedule.loops import Type, Value
>>> i = Index.of(Value("variable", (), (), Type("i64"), 1, (0, 3)))
>>> j = Index.of(Value("variable", (), (), Type("i64"), 2, (0, 7)))
>>> flat = i * 8 + j
>>> flat // 8 == i, flat % 8 == j, (flat // 4) * 4 + flat % 4 == flat
(True, True, True)
>>> linear(unravel(flat + 5, (3, 5, 7)), (3, 5, 7)) == flat + 5
True
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chainrule.schedule.build import Builder
from chainrule.schedule.loops import Value


class Quotient(NamedTuple):
    """⌊whole / by⌋, which is not simpler."""

    whole: Index
    by: int
    sign: str = "/"  # equal tuples are equal, whatever their class

    @property
    def bounds(self) -> tuple[int, int]:
        low, high = self.whole.bounds
        return low // self.by, high // self.by


class Remainder(NamedTuple):
    """whole − by ⌊whole / by⌋, which is not simpler."""

    whole: Index
    by: int
    sign: str = "%"

    @property
    def bounds(self) -> tuple[int, int]:
        return 0, self.by - 1


Atom = Value | Quotient | Remainder


class Index:
    """An integer that a kernel computes. Immutable; equal sums are equal."""

    __slots__ = ("_hash", "bounds", "const", "terms")

    def __init__(self, const: int, terms: Iterable[tuple[Atom, int]] = ()) -> None:
        self.const = const
        self.terms = tuple(terms)
        self._hash = hash((const, frozenset(self.terms)))
        low = high = const
        for atom, c in self.terms:
            a, b = _bounds(atom)
            low += min(a * c, b * c)
            high += max(a * c, b * c)
        #: Least and greatest value.
        self.bounds = (low, high)

    @staticmethod
    def of(x: Value | int) -> Index:
        """A loop variable, a loaded index, or a number."""
        if isinstance(x, int):
            return Index(x)
        return Index(x.number) if x.is_const else Index(0, ((x, 1),))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Index)
            and self.const == other.const
            and frozenset(self.terms) == frozenset(other.terms)
        )

    def __repr__(self) -> str:
        parts = [f"{c}·{a!r}" for a, c in self.terms]
        return " + ".join([*parts, str(self.const)])

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.const + other, self.terms) if other else self
        found = dict(self.terms)
        for atom, c in other.terms:
            found[atom] = found.get(atom, 0) + c
        return _rejoined(self.const + other.const, found)

    def __sub__(self, other: Index | int) -> Index:
        return self + other * -1

    def __mul__(self, k: int) -> Index:
        if k == 0:
            return ZERO
        return self if k == 1 else Index(self.const * k, ((a, c * k) for a, c in self.terms))

    def _split(self, by: int) -> tuple[Index, Index]:
        """self = by · first + second; all that `by` divides is in the first."""
        first = [(a, c // by) for a, c in self.terms if c % by == 0]
        second = [(a, c) for a, c in self.terms if c % by]
        return Index(self.const // by, first), Index(self.const % by, second)

    def __floordiv__(self, by: int) -> Index:
        first, second = self._split(by)
        low, high = second.bounds
        if low // by == high // by:
            return first + low // by
        common = math.gcd(by, *(c for _, c in second.terms))
        if common > 1:
            smaller = Index(second.const // common, ((a, c // common) for a, c in second.terms))
            return first + smaller // (by // common)
        if len(second.terms) == 1 and not second.const:
            ((atom, c),) = second.terms
            if isinstance(atom, Quotient) and c == 1:
                return first + atom.whole // (atom.by * by)
        return first + Index(0, ((Quotient(second, by), 1),))

    def __mod__(self, by: int) -> Index:
        _, second = self._split(by)
        low, high = second.bounds
        if low // by == high // by:
            return second - (low // by) * by
        common = math.gcd(by, *(c for _, c in second.terms))
        if common > 1:
            smaller = Index(second.const // common, ((a, c // common) for a, c in second.terms))
            return (smaller % (by // common)) * common + second.const % common
        return Index(0, ((Remainder(second, by), 1),))

    def coefficient(self, variable: Value) -> int | None:
        """How much the index grows with a variable; None if not linearly."""
        total = 0
        for atom, c in self.terms:
            if atom is variable:
                total += c
            elif variable in variables(atom):
                return None
        return total


def _bounds(atom: Atom) -> tuple[int, int]:
    if atom.bounds is None:
        return -(1 << 62), 1 << 62
    return atom.bounds


def _rejoined(const: int, terms: dict[Atom, int]) -> Index:
    """by · ⌊w / by⌋ + w mod by = w."""
    for atom, c in list(terms.items()):
        if not isinstance(atom, Remainder) or not c:
            continue
        quotient = atom.whole // atom.by
        if len(quotient.terms) != 1 or quotient.const:
            continue
        ((other, k),) = quotient.terms
        if k == 1 and terms.get(other) == c * atom.by:
            del terms[atom], terms[other]
            for part, times in atom.whole.terms:
                terms[part] = terms.get(part, 0) + c * times
            return _rejoined(const + c * atom.whole.const, terms)
    return Index(const, ((a, c) for a, c in terms.items() if c))


ZERO = Index(0)


def divisors(x: Index, variable: Value) -> set[int]:
    """The numbers by which a variable (plus a constant) is divided in an index."""
    found: set[int] = set()
    for atom, _ in x.terms:
        if not isinstance(atom, Value):
            if isinstance(atom, Quotient | Remainder) and atom.whole.terms == ((variable, 1),):
                found.add(atom.by)
            found |= divisors(atom.whole, variable)
    return found


def variables(x: Index | Atom) -> set[Value]:
    """The values that an index is made of."""
    if isinstance(x, Value):
        return {x}
    if isinstance(x, Index):
        return set().union(*(variables(a) for a, _ in x.terms))
    return variables(x.whole)


def depth(x: Index) -> int:
    """The innermost block whose variables it reads."""
    return max((v.depth for v in variables(x)), default=0)


def linear(index: Sequence[Index], shape: Sequence[int]) -> Index:
    """The position in memory of an element of a C-contiguous array."""
    at = ZERO
    for i, n in zip(index, shape, strict=True):
        at = at * n + i
    return at


def unravel(at: Index, shape: Sequence[int]) -> tuple[Index, ...]:
    """The index of the element at a position."""
    out: list[Index] = []
    for k, n in enumerate(reversed(shape)):
        last = k == len(shape) - 1
        out.append(at if last else at % n)
        at = at // n
    return tuple(reversed(out))


def emit(b: Builder, x: Index) -> Value:
    """The index as Loop IR; outer variables first, so that their sum is computed outside."""
    total = b.const(0, "i64")
    for atom, c in sorted(x.terms, key=lambda t: max(v.depth for v in variables(t[0]))):
        total = b.add(total, b.mul(_atom(b, atom), c))
    return b.add(total, x.const)


def _atom(b: Builder, atom: Atom) -> Value:
    if isinstance(atom, Value):
        return atom
    low = atom.whole.bounds[0]
    lift = -(low // atom.by) if low < 0 else 0  # C divides toward zero
    whole = emit(b, atom.whole + lift * atom.by)
    if isinstance(atom, Remainder):
        return b.op("rem", whole, atom.by)
    return b.sub(b.op("div", whole, atom.by), lift)
