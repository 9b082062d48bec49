"""Boxes, lines and text as SVG, in the colours of whatever surrounds them.

Colours are CSS variables of the page (`page.py`); a picture that stands alone has its own, light or
dark as the reader prefers. Nothing here knows what is drawn.
"""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Sequence

from chainrule.layered import Point, curve

#: In the picture's own rules, so that several on one page agree.
STYLE = """
svg.drawing { --d-ink: var(--ink, #1c1e21); --d-paper: var(--paper, #fdfdfc);
  --d-muted: var(--muted, #5c636b); --d-fill: var(--code, #f3f4f5);
  --d-accent: var(--accent, #1f5fae);
  font-family: system-ui, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Noto Sans CJK SC",
  "Microsoft YaHei", sans-serif; }
@media (prefers-color-scheme: dark) { svg.drawing { --d-ink: var(--ink, #e4e6e9);
  --d-paper: var(--paper, #16181b); --d-muted: var(--muted, #a1a8b0);
  --d-fill: var(--code, #212428); --d-accent: var(--accent, #84b4f0); } }
.drawing .ground { fill: var(--d-paper); }
.drawing text { fill: var(--d-ink); font-size: 13px; }
.drawing .name { font-weight: 600; }
.drawing .small { font-size: 11.5px; fill: var(--d-muted); }
.drawing .on { stroke: var(--d-paper); stroke-width: 4px; paint-order: stroke;
  stroke-linejoin: round; }
.drawing .box { fill: var(--d-fill); stroke: var(--d-muted); stroke-width: 1; }
.drawing .learns { stroke: var(--d-accent); stroke-width: 1.5; }
.drawing .pill { fill: var(--d-paper); stroke: var(--d-muted); }
.drawing .group { fill: none; stroke: var(--d-muted); stroke-dasharray: 5 3; }
.drawing .head { fill: var(--d-fill); stroke: var(--d-muted); stroke-width: .7; }
.drawing .badge { fill: var(--d-accent); } .drawing .badge + text { fill: var(--d-paper); }
.drawing .line { fill: none; stroke: var(--d-muted); stroke-width: 1.3; }
.drawing .tip { fill: var(--d-muted); }
"""

_NARROW = set("ijl.,:;|!'()[]{}·`1 ftrI/")
_BROAD = set("mwMW%@—…→×")


def text_width(text: str, size: float = 13.0, *, bold: bool = False) -> float:
    """About how wide a text is, in pixels."""
    ems = 0.0
    for c in text:
        if unicodedata.east_asian_width(c) in "WF":
            ems += 1.0
        elif c in _NARROW:
            ems += 0.34
        elif c in _BROAD:
            ems += 0.88
        else:
            ems += 0.68 if c.isupper() else 0.57
    return ems * size * (1.14 if bold else 1.06)


def text(
    x: float, y: float, words: str, kind: str = "", *, anchor: str = "middle", y_middle: bool = True
) -> str:
    """A line of text around (x, y), or from there on."""
    drop = ' dy=".35em"' if y_middle else ""
    cls = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{drop}{cls} text-anchor="{anchor}">{_safe(words)}</text>'


def spans(x: float, y: float, parts: Sequence[tuple[str, str]]) -> str:
    """A centred line of pieces in different kinds of type."""
    inner = "".join(
        f'<tspan class="{kind}">{_safe(words)}</tspan>' if kind else _safe(words)
        for words, kind in parts
    )
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" dy=".35em" text-anchor="middle" xml:space="preserve">'
        f"{inner}</text>"
    )


def rectangle(x: float, y: float, width: float, height: float, kind: str, corner: float = 5) -> str:
    """A box."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
        f'rx="{corner:g}" class="{kind}"/>'
    )


def arrow(points: Sequence[Point], *, tip: bool = True) -> str:
    """A line along these points, to its tip: vertical there, or level if the last part is level."""
    (x, y), (x_before, before) = points[-1], points[-2]
    if y == before and x != x_before and len(points) > 2:
        by = 1 if x > x_before else -1
        (u, v), r = points[-3], min(10.0, abs(x - x_before))
        start = f"{curve([*points[:-2], (u, y - r)])}" if v < y - r else f"M{u:.1f} {y - r:.1f}"
        return (
            f'<path class="line" d="{start}Q{x_before:.1f} {y:.1f} {x_before + by * r:.1f} {y:.1f}'
            f'H{x - 6 * by:.1f}"/><path class="tip" d="M{x - 7 * by:.1f} {y - 4:.1f}'
            f'L{x:.1f} {y:.1f}L{x - 7 * by:.1f} {y + 4:.1f}z"/>'
        )
    if not tip:
        return f'<path class="line" d="{curve(points)}"/>'
    up = -1 if before > y else 1
    short = [*points[:-1], (x, y - 6 * up)]
    head = f"M{x - 4:.1f} {y - 7 * up:.1f}L{x:.1f} {y:.1f}L{x + 4:.1f} {y - 7 * up:.1f}z"
    return f'<path class="line" d="{curve(short)}"/><path class="tip" d="{head}"/>'


def moved(x: float, y: float, inner: str) -> str:
    """A part of the picture, elsewhere."""
    return f'<g transform="translate({x:.1f} {y:.1f})">{inner}</g>'


def svg(width: float, height: float, inner: str, label: str, *, least: float = 0.0) -> str:
    """The picture. It shrinks with what it stands in, but not below `least` of its size."""
    style = f"width:100%;max-width:{width:.0f}px;min-width:{least * width:.0f}px;height:auto"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="drawing" role="img" '
        f'aria-label="{_safe(label)}" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="{style}">\n'
        f"<title>{_safe(label)}</title>\n<style>{STYLE}</style>\n"
        f'<rect class="ground" width="100%" height="100%"/>\n{inner}\n</svg>'
    )


def _safe(words: str) -> str:
    return html.escape(words, quote=True)
