"""Divisors, indices, reductions of segments, branches: what PyTorch has and few programs name."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, shapes
from chainrule.ops import special_functions as rows
from chainrule.runtime.random import Generator, stream
from chainrule.tensor.creation import full
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import (
    broadcast_tensors,
    cumprod,
    expand,
    flip,
    floor_divide,
    norm,
    remainder,
    reshape,
    scatter_reduce,
    split,
    to_dtype,
    unsqueeze,
)
from chainrule.tensor.functions import clone as clone_of
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply
from chainrule.tensor.storage import as_strided


def _whole(name: str, *xs: Tensor) -> None:
    for x in xs:
        if x._dtype.is_differentiable or x._dtype is dtypes.bool_:
            raise RuntimeError(f'"{name}_cpu" not implemented for {x._dtype}: it takes integers')


def gcd(input: Tensor, other: Tensor) -> Tensor:
    """The greatest common divisor, ≥ 0"""
    _whole("gcd", input, other)
    return apply(rows.gcd, input, other)


def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple, ≥ 0"""
    _whole("lcm", input, other)
    return apply(rows.lcm, input, other)


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Columns of powers of x: falling ones, or from x⁰ on if `increasing`."""
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    n = x._shape[0] if N is None else N
    if n < 0:
        raise RuntimeError(f"N must be non-negative but got {n}")
    if not x._dtype.is_differentiable:
        x = to_dtype(x, dtypes.int64)
    if not n:
        return full((x._shape[0], 0), 0, dtype=x._dtype)
    first = full((x._shape[0], n), 1, dtype=x._dtype)
    first[:, 1:] = unsqueeze(x, 1)
    powers = cumprod(first, 1)
    return powers if increasing else flip(powers, 1)


def unravel_index(indices: Tensor, shape: Any) -> tuple[Tensor, ...]:
    """Flat indices as one index for each axis of an array of this shape.

    >>> import chainrule as torch
    >>> torch.unravel_index(torch.tensor([4, 5]), (3, 2))
    (tensor([2, 2]), tensor([0, 1]))
    """
    if indices._dtype.is_differentiable or indices._dtype is dtypes.bool_:
        raise ValueError(f"expected 'indices' to be integer dtype, but got {indices._dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if any(n < 0 for n in sizes):
        raise ValueError(f"'shape' cannot have negative values, but got {sizes}")
    found, rest = [], indices
    for n in reversed(sizes):
        found.append(remainder(rest, n))
        rest = floor_divide(rest, n)
    return tuple(reversed(found))


def as_strided_scatter(
    input: Tensor, src: Tensor, size: Sequence[int], stride: Sequence[int],
    storage_offset: int | None = None,
) -> Tensor:  # fmt: skip
    """A copy of `input` in which `src` stands where `as_strided` would look."""
    out = clone_of(input)
    as_strided(out, size, stride, storage_offset).copy_(src)
    return out


_REDUCE = {"sum": "sum", "mean": "mean", "max": "amax", "min": "amin", "prod": "prod"}
_EMPTY = {"sum": 0.0, "mean": math.nan, "max": -math.inf, "min": math.inf, "prod": 1.0}


def segment_reduce(
    data: Tensor, reduce: str, *, lengths: Tensor | None = None, indices: Tensor | None = None,
    offsets: Tensor | None = None, axis: int = 0, unsafe: bool = False, initial: Any = None,
) -> Tensor:  # fmt: skip
    """Sums, means, extremes or products of neighbouring pieces of an axis, given by their lengths
    or by where they begin and end (a look at these).
    """
    if reduce not in _REDUCE:
        raise RuntimeError(f"segment_reduce: reduce must be one of {sorted(_REDUCE)}, got {reduce}")
    if (lengths is None) == (offsets is None):
        raise RuntimeError("segment_reduce: expected either lengths or offsets to be given")
    d = shapes.axis(axis, data.ndim)
    given = lengths if offsets is None else offsets
    assert given is not None
    sizes = given._concrete() if offsets is None else np.diff(given._concrete())
    if not unsafe and ((sizes < 0).any() or (sizes.sum(-1) != data._shape[d]).any()):
        raise RuntimeError(
            f"segment_reduce(): Expected all rows of lengths along axis {axis} to sum to "
            f"data.size(lengths.dim()-1) when !unsafe."
        )
    segments, lead = sizes.shape[-1], data._shape[:d]
    places = np.stack([np.repeat(np.arange(segments), row) for row in sizes.reshape(-1, segments)])
    index = from_owned(places.astype(np.int64))
    index = reshape(index, (*lead, data._shape[d], *[1] * (data.ndim - d - 1)))
    shape = (*lead, segments, *data._shape[d + 1 :])
    start = _EMPTY[reduce] if initial is None else initial
    base = full(shape, start, dtype=data._dtype)
    where = expand(index, tuple(data._shape))
    if reduce != "mean":
        return scatter_reduce(base, d, where, data, _REDUCE[reduce])
    zero = full(shape, 0.0 if initial is None else initial, dtype=data._dtype)
    total = scatter_reduce(zero, d, where, data, "sum")
    count = from_owned(sizes.astype(data._dtype.np)).reshape(*lead, -1, *[1] * (data.ndim - d - 1))
    empty = np.where(sizes == 0, np.nan if initial is None else 1, 1).astype(data._dtype.np)
    return total / (count + (count == 0)) * from_owned(empty).reshape(count._shape)


def binomial(count: Tensor, prob: Tensor, generator: Generator | None = None) -> Tensor:
    """How many of `count` trials of probability `prob` succeed (a look)."""
    n, p = (t._concrete() for t in broadcast_tensors(count, prob))
    rng = (generator or stream("default")).numpy()
    return from_owned(np.asarray(rng.binomial(n.astype(np.int64), p)).astype(count._dtype.np))


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norm over all axes but one, which stays."""
    if dim == -1:
        return norm(v, pow)
    rest = [i for i in range(v.ndim) if i != shapes.axis(dim, v.ndim)]
    return norm(v, pow, rest, keepdim=True)


def split_with_sizes(tensor: Tensor, split_sizes: Sequence[int], dim: int = 0) -> Any:
    """Pieces of an axis of given sizes."""
    return split(tensor, list(split_sizes), dim)


unsafe_split_with_sizes = split_with_sizes


def detach(input: Tensor) -> Tensor:
    """The same memory, without gradient."""
    out: Tensor = input.detach()
    return out


def detach_(input: Tensor) -> Tensor:
    """Forget where a tensor comes from."""
    out: Tensor = input.detach_()
    return out


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have one shape."""
    return input._shape == other._shape


def is_signed(input: Tensor) -> bool:
    """Whether the element type has negative numbers."""
    return input._dtype.is_signed


def is_inference(input: Tensor) -> bool:
    """Whether it was made in inference mode: no tensor remembers that here."""
    return bool(input.is_inference())


def swapdims_(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """`swapdims` of the handle itself."""
    out: Tensor = input.transpose_(dim0, dim1)
    return out


def map_(input: Tensor, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Tensor:
    """In place: f(x, y) for all elements, one after another (a look)."""
    x, y = (t._concrete() for t in broadcast_tensors(input.detach(), tensor))
    made = np.vectorize(callable, otypes=[input._dtype.np])(x, y)
    return input.copy_(from_owned(np.asarray(made)))


def map2_(input: Tensor, x: Tensor, y: Tensor, callable: Callable[[Any, Any, Any], Any]) -> Tensor:
    """In place: f(a, x, y) for all elements, one after another (a look)."""
    parts = [t._concrete() for t in broadcast_tensors(input.detach(), x, y)]
    made = np.vectorize(callable, otypes=[input._dtype.np])(*parts)
    return input.copy_(from_owned(np.asarray(made)))


def dim_order(input: Tensor, *, ambiguity_check: Any = False) -> tuple[int, ...]:
    """The axes, those with the largest strides first."""
    strides = input.stride()
    return tuple(sorted(range(input.ndim), key=lambda i: (-strides[i], i)))


# ------------------------------------------------------------------ branches and loops on values


def cond(
    pred: Any, true_fn: Callable[..., Any], false_fn: Callable[..., Any], operands: Any = ()
) -> Any:
    """true_fn(*operands) if the predicate holds, else false_fn(*operands) (a look at it)."""
    if not callable(true_fn) or not callable(false_fn):
        raise RuntimeError("Expect both branches to be callable.")
    return true_fn(*operands) if bool(pred) else false_fn(*operands)


def while_loop(
    cond_fn: Callable[..., Any], body_fn: Callable[..., Any], carried_inputs: Any
) -> tuple[Any, ...]:
    """state ← body_fn(*state) while cond_fn(*state) holds (a look at each)."""
    now = tuple(carried_inputs)
    while bool(cond_fn(*now)):
        made = body_fn(*now)
        now = tuple(made) if isinstance(made, (tuple, list)) else (made,)
    return now


# ------------------------------------------------------------------ Python's numbers as symbols


def sym_int(a: Any) -> int:
    """a without its fraction"""
    return math.floor(a) if a >= 0 else math.ceil(a)


def sym_float(a: Any) -> float:
    """a as a float"""
    return float(a)


def sym_max(a: Any, b: Any) -> Any:
    """The larger; a float if either is one."""
    return type(a + b)(max(a, b))


def sym_min(a: Any, b: Any) -> Any:
    """The smaller; a float if either is one."""
    return type(a + b)(min(a, b))


def sym_not(a: Any) -> bool:
    """not a"""
    return not a


def sym_ite(b: Any, t: Any, f: Any) -> Any:
    """t if b else f"""
    return t if b else f


def sym_sum(args: Sequence[Any]) -> Any:
    """Σ"""
    return sum(args)


def sym_sqrt(a: Any) -> float:
    """√a"""
    return math.sqrt(a)


# ------------------------------------------------------------------ what PyTorch has taken away


def _gone(name: str, instead: str) -> Callable[..., Any]:
    def f(*args: Any, **kw: Any) -> Any:
        raise RuntimeError(
            f"This function was deprecated since version 1.9 and is now removed: torch.{name}. "
            f"Use torch.linalg.{instead} instead."
        )

    f.__name__ = f.__qualname__ = name
    f.__doc__ = f"Removed from PyTorch; `torch.linalg.{instead}` takes its place."
    return f


eig, lstsq, solve = _gone("eig", "eig"), _gone("lstsq", "lstsq"), _gone("solve", "solve")
matrix_rank, symeig = _gone("matrix_rank", "matrix_rank"), _gone("symeig", "eigh")
