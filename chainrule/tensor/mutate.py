"""Writing in place: a handle's node is replaced, its storage counts one version more.

A view writes through: its base becomes "base with this part replaced", every other view of it is
read anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, ops
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node, TensorType
from chainrule.tensor.handle import SILENT, Tensor, node_of, wrap
from chainrule.tensor.record import apply, without_gradient
from chainrule.tensor.trace import (
    Storage,
    Trace,
    between_processes,
    flush,
    flush_if_due,
    one_piece,
    state,
)


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
    if (
        not uniform
        and t.strides is not None
        and any(st == 0 and n > 1 for st, n in zip(t.strides, t._shape, strict=True))
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
    s, grad = t.storage, state.grad
    for level in state.here.lanes:
        level.check_write(s, whole)
    # Through `.detach()`, `.data` or under no_grad: PyTorch's gradients do not see such a write.
    keeps = bool(t.leaf and t.level)  # a parameter that was written to under no_grad
    tracked = value.level > 0 and grad
    hidden = t.detached > 0 or not grad
    unseen = hidden and not keeps and (s.level > 0 or (t.level > 0 and not t.detached))
    closed = unseen and s.trace is None
    own = whole
    if unseen and s.node is not None:
        whole = ops.passing_to(whole, s.node)
    elif t.detached and tracked:
        whole = ops.stop_gradient(whole)
    silent = t.detached == SILENT
    s.silent += silent
    trace.write(s, whole, counts=not silent)
    if t.detached and tracked:  # a variable of its own from now on
        t.level, t.leaf, t.history = 1, False, None
        t.node, t.seen_in, t.version = node, trace.serial, s.version
        if t.base is not None and t.base.detached:  # and so is what it is a part of
            t.base.level, t.base.leaf, t.base.history = 1, False, None
            t.base.node, t.base.seen_in, t.base.version = own, trace.serial, s.version
            trace.handles.append(t.base)
    elif not keeps and not t.detached and not unseen:
        s.level = max(value.level, t.level) if grad else t.level
        if s.level and value._dtype.is_differentiable and (value.level or t.level):
            t.level, t.leaf = s.level, False
            _tell_family(s, trace)
        t.node, t.seen_in, t.version = node, trace.serial, s.version
        t.history = None
    elif keeps or t.detached:
        t.seen_in = -1  # else it is known by its version that it must be read anew
    if t.level and not t.leaf:
        trace.handles.append(t)
    if closed:  # its gradient goes on through the trace that it came from
        s.unseen = trace.serial
        flush(trace)
    flush_if_due(trace)
    return t


def _tell_family(s: Storage, trace: Trace) -> None:
    """A base and its views carry a gradient as soon as something that does is written into one, and
    from now on it is asked of what was written.
    """
    for r in s.family or ():
        t = r()
        if t is not None and not t.detached:
            if not t.level:
                t.level, t.leaf = s.level, False
            trace.handles.append(t)


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
    for i, outer in reversed(list(enumerate(levels))):
        op, attrs = t.chain[i]
        if op.put is None or (op is ops.broadcast_to and i + 1 < len(t.chain)):
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


def read_anew(targets: Iterable[Tensor]) -> None:
    """Other processes write to shared memory while a step is computed: what this one adds is added
    to what is there now, so what was recorded from an earlier look is computed first.
    """
    trace = state.trace
    if any(t.storage.export is True and t.storage.entered == trace.serial for t in targets):
        flush(trace)


def update(targets: Sequence[Tensor], fn: Callable[..., Any], *data: Any, **attrs: Any) -> None:
    """Record new values for `targets` as one formula: fn(*targets, *data, **attrs) → one value for
    each target.
    """
    with one_piece:
        values = apply(fn, *targets, *data, **attrs)
        parts = values if isinstance(values, tuple) else (values,)
        for t, value in zip(targets, parts, strict=True):
            assign(t, value)


def update_rows(
    fn: Callable[..., Any],
    rows: Sequence[tuple[Tensor, ...]],
    width: int,
    numbers: Sequence[float],
    dtype: dtypes.DType,
    **attrs: Any,
) -> None:
    """`update` for many targets, as one look into the dictionary: every row is `width` targets and
    the tensors that the formula reads beside them; all rows share the numbers, which are data of
    this type.
    """
    here = state.here
    if between_processes:
        read_anew(t for row in rows for t in row[:width])
    while True:
        trace = here.trace
        serial = trace.serial
        nodes: list[Any] = []
        for row in rows:
            for t in row:
                n = (
                    t.node
                    if t.seen_in == serial and t.version == t.storage.version
                    else t._enter(trace)
                )
                nodes.append(without_gradient(n) if t.level else n)
        if not trace.closed:  # nothing was evaluated on the way
            break
    for v in numbers:
        nodes.append(trace.bind(np.array(v, dtype.np), dtype, None))
    key = (fn, width, *attrs.items(), *nodes)
    found = _rows.get(key)
    if found is None:
        if len(_rows) >= _ROWS_LIMIT:
            _rows.clear()
        found = _rows[key] = _new_rows(fn, rows, width, nodes, len(numbers), attrs)
    later = []
    new = iter(found)
    storages, values, writes = trace.storages, trace.values, trace.writes
    before = len(trace.bound)
    for row in rows:
        for t in row[:width]:
            node, s = next(new), t.storage
            if (
                s.trace is None
                and s.entered == serial
                and t.leaf
                and not (t.chain or t.detached or here.grad or (s.level and not t.level))
            ):  # as `Trace.write`; handles see by the version that they must read anew
                storages.append(s)
                writes.append((before, None, s, node))
                values.append(node)
                s.trace, s.node = trace, node
                s.version += 1
                if s.export is not None and s.exported:
                    trace.urgent = True
            else:
                later.append((t, wrap(node, 0)))
    if later:
        with one_piece:
            for t, value in later:
                assign(t, value)
    else:
        flush_if_due(trace)


_rows: dict[tuple[Any, ...], list[Node]] = {}
_ROWS_LIMIT = 1024


def _new_rows(
    fn: Callable[..., Any],
    rows: Sequence[tuple[Tensor, ...]],
    width: int,
    nodes: list[Node],
    numbers: int,
    attrs: dict[str, Any],
) -> list[Node]:
    found, at = [], 0
    shared = nodes[len(nodes) - numbers :]
    for row in rows:
        out = fn(*nodes[at : at + len(row)], *shared, **attrs)
        at += len(row)
        if isinstance(out, Node):
            out = (out,) if isinstance(out.type, TensorType) else ops.items(out)
        for t, n in zip(row[:width], out, strict=True):
            assert n.shape == t._shape
            found.append(n if n.dtype is t._dtype else ops.cast(n, dtype=t._dtype))
    return found


def count_up(t: Tensor) -> float:
    """Add 1 to a counter in place, now; gives the count, or 0.0 where it must be recorded instead.

    For a 0-d tensor of an optimiser's state that nobody computes with.
    """
    s = t.storage
    array = s.array
    if s.trace is not None or array is None or t._shape or t.chain or t.level or s.export:
        return 0.0
    s.array = array = np.array(float(array) + 1, array.dtype)
    s.version += 1
    return float(array)
