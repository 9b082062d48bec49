"""Equations for a terminal, for TeX, and for a page."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from chainrule.explain.mathematics.derive import Derivation, Given, Line
from chainrule.explain.mathematics.folding import Group, at, fold, plain
from chainrule.explain.mathematics.naming import MARK
from chainrule.explain.mathematics.notation import conventions
from chainrule.explain.mathematics.rules import Rule
from chainrule.explain.mathematics.texts import broken, document
from chainrule.explain.observe import Call
from chainrule.explain.pages.page import escape, page, save
from chainrule.explain.pages.words import words
from chainrule.explain.printing.typeset import mathml, unicode
from chainrule.explain.reading.values import Value
from chainrule.ir.node import Node


class Section:
    """One part: forward pass, loss, backward pass."""

    def __init__(self, title: str, groups: list[Group]) -> None:
        self.title, self.groups = title, groups


class Mathematics:
    """What `explain.math` gives. Print it; `.tex` is a document, `.html()` a page.

    lines     every equation, blocks written out: (left, right, part, path, over)
    sections  the same as it is printed: equal blocks once, with index k
    symbols   what no equation defines: data, parameters (with their names), masks
    values    what these symbols hold, for `chainrule.explain.reading`
    """

    def __init__(
        self,
        derivation: Derivation | None,
        rule: Rule | None,
        lang: str = "en",
    ) -> None:
        self.rule, self.lang = rule, lang
        self._derivation = derivation
        self.symbols: list[Given] = []
        self.sections: list[Section] = []
        self._marked: list[Given] = []
        self._kinds: dict[str, str] = {}
        self.lines: list[Line] = []
        if derivation is not None:
            self._take(derivation)

    def _take(self, d: Derivation) -> None:
        self.lines = [
            line._replace(left=plain(line.left), right=plain(line.right)) for line in d.lines
        ]
        self.symbols = [g._replace(tex=plain(g.tex)) for g in d.givens]
        self._marked = d.givens
        self._blocks = d.blocks
        self._kinds = {c.path: _described(c) for c in reversed(d.subject.seen.calls)}
        self._nodes: dict[str, Node] = {g.name: g.node for g in d.givens if g.role == "parameter"}
        begun: dict[str, str] = {}
        for title, parts in (
            ("Forward pass", ("forward",)),
            ("Loss", ("loss",)),
            ("Backward pass", ("delta", "parameter")),
        ):
            lines = [line for line in d.lines if line.part in parts]
            if lines:
                self.sections.append(Section(title, fold(lines, d.blocks, begun)))

    @cached_property
    def values(self) -> dict[str, Value]:
        """What the symbols hold that no equation defines, in double precision."""
        found = {} if self._derivation is None else self._derivation.given_values()
        return {plain(k): v for k, v in found.items()}

    def line(self, left: str) -> Line:
        """The equation of a symbol: of "z^{(1)}", or of a parameter's gradient by its name."""
        wanted = {left}
        for g in self.symbols:
            if g.name == left:
                wanted.add(rf"\frac{{\partial L}}{{\partial {g.tex}}}")
        for line in self.lines:
            if line.left in wanted:
                return line
        raise KeyError(f"no equation defines {left!r}")

    def gradient(self, parameter: str) -> Line:
        """The equation of ∂L/∂θ for the parameter with this name."""
        return self.line(parameter)

    @property
    def printed(self) -> list[Line]:
        """The equations as printed, blocks with an index written out by it."""
        return [line for s in self.sections for g in s.groups for line in g.written_out()]

    # ------------------------------------------------------------------ terminal

    def __str__(self) -> str:
        say = words(self.lang)
        out: list[str] = []
        if self.sections:
            out += [f"{say('Conventions')}", ""]
            out += [f"  {text}" for text in conventions(self, self.lang, unicode)]
            out += ["", f"{say('Symbols')}", ""]
            out += self._table_text()
        for s in self.sections:
            out += ["", say(s.title), ""]
            for group, heads in self._headed(s):
                for head, lines in heads:
                    if head:
                        out.append(f"  {head}")
                    width = max((len(unicode(line.left)) for line in lines), default=0)
                    width = min(width, 18)
                    out += [_text_line(line, width) for line in lines]
                if group.folded:
                    out.append(f"    {self._range(group)}")
        if self.rule is not None:
            out += ["", f"{say('Update')} · {self.rule.name}", ""]
            out += [f"    {unicode(a)} = {unicode(b)}" for a, b in self.rule.lines]
            out += ["", "    " + ", ".join(unicode(f"{a} = {b}") for a, b in self.rule.numbers)]
        return "\n".join(out).strip("\n") + "\n"

    __repr__ = __str__

    def _range(self, group: Group) -> str:
        return f"k = {group.first}, …, {group.last}"

    def _table_text(self) -> list[str]:
        rows = [(unicode(t), name, shape, role) for t, name, shape, role in self._rows()]
        if not rows:
            return []
        widths = [max(len(r[k]) for r in rows) for k in range(3)]
        return [
            "  " + "  ".join([*(r[k].ljust(widths[k]) for k in range(3)), r[3]]).rstrip()
            for r in rows
        ]

    def _rows(self) -> list[tuple[str, str, str, str]]:
        """Symbol, name, shape, role; parameters of equal blocks once."""
        say = words(self.lang)
        folded = {p: g for g in self.sections[0].groups if g.folded for p in g.paths}
        first = {g.paths[0] for g in folded.values()}
        out: list[tuple[str, str, str, str]] = []
        for g in self._marked:
            block = self._blocks.of(g.name) if g.role in ("parameter", "buffer") else None
            shape = " × ".join(map(str, g.node.shape)) or "1"
            tex, name = plain(g.tex), g.name
            if block is not None and block.path in folded:
                group = folded[block.path]
                same = all(
                    self._shape_in(p, block.path, g.name) == g.node.shape for p in group.paths
                )
                if same:
                    if block.path not in first and block.path != group.paths[0]:
                        continue
                    tex = MARK.sub("k", g.tex)
                    name = group.title + g.name[len(block.path) :]
            role = say(g.role if g.role in _ROLES else g.name) if g.name != "upstream" else ""
            out.append((tex, name if g.role in ("parameter", "buffer") else "", shape, role))
        return out

    def _shape_in(self, path: str, mine: str, name: str) -> tuple[int, ...] | None:
        node = self._nodes.get(path + name[len(mine) :])
        return None if node is None else node.shape

    def _headed(self, s: Section) -> Iterator[tuple[Group, list[tuple[str, list[Line]]]]]:
        """Lines under the names of their layers."""
        for group in s.groups:
            heads: list[tuple[str, list[Line]]] = []
            last: str | None = None
            for line in group.lines:
                path = line.path
                if group.folded:
                    path = f"{group.title}.{line.path}" if line.path else group.title
                if path != last:
                    heads.append((self._head(path, group, line), []))
                last = path
                heads[-1][1].append(line)
            yield group, heads

    def _head(self, path: str, group: Group, line: Line) -> str:
        real = path
        if group.paths == ("=",):
            return ""
        if group.folded:
            head = group.paths[0]
            real = next(
                (p for p in (f"{head}.{line.path}", f"{head}/{line.path}") if p in self._kinds), ""
            ) if line.path else head  # fmt: skip
        said = self._kinds.get(real, "")
        return " · ".join(filter(None, [path, said]))

    # ------------------------------------------------------------------ TeX

    @property
    def tex(self) -> str:
        """A document: `pdflatex` with amsmath (Chinese: `xelatex` with ctex) sets it."""
        say = words(self.lang)
        body: list[str] = []
        if self.sections:
            body.append(rf"\section*{{{say('Conventions')}}}")
            items = conventions(
                self, self.lang, lambda t: f"${t}$", lambda t: t.replace("−", "$-$")
            )
            body.append(
                "\\begin{itemize}\n" + "\n".join(rf"\item {t}" for t in items) + "\n\\end{itemize}"
            )
            body.append(rf"\section*{{{say('Symbols')}}}")
            table: list[str] = []
            for t, name, shape, role in self._rows():
                size = shape.replace("×", r"\times")
                table.append(rf"${t}$ & {_verbatim(name)} & ${size}$ & {role} \\")
            body.append("\\begin{longtable}{llll}\n" + "\n".join(table) + "\n\\end{longtable}")
        for s in self.sections:
            body.append(rf"\section*{{{say(s.title)}}}")
            for group, heads in self._headed(s):
                for head, lines in heads:
                    if head:
                        body.append(rf"\paragraph{{{_verbatim(head)}}}\mbox{{}}")
                    body.append(_aligned(lines))
                if group.folded:
                    text = self._range(group).replace("…", r"\dots")
                    body.append(rf"\[ {text} \]")
        if self.rule is not None:
            body.append(rf"\section*{{{say('Update')}: {_verbatim(self.rule.name)}}}")
            rule = " \\\\\n".join(rf"{a} &= {b}" for a, b in self.rule.lines)
            body.append(f"\\begin{{align*}}\n{rule}\n\\end{{align*}}")
            numbers = r",\quad ".join(f"{a} = {b}" for a, b in self.rule.numbers)
            body.append(rf"\[ {numbers} \]")
        return document("\n\n".join(body), self.lang)

    # ------------------------------------------------------------------ pages

    def _repr_html_(self) -> str:
        return self._body()

    def _body(self) -> str:
        say = words(self.lang)
        out: list[str] = []
        if self.sections:
            out.append(f"<h2>{escape(say('Conventions'))}</h2><ul>")
            texts = conventions(self, self.lang, lambda t: mathml(t, display=False), escape)
            out += [f"<li>{t}</li>" for t in texts]
            out.append(f"</ul><h2>{escape(say('Symbols'))}</h2><div class='wide'><table>")
            for t, name, shape, role in self._rows():
                out.append(
                    f"<tr><td>{mathml(t, display=False)}</td><td>{_code(name)}</td>"
                    f"<td class='whole'>{escape(shape)}</td>"
                    f"<td class='whole'>{escape(role)}</td></tr>"
                )
            out.append("</table></div>")
        for s in self.sections:
            out.append(f"<h2>{escape(say(s.title))}</h2>")
            for group, heads in self._headed(s):
                if group.folded:
                    out.append(f"<p>{mathml(_tex_range(self._range(group)), display=False)}</p>")
                for head, lines in heads:
                    if head:
                        out.append(f"<p class='muted'><code>{escape(head)}</code></p>")
                    out += [f"<div class='wide'>{mathml(_whole(line))}</div>" for line in lines]
        if self.rule is not None:
            out.append(f"<h2>{escape(say('Update'))} · <code>{escape(self.rule.name)}</code></h2>")
            out += [f"<div class='wide'>{mathml(f'{a} = {b}')}</div>" for a, b in self.rule.lines]
            numbers = r",\quad ".join(f"{a} = {b}" for a, b in self.rule.numbers)
            out.append(f"<p>{mathml(numbers, display=False)}</p>")
        return "\n".join(out)

    def html(self, lang: str | None = None) -> str:
        """A self-contained page."""
        shown = self if lang is None or lang == self.lang else self._in(lang)
        title = words(shown.lang)("The mathematics of the model")
        return page(title, f"<h1>{escape(title)}</h1>\n{shown._body()}", lang=shown.lang)

    def _in(self, lang: str) -> Mathematics:
        other = Mathematics.__new__(Mathematics)
        other.__dict__.update(self.__dict__, lang=lang)
        return other

    def save(self, path: str | os.PathLike[str]) -> Path:
        """The page, the TeX document (.tex) or the text (.txt) in a file, whole or not at all."""
        end = Path(path).suffix
        return save(
            path, self.tex if end == ".tex" else str(self) if end == ".txt" else self.html()
        )


_ROLES = {"input", "target", "parameter", "buffer"}


def _described(call: Call) -> str:
    """Linear, (5, 3) → (5, 4)"""
    ins = [tuple(t.shape) for t in call.inputs][:1]
    outs = [tuple(t.shape) for t in call.outputs][:1]
    return f"{call.kind}  {ins[0]} → {outs[0]}" if ins and outs else call.kind


def _text_line(line: Line, width: int) -> str:
    text = f"{unicode(line.left).rjust(width)} = {unicode(line.right)}"
    if line.over is not None:
        text += f"    {_steps(line)}"
    return "    " + text


def _steps(line: Line) -> str:
    assert line.over is not None
    o = line.over
    return f"({o.letter} = {o.length}, …, 1)" if o.reverse else f"({o.letter} = 1, …, {o.length})"


def _whole(line: Line) -> str:
    text = f"{line.left} = {line.right}"
    if line.over is not None:
        text += rf" \qquad {_tex_range(_steps(line))}"
    return text


def _tex_range(text: str) -> str:
    return text.replace("…", r"\dots")


def _verbatim(text: str) -> str:
    for a, b in (("\\", r"\textbackslash{}"), ("_", r"\_"), ("→", r"$\to$"), ("·", r"$\cdot$"),
                 ("…", r"\dots{}"), ("&", r"\&"), ("#", r"\#"), ("%", r"\%")):  # fmt: skip
        text = text.replace(a, b)
    return rf"\texttt{{{text}}}" if text else ""


def _aligned(lines: list[Line]) -> str:
    rows: list[str] = []
    for line in lines:
        first, *rest = broken(line.right)
        tail = rf" && {_tex_range(_steps(line))}" if line.over is not None else ""
        rows.append(f"{line.left} &= {first}{'' if rest else tail}")
        rows += [rf"&\quad {part}" + (tail if part is rest[-1] else "") for part in rest]
    return "\\begin{align*}\n" + " \\\\\n".join(rows) + "\n\\end{align*}"


__all__ = ["Mathematics", "at"]


def _code(name: str) -> str:
    return f"<code>{escape(name)}</code>" if name else ""
