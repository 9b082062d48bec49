"""One value as TeX, read in a certain way: which of its axes are rows, which are letters.

`see(node, want)` asks for a formula whose rows and letters are those of `want`. Moves (reshapes,
permutations) then need no sign at all where the letters say the same; what is left is written with
few notations, each of which `chainrule.explain.reading` evaluates:

    x^{T}                 rows 0 and 1 exchanged          A B     product of matrices
    P_{t}                 row t of P                      x_{2:4} rows 2 to 4
    rows_t(x)             the matrix whose rows are x_t   vec_{i,p,q}(x), split_{h=2,i=3}(x)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from chainrule.explain.mathematics.axes import groups
from chainrule.explain.mathematics.labels import ROWS, Label, Labelled, Labels
from chainrule.explain.printing.template import Binds, read
from chainrule.explain.printing.write import (
    Piece,
    atom,
    brackets,
    fit,
    is_tensor,
    number,
    value_of,
    write,
)
from chainrule.ir.graph import topological
from chainrule.ir.node import Node


class Symbol(NamedTuple):
    """A name, and how the value that it stands for is read."""

    tex: str
    labels: Labelled


#: Composites that are one word if their attributes are these; others are written as a formula.
WORDS: dict[str, dict[str, object]] = {
    **{name: {} for name in (
        "sigmoid", "relu", "log_sigmoid", "silu", "mish", "softsign", "square", "reciprocal",
        "rsqrt", "clamp_min", "clamp_max", "lerp", "squared_error", "absolute_error", "erfc",
        "ndtr", "conv_transpose",
        "binary_cross_entropy", "binary_cross_entropy_logits", "softmax", "log_softmax",
        "cross_entropy_rows", "standardize", "rms_standardize", "max_pool", "sum_pool", "conv",
        "mean", "logsumexp", "matmul", "linear", "logaddexp",
    )},
    "gelu": {"approximate": "none"}, "softplus": {"beta": 1.0},
    "hardtanh": {"low": -1.0, "high": 1.0},
}  # fmt: skip

#: Ops whose result has the axes of what they are given, though perhaps not their sizes.
_ALIKE = frozenset({"cat", "pad", "slice", "slice_update", "conv", "conv_transpose", "max_pool",
                    "sum_pool"})  # fmt: skip

Special = Callable[["Writer", Labelled], Piece]
_FREE = "abcdfguvw"


class Writer:
    """Writes nodes in terms of named ones.

    names     symbols of nodes
    specials  nodes that have a notation of their own: gradients of convolutions
    """

    def __init__(
        self, names: Mapping[Node, Symbol], labels: Labels, specials: Mapping[Node, Special]
    ) -> None:
        self.names, self.labels, self.specials = dict(names), labels, dict(specials)
        self.summed: frozenset[str] = frozenset()
        self.naturals: dict[Node, Labelled] = {}
        self.memo: dict[tuple[Node, Labelled, frozenset[str]], Piece] = {}

    def natural(self, n: Node) -> Labelled:
        """How a value is read unless somebody asks otherwise."""
        symbol = self.names.get(n)
        if symbol is not None:
            return symbol.labels
        if n not in self.naturals:
            self.naturals[n] = self._natural(n)
        return self.naturals[n]

    def _natural(self, n: Node) -> Labelled:
        """As its operands are read, if it is a value of theirs moved or changed one by one."""
        if n in self.labels.declared or not n.inputs or n not in self.labels.active:
            return self.labels.natural(n)
        first = [
            i for i in n.inputs if is_tensor(i) and i.shape == n.shape and i in self.labels.active
        ]
        if n.op.name in _ALIKE:
            return self.natural(n.inputs[n.op.name == "slice_update"])
        if n.op.name == "permute":
            inner = self.natural(n.inputs[0])
            return tuple(inner[a] for a in n.attr("order"))
        if first and (n.op.elementwise or (len(n.inputs) == 1 and n.op.name != "reshape")):
            return self.natural(first[0])
        if n.op.name == "reshape":
            return self._grouped(n)
        if n.op.name == "contract":
            return self._product(n)
        if n.op.name == "matmul":
            return self.natural(n.op.expand(n))
        return self.labels.natural(n)

    def _grouped(self, n: Node) -> Labelled:
        """What a reshape leaves alone is read as before; features put together are rows."""
        (x,) = n.inputs
        inner = self.natural(x)
        out: list[Label] = [None] * len(n.shape)
        for ins, outs in groups(x.shape, n.shape):
            if len(ins) == len(outs) == 1:
                out[outs[0]] = inner[ins[0]]
            elif len(outs) == 1 and any(isinstance(inner[a], int) for a in ins):
                out[outs[0]] = min(v for a in ins if isinstance(v := inner[a], int))
            else:
                return self.labels.natural(n)
        rows = sorted(v for v in out if isinstance(v, int))
        return tuple(rows.index(v) if isinstance(v, int) else v for v in out)

    def _product(self, n: Node) -> Labelled:
        """Two matrices give a matrix."""
        left, out = n.attr("spec").split("->")
        found: dict[str, Label] = {}
        counts = []
        for x, letters in zip(n.inputs, left.split(","), strict=True):
            if x not in self.labels.active:
                return self.labels.natural(n)
            labels = self.natural(x)
            counts.append(sum(isinstance(v, int) for v in labels))
            for c, v in zip(letters, labels, strict=True):
                if c in out and c not in found:
                    found[c] = v
        if counts != [2, 2] or sum(isinstance(v, int) for v in found.values()) != 2:
            return self.labels.natural(n)
        rows = [c for c in out if isinstance(found[c], int)]
        return tuple(rows.index(c) if c in rows else found[c] for c in out)

    def see(self, n: Node, want: Labelled) -> Piece:
        """The formula of a node with these labels."""
        if n in self.names:
            symbol = self.names[n]
            return self.convert(atom(symbol.tex), symbol.labels, want, shown=True)
        key = n, want, self.summed
        if key not in self.memo:
            self.memo[key] = self.right(n, want)
        return self.memo[key]

    def right(self, n: Node, want: Labelled) -> Piece:
        """The same, without the name of the node itself."""
        if n in self.specials:
            return self.specials[n](self, want)
        writer = FORMS.get(n.op.name)
        if writer is not None:
            found = writer(self, n, want)
            if found is not None:
                return found
        if n.op.name == "item" and n.inputs[0].op.name == "boundary":
            return self.see(n.inputs[0].inputs[n.attr("index")], want)
        if not n.op.is_primitive and not self._is_word(n) and is_tensor(n):
            inside = n.op.expand(n)
            self.labels.active.update(
                m for m in topological([inside]) if m not in n.inputs and n in self.labels.active
            )
            return self.see(inside, want)
        alike = not n.op.is_primitive and all(i.shape in (n.shape, ()) for i in n.inputs)
        if (
            n.op.elementwise
            or read(n.op.tex).transparent
            or (alike and not any(k == "axis" for k, _ in n.attrs))
        ):
            return self.elementwise(n, want)
        return self.other(n, want)

    def _is_word(self, n: Node) -> bool:
        said = WORDS.get(n.op.name)
        return said is not None and all(n.attr(k) == v for k, v in said.items())

    # ------------------------------------------------------------------ elementwise

    def elementwise(self, n: Node, want: Labelled) -> Piece:
        """Operands have the labels of the result, as far as they have its axes."""
        return write(n, lambda i: self.see(i, below(i, n, want)))

    def other(self, n: Node, want: Labelled) -> Piece:
        """What there is no notation for: the formula of its row, read as it comes."""

        def look(i: Node) -> Piece:
            return self.see(i, self.natural(i)) if is_tensor(i) else self.tuple(i)

        have = self.natural(n)
        return self.convert(write(n, look), have, want)

    def tuple(self, n: Node) -> Piece:
        """A value with several parts."""
        inside = ", ".join(self.see(i, self.natural(i)).tex for i in n.inputs if is_tensor(i))
        name = re.sub("_+", " ", n.op.name).strip()
        return atom(rf"\operatorname{{{name}}}{brackets(inside)}")

    # ------------------------------------------------------------------ reading otherwise

    def convert(self, p: Piece, have: Labelled, want: Labelled, *, shown: bool = False) -> Piece:
        """A piece with labels `have` as one with labels `want`. `shown`: it is a symbol, and
        carries the letters that a sum runs over."""
        pairs = [(h, w) for h, w in zip(have, want, strict=True) if w is not None and h is not None]
        rows = sorted({h for h in have if isinstance(h, int)})
        unlike = [(h, w) for h, w in pairs if h != w and tuple in (type(h), type(w))]
        if unlike:  # places that were put together in another way
            return indexed(p, [f"{_together(h)}={_together(w)}" for h, w in unlike])
        to = {h: w for h, w in pairs if isinstance(h, int)}
        own = [c for h in have for c in (h if isinstance(h, tuple) else (h,)) if isinstance(c, str)]
        items = [to[r] if isinstance(to.get(r), str) else ":" for r in rows]
        bind = sorted((w, h) for h, w in pairs if isinstance(h, str) and isinstance(w, int))
        left = [to[r] for r in rows if isinstance(to.get(r), int)]
        numbers = [w for w in left if isinstance(w, int)]
        same = all(w == h for h, w in pairs if isinstance(h, int) and isinstance(w, int))
        kept = all(not isinstance(w, str) for w in to.values())
        simple = not bind and (
            numbers in ([1], [1, 0]) or numbers == list(range(len(left))) or (same and kept)
        )
        bound = bind and [w for w, _ in bind] + numbers in ([0], [1], [0, 1], [1, 0], [0, 1, 2])
        if not simple and not bound:
            items = [
                str(to[r]) if isinstance(to.get(r), str) else _FREE[k] for k, r in enumerate(rows)
            ]
        while items and items[-1] == ":":
            items.pop()
        renamed = [
            f"{h}={w}" for h, w in pairs if isinstance(h, str) and isinstance(w, str) and h != w
        ]
        seen = ordered(c for c in own if shown and c in self.summed and not renamed)
        index = [*map(str, items), *seen, *renamed]
        if index:
            p = indexed(p, index)
        if simple:
            return transposed(p) if numbers in ([1], [1, 0]) and not (same and kept) else p
        if bound:
            p = atom(
                rf"\operatorname{{rows}}_{{{','.join(str(h) for _, h in bind)}}}{brackets(p.tex)}"
            )
            order = [w for w, _ in bind] + numbers
            return transposed(p) if order in ([1], [1, 0]) else p
        final = sorted(
            [(w, h) for w, h in bind]
            + [(w, _FREE[k]) for k, r in enumerate(rows) if isinstance(w := to.get(r), int)]
        )
        return atom(
            rf"\operatorname{{rows}}_{{{','.join(str(h) for _, h in final)}}}{brackets(p.tex)}"
        )

    def letter(self, n: Node, axis: int, taken: Labelled) -> str:
        """A letter for an axis that is read as a row elsewhere."""
        named = self.labels.named(self.labels.axes.of(n)[axis])
        used = {c for a in taken for c in (a if isinstance(a, tuple) else (a,))} | self.summed
        if (
            isinstance(named, str)
            and named not in used
            and self.labels.axes.of(n)[axis] not in (self.labels.contracted)
        ):
            return named
        return next(c for c in "abcdfguv" if c not in used)

    def under(self, letters: list[str]) -> Writer:
        """The same writer inside a sum over these letters."""
        inner = Writer.__new__(Writer)
        inner.__dict__.update(self.__dict__)
        inner.summed = self.summed | frozenset(letters)
        return inner


def _together(label: Label) -> str:
    """The letters of an axis that is made of several."""
    if isinstance(label, tuple):
        return f"({','.join(label)})"
    return ROWS[label] if isinstance(label, int) else str(label)


def below(i: Node, n: Node, want: Labelled) -> Labelled:
    """The labels that an operand has when the result has `want`: axes count from the right."""
    lead = len(n.shape) - len(i.shape)
    return tuple(want[a + lead] if s == n.shape[a + lead] else None for a, s in enumerate(i.shape))


def ordered(letters: Iterable[str]) -> list[str]:
    """Samples first."""
    return sorted(letters, key=lambda c: (c != "n", c))


_INDEX = re.compile(r"(.*\})_\{([a-z](?:[+-]1|=\d+)?(?:,[a-z](?:[+-]1|=\d+)?)*)\}", re.DOTALL)


def indexed(p: Piece, items: list[str]) -> Piece:
    """p with an index."""
    before = _INDEX.fullmatch(p.tex)
    if before and before[1].startswith("{"):  # one index more
        return atom(f"{before[1]}_{{{before[2]},{','.join(items)}}}")
    return atom(f"{fit(p, Binds.ATOM, signed=False, base=True)}_{{{','.join(items)}}}")


def transposed(p: Piece) -> Piece:
    """pᵀ"""
    return Piece(f"{fit(p, Binds.ATOM, signed=False, base=True)}^{{T}}", Binds.POWER)


def over(labels: list[Label]) -> str:
    """What a sum runs over: letters, and i, j, k for rows 0, 1, 2."""
    letters = [
        c for a in labels for c in (a if isinstance(a, tuple) else (a,)) if isinstance(c, str)
    ]
    rows = [ROWS[a] for a in labels if isinstance(a, int)]
    return ",".join([*ordered(letters), *rows])


def constant(n: Node) -> str | None:
    """A number that a node is everywhere, as TeX."""
    v = value_of(n)
    return None if v is None else number(v)


Form = Callable[[Writer, Node, Labelled], Piece | None]
#: Ops whose axes are moved, summed or contracted. Filled by the files beside this one.
FORMS: dict[str, Form] = {}


def form(*names: str) -> Callable[[Form], Form]:
    """This function writes these ops."""

    def add(f: Form) -> Form:
        FORMS.update(dict.fromkeys(names, f))
        return f

    return add
