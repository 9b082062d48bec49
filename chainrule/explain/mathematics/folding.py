"""Blocks that repeat each other are written once, with an index k."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from chainrule.explain.mathematics.derive import Line
from chainrule.explain.mathematics.naming import MARK, Blocks, title


class Group(NamedTuple):
    """Lines that belong together: of one layer, or of a block that stands for several.

    title   the layer's path, layers.k for blocks      first, last   the range of k; 0: no block
    """

    title: str
    lines: tuple[Line, ...]
    first: int = 0
    last: int = 0
    paths: tuple[str, ...] = ()

    @property
    def folded(self) -> bool:
        """Whether it stands for several blocks."""
        return self.first != self.last

    def written_out(self) -> list[Line]:
        """The lines for every k, in the order in which they are computed."""
        if not self.folded:
            return list(self.lines)
        step = 1 if self.first < self.last else -1
        return [
            line._replace(left=at(line.left, k), right=at(line.right, k))
            for k in range(self.first, self.last + step, step)
            for line in self.lines
        ]


_INDEX = re.compile(r"\(([A-H]?)k([+-]1)?,(\d+)\)")


def at(tex: str, k: int) -> str:
    """A formula with index k, for one k."""
    return _INDEX.sub(lambda m: f"({m[1]}{k + int(m[2] or 0)},{m[3]})", tex)


def plain(tex: str) -> str:
    """Block numbers as numbers."""
    return MARK.sub(lambda m: m[2], tex)


def _general(tex: str, run: int, k: int) -> str:
    """Block k of a run as letter k, its neighbours as k − 1 and k + 1."""

    def said(m: re.Match[str]) -> str:
        by = int(m[2]) - k
        if int(m[1]) != run or abs(by) > 1:
            return m[2]
        return "k" if by == 0 else f"k{by:+d}"

    return MARK.sub(said, tex)


def fold(lines: Sequence[Line], blocks: Blocks, begun: dict[str, str]) -> list[Group]:
    """Lines in groups, equal blocks once. `begun`: what h^{(0)} stands for, where it was needed."""
    parts = list(_parts(lines, blocks))
    out: list[Group] = []
    i = 0
    while i < len(parts):
        block, body = parts[i]
        if block is None:
            out.append(Group("", tuple(map(_plain, body))))
            i += 1
            continue
        run, k = block
        mine = _template(body, run, k, blocks)
        j = i + 1
        while j < len(parts) and parts[j][0] is not None and parts[j][0][0] == run:  # type: ignore[index]  # not None
            theirs = parts[j]
            assert theirs[0] is not None
            if _same(mine, _template(theirs[1], run, theirs[0][1], blocks)):
                j += 1
            else:
                break
        last = parts[j - 1][0]
        assert last is not None
        paths = blocks.runs[run].paths
        if j - i > 1:
            chosen = tuple(paths[m - 1] for m in range(min(k, last[1]), max(k, last[1]) + 1))
            out.append(Group(title(list(chosen)), tuple(mine), k, last[1], chosen))
        else:
            out.append(Group(paths[k - 1], tuple(map(_plain, body)), k, k, (paths[k - 1],)))
        i = j
    return _begun(out, begun)


def _plain(line: Line) -> Line:
    return line._replace(left=plain(line.left), right=plain(line.right))


def _parts(
    lines: Sequence[Line], blocks: Blocks
) -> Iterable[tuple[tuple[int, int] | None, list[Line]]]:
    here: list[Line] = []
    now: tuple[int, int] | None = None
    for line in lines:
        block = blocks.of(line.path)
        key = None if block is None else (block.run, block.k)
        if here and key != now:
            yield now, here
            here = []
        now = key
        here.append(line)
    if here:
        yield now, here


def _template(body: Sequence[Line], run: int, k: int, blocks: Blocks) -> list[Line]:
    head = blocks.runs[run].paths[k - 1]
    return [
        line._replace(
            left=_general(line.left, run, k), right=_general(line.right, run, k),
            path=line.path.removeprefix(head).lstrip("./"),
        )
        for line in body
    ]  # fmt: skip


def _same(a: Sequence[Line], b: Sequence[Line]) -> bool:
    return [_key(x) for x in a] == [_key(x) for x in b]


def _key(line: Line) -> tuple[object, ...]:
    over = line.over and line.over._replace(number=0)
    return line.left, line.right, line.part, line.path, over


_NAME = re.compile(
    r"\\frac\{\\partial L\}\{\\partial [^{}]*(?:\{[^{}]*\}[^{}]*)*\}|"
    r"(?:\\[a-zA-Z]+(?:\{\w+\})?|[a-zA-Z])(?:_\{[^{}]*\})?\^\{\([^()]*\)\}|\bx\b"
)


def _begun(groups: list[Group], begun: dict[str, str]) -> list[Group]:
    """A first block that differs only in what it is given joins the others: h^{(0)} = x."""
    out: list[Group] = []
    for g in groups:
        before = out[-1] if out else None
        if before is None or not _neighbours(before, g):
            out.append(g)
            continue
        many, one = (g, before) if g.folded else (before, g)
        first = [(at(line.left, 1), at(line.right, 1)) for line in many.lines]
        given = _given(one.lines, first)
        if given is None or (many is before and begun.get(given[0]) != given[1]):
            out.append(g)
            continue
        out.pop()
        paths = (*before.paths, *g.paths)
        if many is g:
            begun[given[0]] = given[1]
            out.append(Group("", (Line(*given, "forward", ""),), paths=("=",)))
            out.append(g._replace(first=1, paths=paths, title=title(list(paths))))
        else:
            out.append(before._replace(last=1, paths=paths, title=title(list(paths))))
    return out


def _neighbours(a: Group, b: Group) -> bool:
    """Whether one is block 1, and the other are those that follow."""
    if len(a.lines) != len(b.lines) or a.folded == b.folded or not a.first or not b.first:
        return False
    many, one = (a, b) if a.folded else (b, a)
    ends = (many.first, one.first) == (2, 1) if many is b else (many.last, one.first) == (2, 1)
    return ends and a.paths != b.paths


def _given(lines: Sequence[Line], general: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """The one name in the general form that stands for another one here."""
    found: dict[str, str] = {}
    for line, (left, right) in zip(lines, general, strict=True):
        if line.left != left:
            return None
        if line.right == right:
            continue
        mine, theirs = _NAME.findall(line.right), _NAME.findall(right)
        bare = [_NAME.sub("#", t).replace("{#}", "#") for t in (line.right, right)]
        if len(mine) != len(theirs) or bare[0] != bare[1]:
            return None
        found.update({b: a for a, b in zip(mine, theirs, strict=True) if a != b})
    return next(iter(found.items())) if len(found) == 1 else None
