"""Attributions as pages, notebooks and terminals show them."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Group
from rich.text import Text

from chainrule.explain.attribution import picture
from chainrule.explain.attribution.colours import AGAINST, FOR, coloured, scale, tint
from chainrule.explain.pages.page import escape, page
from chainrule.explain.pages.page import save as save_page
from chainrule.explain.pages.words import words
from chainrule.io.files import atomic

if TYPE_CHECKING:
    from chainrule.explain.attribution.attention import AttentionMaps
    from chainrule.explain.attribution.result import Attribution

Say = Callable[[str], str]

#: So many rows are shown; more can be asked for one by one.
_MOST = 16
_STYLE = """
.attribution { margin: 1.2rem 0; } .attribution figcaption { margin-bottom: .5rem; }
.attribution .text { line-height: 2; overflow-wrap: anywhere; }
.attribution .text span { padding: .15em .1em; border-radius: 3px; }
.attribution .legend { display: inline-flex; align-items: center; gap: .5em; font-size: .85em; }
.attribution .legend i { display: inline-block; width: 9em; height: .9em; border-radius: 3px;
  background: linear-gradient(to right, rgba(33,113,181,.62), transparent, rgba(217,95,2,.62)); }
.attribution .legend.sizes i {
  background: linear-gradient(to right, transparent, rgba(217,95,2,.62)); }
.attribution img { display: block; max-width: 100%; height: auto; border-radius: 4px;
  image-rendering: pixelated; }
.attribution .panels { display: flex; flex-wrap: wrap; gap: .8rem; margin-bottom: .4rem; }
.attribution .panels div { flex: 1 1 6rem; max-width: 15rem; font-size: .85em; }
.attribution .legend.picture i { background: linear-gradient(to right, #053061, #2166ac, #6ea8d4,
  #bed9ea, #f7f7f7, #fddbb0, #f1a340, #cc6008, #753002); }
.attribution .legend.picture.sizes i { background: linear-gradient(to right, #f7f7f7, #fddbb0,
  #f1a340, #cc6008, #753002); }
.attribution td.bar { width: 14rem; } .attribution td.bar i { display: block; height: .8em;
  border-radius: 2px; }
"""


def document(a: Attribution, lang: str = "en") -> str:
    """A page of its own."""
    say = words(lang)
    body = f"<h1>{escape(say(a.title))}</h1>\n" + _rows(a, say)
    return page(say(a.title), body, lang=lang, style=_STYLE)


def fragment(a: Attribution) -> str:
    """For notebooks."""
    return f"<style>{_STYLE}</style>" + _rows(a, str)


def _rows(a: Attribution, say: Say) -> str:
    count = len(a.score)
    parts = [row_figure(a, n, say) for n in range(min(count, _MOST))]
    if count > _MOST:
        parts.append(f'<p class="muted">{escape(say("More rows"))}: {count - _MOST}</p>')
    return "\n".join(parts)


def row_figure(a: Attribution, n: int, say: Say = str) -> str:
    """One row, as HTML: a picture, a coloured text, or a table with bars."""
    caption = f"<figcaption>{escape(a.caption(n, say))}</figcaption>"
    if a.is_text:
        inside = _legend(a, scale(a.part()[n], 100), say) + text_html(a, n)
    elif a.is_image:
        inside = _panels(a, n, say)
    else:
        inside = _table(a, n, say)
    return f'<figure class="attribution">{caption}{inside}</figure>'


def _legend(a: Attribution, most: float, say: Say, kind: str = "") -> str:
    if not a.signed:
        return f'<div class="legend sizes {kind} muted">0 <i></i> {most:.2g}</div>'
    return (
        f'<div class="legend {kind} muted">−{most:.2g} {escape(say("against"))} <i></i> '
        f"{escape(say('for'))} +{most:.2g}</div>"
    )


def _panels(a: Attribution, n: int, say: Say) -> str:
    """The pictures of one row, which stand below each other where there is no room."""
    from PIL import Image

    *shown, most = picture.panels(a, n)
    parts = []
    for array, title in zip(shown, picture.TITLES, strict=True):
        tag = picture_tag(Image.fromarray(array), f"{a.caption(n)}: {title}")
        parts.append(f'<div>{tag}<span class="muted">{escape(say(title))}</span></div>')
    return f'<div class="panels">{"".join(parts)}</div>' + _legend(a, most, say, "picture")


def tokens_of(a: Attribution, n: int) -> list[str]:
    """The words of a row, or its numbers."""
    values = a.part()[n]
    if a.tokens is not None and n < len(a.tokens):
        given = [str(t) for t in a.tokens[n]]
        return given[: len(values)] + [""] * (len(values) - len(given))
    if a.is_text and len(values) == a.inputs[0][n].size:
        return [str(t) for t in a.inputs[0][n].reshape(-1)]
    return [str(i) for i in range(len(values))]


def text_html(a: Attribution, n: int) -> str:
    """A text whose words are coloured: their numbers are shown under the pointer."""
    values = np.asarray(a.part()[n]).reshape(-1)
    most = scale(values, 100)
    parts = []
    for word, v in zip(tokens_of(a, n), values, strict=True):
        if word:
            parts.append(
                f'<span style="background:{tint(float(v) / most)}" title="{v:+.4g}">'
                f"{escape(word)}</span>"
            )
    return f'<div class="text">{" ".join(parts)}</div>'


def _table(a: Attribution, n: int, say: Say, most: int = 20) -> str:
    """The features with the greatest shares, with bars."""
    values, x = np.asarray(a.part()[n]).reshape(-1), np.asarray(a.inputs[0][n]).reshape(-1)
    names = tokens_of(a, n) if values.shape == a.part()[n].shape else list(map(str, range(x.size)))
    top = scale(values, 100)
    order = np.argsort(-np.abs(values), kind="stable")[:most]
    lines = [
        f"<tr><th>{escape(say('Input'))}</th><th class='number'>{escape(say('Value'))}</th>"
        f"<th class='number'>{escape(say('Attribution'))}</th><th></th></tr>"
    ]
    for i in order:
        v = float(values[i])
        r, g, b = FOR if v > 0 else AGAINST
        bar = f'<i style="width:{abs(v) / top:.1%};background:rgb({r},{g},{b})"></i>'
        lines.append(
            f"<tr><td>{escape(names[i])}</td><td class='number'>{x[i]:.4g}</td>"
            f"<td class='number'>{v:+.4g}</td><td class='bar'>{bar}</td></tr>"
        )
    return '<div class="wide"><table>' + "".join(lines) + "</table></div>"


def picture_tag(image: Any, words: str) -> str:
    """An image inside the page."""
    code = base64.b64encode(_png(image)).decode()
    return (
        f'<img src="data:image/png;base64,{code}" width="{image.width}" height="{image.height}" '
        f'alt="{escape(words)}">'
    )


def _png(image: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def save(a: Attribution, path: str | os.PathLike[str], lang: str = "en") -> Path:
    """Write a picture or a page, whole or not at all."""
    out = Path(path)
    if out.suffix.lower() in (".html", ".htm"):
        return save_page(out, document(a, lang))
    if out.suffix.lower() == ".png":
        return save_picture(picture.draw(a), out)
    raise ValueError(f"{out.name}: attributions are saved as .png (images) or .html")


def save_picture(image: Any, path: str | os.PathLike[str]) -> Path:
    """Write a Pillow image as PNG, whole or not at all."""
    out = Path(path)
    with atomic(out) as file:
        file.write(_png(image))
    return out


# ---------------------------------------------------------------------- terminal


def terminal(a: Attribution) -> Any:
    """For rich: what `str` says, and texts with their words coloured."""
    parts: list[Any] = [Text(str(a))]
    if a.is_text:
        for n in range(min(len(a.score), _MOST)):
            parts += [Text(""), _coloured_text(a, n)]
    return Group(*parts)


def _coloured_text(a: Attribution, n: int) -> Text:
    values = np.asarray(a.part()[n]).reshape(-1)
    most = scale(values, 100)
    out = Text()
    for word, v in zip(tokens_of(a, n), values, strict=True):
        if not word:
            continue
        part = float(v) / most
        if abs(part) < 0.04:
            out.append(word)
        else:
            r, g, b = coloured(np.array(part * 0.8), True).tolist()
            ink = "black" if 0.299 * r + 0.587 * g + 0.114 * b > 128 else "white"
            out.append(word, style=f"{ink} on rgb({r},{g},{b})")
        out.append(" ")
    return out


# ---------------------------------------------------------------------- attention


def attention_picture(maps: AttentionMaps, row: int, tokens: Sequence[str] | None) -> Any:
    """A line of squares for each layer, one square for each head: queries down, keys across."""
    from PIL import Image, ImageDraw, ImageFont

    if not maps:
        raise ValueError("there are no attention maps")
    font, small = ImageFont.load_default(14), ImageFont.load_default(11)
    cells = []
    for m in maps:
        for h in range(m.heads):
            w = m.weights[row, h]
            factor = max(1, -(-180 // max(w.shape)))
            named = tokens is not None and factor >= 9 and max(w.shape) <= len(tokens)
            cells.append((m, h, w, factor, named))
    margin = 8
    label = 0
    if tokens is not None and any(c[4] for c in cells):
        label = 6 + max(int(small.getlength(str(t))) for t in tokens)
    wide = max(w.shape[1] * f for _, _, w, f, _ in cells) + label + 2 * margin
    high = max(w.shape[0] * f for _, _, w, f, _ in cells) + label + 2 * margin + 18
    heads = max(m.heads for m in maps)
    out = Image.new("RGB", (wide * heads, (high + 22) * len(maps)), (253, 253, 252))
    pen = ImageDraw.Draw(out)
    line = -1
    for m, h, w, factor, named in cells:
        if h == 0:
            line += 1
            pen.text((margin, line * (high + 22) + 6), m.path or "attention", fill=(28, 30, 33),
                     font=font)  # fmt: skip
        left, top = h * wide + margin + label, line * (high + 22) + 44
        pen.text((left, top - 16), f"head {h}", fill=(92, 99, 107), font=small)
        square = coloured(w / max(float(w.max()), 1e-12), False)
        big = np.repeat(np.repeat(square, factor, axis=0), factor, axis=1)
        out.paste(Image.fromarray(big), (left, top))
        pen.rectangle((left - 1, top - 1, left + big.shape[1], top + big.shape[0]),
                      outline=(217, 220, 223))  # fmt: skip
        if named and tokens is not None:
            for i in range(w.shape[0]):
                word = str(tokens[i])
                pen.text((left - 5 - small.getlength(word), top + i * factor + factor / 2 - 7),
                         word, fill=(28, 30, 33), font=small)  # fmt: skip
            for j in range(w.shape[1]):
                _upright(out, str(tokens[j]), small,
                         (left + j * factor + factor // 2 - 7, top + big.shape[0] + 4))  # fmt: skip
    return out


def _upright(out: Any, word: str, font: Any, at: tuple[int, int]) -> None:
    """A word that runs downwards."""
    from PIL import Image, ImageDraw

    if not word:
        return
    length = max(1, int(font.getlength(word)) + 2)
    tile = Image.new("RGB", (length, 15), (253, 253, 252))
    ImageDraw.Draw(tile).text((0, 0), word, fill=(28, 30, 33), font=font)
    out.paste(tile.rotate(-90, expand=True), at)
