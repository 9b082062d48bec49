"""Back-propagation as tables for a terminal, as wide as it is."""

from __future__ import annotations

import io
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from chainrule.explain.pages.words import words
from chainrule.explain.printing.inline import inline
from chainrule.explain.stepwise import figures
from chainrule.explain.stepwise.formulas import Written
from chainrule.explain.stepwise.lines import Backward

if TYPE_CHECKING:
    from chainrule.explain.stepwise.result import Backprop

_SEPARATE = 96  # columns from which values and differences stand beside each other


def text(found: Backprop, width: int | None = None) -> str:
    """Both passes; `width` in columns (default: the terminal's)."""
    from rich.console import Console  # 20 ms that a program without a table need not wait
    from rich.table import Table

    say = words(found.lang)
    wide = width or shutil.get_terminal_size((100, 24)).columns
    console = Console(file=io.StringIO(), width=wide, color_system=None, legacy_windows=False)
    title = f"{say('Forward pass')}   L = {figures.short(found.loss)}"
    table = Table(title=title, show_lines=True)
    for title in ("", say("Formula"), say("Value")):
        table.add_column(title, overflow="fold")
    for f in found.forward:
        how = _lines(inline(f.formula.tex), _where(f.formula), _numbers(f.text))
        table.add_row(inline(f.name), how, figures.block(f.value))
    console.print(table, markup=False)

    beside = wide >= _SEPARATE
    table = Table(title=say("Backward pass"), show_lines=True)
    titles = ["", say("Chain rule"), say("Value")]
    for title in [*titles, *([say("Differences")] if beside else []), say("Check")]:
        table.add_column(title, overflow="fold")
    for b in found.backward:
        value, slopes = figures.block(b.value), _differences(b)
        cells = [value, slopes] if beside else [_lines(value, [slopes])]
        table.add_row(inline(b.title), _chain(b), *cells, mark(b, found.lang))
    console.print(table, markup=False)
    for note in found.said(found.lang):
        console.print(note, markup=False)
    out = console.file
    assert isinstance(out, io.StringIO)
    return out.getvalue().rstrip("\n")


def _chain(b: Backward) -> str:
    if not b.terms:
        return "1"
    rules = [w for t in b.terms for w in _where(t.formula)]
    total = " + ".join(inline(t.formula.tex) for t in b.terms)
    numbers = [] if any(t.text.where for t in b.terms) else [
        "= " + " + ".join(inline(t.text.tex) for t in b.terms)
    ]  # fmt: skip
    return "\n".join([inline(b.chain), *rules, f"= {total}", *numbers])


def _where(w: Written) -> list[str]:
    return [f"  {inline(e.left)} = {inline(e.right)}" for e in w.where]


def _numbers(w: Written) -> list[str]:
    return [] if w.where else [f"= {inline(w.tex)}"]


def _lines(first: str, *more: Sequence[str]) -> str:
    return "\n".join([first, *(line for part in more for line in part)])


def _differences(b: Backward) -> str:
    found = figures.block(b.check.found)
    return f"{found} ({b.check.along} d)" if b.check.along else found


def mark(b: Backward, lang: str) -> str:
    """Whether a line is right, and if not, why: a few words."""
    say = words(lang)
    if b.status == "agrees":
        return f"✓ {b.check.error:.0e}"
    if b.status == "kink":
        return f"✓ {say('at a kink')}"
    if b.status == "none":
        return f"– {say('no finite differences')}"
    if b.status == "follows":
        causes = ", ".join(f"∂L/∂{inline(c)}" for c in b.because)
        return f"↳ {say('follows from')} {causes}"
    if b.status == "wrong":
        rules = dict.fromkeys(
            t.user.custom.name if t.user.custom is not None else t.user.node.op.name
            for t in b.terms
            if t.check.verdict == "differs"
        )
        return f"✗ {b.check.error:.0e} {say('wrong rule')}: {', '.join(rules)}"
    return f"✗ {b.check.error:.0e}"
