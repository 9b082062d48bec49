"""In which order kernels run, where what they make lies, and what waits for what.

An order is chosen in which little has to lie in memory at once. Every value has one place: an array
of the caller's (inputs, outputs), an array of one run (what the host touches), or some bytes of the
arena, which are used again after the last reader. An elementwise kernel may write where it reads:
into the bytes of a value that dies there, or into an input that the caller gives away.

    t0 = a(x);  t1 = b(t0);  y = c(t1, x)     →   t0 at 0, t1 at 4096; b waits for a, c for b
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.rewrite.fuse import Fused
from chainrule.rewrite.homes import is_leaf
from chainrule.schedule.loops import Check, Kernel, statements
from chainrule.schedule.lowered import Lowered, Place
from chainrule.shapes import size

#: Places in the arena begin at multiples of this.
ALIGNMENT = 64
#: Nanoseconds: what one claim should take, and what is not worth sharing.
CHUNK, SMALL = 8_000.0, 5_000.0


class Work(NamedTuple):
    """A kernel with its steps; without steps, the host computes it."""

    fused: Fused
    lowered: Lowered | None


class Slot(NamedTuple):
    """Where a buffer lies: byte `offset` of array number `array`, or of the arena (−1)."""

    array: int
    offset: int = 0


class NativeStep(NamedTuple):
    """One kernel. `args`: for each of its buffers a place, or the number itself."""

    kernel: Kernel
    args: tuple[Slot | int, ...]
    extent: int
    grain: int
    wait: bool


class HostStep(NamedTuple):
    """A kernel for the reference backend: arrays that it reads, and that it makes."""

    fused: Fused
    reads: tuple[int, ...]
    makes: tuple[int, ...]


class Plan(NamedTuple):
    """What runs, in order.

    arrays     what array number i is: an input, an output (also those in `reused`), or a value
    reused     output → the input into whose memory it is written
    copies     outputs that no kernel makes: (output, what it is equal to)
    """

    steps: tuple[NativeStep | HostStep, ...]
    arrays: tuple[Node, ...]
    arena: int
    reused: dict[Node, Node]
    order: tuple[Work, ...]


def can_fail(lowered: Lowered) -> bool:
    """Whether some check is made."""
    kernels = {id(s.kernel): s.kernel for s in lowered.steps}.values()
    return any(isinstance(s, Check) for k in kernels for s in statements(k.body))


def same_index(fused: Fused, output: Node, x: Node) -> bool:
    """Whether `output` may lie where x does: in an elementwise kernel that needs x for it."""
    if fused.kind != "flat" or x not in fused.inputs:
        return False
    if x.shape != output.shape or x.dtype.itemsize != output.dtype.itemsize:
        return False
    formal = fused.graph.inputs[fused.inputs.index(x)]
    return formal in topological([fused.graph.outputs[fused.outputs.index(output)]])


def plan(
    works: Sequence[Work], outputs: Iterable[Node], donated: Mapping[Node, Node] | None = None
) -> Plan:
    """Order, places and waits. `donated`: which input's memory an output may take."""
    made = {o: w for w, work in enumerate(works) for o in work.fused.outputs}
    before = [{made[i] for i in w.fused.inputs if i in made} for w in works]
    reused = _reused(works, made, before, donated or {}, set(outputs))
    order = _order(works, before, set(outputs))
    return _Places(works, order, set(outputs), reused).plan()


# ------------------------------------------------------------------ order


def _reused(
    works: Sequence[Work],
    made: Mapping[Node, int],
    before: list[set[int]],
    donated: Mapping[Node, Node],
    outputs: set[Node],
) -> dict[Node, Node]:
    """Outputs that can be written where an input lies, and what has to run before them: whoever
    else reads the input, and whatever can fail (what is given away must not be lost).
    """
    failing = {w for w, x in enumerate(works) if x.lowered is None or can_fail(x.lowered)}
    readers: dict[Node, set[int]] = {}
    for w, work in enumerate(works):
        for i in work.fused.inputs:
            readers.setdefault(i, set()).add(w)
    needs = _closed(before)
    found: dict[Node, Node] = {}
    for o, x in donated.items():
        at = made.get(o)
        if at is None or x in outputs or x in found.values():
            continue
        w = at
        if not same_index(works[w].fused, o, x) or w in failing:
            continue
        first = (readers[x] | failing) - {w}
        if any(needs[r] >> w & 1 for r in first):
            continue  # one of them has to come later
        found[o] = x
        if not first <= before[w]:
            before[w] |= first
            needs = _closed(before)
    return found


def _closed(before: Sequence[set[int]]) -> list[int]:
    """All that has to run before each, as bits."""
    bits = [-1] * len(before)
    for start in range(len(before)):
        stack = [start]
        while stack:
            w = stack[-1]
            open_ = [b for b in before[w] if bits[b] < 0] if bits[w] < 0 else []
            if open_:
                stack.extend(open_)
                continue
            stack.pop()
            if bits[w] < 0:
                mine = 0
                for b in before[w]:
                    mine |= bits[b] | 1 << b
                bits[w] = mine
    return bits


def _bytes(node: Node) -> int:
    return size(node.shape) * node.dtype.itemsize


def _order(works: Sequence[Work], before: Sequence[set[int]], outputs: set[Node]) -> list[int]:
    """Always the kernel next that frees most memory, or takes least; the earliest of equals."""
    left = [len(b) for b in before]
    after: list[list[int]] = [[] for _ in works]
    for w, b in enumerate(before):
        for x in b:
            after[x].append(w)
    readers: dict[Node, int] = {}
    for work in works:
        for i in work.fused.inputs:
            if not is_leaf(i):
                readers[i] = readers.get(i, 0) + 1
    ready = [w for w, n in enumerate(left) if n == 0]
    order: list[int] = []

    def gain(w: int) -> float:
        fused = works[w].fused
        freed = sum(_bytes(i) for i in fused.inputs if readers.get(i) == 1 and i not in outputs)
        return freed - sum(_bytes(o) for o in fused.outputs if o not in outputs)

    while ready:
        w = max(ready, key=lambda w: (gain(w), -w))
        ready.remove(w)
        order.append(w)
        for i in works[w].fused.inputs:
            if i in readers:
                readers[i] -= 1
        for x in after[w]:
            left[x] -= 1
            if not left[x]:
                ready.append(x)
    return order


# ------------------------------------------------------------------ places


class Memory:
    """Intervals of bytes, given out where they fit best. Grows at its end.

    >>> m = Memory()
    >>> a, b = m.take(100), m.take(64)
    >>> m.give(a, 100); m.take(60), m.take(64), m.size
    (0, 64, 192)
    """

    def __init__(self) -> None:
        self.size = 0
        self._free: list[tuple[int, int]] = []  # (start, end), in order

    def take(self, nbytes: int) -> int:
        """The start of an interval."""
        n = _padded(nbytes)
        best = min((e - s, s) for s, e in [*self._free, (0, 1 << 62)] if e - s >= n)
        if best[0] < 1 << 61:
            start, end = best[1], best[1] + best[0]
            at = self._free.index((start, end))
            self._free[at : at + 1] = [(start + n, end)] if end - start > n else []
            return start
        start = self.size
        if self._free and self._free[-1][1] == self.size:
            start = self._free.pop()[0]
        self.size = start + n
        return start

    def give(self, start: int, nbytes: int) -> None:
        """An interval back."""
        end = start + _padded(nbytes)
        at = sum(s < start for s, _ in self._free)
        if at < len(self._free) and self._free[at][0] == end:
            end = self._free.pop(at)[1]
        if at and self._free[at - 1][1] == start:
            at -= 1
            start = self._free.pop(at)[0]
        self._free.insert(at, (start, end))


def _padded(nbytes: int) -> int:
    return max(-(-nbytes // ALIGNMENT) * ALIGNMENT, ALIGNMENT)


class _Places:
    """Gives every value a place, kernel by kernel."""

    def __init__(
        self,
        works: Sequence[Work],
        order: Sequence[int],
        outputs: set[Node],
        reused: dict[Node, Node],
    ) -> None:
        self.works = [works[w] for w in order]
        self.outputs, self.reused = outputs, reused
        self.last: dict[Node, int] = {}
        self.hosted: set[Node] = set()
        for t, work in enumerate(self.works):
            for i in work.fused.inputs:
                self.last[i] = t
            if work.lowered is None:
                self.hosted.update(i for i in work.fused.inputs if not is_leaf(i))
                self.hosted.update(work.fused.outputs)
        self.memory = Memory()
        self.place: dict[Node, Slot] = {}
        self.arrays: list[Node] = []
        self.steps: list[NativeStep | HostStep] = []
        self.waits = _Waits()

    def plan(self) -> Plan:
        for t, work in enumerate(self.works):
            if work.lowered is None:
                fused = work.fused
                self.steps.append(
                    HostStep(
                        fused,
                        tuple(self._array(i) for i in fused.inputs),
                        tuple(self._array(o) for o in fused.outputs),
                    )
                )
                self.waits = _Waits()
            else:
                self._native(t, work.fused, work.lowered)
        return Plan(
            tuple(self.steps), tuple(self.arrays), self.memory.size, self.reused, tuple(self.works)
        )

    def _array(self, node: Node) -> int:
        slot = self.place.get(node)
        if slot is None:
            same = self.reused.get(node)
            if same is not None:
                slot = Slot(self._array(same))
            else:
                slot = Slot(len(self.arrays))
                self.arrays.append(node)
            self.place[node] = slot
        return slot.array

    def _native(self, t: int, fused: Fused, lowered: Lowered) -> None:
        dying = [
            i
            for i in dict.fromkeys(fused.inputs)
            if self.last[i] == t and i in self.place and self.place[i].array < 0
        ]
        for o in fused.outputs:
            if o in self.outputs or o in self.hosted:
                self._array(o)
                continue
            heir = next((i for i in dying if same_index(fused, o, i)), None)
            if heir is not None:
                dying.remove(heir)
                self.place[o] = self.place[heir]
            else:
                self.place[o] = Slot(-1, self.memory.take(_bytes(o)))
        temporaries = [Slot(-1, self.memory.take(x.bytes)) for x in lowered.temporaries]
        for i in fused.inputs:
            if i not in self.place:
                self._array(i)
        slots = {
            "input": [self.place[i] for i in fused.inputs],
            "output": [self.place[o] for o in fused.outputs],
            "temporary": temporaries,
        }
        sizes = {
            "input": [_bytes(i) for i in fused.inputs],
            "output": [_bytes(o) for o in fused.outputs],
            "temporary": [x.bytes for x in lowered.temporaries],
        }
        for step in lowered.steps:
            if step.extent <= 0:
                continue
            args: list[Slot | int] = []
            reads, writes = [], []
            for p, buffer in zip(step.places, step.kernel.buffers, strict=True):
                if p.what == "number":
                    args.append(p.number)
                    continue
                args.append(slot := _moved(slots[p.what][p.number], p))
                nbytes = buffer.bytes if buffer.size else sizes[p.what][p.number]
                span = (slot.array, slot.offset, slot.offset + nbytes)
                if buffer.role != "out":
                    reads.append(span)
                if buffer.role != "in":
                    writes.append(span)
            wait = self.waits.step(reads, writes)
            grain = chunk(step.kernel.cost, step.extent)
            self.steps.append(NativeStep(step.kernel, tuple(args), step.extent, grain, wait))
        for x, slot in zip(lowered.temporaries, temporaries, strict=True):
            self.memory.give(slot.offset, x.bytes)
        for i in dying:
            self.memory.give(self.place[i].offset, _bytes(i))
        for o in fused.outputs:  # nobody reads it: it was made along with others
            if o not in self.last and self.place[o].array < 0:
                self.memory.give(self.place[o].offset, _bytes(o))


def _moved(slot: Slot, p: Place) -> Slot:
    return Slot(slot.array, slot.offset + p.offset) if p.offset else slot


def chunk(cost: float, extent: int) -> int:
    """How many iterations are claimed at once."""
    total = cost * extent
    if total < SMALL or extent <= 1:
        return extent
    return max(1, min(int(CHUNK / max(cost, 1e-3)), -(-extent // 2)))


Span = tuple[int, int, int]


class _Waits:
    """What steps read and write since the last wait."""

    def __init__(self) -> None:
        self.read: dict[Hashable, list[Span]] = {}
        self.written: dict[Hashable, list[Span]] = {}

    def step(self, reads: Sequence[Span], writes: Sequence[Span]) -> bool:
        """Whether this one has to wait; it is noted."""
        wait = any(_meets(s, self.written) for s in reads) or any(
            _meets(s, self.written) or _meets(s, self.read) for s in writes
        )
        if wait:
            self.read, self.written = {}, {}
        for s in reads:
            self.read.setdefault(s[0], []).append(s)
        for s in writes:
            self.written.setdefault(s[0], []).append(s)
        return wait


def _meets(span: Span, others: Mapping[Hashable, list[Span]]) -> bool:
    return any(s[1] < span[2] and span[1] < s[2] for s in others.get(span[0], ()))
