"""Writing in place: a handle's node is replaced, its storage counts one version more.

A view writes through: its base becomes "base with this part replaced", every other view of it is
read anew.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

from chainrule import dtypes, ops
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.tensor.handle import SILENT, Tensor, node_of
from chainrule.tensor.record import apply
from chainrule.tensor.trace import Storage, Trace, flush, flush_if_due, one_piece, state


def check_writable(t: Tensor, uniform: bool = False) -> None:
    """What PyTorch refuses: a leaf that wants gradients, a view of one, overlapping memory."""
    if state.grad:
        if t.leaf and t.level:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
        if t.base is not None and t.base.leaf and t.base.level and not t.detached:
            raise RuntimeError(
                "a view of a leaf Variable that requires grad is being used in an in-place "
                "operation."
            )
    if not uniform and t.strides is not None and any(
        st == 0 and n > 1 for st, n in zip(t.strides, t._shape, strict=True)
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. "
            "Please clone() the tensor before performing the operation."
        )


def assign(t: Tensor, value: Tensor, *, uniform: bool = False) -> Tensor:
    """Let `value` (already recorded, of t's shape and dtype) be the content of t.

    `uniform`: it is one number everywhere, so elements that share memory do no harm.
    """
    check_writable(t, uniform)
    if value._shape != t._shape:
        raise ShapeError(
            f"output with shape {list(t._shape)} doesn't match the broadcast shape "
            f"{list(value._shape)}: "
            "an operation in place cannot change the shape"
        )
    if value._dtype is not t._dtype:
        value = _cast(value, t._dtype)
    while True:  # entering may evaluate what was recorded; then once more
        trace = state.trace
        node = node_of(value)
        whole = _whole(t, node) if t.chain else node
        if state.trace is trace and node is value.node:
            break
    s = t.storage
    # Through `.detach()`, `.data` or under no_grad: PyTorch's gradients do not see such a write.
    keeps = bool(t.leaf and t.level)  # a parameter that was written to under no_grad
    tracked = value.level > 0 and state.grad
    hidden = t.detached > 0 or not state.grad
    unseen = hidden and not keeps and (s.level > 0 or (t.level > 0 and not t.detached))
    closed = unseen and s.trace is None
    own = whole
    if unseen and s.node is not None:
        whole = ops.passing_to(whole, s.node)
    elif t.detached and tracked:
        whole = ops.stop_gradient(whole)
    if t.detached == SILENT:
        s.silent += 1
    else:
        _overwrite(t, whole)
    s.node, s.trace = whole, trace
    s.version += 1
    trace.storages.append(weakref.ref(s))
    trace.handles.append(weakref.ref(t))
    trace.owners[whole] = whole not in trace.owners
    if t.detached and tracked:  # a variable of its own from now on
        t.level, t.leaf, t.history = 1, False, None
        t.node, t.seen_in, t.version = node, trace, s.version
        if t.base is not None and t.base.detached:  # and so is what it is a part of
            t.base.level, t.base.leaf, t.base.history = 1, False, None
            t.base.node, t.base.seen_in, t.base.version = own, trace, s.version
            trace.handles.append(weakref.ref(t.base))
    elif not keeps and not t.detached and not unseen:
        s.level = max(value.level, t.level) if state.grad else t.level
        if s.level and value._dtype.is_floating_point and (value.level or t.level):
            t.level, t.leaf = s.level, False
            _tell_family(s, trace)
        t.node, t.seen_in, t.version = node, trace, s.version
        t.history = None
    elif keeps or t.detached:
        t.node = t.seen_in = None  # else it is known by its version that it must be read anew
    if closed:  # its gradient goes on through the trace that it came from
        s.unseen = trace.serial
        flush(trace)
    flush_if_due(trace)
    return t


def _tell_family(s: Storage, trace: Trace) -> None:
    """A base and its views carry a gradient as soon as something that does is written into one, and
    from now on it is asked of what was written.
    """
    for r in s.family:
        t = r()
        if t is not None and not t.detached:
            if not t.level:
                t.level, t.leaf = s.level, False
            trace.handles.append(r)


def _cast(value: Tensor, dtype: dtypes.DType) -> Tensor:
    if value._dtype.category > dtype.category:
        raise DtypeError(
            f"result type {value._dtype} can't be cast to the desired output type {dtype}"
        )
    out: Tensor = apply(ops.cast, value, dtype=dtype)
    return out


def _whole(t: Tensor, node: Node) -> Node:
    """The base's new value: the part that t sees replaced, from the innermost view outwards."""
    base = t.base
    assert base is not None
    levels = [_base_node(base)]
    for op, attrs in t.chain[:-1]:
        levels.append(op.make((levels[-1],), attrs))
    for (op, attrs), outer in zip(reversed(t.chain), reversed(levels), strict=True):
        if op.put is None or (op is ops.broadcast_to and (op, attrs) is not t.chain[-1]):
            raise RuntimeError(
                f"cannot write through {op.name}: its elements share memory; clone() it first"
            )
        node = op.put(outer, node, **dict(attrs))
    return node


def _base_node(base: Tensor) -> Node:
    s = base.storage
    if s.trace is state.trace and base.leaf and base.level:
        assert s.node is not None
        return s.node
    node = node_of(base)
    return ops.stop_gradient(node) if base.level and not state.grad else node


def _overwrite(t: Tensor, new: Node) -> None:
    """Remember that a value is gone: a gradient that needs it must be refused."""
    trace, s = state.trace, t.storage
    if s.trace is trace and s.node is not None:
        if trace.owners.get(s.node):
            trace.overwritten[s.node] = new
    elif s.entered == trace.serial:
        for node in trace.shown.get(s, ()):
            trace.overwritten[node] = new


def update(targets: Sequence[Tensor], fn: Callable[..., Any], *data: Any, **attrs: Any) -> None:
    """Record new values for `targets` as one formula: fn(*targets, *data, **attrs) → one value for
    each target.
    """
    with one_piece:
        values = apply(fn, *targets, *data, **attrs)
        parts = values if isinstance(values, tuple) else (values,)
        for t, value in zip(targets, parts, strict=True):
            assign(t, value)
