"""Numbers to the ranges in which they lie."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.layers.preprocessing.encoding import (
    MODES,
    encode,
    encoded_shape,
    refuse_sparse,
)
from chainrule.keras.registry import known
from chainrule.keras.symbolic import KerasTensor
from chainrule.tensor import Tensor, fromdata
from chainrule.tensor import functions as T


@known
class Discretization(DataLayer):
    """The number of the range in which a value lies: 0 below the first boundary, and so on.

    `bin_boundaries` are given, or `adapt` finds those that make `num_bins` ranges with about as
    many values in each (to the precision `epsilon`).

    >>> Discretization(bin_boundaries=[0.0, 1.0, 2.0])([[-1.5, 1.0, 3.4, 0.5]]).tolist()
    [[0, 2, 3, 1]]
    """

    def __init__(
        self,
        bin_boundaries: Any = None,
        num_bins: int | None = None,
        epsilon: float = 0.01,
        output_mode: str = "int",
        sparse: bool = False,
        dtype: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(name=name, dtype=dtype)
        if sparse and output_mode == "int":
            raise ValueError(
                "`sparse=True` may only be used if `output_mode` is `'one_hot'`, `'multi_hot'`, or "
                f"`'count'`. Received: sparse={sparse} and output_mode={output_mode}"
            )
        refuse_sparse(sparse)
        if output_mode not in MODES:
            raise ValueError(
                f"Unknown `output_mode` argument of Discretization: it must be one of {MODES}, got "
                f"{output_mode!r}"
            )
        if num_bins is not None and num_bins < 0:
            raise ValueError(
                f"`num_bins` must be greater than or equal to 0. Received: `num_bins={num_bins}`"
            )
        if num_bins is not None and bin_boundaries is not None:
            raise ValueError(
                "Both `num_bins` and `bin_boundaries` should not be set. Received: "
                f"`num_bins={num_bins}` and `bin_boundaries={bin_boundaries}`"
            )
        if num_bins is None and bin_boundaries is None:
            raise ValueError("You need to set either `num_bins` or `bin_boundaries`.")
        self.bin_boundaries = bin_boundaries
        self.num_bins = num_bins
        self.epsilon = epsilon
        self.output_mode = output_mode
        self.sparse = sparse
        self.summary = np.empty((2, 0), np.float32)

    @property
    def output_dtype(self) -> str:
        return self.compute_dtype if self.output_mode != "int" else "int32"

    def _convert_leaf(self, leaf: Any) -> Any:
        return leaf

    # finding the boundaries -----------------------------------------------------------------------

    def adapt(self, data: Any, steps: int | None = None) -> None:
        """Find the boundaries in an array, or in batches (of which at most `steps`)."""
        if self.num_bins is None:
            raise ValueError(
                "Cannot adapt a Discretization layer that has been initialized with "
                "`bin_boundaries`, use `num_bins` instead."
            )
        self.reset_state()
        batches = [data] if isinstance(data, np.ndarray | Tensor) else data
        for count, batch in enumerate(batches):
            if steps is not None and count >= steps:
                break
            self.update_state(batch)
        self.finalize_state()

    def update_state(self, data: Any) -> None:
        """Add a batch to the summary: some values in order, and how many each stands for."""
        values = data.detach().numpy() if isinstance(data, Tensor) else np.asarray(data)
        values = np.sort(values.astype(np.float32).reshape(-1))
        step = max(len(values) * self.epsilon, 1)
        chosen = values[int(step - 1) :: int(step)]
        more = np.stack([chosen, np.full_like(chosen, step)])
        merged = np.concatenate((more, self.summary), axis=1)
        self.summary = _compressed(merged[:, np.argsort(merged[0])], self.epsilon)

    def finalize_state(self) -> None:
        """Make the boundaries of what was counted."""
        if self.num_bins is not None:
            found = _compressed(self.summary, 1.0 / self.num_bins)
            self.bin_boundaries = found[0, :-1].tolist()

    def reset_state(self) -> None:
        """Forget what was counted."""
        if self.num_bins is not None:
            self.summary = np.empty((2, 0), np.float32)

    def load_own_variables(self, store: Any) -> None:
        if len(store) == 1:  # files of Keras 3.0
            self.summary = np.asarray(store["0"])

    # ranges ---------------------------------------------------------------------------------------

    def call(self, inputs: Tensor) -> Tensor:
        if self.bin_boundaries is None:
            raise ValueError(
                "You need to either pass the `bin_boundaries` argument at construction time or "
                "call `adapt(dataset)` before you can start using the `Discretization` layer."
            )
        boundaries = np.asarray(self.bin_boundaries, np.float32)
        found = T.bucketize(inputs.float(), fromdata.from_owned(boundaries), right=True)
        return encode(found, self.output_mode, len(boundaries) + 1, self.output_dtype)

    def compute_output_shape(self, input_shape: Any) -> Any:
        depth = self.num_bins if self.bin_boundaries is None else len(self.bin_boundaries) + 1
        return encoded_shape(input_shape, self.output_mode, depth)

    def _output_dtype(self, tensor: Any) -> str:
        return self.output_dtype

    def compute_output_spec(self, inputs: Any, **kwargs: Any) -> Any:
        return KerasTensor(self.compute_output_shape(inputs.shape), self.output_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            "bin_boundaries": self.bin_boundaries,
            "num_bins": self.num_bins,
            "epsilon": self.epsilon,
            "output_mode": self.output_mode,
            "sparse": self.sparse,
            "name": self.name,
            "dtype": self.dtype,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        config = dict(config)
        adapted = config.get("num_bins") is not None
        found = config.pop("bin_boundaries", None) if adapted else None
        layer = cls(**config)
        if found is not None:
            layer.bin_boundaries = found
        return layer


def _compressed(summary: np.ndarray, epsilon: float) -> np.ndarray:
    """A summary of 1 / epsilon values, between which there are as many each."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    counts = summary[1].cumsum()
    values = np.interp(shares, counts / counts[-1], summary[0])
    counts = np.interp(shares, counts / counts[-1], counts)
    return np.stack((values, np.diff(counts, prepend=0))).astype(np.float32)
