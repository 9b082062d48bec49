"""All parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

from chainrule.nn.modules.registry import typename
from chainrule.tensor import Tensor
from chainrule.tensor.functions import cat


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """The parameters' values one after the other, shape (total,); gradients flow through it.

    >>> import chainrule as torch
    >>> torch.nn.utils.parameters_to_vector(torch.nn.Linear(3, 2).parameters()).shape
    torch.Size([8])
    """
    return cat([parameter.reshape(-1) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters the values of `vec`, in the order of `parameters_to_vector`.

    Raises TypeError for anything but a tensor.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {typename(vec)}")
    start = 0
    for parameter in parameters:
        end = start + parameter.numel()
        parameter.data = vec[start:end].reshape(parameter.shape).detach().clone()
        start = end
