"""One self-contained HTML document: nothing is fetched, light and dark, desk and telephone.

>>> text = page("A page", "<p>Hello</p>")
>>> text.startswith("<!doctype html>"), "http" in text
(True, False)
"""

from __future__ import annotations

import html
import os
from pathlib import Path

from chainrule.explain.words import words
from chainrule.io.files import atomic

_STYLE = """
:root { color-scheme: light dark; --ink: #1c1e21; --paper: #fdfdfc; --muted: #5c636b;
  --line: #d9dcdf; --accent: #1f5fae; --good: #1d7a3f; --bad: #b3261e; --code: #f3f4f5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e6e9; --paper: #16181b; --muted: #a1a8b0;
  --line: #363b41; --accent: #84b4f0; --good: #6cc58a; --bad: #f2877f; --code: #212428; } }
* { box-sizing: border-box; }
html { font: 17px/1.6 system-ui, "Segoe UI", Roboto, "Noto Sans", "PingFang SC", "Noto Sans CJK SC",
  "Microsoft YaHei", sans-serif; background: var(--paper); color: var(--ink);
  -webkit-text-size-adjust: 100%; }
body { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { font-size: 1.3rem; margin-top: 2.5rem; }
a { color: var(--accent); } .muted { color: var(--muted); }
code, pre { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, monospace;
  font-size: .88em;  background: var(--code); border-radius: 4px; } code { padding: .1em .25em; }
pre { padding: .8em 1em; overflow-x: auto; }
.wide { overflow-x: auto; max-width: 100%; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--muted); font-weight: 600; } td.number, th.number { text-align: right; }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", math; }
math[display="block"] { text-align: left; margin: .6rem 0; }
svg, img { max-width: 100%; height: auto; }
.good { color: var(--good); } .bad { color: var(--bad); }
"""


def escape(text: object) -> str:
    """Text for HTML."""
    return html.escape(str(text))


def page(title: str, body: str, *, lang: str = "en", script: str = "", style: str = "") -> str:
    """An HTML document with this title and body; `script` and `style` are put into it."""
    words(lang)
    code = {"en": "en", "zh": "zh-CN"}[lang]
    return (
        f'<!doctype html>\n<html lang="{code}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}{style}</style>\n</head>\n<body>\n{body}\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def save(path: str | os.PathLike[str], text: str) -> Path:
    """Write a file whole, or not at all."""
    out = Path(path)
    with atomic(out) as file:
        file.write(text.encode())
    return out
