r"""What an op's `tex` field says about brackets.

A row of the vocabulary writes its formula once, `\log {0}` or `{0} + {1}`. How tightly that binds,
and how tightly an argument must bind to stand in it without brackets, can be read off the text:

    list < relation < sum < big operator (Σ, Π) < product < function < power, fraction < atom

>>> read(r"{0} + {1}").binds.name, [(s.argument, s.needs.name) for s in read(r"{0} - {1}").slots]
('SUM', [(0, 'SUM'), (1, 'BIG')])
>>> read(r"\log {0}").binds.name, read(r"\frac{{{0}}}{{{1}}}").slots[0].needs.name
('PREFIX', 'LIST')
"""

from __future__ import annotations

import functools
import re
import string
from enum import IntEnum
from typing import NamedTuple


class Binds(IntEnum):
    """How tightly a formula holds together."""

    LIST = 0
    RELATION = 1
    SUM = 2
    BIG = 3
    PRODUCT = 4
    PREFIX = 5
    POWER = 6
    ATOM = 7


class Slot(NamedTuple):
    """A place for an argument: which one, and what it must be like to need no brackets."""

    argument: int
    needs: Binds
    signed: bool  # may begin with a minus
    base: bool  # carries an exponent or an index
    joined: bool  # a factor follows without a sign


class Template(NamedTuple):
    """A `tex` field, read: literal text and slots in turn, and how tightly the whole binds."""

    parts: tuple[str | Slot, ...]
    slots: tuple[Slot, ...]
    binds: Binds

    @property
    def transparent(self) -> bool:
        """Whether it shows its argument and nothing else: casts, copies, reshapes."""
        return len(self.parts) == 1 and len(self.slots) == 1


_TOKEN = re.compile(r"\x00[^\x01]*\x01|\\[a-zA-Z]+|\\.|\s+|[0-9.]+|.", re.DOTALL)
_RELATIONS = {
    "=",
    "<",
    ">",
    r"\le",
    r"\ge",
    r"\ne",
    r"\in",
    r"\wedge",
    r"\vee",
    r"\oplus",
    r"\ll",
    r"\gg",
    r"\leftarrow",
}
_SUMS = {"+", "-", r"\pm"}
_PRODUCTS = {r"\cdot", r"\odot", r"\times", r"\star", r"\bmod", r"\otimes", "/"}
_PREFIXES = {
    r"\log", r"\sin", r"\cos", r"\tan", r"\arcsin", r"\arccos", r"\arctan", r"\sinh", r"\cosh",
    r"\tanh", r"\neg", r"\arg", r"\exists", r"\forall",
}  # fmt: skip
_BIG = {r"\sum", r"\prod"}
_FUNCTIONS = {r"\operatorname", r"\max", r"\min"}  # with brackets an atom, without them a prefix
_OPENS = {"(", "[", r"\lvert", r"\lVert", r"\lfloor", r"\lceil", r"\{", r"\begin", r"\left"}
_CLOSES = {")", "]", r"\rvert", r"\rVert", r"\rfloor", r"\rceil", r"\}", r"\end", r"\right"}
_TAKES = {  # commands, and how many braced arguments follow them
    r"\frac": 2, r"\tfrac": 2, r"\sqrt": 1, r"\overline": 1, r"\operatorname": 1, r"\text": 1,
    r"\hat": 1, r"\bar": 1, r"\mathbb": 1, r"\mathrm": 1, r"\tilde": 1,
}  # fmt: skip
_SPACE = {r"\,", r"\;", r"\!", r"\quad", "'"}


class _Item(NamedTuple):
    """One piece: a slot, a word, something in brackets, a fraction, a script, or an operator."""

    kind: str
    text: str
    at: int = -1  # position in the list of parts, for slots


@functools.cache
def read(tex: str) -> Template:
    """Read a `tex` field."""
    parts, tokens = _tokens(tex)
    reader = _Reader(tokens)
    items = reader.outermost()
    made: list[str | Slot] = []
    for at, part in enumerate(parts):
        made.append(Slot(part, *reader.needs[at]) if isinstance(part, int) else part)
    slots = tuple(p for p in made if isinstance(p, Slot))
    return Template(tuple(made), slots, _binds(items))


def _tokens(tex: str) -> tuple[list[str | int], list[str]]:
    """Literal parts and slot numbers; and all tokens, a slot as its part's number between marks."""
    parts: list[str | int] = []
    marked = ""
    for literal, field, _, _ in string.Formatter().parse(tex):
        if literal:
            parts.append(literal)
            marked += literal
        if field is not None:
            if field.isdigit():
                marked += f"\x00{len(parts)}\x01"
                parts.append(int(field))
            else:
                marked += "" if field == "over" else "\x00n\x01"
                parts.append("\x00" + field)  # an attribute: filled in by the writer
    return parts, _TOKEN.findall(marked)


class _Reader:
    """Walks the tokens. Brackets and arguments of commands are lists of items of their own."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.needs: dict[int, tuple[Binds, bool, bool, bool]] = {}
        self.lists: list[list[_Item]] = [[]]

    def outermost(self) -> list[_Item]:
        """The items outside of all brackets."""
        braces: list[bool] = []  # whether each open brace encloses
        expect = 0  # braced arguments still to come
        tokens = self.tokens
        i = 0
        while i < len(tokens):
            tok, before = tokens[i], tokens[i - 1] if i else ""
            if tok == "{":
                encloses = expect > 0 or before in ("^", "_", r"\begin", r"\end")
                expect -= expect > 0
                braces.append(encloses)
                if encloses:
                    self.lists.append([])
            elif tok == "}":
                if braces.pop():
                    self._close()
            elif tok in _OPENS:
                self._open(tok)
                i += tok == r"\left"  # the delimiter belongs to it
            elif tok in _CLOSES:
                self._close()
                i += tok == r"\right"
            elif tok in ("&", r"\\"):
                self._close()
                self.lists.append([])
            elif tok[0] == "\x00" and tok[1:-1].isdigit():
                self._add(_Item("slot", "", int(tok[1:-1])))
            elif tok in ("^", "_"):
                self._add(_Item("script", tok))
                i += i + 1 < len(tokens) and tokens[i + 1] != "{"
            elif not tok.isspace() and tok not in _SPACE:
                self._add(_Item(_kind(tok), tok))
            expect = _TAKES.get(tok, expect)
            i += 1
        self._judge(self.lists[0])
        return self.lists[0]

    def _add(self, item: _Item) -> None:
        self.lists[-1].append(item)

    def _open(self, tok: str) -> None:
        here = self.lists[-1]
        if tok == "[" and here and here[-1].kind == "slot":
            here.append(_Item("script", tok))  # x[…] is x with an index
        else:
            k = len(here) - 1
            while k >= 0 and here[k].kind == "script":
                k -= 1
            if k >= 0 and here[k].kind in ("function", "word") and here[k].text[0] != "\x00":
                del here[k:]  # a function and what it is called with are one thing
            here.append(_Item("cases" if tok == r"\begin" else "call", tok))
        self.lists.append([])

    def _close(self) -> None:
        self._judge(self.lists.pop())

    def _judge(self, items: list[_Item]) -> None:
        for i, item in enumerate(items):
            if item.kind == "function":  # not called with brackets
                items[i] = item._replace(kind="prefix")
        for i, item in enumerate(items):
            if item.kind == "slot":
                self.needs[item.at] = _need(items, i)


def _kind(tok: str) -> str:
    if tok in (",", ";"):
        return "list"
    if tok in _RELATIONS:
        return "relation"
    if tok in _SUMS:
        return "sum"
    if tok in _PRODUCTS:
        return "product"
    if tok in _PREFIXES:
        return "prefix"
    if tok in _BIG:
        return "big"
    if tok in _FUNCTIONS:
        return "function"
    return "fraction" if tok in (r"\frac", r"\tfrac") else "word"


_THINGS = {"word", "slot", "call", "fraction", "cases"}


def _need(items: list[_Item], i: int) -> tuple[Binds, bool, bool, bool]:
    """What slot i needs: how tight a binding; may it begin with a minus; does it carry a script."""
    if i + 1 < len(items) and items[i + 1].kind == "script":
        return Binds.ATOM, False, True, False
    solid = [k for k in items if k.kind != "script" or k is items[i]]
    i = solid.index(items[i])
    left = solid[i - 1] if i else _Item("", "")
    right = solid[i + 1].kind if i + 1 < len(solid) else ""
    need = Binds.LIST
    if left.kind == "prefix":
        need = Binds.PREFIX
    elif left.kind == "big":
        need = Binds.PREFIX if left.text == r"\prod" else Binds.BIG
    elif left.kind == "product":
        need = Binds.POWER if left.text in (r"\bmod", "/") else Binds.BIG
    elif left.kind == "sum":
        need = Binds.BIG if left.text == "-" else Binds.SUM
    elif left.kind == "relation":
        need = Binds.SUM
    elif left.kind == "list":
        need = Binds.RELATION
    elif left.kind in _THINGS:
        need = Binds.BIG
    if right == "product" or right in _THINGS or right in ("prefix", "big"):
        need = max(need, Binds.PRODUCT)
    elif right in ("sum", "relation"):
        need = max(need, Binds.SUM)
    elif right == "list":
        need = max(need, Binds.RELATION)
    return need, left.kind in ("", "relation", "list"), False, right in _THINGS


def _binds(items: list[_Item]) -> Binds:
    """How tightly the whole template binds."""
    kinds = [k.kind for k in items]
    for kind, level in (
        ("list", Binds.LIST), ("relation", Binds.RELATION), ("cases", Binds.RELATION),
        ("sum", Binds.SUM), ("big", Binds.BIG), ("product", Binds.PRODUCT),
        ("prefix", Binds.PREFIX),
    ):  # fmt: skip
        if kind in kinds:
            return level
    if sum(k in _THINGS for k in kinds) > 1:
        return Binds.PRODUCT
    return Binds.POWER if "script" in kinds or "fraction" in kinds else Binds.ATOM
