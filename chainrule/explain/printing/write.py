"""One node as TeX, given its operands: by the op's `tex` field, with the brackets that are needed.

The ops whose formula depends on their attributes or shapes (a contraction is A B or Aᵀ B; a product
has a dot or not) have a writer in the table `WRITERS`; all others are written as their row says.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from chainrule.explain.printing.template import Binds, Slot, read
from chainrule.ir.node import Node, TensorType

AXES = "ijklmnpqr"


class Piece(NamedTuple):
    """A formula, how tightly it binds, and its transpose where that is known."""

    tex: str
    binds: Binds
    transpose_of: Piece | None = None

    @property
    def signed(self) -> bool:
        """Whether it begins with a minus."""
        return self.tex.startswith("-")

    @property
    def weight(self) -> int:
        """About how many signs a reader sees."""
        return len(_UNSEEN.sub("", _COMMAND.sub(_as_seen, self.tex)))


_UNSEEN = re.compile(r"[{}^_&\s\\]")
_COMMAND = re.compile(
    r"(\\(?:left|right|operatorname|mathrm|begin|end|frac|quad)\b|\\[,;])|\\[a-zA-Z]+"
)
_TALL = re.compile(r"\\(?:frac|sum|prod|begin|sqrt|overline)\b")

Look = Callable[[Node], Piece]


def _as_seen(m: re.Match[str]) -> str:
    return "x" if m[1] is None else ""


def atom(tex: str) -> Piece:
    """A symbol."""
    return Piece(tex, Binds.ATOM)


def brackets(tex: str) -> str:
    """Round brackets, as high as what stands in them."""
    return rf"\left({tex}\right)" if _TALL.search(tex) else f"({tex})"


def fit(
    p: Piece, needs: Binds, *, signed: bool = True, base: bool = False, joined: bool = False
) -> str:
    """A piece where something that binds as tightly as `needs` is wanted.

    signed  it may begin with a minus      base    it carries an exponent or an index
    joined  another factor follows without a sign, which a function would swallow: (log x) y
    """
    reaches = (
        p.binds == Binds.BIG and needs == Binds.PREFIX
    )  # log Σ x: a sum after a function is read to its end
    if p.binds == Binds.RELATION < needs and not p.tex.startswith(r"\begin"):
        return f"[{p.tex}]"  # Iverson's bracket: 1 where it holds, else 0
    swallows = joined and p.binds == Binds.PREFIX
    if (p.binds < needs and not reaches) or (p.signed and not signed) or swallows:
        return brackets(p.tex)
    return f"{{{p.tex}}}" if base and re.search(r"[_^]", p.tex) else p.tex


# ------------------------------------------------------------------ numbers


def number(value: Any) -> str:
    """A constant: whole numbers, short decimals, 1/n, powers of ten; else six digits."""
    if isinstance(value, bool):
        return r"\text{true}" if value else r"\text{false}"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, complex):
        if not value.imag:
            return number(value.real)
        imaginary = {"1": "i", "-1": "-i"}.get(number(value.imag), number(value.imag) + " i")
        if not value.real:
            return imaginary
        sign = "-" if imaginary.startswith("-") else "+"
        return rf"\left({number(value.real)} {sign} {imaginary.removeprefix('-')}\right)"
    v = float(value)
    if math.isnan(v):
        return r"\text{NaN}"
    if math.isinf(v):
        return r"\infty" if v > 0 else r"-\infty"
    sign, v = ("-" if v < 0 else ""), abs(v)
    if v == int(v) and v < 1e6:
        return f"{sign}{int(v)}"
    short = _short(v)
    near = Fraction(v).limit_denominator(1_000_000 if v < 0.01 else 1000)
    if 0 < near.numerator <= 20 and _same(v, near) and (near == Fraction(1, 2) or len(short) > 6):
        return rf"{sign}\frac{{{near.numerator}}}{{{near.denominator}}}"
    if len(short) > 8:
        near = Fraction(v * v).limit_denominator(1_000_000)
        if near.numerator and _same(v * v, near):
            if near.denominator == 1:
                return rf"{sign}\sqrt{{{near.numerator}}}"
            if near.numerator == 1:
                return rf"{sign}\frac{{1}}{{\sqrt{{{near.denominator}}}}}"
    mantissa, _, exponent = short.partition("e")
    if not exponent:
        return sign + mantissa
    power = f"10^{{{int(exponent)}}}"
    return sign + (power if mantissa == "1" else rf"{mantissa} \cdot {power}")


def _short(v: float) -> str:
    """The shortest decimals that are this number, as a float32 if it is one."""
    if float(np.float32(v)) == v:
        return str(np.float32(v))
    short = f"{v:.9g}"
    return short if abs(float(short) / v - 1) < 1e-14 else repr(v)


def _same(v: float, near: Fraction) -> bool:
    """Whether a number is meant to be this fraction: in the precision that it has."""
    off = 1e-7 if float(np.float32(v)) == v else 1e-15
    return abs(v / float(near) - 1) < off


def _number_piece(value: Any) -> Piece:
    tex = number(value)
    if tex.startswith("-"):
        return Piece(tex, Binds.SUM)
    if r"\cdot" in tex:
        return Piece(tex, Binds.PRODUCT)
    return Piece(tex, Binds.POWER if "^" in tex or r"\frac" in tex else Binds.ATOM)


def value_of(x: Node) -> Any:
    """The number that a node is everywhere, or None."""
    while read(x.op.tex).transparent or x.op.name in ("slice", "permute"):
        x = x.inputs[0]
    return x.attr("value") if x.op.name == "const" else None


def shown_shape(x: Node) -> tuple[int, ...]:
    """The shape before it was stretched."""
    while x.op.name in ("broadcast_to", "cast", "stop_gradient", "copy"):
        x = x.inputs[0]
    return x.shape


# ------------------------------------------------------------------ by template


def write(node: Node, look: Look) -> Piece:
    """The formula of one node; `look` gives those of its operands."""
    writer = WRITERS.get(node.op.name)
    return by_template(node, look) if writer is None else writer(node, look)


def by_template(node: Node, look: Look) -> Piece:
    """As the op's row says."""
    template = read(node.op.tex)
    if template.transparent:
        return look(node.inputs[template.slots[0].argument])
    if not template.parts:
        args = ", ".join(fit(look(i), Binds.RELATION) for i in node.inputs)
        return atom(rf"{_name(node.op.name)}({args})")
    out, binds = "", template.binds
    for part in template.parts:
        if isinstance(part, Slot):
            p = look(node.inputs[part.argument])
            text = fit(p, part.needs, signed=part.signed, base=part.base, joined=part.joined)
            if part is template.parts[-1] and text == p.tex:
                binds = min(binds, p.binds)  # what ends in a sum over … reaches as far as that does
        elif part.startswith("\x00"):
            text = _attribute(node, part[1:])
        else:
            text = part
        out += " " if out and text and _glued(out, text) else ""
        out += text
    return Piece(_tall_brackets(out), binds)


_CALL = re.compile(r"(?<!\\left)\(([^()]*)\)")


def _tall_brackets(tex: str) -> str:
    """Innermost round brackets around something high grow with it."""
    return _CALL.sub(lambda m: brackets(m[1]), tex)


def _glued(left: str, right: str) -> bool:
    """Whether a command would swallow the letter after it."""
    return right[0].isalpha() and re.search(r"\\[a-zA-Z]+$", left) is not None


def _name(op: str) -> str:
    return rf"\operatorname{{{op.strip('_').replace('_', ' ')}}}"


def _attribute(node: Node, name: str) -> str:
    if name == "over":
        return over(node)
    if name == "count":
        shape = node.inputs[0].shape
        return str(math.prod(shape[a] for a in _axes(node)))
    value = node.attr(name)
    return number(value) if isinstance(value, (bool, int, float)) else str(value)


def _axes(node: Node) -> tuple[int, ...]:
    rank = len(node.inputs[0].shape)
    axis = node.attr("axis")
    if axis is None or axis == ():
        return tuple(range(rank))
    return tuple(a % max(rank, 1) for a in ((axis,) if isinstance(axis, int) else axis))


def over(node: Node) -> str:
    """The reduced axes as an index, i for the first, j for the second …; nothing for all."""
    axes, rank = _axes(node), len(node.inputs[0].shape)
    return "" if len(axes) >= rank else f"_{{{''.join(AXES[a] for a in axes)}}}"


# ------------------------------------------------------------------ by shape or attribute


def _const(node: Node, look: Look) -> Piece:
    return _number_piece(node.attr("value"))


def _add(node: Node, look: Look) -> Piece:
    a, b = (look(i) for i in node.inputs)
    right = fit(b, Binds.SUM)
    joined = f" - {right[1:].lstrip()}" if b.signed and b.binds >= Binds.SUM else f" + {right}"
    return Piece(fit(a, Binds.SUM) + joined, Binds.SUM)


def _mul(node: Node, look: Look) -> Piece:
    x, y = node.inputs
    if value_of(y) is not None and value_of(x) is None:
        x, y = y, x
    a, b, v = look(x), look(y), value_of(x)
    if x is y:
        return Piece(fit(a, Binds.ATOM, signed=False, base=True) + "^{2}", Binds.POWER)
    if v is not None and _signed(v) and value_of(y) is None:  # −2 x: a sign before a product
        rest = b if v == -1 else _product(_number_piece(-v), b, x, y)
        return Piece("-" + fit(rest, Binds.BIG, signed=False), Binds.SUM)
    return _product(a, b, x, y)


def _signed(v: Any) -> bool:
    """Whether a number is written with a sign before it."""
    return v.imag < 0 if isinstance(v, complex) and not v.real else v.real < 0


def _product(a: Piece, b: Piece, x: Node, y: Node) -> Piece:
    left, right = fit(a, Binds.PRODUCT), fit(b, Binds.BIG, signed=False)
    if shown_shape(x) and shown_shape(y):
        sign = r" \odot "
    elif value_of(x) is not None and not right[0].isdigit() and not right.startswith(r"\frac{1}"):
        sign = " "
    else:
        sign = r" \cdot "
    return Piece(
        left + sign + right, min(Binds.PRODUCT, b.binds if right == b.tex else Binds.PRODUCT)
    )


def _div(node: Node, look: Look) -> Piece:
    x, y = node.inputs
    n, a = value_of(y), look(x)
    if n is not None and (a.binds == Binds.BIG or a.weight > 16) and value_of(x) is None:
        one = atom(rf"\frac{{1}}{{{look(y).tex}}}")
        if a.signed and a.binds == Binds.SUM and not re.search(r" [+-] ", a.tex):
            return Piece(f"-{one.tex} {a.tex[1:]}", Binds.SUM)
        return Piece(
            f"{one.tex} {fit(a, Binds.BIG, signed=False)}",
            min(Binds.PRODUCT, max(a.binds, Binds.BIG)),
        )
    if a.signed and a.binds == Binds.SUM and not re.search(r" [+-] ", a.tex):
        return Piece(rf"-\frac{{{a.tex[1:].lstrip()}}}{{{look(y).tex}}}", Binds.SUM)
    return by_template(node, look)


def _pow(node: Node, look: Look) -> Piece:
    if value_of(node.inputs[1]) == 0.5:
        return atom(rf"\sqrt{{{look(node.inputs[0]).tex}}}")
    return by_template(node, look)


def transposed(p: Piece) -> Piece:
    """pᵀ."""
    if p.transpose_of is not None:
        return p.transpose_of
    return Piece(fit(p, Binds.ATOM, signed=False, base=True) + "^{T}", Binds.POWER, p)


def _times(a: Piece, b: Piece) -> Piece:
    left = fit(a, Binds.PRODUCT, joined=True)
    return Piece(f"{left} {fit(b, Binds.BIG, signed=False)}", Binds.PRODUCT)


def _contract(node: Node, look: Look) -> Piece:
    a, b = (_factor(i, look) for i in node.inputs)
    return matrix_form(node.attr("spec"), a, b) or _indexed(node.attr("spec"), a, b)


def _factor(x: Node, look: Look) -> Piece:
    """A factor of a product of matrices: one number everywhere is a matrix of ones, scaled."""
    v, p = value_of(x), look(x)
    if v is None or not x.shape or p.tex != number(v):
        return p
    return (
        atom(r"\mathbf{1}")
        if v == 1
        else Piece(rf"{fit(p, Binds.PRODUCT)} \mathbf{{1}}", Binds.PRODUCT)
    )


def matrix_form(spec: str, a: Piece, b: Piece) -> Piece | None:
    """A contraction as a product of matrices and vectors, where it is one; vectors are columns."""
    left, out = spec.split("->")
    la, lb = left.split(",")
    batch = "".join(c for c in la if c in lb and c in out)
    if not (la.startswith(batch) and lb.startswith(batch) and out.startswith(batch)):
        return None
    la, lb, out = la[len(batch) :], lb[len(batch) :], out[len(batch) :]
    inner = "".join(c for c in la if c in lb)
    rows, columns = "".join(c for c in la if c not in lb), "".join(c for c in lb if c not in la)
    if not inner and not (rows and columns):
        return None if batch else _times(a, b)
    if la == rows + inner:
        first = a
    elif la == inner + rows:
        first = transposed(a)
    else:
        return None
    if lb == inner + columns:
        second = b
    elif lb == columns + inner:
        second = transposed(b)
    else:
        return None
    if not rows and not columns:
        return _times(transposed(a), b)
    if not rows:  # a vector at the left: Bᵀ a
        return _times(transposed(second), a)
    if not columns:
        return _times(first, b)
    if not inner:  # the outer product of two columns
        second = transposed(b)
    here = _times(first, second)
    there = _times(transposed(second), transposed(first))
    if out == rows + columns:
        return here._replace(transpose_of=there)
    return there._replace(transpose_of=here) if out == columns + rows else None


def _matmul(node: Node, look: Look) -> Piece:
    """Vectors are columns: a row at the left is a transpose."""
    x, y = node.inputs
    a, b = look(x), look(y)
    if len(x.shape) > 1 or len(y.shape) > 2:
        return _times(a, b)
    return _times(transposed(a), b) if len(y.shape) == 1 else _times(transposed(b), a)


def _indexed(spec: str, a: Piece, b: Piece) -> Piece:
    """Σ with indices: what no product of matrices says."""
    left, out = spec.split("->")
    la, lb = left.split(",")
    inner = "".join(dict.fromkeys(c for c in la + lb if c not in out))
    body = f"{fit(a, Binds.ATOM, base=True)}_{{{la}}} {fit(b, Binds.ATOM, base=True)}_{{{lb}}}"
    return Piece(rf"\sum_{{{inner}}} {body}", Binds.BIG) if inner else Piece(body, Binds.PRODUCT)


def _permute(node: Node, look: Look) -> Piece:
    order = node.attr("order")
    n, p = len(order), look(node.inputs[0])
    if order == tuple(range(n)):
        return p
    if n > 1 and order == (*range(n - 2), n - 1, n - 2):
        return transposed(p)
    return atom(rf"\operatorname{{permute}}_{{{''.join(AXES[i] for i in order)}}}{brackets(p.tex)}")


def _slice(node: Node, look: Look) -> Piece:
    if value_of(node) is not None:
        return look(node.inputs[0])
    base = fit(look(node.inputs[0]), Binds.ATOM, signed=False, base=True)
    return Piece(f"{base}_{{{_region(node)}}}", Binds.POWER)


def _slice_update(node: Node, look: Look) -> Piece:
    """x with v in a part of it: x[:, 1:3 ← v]"""
    x, v = (look(i) for i in node.inputs)
    base = fit(x, Binds.ATOM, signed=False, base=True)
    return Piece(rf"{base}\left[{_region(node)} \leftarrow {v.tex}\right]", Binds.POWER)


def _region(node: Node) -> str:
    """The part that a slice takes, as indices."""
    at = []
    for n, a, b, s in zip(
        node.inputs[0].shape, node.attr("start"), node.attr("stop"), node.attr("step"), strict=True
    ):
        length = len(range(a, b, s))
        if length == n:
            at.append(":" if s == 1 else "::-1")
        elif length == 1:
            at.append(str(a))
        else:
            at.append(f"{a}:{b if b >= 0 else ''}" + (f":{s}" if s != 1 else ""))
    return ", ".join(at)


def _cat(node: Node, look: Look) -> Piece:
    if len(node.inputs) == 1:
        return look(node.inputs[0])
    inside = ", ".join(fit(look(i), Binds.RELATION) for i in node.inputs)
    return atom(rf"\left[{inside}\right]" if _TALL.search(inside) else f"[{inside}]")


def _where(node: Node, look: Look) -> Piece:
    """A choice between something and nothing as Iverson's bracket: x ⊙ [z > 0]."""
    c, x, y = node.inputs
    if value_of(y) == 0:
        kept, truth = x, atom(f"[{look(c).tex}]")
    elif value_of(x) == 0:
        kept, truth = y, atom(f"[{_opposite(c, look)}]")
    else:
        return by_template(node, look)
    return truth if value_of(kept) == 1 else _product(look(kept), truth, kept, c)


def _opposite(c: Node, look: Look) -> str:
    """The opposite of a condition."""
    opposite = {"lt": r"\ge", "le": ">", "gt": r"\le", "ge": "<", "eq": r"\ne", "ne": "="}.get(
        c.op.name
    )
    p = look(c)
    if opposite is None or p.binds != Binds.RELATION:
        return r"\neg " + fit(p, Binds.PREFIX)
    a, b = (fit(look(i), Binds.SUM) for i in c.inputs)
    return f"{a} {opposite} {b}"


def _item(node: Node, look: Look) -> Piece:
    source, index = node.inputs[0], node.attr("index")
    if source.op.name == "boundary":
        return look(source.inputs[index])
    p = look(source)
    if source.op.name.endswith("_update") and index == 0:
        return p
    return Piece(f"{fit(p, Binds.ATOM, signed=False, base=True)}_{{{index + 1}}}", Binds.POWER)


def _input(node: Node, look: Look) -> Piece:
    return atom(f"x_{{{node.attr('index')}}}")


WRITERS: dict[str, Callable[[Node, Look], Piece]] = {
    "const":     _const,
    "input":     _input,
    "add":       _add,
    "mul":       _mul,
    "div":       _div,
    "pow":       _pow,
    "contract":  _contract,
    "matmul":    _matmul,
    "permute":   _permute,
    "slice":     _slice,
    "slice_update": _slice_update,
    "cat":       _cat,
    "where":     _where,
    "item":      _item,
}  # fmt: skip


def is_tensor(node: Node) -> bool:
    """Whether a node is one value, not several."""
    return isinstance(node.type, TensorType)
