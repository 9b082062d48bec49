"""A model as a picture: layers from top to bottom, shapes on the edges, without a system package.

>>> import chainrule as torch
>>> from chainrule import explain
>>> model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))
>>> print(explain.draw(model, torch.zeros(1, 3)))
input                                   1×3
Linear  0                               1×4         16 parameters
ReLU  1                                 1×4
Linear  2                               1×2         10 parameters
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chainrule.explain.aside import aside
from chainrule.explain.drawing.diagram import diagram
from chainrule.explain.drawing.folding import Diagram, Edge, Item
from chainrule.explain.observe import observe
from chainrule.explain.pages import picture
from chainrule.explain.pages.page import escape, page, save
from chainrule.explain.pages.picture import text_width
from chainrule.explain.pages.words import words
from chainrule.layered import Point, Size, layered

_ENOUGH = 42  # boxes that a reader takes in: as deep as that allows
_PAD, _HEAD, _ROW = 14.0, 26.0, 18.0
_LABEL = 16.0  # the height that a shape below a box wants
_GAP = 26.0


def draw(
    model: Any, *args: Any, depth: int | None = None, lang: str = "en", **kwargs: Any
) -> ModelDrawing:
    """The layers that `model(*args, **kwargs)` calls, and how values go through them.

    depth   how deep containers are opened: 1 draws the model's own layers (default: as deep as
            about 40 boxes allow); `.html` shows the closed ones below, to be unfolded
    lang    "en" or "zh"

    Nothing is computed. Equal blocks in a row are drawn once (×6); what the model computes between
    its layers is drawn by the op's name, a sum of two values as +.
    """
    with aside(model, args, kwargs):
        seen = observe(model, *args, **kwargs)
        found, title = diagram(seen), seen.root.kind
    return ModelDrawing(found, title, depth, lang)


class ModelDrawing:
    """A model, drawn. `str()` is an outline for terminals; notebooks show the picture."""

    def __init__(self, found: Diagram, title: str, depth: int | None, lang: str) -> None:
        words(lang)
        if depth is not None and depth < 1:
            raise ValueError(f"depth counts from 1, got {depth}")
        self.diagram, self.title, self.lang = found, title, lang
        self.depth = _fitting(found) if depth is None else depth

    def svg(self) -> str:
        """The picture alone."""
        return _picture(self.diagram, self.title, self.depth, self.lang)

    _repr_svg_ = svg

    def body(self) -> str:
        """The picture for a page, with the containers that it shows closed to be unfolded."""
        say = words(self.lang)
        parts = [f'<div class="wide">{self.svg()}</div>']
        for item, path in _closed(self.diagram, self.depth):
            assert item.inside is not None
            inner = ModelDrawing(item.inside, item.title, None, self.lang)
            count = f" ×{item.times}" if item.times > 1 else ""
            parts.append(
                f"<details><summary>{escape(item.title)}{count} "
                f'<span class="muted">{escape(path)} · '
                f"{item.parameters:,} {say('parameters')}</span></summary>{inner.body()}</details>"
            )
        return "\n".join(parts)

    def html(self, lang: str | None = None) -> str:
        """A page of its own."""
        here = self if lang is None else ModelDrawing(self.diagram, self.title, self.depth, lang)
        return page(here.title, f"<h1>{escape(here.title)}</h1>\n{here.body()}", lang=here.lang)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write a `.svg` or an `.html` file, whole or not at all."""
        kind = Path(path).suffix
        if kind not in (".svg", ".html"):
            raise ValueError(f"a drawing is saved as .svg or .html, got {os.fspath(path)!r}")
        return save(path, self.html() if kind == ".html" else self.svg() + "\n")

    def __str__(self) -> str:
        return "\n".join(_outline(self.diagram, self.depth, words(self.lang)("parameters")))

    __repr__ = __str__


# ---------------------------------------------------------------------- how deep


def _fitting(d: Diagram) -> int:
    depth, shown = 1, _count(d, 1)
    while (deeper := _count(d, depth + 1)) > shown and deeper <= _ENOUGH:
        depth, shown = depth + 1, deeper
    return depth


def _count(d: Diagram, depth: int) -> int:
    inside = (i.inside for i in d.items if i.inside is not None and depth > 1)
    return len(d.items) + sum(_count(i, depth - 1) for i in inside)


def _closed(d: Diagram, depth: int, container: str = "") -> list[tuple[Item, str]]:
    """Containers that are not opened at this depth, with their paths; equal ones once."""
    found: list[tuple[Item, str]] = []
    for item in d.items:
        path = f"{container}.{item.path}" if container else item.path
        if item.inside is None:
            continue
        if depth > 1:
            found += _closed(item.inside, depth - 1, path)
        else:
            found.append((item, path))
    seen: dict[Any, tuple[Item, str]] = {}
    for item, path in found:
        key = item.key()
        seen[key] = (item, f"{seen[key][1]}, {path}" if key in seen else path)
    return list(seen.values())


# ---------------------------------------------------------------------- the picture


@dataclass
class _Block:
    """A diagram with places: what to draw, and where values enter and leave."""

    width: float
    height: float
    inner: str
    ins: list[float]
    outs: list[float]
    axis: float


def _picture(d: Diagram, title: str, depth: int, lang: str) -> str:
    block = _Layout(lang).block(d, depth, outermost=True)
    margin = 12.0
    inner = picture.moved(margin, margin, block.inner)
    return picture.svg(block.width + 2 * margin, block.height + 2 * margin, inner, title, least=0.8)


class _Layout:
    def __init__(self, lang: str) -> None:
        self.say = words(lang)

    def block(self, d: Diagram, depth: int, outermost: bool = False) -> _Block:
        """A diagram, laid out with all that is open in it."""
        inner = {
            item: self.block(item.inside, depth - 1)
            for item in d.items
            if item.inside is not None and depth > 1
        }
        sizes = {
            item: self._open_size(item, inner[item])
            if item in inner
            else self._size(item, outermost)
            for item in d.items
        }
        labelled = _labelled(d.edges, outermost)
        ports = [
            (
                self._port(e.source, e.out, inner, sizes, "outs"),
                self._port(e.target, e.into, inner, sizes, "ins"),
            )
            for e in d.edges
        ]
        laid = layered(
            sizes,
            [(e.source, e.target) for e in d.edges],
            gap=_GAP,
            rank_gap=24.0,
            rooms=[_LABEL if i in labelled else 0.0 for i in range(len(d.edges))],
            ports=ports,
            first=() if outermost else d.ins,
            last=() if outermost else d.outs,
        )
        parts = []
        boxes = {
            item: (x, y, x + sizes[item].width, y + sizes[item].height)
            for item, (x, y) in laid.places.items()
        }
        for e, line in zip(d.edges, laid.lines, strict=True):
            if e.target.kind == "join":
                _from_the_side(line, e.target, boxes)
            if len(line) > 1:
                parts.append(picture.arrow(line, tip=outermost or e.target.kind != "output"))
        for item in d.items:
            x, y = laid.places[item]
            if item in inner:
                parts.append(self._container(x, y, sizes[item], item, inner[item]))
            else:
                parts.append(self._box(x, y, sizes[item], item, outermost))
        right, left = laid.width, 0.0
        for i in sorted(labelled):
            drawn, reach_left, reach_right = self._shape(d, i, laid.lines, labelled[i])
            parts.append(drawn)
            left, right = min(left, reach_left), max(right, reach_right)
        axes = [laid.places[item][0] + sizes[item].left - left for item in d.items]
        return _Block(
            right - left,
            laid.height,
            picture.moved(-left, 0, "".join(parts)),
            [laid.places[i][0] - left for i in d.ins],
            [laid.places[i][0] - left for i in d.outs],
            sorted(axes)[len(axes) // 2] if axes else 0.0,
        )

    # ------------------------------------------------------------------ boxes

    def _lines(self, item: Item) -> list[list[tuple[str, str]]]:
        """What stands in a box: lines of pieces of text with their kind of type."""
        lines = [[(item.title, "name")]]
        if item.detail:
            if len(item.detail) <= 16:
                lines[0].append((f"  {item.detail}", ""))
            else:
                lines.append([(item.detail, "small")])
        below = [item.path] if item.path else []
        if item.parameters:
            below.append(f"{item.parameters:,} {self.say('parameters')}")
        if below:
            lines.append([(" · ".join(below), "small")])
        return lines

    def _size(self, item: Item, outermost: bool) -> Size:
        if item.kind in ("input", "output"):
            if not outermost:
                return Size(0.0, 0.0)
            return Size(text_width(self._name(item), bold=True) + 28, 26)
        if item.kind == "join":
            return Size(24, 24)
        if item.kind == "op":
            return Size(text_width(item.title) + 24, 24)
        lines = self._lines(item)
        wide = max(sum(_wide(piece) for piece in line) for line in lines)
        return Size(max(wide + 24, 90.0) + (20 if item.times > 1 else 0), 14 + _ROW * len(lines))

    def _open_size(self, item: Item, inner: _Block) -> Size:
        """A container around what is in it: centred where its axis is."""
        half = max(inner.axis, inner.width - inner.axis) + _PAD
        title = sum(_wide(piece) for piece in self._head(item)) / 2 + _PAD
        if title <= min(inner.axis, inner.width - inner.axis) + _PAD:
            return Size(inner.width + 2 * _PAD, _HEAD + inner.height, inner.axis + _PAD)
        half = max(half, title)
        return Size(2 * half, _HEAD + inner.height, half)

    def _head(self, item: Item) -> list[tuple[str, str]]:
        parts = [(item.title, "name")]
        if item.path:
            parts.append((f"  {item.path}", "small"))
        if item.times > 1:
            parts.append((f"  ×{item.times}", "name"))
        return parts

    def _name(self, item: Item) -> str:
        return item.title or self.say(item.kind)

    def _port(
        self,
        item: Item,
        number: int,
        inner: dict[Item, _Block],
        sizes: dict[Item, Size],
        side: str,
    ) -> float | None:
        """Where an open container takes or gives a value, from its left side."""
        if item not in inner:
            return None
        places: list[float] = getattr(inner[item], side)
        if number >= len(places):
            return None
        return sizes[item].left - inner[item].axis + places[number]

    def _box(self, x: float, y: float, size: Size, item: Item, outermost: bool) -> str:
        w, h = size.width, size.height
        middle = (x + w / 2, y + h / 2)
        if item.kind in ("input", "output"):
            if not outermost:
                return ""
            return picture.rectangle(x, y, w, h, "pill", 13) + picture.text(
                *middle, self._name(item), "name"
            )
        if item.kind in ("op", "join"):
            return picture.rectangle(x, y, w, h, "pill", 12) + picture.text(*middle, item.title)
        lines = self._lines(item)
        kind = "box learns" if item.parameters else "box"
        parts = []
        if item.inside is not None:  # it contains something: a second sheet behind it
            parts.append(picture.rectangle(x + 3, y - 3, w, h, kind))
        parts.append(picture.rectangle(x, y, w, h, kind))
        top = middle[1] - _ROW * (len(lines) - 1) / 2
        for i, line in enumerate(lines):
            parts.append(picture.spans(middle[0], top + _ROW * i, line))
        if item.times > 1:
            parts.append(self._badge(x + w, y, item.times))
        return "".join(parts)

    def _badge(self, right: float, y: float, times: int) -> str:
        wide = text_width(f"×{times}", bold=True) + 12
        return picture.rectangle(right - wide + 6, y - 9, wide, 19, "badge", 9.5) + picture.text(
            right - wide / 2 + 6, y + 0.5, f"×{times}", "name"
        )

    def _container(self, x: float, y: float, size: Size, item: Item, inner: _Block) -> str:
        axis = x + size.left
        return "".join(
            [
                picture.rectangle(x, y, size.width, size.height, "group"),
                picture.rectangle(x, y, size.width, _HEAD - 6, "head"),
                picture.spans(x + size.width / 2, y + _HEAD / 2 - 3, self._head(item)),
                picture.moved(axis - inner.axis, y + _HEAD - 6, inner.inner),
                *(
                    picture.arrow(
                        [
                            (axis - inner.axis + at, y + _HEAD - 6 + inner.height),
                            (axis - inner.axis + at, y + size.height),
                        ],
                        tip=False,
                    )
                    for at in inner.outs
                ),
            ]
        )

    def _shape(
        self, d: Diagram, i: int, lines: list[list[tuple[float, float]]], same: list[int]
    ) -> tuple[str, float, float]:
        """A shape beside the line that leaves its box; how far it reaches to the left and right."""
        leans = sum(p[0] - lines[k][0][0] for k in same for p in lines[k][1:])
        starts = [lines[k][0][0] for k in same]
        y = lines[i][0][1]
        anchor, at = ("end", min(starts) - 7) if leans > 1 else ("start", max(starts) + 7)
        wide = text_width(d.edges[i].shape, 11.5)
        drawn = picture.text(at, y + 13, d.edges[i].shape, "small on", anchor=anchor)
        reach = (at - wide, at) if anchor == "end" else (at, at + wide)
        return drawn, reach[0], reach[1]


def _from_the_side(
    line: list[Point], join: Item, boxes: dict[Item, tuple[float, float, float, float]]
) -> None:
    """A line that comes from far beside a sign goes down to its height, and in from the side."""
    left, top, right, bottom = boxes[join]
    x, y = line[-2][0], (top + bottom) / 2
    if left - 12 < x < right + 12:
        return
    low, high = (x - 4, left) if x < left else (right, x + 4)
    between = any(
        box[0] < high and box[2] > low and box[1] < bottom and box[3] > line[-2][1]
        for item, box in boxes.items()
        if item is not join
    )
    if not between:
        line[-1:] = [(x, y), (left if x < left else right, y)]


def _wide(piece: tuple[str, str]) -> float:
    words_, kind = piece
    return text_width(words_, 11.5 if kind == "small" else 13.0, bold=kind == "name")


def _labelled(edges: list[Edge], outermost: bool) -> dict[int, list[int]]:
    """The edges that carry a shape: one for each value that leaves a box → all with that value."""
    found: dict[tuple[Item, int, str], list[int]] = {}
    for i, e in enumerate(edges):
        if e.shape and (outermost or (e.source.kind != "input" and e.target.kind != "output")):
            found.setdefault((e.source, e.out, e.shape), []).append(i)
    return {same[0]: same for same in found.values()}


# ---------------------------------------------------------------------- the outline


def _outline(d: Diagram, depth: int, parameters: str, indent: str = "") -> list[str]:
    """A line for each item; where it takes something else than what stands above, from where."""
    lines = []
    before: Item | None = None
    for item in d.items:
        if item.kind == "output":
            continue
        sources = [e.source for e in d.edges if e.target is item]
        shape = next((e.shape for e in d.edges if e.source is item), "")
        if item.kind == "input":
            if indent:
                before = item
                continue
            name = item.title or "input"
        else:
            name = item.title + (f" {item.detail}" if item.detail else "")
            name += f"  {item.path}" if item.path else ""
            name += f"  ×{item.times}" if item.times > 1 else ""
        told = f"{item.parameters:,} {parameters}" if item.parameters else ""
        if item.kind != "input" and sources and set(sources) != {before}:
            others = [s.path or s.title or "input" for s in sources]
            told = ", ".join(filter(None, [told, "← " + ", ".join(others)]))
        lines.append(f"{indent + name:<39} {shape:<11} {told}".rstrip())
        if item.inside is not None and depth > 1:
            lines += _outline(item.inside, depth - 1, parameters, indent + "  ")
        before = item
    return lines
