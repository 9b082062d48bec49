"""What surrounds every page: navigation, search, style. Nothing is fetched from anywhere."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import NamedTuple

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.util import ClassNotFound

from chainrule.explain.page import escape, page
from chainrule.explain.typeset import mathml

STYLE = """
body { padding-top: .6rem; }
nav.top { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; align-items: baseline;
  border-bottom: 1px solid var(--line); padding-bottom: .6rem; margin-bottom: 1.4rem; }
nav.top a { text-decoration: none; } nav.top .home { font-weight: 700; color: var(--ink); }
nav.top .find { margin-left: auto; position: relative; }
nav.top input { font: inherit; font-size: .9rem; padding: .15rem .5rem; width: 12rem; color: var(--ink);
  background: var(--paper); border: 1px solid var(--line); border-radius: 4px; }
#found { position: absolute; right: 0; top: 2rem; z-index: 2; width: min(24rem, 92vw); margin: 0;
  padding: .3rem; list-style: none; background: var(--paper); border: 1px solid var(--line);
  border-radius: 6px; box-shadow: 0 6px 24px rgb(0 0 0 / 18%); max-height: 60vh; overflow: auto; }
#found:empty { display: none; } #found a { display: block; padding: .2rem .4rem; border-radius: 4px; }
#found a:hover, #found a:focus { background: var(--code); }
#found small { color: var(--muted); margin-left: .5rem; }
h2 .zh, h1 .zh { font-weight: 400; color: var(--muted); margin-left: .6rem; font-size: .85em; }
.crumbs { color: var(--muted); font-size: .9rem; margin: 0; }
ul.cards { list-style: none; padding: 0; display: grid; gap: .8rem;
  grid-template-columns: repeat(auto-fill, minmax(min(17rem, 100%), 1fr)); }
ul.cards li { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem; line-height: 1.4; }
ul.cards a { text-decoration: none; font-weight: 600; } ul.cards .muted { font-size: .88rem; }
.card { border: 1px solid var(--line); border-radius: 8px; padding: .3rem 1rem; margin: .8rem 0; }
.place { font-size: .8rem; color: var(--muted); margin: .8rem 0 -.5rem; }
.names { columns: 11rem; column-gap: 1.5rem; padding-left: 0; list-style: none; }
.names li { break-inside: avoid; } .names code { background: none; padding: 0; }
.printed { border-left: 3px solid var(--line); margin-top: -.6rem; }
.drawing .axis { stroke: var(--d-muted); stroke-width: 1; fill: none; }
.drawing .curve0 { stroke: var(--d-ink); stroke-width: 1.8; fill: none; }
.drawing .curve1 { stroke: var(--d-accent); stroke-width: 1.8; fill: none; stroke-dasharray: 5 3; }
mtd[columnalign="right"] { text-align: right; padding-right: 0; }
mtd[columnalign="left"] { text-align: left; padding-left: .3em; }
blockquote { border-left: 3px solid var(--line); margin-left: 0; padding-left: 1rem; color: var(--muted); }
pre code { background: none; padding: 0; font-size: 1em; }
.hl .k, .hl .kn, .hl .ow, .hl .kc { color: #8a3ab9; } .hl .s, .hl .s1, .hl .s2, .hl .sd, .hl .sa { color: #1d7a3f; }
.hl .c1 { color: var(--muted); font-style: italic; } .hl .nf, .hl .nc, .hl .nd { color: #1f5fae; }
.hl .mi, .hl .mf { color: #b3541e; } .hl a.n { color: var(--muted); text-decoration: none; }
@media (prefers-color-scheme: dark) {
  .hl .k, .hl .kn, .hl .ow, .hl .kc { color: #d2a8ff; } .hl .s, .hl .s1, .hl .s2, .hl .sd, .hl .sa { color: #7ee0a0; }
  .hl .nf, .hl .nc, .hl .nd { color: #84b4f0; } .hl .mi, .hl .mf { color: #f0b072; } }
"""

#: Finds pages while one types: every word must begin a word of the title or stand in the keys.
SEARCH = """
(function () {
  const box = document.getElementById("query"), list = document.getElementById("found");
  function show() {
    const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
    list.textContent = "";
    if (!words.length || typeof PAGES === "undefined") return;
    const scored = [];
    for (const [title, kind, url, keys] of PAGES) {
      const t = title.toLowerCase();
      let score = 0;
      for (const w of words) {
        const s = t === w ? 0 : t.startsWith(w) ? 1 : t.includes(w) ? 2 : keys.includes(w) ? 3 : 9;
        score += s > 8 ? 1000 : s;
      }
      if (score < 1000) scored.push([score, title, kind, url]);
    }
    scored.sort((a, b) => a[0] - b[0] || a[1].length - b[1].length);
    for (const [, title, kind, url] of scored.slice(0, 14)) {
      const item = document.createElement("li"), link = document.createElement("a");
      const small = document.createElement("small");
      link.href = box.dataset.root + url; link.textContent = title;
      small.textContent = kind; link.append(small); item.append(link); list.append(item);
    }
  }
  box.addEventListener("input", show);
  box.addEventListener("keydown", e => {
    if (e.key === "Enter" && list.querySelector("a")) list.querySelector("a").click();
    if (e.key === "Escape") { box.value = ""; show(); }
  });
  document.addEventListener("keydown", e => {
    if (e.key === "/" && document.activeElement !== box) { e.preventDefault(); box.focus(); }
  });
})();
"""

_BAR = {
    "en": (("Guide", "guide/readme.html"), ("Tutorials", "tutorials.html"),
           ("Ops", "ops.html"), ("Layers", "layers.html")),
    "zh": (("指南", "guide/readme.zh.html"), ("教程", "tutorials.zh.html"),
           ("运算", "ops.html"), ("层", "layers.html")),
}  # fmt: skip
_FIND = {"en": "Search  /", "zh": "搜索  /"}


class Page(NamedTuple):
    """A file of the site. `keys` are words by which it is found, `other` is the same page in the
    other language."""

    url: str
    title: str
    kind: str
    body: str
    lang: str = "en"
    keys: str = ""
    other: str = ""

    def html(self) -> str:
        """The whole document."""
        root = "../" * self.url.count("/")
        links = "".join(f'<a href="{root}{to}">{name}</a>' for name, to in _BAR[self.lang])
        home = "index.html" if self.lang == "en" else "index.zh.html"
        if self.other:
            links += (
                f'<a href="{root}{self.other}">{"中文" if self.lang == "en" else "English"}</a>'
            )
        top = (
            f'<nav class="top"><a class="home" href="{root}{home}">chainrule</a>{links}'
            f'<span class="find"><input id="query" type="search" placeholder="{_FIND[self.lang]}" '
            f'aria-label="{_FIND[self.lang]}" data-root="{root}" autocomplete="off">'
            f'<ul id="found"></ul></span></nav>\n'
        )
        body = f'{top}<main>\n{self.body}\n</main>\n<script src="{root}search.js"></script>'
        return page(f"{self.title} · chainrule", body, lang=self.lang, script=SEARCH, style=STYLE)


def index(pages: list[Page]) -> str:
    """What is searched: a script, because a page from a disk may not fetch data."""
    rows = [[p.title, p.kind, p.url, p.keys.lower()] for p in pages if p.kind]
    return "const PAGES = " + json.dumps(rows, ensure_ascii=False, separators=(",", ":")) + ";\n"


# ------------------------------------------------------------------ pieces of pages


def heading(english: str, chinese: str, level: int = 2) -> str:
    """A heading in both languages."""
    return f'<h{level}>{escape(english)}<span class="zh" lang="zh">{chinese}</span></h{level}>'


def formula(tex: str, display: bool = True) -> str:
    """A formula that scrolls by itself where it is too wide."""
    made = mathml(tex, display)
    return f'<div class="wide">{made}</div>' if display else made


def code(text: str, language: str = "python") -> str:
    """A program in colours."""
    made = highlight(text, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    return f'<pre class="hl"><code>{made.rstrip()}</code></pre>'


@functools.cache
def coloured(file: Path) -> list[str]:
    """The lines of a file in colours."""
    text = file.read_text(encoding="utf-8")
    try:
        lexer = get_lexer_for_filename(file.name, stripnl=False)
    except ClassNotFound:
        return escape(text).split("\n")
    return str(highlight(text, lexer, HtmlFormatter(nowrap=True))).split("\n")


def printed(text: str) -> str:
    """What a program printed."""
    return f'<pre class="printed">{escape(text)}</pre>' if text else ""
