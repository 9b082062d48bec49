"""The older spectral norm: `weight_orig` is the member, `weight` is computed before each call."""

from __future__ import annotations

from typing import Any

from chainrule.nn.modules.module import Module
from chainrule.nn.parameter import Parameter
from chainrule.runtime.random import stream
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import empty


class SpectralNorm:
    """The forward pre-hook that computes w / σ(w), with u and v from power iteration as buffers."""

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, "
                f"but got n_power_iterations={n_power_iterations}"
            )
        self.name, self.n_power_iterations, self.dim, self.eps = name, n_power_iterations, dim, eps

    def matrix(self, weight: Tensor) -> Tensor:
        """The weight as a matrix whose rows are the outputs."""
        order = [self.dim, *(axis for axis in range(weight.dim()) if axis != self.dim)]
        return weight.permute(order).reshape(weight.shape[self.dim], -1)

    def unit(self, x: Tensor) -> Tensor:
        """x / ‖x‖."""
        return x / x.square().sum().sqrt().clamp(min=self.eps)

    def compute_weight(self, module: Module, iterate: bool) -> Tensor:
        """The weight for the present original; `iterate` also refines u and v."""
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = self.matrix(weight)
        if iterate:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(self.unit(matrix.T @ u))
                    u.copy_(self.unit(matrix @ v))
            u, v = u.clone(), v.clone()  # the next call overwrites the buffers
        normed: Tensor = weight / (u * (matrix @ v)).sum()
        return normed

    def __call__(self, module: Module, args: Any) -> None:
        setattr(module, self.name, self.compute_weight(module, iterate=module.training))


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide `module.<name>` by its largest singular value (Miyato et al. 2018); return the module.

    `nn.utils.parametrizations.spectral_norm` does the same and follows assignments to the weight.
    Raises RuntimeError if the name has it already.
    """
    if _hook(module, name) is not None:
        raise RuntimeError(f"Cannot register two spectral_norm hooks on the same parameter {name}")
    if dim is None:
        dim = 1 if "Transpose" in type(module).__name__ else 0
    hook = SpectralNorm(name, n_power_iterations, dim, eps)
    weight = getattr(module, name)
    delattr(module, name)
    module.register_parameter(f"{name}_orig", weight)
    setattr(module, name, weight.detach())
    for letter, size in zip("uv", hook.matrix(weight).shape, strict=True):
        start = empty(size, dtype=weight.dtype).normal_(0, 1, generator=stream("init"))
        module.register_buffer(f"{name}_{letter}", hook.unit(start))
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight an ordinary parameter again, with its present value; returns the module."""
    found = _hook(module, name)
    if found is None:
        raise ValueError(f"spectral_norm of '{name}' not found in {module}")
    number, hook = found
    del module._forward_pre_hooks[number]
    with no_grad():
        weight = hook.compute_weight(module, iterate=False)
    for member in (name, f"{name}_orig", f"{name}_u", f"{name}_v"):
        delattr(module, member)
    module.register_parameter(name, Parameter(weight.detach()))
    return module


def _hook(module: Module, name: str) -> tuple[int, SpectralNorm] | None:
    for number, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            return number, hook
    return None
