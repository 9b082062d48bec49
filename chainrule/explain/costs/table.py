"""A summary as a table: for terminals of any width, for notebooks, as a page."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from chainrule.explain.costs.rows import Row
from chainrule.explain.pages.page import escape, page, save
from chainrule.explain.pages.words import words

#: Narrowest and widest text.
_NARROW, _WIDE = 80, 120


#: The page of a wide table.
_STYLE = "body { max-width: 82rem; } table { font-size: .85rem; }"


class Column(NamedTuple):
    """A column: its heading, what stands in it, and how soon it is left out where there is no room:
    1 at first, 0 never.
    """

    name: str
    text: Callable[[Row], str]
    left_out: int = 0
    number: bool = True


class Table:
    """What is the same for all tables of rows."""

    rows: list[Row]
    depth: int | None
    lang: str

    # ------------------------------------------------------------------ what is in it

    def columns(self) -> list[Column]:
        """The columns that have something to say, from left to right."""
        found = [
            Column(
                "Layer", lambda r: r.name if r.parent is None else f"{r.name} ({r.kind})", 0, False
            )
        ]
        if self._has(lambda r: r.shapes):
            found.append(Column("Output", lambda r: shapes(r.shapes), 0, False))
        found.append(Column("Params", lambda r: plain(r.params)))
        if self._has(lambda r: r.params - r.trainable):
            found.append(Column("Trainable", lambda r: plain(r.trainable), 2))
        if not self._has(lambda r: r.calls):
            return found
        if self._has(lambda r: r.calls > 1):
            found.append(Column("Calls", lambda r: str(r.calls) if r.calls != 1 else "", 1))
        found.append(Column("FLOPs", lambda r: count(r.flops)))
        found.append(Column("Moved", lambda r: size(r.bytes), 4))
        if self._has(lambda r: r.training is not None):
            found.append(Column("Kept", lambda r: size(r.kept), 7))
        if self._has(lambda r: r.time is not None):
            found.append(Column("Forward", lambda r: duration(r.time)))
            if self._has(lambda r: r.train_time is not None):
                found.append(Column("Step", lambda r: duration(r.train_time), 5))
            found.append(Column("Peak", lambda r: percent(r.compute_share), 8))
            found.append(Column("Memory", lambda r: percent(r.memory_share), 3))
        found.append(Column("Bound by", lambda r: self._say(r.bound), 9, False))
        return found

    def _has(self, of: Callable[[Row], Any]) -> bool:
        return any(of(row) for row in self.rows)

    def _say(self, text: str) -> str:
        return words(self.lang)(text) if text else ""

    def shown(self) -> list[Row]:
        """The rows down to the depth that was asked for, but for what is never called and holds no
        parameters.
        """
        called = self._has(lambda r: r.calls)
        return [
            r
            for r in self.rows
            if (self.depth is None or r.depth <= self.depth)
            and (not called or r.params or any(i.calls for i in r.walk()))
        ]

    def totals(self) -> list[tuple[str, str]]:
        """What stands under the table: names and values."""
        raise NotImplementedError

    def notes(self) -> list[str]:
        """What the numbers mean."""
        raise NotImplementedError

    # ------------------------------------------------------------------ as text

    def __str__(self) -> str:
        return self.text(min(max(shutil.get_terminal_size((_NARROW, 24)).columns, _NARROW), _WIDE))

    __repr__ = __str__

    def text(self, width: int) -> str:
        """The table in lines of at most `width` signs. What matters least is left out first."""
        import rich.console  # 20 ms that a program without a table need not wait
        import rich.table

        say, rows = words(self.lang), self.shown()
        columns = self.columns()
        there = {id(r) for r in rows}
        cells = {c.name: [_indent(r, c, there) for r in rows] for c in columns}
        widths = {c.name: max(_width(s) for s in (say(c.name), *cells[c.name])) for c in columns}
        chosen, left = {c.name for c in columns if not c.left_out}, width + 2
        left -= sum(widths[name] + 2 for name in chosen)
        for c in sorted(columns, key=lambda c: -c.left_out):
            if c.left_out and widths[c.name] + 2 <= left:
                chosen.add(c.name)
                left -= widths[c.name] + 2
        columns = [c for c in columns if c.name in chosen]
        over = -left
        for name in ("Output", "Layer"):  # then names are cut
            if over > 0 and name in widths:
                cut = min(over, widths[name] - 12)
                widths[name] -= cut
                over -= cut
        table = rich.table.Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for c in columns:
            table.add_column(
                say(c.name), justify="right" if c.number else "left", no_wrap=True,
                overflow="ellipsis", max_width=widths[c.name], header_style="bold",
            )  # fmt: skip
        for k in range(len(rows)):
            table.add_row(*(_literal(cells[c.name][k]) for c in columns))
        file = io.StringIO()
        console = rich.console.Console(file=file, width=width, highlight=False, color_system=None)
        console.print(table)
        lines = [line.rstrip() for line in file.getvalue().splitlines()]
        rule = "─" * min(width, max(map(_width, lines), default=0))
        lines.insert(1, rule)
        lines.append(rule)
        named = self.totals()
        wide = max(_width(name) for name, _ in named)
        for name, value in named:
            first, *more = _wrapped(value, width - wide - 2)
            lines.append(f"{name}{' ' * (wide - _width(name) + 2)}{first}")
            lines += [" " * (wide + 2) + part for part in more]
        for note in self.notes():
            lines += _wrapped(note, min(width, 100))
        return "\n".join(lines)

    # ------------------------------------------------------------------ as HTML

    def _repr_html_(self) -> str:
        say, columns = words(self.lang), self.columns()
        head = "".join(f"<th{_class(c)}>{escape(say(c.name))}</th>" for c in columns)
        body = []
        for row in self.shown():
            cells = [f"<td{_class(c)}{_style(row, c)}>{escape(c.text(row))}</td>" for c in columns]
            body.append(f"<tr title='{escape(row.path)}'>{''.join(cells)}</tr>")
        totals = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in self.totals()
        )
        notes = "".join(f'<p class="muted">{escape(note)}</p>' for note in self.notes())
        return (
            f'<div class="wide"><table style="white-space:nowrap"><thead><tr>{head}</tr></thead>'
            f"<tbody>{''.join(body)}</tbody></table></div>"
            f'<div class="wide"><table>{totals}</table></div>{notes}'
        )

    def html(self, lang: str | None = None) -> str:
        """A page of its own, that fetches nothing."""
        if lang is not None and lang != self.lang:
            before, self.lang = self.lang, lang
            try:
                return self.html()
            finally:
                self.lang = before
        title = words(self.lang)("Summary") + ": " + self.rows[0].kind
        body = f"<h1>{escape(title)}</h1>{self._repr_html_()}"
        return page(title, body, lang=self.lang, style=_STYLE)

    def save(self, path: str | os.PathLike[str], lang: str | None = None) -> Path:
        """Write the page: whole, or not at all."""
        return save(path, self.html(lang))


# ---------------------------------------------------------------------- cells


def _indent(row: Row, column: Column, shown: set[int]) -> str:
    text = column.text(row)
    if column.name != "Layer" or row.parent is None:
        return text
    bars = []
    at = row
    while at.parent is not None:
        last = next(c for c in reversed(at.parent.children) if id(c) in shown) is at
        bars.append(("└ " if last else "├ ") if at is row else ("  " if last else "│ "))
        at = at.parent
    return "".join(reversed(bars)) + text


def _class(column: Column) -> str:
    return ' class="number"' if column.number else ""


def _style(row: Row, column: Column) -> str:
    return f' style="padding-left:{0.7 + 1.2 * row.depth:.1f}rem"' if column.name == "Layer" else ""


def _literal(text: str) -> Any:
    import rich.text

    return rich.text.Text(text)


def _width(text: str) -> int:
    import rich.cells

    return rich.cells.cell_len(text)


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` signs; Chinese text breaks anywhere."""
    lines, line = [], ""
    parts = text.split(" ") if text.isascii() else list(text)
    gap = " " if text.isascii() else ""
    for part in parts:
        if line and _width(line + gap + part) > width:
            lines.append(line)
            line = part
        else:
            line = line + gap + part if line else part
    return [*lines, line] if line else lines


# ---------------------------------------------------------------------- numbers


def plain(n: int) -> str:
    """12,345; nothing for 0."""
    return f"{n:,}" if n else ""


def count(n: int) -> str:
    """Three digits: 999, 1.23 k, 45.6 M, 3.64 G."""
    return _scaled(n, 1000.0, ("", " k", " M", " G", " T", " P")) if n else ""


def prefix(n: float) -> str:
    """The same to stand before a unit: "999 ", "1.23 k"."""
    text = count(round(n)) or "0"
    return text if " " in text else text + " "


def size(n: int) -> str:
    """Bytes, in units of 1024: 512 B, 1.50 KiB."""
    return _scaled(n, 1024.0, (" B", " KiB", " MiB", " GiB", " TiB")) if n else ""


def _scaled(n: float, step: float, units: Sequence[str]) -> str:
    k = 0
    while k + 1 < len(units) and n >= step * 0.9995:
        n, k = n / step, k + 1
    return (f"{n:.0f}" if k == 0 or n >= 99.95 else f"{n:.{2 if n < 9.995 else 1}f}") + units[k]


def duration(seconds: float | None) -> str:
    """12.3 µs, 4.56 ms, 7.89 s."""
    if not seconds:
        return ""
    for unit, scale in (("µs", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            n = seconds * scale
            return f"{n:.{0 if n >= 99.95 else 1 if n >= 9.995 else 2}f} {unit}"
    return f"{seconds:.2f} s"


def percent(share: float | None) -> str:
    """42 %; nothing where there is nothing."""
    return f"{share:.0%}" if share else ""


def shapes(found: Sequence[tuple[int, ...]]) -> str:
    """The first shape, and whether there are others: (64, 10), …"""
    texts = [f"({', '.join(map(str, s))})" for s in found[:1]]
    return ", ".join([*texts, "…"] if len(found) > 1 else texts)
