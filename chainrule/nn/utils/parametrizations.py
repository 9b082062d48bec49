"""Ready-made parametrizations: weight norm and spectral norm."""

from __future__ import annotations

from typing import Any

from chainrule import names
from chainrule.nn.modules.module import Module
from chainrule.nn.utils.parametrize import register_parametrization
from chainrule.runtime.random import stream
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import empty


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """√Σv² over all axes but `dim`, which keeps its size; None: over all, as a number."""
    if dim is None or dim == -1:
        return v.square().sum().sqrt()
    axes = [axis for axis in range(v.dim()) if axis != dim % v.dim()]
    return v.square().sum(axes, keepdim=True).sqrt() if axes else v.abs()


class _WeightNorm(Module):
    def __init__(self, dim: int | None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        return v * (g / norm_except(v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """w = g · v / ‖v‖: length and direction are trained apart (Salimans and Kingma 2016).

    g is `parametrizations.<name>.original0` (one length per index of axis `dim`; None: one for
    all), v is `original1`.

    >>> import chainrule as torch
    >>> layer = weight_norm(torch.nn.Linear(20, 40))
    >>> layer.parametrizations.weight.original0.shape
    torch.Size([40, 1])
    """
    # g and v need not have the shape of the weight, so only the product is checked.
    return register_parametrization(module, name, _WeightNorm(dim))


class _SpectralNorm(Module):
    def __init__(self, weight: Tensor, n_power_iterations: int, dim: int, eps: float) -> None:
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, "
                f"but got n_power_iterations={n_power_iterations}"
            )
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim % weight.dim(), eps
        if weight.dim() > 1:
            with no_grad():
                matrix = self._matrix(weight)
                rows, columns = matrix.shape
                self.register_buffer("_u", self._first(rows, weight))
                self.register_buffer("_v", self._first(columns, weight))
                self._iterate(matrix, 15)

    def _first(self, count: int, weight: Tensor) -> Tensor:
        values = empty(count, dtype=weight.dtype).normal_(0, 1, generator=stream("init"))
        return self._unit(values)

    def _unit(self, x: Tensor) -> Tensor:
        return x / x.square().sum().sqrt().clamp(min=self.eps)

    def _matrix(self, weight: Tensor) -> Tensor:
        order = [self.dim, *(axis for axis in range(weight.dim()) if axis != self.dim)]
        return weight.permute(order).reshape(weight.shape[self.dim], -1)

    def _iterate(self, matrix: Tensor, times: int) -> None:
        with no_grad():
            for _ in range(times):
                self._u.copy_(self._unit(matrix @ self._v))
                self._v.copy_(self._unit(matrix.T @ self._u))

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return self._unit(weight)
        matrix = self._matrix(weight)
        if self.training:
            self._iterate(matrix.detach(), self.n_power_iterations)
        u, v = self._u.clone(), self._v.clone()  # the next call overwrites the buffers
        return weight / (u * (matrix @ v)).sum()

    def right_inverse(self, value: Tensor) -> Tensor:
        return value  # dividing by the largest singular value cannot be undone: taken as it is


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """w / σ(w), σ the largest singular value, followed by power iteration (Miyato et al. 2018)."""
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    turned = "Transpose" in type(module).__name__
    axis: Any = (1 if turned else 0) if dim is None else dim
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, axis, eps)
    )


__all__ = ["spectral_norm", "weight_norm"]

__getattr__ = names.later(__name__)
