"""Whole Jacobians: `jacrev` by rows, `jacfwd` by columns, `hessian` by both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import shapes
from chainrule.func.transforms import jvp_of, places, vjp_of
from chainrule.func.vmap import vmap, wraps
from chainrule.pytree import tree_flatten, tree_map, tree_unflatten
from chainrule.tensor import Tensor
from chainrule.tensor.creation import eye
from chainrule.tensor.functions import cat


def basis(like: Sequence[Tensor], start: int = 0, count: int | None = None) -> list[Tensor]:
    """Unit vectors of all elements of several tensors, as batches: `count` of them from `start`."""
    sizes = [shapes.size(t._shape) for t in like]
    total = sum(sizes)
    n = total - start if count is None else count
    found, at = [], 0
    for t, size in zip(like, sizes, strict=True):
        whole = eye(total, dtype=t._dtype)
        found.append(whole[start : start + n, at : at + size].reshape(n, *t._shape))
        at += size
    return found


def _split(rows: Tensor, like: Sequence[Tensor], axis: int) -> list[Tensor]:
    """One batch over all elements of several tensors, as one for each."""
    return list(rows.split([shapes.size(t._shape) for t in like], dim=axis))


def jacrev(
    func: Callable[..., Any], argnums: Any = 0, *, has_aux: bool = False,
    chunk_size: int | None = None, _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:  # fmt: skip
    """args ↦ ∂func/∂args[argnums], shape (*output, *input), in reverse mode: all rows at once

    For several outputs or inputs: the tree of outputs, with the tree of inputs at every leaf. With
    `chunk_size` so many rows are computed at a time. With `has_aux` (Jacobian, aux).

    >>> import chainrule as torch
    >>> torch.func.jacrev(lambda x: x ** 2)(torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @wraps(func)
    def wrapped(*args: Any) -> Any:
        places(argnums, len(args))
        out, pull, *aux = vjp_of(func, args, argnums, has_aux)
        ys, tree = tree_flatten(out)
        at = places(argnums, len(args))
        xs, spec = tree_flatten(args[at[0]] if isinstance(argnums, int) else
                                tuple(args[i] for i in at))  # fmt: skip
        total = sum(shapes.size(y._shape) for y in ys)
        step = total if chunk_size is None else chunk_size
        parts = []
        for start in range(0, max(total, 1), max(step, 1)):
            units = tree_unflatten(basis(ys, start, min(step, total - start)), tree)
            parts.append(tree_flatten(vmap(pull)(units))[0])
        blocks = [cat(list(p)) if len(parts) > 1 else p[0] for p in zip(*parts, strict=True)]
        by_input = [_split(b, ys, 0) for b in blocks]
        rows = [
            tree_unflatten(
                [b[k].reshape((*y._shape, *x._shape)) for b, x in zip(by_input, xs, strict=True)],
                spec,
            )
            for k, y in enumerate(ys)
        ]
        found = tree_unflatten(rows, tree)
        return (found, aux[0]) if has_aux else found

    return wrapped


def jacfwd(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, *, randomness: str = "error"
) -> Callable[..., Any]:
    """args ↦ ∂func/∂args[argnums], shape (*output, *input), in forward mode: all columns at once.

    Structures as in `jacrev`, which is cheaper where there are more inputs than outputs.

    >>> import chainrule as torch
    >>> torch.func.jacfwd(lambda x: x.sum() * x)(torch.tensor([1.0, 2.0]))
    tensor([[4., 1.],
            [2., 5.]])
    """

    @wraps(func)
    def wrapped(*args: Any) -> Any:
        at = places(argnums, len(args))
        xs, spec = tree_flatten(tuple(args[i] for i in at))
        units = tree_unflatten(basis(xs), spec)

        def push(v: Any) -> Any:
            _, moves, *aux = jvp_of(func, args, v, at, False, has_aux)
            return (moves, aux[0]) if has_aux else moves

        found = vmap(push, randomness=randomness)(units)
        moves, aux = found if has_aux else (found, None)
        columns, tree = tree_flatten(moves)
        rows = []
        for c in columns:
            parts = _split(c.movedim(0, -1), xs, -1)
            whole = tree_unflatten(
                [p.reshape((*c._shape[1:], *x._shape)) for p, x in zip(parts, xs, strict=True)],
                spec,
            )
            rows.append(whole[0] if isinstance(argnums, int) else whole)
        made = tree_unflatten(rows, tree)
        return (made, tree_map(lambda t: t[0], aux)) if has_aux else made

    return wrapped


def hessian(func: Callable[..., Any], argnums: Any = 0) -> Callable[..., Any]:
    """args ↦ second derivatives: columns of rows, jacfwd(jacrev(func)).

    >>> import chainrule as torch
    >>> torch.func.hessian(lambda x: x[0] * x[1] ** 2)(torch.tensor([1.0, 3.0]))
    tensor([[0., 6.],
            [6., 2.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)
