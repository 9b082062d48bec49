"""Boxes and arrows in layers: where the drawing of a graph puts everything.

    ranks       a box stands below those that it takes from
    long edges  get a place in every rank that they pass
    order       of a rank: by the mean place of the neighbours, so that few edges cross
    places      long edges are straight, neighbours stand under each other as far as they can

Sources: Sugiyama, Tagawa, Toda, Methods for visual understanding of hierarchical system structures
(1981); Brandes, Köpf, Fast and simple horizontal coordinate assignment (2001).

>>> laid = layered({"a": Size(40, 20), "b": Size(40, 20)}, [("a", "b")])
>>> laid.places["a"], laid.places["b"], laid.lines[0]
((0.0, 0.0), (0.0, 60.0), [(20.0, 20.0), (20.0, 60.0)])
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence
from itertools import pairwise
from typing import Generic, NamedTuple, TypeVar

K = TypeVar("K", bound=Hashable)
Point = tuple[float, float]

_SWEEPS = 12  # through all ranks, down and up in turn
_EDGE_GAP = 14.0  # between a long edge and what stands beside it
_PORT = 12.0  # the least distance of an edge's end from a box's corner


class Size(NamedTuple):
    """Of a box; `axis` is where its edges attach, from its left side (default: the middle)."""

    width: float
    height: float
    axis: float | None = None

    @property
    def left(self) -> float:
        return self.width / 2 if self.axis is None else self.axis

    @property
    def right(self) -> float:
        return self.width - self.left


class Laid(NamedTuple, Generic[K]):
    """Upper left corners of the boxes, and for every edge its points from the source on."""

    width: float
    height: float
    places: dict[K, Point]
    lines: list[list[Point]]

    def turned(self) -> Laid[K]:
        """From left to right what went from top to bottom (with boxes of turned sizes)."""
        return Laid(
            self.height,
            self.width,
            {k: (y, x) for k, (x, y) in self.places.items()},
            [[(y, x) for x, y in line] for line in self.lines],
        )


def layered(
    sizes: Mapping[K, Size],
    edges: Sequence[tuple[K, K]],
    *,
    gap: float = 24.0,
    rank_gap: float = 40.0,
    rooms: Sequence[float] = (),
    ports: Sequence[tuple[float | None, float | None]] = (),
    first: Collection[K] = (),
    last: Collection[K] = (),
) -> Laid[K]:
    """Places for boxes, in pixels from the upper left corner, with edges that run downwards.

    `sizes` names the boxes in an order in which sources come before users: an edge against it is
    drawn upwards. `gap` is between boxes of a rank, `rank_gap` between ranks.

    rooms         for every edge the height that it wants below its source besides: for a label
    ports         for every edge where it leaves and where it arrives, from the box's left side
    first, last   boxes that stand in the first or the last rank, come what may
    """
    keys = list(sizes)
    number = {k: i for i, k in enumerate(keys)}
    ends = [(number[a], number[b]) for a, b in edges]
    down = [(min(e), max(e)) for e in ends]
    held = ({number[k] for k in first}, {number[k] for k in last})
    ports = ports or [(None, None)] * len(edges)
    picture = _Ranked([sizes[k] for k in keys], down, gap, held)
    picture.attach(ports)
    picture.reorder()
    x = picture.across()
    y, height = _heights(picture, rank_gap, rooms or [0.0] * len(edges))
    left = min((x[v] - picture.left[v] for v in range(len(x))), default=0.0)
    x = [at - left for at in x]
    width = max((x[v] + picture.right[v] for v in range(len(x))), default=0.0)
    places = {k: (x[i] - picture.left[i], y[i]) for i, k in enumerate(keys)}
    lines = _lines(picture, x, y, ports)
    for i, (a, b) in enumerate(ends):
        if a > b:
            lines[i].reverse()
    return Laid(width, height, places, lines)


def curve(points: Sequence[Point], *, flat: bool = False) -> str:
    """A line as the `d` of an SVG path: straight where it can be, else bent towards the ranks."""
    out = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 == x1 or y0 == y1:
            out.append(f"L{x1:.1f} {y1:.1f}")
        elif flat:
            half = (x0 + x1) / 2
            out.append(f"C{half:.1f} {y0:.1f} {half:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
        else:
            half = (y0 + y1) / 2
            out.append(f"C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} {x1:.1f} {y1:.1f}")
    return "".join(out)


class _Ranked:
    """Boxes, and the places of long edges, by number: the boxes first, in the order given."""

    def __init__(
        self,
        sizes: list[Size],
        edges: list[tuple[int, int]],
        gap: float,
        held: tuple[set[int], set[int]],
    ) -> None:
        self.boxes = len(sizes)
        self.edges = edges
        self.gap = gap
        self.rank = _ranks(len(sizes), edges, *held)
        self.left = [s.left for s in sizes]
        self.right = [s.right for s in sizes]
        self.high = [s.height for s in sizes]
        self.chains: list[list[int]] = []  # for every edge what it passes, with its ends
        self.above: list[list[int]] = [[] for _ in sizes]
        self.below: list[list[int]] = [[] for _ in sizes]
        for a, b in edges:
            chain = [a]
            for r in range(self.rank[a] + 1, self.rank[b]):
                chain.append(self._passage(r))
            chain.append(b)
            self.chains.append(chain)
            for u, v in pairwise(chain):
                self.below[u].append(v)
                self.above[v].append(u)
        self.rows: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for v in self._first_order():
            self.rows[self.rank[v]].append(v)
        self.place = [0] * len(self.rank)
        self.port: dict[tuple[int, int], float] = {}  # v, w → where at v, from -0.4 to 0.4
        self._number()

    def attach(self, ports: Sequence[tuple[float | None, float | None]]) -> None:
        """Edges that leave or arrive at a given place of a box: their order counts, too."""
        for chain, (leaves, arrives) in zip(self.chains, ports, strict=True):
            for v, w, port in ((chain[0], chain[1], leaves), (chain[-1], chain[-2], arrives)):
                if port is not None:
                    wide = self.left[v] + self.right[v]
                    self.port[v, w] = 0.8 * (port / wide - 0.5) if wide else 0.0

    def _at(self, w: int, seen_from: int) -> float:
        """The place in its rank where the edge to a neighbour is attached."""
        return self.place[w] + self.port.get((w, seen_from), 0.0)

    def _passage(self, rank: int) -> int:
        self.rank.append(rank)
        self.left.append(0.0)
        self.right.append(0.0)
        self.high.append(0.0)
        self.above.append([])
        self.below.append([])
        return len(self.rank) - 1

    def _first_order(self) -> list[int]:
        """As a walk from the first source finds them: what belongs together stands together."""
        seen = [False] * len(self.rank)
        order = []
        for start in range(self.boxes):
            stack = [start]
            while stack:
                v = stack.pop()
                if not seen[v]:
                    seen[v] = True
                    order.append(v)
                    stack += [w for w in reversed(self.below[v]) if not seen[w]]
        return order

    def _number(self) -> None:
        for row in self.rows:
            for i, v in enumerate(row):
                self.place[v] = i

    # -------------------------------------------------------------- order

    def reorder(self) -> None:
        """Sort every rank by its neighbours' places, and keep the order with fewest crossings."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for sweep in range(_SWEEPS):
            if not fewest:
                break
            downwards = sweep % 2 == 0
            rows = self.rows[1:] if downwards else self.rows[-2::-1]
            near = self.above if downwards else self.below
            for row in rows:
                at = {
                    v: sum(self._at(w, v) for w in near[v]) / len(near[v])
                    if near[v]
                    else self.place[v]
                    for v in row
                }
                row.sort(key=at.__getitem__)
                for i, v in enumerate(row):
                    self.place[v] = i
            self._exchange()
            now = self._crossings()
            if now < fewest:
                best, fewest = [list(row) for row in self.rows], now
        self.rows = best
        self._number()

    def _crossings(self) -> int:
        total = 0
        for row in self.rows[:-1]:
            seen: list[float] = []
            for _, p in sorted(
                (self._at(v, w), self._at(w, v)) for v in row for w in self.below[v]
            ):
                total += len(seen) - bisect_right(seen, p)
                insort(seen, p)
        return total

    def _exchange(self) -> None:
        """Neighbours change places where that takes crossings away."""
        for row in self.rows:
            for i in range(len(row) - 1):
                u, v = row[i], row[i + 1]
                gain = self._between(u, v, self.above) + self._between(u, v, self.below)
                if gain > 0:
                    row[i], row[i + 1] = v, u
                    self.place[u], self.place[v] = i + 1, i

    def _between(self, u: int, v: int, near: list[list[int]]) -> int:
        """Crossings of u's and v's edges, less those if v stood left of u."""
        p, q = ([self._at(w, n) for w in near[n]] for n in (u, v))
        return sum((a > b) - (a < b) for a in p for b in q)

    # -------------------------------------------------------------- places

    def across(self) -> list[float]:
        """The axis of every box and passage: the mean of the middle two of four alignments."""
        crossed = self._conflicts()
        found = []
        for upwards in (False, True):
            for mirrored in (False, True):
                rows = self.rows[::-1] if upwards else self.rows
                rows = [row[::-1] for row in rows] if mirrored else rows
                near = self.below if upwards else self.above
                root = self._aligned(rows, near, crossed)
                x = self._compact(rows, root, mirrored)
                found.append([-at for at in x] if mirrored else x)
        if not found[0]:
            return []
        spans = [self._span(x) for x in found]
        narrow = min(spans, key=lambda s: s[1] - s[0])
        shifted = []
        for i, (x, (low, high)) in enumerate(zip(found, spans, strict=True)):
            by = narrow[1] - high if i % 2 else narrow[0] - low
            shifted.append([at + by for at in x])
        return [sum(sorted(four)[1:3]) / 2 for four in zip(*shifted, strict=True)]

    def _span(self, x: list[float]) -> tuple[float, float]:
        every = range(len(x))
        return min(x[v] - self.left[v] for v in every), max(x[v] + self.right[v] for v in every)

    def _conflicts(self) -> set[tuple[int, int]]:
        """What yields: edges that cross the inner part of a long one, and where boxes stand next to
        each other in a chain, the ends of long edges beside it."""
        found = set()
        for near in (self.above, self.below):
            for v in range(self.boxes):
                passages = [w for w in near[v] if w >= self.boxes]
                if len(passages) < len(near[v]):
                    found |= {(v, w) for w in passages}
        for upper in self.rows[:-1]:
            inner = sorted(
                (self.place[u], self.place[v])
                for u in upper
                if u >= self.boxes
                for v in self.below[u]
                if v >= self.boxes
            )
            for u in upper if inner else ():
                for v in self.below[u]:
                    if u < self.boxes or v < self.boxes:
                        p, q = self.place[u], self.place[v]
                        if any((a - p) * (b - q) < 0 for a, b in inner):
                            found.add((u, v))
        return found

    def _aligned(
        self, rows: list[list[int]], near: list[list[int]], crossed: set[tuple[int, int]]
    ) -> list[int]:
        """Columns: every box with the middle one of its neighbours in the rank before."""
        root = list(range(len(self.rank)))
        after = list(range(len(self.rank)))
        spot = {v: i for row in rows for i, v in enumerate(row)}
        for row in rows:
            before = -1
            for v in row:
                around = sorted(near[v], key=spot.__getitem__)
                for i in _middle(len(around)):
                    w = around[i]
                    free = after[v] == v and before < spot[w]
                    if free and (v, w) not in crossed and (w, v) not in crossed:
                        after[w] = v
                        root[v] = after[v] = root[w]
                        before = spot[w]
        return root

    def _compact(self, rows: list[list[int]], root: list[int], mirrored: bool) -> list[float]:
        """Columns as close as the boxes in them allow."""
        left, right = (self.right, self.left) if mirrored else (self.left, self.right)
        apart: dict[int, dict[int, float]] = {v: {} for v in set(root)}
        for row in rows:
            for u, v in pairwise(row):
                passes = u >= self.boxes or v >= self.boxes
                wide = right[u] + left[v] + (min(self.gap, _EDGE_GAP) if passes else self.gap)
                others = apart[root[u]]
                others[root[v]] = max(others.get(root[v], 0.0), wide)
        order = _sorted(apart)
        x = dict.fromkeys(apart, 0.0)
        for u in order:
            for v, wide in apart[u].items():
                x[v] = max(x[v], x[u] + wide)
        for u in reversed(order):
            if apart[u]:
                x[u] = max(x[u], min(x[v] - wide for v, wide in apart[u].items()))
        return [x[r] for r in root]


def _ranks(count: int, edges: list[tuple[int, int]], first: set[int], last: set[int]) -> list[int]:
    """As high as possible, then sources, and what has more users than sources, close to these."""
    above: list[list[int]] = [[] for _ in range(count)]
    below: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        above[b].append(a)
        below[a].append(b)
    rank = [0] * count
    for v in range(count):
        rank[v] = max((rank[u] + 1 for u in above[v]), default=0)
    for v in reversed(range(count)):
        if v not in first and len(above[v]) < len(below[v]):
            rank[v] = max(rank[v], min(rank[w] for w in below[v]) - 1)
    bottom = max(rank, default=0)
    for v in last:
        rank[v] = bottom
    return rank


def _middle(n: int) -> range:
    """The one or two in the middle of n."""
    return range((n - 1) // 2, n // 2 + 1) if n else range(0)


def _sorted(graph: dict[int, dict[int, float]]) -> list[int]:
    """Sources first."""
    waiting = dict.fromkeys(graph, 0)
    for others in graph.values():
        for v in others:
            waiting[v] += 1
    ready = [v for v in graph if not waiting[v]]
    for u in ready:  # grows on the way
        for v in graph[u]:
            waiting[v] -= 1
            if not waiting[v]:
                ready.append(v)
    return ready


def _heights(
    picture: _Ranked, rank_gap: float, rooms: Sequence[float]
) -> tuple[list[float], float]:
    """The upper side of every box (of its rank, for a passage), and the height of it all."""
    y = [0.0] * len(picture.rank)
    wanted = [0.0] * len(picture.rows)
    for (a, _), room in zip(picture.edges, rooms, strict=True):
        wanted[picture.rank[a]] = max(wanted[picture.rank[a]], room)
    top = 0.0
    for row, room in zip(picture.rows, wanted, strict=True):
        tall = max(picture.high[v] for v in row)
        for v in row:
            if v >= picture.boxes:
                picture.high[v] = tall
            y[v] = top + (tall - picture.high[v]) / 2
        top += tall + rank_gap + room
    return y, max(top - rank_gap - (wanted[-1] if wanted else 0.0), 0.0)


def _lines(
    picture: _Ranked,
    x: list[float],
    y: list[float],
    ports: Sequence[tuple[float | None, float | None]],
) -> list[list[Point]]:
    chains = picture.chains
    starts = _ports(picture, x, [(c[0], c[1]) for c in chains], [p for p, _ in ports])
    stops = _ports(picture, x, [(c[-1], c[-2]) for c in chains], [p for _, p in ports])
    tops, bottoms = [0.0] * len(picture.rows), [0.0] * len(picture.rows)
    for r, row in enumerate(picture.rows):
        tops[r] = min(y[v] for v in row)
        bottoms[r] = max(y[v] + picture.high[v] for v in row)
    lines = []
    for i, chain in enumerate(picture.chains):
        a, b = chain[0], chain[-1]
        points = [(starts[i], y[a] + picture.high[a]), (starts[i], bottoms[picture.rank[a]])]
        for v in chain[1:-1]:
            points += [(x[v], tops[picture.rank[v]]), (x[v], bottoms[picture.rank[v]])]
        points += [(stops[i], tops[picture.rank[b]]), (stops[i], y[b])]
        lines.append(_straight(points))
    return lines


def _straight(points: list[Point]) -> list[Point]:
    """Without points that say nothing."""
    out = [points[0]]
    for p in points[1:]:
        if math.dist(p, out[-1]) < 0.05:
            continue
        if len(out) > 1 and abs(out[-2][0] - out[-1][0]) < 0.05 and abs(out[-1][0] - p[0]) < 0.05:
            out[-1] = (out[-1][0], p[1])
        else:
            out.append(p)
    return out


def _ports(
    picture: _Ranked,
    x: list[float],
    ends: list[tuple[int, int]],
    given: Sequence[float | None],
) -> list[float]:
    """Where each edge leaves its box: in the middle if it is the only one, else straight below the
    next place if that is possible."""
    found = []
    many = Counter(v for v, _ in ends)
    for (v, towards), port in zip(ends, given, strict=True):
        low, high = -max(picture.left[v] - _PORT, 0.0), max(picture.right[v] - _PORT, 0.0)
        if port is None and many[v] == 1:
            found.append(x[v])
        elif port is None:
            found.append(x[v] + min(max(x[towards] - x[v], low), high))
        else:
            found.append(x[v] - picture.left[v] + port)
    return found
