"""Checks of gradients against finite differences, in float64 and complex128.

Complex numbers are taken as pairs of real ones, on both sides: z̄ = ∂L/∂a + i ∂L/∂b.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.autograd.grads import grad
from chainrule.func.transforms import jvp
from chainrule.func.vmap import vmap
from chainrule.tensor import Tensor
from chainrule.tensor.fromdata import from_owned
from chainrule.tensor.functions import allclose, stack


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
    check_undefined_grad: bool = True, check_grad_dtypes: bool = False,
    check_batched_grad: bool = False, check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False, check_backward_ad: bool = True, fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:  # fmt: skip
    """Whether gradients of `func` agree with (f(x + ε) − f(x − ε))/2ε

    For all inputs that require them. inputs: a tensor or a tuple of any arguments; those that
    require a gradient must be float64 or complex128. Every element is moved by eps, every output
    element differentiated; they agree when |a − n| ≤ atol + rtol |n|. Raises GradcheckError with
    the worst place and both matrices (or gives False with raise_exception=False), ValueError where
    nothing can be checked.

    Further: `check_batched_grad` compares gradients of a batch of seeds (vmap) with those one by
    one, `check_forward_ad` compares J v with the differences as well, `nondet_tol` is how much two
    gradients may differ. `fast_mode` looks at every element all the same; gradients that are
    missing are always zeros here.

    >>> import chainrule as torch
    >>> x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    >>> torch.autograd.gradcheck(torch.tanh, x)
    True
    """
    args = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    checked = [i for i, a in enumerate(args) if isinstance(a, Tensor) and a.requires_grad]
    if not (check_backward_ad or check_forward_ad):
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    if check_batched_grad and not check_backward_ad:
        raise AssertionError(
            "Setting check_batched_grad=True requires check_backward_ad to be True"
        )
    if check_batched_forward_grad and not check_forward_ad:
        raise AssertionError(
            "Setting check_batched_forward_grad=True requires check_forward_ad to be True"
        )
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
    try:
        if check_backward_ad:
            _repeats(ys, [args[i] for i in checked], nondet_tol, check_grad_dtypes)
        if check_batched_grad:
            _in_batches(ys, [args[i] for i in checked])
        if check_forward_ad:
            _forward(func, args, checked, eps, atol, rtol, check_batched_forward_grad)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _moving(ys: tuple[Tensor, ...]) -> tuple[list[Tensor], list[Tensor]]:
    """Outputs that have a gradient, and a seed for each."""
    rng = np.random.default_rng(0)
    found = [y for y in ys if y.requires_grad]
    return found, [
        from_owned(np.asarray(rng.standard_normal(tuple(y.shape))).astype(y.dtype.np))
        for y in found
    ]


def _repeats(ys: tuple[Tensor, ...], xs: list[Tensor], tolerance: float, types: bool) -> None:
    """The gradient is the same twice, and of its input's type."""
    moving, seeds = _moving(ys)
    if not moving:
        return
    first, second = (
        grad(moving, xs, seeds, retain_graph=True, allow_unused=True) for _ in range(2)
    )
    for x, a, b in zip(xs, first, second, strict=True):
        if a is None or b is None:
            continue
        if a.numel() and float((a - b).abs().max().item()) > tolerance:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and grad_output "
                "multiple times gives different values, although analytical gradient matches "
                f"numerical gradient. The tolerance for nondeterminism was {tolerance}."
            )
        if types and a.dtype is not x.dtype:
            raise GradcheckError(f"the gradient is {a.dtype}, its input {x.dtype}")


def _in_batches(ys: tuple[Tensor, ...], xs: list[Tensor]) -> None:
    """Gradients of two seeds at once are those of each."""
    moving, seeds = _moving(ys)
    if not moving:
        return
    pairs = [stack([s, s * 0.5 + 1]) for s in seeds]
    whole = grad(moving, xs, pairs, retain_graph=True, allow_unused=True, is_grads_batched=True)
    for i in range(2):
        one = grad(moving, xs, [p[i] for p in pairs], retain_graph=True, allow_unused=True)
        for a, b in zip(whole, one, strict=True):
            if a is not None and b is not None and not allclose(a[i], b):
                raise GradcheckError(
                    "While computing batched gradients, got: gradients of a batch that are not the "
                    f"gradients one by one:\n{a[i]}\n{b}"
                )


def _plain(t: Tensor) -> Tensor:
    return t.detach()


def _forward(
    func: Callable[..., Any], args: tuple[Any, ...], checked: list[int], eps: float, atol: float,
    rtol: float, batched: bool,
) -> None:  # fmt: skip
    """J v against (f(x + εv) − f(x − εv))/2ε."""
    rng = np.random.default_rng(1)
    xs = tuple(args[i].detach() for i in checked)
    vs = tuple(
        from_owned(np.asarray(rng.standard_normal(tuple(x.shape))).astype(x.dtype.np)) for x in xs
    )

    def of(*given: Tensor) -> tuple[Tensor, ...]:
        full = list(args)
        for i, x in zip(checked, given, strict=True):
            full[i] = x
        return _outputs(func, tuple(full))

    _, found = jvp(of, xs, vs)
    low, high = (
        of(*((x + s * eps * v).requires_grad_() for x, v in zip(xs, vs, strict=True)))
        for s in (-1, 1)
    )
    for t, a, b in zip(found, map(_plain, low), map(_plain, high), strict=True):
        if not allclose(t, (b - a) / (2 * eps), rtol=rtol, atol=atol):
            raise GradcheckError(
                "Jacobian mismatch computed with forward mode: J v by the chain rule and by finite "
                f"differences are\n{t}\n{(b - a) / (2 * eps)}"
            )
    if batched:
        many = vmap(lambda *v: jvp(of, xs, v)[1])(*(stack([v, v * 2]) for v in vs))
        for t, m in zip(found, many, strict=True):
            if not allclose(m[1], t * 2):
                raise GradcheckError(f"J v of a batch is not that one by one:\n{m[1]}\n{t * 2}")


def gradgradcheck(
    func: Callable[..., Any], inputs: Any, grad_outputs: Any = None, *, eps: float = 1e-6,
    atol: float = 1e-5, rtol: float = 1e-3, gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True, nondet_tol: float = 0.0, check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False, check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False, check_rev_over_rev: bool = True, fast_mode: bool = False,
    masked: bool = False,
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

    return gradcheck(
        first, (*args, *seeds), eps=eps, atol=atol, rtol=rtol, raise_exception=raise_exception,
        nondet_tol=nondet_tol, check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad, check_forward_ad=check_fwd_over_rev,
        check_backward_ad=check_rev_over_rev,
    )  # fmt: skip
