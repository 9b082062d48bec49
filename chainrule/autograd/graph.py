"""The graph behind gradients (`torch.autograd.graph`): nodes, hooks, what is saved."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from chainrule.autograd.grads import GradientEdge
from chainrule.autograd.saving import (
    disable_saved_tensors_hooks,
    save_on_cpu,
    saved_tensors_hooks,
)
from chainrule.tensor import Tensor
from chainrule.tensor import backward as engine
from chainrule.tensor.gradfn import AccumulateGrad
from chainrule.tensor.gradfn import GradFn as Node
from chainrule.tensor.hooks import RemovableHandle


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor arrives: `autograd.grad` takes it in place of the tensor."""
    if not tensor.requires_grad:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    return GradientEdge(tensor.grad_fn or AccumulateGrad(tensor), 0, tensor)


class _Handles(RemovableHandle):
    """Several handles that are removed together."""

    def __init__(self, handles: tuple[RemovableHandle, ...]) -> None:
        self.handles = handles

    def remove(self) -> None:
        """Take all of them away."""
        for handle in self.handles:
            handle.remove()

    def __getstate__(self) -> Any:
        return self.handles

    def __setstate__(self, state: Any) -> None:
        self.handles = state


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[..., Any], *, mode: str = "all"
) -> RemovableHandle:
    """Call fn once in a backward pass: "all" with the gradients of all tensors (None for those that
    have none in this pass), when it is over; "any" with the first that is known.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    known: dict[int, Tensor] = {}

    def end() -> None:
        found = [known.get(i) for i in range(len(tensors))]
        known.clear()
        if mode == "all":
            fn(found)

    def hook(i: int, grad: Tensor) -> None:
        if not known:
            engine.at_end(end)
            known[i] = grad
            if mode == "any":
                fn(grad)
        known[i] = grad

    return _Handles(
        tuple(
            t.register_hook(functools.partial(hook, i))
            for i, t in enumerate(tensors)
            if t.requires_grad or mode == "all"
        )
    )


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Count a write that the library did not see: gradients that need the old value are refused."""
    every: Iterable[Tensor] = (tensor,) if isinstance(tensor, Tensor) else tensor
    for t in every:
        t.storage.version += 1


@contextmanager
def allow_mutation_on_saved_tensors() -> Iterator[None]:
    """What a gradient reads may be written over in place: the graph has its old value, as long as
    nothing was looked at in between.
    """
    with engine.lenient():
        yield


__all__ = [
    "GradientEdge", "Node", "allow_mutation_on_saved_tensors", "disable_saved_tensors_hooks",
    "get_gradient_edge", "increment_version", "register_multi_grad_hook", "save_on_cpu",
    "saved_tensors_hooks",
]  # fmt: skip
