"""One self-contained HTML document: nothing is fetched, light and dark, desk and telephone, paper.

>>> text = page("A page", "<p>Hello</p>")
>>> text.startswith("<!doctype html>"), "http" in text
(True, False)
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path

from chainrule.explain.pages.words import words
from chainrule.io.files import atomic

#: Colours: text on paper, and muted, accent, good and bad on paper and on code, have a contrast of
#: at least 4.5 in both schemes (a test measures it).
_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fdfdfc; --muted: #5c636b;
  --line: #d9dcdf; --accent: #1f5fae; --good: #1d7a3f; --bad: #b3261e; --code: #f3f4f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e9; --paper: #16181b; --muted: #a1a8b0;
  --line: #363b41; --accent: #84b4f0; --good: #6cc58a; --bad: #f2877f; --code: #212428; } }
* { box-sizing: border-box; }
html { font: 17px/1.6 system-ui, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Noto Sans CJK SC",
  "Microsoft YaHei", sans-serif; background: var(--paper); color: var(--ink);
  -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
:lang(zh) { line-height: 1.75; }
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; overflow-wrap: break-word; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: .5rem 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 2.6rem 0 .8rem; }
h3 { font-size: 1.08rem; margin: 1.8rem 0 .6rem; }
p, li, figcaption { max-width: 42rem; }
a { color: var(--accent); } .muted { color: var(--muted); } .lede { font-size: 1.08rem; }
code, pre { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, "Noto Sans Mono CJK SC",
  monospace; font-size: .88em; background: var(--code); border-radius: 4px; }
code { padding: .1em .25em; overflow-wrap: anywhere; }
pre code { padding: 0; overflow-wrap: normal; }
pre { padding: .8em 1em; overflow-x: auto; line-height: 1.5; }
.wide { overflow-x: auto; overflow-y: hidden; max-width: 100%; margin: .8rem 0; padding: .15rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--muted); font-weight: 600; } td.number, th.number { text-align: right; }
th, td.number, .whole { white-space: nowrap; }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", math; }
math[display="block"] { display: block math; width: fit-content; max-width: 100%; margin: .6rem 0;
  padding: .2rem 0; overflow-x: auto; overflow-y: hidden; }
.wide > math[display="block"] { max-width: none; overflow: visible; margin: .1rem 0; }
.wide:has(> math) { margin: .25rem 0; }
p:has(math) { overflow-x: auto; overflow-y: hidden; }
svg, img { max-width: 100%; height: auto; }
details { margin: .6rem 0; border-top: 1px solid var(--line); padding-top: .4rem; }
summary { cursor: pointer; } summary::marker { color: var(--accent); }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.good { color: var(--good); } .bad { color: var(--bad); }
.contents ul { list-style: none; margin: 0; padding: 0; }
.contents a { text-decoration: none; } .contents a:hover { text-decoration: underline; }
.contents p { margin: 0 0 .3rem; font-size: .8rem; color: var(--muted); }
@media (max-width: 63.99rem) { .contents ul { display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
  .contents { font-size: .92rem; border-bottom: 1px solid var(--line); padding-bottom: .8rem; } }
@media (min-width: 64rem) { body.with-contents { max-width: 78rem; display: grid;
  grid-template-columns: 13rem minmax(0, 1fr); gap: 3rem; }
  .contents { position: sticky; top: 1.5rem; align-self: start; font-size: .92rem; }
  .contents li { margin: .35rem 0; } }
@media print { :root { color-scheme: light; --ink: #000; --paper: #fff; --muted: #444;
  --line: #bbb; --accent: #1f4f8f; --good: #145c2e; --bad: #8f1d16; --code: #f3f4f5; }
  html { font-size: 10.5pt; } body { max-width: none; padding: 0; display: block !important; }
  .contents, script { display: none; } .wide { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; }
  h2, h3 { break-after: avoid; } figure, tr, svg { break-inside: avoid; } }
"""


def escape(text: object) -> str:
    """Text for HTML."""
    return html.escape(str(text))


def page(
    title: str,
    body: str,
    *,
    lang: str = "en",
    script: str = "",
    style: str = "",
    contents: Sequence[tuple[str, str]] = (),
) -> str:
    """An HTML document with this title and body; `script` and `style` are put into it.

    `contents` are pairs of an element's id and its title: a list that stands beside the text where
    there is room for both.
    """
    say = words(lang)
    code = {"en": "en", "zh": "zh-CN"}[lang]
    kind, inner = "", body
    if contents:
        items = "".join(
            f'<li><a href="#{escape(key)}">{escape(name)}</a></li>' for key, name in contents
        )
        kind = ' class="with-contents"'
        inner = (
            f'<nav class="contents"><p>{escape(say("Contents"))}</p><ul>{items}</ul></nav>\n'
            f"<main>{body}</main>"
        )
    return (
        f'<!doctype html>\n<html lang="{code}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n"
        f"<body{kind}>\n{inner}\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def save(path: str | os.PathLike[str], text: str) -> Path:
    """Write a file whole, or not at all."""
    out = Path(path)
    with atomic(out) as file:
        file.write(text.encode())
    return out
