"""A parameter that is computed from others whenever it is read.

    register_parametrization(layer, "weight", P)
    layer.weight  ≡  P(layer.parametrizations.weight.original)

The layer's class is replaced by a subclass of its own, whose property computes the value; gradients
reach the original through it. Several parametrizations of one name are applied in the order in
which they were registered.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from chainrule import names
from chainrule.nn.modules.container import ModuleDict, ModuleList
from chainrule.nn.modules.module import Module
from chainrule.nn.parameter import Buffer, Parameter
from chainrule.tensor import Tensor, no_grad

_values: dict[tuple[int, str], Tensor] = {}
_cached_blocks = 0


@contextmanager
def cached() -> Iterator[None]:
    """Inside the block every parametrized value is computed once, however often it is read."""
    global _cached_blocks
    _cached_blocks += 1
    try:
        yield
    finally:
        _cached_blocks -= 1
        if not _cached_blocks:
            _values.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one name, and what they start from: `original`, or `original0`,
    `original1`, …

    `right_inverse` of a parametrization, if it has one, finds originals for a value that is
    assigned.
    """

    def __init__(self, modules: list[Module], original: Tensor, unsafe: bool = False) -> None:
        super().__init__(modules)
        self.unsafe = unsafe
        with no_grad():
            start = _inverted(modules, original)
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if self.is_tensor else len(start)
        if self.is_tensor:
            if isinstance(original, Parameter):
                original.data = start.data  # the optimiser's parameter goes on, as the original
                self.original = original
            else:
                self.register_buffer("original", start)
        else:
            for i, value in enumerate(start):
                if isinstance(original, Parameter):
                    setattr(self, f"original{i}", Parameter(value, original.requires_grad))
                else:
                    self.register_buffer(f"original{i}", value)
        if not unsafe:
            self._check(original)

    def originals(self) -> list[Tensor]:
        """What the first parametrization is applied to."""
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Choose the originals so that the parametrized value becomes `value`, as far as it can."""
        with no_grad():
            start = _inverted(list(self), value)
            values = [start] if isinstance(start, Tensor) else list(start)
            if len(values) != self.ntensors:
                raise ValueError(
                    f"right_inverse gave {len(values)} tensors where {self.ntensors} are expected"
                )
            for original, new in zip(self.originals(), values, strict=True):
                original.data = new.data

    def forward(self) -> Tensor:
        first, *others = self
        value: Tensor = first(*self.originals())
        for parametrization in others:
            value = parametrization(value)
        return value

    def _check(self, original: Tensor) -> None:
        with no_grad():
            value = self()
        if not isinstance(value, Tensor):
            raise ValueError(f"a parametrization must return a tensor, got {type(value).__name__}")
        if (value.dtype, value.shape) != (original.dtype, original.shape):
            raise ValueError(
                "a parametrization may not change shape or dtype, unless it is registered with "
                f"unsafe=True: {original.dtype} {tuple(original.shape)} became {value.dtype} "
                f"{tuple(value.shape)}"
            )


def _inverted(modules: list[Module], value: Any) -> Any:
    for module in reversed(modules):
        if hasattr(module, "right_inverse"):
            value = module.right_inverse(value)
    return value


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Compute `module.<tensor_name>` through `parametrization` from now on; returns the module.

    `unsafe=True` allows it to change shape or dtype. Raises ValueError for a name that is no
    parameter or buffer, or for a parametrization that changes shape or dtype.

    >>> import chainrule as torch
    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).T
    >>> layer = register_parametrization(torch.nn.Linear(3, 3), "weight", Symmetric())
    >>> torch.equal(layer.weight, layer.weight.T), type(layer).__name__
    (True, 'ParametrizedLinear')
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        chain = _chain(module, tensor_name)
        if hasattr(parametrization, "right_inverse"):
            chain.right_inverse(parametrization.right_inverse(getattr(module, tensor_name)))
        value = getattr(module, tensor_name)
        chain.append(parametrization)
        if not (unsafe or chain.unsafe):
            chain._check(value)
    elif tensor_name in module._parameters or tensor_name in module._buffers:
        original = getattr(module, tensor_name)
        chain = ParametrizationList([parametrization], original, unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _subclass(module)
            module.parametrizations = ModuleDict()
        _add_property(type(module), tensor_name)
        module.parametrizations[tensor_name] = chain
    else:
        raise ValueError(
            f"Module '{type(module).__name__}' does not have a parameter, a buffer, or a "
            f"parametrized element with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether this layer's own `tensor_name` (or any of its members) is parametrized."""
    chains = module._modules.get("parametrizations")
    if not isinstance(chains, ModuleDict):
        return False
    return len(chains) > 0 if tensor_name is None else tensor_name in chains


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make `tensor_name` an ordinary member again; returns the module.

    It keeps the parametrized value, or, with `leave_parametrized=False`, the original one.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"Module {type(module).__name__} does not have a parametrization on {tensor_name}"
        )
    chain = _chain(module, tensor_name)
    if not leave_parametrized and not chain.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    trained = isinstance(chain.originals()[0], Parameter)
    with no_grad():
        value = getattr(module, tensor_name).detach().clone()
    member: Any = chain.original if chain.is_tensor else None
    if member is None:
        member = Parameter(value) if trained else Buffer(value)
    elif leave_parametrized:
        member.data = value
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if trained:
        module.register_parameter(tensor_name, member)
    else:
        module.register_buffer(tensor_name, member)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """The class that the layer had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def _chain(module: Module, name: str) -> ParametrizationList:
    chain: ParametrizationList = module.parametrizations[name]
    return chain


def _subclass(module: Module) -> None:
    """Give one layer a class of its own, to which properties can be added."""
    base = type(module)

    def no_pickle(self: Module) -> Any:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict()."
        )

    def deepcopy(self: Module, memo: dict[int, Any]) -> Module:
        twin = memo[id(self)] = object.__new__(type(self))
        twin.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return twin

    body = {"__getstate__": no_pickle, "__deepcopy__": deepcopy, "__module__": base.__module__}
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), body)


def _add_property(owner: type, name: str) -> None:
    def read(self: Module) -> Tensor:
        if not _cached_blocks:
            return _chain(self, name)()
        key = (id(self), name)
        if key not in _values:
            _values[key] = _chain(self, name)()
        return _values[key]

    def write(self: Module, value: Tensor) -> None:
        _chain(self, name).right_inverse(value)

    setattr(owner, name, property(read, write))


__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "type_before_parametrizations",
]

__getattr__ = names.later(__name__)
