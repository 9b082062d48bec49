"""`vmap`: a function of one sample, for a batch at once."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from chainrule import ops
from chainrule.ir.node import Node
from chainrule.pytree import (
    TreeSpec,
    broadcast_to_and_flatten,
    tree_flatten,
    tree_map_,
    tree_unflatten,
)
from chainrule.runtime.random import get_state, set_state
from chainrule.tensor import Tensor, levels
from chainrule.tensor.functions import cat
from chainrule.tensor.handle import node_of
from chainrule.tensor.mutate import assign


def name_of(func: Callable[..., Any]) -> str:
    """What a function is called in messages."""
    if isinstance(func, functools.partial):
        return f"functools.partial({name_of(func.func)}, ...)"
    return str(getattr(func, "__name__", repr(func)))


def wraps(func: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`functools.wraps`, also for modules and partial functions."""

    def as_it(inner: Callable[..., Any]) -> Callable[..., Any]:
        functools.update_wrapper(inner, func, updated=())
        return inner

    return as_it


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """x ↦ stack(func(x₁), func(x₂), …), computed at once

    `func` sees one sample: `in_dims` says which axis of each argument is the batch (None: all
    samples share it), `out_dims` where it is put in the results; both may be trees. `randomness`:
    whether samples draw "different" random numbers, the "same", or none ("error"). With
    `chunk_size` so many samples are computed at a time. What `func` calls is recorded for one
    sample and then rewritten, op by op, for the batch (`chainrule.ops.batching`); it cannot look at
    values. Raises ValueError for axes that do not fit, RuntimeError for a look.

    >>> import chainrule as torch
    >>> dots = torch.vmap(torch.dot)
    >>> dots(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]]))
    tensor([3., 4.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. "
            f"Got {randomness}"
        )
    if not (chunk_size is None or chunk_size > 0):
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(out_dims, func)
        size, axes, flat, spec = _batched_inputs(in_dims, args, func)
        call = functools.partial(_mapped, func, axes, spec, out_dims, randomness, kwargs)
        if chunk_size is None:
            return call(size, flat)
        return _in_chunks(call, size, axes, flat, out_dims, chunk_size, randomness)

    return wrapped


def _batched_inputs(
    in_dims: Any, args: tuple[Any, ...], func: Callable[..., Any]
) -> tuple[int, list[int | None], list[Any], TreeSpec]:
    """Size of the batch, its axis in every leaf of the arguments, the leaves and their tree."""
    where = f"vmap({name_of(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, (int, tuple, list)):
        raise ValueError(
            f"{where}expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({name_of(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or "
            "you are trying to vmap over a function with no inputs. The latter is unsupported."
        )
    flat, spec = tree_flatten(args)
    found = broadcast_to_and_flatten(tuple(in_dims) if isinstance(in_dims, list) else in_dims, spec)
    if found is None:
        raise ValueError(
            f"{where}in_dims is not compatible with the structure of `inputs`. in_dims has "
            f"structure {tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    axes: list[int | None] = []
    for arg, axis in zip(flat, found, strict=True):
        if axis is None:
            axes.append(None)
            continue
        if not isinstance(axis, int):
            raise ValueError(
                f"{where}Got in_dim={axis} for an input but in_dim must be either an integer "
                "dimension or None."
            )
        if not isinstance(arg, Tensor):
            raise ValueError(
                f"{where}Got in_dim={axis} for an input but the input is of type {type(arg)}. We "
                "cannot vmap over non-Tensor arguments, please use None as the respective in_dim"
            )
        if not -arg.ndim <= axis < arg.ndim:
            raise ValueError(
                f"{where}Got in_dim={axis} for some input, but that input is a Tensor of "
                f"dimensionality {arg.ndim} so expected in_dim to satisfy "
                f"-{arg.ndim} <= in_dim < {arg.ndim}."
            )
        axes.append(axis % arg.ndim)
    sizes = [a.shape[d] for a, d in zip(flat, axes, strict=True) if d is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(n != sizes[0] for n in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return sizes[0], axes, flat, spec


def _check_out_dims(out_dims: Any, func: Callable[..., Any]) -> None:
    def check(x: Any) -> None:
        if not (x is None or isinstance(x, int)):
            raise ValueError(
                f"vmap({name_of(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None "
                "or a python collection of ints representing where in the outputs the vmapped "
                "dimension should appear."
            )

    tree_map_(check, out_dims)


def _mapped(
    func: Callable[..., Any],
    axes: Sequence[int | None],
    spec: TreeSpec,
    out_dims: Any,
    randomness: str,
    kwargs: dict[str, Any],
    size: int,
    flat: Sequence[Any],
) -> Any:
    """One call of func for all samples."""
    with levels.one_piece:  # results are nodes until they are wrapped
        with levels.batch(size, randomness) as level:
            inside = [
                x if d is None else level.enter(x, d) for x, d in zip(flat, axes, strict=True)
            ]
            outs = func(*tree_unflatten(inside, spec), **kwargs)
            leaves, tree = tree_flatten(outs)
            dims = _dims(outs, tree, out_dims, func)
            given = _out(level, leaves, dims, func)
            written = [
                (x, d, t) for x, d, t in zip(flat, axes, inside, strict=True)
                if d is not None and t.storage.version
            ]  # fmt: skip
            new = level.whole([node_of(t) for _, _, t in written])
            full = [_batch(n, t, size) for n, (_, _, t) in zip(new, written, strict=True)]
        values = [x if d is _SAME else levels.given_back(*x) for x, d in given]
        for (x, d, t), node in zip(written, full, strict=True):
            assign(x, levels.given_back(_moved(node, d), t.level))
    return tree_unflatten(values, tree)


_SAME = object()


def _out(
    level: levels.Vmap, leaves: Sequence[Any], dims: Sequence[int | None], func: Callable[..., Any]
) -> list[tuple[Any, Any]]:
    """Results as (node for all samples, level), or as they are."""
    name = name_of(func)
    nodes = []
    for x, d in zip(leaves, dims, strict=True):
        if d is None:
            if isinstance(x, Tensor) and level.holds(node_of(x)):
                raise ValueError(
                    f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is "
                    "None"
                )
        elif not isinstance(x, Tensor):
            raise ValueError(
                f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(x)}. Did "
                "you mean to set out_dims= to None for output?"
            )
        else:
            nodes.append(node_of(x))
    made = iter(level.whole(nodes))
    found: list[tuple[Any, Any]] = []
    for x, d in zip(leaves, dims, strict=True):
        if d is None:
            found.append((x, _SAME))
            continue
        rank = x.ndim + 1
        if not -rank <= d < rank:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but "
                f"got {d})"
            )
        node = next(made)
        if node is None:
            node = ops.broadcast_to(node_of(x), shape=(level.size, *x.shape))
        found.append(((_moved(node, d % rank), 1 if x.level else 0), None))
    return found


def _batch(node: Node | None, like: Tensor, size: int) -> Node:
    return ops.broadcast_to(node_of(like), shape=(size, *like._shape)) if node is None else node


def _moved(node: Node, axis: int) -> Node:
    """The first axis in another place."""
    if axis == 0:
        return node
    rest = list(range(1, node.ndim))
    return ops.permute(node, order=(*rest[:axis], 0, *rest[axis:]))


def _dims(outs: Any, tree: TreeSpec, out_dims: Any, func: Callable[..., Any]) -> list[int | None]:
    """The axis of the batch in every leaf of the results."""
    found: list[int | None] | None
    if isinstance(outs, Tensor):
        single = isinstance(out_dims, (tuple, list)) and len(out_dims) == 1
        found = list(out_dims) if single else [out_dims]
        if found[0] is not None and not isinstance(found[0], int):
            found = None
    else:
        found = broadcast_to_and_flatten(out_dims, tree)
    if found is None:
        raise ValueError(
            f"vmap({name_of(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not "
            f"compatible with the structure of `outputs`. out_dims has structure "
            f"{tree_flatten(out_dims)[1]} but outputs has structure {tree}."
        )
    return found


def _in_chunks(
    call: Callable[[int, Sequence[Any]], Any],
    size: int,
    axes: Sequence[int | None],
    flat: Sequence[Any],
    out_dims: Any,
    chunk_size: int,
    randomness: str,
) -> Any:
    """So many samples at a time; results one behind the other."""
    starts = list(range(0, size, chunk_size)) or [0]
    found, tree = [], None
    before = get_state() if randomness == "same" else None
    for start in starts:
        if before is not None:
            set_state(before)  # all samples draw the same numbers, in all chunks
        n = min(chunk_size, size - start)
        part = [x if d is None else x.narrow(d, start, n) for x, d in zip(flat, axes, strict=True)]
        leaves, tree = tree_flatten(call(n, part))
        found.append(leaves)
    assert tree is not None
    dims = broadcast_to_and_flatten(out_dims, tree)
    assert dims is not None
    columns = zip(*found, strict=True)
    return tree_unflatten(
        [xs[0] if d is None else cat(list(xs), d) for xs, d in zip(columns, dims, strict=True)],
        tree,
    )


def chunk_vmap(
    func: Callable[..., Any], in_dims: Any = 0, out_dims: Any = 0, randomness: str = "error",
    chunks: int = 2,
) -> Callable[..., Any]:  # fmt: skip
    """`vmap` over the batch in a number of pieces."""

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        size, *_ = _batched_inputs(in_dims, args, func)
        each = max(-(-size // chunks), 1)
        return vmap(func, in_dims, out_dims, randomness, chunk_size=each)(*args, **kwargs)

    return wrapped


__all__ = ["chunk_vmap", "name_of", "vmap", "wraps"]
