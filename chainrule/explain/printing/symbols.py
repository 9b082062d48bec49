r"""Names as TeX, and letters for what has no name.

>>> symbol("W"), symbol("y_hat"), symbol("alpha"), symbol("layers.0.weight"), symbol("loss")
('W', '\\hat{y}', '\\alpha', 'W_{\\mathrm{layers.0}}', '\\mathrm{loss}')
>>> symbol("attn.in_proj_weight"), symbol("lstm.bias_hh_l0")
('W_{\\mathrm{attn.in\\_proj}}', 'b_{\\mathrm{lstm.hh\\_l0}}')
>>> index("x_{1}", "t"), index("h", "t-1")
('x_{1,t}', 'h_{t-1}')
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from chainrule.ir.node import Node, TensorType
from chainrule.tensor import Tensor

_GREEK = {
    "alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "kappa", "lambda", "mu",
    "nu", "xi", "pi", "rho", "sigma", "tau", "phi", "chi", "psi", "omega",
    "Gamma", "Delta", "Theta", "Lambda", "Sigma", "Phi", "Psi", "Omega",
}  # fmt: skip
_ACCENTS = {"hat": r"\hat", "bar": r"\bar", "tilde": r"\tilde"}
_MEMBERS = {"weight": "W", "bias": "b", "kernel": "W", "gamma": r"\gamma", "beta": r"\beta"}


def symbol(name: str) -> str:
    """A Python name, or the path of a parameter, as a TeX symbol. What is TeX already stays."""
    if "\\" in name or "^" in name or "{" in name:
        return name
    if name.endswith("'"):
        return symbol(name[:-1]) + "'"
    path, _, last = name.rpartition(".")
    head, _, rest = last.partition("_")
    front, _, tail = last.rpartition("_")
    if tail in _MEMBERS and front:  # in_proj_weight
        head, rest = tail, front
    if path or head in _MEMBERS:
        inside = ".".join(p for p in (path, rest) if p).replace("_", r"\_")
        base = _MEMBERS.get(head, _letter(head))
        return rf"{base}_{{\mathrm{{{inside}}}}}" if inside else base
    if rest in _ACCENTS:
        return f"{_ACCENTS[rest]}{{{_letter(head)}}}"
    if not rest:
        m = re.fullmatch(r"([A-Za-z])(\d+)", head)
        return f"{m[1]}_{{{m[2]}}}" if m else _letter(head)
    return f"{_letter(head)}_{{{rest if rest.isdigit() or len(rest) == 1 else _word(rest)}}}"


def _letter(name: str) -> str:
    if len(name) == 1:
        return name
    return "\\" + name if name in _GREEK else _word(name)


def _word(name: str) -> str:
    return rf"\mathrm{{{name.replace('_', ' ')}}}"


def index(name: str, i: str) -> str:
    """`name` with one more index."""
    m = re.fullmatch(r"(.*)_\{([^{}]*)\}", name)
    if m:
        return f"{m[1]}_{{{m[2]},{i}}}"
    plain = re.fullmatch(r"(\\?[A-Za-z]+|\\[a-z]+\{\w\})(\^\{\(\d+\)\})?", name)
    return f"{name}_{{{i}}}" if plain else rf"\left({name}\right)_{{{i}}}"


_SUBSCRIPTS = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
_GREEK_LETTERS = dict(
    zip(
        (
            "alpha",
            "beta",
            "gamma",
            "delta",
            "epsilon",
            "eta",
            "theta",
            "lambda",
            "mu",
            "xi",
            "sigma",
        ),
        "αβγδεηθλμξσ",
        strict=True,
    )
)


def plain(tex: str) -> str:
    r"""A symbol where there is no TeX, in a picture.

    >>> plain("W_{1}"), plain(r"\hat{y}"), plain(r"\theta'"), plain(r"W_{\mathrm{fc.0}}")
    ('W₁', 'ŷ', "θ'", 'W fc.0')
    >>> plain("h_{1,12}")
    'h₁,₁₂'
    """
    text = re.sub(r"\\(?:mathrm|operatorname)\{([^{}]*)\}", r"\1", tex)
    for command, mark in (("hat", "\u0302"), ("bar", "\u0304"), ("tilde", "\u0303")):
        text = re.sub(rf"\\{command}\{{(\w)\}}", rf"\1{mark}", text)
    text = re.sub(r"\\([a-z]+)", lambda m: _GREEK_LETTERS.get(m[1], m[1]), text)
    text = re.sub(
        r"_(?:\{([0-9,]+)\}|([0-9]))", lambda m: (m[1] or m[2]).translate(_SUBSCRIPTS), text
    )
    text = re.sub(r"[_^]\{([^{}]*)\}", r" \1", text)
    return unicodedata.normalize("NFC", text.replace("\\_", "_"))


class Letters:
    """Hands out symbols that are not taken yet: z if it is the only one, else z₁, z₂, …"""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self.taken = set(taken)

    def several(self, wanted: Sequence[str]) -> list[str]:
        """A symbol for each of these letters, in order."""
        count = Counter(wanted)
        out = []
        for letter in wanted:
            name = letter
            if count[letter] > 1 or letter in self.taken:
                n = 1
                while (name := f"{letter}_{{{n}}}") in self.taken:
                    n += 1
            self.taken.add(name)
            out.append(name)
        return out

    def one(self, *choices: str) -> str:
        """The first of these letters that is free, or the first with a number."""
        for letter in choices:
            if letter not in self.taken:
                self.taken.add(letter)
                return letter
        return self.several([choices[0]])[0]


def leaf_letters(leaves: dict[Node, Tensor | None]) -> dict[Node, str]:
    """w for what asks for gradients, x for other arrays, c for numbers, ξ for random states."""
    out = {}
    for node, t in leaves.items():
        if t is not None:
            out[node] = "w" if t.requires_grad else "x"
        elif (
            isinstance(node.type, TensorType)
            and node.shape == (2,)
            and not node.dtype.is_floating_point
        ):
            out[node] = r"\xi"
        else:
            out[node] = "x" if node.shape else "c"
    return out


_PRODUCTS = {"linear", "matmul", "contract", "conv", "conv_transpose"}


def letter_for(node: Node) -> str:
    """z: affine in its input, a: activation, p: probabilities, h: state, m: mask, else u."""
    name = node.op.name
    if name in _PRODUCTS or (name == "add" and any(i.op.name in _PRODUCTS for i in node.inputs)):
        return "z"
    if name == "softmax":
        return "p"
    if name == "tanh" or (
        node.op.elementwise and not node.op.is_primitive and len(node.inputs) == 1
    ):
        return "a"
    if name == "item":
        return "h"
    return "u" if not isinstance(node.type, TensorType) or node.dtype.is_floating_point else "m"
