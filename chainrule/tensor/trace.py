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
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from sys import getrefcount
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from chainrule import config, ops
from chainrule.autodiff import Derivative, derivative
from chainrule.autodiff.reverse import placeholder
from chainrule.dtypes import DType, int64
from chainrule.errors import NonFiniteError
from chainrule.ir.graph import topological
from chainrule.ir.node import Node
from chainrule.runtime import programs
from chainrule.runtime.random import Generator
from chainrule.tensor.finite import Guarded

if TYPE_CHECKING:
    from chainrule.tensor.handle import Tensor

_serial = itertools.count()


class Storage:
    """A place for a value: an array, or a node that will be computed, and how often it was
    overwritten.

    Views and detached tensors share the storage of the tensor that they come from.
    """

    __slots__ = (
        "__weakref__", "array", "entered", "export", "failure", "family", "glimpse", "input",
        "level", "node", "silent", "trace", "unseen", "version",
    )  # fmt: skip

    def __init__(self, array: np.ndarray | None, node: Node | None, trace: Trace | None) -> None:
        self.array, self.node, self.trace = array, node, trace
        # How often it was written to; how often through `.data`, which PyTorch does not count;
        # whether the present value carries a gradient (see Tensor.level).
        self.version = self.silent = self.level = 0
        # Serial number of the last trace that it entered, and as which input the whole array did;
        # serial number of the last trace whose gradients do not see what it was overwritten by.
        self.entered = self.input = self.unseen = -1
        #: The base and its views, once there are views.
        self.family: list[weakref.ref[Tensor]] | None = None
        #: Why there is no value.
        self.failure: Exception | None = None
        #: What another thread saw: (version, value).
        self.glimpse: tuple[int, np.ndarray] | None = None
        #: Who outside may write to the array: True, or a weak reference to the exporter.
        self.export: Any = None

    def join(self, t: Tensor) -> None:
        """Remember a view, and forget those that are gone."""
        family = self.family
        if family is None:
            family = self.family = []
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
        "__weakref__", "_replayed", "arrays", "bound", "closed", "ends", "flowing", "handles",
        "lock", "opened", "plain", "saved", "scopes", "serial", "states", "storages", "thread",
        "urgent", "values", "watched", "writes",
    )  # fmt: skip

    def __init__(self) -> None:
        self.serial = next(_serial)
        self.thread = threading.get_ident()
        self.lock = threading.RLock()
        self.closed = False
        self.urgent = False  # it reads memory that its owner may write to: compute at once
        #: Values of the inputs, and the fields of their entries, with the storage.
        self.arrays: list[np.ndarray] = []
        self.bound: list[tuple[Tensor | None, int, Node, bool, Any, Storage | None]] = []
        #: The leaves that a gradient flows to, and whether these are all that it flows to, each
        #: once.
        self.flowing: list[tuple[Tensor, Node]] = []
        self.plain = True
        #: What may have to be computed, each once; what a gradient may be asked of. Both are held:
        #: who else holds them, a count of references tells in the end (`_forget`).
        self.storages: list[Storage] = []
        self.handles: list[Tensor] = []
        #: Every value that a storage got, in order.
        self.values: list[Node] = []
        #: What was written over in place: (how many values there were, old value, storage, new
        #: value), or (how many inputs there were, None, …): those that show the storage.
        self.writes: list[tuple[int, Node | None, Storage, Node]] = []
        self._replayed: tuple[int, dict[Node, Node]] = (0, {})
        #: Hooks, retained gradients, functions with a gradient of their own.
        self.watched: dict[Node, Any] = {}
        #: Inputs that are states of random streams: of which, its key, and the counters drawn.
        self.states: dict[Node, tuple[Generator, int, int]] = {}
        #: Closed: what the gradient will read, and the handles that it may be asked of (they hold
        #: the trace).
        self.saved: dict[Node, Any] = {}
        self.ends: list[weakref.ref[Tensor]] = []
        #: How many transforms of functions began here; and, once one did that hides values, the
        #: scopes of such a transform (see `levels`) that a node depends on.
        self.opened = 0
        self.scopes: dict[Node, frozenset[str]] | None = None

    def bind(self, array: np.ndarray, dtype: DType, tensor: Tensor | None) -> Node:
        """Let an array enter as the next input."""
        assert not self.closed
        arrays = self.arrays
        index = len(arrays)
        shape = array.shape
        # The next step of a loop lets the same arrays enter in the same order.
        node = _inputs[index] if index < len(_inputs) else None
        if node is None or node.dtype is not dtype or node.shape != shape:
            node = _new_input(index, shape, dtype)
        arrays.append(array)
        if tensor is None:
            self.bound.append((None, 0, node, False, None, None))
            return node
        s = tensor.storage
        history, flows = None, False
        if tensor.level:
            history = tensor.history
            if history is not None:
                flows, self.plain = True, False
            elif tensor.leaf:
                flows = True
                self.flowing.append((tensor, node))
                if s.entered == self.serial:  # perhaps by this very handle
                    self.plain = False
        self.bound.append((tensor, s.version - s.silent, node, flows, history, s))
        if not tensor.chain:
            s.input = index
        elif s.entered != self.serial:
            s.input = -1
        s.entered = self.serial
        return node

    @property
    def inputs(self) -> list[Entry]:
        """Whose values the inputs are."""
        return [Entry(*fields[:5]) for fields in self.bound]

    def write(self, s: Storage, new: Node, *, counts: bool = True) -> None:
        """A storage gets another value. `counts`: a gradient that needs the old one is refused."""
        if s.trace is not self:
            self.storages.append(s)
            if counts and s.entered == self.serial:
                self.writes.append((len(self.bound), None, s, new))
            s.trace = self
        elif counts:
            self.writes.append((len(self.values), s.node, s, new))
        s.node = new
        s.version += 1
        self.values.append(new)
        if s.export is not None and s.exported:  # who looks at the memory sees it at once
            self.urgent = True

    @property
    def overwritten(self) -> dict[Node, Node]:
        """Values that were written over in place, and by what."""
        done, found = self._replayed
        if done != len(self.writes):
            counts: Counter[Node] = Counter()
            position, found = 0, {}
            shown: dict[Storage, list[tuple[int, Node]]] = {}
            for i, (_, _, node, _, _, of) in enumerate(self.bound):
                if of is not None:
                    shown.setdefault(of, []).append((i, node))
            for before, old, s, new in self.writes:
                if old is None:
                    found.update({n: new for i, n in shown.get(s, ()) if i < before})
                    continue
                counts.update(self.values[position:before])
                position = before
                if counts[old] == 1:  # another storage may have had the same value: it is intact
                    found[old] = new
            self._replayed = len(self.writes), found
        return found

    def owners(self) -> Counter[Node]:
        """How many storages had a value."""
        return Counter(self.values)

    def held(self) -> list[Tensor]:
        """The handles that a gradient may be asked of."""
        if self.closed:
            return [t for r in self.ends if (t := r()) is not None]
        _forget(self)
        return self.handles

    def random_state(self, g: Generator, counters: int) -> tuple[Node, int]:
        """An input that holds a stream's state, and the offset at which `counters` of it are
        reserved. Each draw has an input of its own, so that equal layers are equal graphs.
        """
        lanes = state.here.lanes
        for level in lanes:
            counters *= level.draws()
        position = g.advance(counters)
        node, offset = self.bind(np.array([g.key, position], np.int64), int64, None), 0
        self.states[node] = g, g.key, counters
        for level in lanes:
            if level.randomness == "different":
                node, offset = ops.lane(node, level.marker, base=offset), 0
        return node, offset

    def hidden(self, node: Node | None) -> frozenset[str]:
        """The transforms in which alone this value has a meaning: it is one of a batch, or not
        known at all.
        """
        scopes = self.scopes
        if scopes is None or node is None:
            return _NOWHERE
        found = scopes.get(node)
        if found is None:
            for n in topological([node], stop=lambda n: n in scopes):
                if n not in scopes:
                    scopes[n] = _scopes_of(n, scopes)
            found = scopes[node]
        return found


_NOWHERE: frozenset[str] = frozenset()


def _scopes_of(n: Node, scopes: dict[Node, frozenset[str]]) -> frozenset[str]:
    if n.op.name == "input":
        scope = n.attrs[3][1] if len(n.attrs) > 3 else "x"
        return frozenset((scope,)) if scope.startswith(HIDING) else _NOWHERE
    found = _NOWHERE
    for i in n.inputs:
        more = scopes[i]
        if more is not found and more:
            found = found | more
    return found


#: Scopes of inputs that stand for what only a transform knows.
HIDING = "of "

#: Not empty: some storages are shared with other processes, which write to them at any time.
between_processes: list[bool] = []

#: The node that input number i was last, to be found without a look into the table of all nodes.
_inputs: list[Node] = []


def _new_input(index: int, shape: tuple[int, ...], dtype: DType) -> Node:
    node = ops.input(index=index, shape=shape, dtype=dtype)
    if index < len(_inputs):
        _inputs[index] = node
    elif index == len(_inputs):
        _inputs.append(node)
    return node


class Here:
    """What one thread has for itself."""

    __slots__ = ("current", "grad", "hold", "lanes", "levels", "looked", "pause", "values")

    def __init__(self) -> None:
        self.current = Trace()
        #: What a new trace keeps its values in, while somebody wants to be told (see `witness`).
        self.values: Callable[[Trace], list[Node]] | None = None
        #: What is looked at while the guard is on.
        self.looked: Storage | None = None
        self.grad = True
        #: > 0: an operation in several steps is under way, so nothing is computed of itself.
        self.pause = 0
        #: > 0: a backward pass is under way, so a look by the user's code must leave the trace
        #: open.
        self.hold = 0
        #: Transforms of functions that are under way, outermost first; those of them that work on
        #: batches.
        self.levels: list[Any] = []
        self.lanes: list[Any] = []

    @property
    def trace(self) -> Trace:
        """The trace that is being recorded. Another thread may have closed the last one."""
        t = self.current
        if t.closed:
            t = self.current = Trace()
            if self.values is not None:
                t.values = self.values(t)
        return t


class _State(threading.local):
    """The way to `Here`. What is used in every operation reads `state.here` once."""

    here: Here

    def __init__(self) -> None:
        self.here = Here()

    @property
    def trace(self) -> Trace:
        """See `Here.trace`."""
        return self.here.trace

    @property
    def grad(self) -> bool:
        """Whether gradients are recorded."""
        return self.here.grad

    @grad.setter
    def grad(self, on: bool) -> None:
        self.here.grad = on

    @property
    def pause(self) -> int:
        """See `Here.pause`."""
        return self.here.pause

    @property
    def hold(self) -> int:
        """See `Here.hold`."""
        return self.here.hold


state = _State()


# ------------------------------------------------------------------ who is still held


def _lone() -> tuple[int, int]:
    """What `getrefcount` says of an object that a list holds and a variable shows, and of one that
    is held twice so.
    """
    items = [object()]
    shown = items[0]
    once = getrefcount(shown)
    more = [shown]
    return once, getrefcount(more[0])


#: The count of a thing that only one list here holds, and of one that two do.
_ALONE, _TWICE = _lone()


def _forget(trace: Trace) -> None:
    """Let go of handles that nobody else holds: newest first, as a view holds its base."""
    handles: list[Any] = trace.handles
    if not handles:
        return
    if len(handles) > 1:
        handles = list({id(t): t for t in handles}.values())
        trace.handles = handles
    for i in range(len(handles) - 1, -1, -1):
        t = handles[i]
        if getrefcount(t) == _ALONE:
            handles[i] = None
    trace.handles = [t for t in handles if t is not None]


def pending(trace: Trace) -> list[Storage]:
    """The storages that somebody holds and that wait for a value of this trace."""
    _forget(trace)
    return [s for s in trace.storages if s.trace is trace and getrefcount(s) > _ALONE]


def donatable(s: Storage, arrays: Sequence[np.ndarray], k: int) -> bool:
    """Whether the next value of a storage may be written into its array, which is input k of the
    program that computes it: nobody else sees it. Not a view, another tensor, NumPy, or a closed
    trace whose gradient reads it: each would count as one reference more.
    """
    array = s.array
    return (
        getrefcount(array) == _TWICE
        and k >= 0
        and array is arrays[k]
        and (s.export is None or not s.exported)
        and array.flags.writeable
    )


def grad_inputs(trace: Trace) -> list[Entry]:
    """The inputs of a trace that a gradient flows to."""
    return [e for e in trace.inputs if e.flows]


def flush(trace: Trace | None = None, looked: Storage | None = None) -> None:
    """Compute everything that was recorded and that somebody still holds. Then a new trace begins.

    If computing is interrupted, the trace stays as it was: nothing is lost, and a later look tries
    again. If an operation fails (an index out of range), what depends on it has no value and says
    why; all else is computed. `looked`: the value that somebody wants to see now.
    """
    trace = state.trace if trace is None else trace
    with trace.lock:
        if not trace.closed:
            if not config.nan_guard:
                _flush(trace)
                return
            here = state.here
            here.looked = looked
            try:
                _flush(trace)
            finally:
                here.looked = None


def flush_if_due(trace: Trace) -> None:
    """Compute now if that was asked for, or if too much waits."""
    if state.here.pause:
        return
    if trace.urgent or len(trace.storages) > due.most:
        flush(trace)


class _Due:
    """How many storages may wait: what every operation looks at, so in one place and no more."""

    __slots__ = ("most",)
    most: int


due = _Due()
config.tell("max_pending", lambda most: setattr(due, "most", -1 if config.eager else most))
config.tell("eager", lambda on: setattr(due, "most", -1 if on else config.max_pending))


def glimpse(s: Storage) -> np.ndarray:
    """A value that another thread is still recording: computed for this look alone, its trace goes
    on as it is.
    """
    trace = s.trace
    if trace is not None:
        with trace.lock:  # what is being computed may be written into what it is computed from
            node, version = s.node, s.version
            if s.trace is trace and node is not None:
                if s.glimpse is None or s.glimpse[0] != version:
                    s.glimpse = (version, programs.run((node,), trace.arrays)[0])
                return s.glimpse[1]
    assert s.array is not None  # computed in the meantime
    return s.array


def _flush(trace: Trace) -> None:
    here = state.here
    holding = here.hold > 0 and trace is here.current
    storages = pending(trace)
    if trace.scopes is not None:
        storages = _seen_from_outside(trace, storages, holding)
    roots = [] if holding or not trace.handles else _roots(trace)
    nodes: list[Node] = []
    donated: dict[int, int] = {}
    serial = trace.serial
    for s in storages:
        node = s.node
        assert node is not None
        if (
            s.entered == serial
            and not roots
            and not holding
            and donatable(s, trace.arrays, s.input)
        ):
            donated[len(nodes)] = s.input
        nodes.append(node)
    extra: list[Node] = []
    residuals: list[Node] = []
    if roots:
        residuals = _derive_closed(trace, [n for _, n in roots]).residuals()
        computed = set(nodes)
        extra = [r for r in residuals if r not in computed]
    wanted = (*nodes, *extra)
    guarded = None
    if config.nan_guard:
        guarded = Guarded(trace, wanted, storages, here.looked, donated)
    try:
        values, interrupt = compute(wanted, trace.arrays, storages, donated, guarded)
    except NonFiniteError:  # the values are there, but for what was to be written over
        _end(trace)
        raise
    except Exception as e:
        _fail(trace, storages, e)
        raise
    if not holding:
        if roots:
            _keep(trace, residuals, dict(zip(nodes, storages, strict=True)), extra, values)
        _close(trace, roots)
    if interrupt is not None:
        raise KeyboardInterrupt from interrupt


def _seen_from_outside(trace: Trace, storages: list[Storage], inside: bool) -> list[Storage]:
    """What has a value without the transform that it was recorded in."""
    found = []
    for s in storages:
        if not trace.hidden(s.node):
            found.append(s)
        elif not inside:
            s.node = s.trace = None
            s.failure = RuntimeError(
                "this tensor was made inside a function that vmap or jvp transformed, and has no "
                "value outside of it: return it from the function"
            )
    return found


def compute(
    wanted: tuple[Node, ...],
    arrays: Sequence[np.ndarray],
    storages: Sequence[Storage],
    donated: Mapping[int, int],
    guarded: Guarded | None = None,
) -> tuple[list[np.ndarray], programs.Interrupted | None]:
    """Values of nodes, of which the first go into these storages; and the signal, if one came while
    a program ran that had written into its inputs, so that they could not be computed again.

    If `guarded` finds an error in the values, what they were to replace stays as it is.
    """
    interrupt = None
    if not wanted:
        return [], None
    try:
        values = programs.run(wanted, arrays, donated) if guarded is None else guarded.values()
    except programs.Interrupted as e:
        values, interrupt = e.values, e
    error = None if guarded is None else guarded.error(values)
    if error is not None:
        settle_new(storages, values)
        raise error
    try:
        _settle_all(storages, values, arrays)
    except BaseException:
        _settle_all(storages, values, arrays)
        raise
    return values, interrupt


def settle_new(storages: Sequence[Storage], values: Sequence[np.ndarray]) -> None:
    """Values for what has none yet; what was to be written over keeps its own."""
    for s, value in zip(storages, values, strict=False):
        if s.array is None:
            s.array = value
        s.node = s.trace = s.failure = None


def _settle_all(
    storages: Sequence[Storage], values: list[np.ndarray], arrays: Sequence[np.ndarray] = ()
) -> None:
    """Values into their storages. `arrays`: the inputs that they were computed from."""
    for s, value in zip(storages, values, strict=False):
        if s.export is None:
            s.array = value
            s.node = s.trace = s.failure = None
        else:
            _settle(s, value, _as_read(s, arrays))


def _as_read(s: Storage, arrays: Sequence[np.ndarray]) -> np.ndarray | None:
    """What a storage that is seen from outside held when its trace read it, if a copy was taken."""
    read = s.trace is not None and s.entered == s.trace.serial and 0 <= s.input < len(arrays)
    return arrays[s.input] if read and arrays[s.input] is not s.array else None


def _keep(
    trace: Trace,
    residuals: list[Node],
    at_storage: dict[Node, Storage],
    extra: list[Node],
    values: list[np.ndarray],
) -> None:
    """What the gradient of a closed trace will read."""
    trace.saved = dict(zip(extra, values[-len(extra) or len(values) :], strict=True))
    for r in residuals:
        s = at_storage.get(r)
        if s is not None:
            trace.saved[r] = (s, s.counted)
    gone = trace.overwritten
    for (tensor, _, node, _, _, _), array in zip(trace.bound, trace.arrays, strict=True):
        # What was written over in place is kept for the operation that did it, as PyTorch
        # keeps a copy; whoever else reads it is refused.
        if tensor is None or node in gone:
            trace.saved[node] = array


def _fail(trace: Trace, storages: list[Storage], error: Exception) -> None:
    """An operation failed: compute one by one what does not depend on it. The graph is gone. What
    was to be written in place, such as a parameter by its optimiser, has its last value again.
    """
    for s in storages:
        assert s.node is not None
        try:
            _settle(s, programs.run((s.node,), trace.arrays)[0])
        except Exception as e:
            s.node = s.trace = None
            if s.array is None:
                s.failure = e
    _end(trace)


def _end(trace: Trace) -> None:
    """No gradient goes through this trace any more."""
    for t in trace.handles:
        if t.level and not t.leaf:
            t.level = 2
    _close(trace, [])


def _differs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two arrays do not have the same bits."""
    if a.dtype != b.dtype or a.itemsize > 8 or not (a.flags.c_contiguous and b.flags.c_contiguous):
        return np.asarray(a != b)
    bits = np.dtype(f"u{a.itemsize}")
    return np.asarray(a.view(bits) != b.view(bits))


def _settle(s: Storage, value: np.ndarray, read: np.ndarray | None = None) -> None:
    old = s.array
    if old is not None and s.exported and old.shape == value.shape:
        # Somebody outside looks at this very memory, and may have written to another part of it.
        np.copyto(old, value, where=True if read is None else _differs(read, value))
    else:
        s.array = value
    s.node = s.trace = s.failure = None


def _roots(trace: Trace) -> list[tuple[Tensor, Node]]:
    """Held results through which a gradient may still be asked for, with their nodes."""
    found = []
    for t in tuple(trace.handles):
        if t.level != 1 or t.leaf:
            continue
        s = t.storage
        if s.unseen == trace.serial:  # its gradient goes the way that it had
            if t.history is not None:
                continue
        elif s.trace is trace and t.version != s.version and not (t.is_of_leaf or t.detached):
            t._refresh(s, trace)
        if t.seen_in == trace.serial and t.node is not None and not trace.hidden(t.node):
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
    for t, node in roots:
        t.history = (trace, node)
    trace.ends = [weakref.ref(t) for t, _ in roots]
    trace.closed = True
    trace.storages, trace.handles, trace.states, trace.arrays = [], [], {}, []
    if not roots:
        trace.bound, trace.flowing, trace.values, trace.writes = [], [], [], []


class _OnePiece:
    """Several steps that must be recorded into one trace: it is not computed before the last."""

    def __enter__(self) -> None:
        state.here.pause += 1

    def __exit__(self, *_: object) -> None:
        here = state.here
        here.pause -= 1
        flush_if_due(here.trace)


one_piece = _OnePiece()


@contextmanager
def walking() -> Iterator[None]:
    """A backward pass: what it has recorded is not yet in any tensor, so even a look by a hook
    leaves the trace open.
    """
    here = state.here
    with one_piece:
        here.hold += 1
        try:
            yield
        finally:
            here.hold -= 1


@contextmanager
def grad_mode(on: bool) -> Iterator[None]:
    """Record with or without gradients, inside a block."""
    here = state.here
    before, here.grad = here.grad, on
    try:
        yield
    finally:
        here.grad = before
