"""`torch.nn.utils.prune`: weights set to zero by a mask, which training leaves at zero.

A pruned parameter `weight` becomes a parameter `weight_orig` and a buffer `weight_mask`; before
each call of the layer `weight` = weight_orig · weight_mask. Pruning again looks at what is left.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from chainrule import names
from chainrule.nn.modules.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f
from chainrule.tensor.creation import ones_like, rand, randperm

__getattr__ = names.later(__name__)


def _count(amount: float, size: int) -> int:
    """How many of `size` an amount is: a number of them, or a fraction."""
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise TypeError(f"Invalid type for amount: {amount}. Must be int or float.")
    if isinstance(amount, int):
        if amount < 0:
            raise ValueError(f"amount={amount} should be a non-negative integer.")
        if amount > size:
            raise ValueError(
                f"amount={amount} should be smaller than the number of parameters to prune={size}"
            )
        return amount
    if not 0.0 <= amount <= 1.0:
        raise ValueError(f"amount={amount} should be a float between 0. and 1.")
    return round(amount * size)


class BasePruningMethod(ABC):
    """Chooses what stays: `compute_mask(t, default_mask)` is 0 where t is pruned.

    PRUNING_TYPE: "unstructured" (single elements), "structured" (whole slices) or "global".
    """

    PRUNING_TYPE: str = "unstructured"
    _tensor_name: str

    def __call__(self, module: Module, inputs: Any) -> None:
        """Before each call of the layer."""
        setattr(module, self._tensor_name, self.apply_mask(module))

    @abstractmethod
    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """0 where t is pruned, and where it was."""

    def apply_mask(self, module: Module) -> Tensor:
        """The pruned tensor."""
        original = getattr(module, self._tensor_name + "_orig")
        return original * getattr(module, self._tensor_name + "_mask").to(original.dtype)

    @classmethod
    def apply(
        cls, module: Module, name: str, *args: Any, importance_scores: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:  # fmt: skip
        """Prune a parameter of a layer, or what is left of one."""
        method = cls(*args, **kwargs)
        method._tensor_name = name
        hooks = module._forward_pre_hooks
        before = [
            key for key, hook in hooks.items()
            if isinstance(_call(hook), BasePruningMethod) and _call(hook)._tensor_name == name
        ]  # fmt: skip
        if before:
            original = getattr(module, name + "_orig")
            default = getattr(module, name + "_mask")
            earlier = _call(hooks.pop(before[0]))
        else:
            original = getattr(module, name)
            default, earlier = ones_like(original), None
        scores = original if importance_scores is None else importance_scores
        if scores.shape != original.shape:
            raise AssertionError(
                f"importance_scores should have the same shape as parameter {name} of {module}"
            )
        mask = method.compute_mask(scores.detach(), default.detach())
        used: BasePruningMethod = method
        if earlier is not None:
            chained = (
                earlier if isinstance(earlier, PruningContainer) else PruningContainer(earlier)
            )
            chained.add_pruning_method(method)
            used = chained
        else:
            del module._parameters[name]
            module.register_parameter(name + "_orig", original)
        module.register_buffer(name + "_mask", mask.detach())
        setattr(module, name, used.apply_mask(module))
        module.register_forward_pre_hook(used)
        return used

    def prune(
        self, t: Tensor, default_mask: Tensor | None = None, importance_scores: Tensor | None = None
    ) -> Tensor:
        """A pruned copy of a tensor."""
        scores = t if importance_scores is None else importance_scores
        return t * self.compute_mask(scores, ones_like(t) if default_mask is None else default_mask)

    def remove(self, module: Module) -> None:
        """Make it permanent: the parameter has zeros, and no mask."""
        name = self._tensor_name
        weight = self.apply_mask(module).detach()
        original = getattr(module, name + "_orig")
        del module._parameters[name + "_orig"], module._buffers[name + "_mask"]
        if name in module.__dict__:
            delattr(module, name)
        setattr(module, name, Parameter(weight, original.requires_grad))


def _call(hook: Any) -> Any:
    return getattr(hook, "call", hook)


class PruningContainer(BasePruningMethod):
    """Several, one after another"""

    def __init__(self, *args: BasePruningMethod) -> None:
        self._pruning_methods: list[BasePruningMethod] = list(args)
        if args:
            self._tensor_name = args[0]._tensor_name

    def add_pruning_method(self, method: BasePruningMethod) -> None:
        """One more, of the same parameter."""
        if method._tensor_name != self._tensor_name:
            raise ValueError(
                f"Can only add pruning methods acting on the parameter named '{self._tensor_name}'"
            )
        self._pruning_methods.append(method)

    def __len__(self) -> int:
        return len(self._pruning_methods)

    def __iter__(self) -> Any:
        return iter(self._pruning_methods)

    def __getitem__(self, i: int) -> BasePruningMethod:
        return self._pruning_methods[i]

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        """What the last leaves."""
        return self._pruning_methods[-1].compute_mask(t, default_mask)


def _without_least(scores: Tensor, mask: Tensor, amount: float) -> Tensor:
    """A mask without the least of those scores that are left."""
    flat, left = scores.reshape(-1), mask.reshape(-1)
    held = f.nonzero(left)[:, 0]
    n = _count(amount, held.numel())
    if n == 0:
        return mask.clone()
    order = f.argsort(f.index_select(flat, 0, held))[:n]
    return f.index_fill(left, 0, f.index_select(held, 0, order), 0).reshape(mask.shape)


class Identity(BasePruningMethod):
    """Prunes nothing; the parameter gets a mask of ones"""

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask


class RandomUnstructured(BasePruningMethod):
    """Elements by chance"""

    def __init__(self, amount: float) -> None:
        _count(amount, 2**62)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without_least(rand(tuple(t.shape)), default_mask, self.amount)


class L1Unstructured(BasePruningMethod):
    """The elements of least absolute value"""

    def __init__(self, amount: float) -> None:
        _count(amount, 2**62)
        self.amount = amount

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return _without_least(f.abs(t), default_mask, self.amount)


class RandomStructured(BasePruningMethod):
    """Slices along a dimension, by chance"""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, dim: int = -1) -> None:
        _count(amount, 2**62)
        self.amount, self.dim = amount, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        n = t.shape[self.dim]
        gone = randperm(n)[: _count(self.amount, n)]
        return f.index_fill(default_mask, self.dim, gone, 0)


class LnStructured(BasePruningMethod):
    """The slices of least norm"""

    PRUNING_TYPE = "structured"

    def __init__(self, amount: float, n: Any, dim: int = -1) -> None:
        _count(amount, 2**62)
        self.amount, self.n, self.dim = amount, n, dim

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        at = self.dim % t.dim()
        others = [axis for axis in range(t.dim()) if axis != at]
        norms = f.norm(t, self.n, others)
        gone = f.argsort(norms)[: _count(self.amount, t.shape[at])]
        return f.index_fill(default_mask, at, gone, 0)


class CustomFromMask(BasePruningMethod):
    """What a mask says"""

    PRUNING_TYPE = "global"

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def compute_mask(self, t: Tensor, default_mask: Tensor) -> Tensor:
        return default_mask * self.mask.to(default_mask.dtype)


def identity(module: Module, name: str) -> Module:
    """A mask of ones."""
    Identity.apply(module, name)
    return module


def random_unstructured(module: Module, name: str, amount: float) -> Module:
    """Prune elements by chance."""
    RandomUnstructured.apply(module, name, amount)
    return module


def l1_unstructured(
    module: Module, name: str, amount: float, importance_scores: Tensor | None = None
) -> Module:
    """Prune the elements of least absolute value: `amount` of them, or this fraction.

    >>> import chainrule as torch
    >>> layer = l1_unstructured(torch.nn.Linear(4, 5), "weight", 0.5)
    >>> int((layer.weight == 0).sum()), sorted(layer.state_dict())
    (10, ['bias', 'weight_mask', 'weight_orig'])
    """
    L1Unstructured.apply(module, name, amount, importance_scores=importance_scores)
    return module


def random_structured(module: Module, name: str, amount: float, dim: int) -> Module:
    """Prune slices by chance."""
    RandomStructured.apply(module, name, amount, dim)
    return module


def ln_structured(
    module: Module, name: str, amount: float, n: Any, dim: int,
    importance_scores: Tensor | None = None,
) -> Module:  # fmt: skip
    """Prune the slices of least n-norm."""
    LnStructured.apply(module, name, amount, n, dim, importance_scores=importance_scores)
    return module


def custom_from_mask(module: Module, name: str, mask: Tensor) -> Module:
    """Prune by a mask."""
    CustomFromMask.apply(module, name, mask)
    return module


def global_unstructured(
    parameters: Iterable[tuple[Module, str]], pruning_method: type[BasePruningMethod],
    importance_scores: dict[tuple[Module, str], Tensor] | None = None, **kwargs: Any,
) -> None:  # fmt: skip
    """Prune over several parameters as if they were one."""
    pairs = list(parameters)
    given = importance_scores or {}
    scores = [given.get((m, n), getattr(m, n)).detach() for m, n in pairs]
    masks = [
        getattr(m, n + "_mask", ones_like(s)).detach()
        for (m, n), s in zip(pairs, scores, strict=True)
    ]
    method = pruning_method(**kwargs)
    if method.PRUNING_TYPE != "unstructured":
        raise TypeError(
            "Only 'unstructured' PRUNING_TYPE supported for the `pruning_method`. Found method "
            f"{pruning_method} of type {method.PRUNING_TYPE}"
        )
    flat = f.cat([s.reshape(-1) for s in scores])
    whole = method.compute_mask(flat, f.cat([m.reshape(-1) for m in masks]))
    start = 0
    for (module, name), s in zip(pairs, scores, strict=True):
        custom_from_mask(module, name, whole[start : start + s.numel()].reshape(s.shape))
        start += s.numel()


def remove(module: Module, name: str) -> Module:
    """Make pruning permanent. Raises ValueError for a parameter that was not pruned."""
    for key, hook in module._forward_pre_hooks.items():
        method = _call(hook)
        if isinstance(method, BasePruningMethod) and method._tensor_name == name:
            method.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(
        f"Parameter '{name}' of module {module} has to be pruned before pruning can be removed"
    )


def is_pruned(module: Module) -> bool:
    """Whether a parameter of it, or of a part of it, is pruned."""
    return any(
        isinstance(_call(hook), BasePruningMethod)
        for part in module.modules()
        for hook in part._forward_pre_hooks.values()
    )
