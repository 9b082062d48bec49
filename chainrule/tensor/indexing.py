"""`x[…]` and `x[…] = v`, all forms that PyTorch knows.

Integers, slices, None and … are a view (a slice, then a reshape). Integer and boolean tensors,
lists and arrays are a `take` (reading) or a `put` (writing) over the axes that they index; boolean
masks are looked at to become indices.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from chainrule import dtypes, ops, shapes
from chainrule.errors import ShapeError
from chainrule.ir.node import Node
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.handle import SILENT, Step, Tensor
from chainrule.tensor.mutate import assign, check_writable
from chainrule.tensor.record import apply, chain
from chainrule.tensor.trace import flush, one_piece, state


class Parsed(NamedTuple):
    """An index in two steps: the view, then tensors at axes of the view."""

    start: tuple[int, ...]
    stop: tuple[int, ...]
    step: tuple[int, ...]
    shape: tuple[int, ...]
    tensors: list[tuple[int, Tensor]]


def _is_sequence(i: Any) -> bool:
    return isinstance(i, (list, np.ndarray, range, tuple))


def _entries(x: Tensor, index: Any) -> list[Any]:
    """The index as a list, masks as indices, `…` written out."""
    if isinstance(index, list) and any(
        isinstance(i, (slice, type(None), type(Ellipsis), Tensor)) for i in index
    ):
        index = tuple(index)
    raw = list(index) if isinstance(index, tuple) else [index]
    out: list[Any] = []
    for i in raw:
        if isinstance(i, (bool, np.bool_)):
            out.append(i)
        elif isinstance(i, Tensor) or _is_sequence(i):
            t = (
                i
                if isinstance(i, Tensor)
                else as_tensor(np.asarray(_plain(i)) if not isinstance(i, np.ndarray) else i)
            )
            if t.numel() == 0 and t.dtype.is_floating_point:
                t = t.long()
            if t.dtype is dtypes.bool_:
                out.append(("mask", t))
            elif t.dtype.is_differentiable:
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
            else:
                out.append(t)
        elif isinstance(i, slice) or i is None or i is Ellipsis:
            out.append(i)
        else:
            try:
                out.append(i.__index__())
            except (AttributeError, TypeError):
                wrong = TypeError if isinstance(i, str) else IndexError
                raise wrong(
                    "only integers, slices (`:`), ellipsis (`...`), None and long or byte "
                    f"Variables are valid indices (got {type(i).__name__})"
                ) from None
    used = sum(_axes_used(i) for i in out)
    if used > x.ndim:
        raise IndexError(f"too many indices for tensor of dimension {x.ndim}")
    dots = [k for k, i in enumerate(out) if i is Ellipsis]
    if len(dots) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    at = dots[0] if dots else len(out)
    fill = [slice(None)] * (x.ndim - used)
    return [*out[:at], *fill, *out[at + len(dots) :]]


def _plain(i: Any) -> Any:
    if isinstance(i, Tensor):
        return i.tolist()
    return [_plain(k) for k in i] if isinstance(i, (list, tuple, range)) else i


def _axes_used(i: Any) -> int:
    if i is None or i is Ellipsis or isinstance(i, (bool, np.bool_)):
        return 0
    return i[1].ndim if isinstance(i, tuple) else 1


def parse(x: Tensor, index: Any) -> Parsed:
    """Split an index into its view and its tensors."""
    start, stop, step, shape = [], [], [], []
    tensors: list[tuple[int, Tensor]] = []
    axis = 0

    def whole(n: int) -> None:
        start.append(0)
        stop.append(n)
        step.append(1)
        shape.append(n)

    for i in _entries(x, index):
        if i is None:
            shape.append(1)
        elif isinstance(i, (bool, np.bool_)):
            tensors.append((len(shape), from_owned(np.zeros(1 if i else 0, np.int64))))
            shape.append(1)
        elif isinstance(i, tuple):
            mask = i[1]
            want = x._shape[axis : axis + mask.ndim]
            if mask._shape != want:
                raise IndexError(
                    f"The shape of the mask {list(mask._shape)} at index {axis} does not match "
                    "the shape of the indexed "
                    f"tensor {list(x._shape)} at index {axis}"
                )
            found = np.nonzero(mask._concrete())
            for k, n in enumerate(want):
                tensors.append((len(shape), from_owned(found[k].astype(np.int64))))
                whole(n)
            if not want:
                tensors.append((len(shape), from_owned(np.zeros(int(bool(mask.item())), np.int64))))
                shape.append(1)
            axis += mask.ndim
        elif isinstance(i, Tensor):
            n = x._shape[axis]
            check_range(i, axis, n)
            tensors.append((len(shape), i))
            whole(n)
            axis += 1
        elif isinstance(i, slice):
            if i.step is not None and i.step.__index__() <= 0:
                raise ValueError("step must be greater than zero")
            a, b, s = slice(
                *(v if v is None else v.__index__() for v in (i.start, i.stop, i.step))
            ).indices(x._shape[axis])
            start.append(a)
            stop.append(max(a, b))
            step.append(s)
            shape.append(len(range(a, b, s)))
            axis += 1
        else:
            n = x._shape[axis]
            if not -n <= i < n:
                raise IndexError(f"index {i} is out of bounds for dimension {axis} with size {n}")
            start.append(i % n)
            stop.append(i % n + 1)
            step.append(1)
            axis += 1
    return Parsed(tuple(start), tuple(stop), tuple(step), tuple(shape), tensors)


def check_range(i: Tensor, axis: int, n: int, wrong: type[Exception] = IndexError) -> None:
    """Indices that are known already are checked at once; others when they are computed."""
    array = i.storage.array
    if i.storage.trace is None and array is not None and i.numel():
        seen = i._view()
        low, high = int(seen.min()), int(seen.max())
        if low < -n or high >= n:
            raise wrong(
                f"index {low if low < -n else high} is out of bounds for dimension {axis} with "
                f"size {n}"
            )


def basic(x: Tensor, p: Parsed) -> Tensor:
    """The view part."""
    return chain(x, _steps(x, p))


#: (shape, numbers, slices, None and …) → the steps of the view.
_simple: dict[Any, tuple[Step, ...]] = {}


def _steps(x: Tensor, p: Parsed) -> tuple[Step, ...]:
    steps: list[Any] = []
    cut = tuple(len(range(*t)) for t in zip(p.start, p.stop, p.step, strict=True))
    if cut != x._shape or any(s != 1 for s in p.step):
        steps.append((ops.slice, (("start", p.start), ("stop", p.stop), ("step", p.step))))
    if cut != p.shape:
        steps.append((ops.reshape, (("shape", p.shape),)))
    return tuple(steps) or ((ops.reshape, (("shape", p.shape),)),)


def getitem(x: Tensor, index: Any) -> Tensor:
    """x[index]"""
    entries = index if type(index) is tuple else (index,)
    key: list[Any] = []
    for i in entries:
        if type(i) is slice:
            bounds = (i.start, i.stop, i.step)
            if not all(v is None or type(v) is int for v in bounds):
                break
            key.append(bounds)
        elif i is None or i is Ellipsis or type(i) is int:
            key.append(i)
        else:
            break
    else:
        place = (x._shape, *key)
        steps = _simple.get(place)
        if steps is None:
            if len(_simple) > 100_000:
                _simple.clear()
            steps = _simple[place] = _steps(x, parse(x, index))
        return chain(x, steps)
    p = parse(x, index)
    v = basic(x, p)
    if not p.tensors:
        return v
    axes = tuple(a for a, _ in p.tensors)
    return apply(gather_at, v, *(t for _, t in p.tensors), axes=axes)


class _Layout(NamedTuple):
    order: tuple[int, ...]  # indexed axes first
    sizes: tuple[int, ...]
    rest: tuple[int, ...]
    where: Node
    home: int  # where the index axes go in the result


def _lay_out(x: Node, tensors: tuple[Node, ...], axes: tuple[int, ...]) -> _Layout:
    try:
        common = shapes.broadcast(*(t.shape for t in tensors))
    except ShapeError:
        raise IndexError(
            "shape mismatch: indexing tensors could not be broadcast together with shapes "
            + ", ".join(str(list(t.shape)) for t in tensors)
        ) from None
    sizes = tuple(x.shape[a] for a in axes)
    others = tuple(a for a in range(x.ndim) if a not in axes)
    linear: Node | None = None
    for t, n in zip(tensors, sizes, strict=True):
        i = ops.cast(t, dtype=dtypes.int64)
        if len(sizes) > 1:
            i = ops.where(i < 0, i + n, i)
        linear = i if linear is None else linear * n + i
    assert linear is not None
    linear = ops.broadcast_to(linear, shape=common) if linear.shape != common else linear
    adjacent = axes == tuple(range(axes[0], axes[0] + len(axes)))
    return _Layout(
        (*axes, *others),
        sizes,
        tuple(x.shape[a] for a in others),
        linear,
        axes[0] if adjacent else 0,
    )


def gather_at(x: Node, *tensors: Node, axes: tuple[int, ...]) -> Node:
    """NumPy's advanced indexing: the indexed axes become one, `take` reads from it, the result's
    axes go home.
    """
    at = _lay_out(x, tensors, axes)
    if len(axes) == 1:
        return ops.take(x, at.where, axis=axes[0])
    flat = ops.reshape(ops.permute(x, order=at.order), shape=(shapes.size(at.sizes), *at.rest))
    out = ops.take(flat, at.where, axis=0)
    k, n = len(at.where.shape), at.home
    order = (*range(k, k + n), *range(k), *range(k + n, len(out.shape)))
    return ops.permute(out, order=order)


def put_at(x: Node, v: Node, *tensors: Node, axes: tuple[int, ...], mode: str) -> Node:
    """The inverse of `gather_at`: x with v written (or added) there."""
    at = _lay_out(x, tensors, axes)
    k = len(at.where.shape)
    home = at.home if len(axes) > 1 else axes[0]
    want = (*at.rest[:home], *at.where.shape, *at.rest[home:])
    if not shapes.stretches(v.shape, want):
        raise ShapeError(
            f"shape mismatch: value tensor of shape {list(v.shape)} cannot be broadcast to "
            "indexing result of shape "
            f"{list(want)}"
        )
    v = ops.cast(ops.broadcast_to(v, shape=want), dtype=x.dtype)
    v = ops.permute(v, order=(*range(home, home + k), *range(home), *range(home + k, len(want))))
    flat = ops.reshape(ops.permute(x, order=at.order), shape=(shapes.size(at.sizes), *at.rest))
    out = ops.put(flat, at.where, v, axis=0, mode=mode)
    back = [0] * x.ndim
    for i, a in enumerate(at.order):
        back[a] = i
    return ops.permute(ops.reshape(out, shape=(*at.sizes, *at.rest)), order=tuple(back))


def setitem(x: Tensor, index: Any, value: Any) -> None:
    """x[index] = value"""
    if _is_filled(x, value):
        flush(state.trace)
    if not _at_once(x, index, value):
        with one_piece:
            _set(x, index, value)


#: So many parts of an array that waits are written one after another before it is computed.
_PARTS = 4


def _is_filled(x: Tensor, value: Any) -> bool:
    """Whether a loop seems to fill an array with numbers: it is computed, and then each is written
    at once, instead of one graph of thousands of parts.
    """
    s = x.storage
    here = state.here
    if s.trace is not here.current or s.level or x.level or here.hold or here.pause or here.lanes:
        return False
    if isinstance(value, Tensor):
        if value.level or value.storage.trace is not None:
            return False
    elif not isinstance(value, (bool, int, float, np.generic)):
        return False
    n, parts = s.node, 0
    while n is not None and parts < _PARTS and n.op.name in ("slice_update", "reshape"):
        parts += n.op.name == "slice_update"
        n = n.inputs[0]
    return parts == _PARTS


def _set(x: Tensor, index: Any, value: Any) -> None:
    if (
        isinstance(index, Tensor)
        and index.dtype is dtypes.bool_
        and index._shape == x._shape
        and _is_scalar(value)
    ):
        assign(x, apply(_choose, index, _as_value(x, value), x))
        return
    p = parse(x, index)
    v = basic(x, p)
    given = _as_value(x, value)
    if not p.tensors:
        while given.ndim > v.ndim and given._shape[0] == 1:
            given = given[0]
        fitted = apply(_fit, given, shape=v._shape, dtype=x._dtype)
        assign(v, fitted, uniform=_is_scalar(value))
        return
    first = next((i for i, n in enumerate(given._shape) if n != 1), given.ndim)
    if first:  # axes of size 1 in front may be more than there are places for
        given = given.reshape(given._shape[first:])
    axes = tuple(a for a, _ in p.tensors)
    assign(v, apply(put_at, v, given, *(t for _, t in p.tensors), axes=axes, mode="set"))


def _fit(v: Node, *, shape: tuple[int, ...], dtype: dtypes.DType) -> Node:
    try:
        return ops.broadcast_to(ops.cast(v, dtype=dtype), shape=shape)
    except ShapeError:
        raise ShapeError(
            f"The expanded size of the tensor {list(shape)} must match the existing size "
            f"{list(v.shape)}: the value does not fit"
        ) from None


def _choose(c: Node, v: Node, x: Node) -> Node:
    return ops.where(c, ops.cast(v, dtype=x.dtype), x)


def _is_scalar(v: Any) -> bool:
    return isinstance(v, (bool, int, float, np.generic)) or (isinstance(v, Tensor) and v.ndim == 0)


def _as_value(x: Tensor, value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return from_owned(np.array(value, x._dtype.np))


def _at_once(x: Tensor, index: Any, value: Any) -> bool:
    """Plain data that no pending graph reads: write with NumPy now (filling an array in a Python
    loop stays cheap).
    """
    s = x.storage
    if (
        x.level
        or s.trace is not None
        or s.entered == state.trace.serial
        or s.array is None
        or s.level
    ):
        return False
    entries = index if isinstance(index, tuple) else (index,)
    if not all(type(i) in (int, slice) or i is None or i is Ellipsis for i in entries):
        return False
    if any(
        isinstance(i, slice)
        and not all(v is None or type(v) is int for v in (i.start, i.stop, i.step))
        for i in entries
    ):
        return False
    if isinstance(value, Tensor):
        if value.level or value.storage.trace is not None or value.storage is s:
            return False
        value = value._view()
    elif not isinstance(value, (bool, int, float, np.generic)):
        return False
    check_writable(x, _is_scalar(value))
    p = parse(x, index)
    target = x._view()
    if not target.flags.writeable:
        return False
    part = target[ops_slices(p)].reshape(p.shape)
    if not np.shares_memory(part, target) and part.size:
        return False
    try:
        part[...] = value
    except ValueError:
        raise ShapeError(
            f"The expanded size of the tensor {list(p.shape)} must match the existing size "
            f"{list(np.shape(value))}"
        ) from None
    s.version += 1
    s.silent += x.detached == SILENT
    return True


def ops_slices(p: Parsed) -> tuple[Any, ...]:
    """The view part, for NumPy."""
    return tuple(slice(a, b, c) for a, b, c in zip(p.start, p.stop, p.step, strict=True))
