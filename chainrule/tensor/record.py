"""Recording: from a call on tensors to a node, found in a dictionary the second time.

A call's key is the function, the nodes of its tensors and its attributes; the graph that the
function built for such a key the first time (casts, broadcasts, checks and all) is simply found
again.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes, ops
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op
from chainrule.tensor.handle import Step, Tensor, blank, from_array, node_of, wrap
from chainrule.tensor.trace import Trace, flush_if_due, state

_found: dict[tuple[Any, ...], Any] = {}
_FOUND_LIMIT = 200_000

#: Python numbers seen at a place: (function, position, nodes) → (value, trace), or the
#: element type of the input that it has become.
_numbers: dict[tuple[Any, ...], tuple[Any, int] | dtypes.DType] = {}
_NUMBERS = (bool, int, float)


def apply(fn: Callable[..., Any], *args: Any, **attrs: Any) -> Any:
    """Record `fn(*nodes, **attrs)` for tensors and numbers; gives a tensor, or several."""
    nodes, level = _nodes(fn, args)
    key = (fn, *nodes, *attrs.items())
    try:
        node = _found.get(key)
    except TypeError:  # lists among the attributes
        attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}
        key = (fn, *nodes, *attrs.items())
        node = _found.get(key)
    if node is None:
        plain = [n[1] if type(n) is tuple else n for n in nodes]
        node = fn(*plain, **attrs)
        if isinstance(node, Node) and not isinstance(node.type, TensorType):
            node = ops.items(node)
        if len(_found) >= _FOUND_LIMIT:
            _found.clear()
        _found[key] = node
    out: Any = tuple(wrap(n, level) for n in node) if isinstance(node, tuple) else wrap(node, level)
    flush_if_due(state.trace)
    return out


def _nodes(fn: Callable[..., Any], args: tuple[Any, ...]) -> tuple[list[Any], int]:
    while True:
        s = state
        trace, grad = s.trace, s.grad
        nodes: list[Any] = []
        level = 0
        for a in args:
            if isinstance(a, Tensor):
                n = (
                    a.node
                    if a.seen_in is trace and a.version == a.storage.version
                    else a._enter(trace)
                )
                if a.level:
                    if grad:
                        level = max(level, a.level)
                    else:
                        assert n is not None
                        n = ops.stop_gradient(n)
                nodes.append(n)
            else:
                nodes.append(_number(fn, a, nodes, args, trace))
        if s.trace is trace:  # nothing was evaluated on the way
            return nodes, level


def _number(
    fn: Callable[..., Any], a: Any, before: list[Any], args: tuple[Any, ...], trace: Trace
) -> Any:
    """A Python number as a constant; as an input if it changes from step to step at this place."""
    if isinstance(a, np.generic):
        a = a.item()
    if a is None:
        return None
    if isinstance(a, Node):
        raise TypeError("expected a tensor, got a graph node")
    if not isinstance(a, _NUMBERS):
        raise TypeError(
            f"{getattr(fn, 'name', getattr(fn, '__name__', fn))}() takes tensors and numbers, got "
            f"{type(a).__name__}: {a!r:.60}"
        )
    if isinstance(fn, Op) and fn.prepare is not None and not _is_structure(fn, a):
        rest = args[len(before) + 1 :]
        kinds = tuple(type(x) for x in args if not isinstance(x, Tensor))
        place = (
            fn,
            len(before),
            kinds,
            *(n for n in before if isinstance(n, Node)),
            *_known(rest, trace),
        )
        node = _promoted(place, a, trace, lambda: _type_at(fn, len(before), [*args]))
        if node is not None:
            return node
    return _constant_key(a)


def _is_structure(fn: Op, a: Any) -> bool:
    """x² and x³ are formulas of their own; truth values and NaN do not vary."""
    return type(a) is bool or a != a or (fn is ops.pow and float(a).is_integer())


def _constant_key(a: Any) -> Any:
    """What makes two numbers the same constant: 1, 1.0, True, 0.0 and −0.0 are four."""
    if a != a:
        return (float, math.nan)  # one object: NaN is found in a dictionary by identity only
    if a == 0 and type(a) is float and math.copysign(1.0, a) < 0:
        return ("-0.0", a)
    return (type(a), a)


def _promoted(
    place: tuple[Any, ...], a: Any, trace: Trace, dtype: Callable[[], dtypes.DType]
) -> Node | None:
    """An input for a number that was another one when this place was last recorded; None: it is
    still a constant.
    """
    seen = _numbers.get(place)
    if seen is None:
        if len(_numbers) > _FOUND_LIMIT:
            _numbers.clear()
        _numbers[place] = (a, trace.serial)
        return None
    if isinstance(seen, tuple):
        value, serial = seen
        if serial == trace.serial or (value == a and type(value) is type(a)):
            return None
        seen = _numbers[place] = dtype()
    return trace.bind(np.array(a).astype(seen.np), seen, None)


def _type_at(fn: Op, index: int, args: list[Any]) -> dtypes.DType:
    """The element type that a number has at this place of a call: what the op's normal form makes
    of it.
    """
    assert fn.prepare is not None
    stands_for = [
        ops.input(index=0, shape=a._shape, dtype=a._dtype, scope="type")
        if isinstance(a, Tensor)
        else a
        for a in args
    ]
    return fn.prepare(*stands_for)[0][index].dtype


def varying_fill(value: Any, shape: tuple[int, ...], dtype: dtypes.DType) -> Node:
    """One number everywhere: a constant, or an input once it was another in an earlier step."""
    node = None
    if type(value) is not bool and value == value:
        node = _promoted(("fill", shape, dtype, type(value)), value, state.trace, lambda: dtype)
    return ops.full(shape, value, dtype) if node is None else ops.broadcast_to(node, shape=shape)


def _known(rest: tuple[Any, ...], trace: Trace) -> list[Any]:
    return [t.node for t in rest if isinstance(t, Tensor) and t.seen_in is trace]


def varying(value: float, dtype: dtypes.DType | None = None) -> Tensor:
    """A number that changes from step to step, as a 0-d tensor: data, never part of a program's
    structure.
    """
    d = dtype or dtypes.get_default_dtype()
    return from_array(np.array(value, d.np), d)


# ------------------------------------------------------------------ views


def view(t: Tensor, op: Any, **attrs: Any) -> Tensor:
    """Another look at the same storage: writing to one is seen in the other."""
    return chain(t, [(op, tuple(attrs.items()))])


_layouts: dict[Any, Any] = {}


def chain(t: Tensor, steps: list[Step]) -> Tensor:
    """Several view steps as one handle."""
    s = t.storage
    tracked = t.level > 0 and state.grad
    node: Node | None = None
    trace = state.trace
    if tracked or s.trace is not None:
        node = node_of(t)
        trace = state.trace  # it may have been evaluated on the way
        if t.level and not state.grad:
            node = ops.stop_gradient(node)
        for op, attrs in steps:
            node = op.make((node,), attrs)
        shape = node.shape
    out: Tensor = blank(Tensor, s, t._shape, t._dtype)
    out.strides = t.strides
    for step in steps:
        out._shape, out.strides = _layout(out._shape, out.strides, step)
    out.chain = (*t.chain, *steps)
    out.base = t.base if t.base is not None else t
    out.detached = t.detached or int(t.level > 0 and not tracked)
    if not out.detached:
        if out.base is t and not s.family:
            s.join(t)
        s.join(out)
    if node is not None:
        assert shape == out._shape
        out.node, out.seen_in, out.version = node, trace, s.version
        trace.handles.append(weakref.ref(out))
        trace.owners[node] = node not in trace.owners
        if s.trace is trace:
            trace.storages.append(weakref.ref(s))
    if tracked:
        out.level, out.leaf = t.level, False
    return out


def contiguous_strides(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Strides in elements of rows of rows."""
    out, n = [], 1
    for size in reversed(shape):
        out.append(n)
        n *= max(size, 1)
    return tuple(reversed(out))


def _layout(
    shape: tuple[int, ...], strides: tuple[int, ...] | None, step: Step
) -> tuple[tuple[int, ...], tuple[int, ...] | None]:
    """Shape and strides after one view step. NumPy knows the rules: a probe of one byte per
    element, never touched.
    """
    key = (shape, strides, step)
    found = _layouts.get(key)
    if found is None:
        op, attrs = step
        probe = _probe(shape, strides)
        assert op.reference is not None
        out = op.reference(probe, **dict(attrs))
        made: tuple[int, ...] | None = out.strides
        if 0 in out.shape or _is_contiguous(out.shape, out.strides):
            made = None
        if len(_layouts) > 100_000:
            _layouts.clear()
        found = _layouts[key] = (out.shape, made)
    return found


def _is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    want = contiguous_strides(shape)
    return all(n == 1 or a == b for n, a, b in zip(shape, strides, want, strict=True))


def _probe(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> np.ndarray:
    return np.lib.stride_tricks.as_strided(
        np.empty(1, np.int8), shape, contiguous_strides(shape) if strides is None else strides
    )


def viewable(t: Tensor, shape: tuple[int, ...]) -> bool:
    """Whether `shape` can be had without moving elements."""
    if t.strides is None:
        return True
    key = (t._shape, t.strides, shape)
    found = _layouts.get(key)
    if found is None:
        try:
            np.reshape(_probe(t._shape, t.strides), shape, copy=False)
            found = True
        except ValueError:
            found = False
        _layouts[key] = found
    return bool(found)


def detach(t: Tensor) -> Tensor:
    """The same storage, without gradient."""
    out: Tensor = blank(Tensor, t.storage, t._shape, t._dtype)
    out.chain, out.strides, out.base = t.chain, t.strides, t.base
    out.detached = max(t.detached, 1)
    return out
