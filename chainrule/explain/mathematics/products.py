"""Products and reductions: A B, Σ_n δ_n a_nᵀ, W ⋆ x, softmax, means."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping

from chainrule.explain.mathematics.axes import groups
from chainrule.explain.mathematics.labels import ROWS, Label, Labelled, letters_of
from chainrule.explain.mathematics.writer import Writer, form, over, transposed
from chainrule.explain.printing.template import Binds
from chainrule.explain.printing.write import Piece, atom, brackets, fit, number, value_of
from chainrule.ir.node import Node


@form("matmul", "linear")
def _inside(w: Writer, n: Node, want: Labelled) -> Piece:
    return w.see(n.op.expand(n), want)


@form("contract")
def _contract(w: Writer, n: Node, want: Labelled) -> Piece:
    a, b = n.inputs
    left, out = n.attr("spec").split("->")
    la, lb = left.split(",")
    asked = dict(zip(out, want, strict=True))
    na, nb = dict(zip(la, w.natural(a), strict=True)), dict(zip(lb, w.natural(b), strict=True))
    summed: dict[str, Label] = {}
    inner: list[str] = []
    for c in la:
        if c in lb and c not in out:
            if isinstance(na[c], int) and isinstance(nb[c], int):
                inner.append(c)
            elif isinstance(na[c], (str, tuple)) and isinstance(nb[c], (str, tuple)):
                summed[c] = na[c]
            elif (a not in w.labels.active and isinstance(na[c], int)) or (
                b not in w.labels.active and isinstance(nb[c], int)
            ):
                inner.append(c)
            else:
                summed[c] = na[c] if isinstance(na[c], (str, tuple)) else nb[c]
    taken = {*letters_of(asked.values()), *w.summed}
    for c, v in summed.items():
        if set(letters_of([v])) & taken:  # a sum over places that gives places
            summed[c] = next(f for f in "stuvabdfg" if f not in taken)
        taken |= set(letters_of([summed[c]]))
    rows = {c: v for c, v in asked.items() if isinstance(v, int)}
    shared = [c for c in rows if c in la and c in lb]
    ra, rb = [c for c in rows if c not in lb], [c for c in rows if c not in la]
    inside = w.under(list(letters_of(summed.values())))

    def labels(letters: str, own: Mapping[str, Label]) -> Labelled:
        return tuple(own.get(c, summed.get(c, asked.get(c))) for c in letters)

    if len(inner) > 1 or (inner and shared) or len(ra) > 1 or len(rb) > 1 or len(rows) > 2:
        return _by_letters(w, n, want)
    if not inner:
        if ra and rb and not shared:
            (p,), (q,) = ra, rb
            first = inside.see(a, labels(la, {p: 0}))
            second = inside.see(b, labels(lb, {q: 0}))
            if rows[p] > rows[q]:
                first, second = second, first
            return _total(summed, _times(first, transposed(second)))
        if shared and (ra or rb):
            return _by_letters(w, n, want)
        p1, p2 = inside.see(a, labels(la, rows)), inside.see(b, labels(lb, rows))
        return _total(summed, _each(p1, p2, bool(shared)))
    (k,) = inner
    ins = (a, la, ra), (b, lb, rb)
    if (rb and rows[rb[0]] == 0) or (ra and rows[ra[0]] == 1):
        ins = ins[::-1]
    (x, lx, rx), (y, ly, ry) = ins
    first = inside.see(x, labels(lx, {rx[0]: 0, k: 1} if rx else {k: 0}))
    if not rx:
        first = transposed(first)
    second = inside.see(y, labels(ly, {k: 0, **({ry[0]: 1} if ry else {})}))
    return _total(summed, _times(first, second))


def _by_letters(w: Writer, n: Node, want: Labelled) -> Piece:
    """Every axis with a letter: what no product of two matrices says."""
    a, b = n.inputs
    left, out = n.attr("spec").split("->")
    la, lb = left.split(",")
    taken = [v for v in (*want, *w.natural(a), *w.natural(b)) if v is not None]
    used = {*letters_of(taken), *w.summed}
    free = iter([c for c in "abcdfguvlo" if c not in used])
    letters: dict[str, Label] = {}
    for c, v in zip(out, want, strict=True):
        letters[c] = v if isinstance(v, (str, tuple)) else next(free)
    summed: dict[str, Label] = {}
    for c in la:
        if c not in letters:
            named = w.natural(a)[la.index(c)]
            fit_in = isinstance(named, (str, tuple)) and named not in letters.values()
            letters[c] = summed[c] = named if fit_in else next(free)
    inside = w.under(list(letters_of(summed.values())))
    p = inside.see(a, tuple(letters[c] for c in la))
    q = inside.see(b, tuple(letters[c] for c in lb))
    have = tuple(letters[c] for c in out)
    return w.convert(_total(summed, _times(p, q)), have, want)


def _loose(tex: str) -> bool:
    """Whether a product element by element stands outside of all brackets."""
    depth = 0
    for token in re.findall(r"\\left|\\right|\\odot|[{}()\[\]]", tex):
        depth += (token in "{([") - (token in "})]")
        if token == r"\odot" and not depth:
            return True
    return False


def _times(a: Piece, b: Piece) -> Piece:
    left = brackets(a.tex) if _loose(a.tex) else fit(a, Binds.PRODUCT, joined=True)
    return Piece(f"{left} {fit(b, Binds.POWER, signed=False)}", Binds.PRODUCT)


def _each(a: Piece, b: Piece, rows: bool) -> Piece:
    if not rows:
        return Piece(
            rf"{fit(a, Binds.PRODUCT)} \cdot {fit(b, Binds.POWER, signed=False)}", Binds.PRODUCT
        )
    return Piece(
        rf"{fit(a, Binds.PRODUCT)} \odot {fit(b, Binds.POWER, signed=False)}", Binds.PRODUCT
    )


def _total(summed: dict[str, Label], body: Piece) -> Piece:
    if not summed:
        return body
    return Piece(rf"\sum_{{{over(list(summed.values()))}}} {fit(body, Binds.PRODUCT)}", Binds.BIG)


# ---------------------------------------------------------------------- convolution


@form("conv")
def _conv(w: Writer, n: Node, want: Labelled) -> Piece:
    x, kernel = n.inputs
    k = len(n.attr("stride"))
    places = places_of(w, x, 2)
    p = w.see(kernel, tuple(range(len(kernel.shape))))
    q = image(w, x, (want[0], 0, *places))
    made = _times_star(p, q, r"\star", star(n))
    return w.convert(made, (want[0], 0, *places), (want[0], want[1], *want[2 : 2 + k]))


def places_of(w: Writer, n: Node, lead: int) -> Labelled:
    """The letters of the places of an image: also if it was put together from parts."""
    labels = w.natural(n)[lead:]
    usual = "t" if len(labels) == 1 else "pqr"
    return tuple(usual[k] if isinstance(v, (tuple, int)) else v for k, v in enumerate(labels))


def star(n: Node) -> str:
    """Stride s, padding p, dilation d, groups g of a convolution, where not 1, 0, 1, 1."""
    turned = n.op.name == "conv_transpose"
    low, high = (n.attr("padding"),) * 2 if turned else (n.attr("low"), n.attr("high"))
    said = []
    if any(s != 1 for s in n.attr("stride")):
        said.append(f"s={_same(n.attr('stride'))}")
    if any(low) or any(high):
        said.append(f"p={_same(low)}" if low == high else f"p={_same(low)}|{_same(high)}")
    if any(s != 1 for s in n.attr("dilation")):
        said.append(f"d={_same(n.attr('dilation'))}")
    if n.attr("groups") != 1:
        said.append(f"g={n.attr('groups')}")
    return ";".join(said)


def _same(values: tuple[int, ...]) -> str:
    return str(values[0]) if len(set(values)) == 1 else r"\times".join(map(str, values))


def _times_star(a: Piece, b: Piece, sign: str, index: str) -> Piece:
    sign += f"_{{{index}}}" if index else ""
    return Piece(
        f"{fit(a, Binds.POWER, signed=False)} {sign} {fit(b, Binds.POWER, signed=False)}",
        Binds.PRODUCT,
    )


Shown = Callable[[Writer, Labelled], Piece]


def level(n: Node) -> set[int]:
    """Axes along which a value is the same everywhere."""
    rank = len(n.shape)
    if n.op.name == "const":
        return set()
    if n.op.name == "broadcast_to":
        (x,) = n.inputs
        lead = rank - len(x.shape)
        same = {a + lead for a in level(x)}
        return same | {
            a for a, s in enumerate(n.shape) if s > 1 and (a < lead or x.shape[a - lead] != s)
        }
    if n.op.name == "permute":
        inner = level(n.inputs[0])
        return {k for k, a in enumerate(n.attr("order")) if a in inner}
    if n.op.name == "reshape":
        inner = level(n.inputs[0])
        pairs = groups(n.inputs[0].shape, n.shape)
        return {b[0] for a, b in pairs if len(a) == len(b) == 1 and a[0] in inner}
    if n.op.elementwise:
        found = set(range(rank))
        for i in n.inputs:
            lead = rank - len(i.shape)
            ones = {a for a in range(rank) if a < lead or i.shape[a - lead] == 1}
            found &= ones | {a + lead for a in level(i)}
        return {a for a in found if n.shape[a] > 1}
    return set()


def image(w: Writer, n: Node, want: Labelled, *, named: bool = False) -> Piece:
    """A value with its places, even if it is the same at all of them. `named`: it gets a name, so
    that its other axes are to be there as well."""
    p = w.right(n, want) if named else w.see(n, want)
    kinds = (str, int) if named else (str,)
    first = 0 if named else 2
    same = [a for a in sorted(level(n)) if a >= first and isinstance(want[a], kinds)]
    if not same:
        return p
    letters = [ROWS[v] if isinstance(v := want[a], int) else v for a in same]
    ones = ",".join(f"{c}={n.shape[a]}" for c, a in zip(letters, same, strict=True))
    tex = rf"\mathbf{{1}}_{{{ones}}}"
    if p.tex == "1":
        return atom(tex)
    return Piece(rf"{tex} \odot {fit(p, Binds.POWER, signed=False)}", Binds.PRODUCT)


@form("conv_transpose")
def _conv_transpose(w: Writer, n: Node, want: Labelled) -> Piece:
    x, kernel = n.inputs
    places = places_of(w, x, 2)
    p = w.see(kernel, tuple(range(len(kernel.shape))))
    q = w.see(x, (want[0], 0, *places))
    made = _times_star(p, q, r"\star^{T}", _sized(n, n.shape[2:]))
    return w.convert(made, (want[0], 0, *places), want)


def _sized(n: Node, size: tuple[int, ...]) -> str:
    return ";".join(filter(None, [star(n), r"\times".join(map(str, size))]))


def conv_gradient_input(conv: Node, g: Node, kernel: Node) -> Shown:
    """Wᵀ spread over the places: the transposed convolution. (Of that one, the convolution.)"""

    def written(w: Writer, want: Labelled) -> Piece:
        places = places_of(w, conv, 2)
        p = w.see(kernel, tuple(range(len(kernel.shape))))
        q = image(w, g, (want[0], 0, *places))
        if conv.op.name == "conv":
            made = _times_star(p, q, r"\star^{T}", _sized(conv, conv.inputs[0].shape[2:]))
        else:
            made = _times_star(p, q, r"\star", star(conv))
        return w.convert(made, (want[0], 0, *places), want)

    return written


def conv_gradient_kernel(conv: Node, g: Node, x: Node) -> Shown:
    """The correlation of what came in with what came back."""

    def written(w: Writer, want: Labelled) -> Piece:
        sample = w.natural(conv)[0]
        inside = w.under(list(letters_of([sample])))
        p = image(inside, g, (sample, 0, *places_of(w, conv, 2)))
        q = image(inside, x, (sample, 0, *places_of(w, x, 2)))
        if conv.op.name == "conv_transpose":
            p, q = q, p
        made = _times_star(p, q, r"\circledast", _sized(conv, conv.inputs[1].shape[2:]))
        if sample is not None:
            made = _total({"n": sample}, made)
        return w.convert(made, tuple(range(len(want))), want)

    return written


# ---------------------------------------------------------------------- pooling


def _window(n: Node) -> str:
    low, high = n.attr("low"), n.attr("high")
    said = [r"\times".join(map(str, n.attr("size")))]
    if n.attr("stride") != n.attr("size"):
        said.append(f"s={_same(n.attr('stride'))}")
    if any(low) or any(high):
        said.append(f"p={_same(low)}" if low == high else f"p={_same(low)}|{_same(high)}")
    if any(s != 1 for s in n.attr("dilation")):
        said.append(f"d={_same(n.attr('dilation'))}")
    return ";".join(said)


@form("max_pool", "sum_pool")
def _pool(w: Writer, n: Node, want: Labelled) -> Piece:
    (x,) = n.inputs
    k = len(n.attr("size"))
    lead = len(n.shape) - k
    places = places_of(w, x, lead)
    ins = (*want[:lead], *places)
    name = n.op.name.replace("_", "")
    inside = w.see(x, ins)
    made = atom(rf"\operatorname{{{name}}}_{{{_window(n)}}}{brackets(inside.tex)}")
    return w.convert(made, ins, want)


def pool_gradient(pool: Node, g: Node) -> Shown:
    """Every element back to where it was found."""

    def written(w: Writer, want: Labelled) -> Piece:
        (x,) = pool.inputs
        k = len(pool.attr("size"))
        lead = len(x.shape) - k
        places = places_of(w, pool, lead)
        inside = w.see(g, (*want[:lead], *places)).tex
        name = pool.op.name.replace("_", "")
        if pool.op.name == "max_pool":
            inside += "; " + w.see(x, (*want[:lead], *places_of(w, x, lead))).tex
        else:
            inside += "; " + r"\times".join(str(s) for s in x.shape[lead:])
        made = atom(rf"\operatorname{{{name}}}^{{T}}_{{{_window(pool)}}}{brackets(inside)}")
        return w.convert(made, (*want[:lead], *places_of(w, x, lead)), want)

    return written


@form("div", "mul")
def _mean_pool(w: Writer, n: Node, want: Labelled) -> Piece | None:
    x, count = n.inputs if n.op.name == "div" else n.inputs[::-1]
    if x.op.name != "sum_pool" or value_of(count) is None:
        return None
    share = value_of(count) if n.op.name == "mul" else 1 / value_of(count)
    if abs(share * math.prod(x.attr("size")) - 1) > 1e-15:
        return None
    p = _pool(w, x, want)
    return None if p is None else p._replace(tex=p.tex.replace("sumpool", "avgpool", 1))


# ---------------------------------------------------------------------- reductions


_SIGNS = {"sum": r"\sum", "prod": r"\prod", "amax": r"\max", "amin": r"\min", "mean": r"\sum"}


def _axes(n: Node) -> tuple[int, ...]:
    rank = len(n.inputs[0].shape)
    axis = n.attr("axis")
    if axis is None or axis == ():
        return tuple(range(rank))
    return tuple(a % max(rank, 1) for a in ((axis,) if isinstance(axis, int) else axis))


def reduced_labels(w: Writer, n: Node, want: Labelled) -> tuple[Labelled, list[Label]]:
    """The labels of what is reduced, and of the axes that go."""
    (x,) = n.inputs
    gone = _axes(n)
    kept = iter(
        want if len(want) != len(x.shape) else [v for a, v in enumerate(want) if a not in gone]
    )
    labels: list[Label] = [None if a in gone else next(kept) for a in range(len(x.shape))]
    natural = w.natural(x)
    out: list[Label] = []
    for a in gone:
        if x.shape[a] == 1:
            continue
        v = natural[a]
        if isinstance(v, int) or v is None:
            v = next(r for r in range(9) if r not in labels)
        elif v in labels:
            v = w.letter(x, a, tuple(labels))
        labels[a] = v
        out.append(v)
    return tuple(labels), out


@form("sum", "mean", "prod", "amax", "amin")
def _reduce(w: Writer, n: Node, want: Labelled) -> Piece:
    (x,) = n.inputs
    labels, gone = reduced_labels(w, n, want)
    count = math.prod(x.shape[a] for a in _axes(n))
    if n.op.name in ("sum", "mean") and value_of(x) is not None:
        total = value_of(x) * (count if n.op.name == "sum" else 1)
        return _number(total)
    name = n.op.name
    if not gone:
        return w.see(x, labels)
    inside = w.under(list(letters_of(gone)))
    source, factor = _repeated(x, labels, gone) if name == "sum" else (labels, 1)
    body = inside.see(x, source)
    gone = [g for g in gone if g in source]
    sign = rf"{_SIGNS[name]}_{{{over(gone)}}}"
    needs = Binds.PREFIX if name in ("amax", "amin", "prod") else Binds.PRODUCT
    total_ = Piece(f"{sign} {fit(body, needs)}", Binds.BIG) if gone else body
    if name in ("amax", "amin"):
        total_ = Piece(total_.tex, Binds.PREFIX)
    if factor != 1:
        total_ = Piece(f"{factor} {fit(total_, Binds.BIG)}", min(total_.binds, Binds.PRODUCT))
    if name == "mean":
        return Piece(rf"\frac{{1}}{{{count}}} {fit(total_, Binds.BIG)}", Binds.BIG)
    return total_


def _repeated(x: Node, labels: Labelled, gone: list[Label]) -> tuple[Labelled, int]:
    """A sum over what is the same everywhere is a product."""
    source, factor = list(labels), 1
    if x.op.name == "broadcast_to":
        (y,) = x.inputs
        lead = len(x.shape) - len(y.shape)
        for a, v in enumerate(labels):
            if v in gone and v is not None and (a < lead or y.shape[a - lead] == 1):
                source[a], factor = None, factor * x.shape[a]
    return tuple(source), factor


def _number(value: float) -> Piece:
    tex = number(value)
    return Piece(tex, Binds.SUM if tex.startswith("-") else Binds.POWER)


@form("softmax", "log_softmax", "cumsum", "cumprod")
def _along(w: Writer, n: Node, want: Labelled) -> Piece:
    """Functions of whole rows: of a vector, or of each row of a matrix."""
    label = want[n.attr("axis")]
    rows = [v for v in want if isinstance(v, int)]
    last = label == max(rows, default=None) if isinstance(label, int) else False
    index = "" if last or label is None else f"_{{{over([label])}}}"
    inside = w.see(n.inputs[0], want).tex
    name = {"softmax": "softmax", "log_softmax": "softmax"}.get(n.op.name, n.op.name)
    made = rf"\operatorname{{{name}}}{index}{brackets(inside)}"
    return Piece(rf"\log {made}", Binds.PREFIX) if n.op.name == "log_softmax" else atom(made)


@form("logsumexp")
def _logsumexp(w: Writer, n: Node, want: Labelled) -> Piece:
    labels, gone = reduced_labels(w, n, want)
    body = w.under(list(letters_of(gone))).see(n.inputs[0], labels)
    return Piece(rf"\log \sum_{{{over(gone)}}} e^{{{body.tex}}}", Binds.PREFIX)


# ---------------------------------------------------------------------- normalisation


def moments(n: Node) -> tuple[Node, Node]:
    """The nodes of mean and variance in the formula of `standardize` (for RMS: mean square)."""
    inside = n.op.expand(n)
    while inside.op.name in ("cast", "broadcast_to"):
        inside = inside.inputs[0]
    d, r = inside.inputs
    spread = r.inputs[0].inputs[0]
    return (d.inputs[1] if d.op.name == "sub" else spread), spread


@form("standardize", "rms_standardize")
def _standardize(w: Writer, n: Node, want: Labelled) -> Piece:
    (x,) = n.inputs
    mean, spread = moments(n)
    base = w.see(x, want)
    top = base.tex
    if n.op.name == "standardize":
        top = f"{fit(base, Binds.SUM)} - {fit(w.see(mean, below_one(mean, want)), Binds.BIG)}"
    under = fit(w.see(spread, below_one(spread, want)), Binds.SUM)
    return atom(rf"\frac{{{top}}}{{\sqrt{{{under} + {number(n.attr('eps'))}}}}}")


def below_one(n: Node, want: Labelled) -> Labelled:
    """Labels without those of axes of size 1."""
    return tuple(None if s == 1 else v for s, v in zip(n.shape, want, strict=True))


__all__ = ["ROWS", "conv_gradient_input", "conv_gradient_kernel", "moments", "pool_gradient"]
