"""`Function`: a computation whose gradient the user writes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from chainrule.autograd.saving import pack, unpack
from chainrule.pytree import broadcast_to_and_flatten, tree_flatten, tree_unflatten
from chainrule.tensor import Tensor, is_grad_enabled, levels, no_grad
from chainrule.tensor import backward as engine
from chainrule.tensor.handle import node_of
from chainrule.tensor.mutate import assign
from chainrule.tensor.trace import state


class FunctionCtx:
    """What `forward` hands to `backward`: saved tensors, and any attributes."""

    def __init__(self) -> None:
        self._saved: tuple[Any, ...] = ()
        self._versions: tuple[int, ...] = ()
        self._no_grad: set[int] = set()
        self._dirty: set[int] = set()
        self.needs_input_grad: tuple[bool, ...] = ()
        self.materialize_grads = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `backward`; overwriting one of them afterwards is an error there."""
        for t in tensors:
            if t is not None and not isinstance(t, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is of type {type(t)}"
                )
        self._saved = tensors
        self._versions = tuple(-1 if t is None else t._version for t in tensors)

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Accepted: a derivative in a direction is derived from `backward`."""

    def _saved_outputs(self, wrapped: dict[int, Tensor]) -> None:
        """A result that was saved is the one with a gradient: `backward` can be differentiated."""
        self.save_for_backward(*(t if t is None else wrapped.get(id(t), t) for t in self._saved))
        self._saved = tuple(t if t is None else pack(t) for t in self._saved)

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        for t, version in zip(self._saved, self._versions, strict=True):
            if isinstance(t, Tensor) and t._version != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    "inplace operation: a tensor "
                    f"of shape {list(t.shape)} that was saved for backward is at version "
                    f"{t._version}; expected version {version} instead."
                )
        return tuple(t if t is None else unpack(t) for t in self._saved)

    saved_variables = saved_tensors

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """These outputs take no gradient."""
        self._no_grad.update(id(t) for t in args)

    def mark_dirty(self, *args: Tensor) -> None:
        """These inputs were overwritten by `forward`."""
        self._dirty.update(id(t) for t in args)

    def set_materialize_grads(self, value: bool) -> None:
        """Whether gradients of outputs that nothing depends on arrive as zeros, or as None."""
        self.materialize_grads = value


FunctionContext = FunctionCtx


class VmapInfo(NamedTuple):
    """What `Function.vmap` is told about the batch."""

    batch_size: int
    randomness: str


class Function(FunctionCtx):
    """A function with a gradient of one's own: (x, y, ȳ) ↦ x̄ is written in `backward`

    Static `forward(ctx, …)` computes without recording; `backward(ctx, *grads)` gives one gradient,
    or None, for each argument of `forward`, in the shape of that argument. It is recorded, so with
    create_graph it is differentiated again, and it may look at values. Call `apply`. What
    `backward` needs goes through `ctx.save_for_backward` (tensors: overwriting them afterwards is
    an error) or attributes of ctx. Where `setup_context(ctx, inputs, output)` is written, `forward`
    takes no ctx. Inside `vmap` either `vmap(info, in_dims, *args)` → (output, out_dims) is written,
    or `generate_vmap_rule = True`. Raises RuntimeError for gradients of a wrong number or shape.

    >>> import chainrule as torch
    >>> class Exp(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = x.exp()
    ...         ctx.save_for_backward(y)
    ...         return y
    ...     @staticmethod
    ...     def backward(ctx, grad):
    ...         (y,) = ctx.saved_tensors
    ...         return grad * y
    >>> x = torch.zeros(2, requires_grad=True)
    >>> Exp.apply(x).sum().backward()
    >>> x.grad
    tensor([1., 1.])
    """

    generate_vmap_rule = False
    #: The user's function that `backward` calls, where the library wrote `backward`.
    written: Callable[..., Any] | None = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Where it is written, `forward` takes no ctx, and this stores what `backward` needs."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[Any, ...], *args: Any) -> Any:
        """(output, out_dims) for arguments with a batch at `in_dims`."""
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap staticmethod or "
            "set generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` without recording its inside; gradients go through `backward`."""
        separate = cls.setup_context is not Function.setup_context
        if separate and kwargs:
            bound = inspect.signature(cls.forward).bind(*args, **kwargs)
            bound.apply_defaults()
            args, kwargs = bound.args, bound.kwargs
        if state.here.lanes:
            found = [x for x in map(levels.innermost, _tensors(args)) if x is not None]
            if found:
                depth = state.here.levels.index
                return _for_batch(cls, max(found, key=depth), args)
        ctx: Any = cls.__new__(cls)
        FunctionCtx.__init__(ctx)
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        with no_grad():
            if separate:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args, **kwargs)
        if not is_grad_enabled() or not any(ctx.needs_input_grad):
            return result
        return _bounded(cls, ctx, args, result)


def _tensors(args: Sequence[Any]) -> list[Tensor]:
    return [a for a in tree_flatten(list(args))[0] if isinstance(a, Tensor)]


def _bounded(
    cls: type[Function], ctx: Any, args: Sequence[Any], result: Any, cuts: bool = True
) -> Any:
    """Results whose gradient is `backward`."""
    outputs = [result] if isinstance(result, Tensor) else list(result)
    moving = [
        i
        for i, o in enumerate(outputs)
        if isinstance(o, Tensor) and _is_differentiable(o) and id(o) not in ctx._no_grad
    ]
    where = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
    tensors = [args[i] for i in where]
    rule = cls.backward if cls.backward is not Function.backward else cls.vjp

    def call(grads: list[Tensor | None]) -> list[Tensor | None]:
        given: list[Any] = [None] * len(outputs)
        for i, g in zip(moving, grads, strict=True):
            given[i] = g
        if ctx.materialize_grads:
            for i, o in enumerate(outputs):
                if given[i] is None and isinstance(o, Tensor):
                    given[i] = o.new_zeros(o.shape)
        found = rule(ctx, *given)
        parts = found if isinstance(found, tuple) else (found,)
        if len(parts) < len(args) or any(p is not None for p in parts[len(args) :]):
            raise RuntimeError(
                f"function {cls.__name__}Backward returned an incorrect number of gradients "
                f"(expected {len(args)}, got {len(parts)})"
            )
        for i in where:
            p, a = parts[i], args[i]
            if not ctx.needs_input_grad[i]:
                continue
            if p is not None and tuple(p.shape) != tuple(a.shape):
                raise RuntimeError(
                    f"Function {cls.__name__}Backward returned an invalid gradient at index "
                    f"{i} - got {list(p.shape)} but expected "
                    f"shape compatible with {list(a.shape)}"
                )
        return [parts[i] if ctx.needs_input_grad[i] else None for i in where]

    def again(*others: Tensor) -> list[Tensor]:
        """The outputs that move, from other tensors."""
        given = list(args)
        for i, t in zip(where, others, strict=True):
            given[i] = t
        fresh: Any = cls.__new__(cls)
        FunctionCtx.__init__(fresh)
        fresh.needs_input_grad = ctx.needs_input_grad
        separate = cls.setup_context is not Function.setup_context
        with no_grad():
            found = cls.forward(*given) if separate else cls.forward(fresh, *given)
        made = [found] if isinstance(found, Tensor) else list(found)
        return [made[i] for i in moving]

    wrapped = engine.custom_function(
        call, tensors, [outputs[i] for i in moving], fills=lambda: ctx.materialize_grads,
        name=cls.__name__, cuts=cuts, again=again, rule=cls.written or rule,
    )  # fmt: skip
    ctx._saved_outputs({id(outputs[i]): w for i, w in zip(moving, wrapped, strict=True)})
    for i, w in zip(moving, wrapped, strict=True):
        outputs[i] = assign(outputs[i], w) if id(outputs[i]) in ctx._dirty else w
    return outputs[0] if isinstance(result, Tensor) else tuple(outputs)


def _is_differentiable(t: Tensor) -> bool:
    return t.dtype.is_floating_point or t.dtype.is_complex


# ------------------------------------------------------------------ for a batch


def _for_batch(cls: type[Function], level: levels.Vmap, args: Sequence[Any]) -> Any:
    """A function inside vmap: by its own rule, or by a batch of its forward and backward."""
    written = cls.vmap is not Function.vmap
    name = cls.__name__
    if cls.setup_context is Function.setup_context:
        raise RuntimeError(
            "In order to use an autograd.Function with functorch transforms (vmap, grad, jvp, "
            "jacrev, ...), it must override the setup_context staticmethod."
        )
    if cls.generate_vmap_rule and written:
        raise RuntimeError(
            f"You tried to vmap over {name}, but it has both generate_vmap_rule=True and an "
            "overriden vmap staticmethod. Please set generate_vmap_rule=False or delete the "
            "overriden vmap staticmethod to avoid ambiguity."
        )
    if not (cls.generate_vmap_rule or written):
        raise RuntimeError(
            f"You tried to vmap over {name}, but it does not have vmap support. Please override "
            "and implement the vmap staticmethod or set generate_vmap_rule=True."
        )
    wholes, dims = _out_of(level, args)
    with levels.outside(level):
        if written:
            info = VmapInfo(level.size, level.randomness)
            made = cls.vmap(info, dims, *wholes)
            if not (isinstance(made, tuple) and len(made) == 2):
                raise RuntimeError(
                    f"Expected the vmap staticmethod of {name} to return (output, out_dims)"
                )
            outs, out_dims = made
        else:
            outs, out_dims = _generated(cls, level, dims).apply(*wholes), 0
    leaves, tree = tree_flatten(outs)
    axes = broadcast_to_and_flatten(out_dims, tree)
    if axes is None:
        raise RuntimeError(
            f"{name}.vmap: out_dims {out_dims} do not fit the structure of the output, {tree}"
        )
    result = tree_unflatten(
        [
            level.enter(x, d % x.ndim) if isinstance(x, Tensor) and d is not None else x
            for x, d in zip(leaves, axes, strict=True)
        ],
        tree,
    )
    inside = state.here.levels[state.here.levels.index(level) + 1 :]
    needs = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
    if not any(isinstance(x, levels.Grad) for x in inside) or not any(needs):
        return result
    ctx: Any = cls.__new__(cls)  # a gradient is asked for per sample: by `backward`, per sample
    FunctionCtx.__init__(ctx)
    ctx.needs_input_grad = needs
    cls.setup_context(ctx, tuple(args), result)
    return _bounded(cls, ctx, args, result, cuts=False)


def _out_of(level: levels.Vmap, args: Sequence[Any]) -> tuple[list[Any], tuple[Any, ...]]:
    """Arguments as all samples have them, and where the batch is: 0, or None."""
    leaves, tree = tree_flatten(list(args))
    wholes: list[Any] = []
    dims: list[int | None] = []
    for x in leaves:
        whole = level.whole([node_of(x)])[0] if isinstance(x, Tensor) else None
        if whole is None:
            wholes.append(x)
            dims.append(None)
            continue
        with levels.outside(level):
            wholes.append(levels.given_back(whole, x.level))
        dims.append(0)
    return tree_unflatten(wholes, tree), tuple(tree_unflatten(dims, tree))


class _Kept(NamedTuple):
    """What a batch of `setup_context` stored, but for the saved tensors."""

    dims: tuple[Any, ...]
    fields: dict[str, Any]
    materialize: bool


def _undivided(f: Callable[..., Any]) -> Callable[..., Any]:
    """Nothing is computed before the end: results are nodes until they are wrapped."""

    @functools.wraps(f)
    def wrapper(*args: Any) -> Any:
        with levels.one_piece:
            return f(*args)

    return wrapper


def _generated(cls: type[Function], level: levels.Vmap, in_dims: tuple[Any, ...]) -> type[Function]:
    """A function of batches, whose forward and backward are those of `cls` for every sample."""
    size, randomness = level.size, level.randomness

    def enter(lane: levels.Vmap, x: Any, d: Any) -> Any:
        return x if d is None or not isinstance(x, Tensor) else lane.enter(x, d)

    def leave(lane: levels.Vmap, tree: Any) -> tuple[Any, list[Any]]:
        leaves, spec = tree_flatten(tree)
        nodes = [node_of(x) if isinstance(x, Tensor) else None for x in leaves]
        made = iter(lane.whole([n for n in nodes if n is not None]))
        found: list[Any] = [None if n is None else next(made) for n in nodes]
        return spec, [
            (x, None) if w is None else (w, 0) for x, w in zip(leaves, found, strict=True)
        ]

    def wrapped(pairs: list[Any], leaves: Sequence[Any]) -> list[Any]:
        return [
            p if d is None else levels.given_back(p, x.level)
            for (p, d), x in zip(pairs, leaves, strict=True)
        ]

    class Generated(Function):
        generate_vmap_rule = True

        @staticmethod
        @_undivided
        def forward(*args: Any) -> Any:
            with levels.batch(size, randomness) as lane:
                out = cls.forward(*map(functools.partial(enter, lane), args, in_dims))
                leaves, _ = tree_flatten(out)
                spec, pairs = leave(lane, out)
            made = [
                x.unsqueeze(0).expand(size, *x.shape) if d is None and isinstance(x, Tensor) else x
                for x, (_, d) in zip(wrapped(pairs, leaves), pairs, strict=True)
            ]
            return tree_unflatten(made, spec)

        @staticmethod
        @_undivided
        def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
            inner: Any = cls.__new__(cls)
            FunctionCtx.__init__(inner)
            inner.needs_input_grad = ctx.needs_input_grad
            own = set(inner.__dict__)
            with levels.batch(size, randomness) as lane:
                leaves, spec = tree_flatten(output)
                samples = [lane.enter(x) if isinstance(x, Tensor) else x for x in leaves]
                ins = tuple(map(functools.partial(enter, lane), inputs, in_dims))
                cls.setup_context(inner, ins, tree_unflatten(samples, spec))
                if inner._dirty:
                    raise RuntimeError(
                        f"{cls.__name__}: mark_dirty does not go with generate_vmap_rule=True"
                    )
                fields = {k: v for k, v in inner.__dict__.items() if k not in own}
                names, values = list(fields), list(fields.values())
                kept = [*inner._saved, *values]
                _, pairs = leave(lane, kept) if kept else (None, [])
                flat = tree_flatten(kept)[0]
            real = wrapped(pairs, flat)
            ctx.mark_non_differentiable(
                *(y for y, s in zip(leaves, samples, strict=True) if id(s) in inner._no_grad)
            )
            n = len(inner._saved)
            ctx.save_for_backward(*real[:n])
            spec_of_fields = tree_flatten(values)[1]
            ctx._fields = (names, spec_of_fields, real[n:])
            ctx._dims = tuple(d for _, d in pairs)
            ctx.set_materialize_grads(inner.materialize_grads)

        @staticmethod
        @_undivided
        def backward(ctx: Any, *grads: Any) -> Any:
            names, spec, extra = ctx._fields
            saved = ctx.saved_tensors
            n = len(saved)
            inner: Any = cls.__new__(cls)
            FunctionCtx.__init__(inner)
            inner.needs_input_grad = ctx.needs_input_grad
            inner.materialize_grads = ctx.materialize_grads
            with levels.batch(size, randomness) as lane:
                inner.save_for_backward(
                    *(enter(lane, x, d) for x, d in zip(saved, ctx._dims, strict=False))
                )
                more = [enter(lane, x, d) for x, d in zip(extra, ctx._dims[n:], strict=True)]
                for name, value in zip(names, tree_unflatten(more, spec), strict=True):
                    setattr(inner, name, value)
                found = cls.backward(inner, *(enter(lane, g, 0) for g in grads))
                parts = list(found) if isinstance(found, tuple) else [found]
                _, pairs = leave(lane, parts)
            made = wrapped(pairs, parts)
            out: list[Tensor | None] = []
            for g, (_, d), where in zip(made, pairs, in_dims, strict=False):
                if not isinstance(g, Tensor):
                    out.append(None)
                    continue
                g = g if d is not None else g.unsqueeze(0).expand(size, *g.shape)
                out.append(g.sum(0) if where is None else g)
            return tuple(out)

    Generated.__name__ = cls.__name__
    return Generated


def once_differentiable(fn: Any) -> Any:
    """Marks a `backward` that is not to be differentiated again: that is an error then.

    >>> import chainrule as torch
    >>> class Double(torch.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     @torch.autograd.function.once_differentiable
    ...     def backward(ctx, grad):
    ...         return grad * 2
    """

    @functools.wraps(fn)
    def wrapper(ctx: Any, *args: Any) -> Any:
        with no_grad():
            found = fn(ctx, *args)
        wanted = [a for a in args if isinstance(a, Tensor) and a.requires_grad]
        if not is_grad_enabled() or not wanted:
            return found
        parts = list(found) if isinstance(found, tuple) else [found]
        at = [i for i, p in enumerate(parts) if isinstance(p, Tensor) and _is_differentiable(p)]
        made = engine.custom_function(_refuse, wanted, [parts[i] for i in at])
        for i, t in zip(at, made, strict=True):
            parts[i] = t
        return tuple(parts) if isinstance(found, tuple) else parts[0]

    return wrapper


def _refuse(grads: Callable[..., Any]) -> Any:
    raise RuntimeError(
        "trying to differentiate twice a function that was marked with @once_differentiable"
    )


class InplaceFunction(Function):
    """A function with a flag that says whether it works in place."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace


class NestedIOFunction(Function):
    """A function of nested containers: its `_forward` and `_backward` were methods, which this
    library does not call; write a `Function` with static methods that takes the tensors.
    """

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Refused: see the class."""
        raise NotImplementedError(
            "NestedIOFunction has legacy methods instead of static ones; derive from "
            "torch.autograd.Function and give it the tensors one by one"
        )
