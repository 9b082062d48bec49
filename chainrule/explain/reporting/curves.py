"""Loss and metrics, epoch by epoch: a picture where matplotlib is there, always a table."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from chainrule.explain.pages.page import escape

Say = Callable[[str], str]

#: What is drawn in these colours becomes the page's own, light or dark.
_COLOURS = {"#0000a1": "var(--accent)", "#0000b2": "var(--second)", "#0000c3": "var(--ink)",
            "#0000d4": "var(--muted)", "#0000e5": "var(--line)"}  # fmt: skip
_ACCENT, _SECOND, _INK, _MUTED, _LINE = _COLOURS

#: So many lines of the table are shown at once; the others in between are left out.
_LINES = 40


def metrics_of(history: Mapping[str, Sequence[float]]) -> dict[str, tuple[str, str | None]]:
    """Metric → its names on training and validation data; what is no metric is left out."""
    names = [n for n in history if n not in ("epoch", "seconds", "lr", "learning_rate")]
    return {
        n: (n, f"val_{n}" if f"val_{n}" in history else None)
        for n in names
        if not n.startswith("val_")
    }


def curves(history: Mapping[str, Sequence[float | None]], say: Say) -> str:
    """HTML: a picture per metric, and the numbers."""
    numbers = {
        name: [math.nan if v is None else float(v) for v in values]
        for name, values in history.items()
    }
    try:
        drawn = _drawn(numbers, say)
    except ImportError:
        hint = say("For curves: {command}").format(
            command="<code>pip install 'chainrule[report]'</code>"
        )
        return f'<p class="muted">{hint}</p>{_table(numbers, say)}'
    table = _table(numbers, say)
    return f"{drawn}<details><summary>{escape(say('The numbers'))}</summary>{table}</details>"


def _drawn(history: dict[str, list[float]], say: Say) -> str:
    import matplotlib
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    pictures = []
    style: Any = {
        "svg.fonttype": "none",  # text stays text: in the page's font
        "svg.hashsalt": "chainrule",
        "font.family": "sans-serif",
        "font.size": 11,
    }
    with matplotlib.rc_context(style):
        for metric, (train, test) in metrics_of(history).items():
            figure = Figure(figsize=(5.2, 3.1), layout="constrained")
            axes = figure.add_subplot()
            for name, colour, label, line in (
                (train, _ACCENT, "training", "-"),
                (test, _SECOND, "validation", "--"),
            ):
                if name is not None:
                    values = history[name]
                    epochs = range(1, len(values) + 1)
                    mark = "o" if len(values) < 25 else ""
                    axes.plot(
                        epochs, values, line, color=colour, label=label, marker=mark, markersize=3.5
                    )
            axes.set_xlabel("epoch", color=_MUTED)
            axes.set_title(metric, color=_INK, loc="left", fontsize=12)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(True, color=_LINE, linewidth=0.6)
            axes.tick_params(colors=_MUTED)
            for side, spine in axes.spines.items():
                spine.set_visible(side in ("left", "bottom"))
                spine.set_color(_MUTED)
            if test is not None:
                axes.legend(frameon=False, labelcolor=_INK)
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
            picture = _adapted(buffer.getvalue(), say_metric(metric, say))
            for text in ("epoch", "training", "validation"):  # matplotlib may lack the letters
                picture = picture.replace(f">{text}</text>", f">{escape(say(text))}</text>")
            title = escape(say_metric(metric, say))
            pictures.append(picture.replace(f">{escape(metric)}</text>", f">{title}</text>"))
    return f'<div class="curves">{"".join(pictures)}</div>'


def say_metric(name: str, say: Say) -> str:
    """A metric's name as a reader says it."""
    return say(name) if name in ("loss", "accuracy") else name


def _adapted(svg: str, label: str) -> str:
    """The picture in the page's colours and font, with no name or address that means nothing."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    for colour, variable in _COLOURS.items():
        svg = svg.replace(colour, variable)
    svg = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    svg = re.sub(r"font-family: [^;\"]*;?", "", svg)
    # Names of parts would be the same in every picture of a page.
    key = f"{sum(map(ord, label)) % 9973:x}"
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{key}-\1"', svg)
    svg = re.sub(r'((?:xlink:)?href)="#([^"]+)"', rf'\1="#{key}-\2"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#{key}-\1)", svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(label)}" ', 1).strip()


def _table(history: dict[str, list[float]], say: Say) -> str:
    columns = [n for pair in metrics_of(history).values() for n in pair if n is not None]
    rows = max((len(history[n]) for n in columns), default=0)
    has_seconds = len(history.get("seconds", [])) == rows
    head = "".join(f'<th class="number">{escape(n)}</th>' for n in columns)
    if has_seconds:
        head += f'<th class="number">{escape(say("seconds"))}</th>'
    lines = []
    for i in range(rows):
        if rows > _LINES and _LINES // 2 <= i < rows - _LINES // 2:
            if i == _LINES // 2:
                lines.append("<tr><td>…</td></tr>")
            continue
        cells = [f"{history[n][i]:.4f}" if i < len(history[n]) else "" for n in columns]
        if has_seconds:
            cells.append(f"{history['seconds'][i]:.2f}")
        numbers = "".join(f'<td class="number">{c}</td>' for c in cells)
        lines.append(f"<tr><td>{i + 1}</td>{numbers}</tr>")
    return (
        f'<div class="wide"><table><thead><tr><th>{escape(say("epoch"))}</th>{head}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
