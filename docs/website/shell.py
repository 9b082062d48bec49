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

from chainrule.explain.pages.page import escape, page
from chainrule.explain.printing.typeset import mathml

_HERE = Path(__file__).parent
STYLE = (_HERE / "site.css").read_text(encoding="utf-8")
SEARCH = (_HERE / "search.js").read_text(encoding="utf-8")

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
