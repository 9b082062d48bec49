"""Layers that move, repeat, cut or pad, and compute nothing."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.arguments import to_pairs, to_tuple
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.convolution import back, channels_first, pad_flat
from chainrule.keras.layers.input_spec import InputSpec
from chainrule.keras.registry import known
from chainrule.keras.resampling import matrix
from chainrule.keras.settings import standardize_data_format
from chainrule.keras.symbolic import KerasTensor
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, fromdata
from chainrule.tensor import functions as T

Shape = tuple[int | None, ...]


class _Moving(Layer):
    """Has no weights; gives the type that it gets."""

    builds_at_once = True


@known
class Flatten(_Moving):
    """All axes but the batch as one: (batch, h, w, c) → (batch, h·w·c).

    With `data_format="channels_first"` the channels become the last axis first.

    >>> from chainrule.keras import Input
    >>> Flatten()(Input((10, 64))).shape
    (None, 640)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Tensor) -> Tensor:
        if inputs.ndim > 2 and self.data_format == "channels_first":
            inputs = inputs.permute(0, *range(2, inputs.ndim), 1)
        return inputs.reshape(inputs.shape[0], math.prod(int(n) for n in inputs.shape[1:]))


@known
class Reshape(_Moving):
    """Another shape for the elements of each example; one size may be -1 (or None).

    >>> from chainrule.keras import Input
    >>> Reshape((-1, 8))(Input((6, 4))).shape
    (None, 3, 8)

    Raises ValueError where the elements do not fit.
    """

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        shape = tuple(-1 if n is None else n for n in shape)
        if any(not isinstance(n, int) or n < -1 for n in shape):
            raise ValueError(
                "Each element of `target_shape` must be a non-negative integer or -1. Received: "
                f"target_shape={shape}"
            )
        if sum(n == -1 for n in shape) > 1:
            raise ValueError(
                "There must be at most one unknown dimension (-1) in `target_shape`. Received: "
                f"target_shape={shape}"
            )
        self.target_shape = shape

    def _resolved(self, given: Shape) -> Shape:
        """The target shape for the sizes of an example, as far as they are known."""
        fixed = math.prod(n for n in self.target_shape if n != -1)
        if None in given:
            return tuple(None if n == -1 else n for n in self.target_shape)
        have = math.prod(n or 0 for n in given)
        fits = have == fixed if -1 not in self.target_shape else fixed and have % fixed == 0
        if not fits:
            raise ShapeError(
                "The total size of the tensor must be unchanged. Layer "
                f"{self.name!r} (Reshape) received inputs of shape {given} (without the batch) for "
                f"target_shape={self.target_shape}: {have} elements per example do not fit",
                repair=self._repair(have),
            )
        return tuple(have // fixed if n == -1 else n for n in self.target_shape)

    def _repair(self, have: int) -> str:
        """A target shape that so many elements fill."""
        for at, n in enumerate(self.target_shape):
            others = math.prod(m for m in self.target_shape if m != -1) // max(n, 1)
            if n != -1 and others and have % others == 0 and -1 not in self.target_shape:
                fits = tuple(-1 if i == at else m for i, m in enumerate(self.target_shape))
                return f"layers.Reshape({fits}) gives {have // others} there"
        return "a target_shape whose product is the number of elements per example"

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (input_shape[0], *self._resolved(tuple(input_shape[1:])))

    def compute_output_spec(self, inputs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), inputs.dtype)

    def call(self, inputs: Tensor) -> Tensor:
        sizes = tuple(int(n) for n in inputs.shape)
        return inputs.reshape(sizes[0], *self._resolved(sizes[1:]))


@known
class Permute(_Moving):
    """Axes in another order; the batch is axis 0 and stays, the others count from 1.

    >>> from chainrule.keras import Input
    >>> Permute((2, 1))(Input((10, 64))).shape
    (None, 64, 10)
    """

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in "
                f"`dims` must be consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs.permute(0, *self.dims)


def _positive(value: Any, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"Expected an integer value for `{name}`, got {type(value)}.")
    if value <= 0:
        raise ValueError(
            f"Argument `{name}` should be a positive integer. Received: {name}={value}"
        )
    return value


@known
class RepeatVector(_Moving):
    """(batch, c) → (batch, n, c)."""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = _positive(n, "n")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Tensor) -> Tensor:
        return inputs.unsqueeze(1).expand(inputs.shape[0], self.n, inputs.shape[1])


class _Padding(_Moving):
    rank: ClassVar[int] = 2

    def __init__(self, padding: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.padding: Any = to_pairs(padding, self.rank, "padding")
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: Tensor) -> Tensor:
        pairs = [self.padding] if self.rank == 1 else list(self.padding)
        x = channels_first(inputs, self.data_format)
        return back(F.pad(x, pad_flat(pairs)), self.data_format)


@known
class ZeroPadding1D(_Padding):
    """Zeros before and after the steps: a number, or (before, after).

    >>> import numpy as np
    >>> ZeroPadding1D((1, 2))(np.ones((1, 2, 1))).flatten().tolist()
    [0.0, 1.0, 1.0, 0.0, 0.0]
    """

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(1, data_format, **kwargs)
        self.padding = to_tuple(padding, 2, "padding", allow_zero=True)


@known
class ZeroPadding2D(_Padding):
    """Zeros around the image: a number, (rows, columns), or ((top, bottom), (left, right))."""

    def __init__(
        self, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


@known
class ZeroPadding3D(_Padding):
    """Zeros around the volume: a number, three numbers, or three pairs."""

    rank = 3

    def __init__(
        self,
        padding: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(padding, data_format, **kwargs)


class _Cropping(_Moving):
    rank: ClassVar[int] = 2

    def __init__(self, cropping: Any, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.cropping: Any = to_pairs(cropping, self.rank, "cropping")
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def _cuts(self, shape: Any) -> list[slice]:
        """The slice of each axis."""
        pairs = [self.cropping] if self.rank == 1 else list(self.cropping)
        first = 2 if self.data_format == "channels_first" else 1
        slices = [slice(None)] * len(shape)
        for axis, (before, after) in enumerate(pairs, first):
            size = int(shape[axis])
            if before + after >= size:
                raise ShapeError(self._too_much(tuple(shape)))
            slices[axis] = slice(before, size - after)
        return slices

    def _too_much(self, shape: Any) -> str:
        return (
            "Values in `cropping` argument should be smaller than the corresponding spatial "
            f"dimension of the input. Received: input_shape={shape}, cropping={self.cropping}"
        )

    def call(self, inputs: Tensor) -> Tensor:
        return inputs[tuple(self._cuts(inputs.shape))]


@known
class Cropping1D(_Cropping):
    """Steps cut off at both ends: a number, or (before, after)."""

    rank = 1

    def __init__(
        self, cropping: Any = (1, 1), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(0, data_format, **kwargs)
        self.cropping = to_tuple(cropping, 2, "cropping", allow_zero=True)

    def _too_much(self, shape: Any) -> str:
        return (
            "`cropping` parameter of `Cropping1D` layer must be smaller than the input length. "
            f"Received: input_shape={shape}, cropping={self.cropping}"
        )


@known
class Cropping2D(_Cropping):
    """Rows and columns cut off: a number, (rows, columns), or ((top, bottom), (left, right))."""

    def __init__(
        self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


@known
class Cropping3D(_Cropping):
    """A volume cut at its sides: a number, three numbers, or three pairs."""

    rank = 3

    def __init__(
        self,
        cropping: Any = ((1, 1), (1, 1), (1, 1)),
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(cropping, data_format, **kwargs)


def _constant(values: Any, like: Tensor) -> Tensor:
    return fromdata.from_owned(np.ascontiguousarray(values, like.dtype.np))


def _repeated(x: Tensor, times: tuple[int, ...]) -> Tensor:
    """(batch, channels, space…) with every element `times` times: expanding is a view, nothing is
    gathered.
    """
    sizes = [int(n) for n in x.shape]
    apart, wide, joined = sizes[:2], sizes[:2], sizes[:2]
    for n, times_here in zip(sizes[2:], times, strict=True):
        apart += [n, 1]
        wide += [n, times_here]
        joined.append(n * times_here)
    return x.reshape(apart).expand(wide).reshape(joined)


@known
class UpSampling1D(_Moving):
    """Each step `size` times: (batch, steps, c) → (batch, size·steps, c)."""

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = _positive(size, "size")
        self.input_spec = InputSpec(ndim=3)

    def call(self, inputs: Tensor) -> Tensor:
        return T.repeat_interleave(inputs, self.size, 1)


@known
class UpSampling2D(_Moving):
    """A larger image: rows and columns repeated ("nearest"), or interpolated ("bilinear",
    "bicubic", "lanczos3", "lanczos5").
    """

    def __init__(
        self,
        size: Any = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.size = to_tuple(size, 2, "size")
        self.interpolation = interpolation.lower()
        kinds = ("nearest", "bilinear", "bicubic", "lanczos3", "lanczos5")
        if self.interpolation not in kinds:
            raise ValueError(f"`interpolation` must be one of {kinds}, got {interpolation!r}")
        self.input_spec = InputSpec(ndim=4)

    def call(self, inputs: Tensor) -> Tensor:
        x = channels_first(inputs, self.data_format)
        if self.interpolation == "nearest":
            x = _repeated(x, self.size)
        else:
            height, width = int(x.shape[2]), int(x.shape[3])
            rows = matrix(height, height * self.size[0], self.interpolation, False)
            columns = matrix(width, width * self.size[1], self.interpolation, False)
            x = _constant(rows, x) @ x @ _constant(columns.T, x)
        return back(x, self.data_format)


@known
class UpSampling3D(_Moving):
    """A larger volume: every element repeated along three axes."""

    def __init__(
        self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.data_format = standardize_data_format(data_format)
        self.size = to_tuple(size, 3, "size")
        self.input_spec = InputSpec(ndim=5)

    def call(self, inputs: Tensor) -> Tensor:
        x = _repeated(channels_first(inputs, self.data_format), self.size)
        return back(x, self.data_format)
