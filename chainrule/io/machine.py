"""A pickle machine that builds values and runs nothing.

Pickle is a language of instructions for a stack; its REDUCE, NEWOBJ and BUILD could call any
function of Python. This machine knows the instructions for numbers, strings and containers; what a
name in the file stands for, and what may be made with it, its owner decides.
"""

from __future__ import annotations

import pickletools
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any, NamedTuple

from chainrule.errors import DataError


class Named(NamedTuple):
    """A name in the file: never looked up in Python, only compared."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


_LITERALS = frozenset((
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "INT", "LONG", "BINFLOAT", "FLOAT",
    "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "UNICODE", "BINBYTES", "SHORT_BINBYTES",
    "BINBYTES8", "BINSTRING", "SHORT_BINSTRING", "STRING", "BYTEARRAY8",
))  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS, _GETS = ("PUT", "BINPUT", "LONG_BINPUT"), ("GET", "BINGET", "LONG_BINGET")


class Machine:
    """named: what a name stands for, or DataError. make: what a call of it gives, or DataError.
    build: sets the state of what was made. stored: what a reference to a storage stands for.
    """

    def __init__(
        self,
        named: Callable[[Named], Any],
        make: Callable[[Any, tuple[Any, ...]], Any],
        build: Callable[[Any, Any], None],
        stored: Callable[[Any], Any],
    ) -> None:
        self.named, self.make, self.set_state, self.stored = named, make, build, stored
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, program: bytes | IO[bytes]) -> Any:
        """The value of one program; of a file, the rest is left to be read."""
        for opcode, argument, _ in pickletools.genops(program):
            if opcode.name == "STOP":
                return self.stack.pop()
            self._step(opcode.name, argument)
        raise DataError("the file's description of its values ends early")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            count = len(stack) - _TUPLES[name]
            stack[count:] = [tuple(stack[count:])]
        elif name in _PUTS:
            self.memo[argument] = stack[-1]
        elif name in _GETS:
            stack.append(self.memo[argument])
        else:
            self._container(name, argument)

    def _container(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                self.marks.append(len(stack))
            case "MEMOIZE":
                self.memo[len(self.memo)] = stack[-1]
            case "POP":
                stack.pop()
            case "EMPTY_LIST":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "EMPTY_SET":
                stack.append(set())
            case "TUPLE":
                stack.append(tuple(self._above_mark()))
            case "LIST":
                stack.append(self._above_mark())
            case "DICT":
                stack.append(_dict(self._above_mark()))
            case "FROZENSET":
                stack.append(frozenset(self._above_mark()))
            case "APPEND":
                item = stack.pop()
                _filled(stack[-1], list).append(item)
            case "APPENDS":
                items = self._above_mark()
                _filled(stack[-1], list).extend(items)
            case "ADDITEMS":
                items = self._above_mark()
                _filled(stack[-1], set).update(items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _filled(stack[-1], dict)[key] = value
            case "SETITEMS":
                items = self._above_mark()
                _filled(stack[-1], dict).update(_dict(items))
            case _:
                self._made(name, argument)

    def _made(self, name: str, argument: Any) -> None:
        stack = self.stack
        match name:
            case "GLOBAL":
                module, _, attribute = argument.partition(" ")
                stack.append(self.named(Named(module, attribute)))
            case "STACK_GLOBAL":
                attribute, module = stack.pop(), stack.pop()
                stack.append(self.named(Named(module, attribute)))
            case "REDUCE" | "NEWOBJ":
                args, maker = stack.pop(), stack.pop()
                stack.append(self.make(maker, args))
            case "BINPERSID":
                stack.append(self.stored(stack.pop()))
            case "BUILD":
                state, owner = stack.pop(), stack[-1]
                if isinstance(owner, OrderedDict) and isinstance(state, dict):
                    ordered: Any = owner
                    if "_metadata" in state:
                        ordered._metadata = state["_metadata"]
                else:
                    self.set_state(owner, state)
            case _:
                raise DataError(
                    f"the file uses the pickle instruction {name}, which builds no plain value"
                )

    def _above_mark(self) -> list[Any]:
        start = self.marks.pop()
        items = self.stack[start:]
        del self.stack[start:]
        return items


def _filled(container: Any, kind: type) -> Any:
    if not isinstance(container, kind):
        raise DataError(
            f"the file fills a {type(container).__name__} as if it were a {kind.__name__}"
        )
    return container


def _dict(items: list[Any]) -> dict[Any, Any]:
    return dict(zip(items[::2], items[1::2], strict=True))
