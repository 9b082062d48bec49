"""`Function`: a computation whose gradient the user writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.tensor import Tensor, is_grad_enabled, no_grad
from chainrule.tensor import backward as engine
from chainrule.tensor.mutate import assign
from chainrule.tensor.trace import state


class FunctionContext:
    """What `forward` hands to `backward`: saved tensors, and any attributes."""

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self._inputs = {id(t): t for t in inputs}
        self._saved: tuple[Any, ...] = ()
        self._versions: tuple[int, ...] = ()
        self._no_grad: set[int] = set()
        self._dirty: set[int] = set()
        self.needs_input_grad: tuple[bool, ...] = ()
        self.materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for `backward`; overwriting one of them afterwards is an error there."""
        self._saved = tensors
        self._versions = tuple(-1 if t is None else t._version for t in tensors)

    def _saved_outputs(self, wrapped: dict[int, Tensor]) -> None:
        """A result that was saved is the one with a gradient: `backward` can be differentiated."""
        self.save_for_backward(*(t if t is None else wrapped.get(id(t), t) for t in self._saved))

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        for t, version in zip(self._saved, self._versions, strict=True):
            if t is not None and t._version != version:
                raise RuntimeError(
                    "one of the variables needed for gradient computation has been modified by an "
                    "inplace operation: a tensor "
                    f"of shape {list(t.shape)} that was saved for backward is at version "
                    f"{t._version}; expected version {version} instead."
                )
        return self._saved

    saved_variables = saved_tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """These outputs take no gradient."""
        self._no_grad.update(id(t) for t in tensors)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """These inputs were overwritten by `forward`."""
        self._dirty.update(id(t) for t in tensors)

    def set_materialize_grads(self, value: bool) -> None:
        """Accepted: missing gradients of outputs always arrive as zeros here."""
        self.materialize = value


class Function:
    """A function with a gradient of one's own: (x, y, ȳ) ↦ x̄ is written in `backward`

    Static `forward(ctx, …)` computes without recording; `backward(ctx, *grads)` gives one gradient,
    or None, for each argument of `forward`, in the shape of that argument. It is recorded, so with
    create_graph it is differentiated again, and it may look at values. Call `apply`. What
    `backward` needs goes through `ctx.save_for_backward` (tensors: overwriting them afterwards is
    an error) or attributes of ctx. Raises RuntimeError for gradients of a wrong number or shape.

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
            "autograd.Function."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Run `forward` without recording its inside; gradients go through `backward`."""
        tensors = [a for a in args if isinstance(a, Tensor)]
        ctx = FunctionContext(tensors)
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        with no_grad():
            if cls.setup_context is not Function.setup_context:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args, **kwargs)
        if not is_grad_enabled() or not any(ctx.needs_input_grad):
            return result
        outputs = [result] if isinstance(result, Tensor) else list(result)
        moving = [
            i
            for i, o in enumerate(outputs)
            if isinstance(o, Tensor) and o.dtype.is_differentiable and id(o) not in ctx._no_grad
        ]
        where = [i for i, a in enumerate(args) if isinstance(a, Tensor)]

        def call(grads: list[Tensor]) -> list[Tensor | None]:
            given: list[Any] = [None] * len(outputs)
            for i, g in zip(moving, grads, strict=True):
                given[i] = g
            found = cls.backward(ctx, *given)
            parts = found if isinstance(found, tuple) else (found,)
            if len(parts) < len(args) or any(p is not None for p in parts[len(args) :]):
                raise RuntimeError(
                    f"function {cls.__name__}Backward returned an incorrect number of gradients "
                    f"(expected {len(args)}, got {len(parts)})"
                )
            for i in where:
                p, a = parts[i], args[i]
                if p is not None and tuple(p.shape) != tuple(a.shape):
                    raise RuntimeError(
                        f"Function {cls.__name__}Backward returned an invalid gradient at index "
                        f"{i} - got {list(p.shape)} but expected "
                        f"shape compatible with {list(a.shape)}"
                    )
            return [parts[i] for i in where]

        wrapped = engine.custom_function(call, tensors, [outputs[i] for i in moving])
        ctx._saved_outputs({id(outputs[i]): w for i, w in zip(moving, wrapped, strict=True)})
        for i, w in zip(moving, wrapped, strict=True):
            outputs[i] = assign(outputs[i], w) if id(outputs[i]) in ctx._dirty else w
        return outputs[0] if isinstance(result, Tensor) else tuple(outputs)


def once_differentiable(f: Any) -> Any:
    """Marks a `backward` that is not to be differentiated again."""

    def g(ctx: Any, *args: Any) -> Any:
        before, state.grad = state.grad, False
        try:
            return f(ctx, *args)
        finally:
            state.grad = before

    return g
