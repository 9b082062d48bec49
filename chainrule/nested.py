"""`torch.nested`: a batch of tensors of unlike lengths, one after another in one ordinary tensor.

    [(2, D), (3, D)]   →   packed (5, D), lengths (2, 3), shape (2, j1, D)

What works on each element or each row works on the packed tensor as it is: arithmetic, activations,
dropout, linear layers, norms over the last axes. Attention fills up to the longest length, by
index, and packs again. Everything else wants `unbind()` or `to_padded_tensor(…)`.

>>> import chainrule as torch
>>> x = torch.nested.nested_tensor([torch.ones(2, 4), torch.zeros(3, 4)], layout=torch.jagged)
>>> torch.nn.functional.relu(x + 1).unbind()[1].shape
torch.Size([3, 4])
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import layouts, names, ops, shapes
from chainrule.dtypes import DType
from chainrule.ir.node import Node
from chainrule.nn.functional.attention import scaled_dot_product_attention
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import cat, split, where
from chainrule.tensor.handle import Size, Tensor, blank
from chainrule.tensor.overriding import DisableTorchFunctionSubclass
from chainrule.tensor.record import apply
from chainrule.tensor.trace import Storage


class Ragged:
    """A size that differs from element to element: equal to itself only, and no number."""

    _names = itertools.count(1)
    _known: dict[tuple[int, ...], Ragged] = {}  # noqa: RUF012  a table of the class

    def __init__(self, lengths: tuple[int, ...]) -> None:
        self.lengths, self._name = lengths, f"j{next(Ragged._names)}"

    def __repr__(self) -> str:
        return self._name

    @classmethod
    def of(cls, lengths: tuple[int, ...]) -> Ragged:
        """The one with these lengths."""
        if lengths not in cls._known:
            cls._known[lengths] = cls(lengths)
        return cls._known[lengths]


class NestedTensor(Tensor):
    """Several tensors that differ in one axis. `_at`: which axis of the packed tensor that is."""

    _packed: Tensor
    _lengths_of: tuple[int, ...]
    _at: int
    _kind: layouts.layout

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name, kwargs = getattr(func, "__name__", str(func)), kwargs or {}
        known = _FUNCTIONS.get(name)
        if known is not None:
            return known(*args, **kwargs)
        if name in _ROWS:
            return _on_rows(func, args, kwargs)
        if name in _POINTWISE:
            return _pointwise(func, args, kwargs)
        raise NotImplementedError(
            f"{name}() is not implemented for nested tensors: work on x.unbind(), on "
            "x.to_padded_tensor(0.0), or on the packed x.values()"
        )

    # ------------------------------------------------------------------ what it is

    @property
    def is_nested(self) -> bool:
        return True

    @property
    def layout(self) -> layouts.layout:
        return self._kind

    @property
    def is_leaf(self) -> bool:
        return self._packed.is_leaf

    @property
    def requires_grad(self) -> bool:
        return self._packed.requires_grad

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        self._packed.requires_grad_(on)

    def requires_grad_(self, requires_grad: bool = True) -> NestedTensor:
        """Ask for gradients with respect to all elements."""
        self._packed.requires_grad_(requires_grad)
        return self

    @property
    def grad(self) -> Tensor | None:
        g = self._packed.grad
        return None if g is None else _like(self, g)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._packed.grad = None if value is None else value._packed

    def dim(self) -> int:
        """How many axes there are, that of the batch among them."""
        return len(self._shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return Size(self._shape) if dim is None else self._shape[shapes.axis(dim, self.dim())]

    def numel(self) -> int:
        """How many elements there are."""
        return self._packed.numel()

    def values(self) -> Tensor:
        """All elements in one tensor."""
        return self._packed

    def offsets(self) -> Tensor:
        """Where each element begins, and the end."""
        return from_owned(np.concatenate([[0], np.cumsum(self._lengths_of)]).astype(np.int64))

    def lengths(self) -> Tensor | None:
        """Nothing: there are no gaps between the elements."""
        return None

    def __len__(self) -> int:
        return len(self._lengths_of)

    def __iter__(self) -> Any:
        return iter(self.unbind())

    def __getitem__(self, i: Any) -> Tensor:
        if not isinstance(i, int):
            raise NotImplementedError("a nested tensor is indexed by one number: x.unbind()[i]")
        return self.unbind()[i]

    def unbind(self, dim: int = 0) -> tuple[Tensor, ...]:
        """The elements."""
        if dim:
            raise RuntimeError(f"unbind of a nested tensor is along axis 0, got {dim}")
        return tuple(split(self._packed, list(self._lengths_of), self._at))

    def __repr__(self) -> str:
        if self._kind is layouts.strided:
            rows = ",\n".join(
                "  " + repr(t).replace("\n", "\n  ") for t in (x.detach() for x in self.unbind())
            )
            return f"nested_tensor([\n{rows}\n])"
        parts = [f"size={_shown(self._shape)}", f"offsets={self.offsets()!r}"]
        if self._packed.requires_grad:
            leaf = self._packed.is_leaf
            parts.append("requires_grad=True" if leaf else f"grad_fn={self._packed.grad_fn!r}")
        return f"NestedTensor({', '.join(parts)}, contiguous={self._at == 0})"

    # ------------------------------------------------------------------ other forms

    def to_padded_tensor(self, padding: float, output_size: Any = None) -> Tensor:
        """(batch, longest, …), with `padding` behind the shorter ones."""
        if self._at:
            raise NotImplementedError("to_padded_tensor before the transpose")
        at, there = _padding(self._lengths_of)
        rows: Tensor = apply(ops.take, self._packed, from_owned(at), axis=0)
        mask = from_owned(there.reshape(*there.shape, *(1,) * (self._packed.ndim - 1)))
        out: Tensor = where(mask, rows, padding)
        if output_size is not None and tuple(output_size) != tuple(out._shape):
            whole = out.new_full(tuple(output_size), padding)
            whole[tuple(slice(0, n) for n in out._shape)] = out
            return whole
        return out

    def detach(self) -> NestedTensor:
        """The same values without gradient."""
        return _like(self, self._packed.detach())

    def clone(self, **_: Any) -> NestedTensor:
        """A copy."""
        return _like(self, self._packed.clone())

    def contiguous(self, **_: Any) -> NestedTensor:
        """The tensor itself."""
        return self

    def to(self, *args: Any, **kwargs: Any) -> NestedTensor:
        """Another dtype or device, as of ordinary tensors."""
        return _like(self, self._packed.to(*args, **kwargs))

    def float(self) -> NestedTensor:
        """float32."""
        return _like(self, self._packed.float())

    def cpu(self) -> NestedTensor:
        """The tensor itself."""
        return self

    def transpose(self, dim0: int, dim1: int) -> NestedTensor:
        """Two axes exchanged, not that of the batch."""
        a, b = (shapes.axis(d, self.dim()) - 1 for d in (dim0, dim1))
        if min(a, b) < 0:
            raise RuntimeError("transpose() with the axis of the batch is not supported")
        at = {a: b, b: a}.get(self._at, self._at)
        return _made(self._packed.transpose(a, b), self._lengths_of, at, self._kind)

    def unflatten(self, dim: int, sizes: Sequence[int]) -> NestedTensor:
        """One axis as several."""
        a = self._inner(dim, "unflatten")
        at = self._at + (len(tuple(sizes)) - 1 if a < self._at else 0)
        return _made(self._packed.unflatten(a, sizes), self._lengths_of, at, self._kind)

    def flatten(self, start_dim: int = 0, end_dim: int = -1) -> NestedTensor:
        """Several axes as one."""
        a, b = (self._inner(d, "flatten") for d in (start_dim, end_dim))
        if a < self._at < b:
            raise RuntimeError("flatten(): cannot flatten across the axis of unlike lengths")
        at = self._at - (b - a if b < self._at else 0)
        return _made(self._packed.flatten(a, b), self._lengths_of, at, self._kind)

    def _inner(self, dim: int, what: str) -> int:
        """An axis of the packed tensor, of one size for all."""
        a = shapes.axis(dim, self.dim()) - 1
        if a < 0 or a == self._at:
            raise RuntimeError(f"{what}(): axis {dim} of a nested tensor is not one size for all")
        return a

    def sum(self, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Any:
        """Σ of all elements, over the axis of unlike lengths (dense), or over another."""
        if dim is None:
            return self._packed.sum(dtype=dtype)
        axis = shapes.axis(dim if isinstance(dim, int) else next(iter(dim)), self.dim()) - 1
        if not isinstance(dim, int) and len(tuple(dim)) != 1:
            raise NotImplementedError("sum of a nested tensor is over one axis, or over all")
        if axis < 0:
            raise RuntimeError("sum(): the axis of the batch has unlike elements")
        if axis == self._at == 0:
            rows = from_owned(np.repeat(np.arange(len(self)), self._lengths_of))
            out: Tensor = apply(_by_element, rows, self._packed, n=len(self))
            return out.unsqueeze(1) if keepdim else out
        at = self._at - (0 if keepdim or axis > self._at else 1)
        total = self._packed.sum(axis, keepdim, dtype=dtype)
        return _made(total, self._lengths_of, at, self._kind)

    def mean(self, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Any:
        """The mean of all elements, or over one axis."""
        if dim is None:
            return self._packed.mean(dtype=dtype)
        total = self.sum(dim, keepdim, dtype=dtype)
        if isinstance(total, NestedTensor):
            return total / self._packed._shape[shapes.axis(dim, self.dim()) - 1]
        counts = np.asarray(self._lengths_of, self._dtype.np)
        return total / from_owned(counts.reshape(-1, *(1,) * (total.ndim - 1)))


def _by_element(rows: Node, x: Node, *, n: int) -> Node:
    start = ops.full((n, *x.shape[1:]), 0, x.dtype)
    return ops.put(start, rows, x, axis=0, mode="add")


def _shown(shape: Sequence[Any]) -> str:
    return f"({', '.join(map(str, shape))})"


def _made(packed: Tensor, lengths: tuple[int, ...], at: int, kind: layouts.layout) -> NestedTensor:
    sizes: list[Any] = list(packed._shape)
    sizes[at] = Ragged.of(lengths)
    storage = Storage(np.empty(0, packed._dtype.np), None, None)
    out: NestedTensor = blank(NestedTensor, storage, (len(lengths), *sizes), packed._dtype)
    out._packed, out._lengths_of, out._at, out._kind = packed, lengths, at, kind
    return out


def _like(x: NestedTensor, packed: Tensor) -> NestedTensor:
    return _made(packed, x._lengths_of, x._at, x._kind)


def _padding(lengths: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(batch, longest): which row stands where, and where one stands at all."""
    n = np.asarray(lengths)
    step = np.arange(n.max(initial=0))
    there = step[None] < n[:, None]
    start = np.cumsum(n) - n
    return np.where(there, start[:, None] + step[None], 0).astype(np.int64), there


# ------------------------------------------------------------------ making


def as_nested_tensor(
    ts: Any, dtype: DType | None = None, device: Any = None, layout: layouts.layout | None = None
) -> NestedTensor:
    """Tensors (or lists of numbers) as one nested tensor; gradients flow back to them."""
    if isinstance(ts, NestedTensor):
        return ts.to(dtype=dtype) if dtype is not None else ts
    kind = layouts.strided if layout is None else layout
    if kind not in (layouts.strided, layouts.jagged):
        raise RuntimeError(f"Specified layout is unsupported for nested tensors: {kind}")
    parts = [as_tensor(t, dtype=dtype, device=device) for t in ts]
    if not parts:
        raise RuntimeError("Cannot construct a nested tensor from an empty list of tensors")
    rank = parts[0].ndim
    if not rank or any(t.ndim != rank for t in parts):
        raise RuntimeError("All Tensors given to nested_tensor must have the same dimension ≥ 1.")
    differs = [a for a in range(rank) if len({t._shape[a] for t in parts}) > 1] or [0]
    if len(differs) > 1:
        raise NotImplementedError(
            "nested tensors that differ in more than one axis are not implemented; the shapes are "
            f"{[tuple(t._shape) for t in parts]}: keep a list of tensors"
        )
    (at,) = differs
    if at and kind is layouts.jagged:
        raise RuntimeError("The jagged layout takes elements that differ in their first axis only")
    return _made(cat(parts, at), tuple(t._shape[at] for t in parts), at, kind)


def nested_tensor(
    tensor_list: Any, *, dtype: DType | None = None, layout: layouts.layout | None = None,
    device: Any = None, requires_grad: bool = False, pin_memory: bool = False,
) -> NestedTensor:  # fmt: skip
    """A new leaf: the values of the list, without their gradients (see `as_nested_tensor`)."""
    parts = [as_tensor(t, dtype=dtype, device=device).detach() for t in tensor_list]
    out = as_nested_tensor(parts, layout=layout)
    return out.requires_grad_() if requires_grad else out


def nested_tensor_from_jagged(
    values: Tensor, offsets: Tensor | None = None, lengths: Tensor | None = None,
    jagged_dim: int | None = None, min_seqlen: int | None = None, max_seqlen: int | None = None,
) -> NestedTensor:  # fmt: skip
    """The packed tensor with its offsets (a look), or lengths, as a nested tensor."""
    if offsets is None and lengths is None:
        raise RuntimeError(
            "nested_tensor_from_jagged(): At least one of offsets or lengths is required."
        )
    if offsets is not None and lengths is not None:
        raise NotImplementedError(
            "nested_tensor_from_jagged() with gaps (offsets and lengths): give one of them"
        )
    n = lengths._concrete() if lengths is not None else np.diff(_array(offsets))
    return _made(values, tuple(map(int, n)), 0 if jagged_dim is None else jagged_dim - 1,
                 layouts.jagged)  # fmt: skip


def _array(t: Any) -> np.ndarray:
    found: np.ndarray = t._concrete()
    return found


def to_padded_tensor(input: NestedTensor, padding: float, output_size: Any = None) -> Tensor:
    """(batch, longest, …), with `padding` behind the shorter ones."""
    return input.to_padded_tensor(padding, output_size)


def narrow(tensor: Tensor, dim: int, start: Any, length: Any, layout: Any = None) -> NestedTensor:
    """The first `length[i]` elements from `start[i]` of row i, as a nested tensor."""
    if dim != 1:
        raise RuntimeError("narrow() of nested tensors is along axis 1")
    n = tensor._shape[0]
    begin, count = (np.broadcast_to(np.asarray(_number(v)), n) for v in (start, length))
    ends = zip(begin.tolist(), (begin + count).tolist(), strict=True)
    rows = [tensor[i, a:b] for i, (a, b) in enumerate(ends)]
    return as_nested_tensor(rows, layout=layouts.jagged)


def _number(v: Any) -> Any:
    return _array(v) if isinstance(v, Tensor) else v


# ------------------------------------------------------------------ functions


def _pointwise(func: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """A function of single elements (or rows of the last axis) on the packed tensors."""
    first = next(a for a in (*args, *kwargs.values()) if isinstance(a, NestedTensor))

    def packed(a: Any) -> Any:
        if isinstance(a, NestedTensor):
            if (a._lengths_of, a._at) != (first._lengths_of, first._at):
                raise RuntimeError(
                    f"cannot combine nested tensors of shapes {_shown(first._shape)} and "
                    f"{_shown(a._shape)}: their lengths differ"
                )
            return a._packed
        return _spread(a, first) if isinstance(a, Tensor) and a.ndim else a

    with DisableTorchFunctionSubclass():
        out = func(*map(packed, args), **{k: packed(v) for k, v in kwargs.items()})
    return _like(first, out)


def _spread(a: Tensor, x: NestedTensor) -> Tensor:
    """A dense tensor that broadcasts with a nested one, for the packed one."""
    if a.ndim < x.dim() - x._at:  # of the axes behind that of unlike lengths
        return a
    if a.ndim > x.dim() or a._shape[a.ndim - x.dim() + 1 + x._at] != 1:
        raise RuntimeError(
            f"cannot broadcast {list(a._shape)} with the nested shape {_shown(x._shape)}"
        )
    if a.ndim < x.dim():
        return a
    if a._shape[0] == 1:
        return a[0]
    rows = from_owned(np.repeat(np.arange(len(x)), x._lengths_of))
    parts = a.squeeze(1 + x._at)[rows]
    return parts.movedim(0, x._at)


def _on_rows(func: Callable[..., Any], args: Any, kwargs: Any) -> NestedTensor:
    """A function of the last axes, on the packed tensor."""
    input, *rest = args
    if not isinstance(input, NestedTensor) or input._at == input._packed.ndim - 1:
        raise NotImplementedError(
            f"{func.__name__}() over the axis of unlike lengths: take x.unbind()"
        )
    with DisableTorchFunctionSubclass():
        return _like(input, func(input._packed, *rest, **kwargs))


def _softmax(input: NestedTensor, dim: int, *args: Any, **kwargs: Any) -> NestedTensor:
    axis = input._inner(dim, "softmax")
    return _like(input, input._packed.softmax(axis, dtype=kwargs.get("dtype")))


def _matmul(a: Any, b: Any) -> NestedTensor:
    if isinstance(b, NestedTensor) or b.ndim > 2 or a._at == a._packed.ndim - 1:
        raise NotImplementedError("matmul of nested tensors is with one matrix from the right")
    return _like(a, a._packed @ b)


def attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0,
    is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False,
) -> NestedTensor:  # fmt: skip
    """softmax(Q Kᵀ/√d) V of nested (batch, heads, lengths, d): filled up to the longest."""
    if attn_mask is not None:
        raise NotImplementedError(
            "scaled_dot_product_attention of nested tensors takes no attn_mask: is_causal, or "
            "to_padded_tensor(0.0) with a mask"
        )
    for x in (query, key, value):
        if not isinstance(x, NestedTensor) or x._packed.ndim != 3 or x._at != 1:
            raise RuntimeError(
                "scaled_dot_product_attention expects nested tensors of shape (batch, heads, "
                "lengths, d)"
            )
    (q, _), (k, there) = _padding(query._lengths_of), _padding(key._lengths_of)
    mask = there[:, None, None, :]
    if is_causal:
        mask = mask & np.tril(np.ones((q.shape[1], k.shape[1]), bool))
    valid = np.flatnonzero(_padding(query._lengths_of)[1])
    filled = zip((query, key, value), (q, k, k), strict=True)
    rows: list[Tensor] = [apply(_filled, x._packed, from_owned(at)) for x, at in filled]
    out = scaled_dot_product_attention(
        rows[0], rows[1], rows[2], from_owned(mask), dropout_p, scale=scale, enable_gqa=enable_gqa
    )
    packed: Tensor = apply(_packed_again, out, from_owned(valid.astype(np.int64)))
    return _made(packed, query._lengths_of, 1, query._kind)


def _filled(x: Node, at: Node) -> Node:
    """(heads, all, d) → (batch, heads, longest, d)"""
    return ops.permute(ops.take(x, at, axis=1), order=(1, 0, 2, 3))


def _packed_again(x: Node, valid: Node) -> Node:
    """(batch, heads, longest, d) → (heads, all, d)"""
    b, h, n, d = x.shape
    flat = ops.reshape(ops.permute(x, order=(1, 0, 2, 3)), shape=(h, b * n, d))
    return ops.take(flat, valid, axis=1)


#: Functions of single elements.
_POINTWISE = frozenset((
    "abs", "add", "alpha_dropout", "celu", "clamp", "cos", "div", "dropout", "elu", "eq", "erf",
    "exp", "expm1", "ge", "gelu", "gt", "hardsigmoid", "hardswish", "hardtanh", "isnan", "le",
    "leaky_relu", "log", "log1p", "logical_not", "logsigmoid", "lt", "mish", "mul", "nan_to_num",
    "ne", "neg", "pow", "reciprocal", "relu", "relu6", "rsqrt", "rsub", "selu", "sigmoid", "sign",
    "silu", "sin", "softplus", "sqrt", "square", "sub", "tanh", "to_dtype", "where", "zeros_like",
    "ones_like", "rand_like", "randn_like", "empty_like", "full_like", "__add__", "__radd__",
    "__sub__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__", "__pow__",
    "__rpow__", "__neg__", "__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__abs__",
    "__invert__", "_sub_operator", "_pow_operator", "double", "half", "bfloat16",
    "masked_fill", "floor_divide", "remainder",
))  # fmt: skip
#: Functions of the last axes.
_ROWS = frozenset(("layer_norm", "linear", "rms_norm", "embedding"))
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "scaled_dot_product_attention": attention, "softmax": _softmax, "matmul": _matmul,
    "__matmul__": _matmul, "unbind": NestedTensor.unbind, "transpose": NestedTensor.transpose,
    "unflatten": NestedTensor.unflatten, "flatten": NestedTensor.flatten,
    "sum": NestedTensor.sum, "mean": NestedTensor.mean, "clone": NestedTensor.clone,
    "numel": NestedTensor.numel, "is_floating_point": lambda x: x._dtype.is_floating_point,
    "is_complex": lambda x: x._dtype.is_complex,
}  # fmt: skip

__all__ = [
    "NestedTensor",
    "as_nested_tensor",
    "narrow",
    "nested_tensor",
    "nested_tensor_from_jagged",
    "to_padded_tensor",
]

__getattr__ = names.later(__name__)
