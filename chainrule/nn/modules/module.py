"""`Module`: the base of every layer and every network.

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden = nn.Linear(784, 128)        registered by assignment
        def forward(self, x):
            return self.hidden(x).relu()

The parts: `registry` (what a layer is made of), `state` (state dicts), `call` (the call, hooks,
notes on errors). Here is what works on all members at once (training mode, gradients, conversion),
and how a layer prints itself.
"""

from __future__ import annotations

import builtins
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Self

from chainrule import devices, dtypes
from chainrule.nn.modules.call import Hooked
from chainrule.nn.modules.hooks import (
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from chainrule.nn.modules.state import Stateful
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import empty_like

Convert = Callable[[Tensor], Tensor]

_HOOK_TABLES = (
    "_backward_pre_hooks",
    "_backward_hooks",
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


class Module(Stateful, Hooked):
    """The base of every layer: subclass it, register members in `__init__`, compute in `forward`.

    >>> import chainrule as torch
    >>> class Scale(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.factor = torch.nn.Parameter(torch.tensor(2.0))
    ...     def forward(self, x):
    ...         return self.factor * x
    >>> [name for name, _ in Scale().named_parameters()], Scale()(torch.tensor(3.0)).item()
    (['factor'], 6.0)
    """

    # True: `super().__init__(...)` of a class with several bases goes on to the next base.
    call_super_init: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not self.call_super_init and kwargs:
            raise TypeError(
                f"{type(self).__name__}.__init__() got an unexpected keyword argument "
                f"'{next(iter(kwargs))}'"
            )
        if not self.call_super_init and args:
            raise TypeError(
                f"{type(self).__name__}.__init__() takes 1 positional argument but "
                f"{len(args) + 1} were given"
            )
        # Straight into the instance: __setattr__ needs these tables before it can work.
        members = self.__dict__
        members["training"] = True
        members["_parameters"] = {}
        members["_buffers"] = {}
        members["_non_persistent_buffers_set"] = set()
        for table in _HOOK_TABLES:
            members[table] = OrderedDict()
        members["_modules"] = {}
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    # ---- all members at once -----------------------------------------------------------------

    def apply(self, fn: Callable[[Any], Any]) -> Self:
        """Call `fn` on every layer below, children first, then on this one.

        >>> import chainrule as torch
        >>> def ones(layer):
        ...     if isinstance(layer, torch.nn.Linear):
        ...         torch.nn.init.ones_(layer.weight)
        >>> torch.nn.Sequential(torch.nn.Linear(2, 2)).apply(ones)[0].weight.sum().item()
        4.0
        """
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Self:
        """Training mode (dropout drops, batch norm uses the batch) here and below; `False` is
        `eval`.
        """
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self) -> Self:
        """Evaluation mode, the same as `train(False)`. Gradients are another matter: `no_grad`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Freeze (`False`) or train all parameters here and below."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget all gradients, or set them to zero with `set_to_none=False`."""
        for parameter in self.parameters():
            if parameter.grad is None:
                continue
            if set_to_none:
                parameter.grad = None
            else:
                parameter.grad = parameter.grad.detach().zero_()

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Accepted and not needed: what a layer records is compiled anyway."""

    # ---- conversion --------------------------------------------------------------------------

    def _apply(self, fn: Convert, recurse: bool = True) -> Self:
        """Replace the value of every parameter, gradient and buffer by `fn` of it; parameters stay
        the same objects.
        """
        if recurse:
            for child in self.children():
                child._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is not None:
                    grad = parameter.grad
                    parameter.grad = None  # its dtype may not fit for a moment
                    value = fn(parameter)
                    if value is not parameter:
                        parameter.data = value
                    if grad is not None:
                        parameter.grad = fn(grad)
            for name, buffer in self._buffers.items():
                if buffer is not None:
                    self._buffers[name] = fn(buffer)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Self:
        """Move or convert in place: `to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`.

        Only floating point members change their dtype. Raises TypeError for a dtype that is not
        floating point, DeviceError for a device that this machine does not have.
        """
        device, dtype = _parse_to(*args, **kwargs)
        devices.check(device)  # also for a layer without members
        if dtype is not None and not dtype.is_differentiable:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            moved: Tensor = tensor if device is None else tensor.to(device)
            return moved if dtype is None else _cast(moved, dtype)

        return self._apply(convert)

    def float(self) -> Self:
        """Floating point members to float32."""
        return self._apply(lambda tensor: _cast(tensor, dtypes.float32))

    def double(self) -> Self:
        """Floating point members to float64."""
        return self._apply(lambda tensor: _cast(tensor, dtypes.float64))

    def half(self) -> Self:
        """Floating point members to float16."""
        return self._apply(lambda tensor: _cast(tensor, dtypes.float16))

    def bfloat16(self) -> Self:
        """Floating point members to bfloat16."""
        return self._apply(lambda tensor: _cast(tensor, dtypes.bfloat16))

    def type(self, dst_type: Any) -> Self:
        """All members, the integer ones too, to `dst_type`."""
        return self._apply(lambda tensor: tensor.type(dst_type))

    def cpu(self) -> Self:
        """All members to the CPU."""
        return self._apply(lambda tensor: tensor.cpu())

    def cuda(self, device: Any = None) -> Self:
        """All members to a GPU; an error says so where there is none."""
        target = "cuda" if device is None else device
        return self.to(f"cuda:{target}" if isinstance(target, int) else target)

    def to_empty(self, *, device: Any, recurse: bool = True) -> Self:
        """Members of the same shapes with unset values on `device`."""
        return self._apply(lambda tensor: empty_like(tensor, device=device), recurse=recurse)

    def share_memory(self) -> Self:
        """Let all members live in memory that other processes see."""
        return self._apply(lambda tensor: tensor.share_memory_())

    # ---- text --------------------------------------------------------------------------------

    def _get_name(self) -> str:
        return builtins.type(self).__name__

    def extra_repr(self) -> str:
        """What a layer says about itself between its parentheses; override it."""
        return ""

    def __repr__(self) -> str:
        own = self.extra_repr()
        lines = own.split("\n") if own else []
        if len(lines) == 1 and not self._modules:
            return f"{self._get_name()}({own})"
        lines += [f"({name}): {indented(repr(child))}" for name, child in self._modules.items()]
        if not lines:
            return f"{self._get_name()}()"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for table in _HOOK_TABLES:  # a pickle from before a kind of hook existed
            self.__dict__.setdefault(table, OrderedDict())


def indented(text: str) -> str:
    """The text of a child inside its parent's: every line but the first two spaces to the right.

    >>> indented("Sequential(\\n  (0): ReLU()\\n)")
    'Sequential(\\n    (0): ReLU()\\n  )'
    """
    first, *others = text.split("\n")
    return "\n".join([first, *(f"  {line}" if line.strip() else "" for line in others)])


def _cast(tensor: Tensor, dtype: dtypes.DType) -> Tensor:
    if not tensor.dtype.is_differentiable or (tensor.is_complex() and not dtype.is_complex):
        return tensor
    return tensor.to(dtype)


def _parse_to(
    *args: Any, device: Any = None, dtype: Any = None, tensor: Any = None, **ignored: Any
) -> tuple[Any, dtypes.DType | None]:
    """The device and dtype that `to(...)` was asked for; other options change nothing here."""
    unknown = set(ignored) - {"non_blocking", "copy", "memory_format"}
    if unknown:
        raise TypeError(f"to() got an unexpected keyword argument '{sorted(unknown)[0]}'")
    for value in args if tensor is None else (*args, tensor):
        if isinstance(value, dtypes.DType):
            dtype = value
        elif isinstance(value, Tensor):
            device, dtype = value.device, value.dtype
        elif value is not None and not isinstance(value, bool):  # a bool is non_blocking
            device = value
    return device, dtype


__all__ = [
    "Module",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]
