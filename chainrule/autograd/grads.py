"""`grad` and `backward` as functions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainrule import config
from chainrule.tensor import Tensor
from chainrule.tensor import backward as engine


def _list(x: Any) -> list[Any]:
    return [x] if isinstance(x, Tensor) or x is None else list(x)


def _matching(grads: Any, n: int) -> list[Any]:
    found = _list(grads)
    if grads is None:
        return [None] * n
    if len(found) != n:
        raise RuntimeError(f"got {n} tensors and {len(found)} gradients")
    return found


def grad(
    outputs: Any, inputs: Any, grad_outputs: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, only_inputs: bool = True, allow_unused: bool | None = None,
    is_grads_batched: bool = False, materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """Σ outputs · grad_outputs differentiated by `inputs`: a tuple, one for each input.

    >>> import chainrule as torch
    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> (dx,) = torch.autograd.grad(x ** 3, x, create_graph=True)
    >>> torch.autograd.grad(dx, x)
    (tensor(12.),)
    """
    if not only_inputs:
        raise ValueError(
            "only_inputs argument is deprecated and is ignored now: gradients are only taken of "
            "the inputs"
        )
    if is_grads_batched:
        raise NotImplementedError(
            "is_grads_batched needs vmap, which this version does not have; loop over the batch"
        )
    ys, xs = _list(outputs), _list(inputs)
    unused = materialize_grads if allow_unused is None else allow_unused
    found = engine.grad(
        ys, xs, _matching(grad_outputs, len(ys)), retain_graph, create_graph, unused
    )
    if materialize_grads:
        return tuple(
            x.new_zeros(tuple(x.shape)) if g is None else g for g, x in zip(found, xs, strict=True)
        )
    return found


def backward(
    tensors: Any, grad_tensors: Any = None, retain_graph: bool | None = None,
    create_graph: bool = False, grad_variables: Any = None, inputs: Any = None,
) -> None:  # fmt: skip
    """Add the gradients of Σ tensors · grad_tensors to the `.grad` of leaves (or of `inputs`)."""
    ys = _list(tensors)
    targets = None if inputs is None else _list(inputs)
    engine.backward(ys, _matching(grad_tensors, len(ys)), retain_graph, create_graph, targets)


def Variable(data: Tensor, requires_grad: bool = False, volatile: bool = False) -> Tensor:
    """The tensor itself: variables and tensors are one since PyTorch 0.4."""
    out = data.detach()
    return out.requires_grad_() if requires_grad else out


@contextmanager
def detect_anomaly(check_nan: bool = True) -> Iterator[None]:
    """Stop at the first operation that makes NaN or infinity out of finite numbers."""
    before = config.nan_guard
    config.nan_guard = check_nan
    try:
        yield
    finally:
        config.nan_guard = before


class set_detect_anomaly:
    """`detect_anomaly`, switched at once; a context manager that restores what was."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = config.nan_guard
        config.nan_guard = mode and check_nan

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        config.nan_guard = self.before
