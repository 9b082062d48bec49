"""What is drawn, and how equal parts of it become one.

A diagram has items and edges between them; a container has a diagram inside. Folding keeps what a
reader needs: a chain of operations is one item, equal layers in a row are one with ×6, and so are
equal sequences of layers where there are many (as in a network that was written without blocks).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

#: Sequences are folded where a diagram has more items than these.
_MANY = 24
_LONGEST = 32  # items of a sequence


@dataclass(eq=False)
class Item:
    """One thing to draw.

    kind      "layer", "op" (what is computed between layers), "join" (an op of two values that is
              written as its sign), "input", "output"
    title     the layer's class, the op's name, the argument's name
    detail    what distinguishes it: "3×3, stride 2"
    path      the layer's place in the model, without that of its container; "0–5" where folded
    times     so many equal ones follow each other
    inside    what a container contains
    """

    kind: str
    title: str
    detail: str = ""
    path: str = ""
    parameters: int = 0
    times: int = 1
    inside: Diagram | None = None

    def key(self) -> tuple[Any, ...]:
        """What equal items have in common: all but their names."""
        inside = self.inside.key() if self.inside is not None else None
        return (self.kind, self.title, self.detail, self.parameters, self.times, inside)


@dataclass(frozen=True)
class Edge:
    """From output number `out` of a source to input number `into` of a target."""

    source: Item
    out: int
    target: Item
    into: int
    shape: str


@dataclass(eq=False)
class Diagram:
    """Items, sources first. `ins` and `outs` are those of kind "input" and "output"."""

    items: list[Item] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    @property
    def ins(self) -> list[Item]:
        return [i for i in self.items if i.kind == "input"]

    @property
    def outs(self) -> list[Item]:
        return [i for i in self.items if i.kind == "output"]

    def key(self) -> tuple[Any, ...]:
        place = {item: i for i, item in enumerate(self.items)}
        return (
            tuple(i.key() if i.kind not in ("input", "output") else i.kind for i in self.items),
            tuple((place[e.source], e.out, place[e.target], e.into, e.shape) for e in self.edges),
        )

    def walk(self) -> Iterator[Item]:
        """All items, containers before what they contain."""
        for item in self.items:
            yield item
            if item.inside is not None:
                yield from item.inside.walk()


# ---------------------------------------------------------------------- layers


def merge_chains(d: Diagram) -> None:
    """Operations one after another, each of one value, become one item."""
    while True:
        leaving: dict[Item, list[Edge]] = {}
        entering: dict[Item, list[Edge]] = {}
        for e in d.edges:
            leaving.setdefault(e.source, []).append(e)
            entering.setdefault(e.target, []).append(e)
        pair = next(
            (
                e
                for e in d.edges
                if e.source.kind == e.target.kind == "op"
                and len(leaving[e.source]) == 1
                and len(entering[e.target]) == 1
            ),
            None,
        )
        if pair is None:
            return
        a, b = pair.source, pair.target
        names = [*a.title.split(" → "), *b.title.split(" → ")]
        b.title = " → ".join(n for i, n in enumerate(names) if i == 0 or n != names[i - 1])
        d.edges = [
            Edge(e.source, e.out, b, e.into, e.shape) if e.target is a else e
            for e in d.edges
            if e is not pair
        ]
        d.items.remove(a)


def fold(d: Diagram) -> None:
    """Equal layers in a row, each fed by the one before and by the same others, become one."""
    i = 0
    while i < len(d.items):
        first = d.items[i]
        run = [first]
        if first.kind == "layer":
            while i + len(run) < len(d.items) and _follows(d, run, d.items[i + len(run)]):
                run.append(d.items[i + len(run)])
        if len(run) > 1:
            last, gone = run[-1], set(run[1:])
            first.times = len(run)
            if any(item.path != first.path for item in run):  # else one layer, called in a loop
                first.parameters = sum(item.parameters for item in run)
                first.path = _together(first.path, last.path)
            d.edges = [
                Edge(first, e.out, e.target, e.into, e.shape) if e.source is last else e
                for e in d.edges
                if e.target not in gone
            ]
            d.edges = [e for e in d.edges if e.source not in gone]
            d.items = [item for item in d.items if item not in gone]
        i += 1


def _follows(d: Diagram, run: list[Item], b: Item) -> bool:
    """Whether b does to the last item of the run what that did to the one before."""
    a = run[-1]
    if b.kind != "layer" or a.key() != b.key():
        return False
    if any(e.target is not b for e in d.edges if e.source is a):
        return False
    into_a = {e.into: e for e in d.edges if e.target is a}
    into_b = {e.into: e for e in d.edges if e.target is b}
    if into_a.keys() != into_b.keys():
        return False
    chained = [k for k, e in into_b.items() if e.source is a]
    others = [k for k in into_b if k not in chained]
    same = all(
        (into_a[k].source, into_a[k].out) == (into_b[k].source, into_b[k].out) for k in others
    )
    if not same or not chained or any(into_a[k].shape != into_b[k].shape for k in chained):
        return False
    before = run[-2] if len(run) > 1 else None
    return before is None or all(
        into_a[k].source is before and into_a[k].out == into_b[k].out for k in chained
    )


def _together(first: str, last: str) -> str:
    """The paths of a run: layers.0–5."""
    a, b = re.fullmatch(r"(.*?)(\d+)", first), re.fullmatch(r"(.*?)(\d+)", last)
    return f"{a[1]}{a[2]}–{b[2]}" if a and b and a[1] == b[1] else f"{first} … {last}"


# ---------------------------------------------------------------------- sequences


def fold_sequences(d: Diagram) -> None:
    """Equal sequences of items in a row become one container, in a diagram of many items."""
    i = 0
    while len(d.items) > _MANY and i < len(d.items):
        length, times = _repeated(d, i)
        if times > 1:
            _wrap(d, i, length, times)
        i += 1


def _repeated(d: Diagram, i: int) -> tuple[int, int]:
    """Of the sequences that begin at item i and are repeated, the one that covers most."""
    best = (1, 1)
    keys = [item.key() if item.kind in ("layer", "op", "join") else None for item in d.items]
    for length in range(2, min(_LONGEST, (len(d.items) - i) // 2) + 1):
        if not d.items[i].parameters or None in keys[i : i + length]:
            continue
        times = 1
        while keys[i + times * length : i + (times + 1) * length] == keys[i : i + length]:
            times += 1
        while times > 1 and not _chained(d, i, length, times):
            times -= 1
        if times > 1 and length * times > best[0] * best[1]:
            best = (length, times)
    return best


def _chained(d: Diagram, i: int, length: int, times: int) -> bool:
    """Whether each part takes one value, the last one's of the part before, in the same way."""
    shapes = []
    for k in range(times):
        part = d.items[i + k * length : i + (k + 1) * length]
        place = {item: n for n, item in enumerate(part)}
        entering = [e for e in d.edges if e.target in place and e.source not in place]
        leaving = [e for e in d.edges if e.source in place and e.target not in place]
        sources = {(e.source, e.out) for e in entering}
        if len(sources) != 1 or {(e.source, e.out) for e in leaving} != {(part[-1], 0)}:
            return False
        before = d.items[i + k * length - 1]
        if k and sources != {(before, 0)}:
            return False
        after = set(d.items[i + (k + 1) * length : i + (k + 2) * length])
        if k < times - 1 and any(e.target not in after for e in leaving):
            return False
        inside = {
            (place[e.source], e.out, place[e.target], e.into, e.shape)
            for e in d.edges
            if e.source in place and e.target in place
        }
        shapes.append((inside, {(place[e.target], e.into, e.shape) for e in entering}))
    return all(found == shapes[0] for found in shapes)


def _wrap(d: Diagram, i: int, length: int, times: int) -> None:
    run = d.items[i : i + length * times]
    part, gone = run[:length], set(run)
    entering = [e for e in d.edges if e.target in part and e.source not in part]
    leaving = [e for e in d.edges if e.source is run[-1] and e.target not in gone]
    start, end = Item("input", ""), Item("output", "")
    inner = [Edge(start, 0, e.target, e.into, e.shape) for e in entering]
    inner += [e for e in d.edges if e.source in part and e.target in part]
    inner.append(Edge(part[-1], 0, end, 0, leaving[0].shape if leaving else ""))
    block = Item(
        "layer",
        "Sequence",
        path=_called(run, length),
        parameters=sum(item.parameters for item in run),
        times=times,
        inside=Diagram([start, *part, end], inner),
    )
    first = entering[0]
    d.edges = [
        *(e for e in d.edges if e.source not in gone and e.target not in gone),
        Edge(first.source, first.out, block, 0, first.shape),
        *(Edge(block, 0, e.target, e.into, e.shape) for e in leaving),
    ]
    d.items[i : i + length * times] = [block]


def _called(run: list[Item], length: int) -> str:
    """What a run of sequences is called: by what the names of each begin with, or by its ends."""
    first, last = _shared(run[:length]), _shared(run[-length:])
    return _together(first, last) if first and last else _together(run[0].path, run[-1].path)


def _shared(part: list[Item]) -> str:
    """What the layers' names have in common, up to a separator."""
    names = [re.split(r"(?<=[_./])", item.path) for item in part if item.path]
    same: list[str] = []
    for pieces in zip(*names, strict=False):
        if len(set(pieces)) > 1:
            break
        same.append(pieces[0])
    return "".join(same).rstrip("_./")
