"""Recording: from a call on tensors to a node, found in a dictionary the second time.

A call's key is the function, the nodes of its tensors and its attributes; the graph that the
function built for such a key the first time (casts, broadcasts, checks and all) is simply found
again.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from chainrule import dtypes, ops
from chainrule.ir.node import Node, TensorType
from chainrule.ir.op import Op
from chainrule.lines import users_lines
from chainrule.telling import tell, told
from chainrule.tensor.handle import Size, Step, Tensor, blank, from_array, node_of, result
from chainrule.tensor.trace import Trace, due, flush_if_due, state

#: What a call gave: (function, nodes and constants, attributes) → node, nodes, or `_Numbered`.
_found: dict[tuple[Any, ...], Any] = {}
_FOUND_LIMIT = 200_000

#: Where Python numbers stand: (function, position, nodes) → what was seen there.
_places: dict[tuple[Any, ...], _Place] = {}
_NUMBERS = (bool, int, float, complex)

#: Nodes as they are read without gradient.
_stopped: dict[Node, Node] = {}


class _Place:
    """The number that was last seen at a place, when; and the element type of the input that it has
    become, once it was another one in a later trace.
    """

    __slots__ = ("dtype", "serial", "value")

    def __init__(self, value: Any, serial: int) -> None:
        self.value, self.serial = value, serial
        self.dtype: dtypes.DType | None = None


class _Numbered(NamedTuple):
    """What a call with Python numbers gave, as long as these are constants at their places."""

    value: Any
    numbers: tuple[tuple[_Place, Any], ...]

    def holds(self) -> bool:
        return all(
            place.dtype is None and place.value == a and type(place.value) is type(a)
            for place, a in self.numbers
        )


def apply(fn: Callable[..., Any], *args: Any, **attrs: Any) -> Any:
    """Record `fn(*nodes, **attrs)` for tensors and numbers; gives a tensor, or several.

    The first time the function is called. Its checks, casts and formula are paid for once: for the
    same nodes and attributes it is one look into a dictionary. So what a function of tensors does
    in several operations is best written as a function of nodes, and recorded in one call.
    """
    here = state.here
    trace = here.current
    if trace.closed:
        trace = here.trace
    serial, grad = trace.serial, here.grad
    level, numbers = 0, False
    parts: list[Any] = [fn]
    for a in args:
        if isinstance(a, Tensor):
            node = (
                a.node
                if a.seen_in == serial and a.version == a.storage.version
                else a._enter(trace)
            )
            if a.level:
                if not grad:
                    node = without_gradient(node)
                elif a.level > level:
                    level = a.level
            parts.append(node)
        elif a is None:
            parts.append(None)
        else:
            numbers = True
            parts.append(_constant_key(fn, a))
    if trace.closed:  # something was evaluated on the way: once more
        return apply(fn, *args, **attrs)
    key = (*parts, *attrs.items()) if attrs else tuple(parts)
    try:
        found = _found.get(key)
    except TypeError:  # lists among the attributes
        attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in attrs.items()}
        key = (*parts, *attrs.items())
        found = _found.get(key)
    if numbers:
        if found is None or not found.holds():
            found = _with_numbers(fn, args, parts[1:], attrs, key, trace)
        else:
            found = found.value
    elif found is None:
        found = _find(fn, parts[1:], attrs, key)
    out: Any
    if isinstance(found, tuple):
        out = tuple([result(n, trace, level) for n in found])
    else:
        out = result(found, trace, level)
    if trace.urgent or len(trace.storages) > due.most:
        flush_if_due(trace)
    return out


def found_node(fn: Callable[..., Node], of: Node, **attrs: Any) -> Node:
    """`fn(of, **attrs)`, worked out the first time only: for what is recorded without `apply`."""
    key = (fn, of, *attrs.items())
    found = _found.get(key)
    if found is None:
        _remember(key, found := fn(of, **attrs))
    return found


def _find(
    fn: Callable[..., Any], nodes: list[Any], attrs: dict[str, Any], key: tuple[Any, ...]
) -> Any:
    """What a call gives, from the dictionary or by the function."""
    node = _found.get(key)
    if node is None:
        try:
            node = fn(*[n[1] if type(n) is tuple else n for n in nodes], **attrs)
        except Exception as error:
            if not told(error).lines:
                tell(error, lines=users_lines())
            raise
        if isinstance(node, Node) and not isinstance(node.type, TensorType):
            node = ops.items(node)
        _remember(key, node)
    return node


def _remember(key: tuple[Any, ...], value: Any) -> None:
    if len(_found) >= _FOUND_LIMIT:
        _found.clear()
        _stopped.clear()
    _found[key] = value


def without_gradient(node: Any) -> Node:
    """A value as no_grad reads it."""
    found = _stopped.get(node)
    if found is None:
        found = _stopped[node] = ops.stop_gradient(node)
    return found


def _with_numbers(
    fn: Callable[..., Any],
    args: tuple[Any, ...],
    nodes: list[Any],
    attrs: dict[str, Any],
    key: tuple[Any, ...],
    trace: Trace,
) -> Any:
    """What a call with Python numbers gives: each is a constant, or an input if it changes from
    step to step at its place.
    """
    seen: list[tuple[_Place, Any]] = []
    constant = True
    if isinstance(fn, Op) and fn.prepare is not None:
        plain = [*args]  # NumPy's numbers as Python's
        kinds = tuple(type(x) for x in args if not isinstance(x, Tensor))
        for i, a in enumerate(args):
            if isinstance(a, Tensor) or a is None:
                continue
            if isinstance(a, np.generic):
                a = plain[i] = a.item()
            if _is_structure(fn, a):
                continue
            known = [n for n in nodes if isinstance(n, Node)]
            place = _place((fn, i, kinds, *known), a, trace)
            seen.append((place, a))
            node = _promoted(place, a, trace, functools.partial(_type_at, fn, i, plain))
            if node is not None:
                nodes[i], constant = node, False
    if constant:
        value = _find(fn, nodes, attrs, ("numbers", *key))
        _remember(key, _Numbered(value, tuple(seen)))
        return value
    return _find(fn, nodes, attrs, ("numbers", fn, *nodes, *attrs.items()))


def _is_structure(fn: Op, a: Any) -> bool:
    """x² and x³ are formulas of their own; truth values and NaN do not vary."""
    return (
        type(a) is bool
        or a != a
        or (fn is ops.pow and type(a) is not complex and float(a).is_integer())
    )


def _constant_key(fn: Callable[..., Any], a: Any) -> Any:
    """What makes two numbers the same constant: 1, 1.0, True, 0.0 and −0.0 are four."""
    if isinstance(a, np.generic):
        a = a.item()
    if not isinstance(a, _NUMBERS):
        if isinstance(a, Node):
            raise TypeError("expected a tensor, got a graph node")
        raise TypeError(
            f"{getattr(fn, 'name', getattr(fn, '__name__', fn))}() takes tensors and numbers, got "
            f"{type(a).__name__}: {a!r:.60}"
        )
    if a != a:
        return (float, math.nan)  # one object: NaN is found in a dictionary by identity only
    if a == 0 and type(a) is float and math.copysign(1.0, a) < 0:
        return ("-0.0", a)
    return (type(a), a)


def _place(key: tuple[Any, ...], a: Any, trace: Trace) -> _Place:
    place = _places.get(key)
    if place is None:
        if len(_places) > _FOUND_LIMIT:
            _places.clear()
        place = _places[key] = _Place(a, trace.serial)
    return place


def _promoted(
    place: _Place, a: Any, trace: Trace, dtype: Callable[[], dtypes.DType]
) -> Node | None:
    """An input for a number that was another one when this place was last recorded; None: it is
    still a constant.
    """
    if place.dtype is None:
        value = place.value
        if place.serial == trace.serial or (value == a and type(value) is type(a)):
            return None
        place.dtype = dtype()
    return trace.bind(np.array(a).astype(place.dtype.np), place.dtype, None)


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
        trace = state.trace
        place = _place(("fill", shape, dtype, type(value)), value, trace)
        node = _promoted(place, value, trace, lambda: dtype)
    return ops.full(shape, value, dtype) if node is None else ops.broadcast_to(node, shape=shape)


def steady(key: tuple[Any, ...], value: float) -> bool:
    """Whether a number has always been the same at a place, so that it may be an attribute; else it
    should be data (`varying`).
    """
    trace = state.here.trace
    place = _places.get(key)
    if place is None:
        place = _place(key, value, trace)
    if place.dtype is None and place.value != value and place.serial != trace.serial:
        place.dtype = dtypes.get_default_dtype()
    return place.dtype is None


def varying(value: float, dtype: dtypes.DType | None = None) -> Tensor:
    """A number that changes from step to step, as a 0-d tensor: data, never part of a program's
    structure.
    """
    d = dtype or dtypes.get_default_dtype()
    return from_array(np.array(value, d.np), d)


# ------------------------------------------------------------------ views


def view(t: Tensor, op: Any, **attrs: Any) -> Tensor:
    """Another look at the same storage: writing to one is seen in the other."""
    return chain(t, ((op, tuple(attrs.items())),))


_layouts: dict[Any, Any] = {}
_plans: dict[Any, Any] = {}
#: (node or None, shape, strides, steps) → the view's node, shape and strides.
_views: dict[Any, tuple[Node | None, tuple[int, ...], tuple[int, ...] | None]] = {}


def recast(t: Tensor, op: Op, dtype: dtypes.DType) -> Tensor:
    """A view in another element type: complex numbers as pairs, or what is real of them."""
    out = chain(t, ((op, ()),))
    out._dtype = dtype
    return out


def _pair_strides(
    shape: tuple[int, ...], strides: tuple[int, ...], op: Op
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Shape and strides of a view between complex numbers and their parts."""
    if op is ops.view_as_complex:
        if strides[-1] != 1:
            raise RuntimeError("Tensor must have a last dimension with stride 1")
        if any(s % 2 for s in strides[:-1]):
            raise RuntimeError(
                "Tensor must have a stride divisible by 2 for all but last dimension"
            )
        return shape[:-1], tuple(s // 2 for s in strides[:-1])
    wide = tuple(2 * s for s in strides)
    return ((*shape, 2), (*wide, 1)) if op is ops.view_as_real else (shape, wide)


_PAIRS = (ops.view_as_complex, ops.view_as_real, ops.real, ops.imag)


def plan(f: Callable[..., Any], t: Tensor, *args: Any) -> Any:
    """f(t, *args), which looks at shape and strides of t and at whole numbers only: the view steps
    of a call are worked out once.
    """
    for a in args:
        if type(a) is not int and type(a) is not Size:
            return f(t, *args)
    key = (f, t._shape, t.strides, args)
    found = _plans.get(key, _plans)
    if found is _plans:
        if len(_plans) > 100_000:
            _plans.clear()
        found = _plans[key] = f(t, *args)
    return found


def chain(t: Tensor, steps: tuple[Step, ...]) -> Tensor:
    """Several view steps as one handle."""
    s, here = t.storage, state.here
    tracked = t.level > 0 and here.grad
    node: Node | None = None
    trace = here.current
    if tracked or s.trace is not None:
        node = node_of(t)
        trace = here.trace  # it may have been evaluated on the way
        if t.level and not here.grad:
            node = without_gradient(node)
    key = (node, t._shape, t.strides, steps)
    found = _views.get(key)
    if found is None:
        if len(_views) > 100_000:
            _views.clear()
        found = _views[key] = _seen(node, t._shape, t.strides, steps)
    node = found[0]
    out: Tensor = blank(Tensor, s, found[1], t._dtype)
    out.strides = found[2]
    out.chain = (*t.chain, *steps) if t.chain else steps
    out.base = t.base if t.base is not None else t
    if t.detached or (t.level and not tracked):
        out.detached = t.detached or 1
    else:
        if out.base is t and not s.family:
            s.join(t)
        s.join(out)
    if node is not None:
        out.node, out.seen_in, out.version = node, trace.serial, s.version
        trace.values.append(node)
    if tracked:
        out.level, out.leaf = t.level, False
        trace.handles.append(out)
    return out


def _seen(
    node: Node | None,
    shape: tuple[int, ...],
    strides: tuple[int, ...] | None,
    steps: tuple[Step, ...],
) -> tuple[Node | None, tuple[int, ...], tuple[int, ...] | None]:
    for step in steps:
        if node is not None:
            node = step[0].make((node,), step[1])
        shape, strides = _layout(shape, strides, step)
    assert node is None or node.shape == shape
    return node, shape, strides


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
        made: tuple[int, ...] | None
        if op in _PAIRS:
            seen, made = _pair_strides(
                shape, contiguous_strides(shape) if strides is None else strides, op
            )
        else:
            assert op.reference is not None
            out = op.reference(probe(shape, strides), **dict(attrs))
            seen, made = out.shape, out.strides
        if 0 in seen or _is_contiguous(seen, made):
            made = None
        if len(_layouts) > 100_000:
            _layouts.clear()
        found = _layouts[key] = (seen, made)
    return found


def _is_contiguous(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    want = contiguous_strides(shape)
    return all(n == 1 or a == b for n, a, b in zip(shape, strides, want, strict=True))


def probe(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> np.ndarray:
    """An array of this layout that takes no memory, never to be touched: a byte an element."""
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
            np.reshape(probe(t._shape, t.strides), shape, copy=False)
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
