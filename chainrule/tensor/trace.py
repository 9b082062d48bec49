"""What is being recorded, and when it is computed.

A *trace* is the graph recorded since the last evaluation. A concrete array enters it as input
number i, so that the next step of a loop builds the same nodes and finds the same program. `flush`
evaluates: one program gives every value that somebody still holds. A trace that is closed this way
and through which a gradient may still be asked for keeps the values that the gradient will read
(the gradient is derived on the spot to know them), so nothing is computed twice.
"""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule import config, ops
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
    """A place for a value: an array, or a node that will be computed, and how often it was
    overwritten.

    Views and detached tensors share the storage of the tensor that they come from.
    """

    __slots__ = (
        "__weakref__", "array", "entered", "export", "failure", "family", "glimpse", "level",
        "node", "silent", "trace", "unseen", "version",
    )  # fmt: skip

    def __init__(self, array: np.ndarray | None, node: Node | None, trace: Trace | None) -> None:
        self.array, self.node, self.trace = array, node, trace
        self.version = 0
        #: How many of the writes went through `.data`, which PyTorch does not count.
        self.silent = 0
        #: Whether the present value carries a gradient: see Tensor.level.
        self.level = 0
        #: Serial number of the last trace that it entered, and of the last one whose gradients do
        #: not see what it was overwritten by.
        self.entered = self.unseen = -1
        #: The base and its views, once there are views.
        self.family: list[weakref.ref[Tensor]] = []
        #: Why there is no value.
        self.failure: Exception | None = None
        #: What another thread saw: (version, value).
        self.glimpse: tuple[int, np.ndarray] | None = None
        #: Who outside may write to the array: True, or a weak reference to the exporter.
        self.export: Any = None

    def join(self, t: Tensor) -> None:
        """Remember a view, and forget those that are gone."""
        family = self.family
        if len(family) & (len(family) - 1) == 0 and len(family) > 16:  # at powers of two
            self.family = family = [r for r in family if r() is not None]
        family.append(weakref.ref(t))

    @property
    def counted(self) -> int:
        """The version as PyTorch counts it."""
        return self.version - self.silent

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
        "__weakref__", "arrays", "closed", "handles", "inputs", "lock", "overwritten", "owners",
        "saved", "serial", "shown", "states", "storages", "thread", "urgent", "watched",
    )  # fmt: skip

    def __init__(self) -> None:
        self.serial = next(_serial)
        self.thread = threading.get_ident()
        self.lock = threading.RLock()
        self.closed = False
        self.urgent = False  # it reads memory that its owner may write to: compute at once
        #: Values of the inputs.
        self.arrays: list[np.ndarray] = []
        self.inputs: list[Entry] = []
        self.shown: dict[Storage, list[Node]] = {}  # which inputs show a storage
        #: What may have to be computed, and what a gradient may be asked of.
        self.storages: list[weakref.ref[Storage]] = []
        self.handles: list[weakref.ref[Tensor]] = []
        #: Whether one storage only ever had this value.
        self.owners: dict[Node, bool] = {}
        #: Values that were written over in place, and by what.
        self.overwritten: dict[Node, Node] = {}
        #: Hooks, retained gradients, functions with a gradient of their own.
        self.watched: dict[Node, Any] = {}
        #: Random streams: key, first position, input.
        self.states: dict[int, tuple[int, int, Node]] = {}
        #: Closed: what the gradient will read.
        self.saved: dict[Node, Any] = {}

    def bind(self, array: np.ndarray, dtype: DType, tensor: Tensor | None) -> Node:
        """Let an array enter as the next input."""
        node = ops.input(index=len(self.arrays), shape=array.shape, dtype=dtype)
        self.arrays.append(array)
        history = None if tensor is None or not tensor.level else tensor.history
        flows = tensor is not None and tensor.level > 0 and (tensor.leaf or history is not None)
        version = 0 if tensor is None else tensor.storage.counted
        self.inputs.append(Entry(tensor, version, node, flows, history))
        if tensor is not None:
            self.shown.setdefault(tensor.storage, []).append(node)
        return node

    def random_state(self, g: Generator, counters: int) -> tuple[Node, int]:
        """The input that holds a stream's state, and the offset at which `counters` of it are
        reserved.
        """
        position = g.advance(counters)
        entry = self.states.get(id(g))
        if entry is None or entry[0] != g.key or entry[1] > position:
            array = np.array([g.key, position], np.int64)
            entry = (g.key, position, self.bind(array, int64, None))
            self.states[id(g)] = entry
        return entry[2], position - entry[1]


class _State(threading.local):
    """What each thread has for itself."""

    current: Trace
    grad: bool
    #: > 0: an operation in several steps is under way, so nothing is computed of itself.
    pause: int
    #: > 0: a backward pass is under way, so a look by the user's code must leave the trace open.
    hold: int

    def __init__(self) -> None:
        self.current = Trace()
        self.grad = True
        self.pause = self.hold = 0

    @property
    def trace(self) -> Trace:
        """The trace that is being recorded. Another thread may have closed the last one."""
        t = self.current
        if t.closed:
            t = self.current = Trace()
        return t


state = _State()


def grad_inputs(trace: Trace) -> list[Entry]:
    """The inputs of a trace that a gradient flows to."""
    return [e for e in trace.inputs if e.flows]


def flush(trace: Trace | None = None) -> None:
    """Compute everything that was recorded and that somebody still holds. Then a new trace begins.

    If computing is interrupted, the trace stays as it was: nothing is lost, and a later look tries
    again. If an operation fails (an index out of range), what depends on it has no value and says
    why; all else is computed.
    """
    trace = state.trace if trace is None else trace
    with trace.lock:
        if not trace.closed:
            _flush(trace)


def flush_if_due(trace: Trace) -> None:
    """Compute now if that was asked for, or if too much waits."""
    if state.pause:
        return
    if trace.urgent or len(trace.storages) > config.max_pending or config.eager or config.nan_guard:
        flush(trace)


def glimpse(s: Storage) -> np.ndarray:
    """A value that another thread is still recording: computed for this look alone, its trace goes
    on as it is.
    """
    trace = s.trace
    arrays = () if trace is None else trace.arrays
    node, version = s.node, s.version
    if trace is None or node is None:  # computed in the meantime
        assert s.array is not None
        return s.array
    if s.glimpse is None or s.glimpse[0] != version:
        s.glimpse = (version, programs.run((node,), arrays)[0])
    return s.glimpse[1]


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
            _fail(trace, storages, error := FloatingPointError(str(e)))
            raise error from None
        except Exception as e:
            _fail(trace, storages, e)
            raise
    else:
        values = []
    for s, value in zip(storages, values, strict=False):
        _settle(s, value)
    if holding:
        return
    trace.saved = dict(zip(extra, values[len(storages) :], strict=True))
    for r in residuals:
        if r in at_storage:
            trace.saved[r] = (at_storage[r], at_storage[r].counted)
    if roots:
        for entry, array in zip(trace.inputs, trace.arrays, strict=True):
            # What was written over in place is kept for the operation that did it, as PyTorch
            # keeps a copy; whoever else reads it is refused.
            if entry.tensor is None or entry.node in trace.overwritten:
                trace.saved[entry.node] = array
    _close(trace, roots)


def _fail(trace: Trace, storages: list[Storage], error: Exception) -> None:
    """An operation failed: compute one by one what does not depend on it. The graph is gone."""
    for s in storages:
        assert s.node is not None
        try:
            _settle(s, programs.run((s.node,), trace.arrays)[0])
        except (Exception, NonFinite) as e:
            s.array, s.node, s.trace = None, None, None
            s.failure = error if isinstance(e, NonFinite) else e
    for r in trace.handles:
        t = r()
        if t is not None and t.level and not t.leaf:
            t.level = 2
    _close(trace, [])


def _settle(s: Storage, value: np.ndarray) -> None:
    old = s.array
    if old is not None and s.exported and old.shape == value.shape:
        np.copyto(old, value)  # somebody outside looks at this very memory
    else:
        s.array = value
    s.node = s.trace = s.failure = None


def _roots(trace: Trace) -> list[tuple[Tensor, Node]]:
    """Held results through which a gradient may still be asked for, with their nodes."""
    found = []
    for t in {id(t): t for r in trace.handles if (t := r()) is not None}.values():
        if t.level != 1 or t.leaf:
            continue
        s = t.storage
        if s.unseen == trace.serial:  # its gradient goes the way that it had
            if t.history is not None:
                continue
        elif s.trace is trace and t.version != s.version and not (t.is_of_leaf or t.detached):
            t._refresh(s, trace)
        if t.seen_in is trace and t.node is not None:
            found.append((t, t.node))
    return found


def _derive_closed(trace: Trace, roots: list[Node]) -> Derivative:
    """The gradient of a closed trace's roots with cotangents to come."""
    roots = list(dict.fromkeys(roots))
    cts = [placeholder(n, i) for i, n in enumerate(roots)]
    wrt = [e.node for e in grad_inputs(trace)]
    silent: Any = {n: (lambda g: {}) for n in trace.watched if n.op.name == "boundary"}
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
    trace.shown = {}
    trace.handles = [weakref.ref(t) for t, _ in roots]
    trace.closed = True


class _OnePiece:
    """Several steps that must be recorded into one trace: it is not computed before the last."""

    def __enter__(self) -> None:
        state.pause += 1

    def __exit__(self, *_: object) -> None:
        state.pause -= 1
        flush_if_due(state.trace)


one_piece = _OnePiece()


@contextmanager
def walking() -> Iterator[None]:
    """A backward pass: what it has recorded is not yet in any tensor, so even a look by a hook
    leaves the trace open.
    """
    with one_piece:
        state.hold += 1
        try:
            yield
        finally:
            state.hold -= 1


@contextmanager
def grad_mode(on: bool) -> Iterator[None]:
    """Record with or without gradients, inside a block."""
    before = state.grad
    state.grad = on
    try:
        yield
    finally:
        state.grad = before
