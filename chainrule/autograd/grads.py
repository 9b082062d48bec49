"""`grad` and `backward` as functions."""

from __future__ import annotations

from typing import Any, NamedTuple

from chainrule import config
from chainrule.func.vmap import vmap
from chainrule.tensor import Tensor
from chainrule.tensor import backward as engine


class GradientEdge(NamedTuple):
    """A place in the graph that gradients are asked of, instead of a tensor."""

    node: Any
    output_nr: int
    ownership_token: Tensor


def _list(x: Any) -> list[Any]:
    found = [x] if isinstance(x, (Tensor, GradientEdge)) or x is None else list(x)
    return [t.ownership_token if isinstance(t, GradientEdge) else t for t in found]


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

    With `is_grads_batched` grad_outputs have a further first axis: one gradient for each of its
    elements, computed at once (`vmap`).
    """
    if not only_inputs:
        raise ValueError(
            "only_inputs argument is deprecated and is ignored now: gradients are only taken of "
            "the inputs"
        )
    ys, xs = _list(outputs), _list(inputs)
    unused = materialize_grads if allow_unused is None else allow_unused
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: "
            "allow_unused=False."
        )
    seeds = _matching(grad_outputs, len(ys))
    if is_grads_batched:
        found = _batched(ys, xs, seeds, retain_graph, create_graph, unused)
    else:
        found = engine.grad(ys, xs, seeds, retain_graph, create_graph, unused)
    if materialize_grads:
        return tuple(
            x.new_zeros(tuple(x.shape)) if g is None else g for g, x in zip(found, xs, strict=True)
        )
    return found


def _batched(
    ys: list[Tensor], xs: list[Tensor], seeds: list[Any], retain_graph: bool | None,
    create_graph: bool, unused: bool,
) -> tuple[Tensor | None, ...]:  # fmt: skip
    """Gradients for a batch of `grad_outputs` (its first axis), at once."""
    known = [s for s in seeds if s is not None]
    if not known:
        raise RuntimeError("is_grads_batched=True needs grad_outputs, with the batch as first axis")
    used: list[int] = []

    def one(*given: Tensor) -> tuple[Tensor, ...]:
        rest = iter(given)
        full = [None if s is None else next(rest) for s in seeds]
        found = engine.grad(ys, xs, full, retain_graph, create_graph, unused)
        used.extend(i for i, g in enumerate(found) if g is not None)
        return tuple(g for g in found if g is not None)

    made = iter(vmap(one)(*known))
    return tuple(next(made) if i in used else None for i in range(len(xs)))


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


class set_detect_anomaly:
    """`detect_anomaly`, switched at once; a context manager that restores what was."""

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self.before = config.anomaly
        config.anomaly = mode and check_nan

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        config.anomaly = self.before


def is_anomaly_enabled() -> bool:
    """Whether a NaN in a backward pass is an error now."""
    return bool(config.anomaly)


is_anomaly_check_nan_enabled = is_anomaly_enabled


def set_anomaly_enabled(mode: bool, check_nan: bool = True) -> None:
    """Switch it."""
    config.anomaly = mode and check_nan


class detect_anomaly:
    """Inside a block, stop where a backward pass makes NaN: a RuntimeError names the operation

    Values forward are not looked at (`chainrule.config.nan_guard` does that). Every gradient is
    computed for the look, so this is slow.

    >>> import chainrule as torch
    >>> x = torch.tensor(0.0, requires_grad=True)
    >>> with torch.autograd.detect_anomaly():
    ...     (x.sqrt() * 0).backward()
    Traceback (most recent call last):
    ...
    RuntimeError: Function 'SqrtBackward0' returned nan values in its 0th output.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.before: list[bool] = []
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self.before.append(config.anomaly)
        config.anomaly = self.check_nan

    def __exit__(self, *_: object) -> None:
        config.anomaly = self.before.pop()
