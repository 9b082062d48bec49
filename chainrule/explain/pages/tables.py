"""Small tables of findings: as text, and as HTML for notebooks."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence
from html import escape


def width(text: str) -> int:
    """Columns in a terminal: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def text_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], bad: Collection[int] = ()
) -> str:
    """Columns side by side; lines that are `bad` are marked.

    >>> print(text_table(["a", "b"], [["x", "1"], ["longer", "2"]], [1]))
      a       b
      ──────  ─
      x       1
    ✗ longer  2
    """
    if not rows:
        return ""
    widths = [max(width(r[k]) for r in (heads, *rows)) for k in range(len(heads))]
    lines = [_line(heads, widths, " "), _line(["─" * w for w in widths], widths, " ")]
    lines += [_line(r, widths, "✗" if i in bad else " ") for i, r in enumerate(rows)]
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int], mark: str) -> str:
    padded = (c + " " * (w - width(c)) for c, w in zip(cells, widths, strict=True))
    return f"{mark} {'  '.join(padded)}".rstrip()


def html_table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], bad: Collection[int] = ()
) -> str:
    """The same as an HTML table."""
    if not rows:
        return ""
    top = "".join(f"<th>{escape(h)}</th>" for h in heads)
    body = "".join(
        f"<tr{_BAD if i in bad else ''}>" + "".join(f"<td>{escape(c)}</td>" for c in r) + "</tr>"
        for i, r in enumerate(rows)
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


_BAD = ' style="color: var(--bad, #b00020)"'


def html_list(lines: Sequence[str]) -> str:
    """Sentences as an HTML list."""
    if not lines:
        return ""
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"
