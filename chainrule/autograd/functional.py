"""Jacobians, Hessians and products with them (`torch.autograd.functional`).

Functions of one tensor give and take tensors; functions of several give and take tuples. With
`create_graph` the results can be differentiated again; with `strict` what does not depend on an
input is an error instead of zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from chainrule import names
from chainrule.autograd.grads import grad
from chainrule.func.jacobians import basis
from chainrule.func.transforms import jvp as _forward
from chainrule.func.vmap import vmap
from chainrule.tensor import Tensor, enable_grad
from chainrule.tensor.functions import stack
from chainrule.tensor.trace import state


def _tuple(x: Any, what: str = "inputs") -> tuple[Any, ...]:
    if isinstance(x, Tensor):
        return (x,)
    found = tuple(x)
    for i, t in enumerate(found):
        if not isinstance(t, Tensor):
            raise TypeError(
                f"The {what} given to the function must be either a Tensor or a tuple of Tensors "
                f"but the value at index {i} has type {type(t)}."
            )
    return found


def _prepared(inputs: Any, create_graph: bool) -> tuple[Tensor, ...]:
    """Inputs to differentiate by: those given, if their own history matters, else fresh leaves."""
    return tuple(
        x.view_as(x) if create_graph and x.requires_grad else x.detach().clone().requires_grad_()
        for x in _tuple(inputs)
    )


def _called(func: Callable[..., Any], xs: Sequence[Tensor], strict: bool) -> Any:
    with enable_grad():
        y = func(*xs)
    for i, part in enumerate(_tuple(y, "outputs")):
        if strict and not part.requires_grad:
            raise RuntimeError(
                f"Output {i} of the user-provided function does not require gradients. The "
                "outputs must be computed in a differentiable manner from the input when running "
                "in strict mode."
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
    ys: Sequence[Tensor], xs: Sequence[Tensor], seeds: Any, create_graph: bool, strict: bool,
    what: str = "The output of the user-provided function", batched: bool = False,
) -> tuple[Any, ...]:  # fmt: skip
    """Gradients, zeros for inputs that are not used (an error if strict)."""
    every = [None] * len(ys) if seeds is None else seeds
    pairs = [(y, seed) for y, seed in zip(ys, every, strict=True) if y.requires_grad]
    found: Sequence[Tensor | None] = [None] * len(xs)
    if pairs:
        found = grad(
            [y for y, _ in pairs], xs, None if seeds is None else [s for _, s in pairs],
            create_graph=create_graph, retain_graph=True, allow_unused=True,
            is_grads_batched=batched,
        )  # fmt: skip
    if strict:
        for i, g in enumerate(found):
            if g is None:
                raise RuntimeError(
                    f"{what} is independent of input {i}. This is not allowed in strict mode."
                )
            if create_graph and not g.requires_grad:
                raise RuntimeError(
                    f"The jacobian of the user-provided function is independent of input {i}. This "
                    "is not allowed in strict mode when create_graph=True."
                )
    lead = tuple(pairs[0][1].shape[:1]) if batched and pairs else ()
    return tuple(
        x.new_zeros((*lead, *x.shape)) if g is None else g for g, x in zip(found, xs, strict=True)
    )


def _one_number(y: Any, what: str) -> None:
    if not isinstance(y, Tensor):
        raise RuntimeError(f"The function given to {what} should return a single Tensor")
    if y.numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {what} should contain a single element"
        )


def _direction(v: Any, like: tuple[Tensor, ...], of: Any, what: str) -> tuple[Tensor, ...]:
    """v, checked; where it may be left out (one number), 1."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError(
                f"The vector v can only be None if the {what} of the user-provided function is a "
                "single Tensor with a single element."
            )
        return (like[0].new_ones(tuple(like[0].shape)),)
    vs = _tuple(v, "vector v")
    if len(vs) != len(like):
        raise RuntimeError(
            f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}."
        )
    for i, (a, b) in enumerate(zip(vs, like, strict=True)):
        if tuple(a.shape) != tuple(b.shape):
            raise RuntimeError(
                f"Entry {i} in v has invalid size: should be {tuple(b.shape)} but got "
                f"{tuple(a.shape)}."
            )
    return vs


def vjp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), vᵀ J): J the Jacobian; v like the result, or none where it is one number."""
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)
    vs = _direction(v, _tuple(y, "outputs"), y, "output")
    found = _gradients(_tuple(y), xs, vs, create_graph, strict)
    return _given(y, create_graph), _given(_like(inputs, found), create_graph)


def jvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), J v): the derivative of uᵀ J in u, times v; v like the inputs."""
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)
    ys = _tuple(y, "outputs")
    vs = _direction(v, xs, inputs, "input")
    us = [o.new_zeros(tuple(o.shape)).requires_grad_() for o in ys]
    rows = _gradients(ys, xs, us, True, strict)
    found = _gradients(rows, us, vs, create_graph, False)
    return _given(y, create_graph), _given(_like(y, found), create_graph)


def jacobian(
    func: Callable[..., Any], inputs: Any, create_graph: bool = False, strict: bool = False,
    vectorize: bool = False, strategy: str = "reverse-mode",
) -> Any:  # fmt: skip
    """d func / d inputs: shape (*output, *input), a row for each output element

    Several inputs: a tuple of such. Several outputs: a tuple, for each output, of those. All rows
    are derived at once (`vmap`), unless a gradient by hand is on the way and `vectorize` is False:
    then one after another. `strategy="forward-mode"` goes by columns.

    >>> import chainrule as torch
    >>> torch.autograd.functional.jacobian(lambda x: x ** 2, torch.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Hint: If your '
            'function has more outputs than inputs, "forward-mode" tends to be more performant. '
            'Otherwise, prefer to use "reverse-mode".'
        )
    if strategy == "forward-mode":
        if create_graph:
            raise NotImplementedError(
                "torch.autograd.functional.jacobian: `create_graph=True` and "
                '`strategy="forward-mode"` are not supported together (yet). Please either set '
                '`create_graph=False` or `strategy="reverse-mode"`.'
            )
        if strict:
            raise RuntimeError(
                'torch.autograd.functional.jacobian: `strict=True` and `strategy="forward-mode"` '
                "are not supported together (yet)."
            )
        if not vectorize:
            raise NotImplementedError(
                "Computing Jacobian using forward-AD or forward-over-reverse Hessian is only "
                "implemented for `vectorize=True`."
            )
        return _by_columns(func, inputs)
    if vectorize and strict:
        raise RuntimeError(
            "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
            "supported together."
        )
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)

    def of(part: Tensor) -> Any:
        n = part.numel()
        if n and part.requires_grad and (vectorize or not state.here.trace.watched):
            (units,) = basis([part.detach()])
            rows = _gradients((part,), xs, (units,), create_graph, strict, batched=True)
        else:
            each = [
                _gradients((e,), xs, None, create_graph, strict)
                for e in (part.reshape(-1).unbind() if n else ())
            ]
            rows = tuple(stack([r[i] for r in each]) if each else x for i, x in enumerate(xs))
        blocks = tuple(
            r.reshape((*part.shape, *x.shape)) if n else x.new_zeros((*part.shape, *x.shape))
            for r, x in zip(rows, xs, strict=True)
        )
        return _given(_like(inputs, blocks), create_graph)

    return _like(y, tuple(of(part) for part in _tuple(y)))


def _by_columns(func: Callable[..., Any], inputs: Any) -> Any:
    """The Jacobian in forward mode."""
    xs = tuple(x.detach() for x in _tuple(inputs))
    sizes = [x.numel() for x in xs]
    shape: list[Any] = []

    def push(*v: Tensor) -> tuple[Tensor, ...]:
        y, moves = _forward(func, xs, v)
        shape.append(y)
        return _tuple(moves)

    columns = vmap(push)(*basis(xs))
    found = []
    for c in columns:
        parts = c.movedim(0, -1).split(sizes, dim=-1)
        found.append(_like(inputs, tuple(
            p.reshape((*c.shape[1:], *x.shape)) for p, x in zip(parts, xs, strict=True)
        )))  # fmt: skip
    return _like(shape[0], tuple(found))


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
    if outer_jacobian_strategy not in ("forward-mode", "reverse-mode"):
        raise AssertionError('Expected strategy to be either "forward-mode" or "reverse-mode".')

    def gradient(*args: Tensor) -> Any:
        y = _called(func, args, strict)
        _one_number(y, "hessian")
        found = _gradients((y,), args, None, True, False)
        if strict:
            for i, g in enumerate(found):
                if not g.requires_grad:
                    raise RuntimeError(
                        "While computing the hessian, found that the jacobian of the user-provided "
                        f"function with respect to input {i} is independent of the input. This is "
                        "not allowed in strict mode. You should ensure that your function is twice "
                        "differentiable and that the jacobian depends on the inputs (this would be "
                        "violated by a linear function for example)."
                    )
        return _like(inputs, found)

    return jacobian(
        gradient, inputs, create_graph, strict, vectorize, strategy=outer_jacobian_strategy
    )


def hvp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), H v): the gradient of (gradient · v); v like the inputs."""
    xs = _prepared(inputs, create_graph)
    y = _called(func, xs, strict)
    _one_number(y, "hvp")
    vs = _direction(v, xs, inputs, "input")
    first = _gradients((y,), xs, None, True, strict)
    found = _gradients(first, xs, vs, create_graph, strict, "The hessian")
    return _given(y, create_graph), _given(_like(inputs, found), create_graph)


def vhp(
    func: Callable[..., Any], inputs: Any, v: Any = None, create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:  # fmt: skip
    """(func(inputs), vᵀ H): as `hvp`, for H is symmetric."""
    return hvp(func, inputs, v, create_graph, strict)


__getattr__ = names.later(__name__)
