"""`einops.layers.chainrule`: Rearrange, Reduce and EinMix as modules.

>>> import chainrule as torch
>>> from einops.layers.chainrule import Rearrange  # doctest: +SKIP
>>> Rearrange("b c -> c b")(torch.ones(2, 3)).shape  # doctest: +SKIP
torch.Size([3, 2])
"""

from __future__ import annotations

from typing import Any

from einops.layers import RearrangeMixin, ReduceMixin
from einops.layers._einmix import _EinmixMixin

from chainrule.nn import Module, Parameter
from chainrule.tensor import Tensor, no_grad
from chainrule.tensor.creation import zeros
from chainrule.tensor.functions import einsum


class Rearrange(RearrangeMixin, Module):
    """`einops.rearrange` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        found: Tensor = self._apply_recipe(input)  # type: ignore[no-untyped-call]  # as einops has it
        return found


class Reduce(ReduceMixin, Module):
    """`einops.reduce` as a layer."""

    def forward(self, input: Tensor) -> Tensor:
        found: Tensor = self._apply_recipe(input)  # type: ignore[no-untyped-call]  # as einops has it
        return found


class EinMix(_EinmixMixin, Module):
    """A linear map written as an einops pattern."""

    def _create_parameters(
        self, weight_shape: Any, weight_bound: float, bias_shape: Any, bias_bound: float
    ) -> None:
        self.weight = _uniform(weight_shape, weight_bound)
        self.bias = None if bias_shape is None else _uniform(bias_shape, bias_bound)

    def _create_rearrange_layers(
        self, pre_reshape_pattern: str | None, pre_reshape_lengths: dict[str, int] | None,
        post_reshape_pattern: str | None, post_reshape_lengths: dict[str, int] | None,
    ) -> None:  # fmt: skip
        self.pre_rearrange = _layer(pre_reshape_pattern, pre_reshape_lengths)
        self.post_rearrange = _layer(post_reshape_pattern, post_reshape_lengths)

    def forward(self, input: Tensor) -> Tensor:
        if self.pre_rearrange is not None:
            input = self.pre_rearrange(input)
        found = einsum(self.einsum_pattern, input, self.weight)
        if self.bias is not None:
            found = found + self.bias
        return found if self.post_rearrange is None else self.post_rearrange(found)


def _uniform(shape: Any, bound: float) -> Parameter:
    parameter = Parameter(zeros(shape))
    with no_grad():
        parameter.uniform_(-bound, bound)
    return parameter


def _layer(pattern: str | None, lengths: dict[str, int] | None) -> Rearrange | None:
    return None if pattern is None else Rearrange(pattern, **(lengths or {}))


__all__ = ["EinMix", "Rearrange", "Reduce"]
