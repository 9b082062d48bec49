"""A reader of the TeX that `explain.math` prints: it evaluates while it reads.

sum       product ± product …          product   juxtaposed ⊙ juxtaposed …   (⊙, · bind less)
juxta     factor factor …, W ⋆ x       factor    number, symbol, (…), f(…), fraction, Σ …
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from chainrule.explain.reading.values import (
    Label,
    Value,
    along,
    compact,
    each,
    gather,
    number,
    one_hot,
    product,
    reduce,
    softmax,
    transpose,
    union,
)
from chainrule.explain.reading.windowed import (
    convolved,
    convolved_back,
    correlated,
    pooled,
    pooled_back,
)

ROWS = "ijk"


class ReadError(ValueError):
    """What is not part of the notation."""


_erf = np.vectorize(math.erf, otypes=[float])
_lgamma = np.vectorize(math.lgamma, otypes=[float])


def _phi(x: np.ndarray) -> np.ndarray:
    return np.asarray((1 + _erf(x / math.sqrt(2))) / 2)


def _softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0.0)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return np.asarray(1 / (1 + np.exp(-x)))


_PLAIN: dict[str, Callable[..., Any]] = {
    "ReLU": lambda x: np.maximum(x, 0), "erf": _erf, "softplus": _softplus, "sgn": np.sign,
    "arsinh": np.arcsinh, "arcosh": np.arccosh, "artanh": np.arctanh, "fmod": np.fmod,
    "round": np.round, "trunc": np.trunc, "atan2": np.arctan2, "erfc": lambda x: 1 - _erf(x),
    "softsign": lambda x: x / (1 + np.abs(x)), "mish": lambda x: x * np.tanh(_softplus(x)),
    "hardtanh": lambda x: np.clip(x, -1, 1),
}  # fmt: skip
_COMMANDS: dict[str, Callable[..., Any]] = {
    r"\log": np.log, r"\tanh": np.tanh, r"\sin": np.sin, r"\cos": np.cos, r"\tan": np.tan,
    r"\sinh": np.sinh, r"\cosh": np.cosh, r"\arctan": np.arctan, r"\arcsin": np.arcsin,
    r"\arccos": np.arccos, r"\neg": lambda x: 1.0 - x, r"\det": None,  # type: ignore[dict-item]  # not read
}  # fmt: skip
_CALLED: dict[str, Callable[..., Any]] = {
    r"\sigma": _sigmoid, r"\Phi": _phi, r"\max": np.maximum, r"\min": np.minimum,
}  # fmt: skip
_BIG: dict[str, Callable[..., Any]] = {
    r"\sum": np.sum, r"\prod": np.prod, r"\max": np.max, r"\min": np.min,
    r"\exists": lambda x, axis: np.any(x, axis=axis) * 1.0,
    r"\forall": lambda x, axis: np.all(x, axis=axis) * 1.0,
}  # fmt: skip
_RELATIONS: dict[str, Callable[..., Any]] = {
    "<": np.less, ">": np.greater, r"\le": np.less_equal, r"\ge": np.greater_equal,
    "=": np.equal, r"\ne": np.not_equal, r"\wedge": np.logical_and, r"\vee": np.logical_or,
}  # fmt: skip
_SPACE = re.compile(r"(?:\s|\\[,;!]|\\quad|\\displaystyle|~)+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_COMMAND = re.compile(r"\\[a-zA-Z]+")


class Scope:
    """What symbols stand for. `series` has the states of loops step by step, `at` the step that a
    loop is in.
    """

    def __init__(self, values: Mapping[str, Value]) -> None:
        self.values = dict(values)
        self.series: dict[str, dict[int, Value]] = {}
        self.at: dict[str, int] = {}
        self.lengths: dict[str, int] = {}
        self.names: list[str] = []
        self.refresh()

    def refresh(self) -> None:
        """Longest names first."""
        found = {*self.values, *self.series}
        if len(found) != len(self.names):
            self.names = sorted(found, key=len, reverse=True)

    def put(self, name: str, value: Value) -> None:
        self.values[name] = value
        self.refresh()


class Reader:
    """One expression."""

    def __init__(self, text: str, scope: Scope) -> None:
        self.text, self.scope, self.i = text, scope, 0

    def whole(self) -> Value:
        """The value of the text."""
        out = self.relation()
        if not self.done():
            raise ReadError(f"cannot read {self.text[self.i :]!r} in {self.text!r}")
        return out

    # ------------------------------------------------------------------ tokens

    def skip(self) -> None:
        found = _SPACE.match(self.text, self.i)
        if found:
            self.i = found.end()

    def done(self) -> bool:
        self.skip()
        return self.i >= len(self.text)

    def here(self, *words: str) -> str | None:
        """The first of these that stands here; it is not taken."""
        self.skip()
        for w in words:
            if self.text.startswith(w, self.i):
                after = self.text[self.i + len(w) : self.i + len(w) + 1]
                if not (w[0] == "\\" and w[-1].isalpha() and after.isalpha()):
                    return w
        return None

    def take(self, *words: str) -> str | None:
        w = self.here(*words)
        if w is not None:
            self.i += len(w)
        return w

    def need(self, word: str) -> None:
        if self.take(word) is None:
            raise ReadError(f"{word!r} is missing at {self.text[self.i : self.i + 30]!r}")

    def group(self) -> str:
        """The text between braces."""
        self.need("{")
        depth, start = 1, self.i
        while depth:
            if self.i >= len(self.text):
                raise ReadError(f"a brace is open in {self.text!r}")
            c = self.text[self.i]
            depth += (c == "{") - (c == "}")
            self.i += 1
        return self.text[start : self.i - 1]

    def inner(self, text: str) -> Value:
        return Reader(text, self.scope).whole()

    # ------------------------------------------------------------------ grammar

    def relation(self) -> Value:
        left = self.sum()
        while True:
            sign = self.take(*_RELATIONS)
            if sign is None:
                return left
            right = self.sum()
            left = each(lambda a, b, f=_RELATIONS[sign]: f(a, b) * 1.0, left, right)

    def sum(self) -> Value:
        sign = self.take("-", "+")
        out = self.product()
        if sign == "-":
            out = each(np.negative, out)
        while (sign := self.take("+", "-")) is not None:
            f = np.add if sign == "+" else np.subtract
            out = each(f, out, self.product())
        return out

    def product(self) -> Value:
        out = self.juxtaposed()
        while (sign := self.take(r"\odot", r"\cdot", r"\bmod")) is not None:
            f = np.mod if sign == r"\bmod" else np.multiply
            out = each(f, out, self.juxtaposed())
        return out

    def juxtaposed(self) -> Value:
        out = self.factor()
        while not self.done():
            if (sign := self.take(r"\star", r"\circledast")) is not None:
                back = bool(self.take("^{T}"))
                index = self.group() if self.take("_") else ""
                other = self.factor()
                f = convolved if sign == r"\star" else correlated
                out = (convolved_back if back else f)(out, other, index)
            elif self.begins():
                out = product(out, self.factor())
            else:
                break
        return out

    def begins(self) -> bool:
        """Whether a factor begins here."""
        self.skip()
        c = self.text[self.i]
        if c in "([{" or c.isdigit() or self.symbol() is not None:
            return True
        if c == "\\":
            return self.here(
                r"\odot", r"\cdot", r"\bmod", r"\right", r"\end", r"\\", r"\rvert", r"\rfloor",
                r"\rVert", *(r for r in _RELATIONS if r[0] == "\\"), r"\text",
            ) is None  # fmt: skip
        return self.here("e^", *ROWS) is not None

    def factor(self) -> Value:
        self.skip()
        if (sign := self.here(*_BIG)) is not None and self._is_big(sign):
            self.i += len(sign)
            return self.big(sign)
        if (name := self.here(*_COMMANDS)) is not None:
            self.i += len(name)
            power = self.inner(self.group()) if self.take("^") else None
            made = each(_COMMANDS[name], self.factor())
            return made if power is None else each(np.power, made, power)
        return self.postfix(self.atom())

    def _is_big(self, sign: str) -> bool:
        after = self.text[self.i + len(sign) :].lstrip()
        return not after.startswith(("(", r"\left("))

    def big(self, sign: str) -> Value:
        over = [v.strip() for v in self.group().split(",")] if self.take("_") else None
        body = self.product()
        labels: list[Label] = (
            [ROWS.index(v) if v in ROWS and v not in body.labels else v for v in over]
            if over is not None
            else list(body.labels)
        )
        missing = [v for v in labels if v not in body.labels]
        for v in missing:
            if sign != r"\sum" or v not in self.scope.lengths:
                raise ReadError(f"{sign} over {v}, which {body.labels} does not have")
        out = reduce(_BIG[sign], body, [v for v in labels if v in body.labels])
        for v in missing:
            out = each(np.multiply, out, number(self.scope.lengths[str(v)]))
        return out

    def postfix(self, x: Value) -> Value:
        while True:
            if self.take("^{T}"):
                x = transpose(x)
            elif self.take("^"):
                raised = self.group() if self.here("{") else self._one()
                x = each(np.power, x, self.inner(raised))
            elif self.take("_"):
                x = self.index(x, self.group())
            else:
                return x

    def _one(self) -> str:
        self.skip()
        self.i += 1
        return self.text[self.i - 1]

    # ------------------------------------------------------------------ atoms

    def symbol(self) -> str | None:
        """The longest name that stands here."""
        rest = self.text[self.i :]
        for name in self.scope.names:
            if rest.startswith(name):
                after = rest[len(name) : len(name) + 1]
                if name[-1].isalpha() and "\\" in name and after.isalpha():
                    continue
                return name
        return None

    def atom(self) -> Value:
        self.skip()
        name = self.symbol()
        if name is not None:
            self.i += len(name)
            return self.named(name)
        found = _NUMBER.match(self.text, self.i)
        if found:
            self.i = found.end()
            return number(float(found[0]))
        if self.here("{"):
            return self.braced(self.group())
        if self.take(r"\left(", "("):
            return self._closed(")")
        if self.take(r"\left[", "["):
            return self.square()
        if self.take(r"\lvert"):
            out = self.sum()
            self.need(r"\rvert")
            return each(np.abs, out)
        if self.take(r"\lfloor"):
            out = self.sum()
            if self.take("/"):
                out = each(np.divide, out, self.sum())
            self.need(r"\rfloor")
            return each(np.floor, out)
        if self.take("e^"):
            return each(np.exp, self.inner(self.group()))
        if self.take(r"\infty"):
            return number(np.inf)
        if self.take(r"\mathbf{e}^"):
            size = int(self.group())
            self.need("_")
            return one_hot(size, self.place(self.group()))
        if self.take(r"\mathbf{1}_"):
            names = [v.partition("=") for v in _list(self.group())]
            labels = tuple(ROWS.index(n) if n in ROWS else n for n, _, _ in names)
            return Value(np.ones([int(s) for _, _, s in names]), labels)
        if self.take(r"\mathbf{0}_"):
            shape = [int(v) for v in self.group().split(r"\times")]
            return Value(np.zeros(shape), tuple(range(len(shape))))
        if self.take(r"\frac"):
            top, under = self.inner(self.group()), self.inner(self.group())
            return each(np.divide, top, under)
        if self.take(r"\sqrt"):
            return each(np.sqrt, self.inner(self.group()))
        if self.take(r"\begin{cases}"):
            return self.cases()
        if self.take(r"\begin{bmatrix}"):
            parts = [self.relation()]
            while self.take("\\\\"):
                parts.append(self.relation())
            self.need(r"\end{bmatrix}")
            return stacked(parts, 0)
        if self.take(r"\text"):
            return number({"true": 1.0, "false": 0.0}[self.group()])
        if self.take(r"\operatorname"):
            return self.called(self.group())
        called = self.take(*_CALLED)
        if called:
            return each(_CALLED[called], *self.arguments())
        raise ReadError(f"cannot read {self.text[self.i : self.i + 40]!r} in {self.text!r}")

    def _closed(self, bracket: str) -> Value:
        out = self.relation()
        if self.take(r"\right" + bracket, bracket) is None:
            raise ReadError(f"a bracket is open at {self.text[self.i :]!r}")
        return out

    def braced(self, text: str) -> Value:
        """{…} that only holds together: a name whose letters may be chosen from outside."""
        inner = Reader(text, self.scope)
        name = inner.symbol()
        if name is not None and name == text.strip():
            return self.named(name)
        return self.inner(text)

    def named(self, name: str) -> Value:
        """What a name stands for; in a loop, its value at this step."""
        scope = self.scope
        if name in scope.series or any(v in scope.values[name].labels for v in scope.at):
            before = self.i
            if self.take("_") and self.here("{"):
                items = [v.strip() for v in self.group().split(",")]
                found = self._timed(name, items)
                if found is not None:
                    x, rest = found
                    return self.index(x, ",".join(rest)) if rest else x
            self.i = before
        if name not in scope.values:
            raise ReadError(f"{name} is read before it is known")
        return scope.values[name]

    def _timed(self, name: str, items: list[str]) -> tuple[Value, list[str]] | None:
        """h_{t-1}, h_{t=5}, and h_t inside a loop."""
        scope = self.scope
        for k, item in enumerate(items):
            found = re.fullmatch(r"([a-z])(?:([+-])1|=(\d+))?", item)
            if not found or (found[1] not in scope.lengths and found[1] not in scope.at):
                continue
            letter, shift, fixed = found.groups()
            rest = items[:k] + items[k + 1 :]
            if fixed is not None and name in scope.series and int(fixed) in scope.series[name]:
                return scope.series[name][int(fixed)], rest
            if fixed is not None:
                continue
            by = {None: 0, "+": 1, "-": -1}[shift]
            if letter in scope.at:
                return self._step(name, letter, scope.at[letter] + by), rest
            if shift:
                steps = [
                    self._step(name, letter, t + by) for t in range(1, scope.lengths[letter] + 1)
                ]
                labels = union(*steps)
                stack = np.stack(np.broadcast_arrays(*(s.ordered(labels) for s in steps)))
                return Value(stack, (letter, *labels)), rest
        return None

    def _step(self, name: str, letter: str, t: int) -> Value:
        series = self.scope.series.get(name, {})
        if t in series:
            return series[t]
        x = self.scope.values[name]
        if letter not in x.labels:
            return x
        at = x.axis(letter)
        return Value(x.array.take(t - 1, axis=at), tuple(v for v in x.labels if v != letter))

    def square(self) -> Value:
        """[condition]: 1 or 0. [a; b]: one under the other."""
        parts = [self.relation()]
        while self.take(";"):
            parts.append(self.relation())
        if self.take(r"\right]", "]") is None:
            raise ReadError(f"a bracket is open at {self.text[self.i :]!r}")
        return parts[0] if len(parts) == 1 else stacked(parts, 0)

    def cases(self) -> Value:
        """One of two, by a condition."""
        first = self.sum()
        self.need("&")
        condition = self.relation()
        self.need("\\\\")
        other = self.sum()
        self.need("&")
        self.need(r"\text{otherwise}")
        self.need(r"\end{cases}")
        return each(lambda c, a, b: np.where(c != 0, a, b), condition, first, other)

    def arguments(self) -> list[Value]:
        if self.take(r"\left(", "(") is None:
            raise ReadError(f"an argument is missing at {self.text[self.i :]!r}")
        out = [self.relation()]
        while self.take(",", ";"):
            out.append(self.relation())
        if self.take(r"\right)", ")") is None:
            raise ReadError(f"a bracket is open at {self.text[self.i :]!r}")
        return out

    def called(self, name: str) -> Value:
        """A function with a name."""
        back = bool(self.take("^{T}"))
        mark = self.group() if self.take("^") else ""
        index = self.group() if self.take("_") else ""
        if back and name in ("maxpool", "sumpool", "avgpool"):
            return self._pool_back(name, index)
        args = self.arguments()
        if name in ("maxpool", "sumpool", "avgpool"):
            return pooled(name, args[0], index)
        if name == "softmax":
            return along(softmax, args[0], self._label(index, args[0]) if index else None)
        if name in ("cumsum", "cumprod"):
            f = np.cumsum if name == "cumsum" else np.cumprod
            return along(f, args[0], self._label(index, args[0]) if index else None)
        if name == "rows":
            return bind(args[0], _list(index))
        if name in ("vec", "concat"):
            items = _list(index) + (["i"] if name == "concat" else [])
            return self._vec(args[0], items)
        if name == "split":
            return self._split(args[0], _list(index))
        if name == "pad":
            return self._pad(args[0], _list(index), float(mark) if mark else 0.0)
        if name == "cat":
            return stacked(args, self._label(index, args[0]))
        if name in _PLAIN:
            return each(_PLAIN[name], *args)
        raise ReadError(f"no function {name!r} is known")

    def _pool_back(self, name: str, index: str) -> Value:
        self.take(r"\left(", "(")
        d = self.relation()
        self.need(";")
        self.skip()
        sizes = re.match(r"\d+(?:\\times\s*\d+)*(?=\\right\)|\))", self.text[self.i :])
        other: Any
        if sizes and name != "maxpool":
            self.i += sizes.end()
            other = [int(v) for v in sizes[0].split(r"\times")]
        else:
            other = self.relation()
        self.take(r"\right)", ")")
        return pooled_back(name, d, other, index)

    # ------------------------------------------------------------------ axes

    def _label(self, text: str, x: Value) -> Label:
        return ROWS.index(text) if text in ROWS and text not in x.labels else text

    def _vec(self, x: Value, items: list[str]) -> Value:
        labels = [self._label(v, x) for v in items]
        outside = [v for v in x.labels if v not in labels]
        made = x.ordered([*outside, *labels])
        return Value(made.reshape(*made.shape[: len(outside)], -1), (*outside, 0))

    def _split(self, x: Value, items: list[str]) -> Value:
        names = [v.partition("=") for v in items]
        outside = [v for v in x.labels if v != 0]
        made = x.ordered([*outside, 0])
        sizes = [int(size) for _, _, size in names]
        labels: list[Label] = [ROWS.index(n) if n in ROWS else n for n, _, _ in names]
        return Value(made.reshape(*made.shape[:-1], *sizes), (*outside, *labels))

    def _pad(self, x: Value, items: list[str], value: float) -> Value:
        for item in items:
            name, _, size = item.partition("=")
            low, _, high = size.partition("|")
            label = self._label(name, x)
            if label not in x.labels:
                x = Value(x.array[..., None], (*x.labels, label))
            pairs = [(0, 0)] * x.array.ndim
            pairs[x.axis(label)] = int(low), int(high)
            x = Value(np.pad(x.array, pairs, constant_values=value), x.labels)
        return x

    def place(self, text: str) -> Value:
        text = text.strip()
        if text.startswith("(") and text.endswith(")"):
            text = text[1:-1]
        return self.inner(text)

    def index(self, x: Value, text: str) -> Value:
        """x_{…}: letters for rows, places, ranges (from 1), and t=5 for a letter."""
        at = 0
        gone: list[int] = []
        rows = x.rows
        for item in _list(text):
            named = re.fullmatch(r"([a-z](?:_\{\d+\})?)=(.*)", item)
            if named and named[1] in x.labels:
                x = _chosen(x, named[1], named[2])
            elif item in x.labels:
                continue
            elif item == ":":
                at += 1
            elif re.fullmatch(r"\d+(:\d+)*", item):
                if ":" in item:
                    x = _chosen(x, rows[at], item)
                else:
                    x = _chosen(x, rows[at], item)
                    gone.append(rows[at])
                at += 1
            elif re.fullmatch(r"[a-z](_\{\d+\})?", item) and item not in self.scope.values:
                x = x.renamed({rows[at]: item})
                at += 1
            else:
                x = gather(x, rows[at], self.place(item))
                at += 1
        return compact(x)


def _list(text: str) -> list[str]:
    """Items between commas, outside of braces and brackets."""
    out, depth, last = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "{([") - (c in "})]")
        if c == "," and not depth:
            out.append(text[last:i].strip())
            last = i + 1
    out.append(text[last:].strip())
    return [v for v in out if v]


def _chosen(x: Value, label: Label, what: str) -> Value:
    """One place of an axis, a range of it, or another letter for it."""
    at = x.axis(label)
    if not what[0].isdigit():
        return x.renamed({label: what})
    parts = [int(v) for v in what.split(":")]
    if len(parts) == 1:
        return Value(x.array.take(parts[0] - 1, axis=at), tuple(v for v in x.labels if v != label))
    step = parts[1] if len(parts) == 3 else 1
    cut: list[Any] = [slice(None)] * x.array.ndim
    cut[at] = slice(parts[0] - 1, parts[-1], step)
    return Value(x.array[tuple(cut)], x.labels)


def bind(x: Value, letters: list[str]) -> Value:
    """The matrix whose rows are x_t: letters become the first rows."""
    names: dict[Label, Label] = {r: r + len(letters) for r in x.rows}
    names.update((v, k) for k, v in enumerate(letters))
    return x.renamed(names)


def stacked(parts: list[Value], label: Label) -> Value:
    """One under the other, along a row or a letter."""
    parts = [
        p if label in p.labels else Value(p.array[..., None], (*p.labels, label)) for p in parts
    ]
    labels = [v for v in union(*parts) if v != label]
    arrays = [p.ordered([*labels, label]) for p in parts]
    lead = np.broadcast_shapes(*(a.shape[:-1] for a in arrays))
    arrays = [np.broadcast_to(a, (*lead, a.shape[-1])) for a in arrays]
    return Value(np.concatenate(arrays, axis=-1), (*labels, label))
