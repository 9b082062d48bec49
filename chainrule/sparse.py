"""`torch.sparse`: tensors of which only some elements are kept, by their places (COO).

A sparse tensor is two ordinary ones: `indices` (sparse axes, n) and `values` (n, …). What is done
with it is gathering and scattering by index, so gradients flow to the values and to what they are
multiplied with. There are: making, `coalesce`, `to_dense`, products with matrices, sums, scaling.
Everything else wants `to_dense()`.

>>> import chainrule as torch
>>> s = torch.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3))
>>> s @ torch.ones(3, 2)
tensor([[3., 3.],
        [4., 4.]])
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chainrule import dtypes, layouts, names, ops, shapes
from chainrule.dtypes import DType
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.tensor.creation import as_tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import to_dtype, transpose
from chainrule.tensor.handle import Size, Tensor, blank
from chainrule.tensor.printing import elements, joined
from chainrule.tensor.record import apply
from chainrule.tensor.trace import Storage


class SparseTensor(Tensor):
    """Values at places; a place that comes twice holds the sum. Made by `sparse_coo_tensor`."""

    _i: Tensor
    _v: Tensor
    _once: bool
    _kind: layouts.layout

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = getattr(func, "__name__", str(func))
        if name in _KEEP_ZERO:
            x = args[0].coalesce()
            return x._with(func(x._v, *args[1:], **(kwargs or {})))
        known = _FUNCTIONS.get(name)
        if known is None:
            raise NotImplementedError(
                f"{name}() is not implemented for sparse tensors: x.to_dense() gives an ordinary "
                "one; torch.sparse.mm multiplies a sparse matrix with a dense one"
            )
        return known(*args, **(kwargs or {}))

    # ------------------------------------------------------------------ what it is

    @property
    def is_sparse(self) -> bool:
        return self._kind is layouts.sparse_coo

    @property
    def is_sparse_csr(self) -> bool:
        return self._kind is layouts.sparse_csr

    @property
    def layout(self) -> layouts.layout:
        return self._kind

    @property
    def is_leaf(self) -> bool:
        return self._v.is_leaf

    @property
    def requires_grad(self) -> bool:
        return self._v.requires_grad

    @requires_grad.setter
    def requires_grad(self, on: bool) -> None:
        self._v.requires_grad_(on)

    def requires_grad_(self, requires_grad: bool = True) -> SparseTensor:
        """Ask for gradients with respect to the values."""
        self._v.requires_grad_(requires_grad)
        return self

    @property
    def grad(self) -> Tensor | None:
        """The gradient of the values, at their places."""
        g = self._v.grad
        return None if g is None else _made(self._i, g, self._shape, self._once)

    @grad.setter
    def grad(self, value: Any) -> None:
        self._v.grad = None if value is None else value._v

    def dim(self) -> int:
        """How many axes there are."""
        return len(self._shape)

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of one axis."""
        return Size(self._shape) if dim is None else self._shape[shapes.axis(dim, self.dim())]

    def numel(self) -> int:
        """How many elements there would be in a dense tensor."""
        return shapes.size(self._shape)

    def sparse_dim(self) -> int:
        """How many axes are indexed."""
        return self._i._shape[0]

    def dense_dim(self) -> int:
        """How many axes each value has."""
        return self._v.ndim - 1

    def _nnz(self) -> int:
        return self._v._shape[0]

    def is_coalesced(self) -> bool:
        """Whether every place comes once, in order."""
        return self._once

    def _indices(self) -> Tensor:
        return self._i

    def _values(self) -> Tensor:
        return self._v

    def indices(self) -> Tensor:
        """The places, (sparse axes, n); of coalesced tensors only."""
        self._need_once("indices")
        return self._i

    def values(self) -> Tensor:
        """The values, (n, …); of coalesced tensors only."""
        self._need_once("values")
        return self._v

    def crow_indices(self) -> Tensor:
        """Where the values of each row begin, and the end; of the CSR form."""
        self._need_rows("crow_indices")
        counts = np.bincount(self._i[0]._concrete(), minlength=self._shape[0])
        return from_owned(np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))

    def col_indices(self) -> Tensor:
        """The column of each value; of the CSR form."""
        self._need_rows("col_indices")
        return self._i[1]

    def _need_rows(self, what: str) -> None:
        if self._kind is not layouts.sparse_csr:
            raise RuntimeError(f"{what} expected sparse row compressed tensor: x.to_sparse_csr()")

    def _need_once(self, what: str) -> None:
        if not self._once:
            raise RuntimeError(
                f"Cannot get {what} on an uncoalesced tensor, please call .coalesce() first"
            )

    def _shown(self) -> dict[str, Tensor]:
        if self._kind is layouts.sparse_csr:
            places = {"crow_indices": self.crow_indices(), "col_indices": self._i[1]}
        else:
            places = {"indices": self._i}
        return {**places, "values": self._v.detach()}

    def __repr__(self) -> str:
        indent = len("tensor(")
        room = " " * indent
        parts = [f"nnz={self._nnz()}"]
        default = dtypes.get_default_dtype()
        if self._dtype not in (default, default.to_complex(), dtypes.int64, dtypes.bool_):
            parts.append(f"dtype=torch.{self._dtype.name}")
        parts.append(f"layout={self._kind!r}")
        if self._v.requires_grad:
            leaf = self._v.is_leaf
            parts.append("requires_grad=True" if leaf else f"grad_fn={self._v.grad_fn!r}")
        shown = [
            f"{name}=tensor({elements(t, indent + len(name) + 8)}{_empty_size(t)})"
            for name, t in self._shown().items()
        ]
        size = f"size={tuple(self._shape)}"  # of COO it has a line of its own
        if self.is_sparse:
            shown.append(size)
        else:
            parts.insert(0, size)
        return joined(["tensor(" + f",\n{room}".join(shown), *parts], indent)

    # ------------------------------------------------------------------ other forms

    def coalesce(self) -> SparseTensor:
        """Every place once, in order; the values of equal places are added."""
        if self._once:
            return self
        lead = self._shape[: self.sparse_dim()]
        places, inverse = np.unique(_flat(self._i, lead), return_inverse=True)
        values = _call(_added_up, from_owned(inverse.reshape(-1)), self._v, n=len(places))
        at = np.stack(np.unravel_index(places, lead)) if lead else np.zeros((0, len(places)))
        return _made(from_owned(at.astype(np.int64)), values, self._shape, True)

    def to_dense(self, dtype: DType | None = None, *, masked_grad: bool | None = None) -> Tensor:
        """The same as an ordinary tensor: 0 where nothing was kept."""
        lead = self._shape[: self.sparse_dim()]
        flat = from_owned(_flat(self._i, lead))
        out = _call(_added_up, flat, self._v, n=shapes.size(lead)).reshape(self._shape)
        return out if dtype is None else to_dtype(out, dtype)

    def to_sparse(self, *_: Any, **__: Any) -> SparseTensor:
        """As COO."""
        return _made(self._i, self._v, self._shape, self._once)

    to_sparse_coo = to_sparse

    def to_sparse_csr(self, dense_dim: int | None = None) -> SparseTensor:
        """As CSR: row after row. Matrices only."""
        if self.sparse_dim() != 2 or self.dense_dim():
            raise NotImplementedError("CSR is of matrices with two indexed axes")
        x = self.coalesce()
        return _made(x._i, x._v, x._shape, True, layouts.sparse_csr)

    def detach(self) -> SparseTensor:
        """The same places and values, without gradient."""
        return _made(self._i, self._v.detach(), self._shape, self._once)

    def clone(self, **_: Any) -> SparseTensor:
        """A copy."""
        return _made(self._i.clone(), self._v.clone(), self._shape, self._once)

    def to(self, *args: Any, **kwargs: Any) -> SparseTensor:
        """Another dtype or device, as of ordinary tensors."""
        return self._with(self._v.to(*args, **kwargs))

    def _with(self, values: Tensor) -> SparseTensor:
        if values is self._v:
            return self
        return _made(self._i, values, self._shape, self._once, self._kind)

    def cpu(self) -> SparseTensor:
        """The tensor itself."""
        return self

    def float(self) -> SparseTensor:
        """Values as float32."""
        return self._with(self._v.float())

    def double(self) -> SparseTensor:
        """Values as float64."""
        return self._with(self._v.double())

    def t(self) -> SparseTensor:
        """Rows as columns."""
        return self.transpose(0, 1)

    def transpose(self, dim0: int, dim1: int) -> SparseTensor:
        """Two of the indexed axes exchanged."""
        a, b = (shapes.axis(d, self.dim()) for d in (dim0, dim1))
        if max(a, b) >= self.sparse_dim():
            raise NotImplementedError(
                "transpose of axes that are not indexed: x.to_dense().transpose(…)"
            )
        order, shape = list(range(self.sparse_dim())), list(self._shape)
        order[a], order[b], shape[a], shape[b] = b, a, shape[b], shape[a]
        return _made(self._i[order], self._v, tuple(shape), False)

    @property
    def T(self) -> SparseTensor:
        """Rows as columns."""
        return self.t()

    # ------------------------------------------------------------------ arithmetic

    def __neg__(self) -> SparseTensor:
        return self._with(-self._v)

    def __mul__(self, other: Any) -> SparseTensor:
        return mul(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> SparseTensor:
        if isinstance(other, Tensor) and other.ndim:
            raise NotImplementedError(
                "a sparse tensor is divided by numbers only: x.to_dense() / y"
            )
        return self._with(self._v / other)

    def __add__(self, other: Any) -> Any:
        return add(self, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return add(self, -other)

    def __matmul__(self, other: Any) -> Any:
        return matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return matmul(other, self)

    def sum(self, dim: Any = None, keepdim: bool = False, *, dtype: DType | None = None) -> Any:
        """Σ of all elements, or over axes (then of the dense form)."""
        x = self._v if dim is None else self.to_dense()
        return x.sum(dtype=dtype) if dim is None else x.sum(dim, keepdim, dtype=dtype)


def _empty_size(t: Tensor) -> str:
    return "" if t.numel() else f", size={tuple(t._shape)}"


def _call(f: Any, *args: Any, **attrs: Any) -> Tensor:
    out: Tensor = apply(f, *args, **attrs)
    return out


def _made(
    i: Tensor, v: Tensor, shape: Sequence[int], once: bool,
    kind: layouts.layout = layouts.sparse_coo,
) -> SparseTensor:  # fmt: skip
    out: SparseTensor = blank(
        SparseTensor, Storage(np.empty(0, v._dtype.np), None, None), tuple(shape), v._dtype
    )
    out._i, out._v, out._once, out._kind = i, v, once, kind
    return out


def _flat(i: Tensor, lead: Sequence[int]) -> np.ndarray:
    """Places as one number each (a look)."""
    rows = i.detach()._concrete()
    if not len(lead):
        return np.zeros(rows.shape[1], np.int64)
    return np.ravel_multi_index(tuple(rows), tuple(lead)).astype(np.int64)


def _added_up(at: Node, values: Node, *, n: int) -> Node:
    """y[i] = Σ of the values at place i."""
    start = ops.full((n, *values.shape[1:]), 0, values.dtype)
    if values.dtype is dtypes.bool_:
        return ops.put(start, at, values, axis=0, mode="set")
    return ops.put(start, at, values, axis=0, mode="add")


# ------------------------------------------------------------------ making


def sparse_coo_tensor(
    indices: Any, values: Any, size: Any = None, *, dtype: DType | None = None, device: Any = None,
    pin_memory: bool = False, requires_grad: bool = False, check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> SparseTensor:  # fmt: skip
    """`values` at `indices`: (sparse axes, n) and (n, …); `size` is what holds them unless given.

    >>> import chainrule as torch
    >>> torch.sparse_coo_tensor([[0, 1]], [1.0, 2.0], (3,)).to_dense()
    tensor([1., 2., 0.])
    """
    i, v = as_tensor(indices, device=device), as_tensor(values, dtype=dtype, device=device)
    i = to_dtype(i, dtypes.int64)
    if i.ndim != 2:
        raise RuntimeError(f"indices must be sparse_dim x nnz, but got: {list(i._shape)}")
    if not v.ndim or v._shape[0] != i._shape[1]:
        raise RuntimeError(
            f"number of values ({list(v._shape)}) must match the number of indices "
            f"({list(i._shape)}): one value for each column"
        )
    places = i._concrete()
    largest = places.max(1, initial=-1)
    if size is None:
        size = (*(int(n) + 1 for n in largest), *v._shape[1:])
    shape = shapes.unpack((size,))
    n = i._shape[0]
    if len(shape) != n + v.ndim - 1 or tuple(shape[n:]) != tuple(v._shape[1:]):
        raise RuntimeError(
            f"size {list(shape)} does not fit {n} indexed axes and values of shape {list(v._shape)}"
        )
    if places.size and (
        places.min() < 0 or any(a >= b for a, b in zip(largest, shape, strict=False))
    ):
        raise RuntimeError(
            f"size is inconsistent with indices: the largest are {largest.tolist()}, the size is "
            f"{list(shape)}"
        )
    if requires_grad:
        v = v.detach().clone().requires_grad_()
    return _made(i, v, shape, bool(is_coalesced))


def sparse_csr_tensor(
    crow_indices: Any, col_indices: Any, values: Any, size: Any = None, *,
    dtype: DType | None = None, device: Any = None, pin_memory: bool = False,
    requires_grad: bool = False, check_invariants: bool | None = None,
) -> SparseTensor:  # fmt: skip
    """A matrix row after row: row i has the values crow[i] … crow[i + 1] − 1, in these columns."""
    crow, col = (as_tensor(x, device=device)._concrete() for x in (crow_indices, col_indices))
    if crow.ndim != 1 or col.ndim != 1:
        raise NotImplementedError("sparse_csr_tensor: batches of matrices are not implemented")
    rows = np.repeat(np.arange(len(crow) - 1), np.diff(crow))
    shape = (len(crow) - 1, int(col.max(initial=-1)) + 1) if size is None else size
    made = sparse_coo_tensor(
        from_owned(np.stack([rows, col]).astype(np.int64)), values, shape, dtype=dtype,
        device=device, requires_grad=requires_grad, is_coalesced=True,
    )  # fmt: skip
    made._kind = layouts.sparse_csr
    return made


def to_sparse_csr(input: Tensor, dense_dim: int | None = None) -> SparseTensor:
    """What is not 0 of a matrix (a look), row after row."""
    return to_sparse(input).to_sparse_csr(dense_dim)


def to_sparse(input: Tensor, sparse_dim: int | None = None, **kw: Any) -> SparseTensor:
    """What is not 0 of a tensor (a look); the last axes stay dense if fewer are indexed."""
    kind = kw.pop("layout", None) or layouts.sparse_coo
    if kind is layouts.sparse_csr:
        return to_sparse_csr(input)
    if kw or kind is not layouts.sparse_coo:
        raise NotImplementedError(f"to_sparse of {kind} {kw}: sparse_coo and sparse_csr only")
    n = input.ndim if sparse_dim is None else sparse_dim
    array = input.detach()._concrete()
    there = array != 0
    if n < input.ndim:
        there = there.any(axis=tuple(range(n, input.ndim)))
    at = np.stack(np.nonzero(there)) if n else np.zeros((0, 1))
    lead = input._shape[:n]
    flat = np.ravel_multi_index(tuple(at), lead) if n else np.zeros(1)
    whole = input.reshape((shapes.size(lead), *input._shape[n:]))
    values = _call(ops.take, whole, from_owned(np.asarray(flat, np.int64)), axis=0)
    return _made(from_owned(at.astype(np.int64)), values, input._shape, True)


# ------------------------------------------------------------------ arithmetic


def mul(input: Any, other: Any) -> SparseTensor:
    """Values times a number, or times what stands at their places in another tensor."""
    if not isinstance(input, SparseTensor):
        input, other = other, input
    if isinstance(other, SparseTensor):
        other = other.to_dense()
    if isinstance(other, Tensor) and other.ndim:
        if other._shape != input._shape:
            other = other.expand(input._shape)
        lead = input._shape[: input.sparse_dim()]
        rows = other.reshape((shapes.size(lead), *input._shape[len(lead) :]))
        other = _call(ops.take, rows, from_owned(_flat(input._i, lead)), axis=0)
    return input._with(input._v * other)


def add(input: Any, other: Any, *, alpha: Any = 1) -> Any:
    """Both kinds of tensors: dense as soon as one is dense."""
    if alpha != 1:
        other = other * alpha
    if isinstance(input, SparseTensor) and isinstance(other, SparseTensor):
        if input._shape != other._shape or input.sparse_dim() != other.sparse_dim():
            raise ShapeError(
                f"add: sparse tensors of sizes {list(input._shape)} and {list(other._shape)}"
            )
        i = _cat([input._i, other._i], 1)
        return _made(i, _cat([input._v, other._v], 0), input._shape, False)
    a, b = (x.to_dense() if isinstance(x, SparseTensor) else x for x in (input, other))
    return a + b


def _cat(parts: Sequence[Tensor], axis: int) -> Tensor:
    """Tensors one after another."""
    return _call(ops.cat, *parts, axis=axis)


def _product(at: Node, read: Node, values: Node, dense: Node, *, rows: int) -> Node:
    """y[r] = Σ over kept elements (r, c, v) of v · dense[c]"""
    picked = ops.take(dense, read, axis=0)
    scaled = picked * ops.reshape(values, shape=(*values.shape, *(1,) * (dense.ndim - 1)))
    start = ops.full((rows, *dense.shape[1:]), 0, scaled.dtype)
    return ops.put(start, at, scaled, axis=0, mode="add")


def matmul(input: Any, other: Any) -> Any:
    """A product of matrices of which one is sparse (dense) or both are (sparse)."""
    for x in (input, other):
        if isinstance(x, SparseTensor) and (x.dim() != 2 or x.dense_dim()):
            raise NotImplementedError(
                "products of sparse tensors are of matrices with two indexed axes: x.to_dense() @ y"
            )
    if input._dtype is not other._dtype:
        raise DtypeError(
            f"expected m1 and m2 to have the same dtype, but got: {input._dtype} != {other._dtype}"
        )
    if input._shape[-1] != other._shape[0 if other.dim() == 1 else -2]:
        raise ShapeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_times(input)} and {_times(other)})"
        )
    if not isinstance(input, SparseTensor):
        return transpose(matmul(other.t(), transpose(input, -1, -2)), -1, -2)
    if isinstance(other, SparseTensor):
        return _sparse_product(input, other)
    return _call(_product, input._i[0], input._i[1], input._v, other, rows=input._shape[0])


def _times(x: Tensor) -> str:
    return "x".join(map(str, x._shape))


def _sparse_product(a: SparseTensor, b: SparseTensor) -> SparseTensor:
    """Every pair (i, k), (k, j) gives one product at (i, j)."""
    (rows, inner), (again, columns) = (x._i._concrete() for x in (a, b))
    order = np.argsort(again, kind="stable")
    first = np.searchsorted(again[order], inner, "left")
    count = np.searchsorted(again[order], inner, "right") - first
    left = np.repeat(np.arange(len(inner)), count)
    step = np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count)
    right = order[np.repeat(first, count) + step]
    values = a._v[from_owned(left.astype(np.int64))] * b._v[from_owned(right.astype(np.int64))]
    at = from_owned(np.stack([rows[left], columns[right]]).astype(np.int64))
    return _made(at, values, (a._shape[0], b._shape[1]), False).coalesce()


def mm(mat1: Any, mat2: Any, reduce: str | None = None) -> Any:
    """A sparse matrix times a dense one; gradients for both."""
    if reduce not in (None, "sum"):
        raise NotImplementedError(f"torch.sparse.mm(reduce={reduce!r}): only sums are implemented")
    return matmul(mat1, mat2)


def addmm(input: Any, mat1: Any, mat2: Any, *, beta: Any = 1, alpha: Any = 1) -> Any:
    """beta · input + alpha · mat1 @ mat2"""
    product = matmul(mat1, mat2)
    scaled = product if alpha == 1 else product * alpha
    return add(input if beta == 1 else input * beta, scaled)


def sum(input: Any, dim: Any = None, dtype: DType | None = None) -> Any:
    """Σ of a sparse tensor: of all elements a number, over axes a sparse tensor."""
    if dim is None:
        return input.sum(dtype=dtype)
    return to_sparse(input.sum(dim, dtype=dtype))


def softmax(input: Any, dim: int, *, dtype: DType | None = None) -> SparseTensor:
    """Softmax of the elements that are kept; those that are not count as −∞."""
    x = input.coalesce()
    v = x._v if dtype is None else to_dtype(x._v, dtype)
    axis = shapes.axis(dim, x.dim())
    lead = [n for a, n in enumerate(x._shape[: x.sparse_dim()]) if a != axis]
    rows = x._i._concrete()[[a for a in range(x.sparse_dim()) if a != axis]]
    line = np.ravel_multi_index(tuple(rows), tuple(lead)) if lead else np.zeros(rows.shape[1])
    at = from_owned(np.asarray(line, np.int64))
    out = _call(_softmax_lines, at, v, n=shapes.size(lead))
    return _made(x._i, out, x._shape, True)


def log_softmax(input: Any, dim: int, *, dtype: DType | None = None) -> SparseTensor:
    """The logarithm of `softmax`."""
    x = softmax(input, dim, dtype=dtype)
    return x._with(x._v.log())


def sampled_addmm(
    input: SparseTensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1.0, alpha: Any = 1.0
) -> SparseTensor:
    """beta · input + alpha · (mat1 @ mat2), the product only where `input` keeps elements."""
    rows, columns = input._i[0], input._i[1]
    return input._with(input._v * beta + (mat1[rows] * mat2.t()[columns]).sum(-1) * alpha)


def spdiags(diagonals: Tensor, offsets: Tensor, shape: Any, layout: Any = None) -> SparseTensor:
    """Row k of `diagonals` on the diagonal offsets[k]: element j stands in column j."""
    rows, columns = shapes.unpack((shape,))
    d = diagonals if diagonals.ndim == 2 else diagonals.reshape(1, -1)
    steps = np.atleast_1d(offsets._concrete())
    j = np.broadcast_to(np.arange(d._shape[1]), d._shape)
    i = j - steps[:, None]
    there = (i >= 0) & (i < rows) & (j < columns)
    at = from_owned(np.stack([i[there], j[there]]).astype(np.int64))
    values = d.reshape(-1)[from_owned(np.flatnonzero(there.reshape(-1)).astype(np.int64))]
    made = _made(at, values, (rows, columns), False)
    return made.to_sparse_csr() if layout is layouts.sparse_csr else made


def _softmax_lines(at: Node, v: Node, *, n: int) -> Node:
    start = ops.full((n,), -float("inf"), v.dtype)
    top = ops.stop_gradient(ops.scatter(start, at, v, axis=0, mode="amax"))
    e = ops.exp(v - ops.take(top, at, axis=0))
    return e / ops.take(_added_up(at, e, n=n), at, axis=0)


def spmm(input: Any, mat2: Any) -> Any:
    """A sparse matrix times a dense one."""
    return matmul(input, mat2)


#: Functions that are 0 at 0: of the values alone.
_KEEP_ZERO = frozenset((
    "abs", "asin", "asinh", "atan", "atanh", "ceil", "erf", "erfinv", "expm1", "floor", "log1p",
    "relu", "round", "sgn", "sign", "sin", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
))  # fmt: skip
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "mm": matmul, "matmul": matmul, "spmm": matmul, "mv": matmul, "addmm": addmm, "add": add,
    "mul": mul, "multiply": mul, "t": SparseTensor.t, "transpose": SparseTensor.transpose,
    "sum": SparseTensor.sum, "clone": SparseTensor.clone, "neg": SparseTensor.__neg__,
    "__matmul__": matmul, "__rmatmul__": lambda a, b: matmul(b, a), "__add__": add,
    "__radd__": add, "__mul__": mul, "__rmul__": mul, "is_floating_point":
    lambda x: x._dtype.is_floating_point, "is_complex": lambda x: x._dtype.is_complex,
    "numel": SparseTensor.numel, "to_dense": SparseTensor.to_dense,
    "__len__": lambda x: x._shape[0], "log_softmax": log_softmax, "softmax": softmax,
}  # fmt: skip

__all__ = [
    "SparseTensor", "addmm", "log_softmax", "mm", "sampled_addmm", "softmax", "sparse_coo_tensor",
    "sparse_csr_tensor", "spdiags", "spmm", "sum",
]  # fmt: skip

__getattr__ = names.later(__name__)
