"""`torch.overrides`: classes that say themselves what PyTorch's functions do with them, by
`__torch_function__`. The mechanism is in `chainrule.tensor.overriding`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from chainrule import names
from chainrule.tensor import Tensor, overriding

__getattr__ = names.later(__name__)


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a tensor, or has `__torch_function__`."""
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


def has_torch_function(relevant_args: Iterable[Any]) -> bool:
    """Whether one of them has a say in what a function does."""
    return bool(overriding.overloaded(relevant_args))


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of several."""
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Iterable[Any], *args: Any, **kwargs: Any
) -> Any:
    """What the first of these that does not decline gives. Raises TypeError if all decline."""
    return overriding.handle(public_api, overriding.overloaded(relevant_args), args, kwargs)


def resolve_name(f: Callable[..., Any]) -> str:
    """Module and name of a function."""
    return f"{f.__module__}.{f.__qualname__}"
