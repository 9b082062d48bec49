"""`torch.overrides`: types that take PyTorch's functions over. Tensors here call no
`__torch_function__`; a subclass of `Tensor` is a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from chainrule import names
from chainrule.tensor import Tensor

__getattr__ = names.later(__name__)


def is_tensor_like(inp: Any) -> bool:
    """Whether it is a tensor, or has `__torch_function__`."""
    return isinstance(inp, Tensor) or hasattr(inp, "__torch_function__")


def has_torch_function(relevant_args: Any) -> bool:
    """Whether an argument that is no tensor has `__torch_function__`."""
    return any(
        not isinstance(a, Tensor) and hasattr(type(a), "__torch_function__") for a in relevant_args
    )


def has_torch_function_unary(arg: Any) -> bool:
    """`has_torch_function` of one."""
    return has_torch_function((arg,))


def has_torch_function_variadic(*args: Any) -> bool:
    """`has_torch_function` of several."""
    return has_torch_function(args)


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Any, *args: Any, **kwargs: Any
) -> Any:
    """What the first `__torch_function__` gives. Raises TypeError if none does."""
    types = tuple({type(a): None for a in relevant_args if hasattr(a, "__torch_function__")})
    for a in relevant_args:
        if hasattr(a, "__torch_function__"):
            result = a.__torch_function__(public_api, types, args, kwargs)
            if result is not NotImplemented:
                return result
    raise TypeError(f"no implementation found for {public_api.__name__!r} on types {types}")


def resolve_name(f: Callable[..., Any]) -> str:
    """Module and name of a function."""
    return f"{f.__module__}.{f.__qualname__}"
