"""The parts of a report as HTML, from plain numbers."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from chainrule.explain.pages.page import escape
from chainrule.explain.reporting import examples
from chainrule.explain.reporting.evaluation import IGNORED, Classes, Numbers

Array = np.ndarray
Say = Callable[[str], str]

#: With more classes than these the matrix cannot be read: the commonest confusions are listed.
_LEGIBLE = 25


def percent(share: float, digits: int = 1) -> str:
    """As a reader says it; a dash where there is none."""
    return "–" if math.isnan(share) else f"{100 * share:.{digits}f}%"


def duration(seconds: float) -> str:
    """1.5 s, 3 min 20 s, 2 h 5 min; below a second in ms or µs."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def memory(count: float) -> str:
    """Bytes as MiB or GiB."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def table(rows: Sequence[tuple[str, str]], kind: str = "facts") -> str:
    """Names and values; both are HTML already."""
    lines = "".join(f"<tr><th scope='row'>{a}</th><td>{b}</td></tr>" for a, b in rows)
    return f'<div class="wide"><table class="{kind}"><tbody>{lines}</tbody></table></div>'


def folded(body: str, closed: set[str], most: int) -> str:
    """Parts with headings (h2) as parts of a section: those of `closed`, and those with more than
    `most` formulas, are to be unfolded."""
    first, *rest = re.split(r"<h2>(.*?)</h2>", body)
    out = [first]
    for title, inner in zip(rest[::2], rest[1::2], strict=True):
        if html.unescape(title) in closed or inner.count('display="block"') > most:
            out.append(f"<details><summary>{title}</summary>{inner}</details>")
        else:
            out.append(f"<h3>{title}</h3>{inner}")
    return "".join(out)


def tiles(items: Sequence[tuple[str, str]]) -> str:
    """The few numbers that matter most, large."""
    inner = "".join(
        f'<div class="tile"><b>{escape(value)}</b><span>{escape(name)}</span></div>'
        for name, value in items
    )
    return f'<div class="tiles">{inner}</div>'


# ---------------------------------------------------------------------- classes


def confusion(found: Classes, names: Sequence[str], say: Say) -> str:
    """The matrix with counts and shares, and precision and recall of every class."""
    matrix = found.confusion
    if found.classes > _LEGIBLE:
        return _commonest(matrix, names, say)
    totals = matrix.sum(1)
    head = "".join(f'<th scope="col">{escape(n)}</th>' for n in names)
    rows = []
    for i, line in enumerate(matrix):
        cells = []
        for j, count in enumerate(line.tolist()):
            share = count / totals[i] if totals[i] else 0.0
            kind = "right" if i == j else "wrong"
            told = f"<small>{100 * share:.0f}%</small>" if count else ""
            cells.append(
                f'<td class="{kind}" style="--p:{share:.3f}">{count if count else "·"}{told}</td>'
            )
        rows.append(f'<tr><th scope="row">{escape(names[i])}</th>{"".join(cells)}</tr>')
    return (
        f'<div class="wide"><table class="confusion"><caption>'
        f"{escape(say('Rows: the true class. Columns: the predicted one.'))}</caption>"
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
        + _per_class(found, names, say)
    )


def _per_class(found: Classes, names: Sequence[str], say: Say) -> str:
    matrix, precision, recall = found.confusion, found.precision, found.recall
    rows = []
    for i, name in enumerate(names):
        p, r = float(precision[i]), float(recall[i])
        others = matrix[i].copy()
        others[i] = 0
        j = int(others.argmax())
        mistaken = f"{names[j]} ({int(others[j])})" if others[j] else "–"
        f1 = 2 * p * r / (p + r) if p + r > 0 else math.nan
        cells = "".join(f'<td class="number">{percent(v)}</td>' for v in (p, r, f1))
        rows.append(
            f'<tr><th scope="row">{escape(name)}</th><td class="number">{int(matrix[i].sum()):,}'
            f"</td>{cells}<td>{escape(mistaken)}</td></tr>"
        )
    head = "".join(
        f'<th class="{kind}">{escape(say(text))}</th>'
        for text, kind in (
            ("class", ""),
            ("rows", "number"),
            ("precision", "number"),
            ("recall", "number"),
            ("F1", "number"),
            ("most often taken for", ""),
        )
    )
    note = say(
        "Precision: of what is called a class, the share that is one. Recall: of a class, the "
        "share that is found. F1: their harmonic mean."
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f'<tbody>{"".join(rows)}</tbody></table></div><p class="muted">{escape(note)}</p>'
    )


def _commonest(matrix: Array, names: Sequence[str], say: Say) -> str:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:15]
    rows = []
    for flat in order.tolist():
        i, j = divmod(flat, len(matrix))
        if wrong[i, j]:
            share = percent(float(wrong[i, j] / matrix[i].sum()))
            rows.append(
                f"<tr><td>{escape(names[i])}</td><td>{escape(names[j])}</td>"
                f'<td class="number">{int(wrong[i, j]):,}</td><td class="number">{share}</td></tr>'
            )
    head = "".join(
        f"<th>{escape(say(t))}</th>"
        for t in ("true class", "predicted", "how often", "of the class")
    )
    return (
        f'<div class="wide"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def chances(p: Array, truth: int, names: Sequence[str], say: Say) -> str:
    """The most probable classes of one row and the true one, as bars."""
    order = np.argsort(-p, kind="stable")[:3].tolist()
    if truth not in order:
        order = [*order[:2], truth]
    lines = []
    for k in order:
        kind = "true" if k == truth else ""
        mark = f" ({say('true')})" if k == truth else ""
        lines.append(
            f'<div class="chance {kind}"><span>{escape(names[k])}{escape(mark)}</span>'
            f'<i style="--p:{float(p[k]):.4f}"></i><span>{percent(float(p[k]))}</span></div>'
        )
    return "".join(lines)


def worst_classes(
    found: Classes,
    rows: Sequence[int],
    x: Array,
    attributed: Array | None,
    names: Sequence[str],
    tokens: Sequence[str] | None,
    say: Say,
) -> str:
    """Cards of the rows with the highest loss. `attributed` has a line for each of these rows."""
    scale = _scale(x)
    cards = []
    for k, row in enumerate(rows):
        what = None if attributed is None else np.asarray(attributed[k])
        label = say("test row {row}").format(row=row)
        picture = examples.shown(
            np.asarray(x[row]), what, scale=scale, label=label, token_names=tokens
        )
        if found.by_place:
            told = _answered(found, row, tokens or names, say)
        else:
            told = chances(found.probabilities[row], int(found.truth[row]), names, say)
        wide = " text" if np.asarray(x[row]).dtype.kind in "iu" else ""
        cards.append(
            f'<figure class="example{wide}"><div class="seen">{picture}</div><figcaption>'
            f'<span class="muted">{escape(label)} · {escape(say("loss"))} '
            f"{found.losses[row]:.3g}</span>{told}</figcaption></figure>"
        )
    return f'<div class="examples">{"".join(cards)}</div>'


def _answered(found: Classes, row: int, names: Sequence[str], say: Say) -> str:
    """A row that is classified place by place: what was asked, said, and true."""
    asked = found.truth[row] != IGNORED
    places = np.flatnonzero(asked)
    said, truth = found.guesses[row], found.truth[row]

    def line(codes: Array) -> str:
        spans = "".join(
            f'<span class="token {"" if said[i] == truth[i] else "miss"}">'
            f"{escape(str(names[int(codes[i])])).replace(chr(10), '⏎')}</span>"
            for i in places
        )
        return f'<span class="tokens">{spans}</span>'

    return table([(escape(say("true")), line(truth)), (escape(say("predicted")), line(said))])


def _scale(x: Array) -> tuple[float, float]:
    """The range of brightness, for all rows alike."""
    if x.dtype.kind not in "fu" or not x.size:
        return 0.0, 1.0
    return float(np.nanmin(x)), float(np.nanmax(x))


# ---------------------------------------------------------------------- numbers


def against_truth(found: Numbers, say: Say) -> str:
    """Predicted beside true, a point for a row (of many, every so many)."""
    truth, said = found.truth[:, 0].astype(float), found.predictions[:, 0].astype(float)
    every = max(1, len(truth) // 800)
    truth, said = truth[::every], said[::every]
    low = float(min(truth.min(), said.min()))
    high = float(max(truth.max(), said.max()))
    span = (high - low) or 1.0
    size, margin = 320.0, 44.0

    def at(v: float) -> float:
        return margin + (size - margin - 8) * (v - low) / span

    dots = "".join(
        f'<circle cx="{at(t):.1f}" cy="{size - at(s):.1f}" r="2.4"/>'
        for t, s in zip(truth.tolist(), said.tolist(), strict=True)
    )
    ends = [
        f'<text x="{at(low):.0f}" y="{size - margin + 16:.0f}">{low:.4g}</text>',
        f'<text x="{at(high):.0f}" y="{size - margin + 16:.0f}" text-anchor="end">{high:.4g}'
        "</text>",
        f'<text x="{margin - 6:.0f}" y="{size - at(low):.0f}" text-anchor="end">{low:.4g}</text>',
        f'<text x="{margin - 6:.0f}" y="{size - at(high) + 8:.0f}" text-anchor="end">{high:.4g}'
        "</text>",
        f'<text x="{size / 2 + 18:.0f}" y="{size - 8:.0f}" text-anchor="middle">'
        f"{escape(say('true'))}</text>",
        f'<text transform="translate(14 {size / 2 - 18:.0f}) rotate(-90)" text-anchor="middle">'
        f"{escape(say('predicted'))}</text>",
    ]
    axes = f"M{margin:.0f} {size - margin:.0f}H{size - 8:.0f}M{margin:.0f} {size - margin:.0f}V8"
    return (
        f'<svg class="scatter" role="img" aria-label="{escape(say("Predicted against true"))}" '
        f'viewBox="0 0 {size:.0f} {size:.0f}" width="{size:.0f}" height="{size:.0f}">'
        f'<path d="{axes}" class="axis"/>'
        f'<path class="equal" d="M{at(low):.1f} {size - at(low):.1f}L{at(high):.1f} '
        f'{size - at(high):.1f}"/>'
        f"{dots}{''.join(ends)}</svg>"
    )


def worst_numbers(
    found: Numbers, rows: Sequence[int], x: Array, attributed: Array | None, say: Say
) -> str:
    """Cards of the rows with the largest errors."""
    scale = _scale(x)
    cards = []
    for k, row in enumerate(rows):
        what = None if attributed is None else np.asarray(attributed[k])
        label = say("test row {row}").format(row=row)
        picture = examples.shown(np.asarray(x[row]), what, scale=scale, label=label)
        told = table(
            [
                (escape(say("true")), _several(found.truth[row])),
                (escape(say("predicted")), _several(found.predictions[row])),
            ]
        )
        cards.append(
            f'<figure class="example"><div class="seen">{picture}</div><figcaption>'
            f'<span class="muted">{escape(label)}</span>{told}</figcaption></figure>'
        )
    return f'<div class="examples">{"".join(cards)}</div>'


def _several(values: Array) -> str:
    told = ", ".join(f"{float(v):.4g}" for v in values[:4])
    return told + (" …" if len(values) > 4 else "")


# ---------------------------------------------------------------------- where it comes from


def provenance(facts: Mapping[str, Any], say: Say) -> str:
    """What one needs to do it again, and what it cost."""
    rows: list[tuple[str, str]] = []

    def add(name: str, value: Any) -> None:
        if value is not None and value != "":
            rows.append((escape(say(name)), str(value)))

    def code(value: Any) -> str | None:
        return None if value is None else f"<code>{escape(value)}</code>"

    add("command", code(facts.get("command")))
    add("seed", facts.get("seed"))
    for name, key in (("optimiser", "optimizer"), ("learning rate", "lr"), ("batch", "batch_size")):
        add(name, escape(facts[key]) if facts.get(key) is not None else None)
    add("epochs", facts.get("epochs"))
    versions = facts.get("versions") or {}
    add("versions", ", ".join(f"{escape(k)} {escape(v)}" for k, v in versions.items()))
    for part, digest in (facts.get("sha256") or {}).items():
        add(f"data: {part}", f'<code class="digest">{escape(digest)}</code>')
    machine = facts.get("machine") or {}
    if machine:
        add("processor", escape(machine.get("cpu", "")))
        add("cores", machine.get("cores"))
        if machine.get("memory_gib") is not None:
            add("memory", f"{machine['memory_gib']:g} GiB")
        add("system", escape(machine.get("system", "")))
    if facts.get("peak_flops"):
        add("peak of the machine", f"{facts['peak_flops'] / 1e9:,.0f} GFLOP/s")
    if facts.get("seconds") is not None:
        add("time of training", duration(float(facts["seconds"])))
    if facts.get("seconds") is not None and facts.get("steps"):
        per = float(facts["seconds"]) / int(facts["steps"])
        add("time per step", f"{duration(per)} ({int(facts['steps']):,} {escape(say('steps'))})")
    if facts.get("peak_memory"):
        add("most memory held", memory(float(facts["peak_memory"])))
    add("compiled programs", facts.get("programs"))
    add("finished", escape(facts["finished"]) if facts.get("finished") else None)
    return table(rows)
