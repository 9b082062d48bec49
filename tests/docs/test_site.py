"""The documentation builds without a network, and has a page for every op and every layer."""

from __future__ import annotations

import html
import json
import posixpath
import re
from pathlib import Path

import pytest

pytest.importorskip("markdown_it", reason="the documentation's libraries are not installed")
pytest.importorskip("mdit_py_plugins", reason="the documentation's libraries are not installed")
pytest.importorskip("pygments", reason="the documentation's libraries are not installed")

from chainrule.ir import registry
from chainrule.ir.op import Op
from website import examples, layers, mermaid, samples
from website.build import build

SECTIONS = ("Formula", "Gradient", "Example", "Source")


def sections(text: str) -> dict[str, str]:
    """Pieces of a page by their English headings."""
    parts = re.split(r"<h2>(.*?)</h2>", text)
    return {re.sub(r"<.*", "", h): body for h, body in zip(parts[1::2], parts[2::2], strict=True)}


def incomplete(url: str, text: str) -> list[str]:
    """What a page of an op or a layer lacks."""
    found, missing = sections(text), []
    for name in SECTIONS:
        if name not in found:
            missing.append(f"{url}: no {name}")
    for name in ("Formula", "Gradient"):
        told = "<math" in found.get(name, "") or re.search(r"<p>[^<]{15,}</p>", found.get(name, ""))
        if not told:
            missing.append(f"{url}: {name} says nothing")
    if '<pre class="hl">' not in found.get("Example", ""):
        missing.append(f"{url}: no program")
    if not re.search(r'href="[^"]+\.py\.html#L\d+"', found.get("Source", "")):
        missing.append(f"{url}: no source")
    return missing


def dead_links(pages: dict[str, str]) -> list[str]:
    """Links to pages or places of pages that are not there."""
    places = {url: set(re.findall(r'\bid="([^"]+)"', text)) for url, text in pages.items()}
    dead = []
    for url, text in pages.items():
        for target in set(re.findall(r'(?:href|src)="([^"]+)"', text)):
            target = html.unescape(target)
            if re.match(r"https?:|mailto:", target):
                continue
            path, _, anchor = target.partition("#")
            to = posixpath.normpath(posixpath.join(posixpath.dirname(url), path)) if path else url
            if to not in pages and to != "search.js":
                dead.append(f"{url} → {target}")
            elif anchor and anchor not in places[to]:
                dead.append(f"{url} → {target} (no such place)")
    return dead


def _module(op: Op) -> str | None:
    """Where an op's definition stands: tests make ops as well."""
    return getattr(op.formula or op.reference, "__module__", "")


def test_the_site(tmp_path: Path) -> None:
    build(tmp_path / "site")
    root = tmp_path / "site"
    pages = {
        p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") for p in root.rglob("*.html")
    }
    # a page for everything
    own_ops = {n for n, op in registry.items() if "tests" not in str(_module(op))}
    wanted = {f"ops/{n}.html" for n in own_ops}
    wanted |= {f"nn/{n}.html" for n in layers.modules()}
    wanted |= {f"keras/{n}.html" for n in layers.layers()}
    wanted |= {"index.html", "index.zh.html", "tutorials.html", "tutorials.zh.html"}
    assert wanted - set(pages) == set()
    own = re.compile(r"(ops|nn|keras)/[^/]+\.html")
    assert [m for u, t in pages.items() if own.fullmatch(u) for m in incomplete(u, t)] == []
    taught = {u for u in pages if re.fullmatch(r"guide/tutorials-[\w-]+\.html", u)}
    assert len(taught) > 2 and all(f'href="{u}"' in pages["tutorials.html"] for u in taught)
    # no page leads nowhere, or out of the folder for anything that it needs
    assert dead_links(pages) == []
    for url, text in pages.items():
        assert not re.search(r'<link\b|@import|\bsrc="(?!(?:\.\./)*search\.js)|url\(', text), url
        assert not re.search(r"<mi>\\|<mo>\\|merror", text), f"{url}: TeX that was not understood"
    # what is searched
    script = (root / "search.js").read_text(encoding="utf-8")
    rows = json.loads(script.removeprefix("const PAGES = ").rstrip(";\n"))
    assert {u for u in wanted if own.fullmatch(u)} <= {row[2] for row in rows}
    assert all(len(row) == 4 for row in rows)


def test_every_example_is_of_a_layer() -> None:
    modules = {n for name, (_, other) in layers.modules().items() for n in (name, *other)}
    keras = {n for name, (_, other) in layers.layers().items() for n in (name, *other)}
    assert set(examples.MODULES) <= modules
    assert set(examples.LAYERS) <= keras
    assert {a for a, _ in examples.pairs()} <= modules
    assert {b for _, b in examples.pairs()} <= keras


def test_index_forms_are_of_ops_that_exist() -> None:
    assert set(samples.INDEX_FORMS) <= set(registry)


def test_graphs_of_the_texts_are_drawn() -> None:
    made = mermaid.draw('flowchart TD\n  n0(["x<br/>f32[2]"])\n  n1["exp"]\n  n0 --> n1')
    assert made.startswith("<svg") and made.count("<rect") == 3 and ">f32[2]<" in made
