"""Transforms of functions (`torch.func`): derivatives and batches, which nest.

grad  grad_and_value  vjp  jvp  linearize      transforms.py
vmap  chunk_vmap                               vmap.py
jacrev  jacfwd  hessian                        jacobians.py
functional_call  stack_module_state            modules.py
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import names
from chainrule.func.jacobians import hessian, jacfwd, jacrev
from chainrule.func.modules import (
    functional_call,
    replace_all_batch_norm_modules_,
    stack_module_state,
)
from chainrule.func.transforms import grad, grad_and_value, jvp, linearize, vjp
from chainrule.func.vmap import chunk_vmap, vmap, wraps
from chainrule.tensor import Tensor, levels
from chainrule.tensor.handle import node_of


def functionalize(func: Callable[..., Any], *, remove: str = "mutations") -> Callable[..., Any]:
    """A function that computes the same without writing in place: `func` itself.

    What is recorded has no writes: each gives a new value (decision 0002).
    """
    if remove not in ("mutations", "mutations_and_views"):
        raise RuntimeError(
            f"functionalize(f, remove='mutations'): received invalid argument for remove={remove}."
            " Valid options are: 'mutations', 'mutations_and_views'."
        )

    @wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return func(*args, **kwargs)

    return wrapped


def debug_unwrap(tensor: Tensor, *, recurse: bool = True) -> Tensor:
    """What is behind a tensor inside `vmap`: all samples of it (with `recurse`, of every batch)."""
    if not isinstance(tensor, Tensor):
        raise ValueError("Argument to debug_unwrap must be a tensor")
    if recurse:
        return levels.every_sample(tensor)
    level = levels.innermost(tensor)
    if level is None:
        return tensor
    (whole,) = level.whole([node_of(tensor)])
    assert whole is not None
    with levels.outside(level):
        return levels.given_back(whole, tensor.level)


__all__ = [
    "chunk_vmap", "debug_unwrap", "functional_call", "functionalize", "grad", "grad_and_value",
    "hessian", "jacfwd", "jacrev", "jvp", "linearize",
    "replace_all_batch_norm_modules_", "stack_module_state", "vjp", "vmap",
]  # fmt: skip

__getattr__ = names.later(__name__)
