"""`torch.library`: functions of the user as operations: `custom_op`, with a gradient of its own.

>>> import chainrule as torch
>>> @torch.library.custom_op("mine::cube", mutates_args=())
... def cube(x: torch.Tensor) -> torch.Tensor:
...     return torch.from_numpy(x.numpy() ** 3)
>>> cube.register_autograd(
...     lambda ctx, g: 3 * ctx.saved_tensors[0] ** 2 * g,
...     setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs))
>>> x = torch.tensor([1.0, 2.0], requires_grad=True)
>>> cube(x).sum().backward()
>>> x.grad
tensor([ 3., 12.])
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from chainrule import names
from chainrule.autograd import Function
from chainrule.tensor import Tensor, no_grad

__getattr__ = names.absent(__name__, "torch.library.custom_op makes an operation of a function")


class CustomOpDef:
    """A function that PyTorch's operators treat as one of theirs."""

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self._name, self._fn = name, fn
        self._apply: Callable[..., Any] | None = None
        functools.update_wrapper(self, fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._apply is None:
            return self._fn(*args, **kwargs)
        return self._apply(*args, *kwargs.values())

    def register_autograd(
        self, backward: Callable[..., Any], /, *, setup_context: Callable[..., Any] | None = None
    ) -> None:
        """Give it a gradient: backward(ctx, *gradients of outputs) → gradients of inputs."""
        fn, rule = self._fn, backward  # in the class, `backward` is its own

        class Custom(Function):
            written = staticmethod(rule)

            @staticmethod
            def forward(ctx: Any, *args: Any) -> Any:
                with no_grad():
                    out = fn(*(a.detach() if isinstance(a, Tensor) else a for a in args))
                if setup_context is not None:
                    setup_context(ctx, args, out)
                return out

            @staticmethod
            def backward(ctx: Any, *grads: Any) -> Any:
                return rule(ctx, *grads)

        Custom.__name__ = self._name.rpartition("::")[2]
        self._apply = Custom.apply

    def _registered(self, fn: Any = None, *_: Any, **__: Any) -> Any:
        return (lambda f: f) if fn is None or not callable(fn) else fn

    #: What PyTorch asks for its compiler and other devices: shapes come from running here.
    register_fake = register_kernel = register_vmap = register_torch_dispatch = _registered
    register_autocast = _registered


def custom_op(
    name: str,
    fn: Callable[..., Any] | None = None,
    /,
    *,
    mutates_args: Any,
    device_types: Any = None,
    schema: str | None = None,
    tags: Any = None,
) -> Any:
    """Make an operation of a function; also a decorator."""
    if fn is None:
        return functools.partial(CustomOpDef, name)
    return CustomOpDef(name, fn)


def register_fake(op: Any, func: Any = None, /, *, lib: Any = None, **options: Any) -> Any:
    """Accepted: shapes come from running the operation."""
    return (lambda f: f) if func is None else func


impl_abstract = register_kernel = register_vmap = register_fake


def register_autograd(
    op: Any, backward: Callable[..., Any], /, *, setup_context: Any = None, lib: Any = None
) -> None:
    """Give an operation of `custom_op` a gradient."""
    op.register_autograd(backward, setup_context=setup_context)
