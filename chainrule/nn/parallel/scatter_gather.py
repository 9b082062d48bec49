"""Cutting data for several devices, and joining results; with one device, nothing is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chainrule.tensor import Tensor
from chainrule.tensor import functions as f


def scatter(inputs: Any, target_gpus: Sequence[Any], dim: int = 0) -> list[Any]:
    """A part for each device: tensors in nested containers are cut along `dim`, others repeated."""

    def columns(values: Any) -> list[tuple[Any, ...]]:
        return list(zip(*(scatter(x, target_gpus, dim) for x in values), strict=False))

    if isinstance(inputs, Tensor):
        return list(f.chunk(inputs, len(target_gpus), dim))
    if isinstance(inputs, tuple) and hasattr(inputs, "_fields"):
        return [type(inputs)(*part) for part in columns(inputs)]
    if isinstance(inputs, tuple) and inputs:
        return columns(inputs)
    if isinstance(inputs, list) and inputs:
        return [list(part) for part in columns(inputs)]
    if isinstance(inputs, dict) and inputs:
        parts = columns(inputs.values())
        return [type(inputs)(zip(inputs, part, strict=True)) for part in parts]
    return [inputs for _ in target_gpus]


def scatter_kwargs(
    inputs: tuple[Any, ...],
    kwargs: dict[str, Any] | None,
    target_gpus: Sequence[Any],
    dim: int = 0,
) -> tuple[tuple[Any, ...], tuple[dict[str, Any], ...]]:
    """`scatter` of positional and keyword arguments, as long as each other."""
    cut = list(scatter(inputs, target_gpus, dim)) if inputs else []
    named = list(scatter(kwargs, target_gpus, dim)) if kwargs else []
    cut += [()] * (len(named) - len(cut))
    named += [{}] * (len(cut) - len(named))
    return tuple(cut), tuple(named)


def gather(outputs: Sequence[Any], target_device: Any, dim: int = 0) -> Any:
    """The parts as one: tensors joined along `dim` (numbers become a vector)."""
    first = outputs[0]
    if isinstance(first, Tensor):
        if not first.shape:
            return f.stack([f.reshape(x, (1,)) for x in outputs]).reshape(-1)
        return f.cat(list(outputs), dim)
    if first is None:
        return None
    if isinstance(first, dict):
        if not all(len(first) == len(d) for d in outputs):
            raise ValueError("All dicts must have the same number of keys")
        return type(first)((k, gather([d[k] for d in outputs], target_device, dim)) for k in first)
    joined = [gather(part, target_device, dim) for part in zip(*outputs, strict=True)]
    return type(first)(*joined) if hasattr(first, "_fields") else type(first)(joined)
