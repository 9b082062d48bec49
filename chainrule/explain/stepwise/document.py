"""The page on which one steps through a back-propagation. Without scripts, everything is listed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from chainrule.explain.pages.page import escape, page
from chainrule.explain.pages.words import words
from chainrule.explain.printing.typeset import mathml
from chainrule.explain.stepwise import figures
from chainrule.explain.stepwise.drawing import Drawn
from chainrule.explain.stepwise.panels import Panels, math
from chainrule.explain.stepwise.table import mark
from chainrule.ir.node import Node

if TYPE_CHECKING:
    from chainrule.explain.stepwise.result import Backprop

_NAMESPACES = re.compile(r' xmlns(:\w+)?="[^"]*"')  # HTML knows MathML and SVG without them


def document(found: Backprop, lang: str) -> str:
    """The whole page."""
    say = words(lang)
    drawn, panels = Drawn(found, say("The graph of the computation")), Panels(found, lang)
    steps: list[str] = []
    marks = []
    for f in found.forward:
        body = panels.forward(f)
        steps.append(_section(len(steps), say("Forward pass"), "forward", f.name, body))
        marks.append(_marks(drawn, f.node, drawn.operands(f.node), forward=True))
    for b in found.backward:
        body = panels.backward(b)
        steps.append(_section(len(steps), say("Backward pass"), "backward", b.title, body))
        users = [o for t in b.terms for o in found.tape.outputs_of(t.user.node).values()]
        marks.append(_marks(drawn, b.node, users, forward=False))
    title = say("Back-propagation, step by step")
    body = (
        f"<h1>{escape(title)}</h1>{_summary(found, lang)}{_controls(lang)}"
        f"<div class='board'><div class='graph'>{drawn.svg}</div>"
        f"<div class='steps'>{''.join(steps)}</div></div>"
        f"<section class='listing'><h2>{say('Sources')}</h2>{panels.listing()}</section>"
    )
    script = f"const marks = {json.dumps(marks)};\n{_SCRIPT}"
    return page(title, _NAMESPACES.sub("", body), lang=lang, script=script, style=_STYLE)


def fragment(found: Backprop, lang: str) -> str:
    """Both passes as tables, for notebooks."""
    say = words(lang)
    parts = [f"<p><b>{say('Forward pass')}</b></p><table>"]
    for f in found.forward:
        formula = mathml(f"{f.name} = {f.formula.tex}", display=False)
        parts.append(f"<tr><td>{formula}</td><td>{escape(figures.text(f.value))}</td></tr>")
    parts.append(f"</table><p><b>{say('Backward pass')}</b></p><table>")
    for b in found.backward:
        formula = mathml(f"{b.title} = {b.chain}", display=False)
        cells = [figures.text(b.value), mark(b, lang)]
        told = "".join(f"<td>{escape(c)}</td>" for c in cells)
        parts.append(f"<tr><td>{formula}</td>{told}</tr>")
    notes = "".join(f"<p>{escape(n)}</p>" for n in found.said(lang))
    return _NAMESPACES.sub("", "".join(parts) + "</table>" + notes)


def _section(k: int, phase: str, kind: str, name: str, body: str) -> str:
    heading = mathml(name, display=False)
    return (
        f"<section class='step {kind}' id='step-{k}'>"
        f"<h2><span class='phase'>{escape(phase)}</span> {heading}</h2>{body}</section>"
    )


def _marks(
    drawn: Drawn, n: Node, others: tuple[Node, ...] | list[Node], forward: bool
) -> dict[str, object]:
    """Which boxes and lines of the picture light up."""
    pairs = [(o, n) if forward else (n, o) for o in others]
    return {
        "box": drawn.boxes[n],
        "near": sorted({drawn.boxes[o] for o in others if o in drawn.boxes}),
        "lines": sorted({drawn.lines[p] for p in pairs if p in drawn.lines}),
        "back": not forward,
    }


def _summary(found: Backprop, lang: str) -> str:
    say = words(lang)
    lines = len(found.backward)
    agree = sum(b.status == "agrees" for b in found.backward)
    if agree == lines:
        told = say("All {} lines of the backward pass agree with finite differences.")
        state = f"<p class='verdict good'>✓ {told.replace('{}', str(lines))}</p>"
    elif found.ok:
        told = say("No rule is wrong; {} lines of the backward pass agree with finite differences, "
                   "the others stand at kinks.")  # fmt: skip
        state = f"<p class='verdict good'>✓ {told.replace('{}', f'{agree} / {lines}')}</p>"
    else:
        told = say("Lines that do not agree with finite differences:")
        names = "".join(math(rf"{b.title}") for b in found.wrong)
        state = f"<p class='verdict bad'>✗ {told}</p>{names}"
    value = mathml(f"L = {figures.number(found.loss)}", display=False)
    notes = "".join(f"<p class='muted'>{escape(n)}</p>" for n in found.said(lang))
    return f"<p>{value}</p>{state}{notes}"


def _controls(lang: str) -> str:
    say = words(lang)
    return (
        "<nav class='controls' hidden>"
        f"<button id='back' aria-label='{say('Previous')}'>◀</button>"
        f"<input id='slider' type='range' min='0' value='0' aria-label='{say('Position')}'>"
        f"<button id='on' aria-label='{say('Next')}'>▶</button>"
        "<output id='count'></output>"
        f"<label><input id='all' type='checkbox'> {say('All steps')}</label></nav>"
    )


_STYLE = """
body { max-width: 88rem; }
h1 { margin-bottom: .2rem; } h4 { margin: 1rem 0 .2rem; }
math[display="block"] { width: fit-content; }
math > mrow > mtable > mtr > mtd { text-align: left; padding: .35em .15em; }
math > mrow > mtable > mtr > mtd:first-child { text-align: right; }
.phase { font-size: .8rem; font-weight: 600; color: var(--muted); display: block; }
.step { border-top: 1px solid var(--line); padding: .2rem 0 1rem; }
.step h2 { margin: .6rem 0; } .backward h2 { color: var(--accent); }
.verdict { font-weight: 600; } .follows { color: var(--muted); }
.checks { font-size: .85rem; } .checks td { min-width: 6rem; }
.checks td:first-child { min-width: 9rem; } .checks td.figures { white-space: pre; }
.terms > li { margin: .3rem 0; }
.sources { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr));
  gap: 0 1rem; } .source { min-width: 0; } .source h4 { overflow-wrap: anywhere; }
.source p { margin: .2rem 0; }
.source pre { font-size: .75rem; margin: .2rem 0; max-height: 18rem; }
.place { font-size: .9rem; overflow-wrap: anywhere; }
.controls { position: sticky; top: 0; z-index: 1; display: flex; gap: .6rem; align-items: center;
  flex-wrap: wrap; background: var(--paper); padding: .5rem 0;
  border-bottom: 1px solid var(--line); }
.controls[hidden] { display: none; } .controls input[type=range] { flex: 1 1 8rem; }
.controls button { font: inherit; min-width: 3rem; min-height: 2.6rem; border-radius: 6px;
  border: 1px solid var(--line); background: var(--code); color: var(--ink); cursor: pointer; }
.controls button:disabled { opacity: .4; cursor: default; }
.controls output { min-width: 4.5rem; color: var(--muted); font-variant-numeric: tabular-nums; }
.graph { overflow: auto; } .drawing .value, .drawing .edge { transition: opacity .15s; }
.drawing .wrong rect { stroke: var(--bad); stroke-width: 2.5; }
.drawing .follows rect { stroke: var(--bad); stroke-dasharray: 4 3; }
.stepping .drawing .value { opacity: .55; cursor: pointer; }
.stepping .drawing .edge { opacity: .3; }
.stepping .drawing .near { opacity: 1; }
.stepping .drawing .now { opacity: 1; }
.stepping .drawing .now rect { fill: var(--accent); stroke: var(--accent); }
.stepping .drawing .now.wrong rect { fill: var(--bad); stroke: var(--bad); }
.stepping .drawing .now text { fill: var(--paper); }
.stepping .drawing .lit { opacity: 1; } .drawing .lit .line { stroke: var(--accent);
  stroke-width: 2.4; } .drawing .lit .tip { fill: var(--accent); }
.drawing .lit.back .line { stroke-dasharray: 6 4; animation: back 1s linear infinite; }
@keyframes back { to { stroke-dashoffset: 20; } }
@media (prefers-reduced-motion: reduce) { .drawing .lit.back .line { animation: none; } }
.stepping .step { display: none; border: 0; } .stepping .step.now { display: block; }
@media (min-width: 60rem) { .board { display: grid; gap: 1.5rem;
    grid-template-columns: minmax(16rem, 2fr) 3fr; align-items: start; }
  .steps { min-width: 0; }
  .graph { position: sticky; top: 4rem; max-height: calc(100vh - 5rem); } }
@media (max-width: 59.99rem) { .stepping .graph { max-height: 36vh;
  border-bottom: 1px solid var(--line); } }
@media print { .controls { display: none; } .stepping .step { display: block; }
  .graph { position: static; max-height: none; } }
"""

_SCRIPT = """
const $ = id => document.getElementById(id);
const steps = [...document.querySelectorAll('.step')], root = document.documentElement;
const graph = document.querySelector('.graph'), slider = $('slider');
let at = 0;
document.querySelectorAll('[data-source]').forEach(place => {
  const pre = document.querySelector('#source-' + place.dataset.source + ' pre');
  place.append(pre.cloneNode(true));
});
function show(k, hash = true) {
  at = Math.max(0, Math.min(steps.length - 1, k));
  steps.forEach((s, i) => s.classList.toggle('now', i === at));
  document.querySelectorAll('.drawing .now, .drawing .near, .drawing .lit').forEach(
    e => e.classList.remove('now', 'near', 'lit', 'back'));
  const m = marks[at], box = $('b' + m.box);
  m.near.forEach(i => $('b' + i).classList.add('near'));
  m.lines.forEach(i => $('e' + i).classList.add('lit', ...(m.back ? ['back'] : [])));
  box.classList.add('now');
  slider.value = at;
  $('count').textContent = (at + 1) + ' / ' + steps.length;
  $('back').disabled = at === 0; $('on').disabled = at === steps.length - 1;
  const b = box.getBoundingClientRect(), g = graph.getBoundingClientRect();
  graph.scrollTop += (b.top + b.bottom) / 2 - (g.top + g.bottom) / 2;
  graph.scrollLeft += (b.left + b.right) / 2 - (g.left + g.right) / 2;
  if (hash) history.replaceState(null, '', '#' + (at + 1));
  if ($('all').checked) steps[at].scrollIntoView({block: 'nearest'});
}
slider.max = steps.length - 1;
slider.addEventListener('input', () => show(+slider.value));
$('back').addEventListener('click', () => show(at - 1));
$('on').addEventListener('click', () => show(at + 1));
$('all').addEventListener('change', e => {
  root.classList.toggle('stepping', !e.target.checked);
  show(at);
});
document.addEventListener('keydown', e => {
  if (e.target === slider || e.altKey || e.ctrlKey || e.metaKey) return;
  const to = {ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: steps.length - 1}[e.key];
  if (to !== undefined) { e.preventDefault(); show(to); }
});
let touch = null;
document.querySelector('.steps').addEventListener('touchstart', e => {
  const t = e.changedTouches[0];
  touch = e.target.closest('.wide, pre') ? null : [t.clientX, t.clientY];
}, {passive: true});
document.querySelector('.steps').addEventListener('touchend', e => {
  if (!touch || $('all').checked) return;
  const t = e.changedTouches[0], dx = t.clientX - touch[0], dy = t.clientY - touch[1];
  if (Math.abs(dx) > 50 && Math.abs(dy) < 40) show(at + (dx < 0 ? 1 : -1));
}, {passive: true});
document.querySelectorAll('.drawing .value').forEach(box => box.addEventListener('click', () => {
  const mine = marks.map((m, i) => i).filter(i => 'b' + marks[i].box === box.id);
  const back = marks[at].back;
  const to = mine.find(i => marks[i].back === back) ?? mine[0];
  if (to !== undefined) show(to);
}));
function fromHash() {
  const m = location.hash.match(/^#(\\d+)$/);
  return m ? +m[1] - 1 : 0;
}
window.addEventListener('resize', () => show(at, false));
window.addEventListener('hashchange', () => show(fromHash(), false));
root.classList.add('stepping');
document.querySelector('.controls').hidden = false;
show(fromHash(), false);
"""
