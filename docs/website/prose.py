"""The project's texts as HTML: Markdown with mathematics, drawn graphs and links between pages."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin

from chainrule.explain.pages.page import escape
from website import mermaid
from website.shell import Page, code, formula
from website.sources import ROOT

#: What the builder of the texts writes for itself, and the link to the other language.
_MARK = re.compile(r"^<!-- .*? -->\n?|^\[(?:English|中文)\]\(\S+\)\n", re.MULTILINE)
_WIDE = re.compile(r"[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef“”]")


def texts() -> list[Path]:
    """Every text of the project that becomes a page."""
    found = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").glob("*.md")]
    return sorted(found)


def url_of(file: Path) -> str:
    """docs/mathematics/README.zh-CN.md → guide/mathematics.zh.html"""
    parts = list(file.relative_to(ROOT).with_suffix("").parts)
    if parts[0] == "docs":
        parts = parts[1:]
    name, lang = parts[-1].removesuffix(".zh-CN"), ".zh" if parts[-1].endswith(".zh-CN") else ""
    if name == "README" and len(parts) > 1:
        parts = parts[:-1]
    else:
        parts[-1] = name.lower()
    return "guide/" + "-".join(parts) + lang + ".html"


def read(file: Path, linked: Callable[[Path], str]) -> Page:
    """A text as a page. `linked` gives the page of a file that it points at."""
    text = _MARK.sub("", file.read_text(encoding="utf-8"))
    lang = "zh" if ".zh-CN" in file.name else "en"
    title = next((s[2:].strip() for s in text.splitlines() if s.startswith("# ")), file.stem)
    url = url_of(file)
    twin = file.with_name(
        file.name.replace(".zh-CN", "") if lang == "zh" else file.stem + ".zh-CN.md"
    )
    heads = re.findall(r"^##+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
    kind, words = ("text" if lang == "en" else "文"), re.sub(r"[`$*]", "", title)
    body, other = _render(text, file, url, linked), url_of(twin) if twin.exists() else ""
    return Page(url, words, kind, body, lang, " ".join(heads), other)


def _render(text: str, file: Path, url: str, linked: Callable[[Path], str]) -> str:
    reader = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin)
    renderer = reader.renderer
    assert isinstance(renderer, RendererHTML)

    def fence(tokens: list[Token], i: int, *_: Any) -> str:
        kind, body = tokens[i].info.strip().split(" ")[0], tokens[i].content
        if kind == "math":
            return formula(body.strip())
        if kind == "mermaid":
            return f'<div class="wide">{mermaid.draw(body)}</div>'
        if kind in ("python", "py", "sh", "toml", "yaml"):
            return code(body.rstrip(), "python" if kind == "py" else kind)
        return f"<pre>{escape(body.rstrip())}</pre>"

    def target(href: str) -> str:
        if re.match(r"[a-z]+:|#", href):
            return href
        path, mark, anchor = href.partition("#")
        to = linked((file.parent / path).resolve())
        return posixpath.relpath(to, posixpath.dirname(url)) + mark + anchor

    def link(tokens: list[Token], i: int, options: Any, env: Any) -> str:
        tokens[i].attrSet("href", target(str(tokens[i].attrGet("href"))))
        return renderer.renderToken(tokens, i, options, env)

    def opened(tokens: list[Token], i: int, options: Any, env: Any) -> str:
        words = tokens[i + 1].content
        slug = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
        tokens[i].attrSet("id", slug)
        return renderer.renderToken(tokens, i, options, env)

    def line_end(tokens: list[Token], i: int, *_: Any) -> str:
        """Nothing between two Chinese signs, else a space."""
        before = tokens[i - 1].content[-1:] if i else ""
        after = tokens[i + 1].content[:1] if i + 1 < len(tokens) else ""
        return "" if _WIDE.match(before) and (_WIDE.match(after) or not after) else "\n"

    reader.add_render_rule("softbreak", lambda self, *a: line_end(*a))
    reader.add_render_rule("fence", lambda self, *a: fence(*a))
    reader.add_render_rule("link_open", lambda self, *a: link(*a))
    reader.add_render_rule("heading_open", lambda self, *a: opened(*a))
    reader.add_render_rule(
        "math_inline", lambda self, tokens, i, *_: formula(tokens[i].content, display=False)
    )
    reader.add_render_rule("math_block", lambda self, tokens, i, *_: formula(tokens[i].content))
    reader.add_render_rule("table_open", lambda self, *_: '<div class="wide"><table>')
    reader.add_render_rule("table_close", lambda self, *_: "</table></div>")
    return str(reader.render(text))
