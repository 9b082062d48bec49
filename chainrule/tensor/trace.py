"""What is being recorded, and when it is computed.

A *trace* is the graph recorded since the last evaluation. A concrete array enters it as input number i, so that the next
step of a loop builds the same nodes and finds the same program. `flush` evaluates: one program gives every value that
somebody still holds. A trace that is closed this way and through which a gradient may still be asked for keeps the
values that the gradient will read (the gradient is derived on the spot to know them), so nothing is computed twice.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule import ops
from chainrule.autodiff import Derivative, derivative
from chainrule.autodiff.reverse import placeholder
from chainrule.backends.reference.execute import NonFinite
from chainrule.dtypes import DType, int64
from chainrule.ir.node import Node
from chainrule.runtime import programs
from chainrule.runtime.random import Generator

if TYPE_CHECKING:
    from chainrule.tensor.handle import Tensor

_serial = itertools.count()


class Storage:
    """A place for a value: an array, or a node that will be computed, and how often it was overwritten.

    Views and detached tensors share the storage of the tensor that they come from.
    """

    __slots__ = ("__weakref__", "array", "entered", "export", "level", "node", "trace", "version")

    def __init__(self, array: np.ndarray | None, node: Node | None, trace: Trace | None) -> None:
        self.array, self.node, self.trace = array, node, trace
        self.version = 0
        self.level = 0  # whether the present value carries a gradient: see Tensor.level
        self.entered: Trace | None = None
        self.export: Any = None  # who outside may write to the array: True, or a weak reference to the exporter

    @property
    def exported(self) -> bool:
        e = self.export
        return e is not None and (e is True or e() is not None)


class Entry(NamedTuple):
    """An input of a trace: whose value it is, at which version, and where its gradient goes."""

    tensor: Tensor | None
    version: int
    node: Node
    flows: bool  # a gradient goes on from here
    history: tuple[Trace, Node] | None  # to a closed trace; None: to the leaf `tensor`


class Trace:
    """The pending graph of one thread, or a closed one through which a gradient may still go."""

    __slots__ = (
        "__weakref__", "arrays", "handles", "inputs", "overwritten", "owners", "saved", "serial", "states", "storages",
        "thread", "watched",
    )  # fmt: skip

    def __init__(self) -> None:
        self.serial = next(_serial)
        self.thread = threading.get_ident()
        self.arrays: list[np.ndarray] = []  # values of the inputs
        self.inputs: list[Entry] = []
        self.storages: list[weakref.ref[Storage]] = []  # what may have to be computed
        self.handles: list[weakref.ref[Tensor]] = []  # what a gradient may be asked of
        self.owners: dict[Node, bool] = {}  # whether one storage only ever had this value
        self.overwritten: dict[Node, Node] = {}  # values that were written over in place, and by what
        self.watched: dict[Node, Any] = {}  # hooks, retained gradients, functions with a gradient of their own
        self.states: dict[int, tuple[int, int, Node]] = {}  # random streams: key, first position, input
        self.saved: dict[Node, Any] = {}  # closed: what the gradient will read

    def bind(self, array: np.ndarray, dtype: DType, tensor: Tensor | None, version: int = 0) -> Node:
        """Let an array enter as the next input."""
        node = ops.input(index=len(self.arrays), shape=array.shape, dtype=dtype)
        self.arrays.append(array)
        history = None if tensor is None or not tensor.level else tensor.history
        flows = tensor is not None and tensor.level > 0 and (tensor.leaf or history is not None)
        self.inputs.append(Entry(tensor, version, node, flows, history))
        return node

    def random_state(self, g: Generator, counters: int) -> tuple[Node, int]:
        """The input that holds a stream's state, and the offset at which `counters` of it are reserved."""
        position = g.advance(counters)
        entry = self.states.get(id(g))
        if entry is None or entry[0] != g.key or entry[1] > position:
            array = np.array([g.key, position], np.int64)
            entry = (g.key, position, self.bind(array, int64, None))
            self.states[id(g)] = entry
        return entry[2], position - entry[1]


class _State(threading.local):
    """What each thread has for itself."""

    trace: Trace
    grad: bool
    hold: int  # > 0: the user's code runs inside a backward pass, so a look must leave the trace open

    def __init__(self) -> None:
        self.trace = Trace()
        self.grad = True
        self.hold = 0


state = _State()
_lock = threading.RLock()



def grad_inputs(trace: Trace) -> list[Entry]:
    """The inputs of a trace that a gradient flows to."""
    return [e for e in trace.inputs if e.flows]


def flush(trace: Trace | None = None) -> None:
    """Compute everything that was recorded and that somebody still holds. Then a new trace begins.

    If computing fails or is interrupted, the trace stays as it was: nothing is lost, and a later look tries again.
    """
    with _lock:
        _flush(state.trace if trace is None else trace)


def _flush(trace: Trace) -> None:
    storages = list(
        dict.fromkeys(s for r in trace.storages if (s := r()) is not None and s.trace is trace)
    )
    holding = state.hold > 0 and trace is state.trace
    roots = [] if holding else _roots(trace)
    residuals: list[Node] = []
    if roots:
        residuals = _derive_closed(trace, [n for _, n in roots]).residuals()
    nodes: list[Node] = []
    for s in storages:
        assert s.node is not None
        nodes.append(s.node)
    at_storage = {n: s for s, n in zip(storages, nodes, strict=True)}
    extra = [r for r in residuals if r not in at_storage]
    wanted = (*nodes, *extra)
    if wanted:
        try:
            values = programs.run(wanted, trace.arrays)
        except NonFinite as e:
            _forget(trace)
            raise FloatingPointError(
                f"{e.node.op.name} made NaN or infinity out of finite numbers; its inputs: {e.ranges}"
            ) from None
    else:
        values = []
    for s, value in zip(storages, values, strict=False):
        _settle(s, value)
    if holding:
        return
    trace.saved = dict(zip(extra, values[len(storages) :], strict=True))
    for r in residuals:
        if r in at_storage:
            trace.saved[r] = (at_storage[r], at_storage[r].version)
    if roots:
        for e, array in zip(trace.inputs, trace.arrays, strict=True):
            if e.tensor is None:
                trace.saved[e.node] = array
    _close(trace, roots)


def _settle(s: Storage, value: np.ndarray) -> None:
    old = s.array
    if old is not None and s.exported and old.shape == value.shape:
        np.copyto(old, value)  # somebody outside looks at this very memory
    else:
        s.array = value
    s.node = s.trace = None


def _roots(trace: Trace) -> list[tuple[Tensor, Node]]:
    """Held results through which a gradient may still be asked for, with their nodes."""
    found = []
    for t in {id(t): t for r in trace.handles if (t := r()) is not None}.values():
        if t.level == 1 and not t.leaf and t.seen_in is trace and t.node is not None:
            if t.version != t.storage.version and t.storage.trace is trace:
                t._enter(trace)
            found.append((t, t.node))
    return found


def _derive_closed(trace: Trace, roots: list[Node]) -> Derivative:
    """The gradient of a closed trace's roots with cotangents to come."""
    roots = list(dict.fromkeys(roots))
    cts = [placeholder(n, i) for i, n in enumerate(roots)]
    wrt = [e.node for e in grad_inputs(trace)]
    silent = {n: (lambda g: {}) for n, w in trace.watched.items() if n.op.name == "boundary"}
    return derivative(roots, cts, wrt, silent)


def _close(trace: Trace, roots: list[tuple[Tensor, Node]]) -> None:
    for e in trace.inputs:
        if e.tensor is not None and e.tensor.seen_in is trace:
            e.tensor.seen_in = e.tensor.node = None
    for r in trace.handles:
        t = r()
        if t is not None and t.seen_in is trace:
            t.seen_in = t.node = None
    for t, node in roots:
        t.history = (trace, node)
    trace.storages = []
    trace.states = {}
    trace.arrays = []
    trace.handles = [weakref.ref(t) for t, _ in roots]
    if not roots:
        _release(trace)
    if state.trace is trace:
        state.trace = Trace()


def _release(trace: Trace) -> None:
    trace.inputs, trace.saved, trace.watched = [], {}, {}
    trace.overwritten, trace.owners, trace.handles = {}, {}, []


def release_if_done(trace: Trace) -> None:
    """Give back what a closed trace holds once no gradient can be asked of it."""
    if trace is not state.trace and not any(
        (t := r()) is not None and t.level == 1 and t.history is not None for r in trace.handles
    ):
        _release(trace)


def _forget(trace: Trace) -> None:
    if state.trace is trace:
        state.trace = Trace()


@contextmanager
def grad_mode(on: bool) -> Iterator[None]:
    """Record with or without gradients, inside a block."""
    before = state.grad
    state.grad = on
    try:
        yield
    finally:
        state.grad = before
