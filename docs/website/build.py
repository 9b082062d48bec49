"""The whole site, written into a folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from chainrule.explain.pages.page import escape, save
from website import layers, operations, prose
from website.home import FIRST
from website.pages import layer_page, layers_index, op_page, ops_index
from website.shell import Page, coloured, index
from website.sources import ROOT, Excerpt


class Site:
    """Pages by address, and the files of source that they point at."""

    def __init__(self, languages: Iterable[str] = ("en", "zh")) -> None:
        self.languages = tuple(languages)
        self.pages: dict[str, Page] = {}
        self.shown: dict[Path, str] = {}

    def add(self, page: Page) -> None:
        """What is there in one language only stands among pages of the site's."""
        own = page.lang in self.languages
        self.pages[page.url] = page if own else page._replace(lang=self.languages[0])

    # ------------------------------------------------------------------ what is linked to

    def source(self, e: Excerpt) -> str:
        """The page of an excerpt's file."""
        return self._file(ROOT / e.file)

    def linked(self, path: Path) -> str:
        """The page of whatever a text points at: another text, a folder, a file."""
        if path.is_dir():
            readme = path / "README.md"
            return prose.url_of(readme) if readme.exists() else self._folder(path)
        if path.suffix == ".md":
            return self._in_language(path)
        return self._file(path)

    def _in_language(self, path: Path) -> str:
        if ".zh-CN" in path.name and "zh" not in self.languages:
            path = path.with_name(path.name.replace(".zh-CN", ""))
        return prose.url_of(path)

    def _file(self, path: Path) -> str:
        url = "source/" + path.relative_to(ROOT).as_posix() + ".html"
        self.shown[path] = url
        return url

    def _folder(self, path: Path) -> str:
        url = "source/" + path.relative_to(ROOT).as_posix() + "/index.html"
        items = "".join(
            f'<li><a href="{f.name}.html"><code>{f.name}</code></a></li>'
            for f in sorted(path.glob("*.py")) if self._file(f)
        )  # fmt: skip
        name = path.relative_to(ROOT).as_posix()
        self.add(Page(url, name, "", f"<h1><code>{name}/</code></h1><ul>{items}</ul>"))
        return url

    # ------------------------------------------------------------------ what it is made of

    def texts(self) -> None:
        """Everything that the project says in prose, in the languages of the site."""
        for file in prose.texts():
            lang = "zh" if ".zh-CN" in file.name else "en"
            twin = file.with_name(file.stem + ".zh-CN.md")
            if lang in self.languages or (lang == "en" and not twin.exists()):
                page = prose.read(file, self.linked)
                self.add(page if len(self.languages) > 1 else page._replace(other=""))

    def reference(self) -> None:
        """A page for every op and every layer, and the lists of them."""
        described = [operations.describe(op) for op in operations.vocabulary()]
        kinds = [
            (face, name, *found)
            for face, table in (("nn", layers.modules()), ("keras", layers.layers()))
            for name, found in sorted(table.items())
        ]
        known = [layers.describe(*k) for k in kinds]
        op_urls = {d.op.name: f"ops/{d.op.name}.html" for d in described}
        for o in described:
            used = [f"{d.face}/{d.name}.html" for d in known if o.op.name in d.ops]
            self.add(op_page(o, used, self.source))
        for d in known:
            self.add(layer_page(d, op_urls, self.source))
        self.add(ops_index(described))
        self.add(layers_index(known))

    def covers(self) -> None:
        """The first page and the list of tutorials, in each language."""
        counts = {
            "ops": sum(u.startswith("ops/") for u in self.pages),
            "layers": sum(u.startswith(("nn/", "keras/")) for u in self.pages),
        }
        for lang in self.languages:
            end = ".zh" if lang == "zh" else ""
            head, says, what, *rows = FIRST[lang]

            def item(name: str, sentence: str, end: str = end, what: str = what) -> str:
                url = f"{name}.html" if name in counts else f"guide/{name}{end}.html"
                page = self.pages.get(url) or self.pages[f"guide/{name}.html"]
                title = what if name == "readme" else page.title
                told = escape(sentence.format(**counts))
                return (
                    f'<li><a href="{page.url}">{escape(title)}</a><br>'
                    f'<span class="muted">{told}</span></li>'
                )

            lists = {
                h: f'<ul class="cards">{"".join(item(*i) for i in items)}</ul>'
                for h, *items in rows
            }
            body = f'<h1>chainrule</h1><p class="lede">{head}.</p>'.replace("架.", "架。")
            body += f"<p>{says}</p>" + "".join(f"<h2>{h}</h2>{x}" for h, x in lists.items())
            taught = rows[1][0]
            for url, name, inner in (
                ("index", "chainrule", body),
                ("tutorials", taught, f"<h1>{taught}</h1>{lists[taught]}"),
            ):
                twin = f"{url}.html" if lang == "zh" else f"{url}.zh.html"
                other = twin if len(self.languages) > 1 else ""
                self.add(Page(f"{url}{end}.html", name, "", inner, lang, other=other))
        if "en" not in self.languages:
            for name in ("index", "tutorials"):
                self.add(self.pages[f"{name}.zh.html"]._replace(url=f"{name}.html"))

    def write(self, folder: Path) -> None:
        """All pages, the files of source that they show, and the index for searching."""
        if folder.exists():
            shutil.rmtree(folder)
        for path, url in self.shown.items():
            if url not in self.pages:
                self.add(_source_page(path, url))
        for page in self.pages.values():
            (folder / page.url).parent.mkdir(parents=True, exist_ok=True)
            save(folder / page.url, page.html())
        save(folder / "search.js", index(list(self.pages.values())))


def _source_page(path: Path, url: str) -> Page:
    lines = (f'<span id="L{n}">{s}</span>' for n, s in enumerate(coloured(path), 1))
    name = path.relative_to(ROOT).as_posix()
    return Page(
        url, name, "", f'<h1><code>{name}</code></h1><pre class="hl">' + "\n".join(lines) + "</pre>"
    )


def build(folder: Path, languages: Iterable[str] = ("en", "zh")) -> Site:
    """The whole site."""
    site = Site(languages)
    site.texts()
    site.reference()
    site.covers()
    site.write(folder)
    return site
