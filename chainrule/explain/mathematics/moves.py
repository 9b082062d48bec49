"""What only moves numbers: most of it vanishes, because rows and letters say it already."""

from __future__ import annotations

from chainrule import ops
from chainrule.explain.mathematics.axes import groups
from chainrule.explain.mathematics.labels import ROWS, Label, Labelled, letters_of
from chainrule.explain.mathematics.products import level
from chainrule.explain.mathematics.texts import visible
from chainrule.explain.mathematics.writer import Writer, below, form, indexed, over, transposed
from chainrule.explain.printing.template import Binds
from chainrule.explain.printing.write import Piece, atom, brackets, fit, value_of
from chainrule.ir.node import Node


@form("permute")
def _permute(w: Writer, n: Node, want: Labelled) -> Piece:
    inner: list[Label] = [None] * len(want)
    for k, a in enumerate(n.attr("order")):
        inner[a] = want[k]
    return w.see(n.inputs[0], tuple(inner))


@form("broadcast_to")
def _broadcast(w: Writer, n: Node, want: Labelled) -> Piece:
    return w.see(n.inputs[0], below(n.inputs[0], n, want))


# ---------------------------------------------------------------------- reshapes


@form("reshape")
def _reshape(w: Writer, n: Node, want: Labelled) -> Piece:
    (x,) = n.inputs
    if value_of(x) is not None:
        return w.see(x, (None,) * len(x.shape))
    natural = w.natural(x)
    inner: list[Label] = [None] * len(x.shape)
    merged: list[tuple[list[int], list[int]]] = []
    for ins, outs in groups(x.shape, n.shape):
        if len(ins) == len(outs) == 1:
            inner[ins[0]] = want[outs[0]]
        elif len(outs) == 1 and _fits(w, x, ins, want[outs[0]], inner):
            continue
        elif (
            len(ins) == 1
            and all(isinstance(want[b], (str, tuple)) for b in outs)
            and (isinstance(natural[ins[0]], tuple))
        ):
            inner[ins[0]] = tuple(letters_of(want[b] for b in outs))
        else:
            merged.append((ins, outs))
    if not merged:
        return w.see(x, tuple(inner))
    if len(merged) > 1:  # one group after the other
        shape: list[int] = []
        for ins, outs in groups(x.shape, n.shape):
            shape += (
                [n.shape[b] for b in outs] if ins == merged[0][0] else [x.shape[a] for a in ins]
            )
        first = ops.reshape(x, shape=tuple(shape))
        w.labels.axes.of(first)
        if x in w.labels.active:
            w.labels.active.add(first)
        return w.see(ops.reshape(first, shape=n.shape), want)
    ((ins, outs),) = merged
    return _regroup(w, n, want, inner, ins, outs)


def _fits(w: Writer, x: Node, ins: list[int], label: Label, inner: list[Label]) -> bool:
    """Whether an axis is named by the letters of those that it is made of."""
    terms = [w.labels.axes.of(x)[a] for a in ins]
    if not isinstance(label, tuple) or len(label) != sum(map(len, terms)):
        return False
    rest = list(label)
    for a, t in zip(ins, terms, strict=True):
        part, rest = rest[: len(t)], rest[len(t) :]
        inner[a] = part[0] if len(part) == 1 else tuple(part)
    return True


def _regroup(
    w: Writer, n: Node, want: Labelled, inner: list[Label], ins: list[int], outs: list[int]
) -> Piece:
    """vec, split, or both: one group of axes becomes another."""
    (x,) = n.inputs
    taken = [v for a, v in enumerate(inner) if a not in ins]
    for a, v in enumerate(inner):  # rows beside the group get letters for the time being
        if isinstance(v, int):
            inner[a] = w.letter(x, a, (*taken, *want))
            taken.append(inner[a])
    have = _moved(x, n, inner, want, outs)
    items, parts = _items(w, x, ins, inner, taken), _parts(w, n, outs, want, have)
    natural = w.natural(x)
    turned = any(
        isinstance(v, int) and isinstance(u, str) for v, u in zip(natural, inner, strict=True)
    )
    if turned and x not in w.names and sum(isinstance(v, int) for v in natural) == 2:
        p = w.convert(w.see(x, natural), natural, tuple(inner))
    else:
        p = w.see(x, tuple(inner))
    same = [a for a in ins if a in level(x)]
    if same:  # an image that is repeated: every place several times
        ones = ",".join(
            f"{ROWS[v] if isinstance(v := inner[a], int) else v}={x.shape[a]}" for a in same
        )
        p = Piece(
            rf"\mathbf{{1}}_{{{ones}}} \odot {fit(p, Binds.POWER, signed=False)}", Binds.PRODUCT
        )
    while items and parts and items[-1] == parts[-1] and items[-1][0] not in ROWS:
        items.pop()  # these letters stay as they are
        parts.pop()
    while items and parts and items[0] == parts[0] and items[0][0] not in ROWS:
        del items[0], parts[0]
    letters = [c for c, _ in items]
    if len(items) > 1:
        named = rf"\operatorname{{vec}}_{{{','.join(letters)}}}"
        if len(items) == 2 and letters[1] == ROWS[0] and letters[0] not in ROWS:
            named = rf"\operatorname{{concat}}_{{{letters[0]}}}"
        p = atom(named + brackets(p.tex))
    elif items and items[0][0] not in ROWS:  # one letter becomes a row
        p = w.convert(p, (items[0][0],), (0,))
    if len(parts) > 1:
        said = ",".join(f"{c}={size}" for c, size in parts)
        p = atom(rf"\operatorname{{split}}_{{{said}}}{brackets(p.tex)}")
    elif parts and parts[0][0] not in ROWS:  # and one row a letter
        p = indexed(p, [parts[0][0]])
    return w.convert(p, tuple(have), want)


def _items(
    w: Writer, x: Node, ins: list[int], inner: list[Label], taken: list[Label]
) -> list[tuple[str, int]]:
    """What a group of axes is read as before it is put together: letters, and rows."""
    natural, terms = w.natural(x), w.labels.axes.of(x)
    out: list[tuple[str, int]] = []
    row = 0
    for a in ins:
        v = natural[a]
        if isinstance(v, tuple) and len(v) == len(terms[a]) and not {*v} & {*taken}:
            inner[a] = v
            out += zip(v, (w.labels.axes.sizes[t] for t in terms[a]), strict=True)
        elif isinstance(v, str) and v not in taken:
            inner[a] = v
            out.append((v, x.shape[a]))
        else:
            inner[a] = row
            out.append((ROWS[row], x.shape[a]))
            row += 1
    return out


def _parts(
    w: Writer, n: Node, outs: list[int], want: Labelled, have: list[Label]
) -> list[tuple[str, int]]:
    """What a group of axes becomes."""
    terms = w.labels.axes.of(n)
    out: list[tuple[str, int]] = []
    row = 0
    for b in outs:
        v = want[b]
        if isinstance(v, tuple) and len(v) == len(terms[b]):
            have[b] = v
            out += zip(v, (w.labels.axes.sizes[t] for t in terms[b]), strict=True)
        elif isinstance(v, str):
            have[b] = v
            out.append((v, n.shape[b]))
        else:
            have[b] = row
            out.append((ROWS[row], n.shape[b]))
            row += 1
    return out


def _moved(x: Node, n: Node, inner: list[Label], want: Labelled, outs: list[int]) -> list[Label]:
    """The labels of the result that come straight from the operand."""
    have: list[Label] = [None] * len(n.shape)
    for ins, b in groups(x.shape, n.shape):
        if len(ins) == len(b) == 1:
            have[b[0]] = inner[ins[0]]
        elif b != outs:
            for o in b:
                have[o] = want[o]
    return have


# ---------------------------------------------------------------------- parts


@form("slice")
def _slice(w: Writer, n: Node, want: Labelled) -> Piece | None:
    (x,) = n.inputs
    if value_of(x) is not None:
        return w.see(x, (None,) * len(x.shape))
    natural = w.natural(x)
    inner = list(want)
    cuts: dict[int, tuple[int, int, int]] = {}
    steps = zip(n.attr("start"), n.attr("stop"), n.attr("step"), strict=True)
    for a, (start, stop, step) in enumerate(steps):
        whole = range(start, stop, step)
        if len(whole) == x.shape[a] and step == 1:
            continue
        cuts[a] = start, len(whole), step
    for a, (_, length, _) in cuts.items():
        if length == 1 or inner[a] is None:
            inner[a] = None
    for a in cuts:
        if inner[a] is None:
            v = natural[a]
            if isinstance(v, int):
                v = next(r for r in range(9) if r not in inner)
            elif v is None or v in inner:
                v = w.letter(x, a, tuple(inner))
            inner[a] = v
    rows = sorted({v for v in inner if isinstance(v, int)})
    if rows != list(range(len(rows))):  # a row vector, of which a part is taken
        again = [None if v is None else rows.index(v) if isinstance(v, int) else v for v in inner]
        p = w.see(x, tuple(again))
        inner = again
    else:
        p = w.see(x, tuple(inner))
    items = {r: ":" for r in range(len(rows))}
    named: list[str] = []
    have = list(inner)
    for a, (start, length, step) in cuts.items():
        said = _range(start, length, step)
        if isinstance(inner[a], int):
            items[inner[a]] = said  # type: ignore[index]  # an int
        else:
            named.append(f"{over([inner[a]])}={said}")
        if length == 1:
            have[a] = None
    listed = [items[r] for r in range(len(rows))]
    while listed and listed[-1] == ":":
        listed.pop()
    p = indexed(p, [*listed, *named])
    left = sorted({v for v in have if isinstance(v, int)})
    have = [left.index(v) if isinstance(v, int) else v for v in have]
    return w.convert(p, tuple(have), want)


def _range(start: int, length: int, step: int) -> str:
    """From one place to another, counted from 1."""
    if length == 1:
        return str(start + 1)
    last = start + (length - 1) * step + 1
    return f"{start + 1}:{last}" if step == 1 else f"{start + 1}:{step}:{last}"


@form("slice_update", "pad")
def _placed(w: Writer, n: Node, want: Labelled) -> Piece | None:
    """Zeros around a part: its gradient, or padding."""
    if n.op.name == "pad":
        x, value = n.inputs[0], n.attr("value")
        low, high = n.attr("low"), n.attr("high")
    else:
        base, x = n.inputs
        value = value_of(base)
        if value is None or any(s != 1 for s in n.attr("step")):
            return None
        low = n.attr("start")
        high = tuple(t - s - m for t, s, m in zip(n.shape, low, x.shape, strict=True))
    inner = list(want)
    said: list[str] = []
    for a, (before, after) in enumerate(zip(low, high, strict=True)):
        if before or after:
            label = want[a]
            if x.shape[a] == 1:
                inner[a] = None
            name = ROWS[label] if isinstance(label, int) else over([label])
            said.append(f"{name}={before}|{after}")
    p = w.see(x, tuple(inner))
    mark = "" if value == 0 else f"^{{{value}}}"
    return atom(rf"\operatorname{{pad}}{mark}_{{{','.join(said)}}}{brackets(p.tex)}")


@form("cat")
def _cat(w: Writer, n: Node, want: Labelled) -> Piece:
    axis = n.attr("axis")
    if len(n.inputs) == 1:
        return w.see(n.inputs[0], want)
    return _stacked(w, [(x, want) for x in n.inputs], want, axis)


def _stacked(w: Writer, parts: list[tuple[Node, Labelled]], want: Labelled, axis: int) -> Piece:
    label = want[axis]
    shown = [fit(w.see(x, labels), Binds.RELATION) for x, labels in parts]
    inside = "; ".join(shown)
    alone = label == 0 and all(v in (0, None) or isinstance(v, (str, tuple)) for v in want)
    if alone and visible(inside) > 60:
        rows = r" \\ ".join(shown)
        return atom(rf"\begin{{bmatrix}}{rows}\end{{bmatrix}}")
    if label == 0 and all(v in (0, None) or isinstance(v, (str, tuple)) for v in want):
        return atom(rf"\left[{inside}\right]")
    name = ROWS[label] if isinstance(label, int) else over([label])
    return atom(rf"\operatorname{{cat}}_{{{name}}}{brackets(inside)}")


@form("add")
def _add(w: Writer, n: Node, want: Labelled) -> Piece:
    """Parts of one vector that were put back one by one stand under each other again."""
    parts = _summands(n)
    axis = _filled(parts)
    if axis is not None:
        parts.sort(key=lambda x: x.attr("start")[axis])
        return _stacked(w, [(x.inputs[1], want) for x in parts], want, axis)
    return w.elementwise(n, want)


def _summands(n: Node) -> list[Node]:
    out: list[Node] = []
    stack = [n]
    while stack:
        x = stack.pop()
        if x.op.name == "add" and (x is n or x.shape == n.shape):
            stack += x.inputs
        else:
            out.append(x)
    return out


def _filled(parts: list[Node]) -> int | None:
    """The axis along which these parts fill the whole."""
    if not all(p.op.name == "slice_update" and value_of(p.inputs[0]) == 0 for p in parts):
        return None
    axes = {
        a for p in parts for a, (s, t) in enumerate(zip(p.shape, p.inputs[1].shape, strict=True))
        if s != t
    }  # fmt: skip
    if len(axes) != 1:
        return None
    (axis,) = axes
    at = sorted((p.attr("start")[axis], p.inputs[1].shape[axis]) for p in parts)
    place = 0
    for start, length in at:
        if start != place:
            return None
        place += length
    step_one = all(p.attr("step")[axis] == 1 for p in parts)
    return axis if step_one and place == parts[0].shape[axis] else None


# ---------------------------------------------------------------------- computed places


@form("take")
def _take(w: Writer, n: Node, want: Labelled) -> Piece:
    x, index = n.inputs
    axis, k = n.attr("axis"), len(index.shape)
    places = _lettered(w, index, want[axis : axis + k], want)
    outside = [*want[:axis], *want[axis + k :]]
    rows = iter(range(1, 9))
    inner: list[Label] = [next(rows) if isinstance(v, int) else v for v in outside]
    p = w.see(x, (*inner[:axis], 0, *inner[axis:]))
    p = indexed(p, [_place(w, index, places)])
    have = [v - 1 if isinstance(v, int) else v for v in inner]
    return w.convert(p, (*have[:axis], *places, *have[axis:]), want)


def _lettered(w: Writer, index: Node, asked: Labelled, want: Labelled) -> Labelled:
    """The letters of a tensor of places."""
    natural = w.natural(index)
    return tuple(
        next((c for c in (v, u) if isinstance(c, (str, tuple))), None)
        or (None if v is None else w.letter(index, a, want))
        for a, (v, u) in enumerate(zip(asked, natural, strict=True))
    )


def _place(w: Writer, index: Node, labels: Labelled) -> str:
    """A place that was computed, or given: a class y_n, a word x_{n,t}."""
    inside = w.under(list(letters_of(labels)))
    p = inside.see(index, labels)
    return p.tex if p.binds == Binds.ATOM else f"({p.tex})"


@form("take_along")
def _take_along(w: Writer, n: Node, want: Labelled) -> Piece | None:
    x, index = n.inputs
    axis = n.attr("axis")
    if index.shape[axis] != 1:
        return None
    rows = iter(range(1, 9))
    inner: list[Label] = [next(rows) if isinstance(v, int) else v for v in want]
    natural = w.natural(x)
    inner = [
        natural[a] if v is None and x.shape[a] != 1 and a != axis else v
        for a, v in enumerate(inner)
    ]
    inner[axis] = 0
    places = tuple(None if a == axis else v for a, v in enumerate(inner))
    p = indexed(w.see(x, tuple(inner)), [_place(w, index, places)])
    have = [v - 1 if isinstance(v, int) else v for v in inner]
    have[axis] = None
    return w.convert(p, tuple(have), want)


@form("scatter", "put")
def _written(w: Writer, n: Node, want: Labelled) -> Piece | None:
    """v times the unit vector of a place; for a table, the sum over all that was looked up."""
    base, index, value = n.inputs
    axis = n.attr("axis")
    if value_of(base) != 0:
        return None
    if n.op.name == "scatter":
        if index.shape[axis] != 1:
            return None
        places: Labelled = tuple(None if a == axis else v for a, v in enumerate(want))
        if any(isinstance(v, int) for v in places):
            return None
        unit = atom(rf"\mathbf{{e}}^{{{n.shape[axis]}}}_{{{_place(w, index, places)}}}")
        p = w.see(value, places)
        if isinstance(want[axis], int):
            body = p.tex[1:] if p.signed else fit(p, Binds.PRODUCT, joined=True)
            sign = "-" if p.signed else ""
            if body == "1":
                made = Piece(sign + unit.tex, Binds.SUM if sign else Binds.ATOM)
            else:
                made = Piece(f"{sign}{body} {unit.tex}", Binds.SUM if sign else Binds.PRODUCT)
            return transposed(made) if want[axis] == 1 else made
        return None
    letters = tuple(
        v if isinstance(v, (str, tuple)) else w.letter(index, a, want)
        for a, v in enumerate(w.natural(index))
    )
    others = [v for a, v in enumerate(want) if a != axis]
    if want[axis] != 0 or len([v for v in others if isinstance(v, int)]) > 1:
        return None
    inside = w.under(list(letters_of(letters)))
    unit = atom(rf"\mathbf{{e}}^{{{n.shape[axis]}}}_{{{_place(w, index, letters)}}}")
    inner = [0 if isinstance(v, int) else v for v in others]
    p = inside.see(value, (*inner[:axis], *letters, *inner[axis:]))
    right = transposed(p) if 0 in inner else p
    body = f"{unit.tex} {fit(right, Binds.POWER, signed=False)}"
    return Piece(rf"\sum_{{{over(list(letters))}}} {body}", Binds.BIG)
