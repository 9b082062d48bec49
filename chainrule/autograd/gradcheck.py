"""Checks of gradients against finite differences, in float64 and complex128.

Complex numbers are taken as pairs of real ones, on both sides: z̄ = ∂L/∂a + i ∂L/∂b.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.autograd.grads import grad
from chainrule.tensor import Tensor
from chainrule.tensor.creation import from_owned


class GradcheckError(RuntimeError):
    """A gradient that does not agree with finite differences."""


def _tensors(x: Any) -> tuple[Tensor, ...]:
    return (x,) if isinstance(x, Tensor) else tuple(t for t in x if isinstance(t, Tensor))


def _outputs(f: Callable[..., Any], inputs: tuple[Any, ...]) -> tuple[Tensor, ...]:
    return tuple(t for t in _tensors(f(*inputs)) if t.dtype.is_differentiable)


def _flat(t: Tensor) -> np.ndarray:
    """All elements as float64; of complex numbers both parts."""
    array = t.detach().numpy()
    if t.dtype.is_complex:
        array = np.stack([array.real, array.imag], -1)
    return array.astype(np.float64).reshape(-1)


def _count(t: Tensor) -> int:
    return t.numel() * (2 if t.dtype.is_complex else 1)


def _numerical(
    f: Callable[..., Any], inputs: tuple[Any, ...], at: int, eps: float
) -> list[np.ndarray]:
    """The Jacobian by central differences: one matrix (inputs × outputs) for each output."""
    x = inputs[at].detach().numpy().copy()
    rows: list[list[np.ndarray]] = []
    steps = [eps, 1j * eps] if x.dtype.kind == "c" else [eps]
    for i, by in ((i, by) for i in range(x.size) for by in steps):
        values = []
        for step in (by, -by):
            moved = x.copy()
            moved.reshape(-1)[i] += step
            args = list(inputs)
            args[at] = from_owned(moved).requires_grad_()
            values.append([_flat(o) for o in _outputs(f, tuple(args))])
        rows.append([(a - b) / (2 * eps) for a, b in zip(*values, strict=True)])
    if not rows:  # no element to move
        return [np.zeros((0, _count(o))) for o in _outputs(f, inputs)]
    return [np.stack(r) for r in zip(*rows, strict=True)]


def _analytical(y: Tensor, x: Tensor) -> np.ndarray:
    columns = []
    ones = (1, 1j) if y.dtype.is_complex else (1,)
    for i, one in ((i, one) for i in range(y.numel()) for one in ones):
        seed = np.zeros(tuple(y.shape), y.dtype.np)
        seed.reshape(-1)[i] = one
        (g,) = grad(y, x, from_owned(seed), retain_graph=True, allow_unused=True)
        columns.append(np.zeros(_count(x)) if g is None else _flat(g))
    return np.stack(columns, -1) if columns else np.zeros((_count(x), 0))


def gradcheck(
    func: Callable[..., Any], inputs: Any, *, eps: float = 1e-6, atol: float = 1e-5,
    rtol: float = 1e-3, raise_exception: bool = True, nondet_tol: float = 0.0,
    check_undefined_grad: bool = True, check_batched_grad: bool = False, fast_mode: bool = False,
    **_: Any,
) -> bool:  # fmt: skip
    """Whether gradients of `func` agree with (f(x + ε) − f(x − ε))/2ε

    For all inputs that require them. inputs: a tensor or a tuple of any arguments; those that
    require a gradient must be float64 or complex128. Every element is moved by eps, every output element
    differentiated; they agree when |a − n| ≤ atol + rtol |n|. Raises GradcheckError with the worst
    place and both matrices (or gives False with raise_exception=False), ValueError where nothing
    can be checked.

    >>> import chainrule as torch
    >>> x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.tanh, x)
    True
    """
    args = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of the them "
            "have requires_grad=True."
        )
    for i in checked:
        if args[i].dtype not in (dtypes.float64, dtypes.complex128):
            raise ValueError(
                f"gradcheck: input {i} is {args[i].dtype}; finite differences need float64 (or "
                "complex128): "
                "x.double().requires_grad_()"
            )
    ys = _outputs(func, args)
    for i in checked:
        numerical = _numerical(func, args, i, eps)
        for k, y in enumerate(ys):
            analytical = (
                _analytical(y, args[i])
                if y.requires_grad
                else np.zeros((_count(args[i]), _count(y)))
            )
            if not np.allclose(analytical, numerical[k], rtol, atol):
                if not raise_exception:
                    return False
                worst = np.unravel_index(
                    np.argmax(np.abs(analytical - numerical[k])), analytical.shape
                )
                raise GradcheckError(
                    f"Jacobian mismatch for output {k} with respect to input {i}: d "
                    f"output[{worst[1]}] / d input[{worst[0]}] is "
                    f"{analytical[worst]:.8g} by the chain rule and {numerical[k][worst]:.8g} by "
                    "finite differences.\n"
                    f"numerical:\n{numerical[k]}\nanalytical:\n{analytical}"
                )
    return True


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *,
    raise_exception: bool = True, **kw: Any,
) -> bool:  # fmt: skip
    """`gradcheck` of the gradient: the second derivative."""
    args = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    ys = _outputs(func, args)
    if grad_outputs is None:
        rng = np.random.default_rng(0)
        seeds = [
            from_owned(rng.standard_normal(tuple(y.shape)).astype(y.dtype.np)).requires_grad_()
            for y in ys
        ]
    else:
        seeds = list(_tensors(grad_outputs))
    n = len(args)
    checked = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]

    def first(*both: Any) -> tuple[Tensor, ...]:
        xs, gs = both[:n], both[n:]
        outs = _outputs(func, xs)
        moving = [(o, g) for o, g in zip(outs, gs, strict=True) if o.requires_grad]
        found = grad(
            [o for o, _ in moving],
            [xs[i] for i in checked],
            [g for _, g in moving],
            create_graph=True,
            allow_unused=True,
        )
        return tuple(g for g in found if g is not None and g.requires_grad)

    return gradcheck(first, (*args, *seeds), raise_exception=raise_exception, **kw)
