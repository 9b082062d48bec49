"""Layers that make one tensor of several."""

from __future__ import annotations

from functools import reduce
from typing import Any

from chainrule import dtypes
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.registry import known
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


class _Merge(Layer):
    """Takes a list of tensors of equal shape (sizes of 1 are repeated, lower ranks get axes after
    the batch).
    """

    supports_masking = True
    casts_integers = False
    _least = 2

    def call(self, inputs: Any) -> Tensor:
        if not isinstance(inputs, list | tuple):
            raise ValueError(
                f"layer {self.name!r} ({type(self).__name__}) takes a list of tensors, got one "
                "tensor"
            )
        if len(inputs) < self._least:
            raise ValueError(
                f"layer {self.name!r} ({type(self).__name__}) takes at least {self._least} "
                f"tensors, got {len(inputs)}"
            )
        return self._merge(self._aligned(list(inputs)))

    def _aligned(self, inputs: list[Tensor]) -> list[Tensor]:
        rank = max(x.ndim for x in inputs)
        inputs = [
            x if x.ndim == rank else x.reshape(x.shape[0], *(1,) * (rank - x.ndim), *x.shape[1:])
            for x in inputs
        ]
        for sizes in zip(*(x.shape for x in inputs), strict=True):
            if len({int(n) for n in sizes} - {1}) > 1:
                raise ShapeError(
                    f"layer {self.name!r} ({type(self).__name__}) got inputs of unlike shapes: "
                    f"{', '.join(str(tuple(x.shape)) for x in inputs)}"
                )
        return inputs

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        masks = [m for m in (previous_mask or []) if m is not None]
        if len(masks) < len(inputs):
            return None
        return reduce(lambda a, b: a & b, masks)


@known
class Add(_Merge):
    """The sum."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda a, b: a + b, inputs)


@known
class Subtract(_Merge):
    """The first minus the second of two."""

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        if len(inputs) != 2:
            raise ValueError(f"layer {self.name!r} (Subtract) takes two tensors, got {len(inputs)}")
        return inputs[0] - inputs[1]


@known
class Multiply(_Merge):
    """The product, element by element."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda a, b: a * b, inputs)


@known
class Average(_Merge):
    """The mean, element by element."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda a, b: a + b, inputs) / len(inputs)


@known
class Maximum(_Merge):
    """The largest, element by element."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(T.maximum, inputs)


@known
class Minimum(_Merge):
    """The smallest, element by element."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(T.minimum, inputs)


@known
class Concatenate(_Merge):
    """One after the other along `axis`."""

    _least = 1

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def _aligned(self, inputs: list[Tensor]) -> list[Tensor]:
        rank = inputs[0].ndim
        axis = self.axis % rank
        rests = {tuple(int(n) for a, n in enumerate(x.shape) if a != axis) for x in inputs}
        if len(rests) > 1:
            raise ShapeError(
                f"layer {self.name!r} (Concatenate) needs equal shapes but for axis {self.axis}, "
                f"got {', '.join(str(tuple(x.shape)) for x in inputs)}"
            )
        return inputs

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return T.cat(inputs, self.axis)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        masks = list(previous_mask or [])
        if not any(m is not None for m in masks):
            return None
        axis = self.axis % inputs[0].ndim
        full = [
            creation.ones(tuple(x.shape[:-1]), dtype=dtypes.bool_) if m is None else m
            for x, m in zip(inputs, masks, strict=True)
        ]
        if axis < full[0].ndim:
            return T.cat(full, axis)
        return reduce(lambda a, b: a & b, full)


@known
class Dot(_Merge):
    """Sums of products along `axes` of two tensors: (batch, …, n) · (batch, …, n) → (batch, …)."""

    def __init__(self, axes: Any, normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axes = axes if isinstance(axes, int) else list(axes)
        self.normalize = normalize

    def _aligned(self, inputs: list[Tensor]) -> list[Tensor]:
        if len(inputs) != 2:
            raise ValueError(f"layer {self.name!r} (Dot) takes two tensors, got {len(inputs)}")
        first, second = self._axes(inputs)
        if int(inputs[0].shape[first]) != int(inputs[1].shape[second]):
            raise ShapeError(
                f"layer {self.name!r} (Dot) multiplies axes {first} and {second}, which differ in "
                f"{tuple(inputs[0].shape)} and {tuple(inputs[1].shape)}"
            )
        return inputs

    def _axes(self, inputs: list[Tensor]) -> tuple[int, int]:
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return given[0] % inputs[0].ndim, given[1] % inputs[1].ndim

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        first, second = self._axes(inputs)
        a, b = inputs[0].movedim(first, -1), inputs[1].movedim(second, -1)
        if self.normalize:
            a, b = (x * T.rsqrt(T.clamp((x * x).sum(-1, keepdim=True), min=1e-12)) for x in (a, b))
        rest_a, rest_b = a.shape[1:-1], b.shape[1:-1]
        batch, size = a.shape[0], a.shape[-1]
        out = a.reshape(batch, -1, size) @ b.reshape(batch, -1, size).transpose(1, 2)
        shape = (*rest_a, *rest_b)
        return out.reshape(batch, *(shape or (1,)))

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return None


def add(inputs: Any, **kwargs: Any) -> Any:
    """`Add` as a function."""
    return Add(**kwargs)(inputs)


def subtract(inputs: Any, **kwargs: Any) -> Any:
    """`Subtract` as a function."""
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Any, **kwargs: Any) -> Any:
    """`Multiply` as a function."""
    return Multiply(**kwargs)(inputs)


def average(inputs: Any, **kwargs: Any) -> Any:
    """`Average` as a function."""
    return Average(**kwargs)(inputs)


def maximum(inputs: Any, **kwargs: Any) -> Any:
    """`Maximum` as a function."""
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Any, **kwargs: Any) -> Any:
    """`Minimum` as a function."""
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Any, axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate` as a function."""
    return Concatenate(axis=axis, **kwargs)(inputs)


def dot(inputs: Any, axes: Any = -1, **kwargs: Any) -> Any:
    """`Dot` as a function."""
    return Dot(axes=axes, **kwargs)(inputs)
