"""Jacobians, Hessians and products with them (`torch.autograd.functional`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule.autograd.grads import grad
from chainrule.tensor import Tensor
from chainrule.tensor.functions import stack


def _prepared(inputs: Any) -> tuple[tuple[Tensor, ...], bool]:
    single = isinstance(inputs, Tensor)
    xs = (inputs,) if single else tuple(inputs)
    return tuple(
        x.detach().clone().requires_grad_() if not x.requires_grad else x for x in xs
    ), single


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), vᵀ J)"""
    xs, single = _prepared(inputs)
    y = func(*xs)
    found = grad(
        y, xs, v, create_graph=create_graph, allow_unused=not strict, materialize_grads=not strict
    )
    return y, found[0] if single else found


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), J v), by differentiating vᵀ J in v"""
    xs, _ = _prepared(inputs)
    vs = (v,) if isinstance(v, Tensor) else tuple(v)
    y = func(*xs)
    u = y.new_zeros(tuple(y.shape)).requires_grad_()
    gs = grad(y, xs, u, create_graph=True, materialize_grads=True)
    (out,) = grad(
        [g for g in gs if g is not None],
        u,
        [w for w in vs],
        create_graph=create_graph,
        materialize_grads=True,
    )
    return y, out


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False,
) -> Any:  # fmt: skip
    """d func / d inputs: shape (*output, *input), a row for each output element.

    >>> import chainrule as torch
    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    xs, single = _prepared(inputs)
    y = func(*xs)
    rows = [
        grad(e, xs, create_graph=create_graph, retain_graph=True, materialize_grads=True)
        for e in y.reshape(-1).unbind()
    ]
    out = tuple(stack([r[i] for r in rows]).reshape((*y.shape, *x.shape)) for i, x in enumerate(xs))  # type: ignore[misc]  # materialised: none is None
    return out[0] if single else out


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False,
) -> Any:  # fmt: skip
    """Second derivatives of a scalar function: the Jacobian of its gradient."""
    xs, single = _prepared(inputs)

    def gradient(*args: Tensor) -> Tensor:
        return grad(func(*args), args, create_graph=True, materialize_grads=True)[0]  # type: ignore[return-value]  # materialised

    if not single:
        raise NotImplementedError("hessian of several inputs: put them into one tensor")
    return jacobian(gradient, xs[0], create_graph=create_graph)


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any, create_graph: bool = False, strict: bool = False
) -> tuple[Any, Any]:
    """(func(inputs), H v), by differentiating (gradient · v)"""
    xs, single = _prepared(inputs)
    y = func(*xs)
    gs = grad(y, xs, create_graph=True, materialize_grads=True)
    vs = (v,) if isinstance(v, Tensor) else tuple(v)
    dot = sum((g * w).sum() for g, w in zip(gs, vs, strict=True) if g is not None)
    found = grad(dot, xs, create_graph=create_graph, materialize_grads=True)
    return y, found[0] if single else found


vhp = hvp
