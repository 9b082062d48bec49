r"""TeX as one line of text: for cells of tables in a terminal, and for pictures.

>>> print(inline(r"\frac{\partial L}{\partial z_{2}} \odot \left(1 - a^{2}\right)"))
∂L/∂z₂ ⊙ (1 - a²)
>>> print(inline(r"\sum_{i} \left(\frac{\partial L}{\partial z}\right)^{T} W_{\mathrm{fc1}}"))
Σᵢ (∂L/∂z)ᵀ W_fc1
>>> print(inline(r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}^{-1}"))
(1 2; 3 4)⁻¹
>>> print(inline(r"\frac{a + b}{\sqrt{\sigma^{2} + \epsilon}}"), inline(r"h_{t-1}^{(2)}"))
(a + b)/√(σ² + ε) hₜ₋₁⁽²⁾
"""

from __future__ import annotations

import re
import unicodedata

_TOKEN = re.compile(r"\\[a-zA-Z]+|\\.|[{}^_&]|\s+|[0-9.]+|.", re.DOTALL)
_SIGNS = {
    "partial": "∂", "cdot": "·", "odot": "⊙", "times": "×", "star": "⋆", "otimes": "⊗",
    "sum": "Σ", "prod": "Π", "infty": "∞", "leftarrow": "←", "rightarrow": "→", "to": "→",
    "le": "≤", "leq": "≤", "ge": "≥", "geq": "≥", "ne": "≠", "neq": "≠", "approx": "≈", "in": "∈",
    "pm": "±", "nabla": "∇", "dots": "…", "ldots": "…", "cdots": "⋯", "neg": "¬", "wedge": "∧",
    "vee": "∨", "oplus": "⊕", "ll": "≪", "gg": "≫", "forall": "∀", "exists": "∃", "lvert": "|",
    "rvert": "|", "lVert": "‖", "rVert": "‖", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈",
    "rceil": "⌉", "square": "□", "quad": "  ", "qquad": "    ", "mid": "|", "sim": "∼",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "zeta": "ζ", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν",
    "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ",
    "chi": "χ", "psi": "ψ", "omega": "ω", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ",
    "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "Pi": "Π", "Xi": "Ξ", "ell": "ℓ",
}  # fmt: skip
_SPACED = set("·⊙×⋆⊗←→≤≥≠≈∈±∧∨⊕≪≫∼")
_PLAIN = {"mathrm", "operatorname", "text", "mathbf", "mathbb", "mathcal", "textbf", "mathit"}
_MARKS = {"hat": "\u0302", "bar": "\u0304", "tilde": "\u0303", "overline": "\u0304"}
_LEFT_OUT = {"left", "right", "displaystyle", "limits", "big", "Big", "bigl", "bigr"}
_RAISED = str.maketrans("0123456789+-=()nTit", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿᵀⁱᵗ")
_LOWERED = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")


def inline(tex: str) -> str:
    """TeX of mathematics mode on one line."""
    text = re.sub(r" {2,}", " ", _Reader(tex).list())
    return unicodedata.normalize("NFC", text.strip())


class _Reader:
    """Reads tokens; every method gives text."""

    def __init__(self, tex: str) -> None:
        self.tokens = _TOKEN.findall(tex)
        self.at = 0

    def list(self, end: str = "") -> str:
        """What stands up to `end`, or to the end."""
        out = ""
        while self.at < len(self.tokens):
            tok = self.tokens[self.at]
            if tok == end or (end == "\\end" and tok == "\\end"):
                self.at += 1
                break
            if tok in ("^", "_"):
                self.at += 1
                script = self.argument()
                out = out.rstrip() + (_raised(script) if tok == "^" else _lowered(script))
                continue
            piece = self.piece()
            apart = out and piece and out[-1].isalnum() and tok[0] == "\\" and piece[0].isalpha()
            out += " " + piece if apart and tok[1:] not in _SIGNS else piece
            if tok[0] == "\\" and _is_word(tok) and not self._called():
                out += " "
        return out

    def _called(self) -> bool:
        """Whether brackets, a script or nothing follows a function's name."""
        rest = self.tokens[self.at : self.at + 1]
        return not rest or rest[0] in ("(", "^", "_", "\\left", "{", "}", ",", ")")

    def argument(self) -> str:
        """A group, or one token."""
        self._skip()
        return self.piece() if self.at < len(self.tokens) else ""

    def _skip(self) -> None:
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1

    def piece(self) -> str:
        """One token with its arguments."""
        tok = self.tokens[self.at]
        self.at += 1
        if tok == "{":
            return self.list("}")
        if tok.isspace():
            return " "
        if tok == "&":
            return " "
        if tok[0] != "\\":
            return tok
        name = tok[1:]
        if name in ("frac", "tfrac", "dfrac"):
            return _over(self.argument(), self.argument())
        if name == "sqrt":
            return f"√{_whole(self.argument())}"
        if name in _PLAIN:
            return self.argument()
        if name in _MARKS:
            return self.argument() + _MARKS[name]
        if name == "begin":
            return self._environment()
        if name in _LEFT_OUT:
            return ""
        if name == "\\":
            return "; "
        if name in (",", ";", ":", "!", " "):
            return "" if name == "!" else " "
        if name == "partial":
            self._skip()
        sign = _SIGNS.get(name, name)
        return f" {sign} " if sign in _SPACED else sign

    def _environment(self) -> str:
        kind = self.argument()
        inside = self.list("\\end")
        self.argument()
        inside = re.sub(r"\s+", " ", inside).replace(" ;", ";").strip()
        if kind in ("pmatrix", "bmatrix"):
            return f"({inside})" if kind == "pmatrix" else f"[{inside}]"
        return f"{{{inside}" if kind == "cases" else inside


def _is_word(tok: str) -> bool:
    name = tok[1:]
    known = name in _SIGNS or name in _PLAIN or name in _MARKS or name in _LEFT_OUT
    return name.isalpha() and not known and name not in ("frac", "tfrac", "sqrt", "begin", "end")


def _over(above: str, below: str) -> str:
    a, b = above.strip(), below.strip()
    return f"{_whole(a)}/{_whole(b)}"


def _whole(text: str) -> str:
    """In brackets, unless it is one thing."""
    text = text.strip()
    return text if re.fullmatch(r"√?([^\s+\-−/·()]+|\([^()]*\))", text) else f"({text})"


def _raised(text: str) -> str:
    found = text.strip().translate(_RAISED)
    return found if re.fullmatch(r"[⁰-ⁿ¹²³ᵀᵗ']*", found) else f"^{_whole(text)}"


def _lowered(text: str) -> str:
    text = text.strip()
    found = text.translate(_LOWERED)
    small = re.fullmatch(r"[₀-₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ,]*", found) is not None and text.isascii()
    if small and (len(found) < 4 or not text.isalpha()):
        return found
    plain = re.fullmatch(r"[A-Za-z0-9_.]+", text) is not None
    spread = re.sub(r"\s*×\s*", "×", text)
    return f"_{text}" if plain else f"[{spread}]"
