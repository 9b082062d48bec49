"""Where NaN and infinity come from: a program run again, operation by operation, on the reference.

From a value that is not finite the way leads back through inputs that are not, to the first
operation that made NaN or infinity out of finite numbers, or to data that had it already. A
composite is entered; what belongs to a gradient rule or to a layer's call is known by `places`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from chainrule.ir.graph import topological
from chainrule.ir.interpret import below
from chainrule.ir.node import Node, TensorType
from chainrule.lines import Line
from chainrule.ops.loop import run_scan
from chainrule.tensor.remedies import remedy

NAN, INF = "NaN", "infinity"


class Place(NamedTuple):
    """Where a node was recorded: the user's operation, the layer's path, the user's lines; and
    whether the node is part of that operation's gradient.
    """

    op: str
    layer: str
    lines: tuple[str, ...]
    gradient: bool = False

    def __str__(self) -> str:
        where = f" of layer {self.layer}" if self.layer else ""
        return f"the gradient of {self.op}{where}" if self.gradient else f"{self.op}{where}"


class Range(NamedTuple):
    """What numbers an array has."""

    name: str
    type: str
    low: float
    high: float
    nans: int
    infinities: int
    size: int
    first: tuple[int, ...]  # where the first is that is not finite

    @classmethod
    def of(cls, name: str, node: Node, value: Any) -> Range:
        """The range of a node's value; of the first, if it has several."""
        array = np.asarray(value[0] if isinstance(value, tuple) else value)
        kind = node.type if isinstance(node.type, TensorType) else node.type[0]
        wide = array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
        finite = np.isfinite(wide)
        known = np.abs(wide[finite]) if array.dtype.kind == "c" else wide[finite]
        low, high = (known.min(), known.max()) if known.size else (np.nan, np.nan)
        bad = np.argwhere(~finite)
        first = tuple(int(i) for i in bad[0]) if len(bad) else ()
        nans = int(np.isnan(wide).sum())
        return cls(
            name, str(kind), float(low), float(high), nans, len(bad) - nans, array.size, first
        )

    def __str__(self) -> str:
        name = f"{self.name} " if self.name else ""
        numbers = f"from {self.low:.6g} to {self.high:.6g}" if self.low == self.low else ""
        counts = [
            f"{n} of {self.size} {what}"
            for n, what in ((self.nans, "NaN"), (self.infinities, "infinite"))
            if n
        ]
        if counts and self.first:
            counts[-1] += f" (the first at [{', '.join(map(str, self.first))}])"
        return f"{name}{self.type} " + ", ".join([*([numbers] if numbers else []), *counts])


class Finding(NamedTuple):
    """What made a value not finite.

    what      NaN or infinity
    op        the operation that made it; "" if it was given
    place     where that stands in the user's program
    output    what it made, or what was given; `inputs` what it was made from
    next      where infinity became NaN: operation and place, if that is another one
    reached   which value that the user sees was not finite
    step      of a loop over time, in which of its steps it was; else ""
    at        the number of the operation in the order in which the program runs
    """

    what: str
    op: str
    place: Place | None
    output: Range
    inputs: tuple[Range, ...]
    next: tuple[str, Place | None] | None
    reached: str
    step: str
    remedy: str
    at: int

    def __str__(self) -> str:
        lines = [self._head()]
        if self.place is not None:
            lines += [f"  {line}" for line in self.place.lines]
        lines += [f"  {name}: {r}" for name, r in zip(self._names(), self.inputs, strict=True)]
        if self.op:
            lines.append(f"  output: {self.output}")
        if self.next is not None:
            op, place = self.next
            lines.append(f"  {op}{_inside(op, place)} then made NaN of it")
        if self.remedy:
            lines.append(f"  Remedy: {self.remedy}")
        return "\n".join(lines)

    def _head(self) -> str:
        reached = f"{self.reached} is not finite: " if self.reached else ""
        if not self.op:
            return f"{reached}{self.output.name} had {self.what} already, {self.output}"
        finite = "finite numbers" if all(map(is_clean, self.inputs)) else "infinite ones"
        step = f", {self.step}" if self.step else ""
        made = f"{self.op} made {self.what} out of {finite}"
        return f"{reached}{made}{step}{_inside(self.op, self.place)}"

    def _names(self) -> list[str]:
        if len(self.inputs) == 1:
            return ["input"]
        return [f"input {i}" for i in range(len(self.inputs))]


def _inside(op: str, place: Place | None) -> str:
    if place is None:
        return ""
    if place.gradient:
        return f", in {place}"
    same = place.op == op
    inside = "" if same else f", in {place.op}"
    return inside + (f", in layer {place.layer}" if place.layer else "")


class _Flags(NamedTuple):
    nan: bool
    inf: bool


_CLEAN = _Flags(False, False)


def _flags(value: Any) -> _Flags:
    parts = value if isinstance(value, tuple) else (value,)
    nan = inf = False
    for part in parts:
        array = np.asarray(part)
        if array.dtype.kind in "fcV" and array.size and not np.isfinite(array).all():
            nan = nan or bool(np.isnan(array).any())
            inf = inf or bool(np.isinf(array).any())
    return _Flags(nan, inf) if nan or inf else _CLEAN


def run(order: Sequence[Node], arrays: Sequence[np.ndarray]) -> Iterator[tuple[Node, Any, Any]]:
    """(node, value, values of its inputs) of each, in order. A value is forgotten after its last
    reader.
    """
    left: dict[Node, int] = {}
    for node in order:
        for i in below(node):
            left[i] = left.get(i, 0) + 1
    values: dict[Node, Any] = {}
    with np.errstate(all="ignore"):
        for node in order:
            sources = below(node)
            given = [values[i] for i in sources]
            if node.op.name == "input":
                values[node] = arrays[node.attr("index")]
            else:
                values[node] = _evaluated(node, given)
            yield node, values[node], given
            for i in sources:
                left[i] -= 1
                if not left[i]:
                    del values[i]


def find(
    outputs: Sequence[Node],
    arrays: Sequence[np.ndarray],
    bad: Sequence[int],
    *,
    reached: Callable[[int], str] = lambda i: "",
    places: Mapping[Node, Place],
    name: Callable[[int], str] = lambda i: "",
    forgives: bool = False,
) -> Finding | None:
    """What made the outputs number `bad` not finite; None, if infinity was given as such.
    `forgives`: NaN that was given is no finding either.
    """
    order = topological(outputs, below=below)
    at = {node: i for i, node in enumerate(order)}
    flags = {node: _flags(value) for node, value, _ in run(order, arrays)}
    made: list[tuple[int, int, Node, str, Node | None]] = []
    for i in bad:
        if flags[outputs[i]] is _CLEAN:
            continue
        maker, what, then = _walk(outputs[i], flags, at)
        if maker.op.name in _GIVEN and (what == INF or forgives):
            continue
        made.append((at[maker], i, maker, what, then))
    if all(flags[outputs[i]] is _CLEAN for i in bad):
        return _otherwise(outputs[bad[0]], reached(bad[0]))
    if not made:
        return None
    number, i, maker, what, then = min(made, key=lambda m: m[0])
    within = inherited(order, places)
    value, given = next((v, g) for n, v, g in run(order, arrays) if n is maker)
    if maker.op.name in _GIVEN:
        title = _name(maker, name) or ("an input" if maker.op.name == "input" else "a constant")
        output = Range.of(title, maker, value)
        place = within.get(maker) if maker.op.name == "const" else None
        return Finding(
            what, "", place, output, (), None, reached(i), "", _given_remedy(output), number
        )
    place = within.get(maker)
    step = ""
    inner = _in_loop(maker, given) if maker.op.name == "scan" else None
    if inner is not None:
        maker, value, given, step = inner
    inputs = tuple(Range.of(_name(n, name), n, v) for n, v in zip(maker.inputs, given, strict=True))
    after = None if then is None else (then.op.name, within.get(then))
    return Finding(
        what, maker.op.name, place, Range.of("", maker, value), inputs, after, reached(i), step,
        remedy(
            maker.op.name,
            place.op if place is not None and place.gradient else "",
            grown=any(_is_large(r, n) for r, n in zip(inputs, maker.inputs, strict=True)),
            infinite=any(r.infinities for r in inputs),
        ),
        number,
    )  # fmt: skip


#: Nodes whose value is not computed from others.
_GIVEN = frozenset({"input", "const"})


def _walk(
    node: Node, flags: Mapping[Node, _Flags], at: Mapping[Node, int]
) -> tuple[Node, str, Node | None]:
    """The node behind a value that is not finite which made NaN or infinity out of finite numbers,
    or was given; which of the two; and what made NaN out of its infinity.
    """
    what, then = (NAN if flags[node].nan else INF), None
    while True:
        sources = below(node)
        field = "nan" if what == NAN else "inf"
        worse = [n for n in sources if getattr(flags[n], field)]
        if worse:
            node = min(worse, key=lambda n: at[n])
            continue
        infinite = [n for n in sources if flags[n].inf]
        if what == NAN and infinite:
            for n in infinite:
                maker, _, _ = _walk(n, {m: _Flags(False, f.inf) for m, f in flags.items()}, at)
                if maker.op.name not in _GIVEN:
                    return maker, INF, node
        return node, what, then


def _in_loop(node: Node, given: Sequence[Any]) -> tuple[Node, Any, list[Any], str] | None:
    """Inside a loop over time: the operation, what it made of what, and in which step."""
    body = node.attr("body")
    carries, sequences = node.attr("carries"), node.attr("sequences")
    order = topological(body.outputs, below=below)
    found: list[tuple[Node, Any, list[Any], str]] = []
    number = 0
    inputs = list(body.inputs)

    def step(values: list[Any]) -> list[Any]:
        nonlocal number
        number += 1
        bound = dict(zip(inputs, values, strict=True))
        made: dict[Node, Any] = {}
        for n in order:
            sources = [made[i] for i in below(n)]
            made[n] = bound[n] if n in bound else _evaluated(n, sources)
            bad = not found and n.op.is_primitive and n not in bound and _flags(made[n]) != _CLEAN
            if bad and all(_flags(v) == _CLEAN for v in sources):
                found.append((n, made[n], sources, f"in step {number} of the loop"))
        return [made[o] for o in body.outputs]

    types = [TensorType(o.shape, o.dtype) for o in body.outputs]
    with np.errstate(all="ignore"):
        run_scan(step, given, types, carries, sequences, node.attr("reverse"))
    return found[0] if found else None


def _evaluated(node: Node, sources: list[Any]) -> Any:
    if node.op.is_primitive:
        return node.op.evaluate(node, sources)
    return sources[0] if isinstance(node.type, TensorType) else tuple(sources)


def _otherwise(output: Node, reached: str) -> Finding:
    """Machine code gave NaN or infinity, the reference does not."""
    nothing = Range("", str(output.type), np.nan, np.nan, 0, 0, 0, ())
    advice = (
        "NumPy gives finite numbers, operation by operation: they are near the end of their type, "
        "or the compiler is wrong (chainrule.check(model, batch) compares both)"
    )
    return Finding(NAN, "machine code", None, nothing, (), None, reached, "", advice, -1)


def _name(node: Node, name: Callable[[int], str]) -> str:
    known = node.op.name == "input" and "scope" not in dict(node.attrs)  # not of a loop's body
    return name(node.attr("index")) if known else ""


def _is_large(r: Range, node: Node) -> bool:
    kind = node.type if isinstance(node.type, TensorType) else node.type[0]
    if not kind.dtype.is_floating_point or r.low != r.low:
        return False
    top = {2: 6.5e4 if kind.dtype.name == "float16" else 3e38, 4: 3e38, 8: 1e308}
    return max(abs(r.low), abs(r.high)) > top[kind.dtype.itemsize] ** 0.45


def _given_remedy(r: Range) -> str:
    if r.name.startswith(("parameter", "buffer")):
        return (
            "it was not finite before this step: load a checkpoint from before, and keep the guard "
            "on from the first step"
        )
    row = f"; row {r.first[0]} is the first" if r.first else ""
    return f"clean the data: x[x.isfinite().flatten(1).all(1)], or nan_to_num(){row}"


def inherited(order: Sequence[Node], places: Mapping[Node, Place]) -> dict[Node, Place]:
    """Each node's place: its own, or that of its first user."""
    found = dict(places)
    for node in reversed(order):
        place = found.get(node)
        if place is not None:
            for n in below(node):
                found.setdefault(n, place)
    return found


def is_clean(r: Range) -> bool:
    """Whether all numbers are finite."""
    return not (r.nans or r.infinities)


def lines_of(lines: Sequence[Line]) -> tuple[str, ...]:
    """The user's lines as they are told."""
    return tuple(
        f"{'from' if i else 'at'} {line.file}:{line.number}"
        + (f", in {line.function}" if line.function != "<module>" else "")
        + (f": {line.text}" if line.text else "")
        for i, line in enumerate(lines)
    )
