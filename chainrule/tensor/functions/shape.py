"""Shape: views wherever PyTorch gives views, and putting tensors together."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Callable, Sequence
from typing import Any

from chainrule import ops, shapes
from chainrule.dtypes import INTEGER, DType
from chainrule.errors import ShapeError
from chainrule.ir.node import Node
from chainrule.tensor.creation import from_numpy
from chainrule.tensor.functions.pointwise import clone
from chainrule.tensor.handle import Size, Step, Tensor
from chainrule.tensor.record import apply, chain, plan, view, viewable


def reshape(input: Tensor, *sizes: Any, shape: Any = None) -> Tensor:
    """The same elements under another shape; a view where it can be one, else a copy."""
    if shape is not None:
        sizes = (shape,)
    steps = plan(_reshaped, input, *sizes)
    if steps is not None:
        return chain(input, steps)
    return apply(ops.reshape, input, shape=shapes.reshaped(input._shape, shapes.unpack(sizes)))


def _reshaped(input: Tensor, *shape: Any) -> tuple[Step, ...] | None:
    new = shapes.reshaped(input._shape, shapes.unpack(shape))
    return _step(ops.reshape, shape=new) if viewable(input, new) else None


def _step(op: Any, **attrs: Any) -> tuple[Step, ...]:
    return ((op, tuple(attrs.items())),)


def view_as_shape(input: Tensor, *shape: Any, size: Any = None, dtype: Any = None) -> Tensor:
    """`Tensor.view`: as reshape, but never a copy. `x.view(dtype)` of equal size reinterprets the
    bits (a look).
    """
    given = size if dtype is None else dtype
    if given is not None:
        shape = (given,)
    if len(shape) == 1 and isinstance(shape[0], DType):
        return _view_dtype(input, shape[0])
    steps = plan(_reshaped, input, *shape)
    if steps is None:
        new = shapes.reshaped(input._shape, shapes.unpack(shape))
        raise ShapeError(
            "view size is not compatible with input tensor's size and stride "
            f"({list(new)} of {list(input._shape)}, {list(stride(input))}; at least one dimension "
            "spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return chain(input, steps)


def _view_dtype(input: Tensor, dtype: DType) -> Tensor:
    """The same memory, read as another type: the last axis grows or shrinks."""
    if dtype is input._dtype:
        return chain(input, _step(ops.reshape, shape=input._shape))
    if dtype.itemsize != input._dtype.itemsize and (not input.ndim or input.strides is not None):
        raise RuntimeError(
            f"self.dim() cannot be 0, and the elements must be contiguous, to view {input._dtype} "
            f"as {dtype} (different element sizes)"
        )
    ratio = dtype.itemsize // input._dtype.itemsize
    if ratio > 1 and input._shape[-1] % ratio:
        raise RuntimeError(
            f"self.size(-1) must be divisible by {ratio} to view {input._dtype} as {dtype} "
            f"(different element sizes), but got {input._shape[-1]}"
        )
    array = input._concrete()
    input.storage.export = True  # two storages over one memory: each follows the other
    return from_numpy(array.view(dtype.np))


def permute(input: Tensor, *order: Any, dims: Any = None) -> Tensor:
    """Axes in another order."""
    return chain(input, plan(_permuted, input, *(order if dims is None else (dims,))))


def _permuted(input: Tensor, *dims: Any) -> tuple[Step, ...]:
    return _step(ops.permute, order=shapes.permuted(input._shape, shapes.unpack(dims)))


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged."""
    return chain(input, plan(_transposed, input, dim0, dim1))


def _transposed(input: Tensor, dim0: int, dim1: int) -> tuple[Step, ...]:
    a, b = shapes.axis(dim0, input.ndim), shapes.axis(dim1, input.ndim)
    order = list(range(input.ndim))
    if order:
        order[a], order[b] = order[b], order[a]
    return _step(ops.permute, order=tuple(order))


swapaxes = swapdims = transpose


def t(input: Tensor) -> Tensor:
    """The transpose of a matrix; vectors stay."""
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return view(input, ops.permute, order=tuple(reversed(range(input.ndim))))


def adjoint(input: Tensor) -> Tensor:
    """The last two axes exchanged, and complex numbers conjugated."""
    turned = transpose(input, -2, -1)
    return apply(ops.conj, turned) if turned._dtype.is_complex else turned


def movedim(input: Tensor, source: Any, destination: Any) -> Tensor:
    """Axes moved to other places; the rest keep their order."""
    src = [shapes.axis(a, input.ndim) for a in ([source] if isinstance(source, int) else source)]
    dst = [
        shapes.axis(a, input.ndim)
        for a in ([destination] if isinstance(destination, int) else destination)
    ]
    for what, given in (("source", src), ("destination", dst)):
        if len(set(given)) != len(given):
            raise RuntimeError(f"movedim: repeated dim in `{what}` ({given})")
    if len(src) != len(dst):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({src} dims) should contain the "
            f"same number of dims as destination ({dst} dims)"
        )
    order: list[int] = [-1] * input.ndim
    for a, b in zip(src, dst, strict=True):
        order[b] = a
    rest = iter(a for a in range(input.ndim) if a not in src)
    return view(input, ops.permute, order=tuple(next(rest) if a < 0 else a for a in order))


moveaxis = movedim


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """A new axis of size 1 before axis `dim`."""
    at = shapes.axis(dim, input.ndim + 1)
    return view(input, ops.reshape, shape=(*input._shape[:at], 1, *input._shape[at:]))


def squeeze(input: Tensor, dim: Any = None) -> Tensor:
    """Without axes of size 1 (all, or the named ones)."""
    which = (
        range(input.ndim)
        if dim is None
        else [shapes.axis(d, input.ndim) for d in ([dim] if isinstance(dim, int) else dim)]
    )
    new = tuple(n for i, n in enumerate(input._shape) if n != 1 or i not in which)
    return view(input, ops.reshape, shape=new)


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Axes start_dim … end_dim as one."""
    return reshape(input, plan(_flattened, input, start_dim, end_dim))


def _flattened(input: Tensor, start_dim: int, end_dim: int) -> Size:
    if not input.ndim:
        return Size((1,))
    a, b = shapes.axis(start_dim, input.ndim), shapes.axis(end_dim, input.ndim)
    if a > b:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    s = input._shape
    return Size((*s[:a], shapes.size(s[a : b + 1]), *s[b + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """One axis as several."""
    d = shapes.axis(dim, input.ndim)
    parts = shapes.reshaped((input._shape[d],), tuple(sizes))
    return view_as_shape(input, (*input._shape[:d], *parts, *input._shape[d + 1 :]))


def ravel(input: Tensor) -> Tensor:
    """All axes as one."""
    return reshape(input, -1)


def expand(input: Tensor, *sizes: Any, size: Any = None, implicit: bool = False) -> Tensor:
    """Axes of size 1 stretched without a copy; −1 keeps an axis."""
    want = shapes.unpack(sizes if size is None else (size,))
    lead = len(want) - input.ndim
    if lead < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(want)}) must be greater or equal to the "
            f"number of dimensions in the tensor ({input.ndim})"
        )
    new = []
    for i, n in enumerate(want):
        have = input._shape[i - lead] if i >= lead else 1
        if n == -1 and i >= lead:
            n = have
        if n != have and have != 1:
            raise ShapeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({have}) at "
                f"non-singleton dimension {i}.  "
                f"Target sizes: {list(want)}.  Tensor sizes: {list(input._shape)}"
            )
        if n < 0:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) isn't allowed in a leading, non-existing "
                f"dimension {i}"
            )
        new.append(n)
    return view(input, ops.broadcast_to, shape=tuple(new))


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """`expand`, as NumPy calls it."""
    return expand(input, *size)


def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All in their common shape."""
    common = shapes.broadcast(*(t._shape for t in tensors))
    return tuple(expand(t, *common) for t in tensors)


def broadcast_shapes(*sizes: Any) -> Size:
    """The common shape."""
    return Size(shapes.broadcast((), *(shapes.unpack((s,)) for s in sizes)))


def _each(f: Callable[[Tensor], Tensor]) -> Callable[..., Any]:
    """For one tensor, for several, or for a list of them."""

    def g(*tensors: Any) -> Any:
        if len(tensors) == 1 and isinstance(tensors[0], Tensor):
            return f(tensors[0])
        return tuple(f(t) for t in (tensors[0] if len(tensors) == 1 else tensors))

    g.__name__, g.__doc__ = f.__name__, f.__doc__
    return g


@_each
def atleast_1d(input: Tensor) -> Tensor:
    """At least one axis."""
    return input if input.ndim else reshape(input, 1)


@_each
def atleast_2d(input: Tensor) -> Tensor:
    """At least two axes: a vector becomes a row."""
    return input if input.ndim > 1 else reshape(input, (1, input.numel()))


@_each
def atleast_3d(input: Tensor) -> Tensor:
    """At least three axes: a vector becomes (1, n, 1), a matrix (m, n, 1)."""
    if input.ndim > 2:
        return input
    return unsqueeze(input, 2) if input.ndim == 2 else reshape(input, (1, input.numel(), 1))


#: With the channels last in memory: where each axis goes, and where it comes from.
_CHANNELS_LAST = {
    "channels_last": ((0, 2, 3, 1), (0, 3, 1, 2)),
    "channels_last_3d": ((0, 2, 3, 4, 1), (0, 4, 1, 2, 3)),
}


def _channels_last(input: Tensor, memory_format: Any) -> tuple[tuple[int, ...], ...] | None:
    orders = _CHANNELS_LAST.get(str(memory_format).rpartition(".")[2])
    if orders is not None and len(orders[0]) != input.ndim:
        raise RuntimeError(f"required rank {len(orders[0])} tensor to use {memory_format} format")
    return orders


def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """Elements in C order, or in the order of a memory format; a copy only if they are not."""
    if memory_format is None or (orders := _channels_last(input, memory_format)) is None:
        return input if input.strides is None else clone(input)
    there, back = orders
    if is_contiguous(input, memory_format=memory_format):
        return input
    return permute(clone(permute(input, there)), back)


def is_contiguous(input: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements stand in C order, or in the order of a memory format."""
    if memory_format is None or (orders := _channels_last(input, memory_format)) is None:
        return input.strides is None
    return permute(input, orders[0]).strides is None


def stride(input: Tensor, dim: int | None = None) -> Any:
    """Steps in elements between neighbours on each axis."""
    from_shape = []
    n = 1
    for size in reversed(input._shape):
        from_shape.append(n)
        n *= builtins.max(size, 1)
    found = tuple(reversed(from_shape)) if input.strides is None else input.strides
    return found if dim is None else found[dim]


def size(input: Tensor, dim: int | None = None) -> Any:
    """The shape, or one axis of it."""
    return Size(input._shape) if dim is None else input._shape[shapes.axis(dim, input.ndim)]


def numel(input: Tensor) -> int:
    """Number of elements."""
    return shapes.size(input._shape)


def narrow(input: Tensor, dim: int, start: Any, length: int) -> Tensor:
    """`length` elements of an axis from `start`; a view."""
    if not input.ndim:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if isinstance(start, Tensor) and (start.ndim or start._dtype.category != INTEGER):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    d, a, length = shapes.axis(dim, input.ndim), int(start), int(length)
    n = input._shape[d]
    a = a + n if a < 0 else a
    if not (0 <= a <= n and length >= 0 and a + length <= n):
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return _part(input, d, a, a + length)


def _part(x: Tensor, d: int, a: int, b: int, step: int = 1) -> Tensor:
    return chain(x, plan(_sliced, x, d, a, b, step))


def _sliced(x: Tensor, d: int, a: int, b: int, step: int) -> tuple[Step, ...]:
    return _step(
        ops.slice,
        start=tuple(a if i == d else 0 for i in range(x.ndim)),
        stop=tuple(b if i == d else n for i, n in enumerate(x._shape)),
        step=tuple(step if i == d else 1 for i in range(x.ndim)),
    )


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """One element of an axis; a view without that axis."""
    d = shapes.axis(dim, input.ndim)
    n = input._shape[d]
    i = int(index)
    if not -n <= i < n:
        raise IndexError(
            f"select(): index {i} out of range for tensor of size {list(input._shape)} at "
            f"dimension {d}"
        )
    return squeeze(_part(input, d, i % n, i % n + 1), d)


def split(tensor: Tensor, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces of an axis: of one size (the last may be smaller), or of given sizes."""
    return tuple([chain(tensor, s) for s in plan(_split, tensor, split_size_or_sections, dim)])


def _split(tensor: Tensor, split_size_or_sections: Any, dim: int) -> list[tuple[Step, ...]]:
    d = shapes.axis(dim, tensor.ndim)
    n = tensor._shape[d]
    if isinstance(split_size_or_sections, (list, tuple)):
        sections = [int(s) for s in split_size_or_sections]
        if builtins.sum(sections) != n:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {n} (input tensor's size "
                f"at dimension {d}), but got split_sizes={sections}"
            )
    else:
        step = int(split_size_or_sections)
        if step < 0 or (step == 0 and n):
            raise RuntimeError(f"split expects split_size be positive, but got split_size={step}")
        sections = [builtins.min(step, n - i) for i in range(0, n, step)] if n else [0]
    out, at = [], 0
    for s in sections:
        out.append(_sliced(tensor, d, at, at + s, 1))
        at += s
    return out


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """About `chunks` equal pieces of an axis."""
    if chunks < 1:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    n = input._shape[shapes.axis(dim, input.ndim)]
    if n == 0:
        return tuple(input for _ in range(chunks))
    return split(input, -(-n // chunks), dim)


def tensor_split(input: Tensor, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Pieces as `numpy.array_split` makes them."""
    d = shapes.axis(dim, input.ndim)
    n = input._shape[d]
    if isinstance(indices_or_sections, int):
        k, extra = divmod(n, indices_or_sections)
        edges = [0]
        for i in range(indices_or_sections):
            edges.append(edges[-1] + k + (i < extra))
    elif isinstance(indices_or_sections, Tensor) and not indices_or_sections.ndim:
        return tensor_split(input, int(indices_or_sections), dim)
    else:
        edges = [0, *(slice(None, int(i)).indices(n)[1] for i in indices_or_sections), n]
    return tuple(_part(input, d, a, builtins.max(a, b)) for a, b in itertools.pairwise(edges))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """All elements of an axis, without it."""
    return tuple(select(input, dim, i) for i in range(input._shape[shapes.axis(dim, input.ndim)]))


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """All windows of an axis, as a new last axis."""
    if not input.ndim:
        return reshape(input, 1)[:size]
    d = shapes.axis(dimension, input.ndim)
    rest = [i for i in range(input.ndim) if i != d]
    last = permute(input, *rest, d)
    win = view(last, ops.windows, size=(size,), stride=(step,), dilation=(1,))
    order = list(range(input.ndim - 1))
    order.insert(d, input.ndim - 1)
    return permute(win, *order, input.ndim)


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """A diagonal of two axes, as the last axis; a view."""
    a, b = shapes.axis(dim1, input.ndim), shapes.axis(dim2, input.ndim)
    rest = [i for i in range(input.ndim) if i not in (a, b)]
    return chain(
        input, ((ops.permute, (("order", (*rest, a, b)),)), (ops.diagonal, (("offset", offset),)))
    )


def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A vector as diagonal of a matrix, or a matrix's diagonal."""
    if input.ndim == 2:
        return clone(_diagonal(input, diagonal))
    if input.ndim != 1:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return diag_embed(input, diagonal)


_diagonal = diagonal


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The last axis as a diagonal of two new axes."""
    out: Tensor = apply(_embed, input, offset=offset)
    return out if (dim1, dim2) == (-2, -1) else movedim(out, (-2, -1), (dim1, dim2))


def _embed(x: Node, *, offset: int) -> Node:
    n = x.shape[-1] + builtins.abs(offset)
    zero = ops.full((*x.shape[:-1], n, n), 0, x.dtype)
    return ops.diagonal_update(zero, x, offset=offset)


def tril(input: Tensor, diagonal: int = 0) -> Tensor:
    """0 above a diagonal of the last two axes."""
    return apply(_tri, input, k=diagonal, lower=True)


def triu(input: Tensor, diagonal: int = 0) -> Tensor:
    """0 below a diagonal of the last two axes."""
    return apply(_tri, input, k=diagonal, lower=False)


def _tri(x: Node, *, k: int, lower: bool) -> Node:
    if x.ndim < 2:
        raise RuntimeError("tril/triu: input tensor must have at least 2 dimensions")
    mask = ops.triangle(x.shape[-2], x.shape[-1], k if lower else k - 1)
    zero = ops.zeros_like(x)
    return ops.where(mask, x, zero) if lower else ops.where(mask, zero, x)


def flip(input: Tensor, *axes: Any, dims: Any = None) -> Tensor:
    """Axes in reverse; a copy, as in PyTorch."""
    named = shapes.unpack(axes if dims is None else (dims,))
    which = shapes.axes(named, input.ndim) if named else ()
    return apply(_flip, input, dims=which)


def _flip(x: Node, *, dims: tuple[int, ...]) -> Node:
    return ops.flip(x, dims)


def fliplr(input: Tensor) -> Tensor:
    """Axis 1 in reverse."""
    if input.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Axis 0 in reverse."""
    if not input.ndim:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


def roll(input: Tensor, shifts: Any, dims: Any = ()) -> Tensor:
    """Elements shifted along axes, round and round."""
    if dims is None or dims == ():
        return reshape(roll(reshape(input, -1), shifts, 0), input._shape)
    pairs = zip(
        [shifts] if isinstance(shifts, int) else shifts,
        [dims] if isinstance(dims, int) else dims,
        strict=True,
    )
    out = input
    for s, d in pairs:
        n = input._shape[d]
        k = s % n if n else 0
        if k:
            out = cat([narrow(out, d, n - k, k), narrow(out, d, 0, n - k)], d)
    return clone(out) if out is input else out


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """k quarter turns in the plane of two axes."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    a, b = dims
    if shapes.axis(a, input.ndim) == shapes.axis(b, input.ndim):
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {a} and dim1 = {b}"
        )
    k %= 4
    if k == 0:
        return clone(input)
    if k == 2:
        return flip(input, a, b)
    return transpose(flip(input, b), a, b) if k == 1 else flip(transpose(input, a, b), b)


def repeat(input: Tensor, *counts: Any, repeats: Any = None) -> Tensor:
    """The tensor as tiles of a larger one."""
    r = shapes.unpack(counts if repeats is None else (repeats,))
    if len(r) < input.ndim:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    return apply(_repeat, input, repeats=r)


def _repeat(x: Node, *, repeats: tuple[int, ...]) -> Node:
    shape = (1,) * (len(repeats) - x.ndim) + x.shape
    pairs = tuple(n for r, s in zip(repeats, shape, strict=True) for n in (r, s))
    ones = tuple(n for s in shape for n in (1, s))
    wide = ops.broadcast_to(ops.reshape(x, shape=ones), shape=pairs)
    return ops.reshape(wide, shape=tuple(r * s for r, s in zip(repeats, shape, strict=True)))


def tile(input: Tensor, *counts: Any, dims: Any = None) -> Tensor:
    """`repeat`, with missing leading counts taken as 1."""
    r = shapes.unpack(counts if dims is None else (dims,))
    return repeat(input, *((1,) * (input.ndim - len(r)) + r))


def _tensors(tensors: Any, what: str) -> list[Tensor]:
    if not isinstance(tensors, (list, tuple, Tensor)):
        raise TypeError(
            f"{what}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
            f"{type(tensors).__name__}"
        )
    ts = list(tensors)
    for t in ts:
        if not isinstance(t, Tensor):
            raise TypeError(
                f"expected Tensor as element {[id(u) for u in ts].index(id(t))} in argument 0, but "
                f"got {type(t).__name__}"
            )
    return ts


def cat(tensors: Sequence[Tensor], dim: int = 0, *, axis: int | None = None) -> Tensor:
    """Tensors one after another along an axis."""
    d = dim if axis is None else axis
    ts = _tensors(tensors, "cat")
    if not ts:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    some = [x for x in ts if x._shape != (0,)] or ts[:1]
    if some[0].ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    if builtins.any(x.ndim != some[0].ndim for x in some):
        raise ShapeError(
            "Tensors must have same number of dimensions: got "
            + " and ".join(str(x.ndim) for x in some[:2]),
            repair=shapes.join_repair([x._shape for x in some], d),
        )
    return apply(ops.cat, *some, axis=shapes.axis(d, some[0].ndim))


concat = concatenate = cat


def stack(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Tensors of one shape along a new axis."""
    ts = _tensors(tensors, "stack")
    if not ts:
        raise RuntimeError("stack expects a non-empty TensorList")
    for i, x in enumerate(ts):
        if x._shape != ts[0]._shape:
            raise ShapeError(
                f"stack expects each tensor to be equal size, but got {list(ts[0]._shape)} at "
                f"entry 0 and {list(x._shape)} at entry {i}",
                repair="cat joins along an axis whose sizes differ; to stack, pad or cut them "
                "first (nn.utils.rnn.pad_sequence)",
            )
    d = shapes.axis(dim, ts[0].ndim + 1)
    return apply(_stacked, *ts, axis=d)


def _stacked(*xs: Node, axis: int) -> Node:
    return ops.movement.stack(xs, axis)


def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side."""
    ts = [atleast_1d(x) for x in tensors]
    return cat(ts, 0 if ts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """One below the other."""
    return cat([unsqueeze(x, 0) if x.ndim == 1 else x for x in map(atleast_1d, tensors)], 0)


def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """Side by side; vectors are columns."""
    return cat([reshape(x, (-1, 1)) if x.ndim < 2 else x for x in tensors], 1)


def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Along a third axis."""
    return cat([atleast_3d(x) for x in tensors], 2)


row_stack = vstack


def hsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along axis 1 (0 for vectors)."""
    return tensor_split(input, indices_or_sections, 0 if input.ndim == 1 else 1)


def vsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along axis 0."""
    return tensor_split(input, indices_or_sections, 0)


def dsplit(input: Tensor, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along axis 2."""
    return tensor_split(input, indices_or_sections, 2)


unsafe_chunk, unsafe_split = chunk, split


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """All elements as a diagonal of a matrix."""
    return diag_embed(reshape(input, -1), offset)


def block_diag(*tensors: Tensor) -> Tensor:
    """Matrices along the diagonal of one matrix, 0 elsewhere."""
    parts = [atleast_2d(t) for t in tensors]
    rows, columns = (builtins.sum(p._shape[i] for p in parts) for i in (0, 1))
    out, i, j = [], 0, 0
    for p in parts:
        m, n = p._shape
        low, high = (i, j), (rows - i - m, columns - j - n)
        out.append(apply(ops.pad, p, low=low, high=high, value=0))
        i, j = i + m, j + n
    total = out[0]
    for p in out[1:]:
        total = total + p
    return total


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Tensor:
    """A copy with a slice of one axis replaced."""
    out = clone(input)
    d = shapes.axis(dim, input.ndim)
    a, b, s = slice(start, end, step).indices(input._shape[d])
    _part(out, d, a, builtins.max(a, b), s).copy_(src)
    return out
