"""What einops needs to know about tensors of chainrule (its `AbstractBackend`)."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from einops._backends import AbstractBackend

from chainrule import dtypes
from chainrule.tensor import Tensor, creation, functions


class ChainruleBackend(AbstractBackend):
    """einops on tensors."""

    framework_name = "chainrule"

    def is_appropriate_type(self, tensor: Any) -> bool:
        return isinstance(tensor, Tensor)

    def from_numpy(self, x: np.ndarray) -> Tensor:
        t = creation.from_numpy(x)
        return t.requires_grad_() if self.is_float_type(t) else t

    def to_numpy(self, x: Tensor) -> np.ndarray:
        return x.detach().numpy()

    def arange(self, start: int, stop: int) -> Tensor:
        return creation.arange(start, stop, dtype=dtypes.int64)

    def reduce(self, x: Tensor, operation: str, reduced_axes: Sequence[int]) -> Tensor:
        axes = tuple(reduced_axes)
        if operation in ("min", "max"):
            return x.amin(axes) if operation == "min" else x.amax(axes)
        if operation not in ("sum", "mean", "any", "all", "prod"):
            raise NotImplementedError(f"unknown reduction {operation!r}")
        found: Tensor = getattr(functions, operation)(x, axes)
        return found

    def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
        return x.permute(axes)

    def stack_on_zeroth_dimension(self, tensors: list[Tensor]) -> Tensor:
        return functions.stack(tensors)

    def add_axes(self, x: Tensor, n_axes: int, pos2len: Mapping[int, int]) -> Tensor:
        sizes = [-1] * n_axes
        for position, length in pos2len.items():
            x = x.unsqueeze(position)
            sizes[position] = length
        return x.expand(sizes)

    def tile(self, x: Tensor, repeats: Sequence[int]) -> Tensor:
        return x.repeat(repeats)

    def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
        return functions.cat(tensors, axis)

    def add_axis(self, x: Tensor, new_position: int) -> Tensor:
        return x.unsqueeze(new_position)

    def is_float_type(self, x: Tensor) -> bool:
        return x.dtype.is_floating_point

    def layers(self) -> Any:
        return importlib.import_module("einops.layers.chainrule")  # see the finder

    def einsum(self, pattern: str, *x: Tensor) -> Tensor:
        return functions.einsum(pattern, *x)
