"""Jacobians, Hessians and products with them (`torch.autograd.functional`).

Functions of one tensor give and take tensors; functions of several give and take tuples. With
`create_graph` the results can be differentiated again; `strict` and `vectorize` are PyTorch's: the
first makes an input that is not used an error, the second is accepted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule.autograd.grads import grad
from chainrule.tensor import Tensor, enable_grad
from chainrule.tensor.functions import stack


def _tuple(x: Any) -> tuple[Any, ...]:
    return (x,) if isinstance(x, Tensor) else tuple(x)


def _prepared(inputs: Any, create_graph: bool) -> tuple[Tensor, ...]:
    """Inputs to differentiate by: those given, if their own history matters, else fresh leaves."""
    xs = _tuple(inputs)
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().clone().requires_grad_()
        for x in xs
    )


def _called(func: Callable[..., Any], xs: Sequence[Tensor], strict: bool) -> Any:
    with enable_grad():
        y = func(*xs)
    for i, part in enumerate(_tuple(y)):
        if not isinstance(part, Tensor):
            raise TypeError(f"func must give tensors, output {i} is {type(part).__name__}")
        if strict and not part.requires_grad:
            raise RuntimeError(
                f"Output {i} of the function does not require gradients: it does not depend on the "
                "inputs"
            )
    return y


def _given(x: Any, create_graph: bool) -> Any:
    """Results: cut off from the graph unless it was asked for."""
    if isinstance(x, Tensor):
        return x if create_graph else x.detach()
    return tuple(_given(t, create_graph) for t in x)


def _like(x: Any, parts: tuple[Any, ...]) -> Any:
    return parts[0] if isinstance(x, Tensor) else parts


def _gradients(
    ys: Sequence[Tensor], xs: Sequence[Tensor], seeds: Any, create_graph: bool, strict: bool
) -> tuple[Any, ...]:
    """Gradients, zeros for inputs that are not used (an error if strict)."""
    every = [None] * len(ys) if seeds is None else seeds
    pairs = [(y, seed) for y, seed in zip(ys, every, strict=True) if y.requires_grad]
    if not pairs:
        return tuple(x.new_zeros(tuple(x.shape)) for x in xs)
    given = None if seeds is None else [s for _, s in pairs]
    return grad(
        [y for y, _ in pairs], xs, given, create_graph=create_graph, retain_graph=True,
        allow_unused=not strict, materialize_grads=not strict,
    )  # fmt: skip


def _one_number(y: Any, what: str) -> None:
    if not isinstance(y, Tensor) or y.numel() != 1:
        shape = tuple(y.shape) if isinstance(y, Tensor) else "several outputs"
        raise RuntimeError(f"{what} needs a function whose result is one number, got {shape}")


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(func(inputs), vᵀ J): J the Jacobian; v like the result, or none where it is one number"""
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)
    if v is None:
        _one_number(y, "vjp without v")
    found = _gradients(_tuple(y), xs, None if v is None else _tuple(v), create_graph, strict)
    return _given(y, create_graph), _given(_like(inputs, found), create_graph)


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(func(inputs), J v): the derivative of uᵀ J in u, times v; v like the inputs"""
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)
    ys = _tuple(y)
    if v is None:
        v = _like(inputs, tuple(x.new_ones(tuple(x.shape)) for x in xs))
    us = [o.new_zeros(tuple(o.shape)).requires_grad_() for o in ys]
    rows = _gradients(ys, xs, us, True, strict)
    found = _gradients(rows, us, _tuple(v), create_graph, False)
    return _given(y, create_graph), _given(_like(y, found), create_graph)


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """d func / d inputs: shape (*output, *input), a row for each output element

    Several inputs: a tuple of such. Several outputs: a tuple, for each output, of those.

    >>> import chainrule as torch
    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)

    def of(part: Tensor) -> Any:
        elements = part.reshape(-1).unbind() if part.numel() else ()
        rows = [_gradients((e,), xs, None, create_graph, strict) for e in elements]
        blocks = tuple(
            stack([r[i] for r in rows]).reshape((*part.shape, *x.shape))
            if rows
            else x.new_zeros((*part.shape, *x.shape))
            for i, x in enumerate(xs)
        )
        return _given(_like(inputs, blocks), create_graph)

    return _like(y, tuple(of(part) for part in _tuple(y)))


def hessian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, outer_jacobian_strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """Second derivatives of a function whose result is one number: the Jacobian of its gradient

    Shape (*input, *input); several inputs: a tuple of tuples of blocks.

    >>> import chainrule as torch
    >>> torch.autograd.functional.hessian(lambda x: x[0] * x[1] ** 2, torch.tensor([1.0, 3.0]))
    tensor([[0., 6.],
            [6., 2.]])
    """

    def gradient(*args: Tensor) -> Any:
        y = _called(func, args, strict)
        _one_number(y, "hessian")
        return _like(inputs, _gradients((y,), args, None, True, strict))

    return jacobian(gradient, inputs, create_graph, strict)


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """(func(inputs), H v): the gradient of (gradient · v); v like the inputs"""
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)
    _one_number(y, "hvp")
    if v is None:
        v = _like(inputs, tuple(x.new_ones(tuple(x.shape)) for x in xs))
    first = _gradients((y,), xs, None, True, strict)
    found = _gradients(first, xs, _tuple(v), create_graph, strict)
    return _given(y, create_graph), _given(_like(inputs, found), create_graph)


vhp = hvp  # H is symmetric
