r"""TeX for other readers: MathML for pages, Unicode for terminals.

>>> print(unicode(r"z^{(1)} = W x_{0} + \beta"))
z⁽¹⁾ = W x₀ + β
>>> print(unicode(r"\frac{\partial L}{\partial W^{(1)}} = \sum_{n} \delta^{(1)}_{n} x_{n}^{T}"))
∂L/∂W⁽¹⁾ = Σₙ δ⁽¹⁾ₙ xₙᵀ
>>> print(unicode(r"\hat{x} = \frac{x - \mu}{\sqrt{v + 10^{-5}}}"))
x̂ = (x − μ)/√(v + 10⁻⁵)
>>> "<msub><mi>x</mi><mrow><mn>2</mn></mrow></msub>" in mathml("x_{2}", display=False)
True
>>> '<mi>arg</mi><mspace width="0.17em" /><mi>max</mi>' in mathml(r"\arg\max x")
True
"""

from __future__ import annotations

import functools
import re
import unicodedata
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert

_ALIGNED = re.compile(r"\\(begin|end)\{(aligned|align\*?|split)\}")


_LAYER = re.compile(r"\{(\\?[A-Za-z]+(?:\{[^{}]*\})?)\^\{(\([^{}]*\))\}\}_(?=\{)")


def stacked(tex: str) -> str:
    r"""The index of a layer's value under the layer's number instead of behind it.

    >>> stacked(r"{\delta^{(2)}}_{n} {{a^{(1)}}_{n}}^{T}")
    '\\delta^{(2)}_{n} {a^{(1)}_{n}}^{T}'
    """
    return _LAYER.sub(r"\1^{\2}_", tex)


@functools.lru_cache(maxsize=4096)
def mathml(tex: str, display: bool = True) -> str:
    """TeX of mathematics mode as a MathML element; `display`: a line of its own."""
    inside = _ALIGNED.sub(
        lambda m: r"\begin{array}{rl}" if m[1] == "begin" else r"\end{array}", stacked(tex)
    )
    inside = re.sub(r"\\arg\b", r"\\operatorname{arg}", inside)  # which the library does not know
    tree = ElementTree.fromstring(convert(inside, display="block" if display else "inline"))
    for part in list(tree.iter()):
        tag = part.tag.removeprefix(_SPACE)
        if tag == "mo" and _NAME.fullmatch(part.text or ""):
            part.tag = _SPACE + "mi"  # an operator would have space on both sides
        if tag == "mtable" and not part.attrib:
            part.attrib.update(displaystyle="true", rowspacing="0.6em")
    for row in tree.iter():
        if row.tag.removeprefix(_SPACE) in ("math", "mrow", "mtd"):
            _apart(row)
    ElementTree.register_namespace("", _SPACE[1:-1])
    return ElementTree.tostring(tree, encoding="unicode")


_SPACE = "{http://www.w3.org/1998/Math/MathML}"
_NAME = re.compile(r"[A-Za-z]{2,}")
_INDEXED = ("msub", "msup", "msubsup", "munder", "mover", "munderover")


def _apart(row: Element) -> None:
    """A little space between a function's name and an argument without brackets: log x."""
    for i in range(len(row) - 2, -1, -1):
        part = row[i]
        head = part[0] if part.tag.removeprefix(_SPACE) in _INDEXED else part
        named = head.tag == _SPACE + "mi" and _NAME.fullmatch(head.text or "")
        if named and row[i + 1].tag != _SPACE + "mo":
            row.insert(i + 1, Element(_SPACE + "mspace", width="0.17em"))


_ABOVE = dict(zip("0123456789+-()nTi", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁽⁾ⁿᵀⁱ", strict=True)) | {
    "−": "⁻", "k": "ᵏ", "l": "ˡ", "t": "ᵗ", ",": "’", "A": "ᴬ", "B": "ᴮ", "K": "ᴷ",
}  # fmt: skip
_BELOW = dict(
    zip("0123456789+-()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True)
)
_BELOW |= {"−": "₋", "=": "₌"}
_SIGNS = {
    "odot": "⊙", "cdot": "·", "star": "⋆", "circledast": "⊛", "partial": "∂", "times": "×",
    "le": "≤", "ge": "≥", "ne": "≠", "neg": "¬", "wedge": "∧", "vee": "∨", "infty": "∞", "sum": "Σ",
    "prod": "Π", "leftarrow": "←", "to": "→", "in": "∈", "pm": "±", "dots": "…", "nabla": "∇",
    "exists": "∃", "forall": "∀", "lvert": "|", "rvert": "|", "lVert": "‖", "rVert": "‖",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "alpha": "α", "beta": "β",
    "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ",
    "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ",
    "Lambda": "Λ", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "quad": "  ",
    "qquad": "    ",    "bmod": "mod", "ll": "≪", "gg": "≫", "oplus": "⊕", "otimes": "⊗",
}  # fmt: skip
_MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "overline": "\u0304"}
_PLAIN = {"mathrm", "operatorname", "text", "mathbf", "mathcal", "mathbb"}


def unicode(tex: str) -> str:
    """TeX as one line of text that can be read in a terminal."""
    text = _Typist(tex).run()
    return unicodedata.normalize("NFC", re.sub(r"[ \t]+", " ", text).strip())


class _Typist:
    """Reads TeX from left to right and types it."""

    def __init__(self, tex: str) -> None:
        self.tex, self.i = tex, 0

    def run(self) -> str:
        out = ""
        while self.i < len(self.tex):
            out = self.step(out)
        return out

    def argument(self) -> str:
        """What stands in the braces that follow, as TeX; without them, one sign."""
        while self.i < len(self.tex) and self.tex[self.i] == " ":
            self.i += 1
        if self.i >= len(self.tex):
            return ""
        if self.tex[self.i] != "{":
            m = re.compile(r"\\[a-zA-Z]+|.").match(self.tex, self.i)
            assert m is not None
            self.i = m.end()
            return m[0]
        depth, start = 0, self.i + 1
        while self.i < len(self.tex):
            depth += (self.tex[self.i] == "{") - (self.tex[self.i] == "}")
            self.i += 1
            if not depth:
                break
        return self.tex[start : self.i - 1]

    def step(self, out: str) -> str:
        c = self.tex[self.i]
        if c == "\\":
            return self.command(out)
        if c == "{":
            return out + _Typist(self.argument()).run()
        if c in "^_":
            self.i += 1
            inside = _Typist(self.argument()).run()
            return out.rstrip(" ") + _script(inside, c == "^")
        self.i += 1
        if c == "-":
            return out + "−"
        return out + {"&": " ", "~": " "}.get(c, c)

    def command(self, out: str) -> str:
        m = re.compile(r"\\([a-zA-Z]+|.)").match(self.tex, self.i)
        assert m is not None
        self.i = m.end()
        name = m[1]
        if name in ("left", "right"):
            return out
        if name in ("frac", "tfrac"):
            top, under = (_Typist(self.argument()).run() for _ in range(2))
            return f"{_spaced(out)}{_held(top)}/{_held(under, below=True)}"
        if name == "sqrt":
            return f"{_spaced(out)}√{_held(_Typist(self.argument()).run(), below=True)}"
        if name in _MARKS:
            inside = _Typist(self.argument()).run()
            return out + inside[:1] + _MARKS[name] + inside[1:]
        if name == "mathbf":
            inside = self.argument()
            bold = inside.isascii() and inside.isalpha() and inside.islower()
            return _spaced(out) + (
                "".join(chr(ord(c) - ord("a") + 0x1D41A) for c in inside) if bold else inside
            )
        if name in _PLAIN:
            return _spaced(out) + _Typist(self.argument()).run().replace(r"\_", "_")
        if name == "begin":
            return self.environment(out, self.argument())
        if name in (",", ";", "!", " "):
            return out + ("" if name == "!" else " ")
        if name == "\\":
            return out + "; "
        if name in _SIGNS:
            if name == "partial":
                while self.tex[self.i : self.i + 1] == " ":
                    self.i += 1
            return out + _SIGNS[name]
        return _spaced(out) + name if name.isalpha() else out + name

    def environment(self, out: str, name: str) -> str:
        end = rf"\end{{{name}}}"
        depth, at = 1, self.i
        while depth:
            m = re.compile(rf"\\(begin|end)\{{{re.escape(name)}\}}").search(self.tex, at)
            if m is None:
                break
            depth += 1 if m[1] == "begin" else -1
            at = m.end()
        inside = self.tex[self.i : at - len(end)]
        self.i = at
        rows = re.split(r"\\\\", inside) if r"\begin" not in inside else [inside]
        if name == "cases" and len(rows) == 2:
            (a, c), (b, _) = (row.split("&") for row in rows)
            return f"{out}{{{unicode(a)} if {unicode(c)}, else {unicode(b)}}}"
        text = "; ".join(unicode(row) for row in rows)
        return f"{out}[{text}]" if name.endswith("matrix") else out + text


def _spaced(out: str) -> str:
    """A word or a fraction does not stick to the letter before it."""
    return out + " " if out and (out[-1].isalnum() or unicodedata.combining(out[-1])) else out


def _held(text: str, below: bool = False) -> str:
    """A part of a fraction in brackets, if it needs them."""
    simple = re.fullmatch(r"−?[^\s+−/⊙·(){}\[\]]+(?:\([^()]*\))?", text)
    if simple or text.startswith("∂"):
        return text
    if not below and re.fullmatch(r"[^+−/]*", text) and "Σ" not in text:
        return text
    return f"({text})"


def _script(text: str, above: bool) -> str:
    table = _ABOVE if above else _BELOW
    tight = text.replace(" ", "")
    if above and re.fullmatch(r"\([^()]*\)", tight) and "," in tight:
        parts = tight[1:-1].split(",")
        if all(all(c in table for c in p) for p in parts):
            return "⁽" + "ʼ".join("".join(table[c] for c in p) for p in parts) + "⁾"
    if tight and all(c in table and c != "," for c in tight):
        return "".join(table[c] for c in tight)
    if not above and re.fullmatch(r"[a-z](,[a-z])+", tight):
        letters = tight.replace(",", "")
        return (
            "".join(_BELOW[c] for c in letters)
            if all(c in _BELOW for c in letters)
            else f"_{letters}"
        )
    mark = "^" if above else "_"
    return (
        f"{mark}{text}" if len(text) == 1 else f"{mark}({text})" if above else f"{mark}{{{text}}}"
    )
