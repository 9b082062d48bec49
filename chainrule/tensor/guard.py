"""The guard against NaN and infinity: switched on, it knows where every value comes from.

    chainrule.config.nan_guard = True          from now on
    with chainrule.nan_guard(): …              inside a block

See `finite` for what it costs and what it tells.
"""

from __future__ import annotations

import os
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterable
from threading import get_ident
from types import FrameType
from typing import Any

from chainrule import config
from chainrule.ir.node import Node
from chainrule.lines import users_lines
from chainrule.tensor.finite import Noted, Notes, Origin, taking
from chainrule.tensor.trace import Trace
from chainrule.tensor.witness import Witness, present


class Origins(Witness, Notes):
    """Where each value was recorded. A value that comes again, in the next step, in a call of the
    same layer is found by its node.
    """

    def __init__(self) -> None:
        Witness.__init__(self)
        Notes.__init__(self)
        self.stack: list[Any] = []
        #: The last models that were called: they live until it is known whether all went well.
        self.recent: deque[Any] = deque(maxlen=8)
        self.known: dict[tuple[Node, int], Origin] = {}

    def watch(self) -> None:
        """Begin to be told."""
        self.watching = True
        self.__enter__()

    def rest(self) -> None:
        """No longer; unless somebody else is told at the moment."""
        if present.get(get_ident()) is self:
            self.watching = False
            self.__exit__()

    def call(
        self, f: Callable[..., Any], layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """f(*args, **kwargs), which is a call of this layer."""
        if not self.stack:
            self.recent.append(layer)
        self.stack.append(layer)
        try:
            return f(*args, **kwargs)
        finally:
            self.stack.pop()

    def values(self, trace: Trace, values: Iterable[Node] = ()) -> list[Node]:
        return Noted(self.origin, list(values))

    def origin(self, node: Node) -> Origin:
        """Of a value that is being recorded."""
        stack = self.stack
        inner = stack[-1] if stack else None
        key = (node, id(inner))
        found = self.known.get(key)
        if found is None or (inner is not None and found.layers[-1]() is not inner):
            if len(self.known) > _MOST:
                self.known.clear()
            layers = tuple(weakref.ref(layer) for layer in _being_called())
            found = self.known[key] = Origin(layers, users_lines())
        return found


_MOST = 100_000

#: Functions in which the `self` of a frame is a layer that is being called: file and name.
_CALLS = {
    (os.path.join("nn", "modules", "call.py"), "__call__"),
    (os.path.join("keras", "layers", "base.py"), "_call_in"),
}
_ROOM = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def _being_called() -> list[Any]:
    """The layers that are being called, outermost first: also those whose call began before anybody
    took notes.
    """
    found: list[Any] = []
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        file = code.co_filename
        if file.startswith(_ROOM) and (file[len(_ROOM) :], code.co_name) in _CALLS:
            found.append(frame.f_locals["self"])
        frame = frame.f_back
    return found[::-1]


def _switch(on: bool) -> None:
    """Begin or end taking notes of what this thread records."""
    me = get_ident()
    notes = taking.get(me)
    if on and notes is None:
        notes = taking[me] = Origins()
        notes.watch()
    elif not on and notes is not None:
        notes.rest()
        del taking[me]


config.tell("nan_guard", _switch)


class nan_guard:
    """Inside a block, stop where a loss, a gradient, a parameter or a value that is looked at is
    NaN or infinite; as a call, `nan_guard(True)` switches it from now on.

    The error names the operation that made NaN or infinity out of finite numbers, forward or in
    which gradient rule, the layer and the user's line, the ranges of its inputs and what to do
    about it; what the program read is saved in `config.nan_folder` for
    `chainrule.explain.replay`. Parameters keep the values that they had before the step. Infinity
    that was given (a mask) passes. Programs stay compiled; their outputs are looked through.

    Raises `errors.NonFiniteError`, which is a FloatingPointError.

    >>> import chainrule as torch
    >>> torch.config.nan_folder = ""  # save nothing here
    >>> with torch.nan_guard():
    ...     try:
    ...         torch.log(torch.zeros(2)).tolist()
    ...     except FloatingPointError as error:
    ...         print(str(error).splitlines()[0])
    the value that is looked at is not finite: log made infinity out of finite numbers
    >>> torch.config.nan_folder = "runs"
    """

    def __init__(self, mode: bool = True) -> None:
        self._before = config.nan_guard
        config.nan_guard = mode

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        config.nan_guard = self._before
