"""Tables of what was measured: for a terminal, and as Markdown."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Table:
    """A title, what it says in a sentence, columns, rows of text."""

    title: str
    note: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: str) -> None:
        """One row more; missing cells at its end are empty."""
        self.rows.append([*cells, *[""] * (len(self.columns) - len(cells))])

    def text(self) -> str:
        """With columns that are aligned: the first to the left, the others to the right."""
        lines = [self.columns, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.columns))]
        shown = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        ]
        rule = "─" * max(map(len, shown))
        return "\n".join([self.title, self.note, rule, shown[0], rule, *shown[1:], ""])

    def markdown(self) -> str:
        def line(cells: list[str]) -> str:
            return f"| {' | '.join(cells)} |"

        marks = ["---", *["--:"] * (len(self.columns) - 1)]
        body = "\n".join([line(self.columns), line(marks), *map(line, self.rows)])
        return f"## {self.title}\n\n{self.note}\n\n{body}\n"


def seconds(value: float) -> str:
    """A time, with three figures that matter.

    >>> seconds(0.000123), seconds(0.0123), seconds(12.3)
    ('123 µs', '12.3 ms', '12.3 s')
    """
    for scale, unit in ((1.0, "s"), (1e-3, "ms")):
        if value >= scale:
            return f"{value / scale:.3g} {unit}"
    return f"{value * 1e6:.3g} µs"


def verdict(value: float, target: float, *, least: bool = True) -> str:
    """Whether `value` is at least (or at most) the target."""
    return "reached" if (value >= target if least else value <= target) else "NOT reached"
