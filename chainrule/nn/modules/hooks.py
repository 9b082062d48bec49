"""The hooks that all layers share.

A hook table is an ordered dictionary from a number to a function; the number is the handle's `id`.
Tables keep the order of registration, which is the order in which the hooks run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple

from chainrule.tensor.hooks import RemovableHandle as RemovableHandle

Hook = Callable[..., Any]


class SharedHook(NamedTuple):
    """A hook that runs for every layer, before the layer's own hooks of the same kind."""

    kind: str  # "forward_pre", "forward", "backward_pre" or "backward"
    call: Hook
    with_kwargs: bool = False
    always_call: bool = False


# One table for all four kinds: an ordinary call of a layer asks only whether it is empty.
shared_hooks: OrderedDict[int, SharedHook] = OrderedDict()
# Asked at every registration of a "buffer", "module" or "parameter".
registration_hooks: OrderedDict[int, tuple[str, Hook]] = OrderedDict()


def shared(kind: str) -> list[tuple[int, SharedHook]]:
    """The shared hooks of one kind, with their numbers."""
    return [(number, hook) for number, hook in shared_hooks.items() if hook.kind == kind]


def registered(kind: str, module: Any, name: str, value: Any) -> Any:
    """What shall be stored when `value` is registered: the last registration hook's answer."""
    for hooked, hook in registration_hooks.values():
        if hooked == kind:
            answer = hook(module, name, value)
            value = value if answer is None else answer
    return value


def _share(hook: SharedHook) -> RemovableHandle:
    handle = RemovableHandle(shared_hooks)
    shared_hooks[handle.id] = hook
    return handle


def _at_registration(kind: str, hook: Hook) -> RemovableHandle:
    handle = RemovableHandle(registration_hooks)
    registration_hooks[handle.id] = (kind, hook)
    return handle


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Run `hook(module, args)` before the forward of every layer."""
    return _share(SharedHook("forward_pre", hook))


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Run `hook(module, args, output)` after the forward of every layer."""
    return _share(SharedHook("forward", hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Run `hook(module, grad_output)` before the backward of every layer."""
    return _share(SharedHook("backward_pre", hook))


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Run `hook(module, grad_input, grad_output)` after the backward of every layer."""
    return _share(SharedHook("backward", hook))


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Run `hook(module, name, buffer)` at every `register_buffer`; an answer replaces it."""
    return _at_registration("buffer", hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Run `hook(module, name, submodule)` at every registration of a layer."""
    return _at_registration("module", hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Run `hook(module, name, parameter)` at every `register_parameter`."""
    return _at_registration("parameter", hook)
