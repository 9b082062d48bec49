"""Gradients kept within bounds: by their common norm, or element by element."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from types import GeneratorType
from typing import Any

from chainrule.errors import GradientError
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import tensor
from chainrule.tensor.functions import stack


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all elements of all tensors, as if they were one vector.

    (Σ |x|ᵖ)^(1/p) with p = `norm_type`; the largest |x| for p = inf. With `error_if_nonfinite` a
    norm that is NaN or infinite raises GradientError (a RuntimeError).

    >>> from chainrule.tensor.creation import tensor
    >>> get_total_norm([tensor([3.0, 0.0]), tensor(4.0)]).item()
    5.0
    """
    tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
    norm_type = float(norm_type)
    if not tensors:
        return tensor(0.0)
    with no_grad():
        norms = [_norm(t, norm_type) for t in tensors]
        total = _norm(stack([n.to(norms[0].dtype) for n in norms]), norm_type)
        if error_if_nonfinite and not bool(total.isfinite()):
            raise GradientError(
                f"The total norm of order {norm_type} for gradients from `parameters` is "
                "non-finite, so it cannot be clipped. To disable this error and scale the "
                "gradients by the non-finite norm anyway, set `error_if_nonfinite=False`"
            )
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    total_norm: Tensor,
    foreach: bool | None = None,
) -> None:
    """Scale all gradients by min(1, max_norm / (total_norm + 1e-6)), in place."""
    with no_grad():
        scale = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for g in _gradients(parameters):
            g.mul_(scale.to(g.dtype))


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Shorten the gradients, taken as one vector, to `max_norm` if they are longer.

    Changes them in place and returns their norm before. Pascanu, Mikolov and Bengio, "On the
    difficulty of training recurrent neural networks", 2013.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([0.0, 0.0], requires_grad=True)
    >>> (w * tensor([3.0, 4.0])).sum().backward()
    >>> clip_grad_norm_([w], max_norm=1.0).item()
    5.0
    >>> [round(x, 4) for x in w.grad.tolist()]
    [0.6, 0.8]
    """
    if not isinstance(parameters, Tensor):
        lazy = isinstance(parameters, GeneratorType)
        parameters = list(parameters)  # they are walked over twice
        if lazy and not parameters:
            warnings.warn(
                "`parameters` is an empty generator, no gradient clipping will occur.",
                stacklevel=2,
            )
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite, foreach)
    clip_grads_with_norm_(parameters, max_norm, total, foreach)
    return total


def clip_grad_norm(*args: Any, **kwargs: Any) -> Tensor:
    """The old name of `clip_grad_norm_`."""
    warnings.warn(
        "`nn.utils.clip_grad_norm` is deprecated in favor of `nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(*args, **kwargs)


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Bring every element of every gradient into [-clip_value, clip_value], in place.

    >>> from chainrule.tensor.creation import tensor
    >>> w = tensor([0.0, 0.0], requires_grad=True)
    >>> (w * tensor([3.0, -0.5])).sum().backward()
    >>> clip_grad_value_(w, 1.0)
    >>> w.grad.tolist()
    [1.0, -0.5]
    """
    bound = float(clip_value)
    with no_grad():
        for g in _gradients(parameters):
            g.clamp_(min=-bound, max=bound)


def _gradients(parameters: Tensor | Iterable[Tensor]) -> list[Any]:
    several: Iterable[Any] = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in several if p.grad is not None]


def _norm(x: Tensor, p: float) -> Tensor:
    """The p-norm of all elements."""
    x = x.abs()
    if x.numel() == 0:
        return x.sum()
    if p == float("inf"):
        return x.max()
    if p == float("-inf"):
        return x.min()
    if p == 0:
        return x.ne(0).sum().to(x.dtype)
    if p == 1:
        return x.sum()
    if p == 2:
        return (x * x).sum().sqrt()
    return (x**p).sum() ** (1.0 / p)
