"""Products: matrices, vectors, Einstein sums."""

from __future__ import annotations

import builtins
import string
from collections.abc import Sequence
from typing import Any

from chainrule import ops, shapes
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.tensor.functions.complex import conj
from chainrule.tensor.functions.reduce import norm, sum
from chainrule.tensor.functions.shape import broadcast_tensors, diagonal, reshape, roll, unsqueeze
from chainrule.tensor.handle import Tensor
from chainrule.tensor.record import apply


def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product, with batches and vectors."""
    if input._dtype is not other._dtype:
        raise DtypeError(
            f"expected m1 and m2 to have the same dtype, but got: {input._dtype} != "
            f"{other._dtype}; convert one with .to()"
        )
    return apply(ops.matmul, input, other)


def _ranked(a: Tensor, b: Tensor, ra: int, rb: int, what: str) -> Tensor:
    if (a.ndim, b.ndim) != (ra, rb):
        raise ShapeError(
            f"{what} expects tensors of {ra} and {rb} axes, got shapes {tuple(a._shape)} and "
            f"{tuple(b._shape)}"
        )
    return matmul(a, b)


def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """Matrix times matrix."""
    return _ranked(input, mat2, 2, 2, "mm")


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix times vector."""
    return _ranked(input, vec, 2, 1, "mv")


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """A batch of matrix products."""
    if input._shape[:1] != mat2._shape[:1]:
        raise ShapeError(
            f"bmm: batch sizes differ: {tuple(input._shape)} and {tuple(mat2._shape)}",
            repair="axis 0 is the batch of both; matmul broadcasts it where it is 1",
        )
    return _ranked(input, mat2, 3, 3, "bmm")


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Σ a b of two vectors."""
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input._shape != tensor._shape:
        raise ShapeError(
            f"inconsistent tensor size, expected tensor {list(input._shape)} and src "
            f"{list(tensor._shape)} to have the same number of elements"
        )
    return _ranked(input, tensor, 1, 1, "dot")


def vdot(input: Tensor, other: Tensor) -> Tensor:
    """Σ ā b of two vectors."""
    return dot(conj(input), other)


def inner(input: Tensor, other: Tensor) -> Tensor:
    """Σ over the last axes of both."""
    if not input.ndim or not other.ndim:
        return input * other
    return tensordot(input, other, ([input.ndim - 1], [other.ndim - 1]))


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """a bᵀ of two vectors."""
    for t, name in ((input, "self"), (vec2, "vec2")):
        if t.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {t.ndim}-D")
    return unsqueeze(input, 1) * vec2


ger = outer


def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta · input + alpha · a @ b"""
    return _scaled(input, beta) + _scaled(mm(mat1, mat2), alpha)


def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · A @ v"""
    return _scaled(input, beta) + _scaled(mv(mat, vec), alpha)


def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta · input + alpha · a bᵀ"""
    return _scaled(input, beta) + _scaled(outer(vec1, vec2), alpha)


def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta · input + alpha · a @ b, in batches"""
    return _scaled(input, beta) + _scaled(bmm(batch1, batch2), alpha)


def _scaled(x: Tensor, s: float) -> Tensor:
    return x if s == 1 else x * s


def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """Σ over pairs of axes."""
    if isinstance(dims, int):
        da, db = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        da, db = ([x] if isinstance(x, int) else list(x) for x in dims)
    da, db = [shapes.axis(d, a.ndim) for d in da], [shapes.axis(d, b.ndim) for d in db]
    for i, j in zip(da, db, strict=True):  # an axis of size 1 broadcasts
        if a._shape[i] == 1 != b._shape[j]:
            b = sum(b, j, keepdim=True)
        elif b._shape[j] == 1 != a._shape[i]:
            a = sum(a, i, keepdim=True)
    letters = iter(string.ascii_letters)
    la = [next(letters) for _ in range(a.ndim)]
    lb = [next(letters) for _ in range(b.ndim)]
    for i, j in zip(da, db, strict=True):
        lb[j] = la[i]
    out = [c for i, c in enumerate(la) if i not in da] + [
        c for j, c in enumerate(lb) if j not in db
    ]
    return apply(ops.contract, a, b, spec=f"{''.join(la)},{''.join(lb)}->{''.join(out)}")


def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product."""
    rank = builtins.max(input.ndim, other.ndim)
    a = reshape(input, (1,) * (rank - input.ndim) + tuple(input._shape))
    b = reshape(other, (1,) * (rank - other.ndim) + tuple(other._shape))
    wide_a = reshape(a, tuple(n for s in a._shape for n in (s, 1)))
    wide_b = reshape(b, tuple(n for s in b._shape for n in (1, s)))
    return reshape(wide_a * wide_b, tuple(x * y for x, y in zip(a._shape, b._shape, strict=True)))


def trace(input: Tensor) -> Tensor:
    """Σ of the diagonal."""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    return sum(diagonal(input))


def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector product of 3-vectors; by default along the first axis of size 3."""
    if input.ndim != other.ndim:
        raise ShapeError("linalg.cross: inputs must have the same number of dimensions.")
    if dim is None:
        dim = next((i for i, n in enumerate(input._shape) if n == 3), None)
        if dim is None:
            raise ShapeError("no dimension of size 3 in input")
    d = shapes.axis(dim, input.ndim)
    m, n = (t._shape[d] if t.ndim else 1 for t in (input, other))
    if (m, n) != (3, 3):
        raise ShapeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {m} and {n}"
        )
    a, b = broadcast_tensors(input, other)
    return roll(a, -1, d) * roll(b, -2, d) - roll(a, -2, d) * roll(b, -1, d)


def einsum(equation: Any, *operands: Any) -> Tensor:
    """Sums of products in Einstein's notation, e.g. einsum("bij,bjk->bik", a, b)."""
    from_list = (
        operands[0] if len(operands) == 1 and isinstance(operands[0], (list, tuple)) else operands
    )
    return apply(_einsum, *from_list, equation=str(equation).replace(" ", ""))


def _check_letters(xs: Sequence[Node], specs: Sequence[str], equation: str) -> None:
    """A letter means one size."""
    sizes: dict[str, tuple[int, int]] = {}
    for i, (x, spec) in enumerate(zip(xs, specs, strict=True)):
        if len(spec) != len(x.shape):
            continue
        for letter, n in zip(spec, x.shape, strict=True):
            before, where = sizes.setdefault(letter, (n, i))
            if before == 1:
                sizes[letter] = n, i
            elif n not in (1, before):
                raise ShapeError(
                    f"einsum(): in {equation!r} the letter {letter!r} has size {before} in operand "
                    f"{where}, {xs[where].shape}, and {n} in operand {i}, {x.shape}",
                    repair=_letters_repair(specs, xs, i, letter, before),
                )


def _letters_repair(
    specs: Sequence[str], xs: Sequence[Node], i: int, letter: str, size: int
) -> str:
    shape = xs[i].shape
    if shape.count(size) == 1:
        other = shape.index(size)
        order = list(specs[i])
        at = specs[i].index(letter)
        order[at], order[other] = order[other], order[at]
        return f"operand {i} has {size} on axis {other}: write {''.join(order)!r} for it"
    return f"operand {i} needs {size} on axis {specs[i].index(letter)}, or another letter there"


def _einsum(*xs: Node, equation: str) -> Node:
    left, arrow, out = equation.partition("->")
    specs = left.split(",")
    if len(specs) != len(xs):
        raise ValueError(
            f"einsum(): the equation {equation!r} has {len(specs)} operands, {len(xs)} were given"
        )
    named = set(equation)
    spare = [c for c in string.ascii_letters if c not in named]
    dots = builtins.max(
        (
            len(x.shape) - len(s.replace("...", ""))
            for s, x in zip(specs, xs, strict=True)
            if "..." in s
        ),
        default=0,
    )
    lead = "".join(spare[:dots])
    full = []
    for s, x in zip(specs, xs, strict=True):
        here = len(x.shape) - len(s.replace("...", ""))
        full.append(s.replace("...", lead[dots - here :] if here else ""))
    _check_letters(xs, full, equation)
    if not arrow:
        counts = {c: "".join(full).count(c) for c in "".join(full) if c not in lead}
        out = ("..." if dots else "") + "".join(sorted(c for c, n in counts.items() if n == 1))
    out = out.replace("...", lead)
    terms = [_single(x, s) for x, s in zip(xs, full, strict=True)]
    while len(terms) > 1:
        (a, sa), (b, sb) = terms[0], terms[1]
        rest = set(out).union(*(s for _, s in terms[2:]))
        a, sa = _drop(a, sa, rest | set(sb))
        b, sb = _drop(b, sb, rest | set(sa))
        a, b = _stretch(a, sa, b, sb)
        keep = "".join(dict.fromkeys(c for c in sa + sb if c in rest))
        terms[:2] = [(ops.contract(a, b, spec=f"{sa},{sb}->{keep}"), keep)]
    x, s = _drop(*terms[0], set(out))
    if set(s) != set(out) or len(s) != len(out):
        raise ValueError(f"einsum(): the output {out!r} names axes that no operand has")
    return ops.permute(x, order=tuple(s.index(c) for c in out))


def _single(x: Node, s: str) -> tuple[Node, str]:
    """Repeated letters of one operand are a diagonal."""
    if len(s) != len(x.shape):
        raise ValueError(f"einsum(): {s!r} names {len(s)} axes, the operand has shape {x.shape}")
    for c in dict.fromkeys(s):
        while s.count(c) > 1:
            i, j = s.index(c), s.rindex(c)
            rest = [k for k in range(len(s)) if k not in (i, j)]
            x = ops.diagonal(ops.permute(x, order=(*rest, i, j)), offset=0)
            s = "".join(s[k] for k in rest) + c
    return x, s


def _drop(x: Node, s: str, keep: set[str]) -> tuple[Node, str]:
    over = tuple(i for i, c in enumerate(s) if c not in keep)
    return (ops.sum(x, axis=over), "".join(c for c in s if c in keep)) if over else (x, s)


def _stretch(a: Node, sa: str, b: Node, sb: str) -> tuple[Node, Node]:
    """Axes of size 1 under one letter broadcast."""
    size: dict[str, int] = {}
    for s, x in ((sa, a), (sb, b)):
        for c, n in zip(s, x.shape, strict=True):
            size[c] = builtins.max(size.get(c, 1), n) if n else 0
    wide_a, wide_b = tuple(size[c] for c in sa), tuple(size[c] for c in sb)
    return ops.broadcast_to(a, shape=wide_a), ops.broadcast_to(b, shape=wide_b)


def cdist(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    """Distances between all pairs of rows."""
    return norm(unsqueeze(x1, -2) - unsqueeze(x2, -3), p, -1)


def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """beta · input + alpha · Σ a @ b over a batch"""
    return _scaled(input, beta) + _scaled(sum(bmm(batch1, batch2), 0), alpha)


def chain_matmul(*matrices: Tensor) -> Tensor:
    """Matrices multiplied from left to right."""
    out = matrices[0]
    for m in matrices[1:]:
        out = mm(out, m)
    return out
