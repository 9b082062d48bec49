"""Layers that make one tensor of several."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from chainrule import dtypes
from chainrule.keras.context import get_keras_mask
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.base import Layer
from chainrule.keras.registry import known
from chainrule.shapes import join_repair
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


class _Merge(Layer):
    """Takes a list of tensors of equal shape (sizes of 1 are repeated, lower ranks get axes after
    the batch).
    """

    supports_masking = True
    casts_integers = False
    _least = 2

    def build(self, input_shape: Any) -> None:
        shapes = input_shape
        if not isinstance(shapes, list | tuple) or any(n is None or isinstance(n, int) for n in
                                                       shapes):  # fmt: skip
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Layer {self.name!r} "
                f"({type(self).__name__}) received: input_shape={shapes} (not a list of shapes)"
            )
        if len(shapes) < 1:
            raise ValueError(
                "A merge layer should be called on a list of at least 1 input. "
                f"Received {len(shapes)} inputs. Full input_shape received: {shapes}"
            )
        if len({shape[0] for shape in shapes if shape} - {None}) > 1:
            raise ShapeError(
                "Cannot merge tensors with different batch sizes. "
                f"Received tensors with shapes {shapes}"
            )
        self.built = True

    def call(self, inputs: Any) -> Tensor:
        if not isinstance(inputs, list | tuple):
            raise ValueError(
                f"A merge layer should be called on a list of inputs. Layer {self.name!r} "
                f"({type(self).__name__}) received one tensor"
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
                    "Inputs have incompatible shapes. "
                    f"Layer {self.name!r} ({type(self).__name__}) received shapes "
                    f"{', '.join(str(tuple(x.shape)) for x in inputs)}",
                    repair=self._merge_repair([tuple(x.shape) for x in inputs]),
                )
        return inputs

    def _merge_repair(self, shapes: list[tuple[int, ...]]) -> str:
        ranks = {len(s) for s in shapes}
        if len(ranks) > 1:
            return "give the inputs the same number of axes: layers.Reshape"
        rank = ranks.pop()
        differ = [i for i in range(rank) if len({s[i] for s in shapes}) > 1]
        if differ == [rank - 1]:
            a, b = shapes[0][-1], shapes[1][-1]
            what = f"Conv{rank - 2}D({a}, 1)" if rank > 3 else f"Dense({a})"
            return f"bring the branch with {b} on the last axis to {a}: layers.{what}"
        return "the branches have other sizes: padding='same' keeps the size of a convolution"

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        raise NotImplementedError

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Kept is what any of the inputs keeps, if all are masked."""
        if mask is None:
            return None
        _check_masks(inputs, mask)
        if any(m is None for m in mask):
            return None
        return reduce(lambda a, b: a | b, [_truth(m) for m in mask])


def _truth(mask: Any) -> Any:
    """A mask of numbers as one of truth values."""
    return mask.bool() if isinstance(mask, Tensor) else np.asarray(mask, bool)


def _check_masks(inputs: Any, mask: Any) -> None:
    for name, value in (("mask", mask), ("inputs", inputs)):
        if not isinstance(value, list | tuple):
            raise ValueError(f"`{name}` should be a list. Received: {name}={value}")
    if len(mask) != len(inputs):
        raise ValueError(
            "The lists `inputs` and `mask` should have the same length. Received: inputs of length "
            f"{len(inputs)}, and mask of length {len(mask)}"
        )


def _wide_mask(x: Tensor) -> Any:
    """The mask of a tensor in its own shape, or None."""
    mask = get_keras_mask(x)
    return None if mask is None else mask.bool().unsqueeze(-1).expand(x.shape)


def _of_what_is_kept(op: Any, inputs: list[Tensor]) -> Tensor:
    """`op` over the inputs, where a masked element leaves it to the others."""
    output, kept = inputs[0], _wide_mask(inputs[0])
    for x in inputs[1:]:
        mask = _wide_mask(x)
        other = x if mask is None else T.where(mask, x, output)
        if kept is not None:
            output = T.where(kept, output, other)
        kept = kept | mask if kept is not None and mask is not None else None
        output = op(output, other)
    return output


@known
class Add(_Merge):
    """x₁ + x₂ + …, of inputs that broadcast."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda a, b: a + b, inputs)


@known
class Subtract(_Merge):
    """x₁ − x₂: the first minus the second of two inputs."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        if len(inputs) != 2:
            raise ValueError(
                "A `Subtract` layer should be called on exactly 2 inputs. "
                f"Layer {self.name!r} received {len(inputs)}"
            )
        return inputs[0] - inputs[1]


@known
class Multiply(_Merge):
    """x₁ · x₂ · …, element by element."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        masks = [_wide_mask(x) for x in inputs]
        # A masked element leaves the others as they are; what all mask is 0.
        kept = [x if m is None else T.where(m, x, 1.0) for x, m in zip(inputs, masks, strict=True)]
        product = reduce(lambda a, b: a * b, kept)
        if any(m is None for m in masks):
            return product
        return T.where(reduce(lambda a, b: a | b, masks), product, 0.0)


@known
class Average(_Merge):
    """(x₁ + x₂ + … + xₙ) / n, of inputs that broadcast."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return reduce(lambda a, b: a + b, inputs) / len(inputs)


@known
class Maximum(_Merge):
    """max(x₁, x₂, …), element by element."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return _of_what_is_kept(T.maximum, inputs)


@known
class Minimum(_Merge):
    """min(x₁, x₂, …), element by element."""

    _least = 1

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return _of_what_is_kept(T.minimum, inputs)


@known
class Concatenate(_Merge):
    """[x₁, x₂, …]: one after the other along `axis`."""

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
                "A `Concatenate` layer requires inputs with matching shapes except for the "
                f"concatenation axis. Layer {self.name!r} joins along axis {self.axis}, "
                f"got {', '.join(str(tuple(x.shape)) for x in inputs)}",
                repair=join_repair([tuple(x.shape) for x in inputs], axis, "Concatenate(axis={})"),
            )
        return inputs

    def _merge(self, inputs: list[Tensor]) -> Tensor:
        return T.cat(inputs, self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Kept are places where any of the joined features is kept."""
        if mask is None:
            return None
        _check_masks(inputs, mask)
        if all(m is None for m in mask):
            return None
        full = []
        for x, given in zip(inputs, mask, strict=True):
            if given is None:
                full.append(creation.ones(tuple(x.shape), dtype=dtypes.bool_))
                continue
            m = given if isinstance(given, Tensor) else creation.tensor(given)
            m = m.bool()
            full.append(m.unsqueeze(-1).expand(tuple(x.shape)) if m.ndim < x.ndim else m)
        return T.cat(full, self.axis).any(-1)


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

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
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
