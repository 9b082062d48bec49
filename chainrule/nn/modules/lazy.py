"""Layers that take a size from their first input.

A lazy layer registers `UninitializedParameter`s, and names in `cls_to_become` the layer that it
turns into:

    class LazyLinear(LazyModuleMixin, Linear):
        cls_to_become = Linear
        def __init__(self, out_features, bias=True):
            super().__init__(0, 0)
            self.weight, self.out_features = UninitializedParameter(), out_features
        def initialize_parameters(self, input):
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            self.reset_parameters()
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, ClassVar

from chainrule.nn.modules.module import Module
from chainrule.nn.parameter import is_lazy


class LazyModuleMixin(Module):
    """What makes a layer lazy: put it before the layer among the bases.

    The first call runs `initialize_parameters` with the same arguments, then the object becomes a
    `cls_to_become`. A state dict with known shapes initialises it too.
    """

    cls_to_become: ClassVar[Any] = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._load_hook = self._register_load_state_dict_pre_hook(self._lazy_load_hook)
        self._initialize_hook = self.register_forward_pre_hook(
            self._infer_parameters, with_kwargs=True
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give every uninitialised member its shape and first values, from one call's arguments."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this layer has no shape yet."""
        return any(is_lazy(member) for _, member in self._own_members())

    def _own_members(self) -> Iterator[tuple[str, Any]]:
        return itertools.chain(self._parameters.items(), self._buffers.items())

    def _lazy_load_hook(self, state_dict: Any, prefix: str, *others: Any) -> None:
        for name, member in self._own_members():
            value = state_dict.get(prefix + name)
            if is_lazy(member) and value is not None and not is_lazy(value):
                member.materialize(value.shape)

    def _infer_parameters(self, module: Any, args: Any, kwargs: Any = None) -> None:
        module.initialize_parameters(*args, **(kwargs or {}))
        if module.has_uninitialized_params():
            raise RuntimeError(f"module {self._get_name()} has not been fully initialized")
        module._initialize_hook.remove()
        module._load_hook.remove()
        del module._initialize_hook, module._load_hook
        if module.cls_to_become is not None:
            module.__class__ = module.cls_to_become
