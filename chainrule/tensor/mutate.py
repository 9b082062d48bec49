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
from chainrule.tensor.trace import flush, flush_if_due, state


def check_writable(t: Tensor) -> None:
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
    if t.strides is not None and any(
        st == 0 and n > 1 for st, n in zip(t.strides, t._shape, strict=True)
    ):
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a "
            "single memory location. "
            "Please clone() the tensor before performing the operation."
        )


def assign(t: Tensor, value: Tensor) -> Tensor:
    """Let `value` (already recorded, of t's shape and dtype) be the content of t."""
    check_writable(t)
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
    unseen = s.level > 0 and bool(t.detached or not state.grad)
    closed = unseen and s.trace is None
    if unseen and s.node is not None:
        whole = ops.passing_to(whole, s.node)
    if t.detached == SILENT:
        s.silent += 1
    else:
        _overwrite(t, whole)
    s.node, s.trace = whole, trace
    s.version += 1
    trace.storages.append(weakref.ref(s))
    trace.handles.append(weakref.ref(t))
    trace.owners[whole] = whole not in trace.owners
    keeps = t.leaf and t.level  # a parameter that was written to under no_grad
    if not keeps and not t.detached and not unseen:
        s.level = max(value.level, t.level) if state.grad else t.level
        if s.level and value._dtype.is_floating_point and (value.level or t.level):
            t.level, t.leaf = s.level, False
        t.node, t.seen_in, t.version = node, trace, s.version
        t.history = None
    elif keeps or t.detached:
        t.node = t.seen_in = None  # else it is known by its version that it must be read anew
    if closed:  # its gradient goes on through the trace that it came from
        s.unseen = trace.serial
        flush(trace)
    flush_if_due(trace)
    return t


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
        if op.put is None:
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
        for e in trace.inputs:
            if e.tensor is not None and e.tensor.storage is s:
                trace.overwritten[e.node] = new


def update(targets: Sequence[Tensor], fn: Callable[..., Any], *data: Any, **attrs: Any) -> None:
    """Record new values for `targets` as one formula: fn(*targets, *data, **attrs) → one value for
    each target.
    """
    values = apply(fn, *targets, *data, **attrs)
    for t, value in zip(targets, values if isinstance(values, tuple) else (values,), strict=True):
        assign(t, value)
