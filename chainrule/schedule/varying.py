"""What varies from step to step of a loop, and into how many lanes and blocks it is cut: what
`vectorise` asks before it writes.

    var $s                             $s    a sum: it is combined into, and not read
    for %i in 0 .. 100 vector:
      %a = load 3 {@x}                 %a    the same for all steps
      %b = load %i {@x}                %b    varies
      var $r = %a                      $r    varies: it is set to what varies
      set $r = %b
      set $s add= %b
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from chainrule.schedule.lanes import fits
from chainrule.schedule.loops import (
    COMPARISONS,
    SIZE,
    Buffer,
    Declare,
    For,
    If,
    Let,
    Local,
    Register,
    Set,
    Statement,
    Store,
    Value,
    statements,
)  # fmt: skip

#: Blocks of a loop of known length are written one after another up to this many operations.
_STRAIGHT = 64
#: Blocks of more operations than this are not written side by side.
_LONG = 96
#: Vectors of so few bytes come from processors without masked loads and stores.
_UNMASKED = 16


class Facts:
    """What varies from iteration to iteration of a loop, and whether it can have lanes."""

    def __init__(self, loop: For) -> None:
        self.varying: set[Value] = {loop.variable}
        self.registers: set[Register] = set()
        self.sums: dict[Register, str] = {}
        self.possible = loop.step > 0
        self._inner = {s.register for s in statements(loop.body) if isinstance(s, Declare)}
        self._private = {s.buffer for s in statements(loop.body) if isinstance(s, Local)}
        before = -1
        while self.possible and before != self._known():
            before = self._known()
            self._block(loop.body, False)
        self.possible &= not any(
            isinstance(s, Let) and s.value.op == "get" and s.value.attrs[0] in self.sums
            for s in statements(loop.body)
        )

    def _known(self) -> int:
        return len(self.varying) + len(self.registers)

    def _block(self, block: list[Statement], divided: bool) -> None:
        """`divided`: whether lanes may part before they come here."""
        varying = self.varying
        for s in block:
            match s:
                case Let(v):
                    self._let(v)
                case Store(buffer, index, value, _):
                    if index not in varying and value in varying and buffer not in self._private:
                        self.possible = False  # all steps write to one place
                case Declare(register, value):
                    if value in varying:
                        self.registers.add(register)
                case Set(register, value, how):
                    if register not in self._inner:
                        self._sum(register, how)
                    elif value in varying or divided:
                        self.registers.add(register)
                case For(_, start, stop, _, body, note):
                    if note == "vector" or start in varying or stop in varying:
                        self.possible = False
                    self._block(body, divided)
                case If(condition, then, otherwise):
                    divided_ = divided or condition in varying
                    self._block(then, divided_)
                    self._block(otherwise, divided_)

    def _let(self, v: Value) -> None:
        if v.type.lanes > 1:
            self.possible = False
        source = v.attrs[0] if v.op in ("load", "get") else None
        if (
            any(a in self.varying for a in v.args)
            or (isinstance(source, Buffer) and source in self._private)
            or (isinstance(source, Register) and source in self.registers)
        ):
            self.varying.add(v)

    def _sum(self, register: Register, how: str | None) -> None:
        if how is None or self.sums.setdefault(register, how) != how or register.type.lanes > 1:
            self.possible = False

    def sizes(self, loop: For) -> Counter[int]:
        """How many operations there are on numbers of each size; indices do not count."""
        computed: Counter[int] = Counter()
        moved: Counter[int] = Counter()
        for s in statements(loop.body):
            if isinstance(s, Store) and s.index in self.varying:
                moved[SIZE[s.buffer.kind]] += 1
            if not isinstance(s, Let) or s.value not in self.varying or fits(s.value):
                continue
            v = s.value
            kind = v.args[0].type.kind if v.op in COMPARISONS else v.type.kind
            if v.op in ("load", "get"):
                moved[SIZE[kind]] += 1
            elif kind != "i1" and not all(fits(a) for a in v.args):
                computed[SIZE[kind]] += 1
        return computed or moved


class Plan(NamedTuple):
    """How a loop is cut."""

    width: int  # lanes
    effort: int  # operations of a block
    round: int  # blocks side by side
    masked: bool  # whether what is left is one block with a mask
    turns: int = 0  # of the loop, where that is known

    @staticmethod
    def of(loop: For, facts: Facts, vector_bytes: int) -> Plan:
        """As many lanes as a vector holds of the numbers most computed with. Several blocks side by
        side hide the latency of sums, and what turning costs short loops.
        """
        effort, small = 0, False
        for s in statements(loop.body):
            memory = s.buffer if isinstance(s, Store) else None
            if isinstance(s, Let) and s.value.op == "load":
                memory = s.value.attrs[0]
            small |= memory is not None and SIZE[memory.kind] < 4
            effort += isinstance(s, Store) or (isinstance(s, Let) and not fits(s.value))
        sizes = facts.sizes(loop)
        most = max(sizes, key=lambda size: (sizes[size], size)) if sizes else 4
        round_ = 1 if effort > _LONG else 2 if effort > _LONG // 2 else 4
        masked = vector_bytes > _UNMASKED and (vector_bytes >= 64 or not small)
        return Plan(vector_bytes // most, effort, round_, masked)

    def cut(self, blocks: int) -> Plan:
        """For so many blocks: as many side by side that few are left, or no turns if all together
        are few.
        """
        sizes = [r for r in range(min(self.round, 2), self.round + 1) if blocks >= 2 * r]
        if blocks * (self.effort + 3) <= _STRAIGHT or not sizes:
            return self
        best = min(sizes, key=lambda r: (blocks % r, -r))
        return self._replace(round=best, turns=blocks // best)


def pieces(count: int, masked: bool) -> list[tuple[int, int]]:
    """The rest of a loop as (lanes, lanes that run): 3 → (4, 3), without masks (2, 2) (1, 1)."""
    pieces: list[tuple[int, int]] = []
    while count:
        below = 1 << (count.bit_length() - 1)
        lanes = 2 * below if masked and below < count else below
        pieces.append((lanes, min(lanes, count)))
        count -= min(lanes, count)
    return pieces
