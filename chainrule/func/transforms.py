"""Derivatives of functions: `grad`, `vjp`, `jvp`, `linearize`.

Each calls the function on arguments under names of their own (`chainrule.tensor.levels`) and
derives what was recorded. A derivative in a direction, J v, is the derivative of Jᵀ u by u: Jᵀ u is
linear in u, so u is not in the result, and no op needs a second rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import ops
from chainrule.func.vmap import wraps
from chainrule.ir.graph import substitute
from chainrule.pytree import tree_flatten, tree_map, tree_unflatten, treespec_pprint
from chainrule.tensor import Tensor, levels
from chainrule.tensor import backward as engine
from chainrule.tensor.handle import node_of, result
from chainrule.tensor.trace import HIDING, grad_mode, state


def _entering(level: levels.Grad, tree: Any) -> Any:
    """The tensors of an argument, to be differentiated by."""

    def enter(x: Any) -> Tensor:
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        return level.enter(x)

    return tree_map(enter, tree)


def _leaving(tree: Any) -> Any:
    """Results: as they are seen outside of the transform."""
    return tree_map(
        lambda x: levels.given_back(node_of(x), x.level) if isinstance(x, Tensor) else x, tree
    )


def derivatives(
    ys: Sequence[Tensor], xs: Sequence[Tensor], seeds: Sequence[Tensor | None] | None = None
) -> list[Tensor]:
    """Gradients that can be differentiated again; zeros where nothing depends."""
    given = [None] * len(ys) if seeds is None else seeds
    pairs = [(y, s) for y, s in zip(ys, given, strict=True) if y.level]
    found: Sequence[Tensor | None] = [None] * len(xs)
    if pairs:
        with grad_mode(True):
            found = engine.grad(
                [y for y, _ in pairs], xs, [s for _, s in pairs], retain_graph=True,
                create_graph=True, allow_unused=True,
            )  # fmt: skip
    return [
        result(ops.zeros_like(node_of(x)), state.here.trace, 0) if g is None else g
        for g, x in zip(found, xs, strict=True)
    ]


# ------------------------------------------------------------------ which arguments


def _place(argnum: Any, n: int) -> int:
    if not isinstance(argnum, int):
        raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
    if not -n <= argnum < n:
        raise RuntimeError(f"Got argnum={argnum}, but only {n} positional inputs")
    return argnum % n


def places(argnums: Any, n: int) -> tuple[int, ...]:
    """Positions of the arguments that count, checked."""
    if isinstance(argnums, int):
        return (_place(argnums, n),)
    if not isinstance(argnums, tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    found = tuple(_place(a, n) for a in argnums)
    if not found:
        raise RuntimeError("argnums must be non-empty")
    if len(set(found)) != len(found):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return found


def _chosen(args: Sequence[Any], argnums: Any, at: tuple[int, ...]) -> Any:
    return args[at[0]] if isinstance(argnums, int) else tuple(args[i] for i in at)


def _with_aux(out: Any, has_aux: bool, what: str) -> tuple[Any, Any]:
    if not has_aux:
        return out, None
    if not (isinstance(out, tuple) and len(out) == 2):
        raise RuntimeError(
            f"{what}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return out


def _tensors(leaves: Sequence[Any], what: str) -> None:
    if not leaves:
        raise RuntimeError(
            f"{what}: Expected f to be a function that has non-empty output (got output = {leaves})"
        )
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(
                f"{what}: expected f(*primals) to return only tensors, got unsupported type "
                f"{type(x)}"
            )


# ------------------------------------------------------------------ grad


def grad_and_value(
    func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """args ↦ (∂func/∂args[argnums], func(args)); with `has_aux` (gradient, (value, aux)).

    >>> import chainrule as torch
    >>> torch.func.grad_and_value(lambda x: (x ** 3).sum())(torch.tensor([1.0, 2.0]))
    (tensor([ 3., 12.]), tensor(9.))
    """
    what = "grad_and_value(f)(*args)"

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        at = places(argnums, len(args))
        with levels.arguments() as level:
            inside = [_entering(level, a) if i in at else a for i, a in enumerate(args)]
            out, aux = _with_aux(func(*inside, **kwargs), has_aux, what)
            if not isinstance(out, Tensor):
                raise RuntimeError(f"{what}: Expected f(*args) to return a Tensor, got {type(out)}")
            if out.ndim:
                raise RuntimeError(
                    f"{what}: Expected f(*args) to return a scalar Tensor, got tensor with "
                    f"{out.ndim} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
                )
            xs, spec = tree_flatten(_chosen(inside, argnums, at))
            found = tree_unflatten(derivatives([out], xs), spec)
        found, value = _leaving(found), _leaving(out)
        return (found, (value, _leaving(aux))) if has_aux else (found, value)

    return wrapped


def grad(func: Callable[..., Any], argnums: Any = 0, has_aux: bool = False) -> Callable[..., Any]:
    """args ↦ ∂func/∂args[argnums] of a function whose result is one number; with `has_aux`
    (gradient, aux).

    `argnums`: a position, or a tuple of them; an argument may be a tree of tensors. They nest:
    grad(grad(f)) is the second derivative, vmap(grad(f)) the gradient of every sample. Raises
    RuntimeError where the result is not one number.

    >>> import chainrule as torch
    >>> torch.func.grad(torch.func.grad(torch.sin))(torch.tensor(0.0))
    tensor(-0.)
    """
    both = grad_and_value(func, argnums, has_aux)

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        found, value = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return wrapped


# ------------------------------------------------------------------ vjp


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """(func(primals), u ↦ Jᵀ u): the value, and a function that takes cotangents to gradients; with
    `has_aux` (value, function, aux).

    The function may be called again, inside vmap as well. It gives one gradient for one primal, a
    tuple for several.

    >>> import chainrule as torch
    >>> y, pull = torch.func.vjp(torch.sin, torch.tensor([0.0, 1.0]))
    >>> pull(torch.tensor([2.0, 0.0]))
    (tensor([2., 0.]),)
    """
    return vjp_of(func, primals, None, has_aux)


def vjp_of(func: Callable[..., Any], primals: tuple[Any, ...], argnums: Any, has_aux: bool) -> Any:
    """`vjp` by some of the arguments."""
    what = "vjp(f, *primals)"
    at = tuple(range(len(primals))) if argnums is None else places(argnums, len(primals))
    with levels.arguments() as level:
        inside = [_entering(level, a) if i in at else a for i, a in enumerate(primals)]
        chosen = tuple(inside) if argnums is None else _chosen(inside, argnums, at)
        out, aux = _with_aux(func(*inside), has_aux, what)
        ys, tree = tree_flatten(out)
        _tensors(ys, what)
        for y in ys:
            if not _moves(y):
                raise RuntimeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                    f"Tensor with dtype {y.dtype}"
                )
        xs, spec = tree_flatten(chosen)
    given = _leaving(out)

    def pull(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        seeds, shape = tree_flatten(cotangents)
        if shape != tree:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {treespec_pprint(shape)}, primal output: "
                f"{treespec_pprint(tree)}"
            )
        return tree_unflatten([_leaving(g) for g in derivatives(ys, xs, seeds)], spec)

    return (given, pull, _leaving(aux)) if has_aux else (given, pull)


def _moves(t: Tensor) -> bool:
    return t.dtype.is_floating_point or bool(getattr(t.dtype, "is_complex", False))


# ------------------------------------------------------------------ jvp


def directional(
    ys: Sequence[Tensor], xs: Sequence[Tensor], vs: Sequence[Tensor]
) -> list[Tensor | None]:
    """J v for every y; None where it does not depend on any x."""
    trace = state.here.trace
    found: list[Tensor | None] = [None] * len(ys)
    moving = [i for i, y in enumerate(ys) if y.level]
    if not moving:
        return found
    with levels.one_piece, grad_mode(True):
        for y in ys:
            node_of(y)
        trace = state.here.trace
        trace.opened += 1
        if trace.scopes is None:
            trace.scopes = {}
        scope = f"{HIDING}jvp {trace.opened}"
        us = [
            result(
                ops.input(index=i, shape=ys[i]._shape, dtype=ys[i]._dtype, scope=scope), trace, 1
            )
            for i in moving
        ]
        rows = engine.grad([ys[i] for i in moving], xs, us, True, True, allow_unused=True)
        pairs = [(r, v) for r, v in zip(rows, vs, strict=True) if r is not None and r.level]
        if pairs:
            made = engine.grad(
                [r for r, _ in pairs], us, [v for _, v in pairs], True, True, allow_unused=True
            )
            zeros = {node_of(u): ops.zeros_like(node_of(u)) for u in us}
            for i, t in zip(moving, made, strict=True):
                found[i] = t
                if t is not None and scope in trace.hidden(node_of(t)):
                    # a loop that also gives what depends on u: whatever u is
                    found[i] = result(substitute([node_of(t)], zeros)[0], trace, t.level)
    return found


def jvp(
    func: Callable[..., Any], primals: Any, tangents: Any, *, strict: bool = False,
    has_aux: bool = False,
) -> Any:  # fmt: skip
    """(func(primals), J v): the value and its derivative in the direction `tangents`; with
    `has_aux` (value, derivative, aux).

    `strict`: a result that does not depend on the primals is an error, otherwise its derivative is
    0. Under no_grad inside `func` nothing is differentiated (PyTorch's forward mode goes on).

    >>> import chainrule as torch
    >>> torch.func.jvp(torch.sin, (torch.tensor(0.0),), (torch.tensor(2.0),))
    (tensor(0.), tensor(2.))
    """
    return jvp_of(func, primals, tangents, None, strict, has_aux)


def jvp_of(
    func: Callable[..., Any], primals: Any, tangents: Any, argnums: Any, strict: bool, has_aux: bool
) -> Any:
    """`jvp` by some of the arguments."""
    what = "jvp(f, primals, tangents)"
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{what}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    at = tuple(range(len(primals))) if argnums is None else places(argnums, len(primals))
    flat, spec = tree_flatten(primals if argnums is None else tuple(primals[i] for i in at))
    vs, shape = tree_flatten(tangents)
    if spec != shape:
        raise RuntimeError(
            f"{what}: Expected primals and tangents to have the same python structure. For "
            "example, if primals is a tuple of 3 tensors, tangents also must be. Got primals with "
            f"structure {spec} and tangents with structure {shape}"
        )
    for leaves, name in ((flat, "primals"), (vs, "tangents")):
        _only_tensors(leaves, what, name)
    for x, v in zip(flat, vs, strict=True):
        if x._shape != v._shape:
            raise RuntimeError(
                f"{what}: primal has shape {list(x._shape)}, but its tangent has {list(v._shape)}"
            )
    with levels.arguments() as level:
        inside = [_entering(level, a) if i in at else a for i, a in enumerate(primals)]
        out, aux = _with_aux(func(*inside), has_aux, what)
        ys, tree = tree_flatten(out)
        _tensors(ys, what)
        xs = tree_flatten(tuple(inside[i] for i in at))[0]
        found = directional(ys, xs, vs)
        if strict and any(t is None for t in found):
            raise RuntimeError(
                "jvp(f, primals, tangents, strict=True): The output of f is independent of the "
                "inputs. This is not allowed with strict=True."
            )
        dots = [
            result(ops.zeros_like(node_of(y)), state.here.trace, 0) if t is None else t
            for y, t in zip(ys, found, strict=True)
        ]
    values = tree_unflatten([_leaving(y) for y in ys], tree)
    moves = tree_unflatten([_leaving(t) for t in dots], tree)
    return (values, moves, _leaving(aux)) if has_aux else (values, moves)


def _only_tensors(leaves: Sequence[Any], what: str, name: str) -> None:
    if not leaves:
        raise RuntimeError(f"{what}: Expected {name} to contain at least one Tensor.")
    for x in leaves:
        if not isinstance(x, Tensor):
            raise RuntimeError(f"{what}: Expected {name} to only contain Tensors, got {type(x)}")


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """(func(primals), v ↦ J v): the value, and its linear part there; `func` is called once.

    >>> import chainrule as torch
    >>> y, push = torch.func.linearize(torch.sin, torch.tensor(0.0))
    >>> push(torch.tensor(3.0))
    tensor(3.)
    """
    with levels.arguments() as level:
        inside = [_entering(level, a) for a in primals]
        ys, tree = tree_flatten(func(*inside))
        _tensors(ys, "linearize(f, *primals)")
        xs, spec = tree_flatten(tuple(inside))

    def push(*tangents: Any) -> Any:
        vs, shape = tree_flatten(tangents)
        if shape != spec:
            raise RuntimeError(
                f"Expected the tangents {shape} to have the same argspec as the primals {spec}"
            )
        for i, (x, v) in enumerate(zip(xs, vs, strict=True)):
            if x._shape != v._shape or x._dtype is not v._dtype:
                raise RuntimeError(
                    f"tangent:{i} with shape {list(v._shape)} and type {v._dtype} in flattened "
                    f"pytree doesn't match the primal, which has {list(x._shape)} and {x._dtype}"
                )
        found = directional(ys, xs, vs)
        moves = [
            y.new_zeros(y._shape) if t is None else _leaving(t)
            for y, t in zip(ys, found, strict=True)
        ]
        return tree_unflatten(moves, tree)

    return tree_unflatten([_leaving(y) for y in ys], tree), push
