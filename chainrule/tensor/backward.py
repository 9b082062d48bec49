"""`backward()` and `grad()`: the chain rule, from recorded values back to leaves.

Gradients are derived as graph in the current trace (and found again when the same step comes
again). A value whose trace was closed by a look hands its cotangent on to that trace: its derived
gradient is placed into the current one, reading what was kept.
"""

from __future__ import annotations

import weakref
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from chainrule import config, ops
from chainrule.autodiff import Derivative, derivative
from chainrule.autodiff.reverse import through
from chainrule.errors import GradientError
from chainrule.ir.graph import ancestors, topological
from chainrule.ir.node import Node
from chainrule.ir.op import registry
from chainrule.runtime import programs
from chainrule.tensor import gradfn
from chainrule.tensor.finite import Derived, Noted
from chainrule.tensor.gradfn import name_of
from chainrule.tensor.handle import (
    Tensor,
    from_array,
    node_of,
    result,
    wrap,
)
from chainrule.tensor.hooks import RemovableHandle
from chainrule.tensor.mutate import assign
from chainrule.tensor.placing import Placing, overwritten
from chainrule.tensor.record import apply
from chainrule.tensor.trace import (
    Entry,
    Trace,
    flush,
    flush_if_due,
    grad_inputs,
    grad_mode,
    state,
    walking,
)

_TWICE = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or "
    "autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to "
    "access saved tensors "
    "after calling backward."
)
#: A walk places the gradients of so few closed traces into the current one. A longer way back (a
#: look in every step of a long loop) is computed trace by trace: equal steps are equal programs,
#: while the whole would be another graph for every number of steps.
_MANY = 8

#: A cotangent: a value of the current trace, or an array that belongs to the walk.
Cotangent = Node | np.ndarray


class _Pass:
    """One walk backward over the current trace and the closed ones behind it."""

    def __init__(self, create_graph: bool, retain_graph: bool) -> None:
        self.create_graph, self.retain_graph = create_graph, retain_graph
        self.waiting: dict[Trace, dict[Node, Cotangent]] = {}  # what arrived, per trace
        self.leaves: dict[int, tuple[Tensor, Cotangent]] = {}
        self.passed = 0  # closed traces
        self.wanted: dict[Trace, dict[Node, list[int]]] = {}
        self.found: dict[int, Node] = {}
        self.targets: set[int] | None = None  # the leaves that are asked for; None: all
        self.leading: dict[tuple[Trace, Node], bool] = {}
        self.roots: set[int] = set()

    def send(self, t: Tensor, ct: Node) -> None:
        """A cotangent arrives at a tensor."""
        self._on(t, None if t.leaf else place(t), ct)

    def _on(self, t: Tensor | None, to: tuple[Trace, Node] | None, ct: Cotangent) -> None:
        if to is None:
            assert t is not None
            have = self.leaves.get(id(t))
            self.leaves[id(t)] = (t, ct if have is None else _sum(have[1], ct))
            return
        trace, node = to
        slot = self.waiting.setdefault(trace, {})
        slot[node] = _sum(slot[node], ct) if node in slot else ct

    def run(self) -> None:
        """Newest trace first, so that every cotangent is complete when its trace's turn comes."""
        while self.waiting:
            trace = max(self.waiting, key=lambda t: t.serial)
            if self._is_apart(trace):
                self._evaluate()
                self._computed(trace, self.waiting.pop(trace))
            else:
                cts = self.waiting.pop(trace)
                self._through(trace, {n: _as_node(ct) for n, ct in cts.items()})

    def _is_apart(self, trace: Trace) -> bool:
        """Whether the gradient of a closed trace is computed by a program of its own."""
        here = state.here
        if trace is here.trace:
            return False
        self.passed += 1
        return self.passed + len(self.waiting) > _MANY and not (
            self.create_graph
            or trace.watched
            or trace in self.wanted
            or here.levels
            or config.anomaly
            or config.nan_guard
        )

    def _evaluate(self) -> None:
        """Cotangents that wait for closed traces as arrays."""
        slots = [s for t, s in self.waiting.items() if t is not state.trace]
        places = [(s, n, ct) for s in slots for n, ct in s.items() if isinstance(ct, Node)]
        if places:
            values = programs.run(tuple(ct for _, _, ct in places), state.trace.arrays)
            for (slot, n, _), value in zip(places, values, strict=True):
                slot[n] = value

    def _computed(self, trace: Trace, cts: dict[Node, Cotangent]) -> None:
        inputs = [e for e in grad_inputs(trace) if self._leads(e)]
        placing = Placing(trace, False, False)
        seeds = [placing.cotangent(n, n) for n in cts]
        d = derivative(list(cts), seeds, [e.node for e in inputs])
        _check_overwritten(trace, d)
        reached = [(e, g) for e, g in zip(inputs, d.gradients, strict=True) if g is not None]
        nodes, arrays = placing.apart([g for _, g in reached])
        given = [ct for ct in cts.values() if isinstance(ct, np.ndarray)]  # all: see `_evaluate`
        values = programs.run(nodes, [*given, *arrays])
        for (e, _), value in zip(reached, values, strict=True):
            if e.history is not None and e.tensor is not None:
                self.roots.add(id(e.tensor))
            self._on(e.tensor, e.history, value)
        if not self.retain_graph:
            _free(trace, d, set(cts), self.roots)

    def _through(self, trace: Trace, cts: dict[Node, Node]) -> None:
        here = trace is state.trace
        inputs = [e for e in grad_inputs(trace) if self._leads(e)]
        extra = self.wanted.get(trace, {})
        wrt = [*(e.node for e in inputs), *extra]
        placing = Placing(trace, here, self.create_graph)
        seeds = [ct if here else placing.cotangent(n, ct) for n, ct in cts.items()]
        watch = self._watch(trace, placing)
        d = derivative(list(cts), seeds, wrt, watch)
        _check_overwritten(trace, d)
        if config.anomaly:
            _check_finite(d, placing)
        if config.nan_guard:
            _note(d, None if here else placing.mapping, trace)
        grads = dict(zip(wrt, placing.here(d.gradients), strict=True))
        for n, keys in extra.items():
            g = grads[n]
            if g is not None:
                for k in keys:
                    self.found[k] = g
        for e in inputs:
            g = grads.pop(e.node, None)
            if g is not None:
                if e.history is not None and e.tensor is not None:
                    self.roots.add(id(e.tensor))
                self._on(e.tensor, e.history, g)
        if not self.retain_graph:
            _free(trace, d, set(cts), self.roots)

    def _leads(self, e: Entry) -> bool:
        """Whether a gradient that is asked for lies behind an input: nothing else is walked."""
        if self.targets is None:
            return True
        if e.history is None:
            return id(e.tensor) in self.targets
        found = self.leading.get(e.history)
        if found is None:
            trace, node = e.history
            below = ancestors([node])
            wanted = below & self.wanted.get(trace, {}).keys()
            found = bool(wanted) or any(
                i.node in below and self._leads(i) for i in grad_inputs(trace)
            )
            self.leading[e.history] = found
        return found

    def _watch(self, trace: Trace, placing: Placing) -> dict[Node, Callable[[Any], Any]]:
        def meeting(n: Node, w: Any) -> Callable[[Any], Any]:
            return lambda g: w.meet(g, n, placing, self.create_graph)

        return {n: meeting(n, w) for n, w in trace.watched.items()}


def _as_node(ct: Cotangent) -> Node:
    """As a value of the current trace."""
    return ct if isinstance(ct, Node) else node_of(from_array(ct))


def _sum(have: Cotangent, more: Cotangent) -> Cotangent:
    if isinstance(have, Node) or isinstance(more, Node):
        return ops.add(_as_node(have), _as_node(more))
    return np.add(have, more, out=have)


def _check_finite(d: Derivative, placing: Placing) -> None:
    """Name the operation whose rule gave the first NaN."""
    made = [(n, i, g) for n, (_, parts) in d.produced.items() for i, g in enumerate(parts)]
    trace = state.trace
    nodes = [g for _, _, g in made if not trace.hidden(g)]
    values = programs.run(tuple(_given(placing.here(nodes))), state.trace.arrays)
    found = dict(zip(nodes, values, strict=True))
    for n, i, g in made:
        if g in found and np.isnan(found[g]).any():
            raise RuntimeError(f"Function '{name_of(n)}' returned nan values in its {i}th output.")


def _given(nodes: Sequence[Node | None]) -> list[Node]:
    return [n for n in nodes if n is not None]


def _check_overwritten(trace: Trace, d: Derivative) -> None:
    gone = trace.overwritten
    if not gone or _lenient:
        return
    read = d.read_from()
    for root in gone.keys() & read.keys():
        for n, readers in read[root]:
            if not _made_in_place(gone[root], readers, root):
                now, then = _versions(trace, root)
                raise GradientError(overwritten(n, now, then))


def _versions(trace: Trace, old: Node) -> tuple[int, int]:
    """How often the storage of a value that was written over has been written to, and how often
    when it had this value.
    """
    for i, (_, was, s, _) in enumerate(trace.writes):
        if was is old or (was is None and any(e[2] is old and e[5] is s for e in trace.bound)):
            later = sum(write[2] is s for write in trace.writes[i:])
            return s.counted, s.counted - later
    return 1, 0


def _made_in_place(new: Node, readers: set[Node], old: Node) -> bool:
    """The operation in place may read what it replaced: PyTorch keeps a copy for it. Of a composite
    it is its formula that reads.
    """

    def below(n: Node) -> tuple[Node, ...]:
        return (*through(n), *n.inputs)

    between = set(topological([new], stop=lambda n: n is old, below=below)) - {old}
    return readers <= between


def _free(trace: Trace, d: Derivative, roots: set[Node], root_handles: set[int]) -> None:
    """Mark what was passed: a second walk over it would need values that are given back.

    Two results of the same computation are one node, so they are left alone: PyTorch walks each of
    them once.
    """
    reading = d.reading()
    owners: Counter[Node] | None = None
    for t in trace.held():
        if t.level != 1 or t.leaf:
            continue
        node = (
            t.node
            if t.seen_in == trace.serial
            else (t.history[1] if t.history and t.history[0] is trace else None)
        )
        if node is None or node not in reading:
            continue
        if id(t) not in root_handles:
            if node in roots:
                continue
            owners = trace.owners() if owners is None else owners
            if owners[node] != 1:
                continue
        t.level = 2
        t.history = None


def place(t: Tensor) -> tuple[Trace, Node]:
    """The trace and node through which gradients of a computed tensor go."""
    trace, pending = state.trace, t.storage.trace
    if pending is not None and pending is not trace:  # another thread recorded it
        flush(pending)
        trace = state.trace
    if t.storage.trace is None and t.history is not None:
        return t.history
    if t.storage.trace is trace or t.seen_in == trace.serial:
        node = node_of(t)
        if t.history is not None and node.op.name == "input":
            return t.history
        return trace, node
    if t.history is not None:
        return t.history
    raise GradientError(_TWICE)


def _seed(t: Tensor, g: Any, what: str) -> Node:
    if g is None:
        if t.numel() != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs, this one has shape "
                f"{tuple(t._shape)}"
            )
        if t._dtype.is_complex:
            raise RuntimeError(
                f"grad can be implicitly created only for real scalar outputs but got {t._dtype}"
            )
        return ops.full_like(node_of_type(t), 1)
    if g._shape != t._shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {tuple(g._shape)} and {what} has a "
            f"shape of {tuple(t._shape)}."
        )
    return node_of(g)


def node_of_type(t: Tensor) -> Node:
    """Any node with t's shape and dtype."""
    return ops.input(index=0, shape=t._shape, dtype=t._dtype, scope="type")


def _start(tensors: Sequence[Tensor], grads: Sequence[Any], walk: _Pass) -> None:
    for t in tensors:
        if not t.level:
            raise RuntimeError(
                "element 0 of tensors does not require grad and does not have a grad_fn"
            )
        if t.level == 2:
            raise GradientError(_TWICE)
    for t in tensors:  # bring all of them into one trace first: entering may evaluate
        if not t.leaf:
            place(t)
    for g in grads:
        if g is not None:
            node_of(g)
    for t, g in zip(tensors, grads, strict=True):
        walk.roots.add(id(t))
        walk.send(t, _seed(t, g, "output[0]"))


def backward(
    tensors: Sequence[Tensor],
    grads: Sequence[Any],
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Add d(Σ tensors · grads)/d(leaf) to every leaf's `.grad`."""
    if not (retain_graph or create_graph or inputs is not None or len(tensors) != 1) and (
        grads[0] is None and _directly(tensors[0])
    ):
        return
    walk = _Pass(create_graph, create_graph if retain_graph is None else retain_graph)
    if inputs is not None:
        walk.targets = {id(t) for t in inputs}
    with grad_mode(create_graph), walking():
        for i, t in enumerate(inputs or ()):
            _want(walk, t, i)
        _start(tensors, grads, walk)
        walk.run()
        for t, g in list(walk.leaves.values()):
            _add_grad(t, _as_node(g), create_graph)
        for i, t in enumerate(inputs or ()):
            if not t.leaf and i in walk.found:
                _add_grad(t, walk.found[i], create_graph)
        _ended()


#: (root, leaves) → the derivative, and the gradients as they are read from `.grad`.
_direct: dict[tuple[Node, ...], tuple[Derivative, list[Node | None]]] = {}


def _directly(t: Tensor) -> bool:
    """The ordinary step: from one number that was recorded since the last look, to leaves that have
    no gradient yet, with no hook on the way. What is left to do is to find the gradients by their
    root. False: nothing was done, it takes the long way.
    """
    here = state.here
    trace = here.trace
    s = t.storage
    if (
        s.trace is not trace
        or t.seen_in != trace.serial
        or t.version != s.version
        or t.level != 1
        or t.leaf
        or t.history is not None
        or t.numel() != 1
        or not trace.plain
        or trace.watched
        or here.hold
        or config.anomaly
    ):
        return False
    flowing = trace.flowing
    for leaf, _ in flowing:
        if leaf._grad is not None or leaf._hooks:
            return False
    root = t.node
    assert root is not None
    key = (root, *[n for _, n in flowing])
    found = _direct.get(key)
    if found is None:
        d = derivative([root], [_seed(t, None, "")], key[1:])
        if len(_direct) > 4096:
            _direct.clear()
        read = [None if g is None else ops.stop_gradient(g) for g in d.gradients]
        found = _direct[key] = d, read
    d, read = found
    if trace.writes:
        _check_overwritten(trace, d)
    for (leaf, _), g in zip(flowing, read, strict=True):
        if g is not None:
            leaf._grad = result(g, trace, 0)
    if config.nan_guard:
        _note(d, None, trace, [leaf for leaf, _ in flowing])
    _free(trace, d, {root}, {id(t)})
    flush_if_due(trace)
    return True


def _want(walk: _Pass, t: Tensor, key: int) -> None:
    if t.level == 2:
        raise GradientError(_TWICE)
    if not t.leaf:
        trace, node = place(t)
        walk.wanted.setdefault(trace, {}).setdefault(node, []).append(key)


def _result(g: Node, create_graph: bool) -> Tensor:
    return wrap(g, 1) if create_graph else wrap(ops.stop_gradient(g), 0)


def _note(
    d: Derivative,
    mapping: Mapping[Node, Node] | None,
    of: Trace,
    leaves: Iterable[Tensor] = (),
) -> None:
    """For the guard: this derivative of a trace stands in the current one."""
    noted, forward = state.trace.values, of.values
    if isinstance(noted, Noted):
        origins = forward.origins if isinstance(forward, Noted) else {}
        noted.derived.append(Derived(d, mapping, origins))
        noted.gradients.update((id(t), weakref.ref(t)) for t in leaves)


def _add_grad(t: Tensor, g: Node, create_graph: bool) -> None:
    if config.nan_guard and isinstance(noted := state.trace.values, Noted):
        noted.gradients[id(t)] = weakref.ref(t)
    new = run_hooks(t, _result(g, create_graph))
    if t._grad is None:
        t._grad = new
    elif create_graph:
        t._grad = apply(ops.add, t._grad, new)
    else:
        assign(t._grad, apply(ops.add, t._grad, new))
    for hook in list((t._hooks or {}).values()):
        if isinstance(hook, AfterAccumulate):
            hook.function(t)


def grad(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    grad_outputs: Sequence[Any],
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    """d(Σ outputs · grad_outputs)/d(inputs), without touching `.grad`."""
    walk = _Pass(create_graph, create_graph if retain_graph is None else retain_graph)
    walk.targets = {id(t) for t in inputs}
    with grad_mode(create_graph), walking():
        for i, t in enumerate(inputs):
            if not t.level:
                raise RuntimeError("One of the differentiated Tensors does not require grad")
            _want(walk, t, i)
        _start(outputs, grad_outputs, walk)
        walk.run()
        found: list[Tensor | None] = []
        for i, t in enumerate(inputs):
            g = walk.found.get(i)
            if t.leaf:
                g = _as_node(walk.leaves[id(t)][1]) if id(t) in walk.leaves else None
            if g is None and not allow_unused:
                raise RuntimeError(
                    "One of the differentiated Tensors appears to not have been used in the "
                    "graph. Set allow_unused=True "
                    "if this is the desired behavior."
                )
            found.append(
                None
                if g is None
                else run_hooks(t, _result(g, create_graph))
                if t.leaf
                else _result(g, create_graph)
            )
        _ended()
    if config.nan_guard and isinstance(noted := state.trace.values, Noted):
        noted.results += [weakref.ref(g.storage) for g in found if g is not None]
    return tuple(found)


# ------------------------------------------------------------------ hooks


class AfterAccumulate:
    """Marks a hook that runs when `.grad` is there."""

    def __init__(self, function: Callable[[Tensor], None]) -> None:
        self.function = function


def run_hooks(t: Tensor, g: Tensor) -> Tensor:
    """A leaf's hooks, in order; each may replace the gradient."""
    for hook in list((t._hooks or {}).values()):
        if not isinstance(hook, AfterAccumulate):
            out = hook(g)
            if out is not None:
                g = out
    return g


class Hooks:
    """What watches a computed value: hooks, and whether its gradient is kept."""

    def __init__(self, tensor: Tensor | None) -> None:
        self.tensor = weakref.ref(tensor) if tensor is not None else lambda: None
        self.functions: OrderedDict[int, Callable[[Tensor], Tensor | None]] = OrderedDict()
        self.retain = False

    def meet(self, g: Node, node: Node, placing: Placing, create_graph: bool) -> Node:
        """The cotangent is complete: show it, take what comes back."""
        (real,) = placing.here([g])
        assert real is not None
        seen = _result(real, create_graph)
        for f in list(self.functions.values()):
            out = f(seen)
            if out is not None:
                seen = out
        t = self.tensor()
        if self.retain and t is not None:
            t._grad = seen if t._grad is None else apply(ops.add, t._grad, seen)
        return placing.cotangent(node, node_of(seen))


class CustomFunction:
    """A function whose gradient the user wrote: called with the cotangents of its outputs, zeros
    (unless `fills` says no) for those that nothing depends on.

    again   computes the outputs anew from other tensors; rule: the user's own function that gives
            the gradient (both for who checks it)
    """

    def __init__(
        self, call: Callable[..., Any], inputs: list[Node], outputs: int,
        fills: Callable[[], bool] | None = None, name: str = "Boundary",
        again: Callable[..., Any] | None = None, rule: Callable[..., Any] | None = None,
    ) -> None:  # fmt: skip
        self.call, self.inputs, self.outputs = call, inputs, outputs
        self.fills, self.name, self.again, self.rule = fills, name, again, rule

    def meet(
        self, g: dict[int, Node], node: Node, placing: Placing, create_graph: bool
    ) -> dict[Node, Node]:
        """Gradients for the inputs, by way of the user's backward()."""
        given: list[Tensor | None] = []
        for i in range(self.outputs):
            part = placing.here([g.get(i)])[0]
            t: Any = node.type[i]
            if part is not None:
                given.append(_result(part, create_graph))
            elif self.fills is None or self.fills():
                given.append(wrap(ops.full(t.shape, 0, t.dtype), 0))
            else:
                given.append(None)
        out: dict[Node, Node] = {}
        for n, t in zip(self.inputs, self.call(given), strict=True):
            if t is not None and n.dtype.is_differentiable:
                ct = placing.cotangent(n, node_of(t))
                out[n] = ops.add(out[n], ct) if n in out else ct
        return out


def custom_function(
    call: Callable[..., Any], inputs: Sequence[Tensor], outputs: Sequence[Tensor], *,
    fills: Callable[[], bool] | None = None, name: str = "Boundary", cuts: bool = True,
    again: Callable[..., Any] | None = None, rule: Callable[..., Any] | None = None,
) -> tuple[Tensor, ...]:  # fmt: skip
    """Put a boundary around recorded outputs: gradients go through `call`, not the graph.

    `again`, `rule`: see `CustomFunction`. `cuts`: the graph behind the outputs is a constant also
    for transforms that see through the boundary (a batch of it).
    """
    level = max((t.level for t in inputs), default=0)
    for t in (*inputs, *outputs):
        node_of(t)
    ins = [node_of(t) for t in inputs]
    outs = [ops.stop_gradient(node_of(t)) if cuts else node_of(t) for t in outputs]
    trace = state.trace
    index = sum(n.op.name == "boundary" for n in trace.watched)
    node = registry["boundary"].make((*outs, *ins), (("outputs", len(outs)), ("index", index)))
    trace.watched[node] = CustomFunction(call, ins, len(outs), fills, name, again, rule)
    values = tuple(wrap(p, level) for p in ops.items(node))
    flush_if_due(trace)
    return values


def watch(t: Tensor) -> Hooks:
    """The hooks of a computed tensor (made at the first call)."""
    trace, node = place(t)
    found = trace.watched.get(node)
    if found is None:
        found = trace.watched[node] = Hooks(t)
    return found  # a boundary is never the value of a tensor: its items are


def _on_node(trace: Trace, node: Node, hook: Callable[[Tensor], Any]) -> RemovableHandle:
    """A hook on a value of a trace, whoever holds it."""
    found = trace.watched.get(node)
    if found is None:
        found = trace.watched[node] = Hooks(None)
    handle = RemovableHandle(found.functions)
    found.functions[handle.id] = hook
    return handle


gradfn.engine.add_hook = _on_node

#: Called once at the end of the next walk, by who gathers several gradients.
_at_end: list[Callable[[], None]] = []


def at_end(call: Callable[[], None]) -> None:
    """Call this when the walk that is under way is over."""
    _at_end.append(call)


def _ended() -> None:
    while _at_end:
        _at_end.pop()()


#: > 0: writing over values that a gradient reads is allowed (the graph has the old ones).
_lenient = 0


@contextmanager
def lenient() -> Iterator[None]:
    """No error for values that were written over in place after a gradient read them."""
    global _lenient
    _lenient += 1
    try:
        yield
    finally:
        _lenient -= 1


__all__ = ["AfterAccumulate", "at_end", "backward", "custom_function", "grad", "lenient", "watch"]
