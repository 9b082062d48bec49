"""Where values come from: which call of which layer, which line of the user's program.

A `Witness` is told while it is entered, by one thread: layers say when they are called, and the
list of a trace's values tells of each value that is recorded. Without one, a call of a layer looks
at an empty dictionary, and recording does nothing at all.

>>> import chainrule as torch
>>> from chainrule.tensor.witness import Witness
>>> x = torch.ones(3)
>>> with Witness() as seen:
...     y = torch.nn.functional.relu(x)
...     z = torch.nn.ReLU()(x * 2)
>>> [(note.node.op.name, note.call) for note in seen.notes]
[('relu', None), ('mul', None), ('relu', <call of ReLU>)]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import get_ident
from typing import Any, NamedTuple, SupportsIndex

from chainrule.ir.node import Node
from chainrule.lines import Line as Line
from chainrule.lines import users_line
from chainrule.tensor.trace import Trace, state

#: Thread → who is told of what that thread does.
present: dict[int, Witness] = {}


class Call:
    """One call of a layer. `result` is None while it runs, and where it raised."""

    __slots__ = ("args", "children", "kwargs", "layer", "line", "parent", "result")

    def __init__(
        self,
        layer: Any,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        parent: Call | None,
        line: Line | None,
    ) -> None:
        self.layer, self.args, self.kwargs, self.parent, self.line = (
            layer,
            args,
            kwargs,
            parent,
            line,
        )
        self.result: Any = None
        self.children: list[Call] = []

    def __repr__(self) -> str:
        return f"<call of {type(self.layer).__name__}>"


class Note(NamedTuple):
    """A value that was recorded, in which trace, inside which call, from which line."""

    trace: Trace
    node: Node
    call: Call | None
    line: Line | None


class Witness:
    """Keeps, in order, the calls of layers and the values that this thread records.

    lines   also the user's lines: the innermost frames outside the library
    """

    def __init__(self, lines: bool = False) -> None:
        self.lines = lines
        self.calls: list[Call] = []
        self.notes: list[Note] = []
        self.open: list[Call] = []
        self._before: Witness | None = None

    def __enter__(self) -> Witness:
        self._before = present.get(get_ident())
        present[get_ident()] = self
        here = state.here
        here.values = self.values
        trace = here.trace
        trace.values = self.values(trace, trace.values)
        return self

    def __exit__(self, *exc: object) -> None:
        here, before = state.here, self._before
        trace = here.trace
        if before is None:
            del present[get_ident()]
            here.values = None
            trace.values = list(trace.values)
        else:
            present[get_ident()] = before
            here.values = before.values
            trace.values = before.values(trace, trace.values)

    def values(self, trace: Trace, values: Iterable[Node] = ()) -> list[Node]:
        """The list that a trace keeps its values in."""
        return _Told(trace, self, values)

    def call(
        self, f: Callable[..., Any], layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """f(*args, **kwargs), which is a call of this layer."""
        parent = self.open[-1] if self.open else None
        call = Call(layer, args, kwargs, parent, users_line() if self.lines else None)
        (self.calls if parent is None else parent.children).append(call)
        self.open.append(call)
        try:
            call.result = f(*args, **kwargs)
        finally:
            self.open.pop()
        return call.result

    def note(self, trace: Trace, node: Node) -> None:
        """This value was recorded."""
        self.notes.append(
            Note(
                trace,
                node,
                self.open[-1] if self.open else None,
                users_line() if self.lines else None,
            )
        )


class _Told(list[Node]):
    """The values of a trace; a witness is told of each."""

    __slots__ = ("trace", "witness")

    def __init__(self, trace: Trace, witness: Witness, values: Iterable[Node] = ()) -> None:
        super().__init__(values)
        self.trace, self.witness = trace, witness

    def append(self, node: Node) -> None:
        super().append(node)
        if present.get(get_ident()) is self.witness:
            self.witness.note(self.trace, node)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        return list, (list(self),)
