"""The graphs of the texts, which are written in Mermaid, as SVG: no script draws them in the page.

Only what `explain.graph` writes is read: boxes `n0["…"]`, rounded ones `n1(["…"])`, arrows.
"""

from __future__ import annotations

import html
import re

from chainrule.explain.pages import picture
from chainrule.layered import Size, layered

_BOX = re.compile(r'(\w+)(\(?\[)"(.*)"\]')
_ARROW = re.compile(r"(\w+) --> (\w+)")


def draw(text: str, title: str = "graph") -> str:
    """A flow chart as a picture."""
    labels: dict[str, list[str]] = {}
    given, arrows = set(), []
    for line in map(str.strip, text.splitlines()):
        if box := _BOX.fullmatch(line) or _BOX.match(line):
            labels[box[1]] = [html.unescape(s) for s in box[3].split("<br/>")]
            if box[2] == "([":
                given.add(box[1])
        elif arrow := _ARROW.fullmatch(line):
            arrows.append((arrow[1], arrow[2]))
    sizes = {
        n: Size(max(picture.text_width(s) for s in lines) + 24, 24 + 16 * (len(lines) - 1))
        for n, lines in labels.items()
    }
    laid = layered(sizes, arrows)
    parts = [picture.arrow(line) for line in laid.lines]
    for n, (x, y) in laid.places.items():
        size = sizes[n]
        kind, corner = ("pill", 20) if n in given else ("box", 5)
        parts.append(picture.rectangle(x, y, size.width, size.height, kind, corner))
        middle = y + size.height / 2 - 8 * (len(labels[n]) - 1)
        for k, words in enumerate(labels[n]):
            style = "small" if k else ""
            parts.append(picture.text(x + size.width / 2, middle + 16 * k, words, style))
    inner = picture.moved(10, 10, "\n".join(parts))
    return picture.svg(laid.width + 20, laid.height + 20, inner, title, least=0.6)
