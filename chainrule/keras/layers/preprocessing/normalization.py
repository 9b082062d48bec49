"""Numbers with mean 0 and variance 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.registry import known
from chainrule.keras.settings import epsilon, to_dtype
from chainrule.keras.variables import Variable
from chainrule.tensor import Tensor, fromdata
from chainrule.training.data import SequenceBatches, is_source


@known
class Normalization(DataLayer):
    """`(x - mean) / √variance` along `axis`; both are given, or found by `adapt(data)`. `invert`
    goes the other way.

    >>> layer = Normalization(axis=None)
    >>> layer.adapt(np.array([1.0, 2.0, 3.0, 4.0, 5.0], "float32"))
    >>> layer(np.array([3.0], "float32")).tolist()
    [0.0]
    """

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        axis: Any = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        axes = () if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        self.axis = axes
        self.invert = invert
        self.input_mean = mean
        self.input_variance = variance
        self.mean: Any = None
        self.variance: Any = None
        self._build_input_shape: Any = None
        self.adapt_mean: Variable | None = None
        self.adapt_variance: Variable | None = None
        if (mean is not None) != (variance is not None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. Received: "
                f"mean={mean} and variance={variance}"
            )
        if mean is not None:
            if np.shape(mean) != np.shape(variance):
                raise ValueError(
                    "When setting values directly, `mean` and `variance` must have the same "
                    f"shape. Received: mean shape {np.shape(mean)} and variance shape "
                    f"{np.shape(variance)}"
                )
            if len(np.shape(mean)) > len(axes):
                raise ValueError(
                    "The rank of `mean` must be less than or equal to the number of axes "
                    f"({len(axes)}). Received: mean shape {np.shape(mean)} for axis {axes}"
                )

    def build(self, input_shape: Any = None) -> None:
        if input_shape is None:
            return
        ndim = len(input_shape)
        if any(a < -ndim or a >= ndim for a in self.axis):
            raise ValueError(
                "All `axis` values must be in the range [-ndim, ndim). Received inputs with "
                f"ndim={ndim}, while axis={self.axis}"
            )
        self._build_input_shape = tuple(input_shape)
        self._kept = tuple(sorted(a % ndim for a in self.axis))
        for axis in self._kept:
            if input_shape[axis] is None:
                raise ValueError(
                    "All `axis` values to be kept must have a known shape. Received "
                    f"axis={self.axis}, inputs.shape={input_shape}, with unknown axis at index "
                    f"{axis}"
                )
        self._others = tuple(a for a in range(ndim) if a not in self._kept)
        self._broadcast = [int(input_shape[a]) if a in self._kept else 1 for a in range(ndim)]
        if self.input_mean is not None:
            self._take_given(ndim)
        else:
            sizes = tuple(int(input_shape[a]) for a in self._kept)
            first = {"mean": "zeros", "variance": "ones"}
            self.adapt_mean, self.adapt_variance = (
                self.add_weight(sizes, initializer, trainable=False, name=name)
                for name, initializer in first.items()
            )
            # Files that Keras writes have it.
            self.count = self.add_weight((), "zeros", dtype="int32", trainable=False, name="count")
        self.built = True
        self.finalize_state()

    def _take_given(self, ndim: int) -> None:
        """The last axes of the given mean are the last of the kept axes."""
        shape = [1] * ndim
        for back, size in enumerate(reversed(np.shape(self.input_mean)), 1):
            shape[self._kept[-back]] = size
        dtype = to_dtype(self.compute_dtype)
        self.mean, self.variance = (
            fromdata.from_owned(
                np.broadcast_to(np.asarray(v, dtype.np).reshape(shape), self._broadcast).copy()
            )
            for v in (self.input_mean, self.input_variance)
        )

    def adapt(self, data: Any) -> None:
        """Take mean and variance from `data`: an array, or batches (x, or (x, y))."""
        counts = None
        for batch in _batches(data):
            x = batch[0] if isinstance(batch, tuple) else batch
            x = x.detach().numpy() if isinstance(x, Tensor) else x
            if not hasattr(x, "shape"):
                raise TypeError(
                    "adapt() expects an iterable that yields arrays or tensors with a `.shape` "
                    f"attribute. Got an element of type {type(x).__name__}."
                )
            counts = self._counted(counts, np.asarray(x, np.float64))
        if counts is None:
            raise ValueError(
                "adapt() received an empty iterable (no batches). Expected at least one batch."
            )
        assert self.adapt_mean is not None and self.adapt_variance is not None
        self.adapt_mean.assign(counts[1])
        self.adapt_variance.assign(counts[2])
        self.finalize_state()

    def _counted(self, before: Any, x: np.ndarray) -> tuple[float, Any, Any]:
        """(How many, mean, variance) of what came before and of one more batch (Chan 1979)."""
        shape = (None, *x.shape[1:]) if 0 not in {a % x.ndim for a in self.axis} else x.shape
        if not self.built:
            self.build(shape)
        known = self._build_input_shape
        if len(known) != x.ndim or any(known[a] != x.shape[a] for a in self._kept):
            raise ValueError(
                f"The layer was built with input_shape={known}, but adapt() is being called with "
                f"data with an incompatible shape, data.shape={x.shape}"
            )
        count = float(np.prod([x.shape[a] for a in self._others]))
        mean, variance = x.mean(self._others), x.var(self._others)
        if before is None:
            return count, mean, variance
        total = before[0] + count
        share = count / total
        middle = before[1] * (1 - share) + mean * share
        spread = (before[2] + (before[1] - middle) ** 2) * (1 - share)
        return total, middle, spread + (variance + (mean - middle) ** 2) * share

    def finalize_state(self) -> None:
        """Have the mean and the variance as they are used."""
        if self.input_mean is not None or not self.built:
            return
        assert self.adapt_mean is not None and self.adapt_variance is not None
        dtype = to_dtype(self.compute_dtype)
        self.mean, self.variance = (
            fromdata.from_owned(v.numpy().reshape(self._broadcast).astype(dtype.np))
            for v in (self.adapt_mean, self.adapt_variance)
        )

    def load_own_variables(self, store: Any) -> None:
        super().load_own_variables(store)
        self.finalize_state()

    def call(self, inputs: Tensor) -> Tensor:
        if self.mean is None:
            raise ValueError(
                f"layer {self.name!r} (Normalization) does not know mean and variance: call "
                "adapt(data), or `.build(input_shape)` where they are given"
            )
        deviation = self.variance.sqrt().clamp(min=epsilon())
        return inputs * deviation + self.mean if self.invert else (inputs - self.mean) / deviation

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def _output_dtype(self, tensor: Any) -> str:
        return self.compute_dtype

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "axis": self.axis,
            "invert": self.invert,
            "mean": _listed(self.input_mean),
            "variance": _listed(self.input_variance),
        }

    def get_build_config(self) -> dict[str, Any] | None:
        return {"input_shape": self._build_input_shape} if self._build_input_shape else None

    def build_from_config(self, config: dict[str, Any]) -> None:
        if config:
            self.build(config["input_shape"])


def _batches(data: Any) -> Any:
    """The batches of what `adapt` is given."""
    if isinstance(data, np.ndarray | Tensor) or hasattr(data, "__array__"):
        return [data]
    if isinstance(data, list | tuple):
        return data
    if is_source(data) and not hasattr(data, "__iter__"):
        return SequenceBatches(data).source
    if not hasattr(data, "__iter__"):
        raise TypeError(
            f"Unsupported data type: {type(data)}. `adapt` takes an array, a tensor, a data set, a "
            "`keras.utils.PyDataset`, or an iterable of batches."
        )
    return data


def _listed(value: Any) -> Any:
    return None if value is None else np.asarray(value).tolist()
