"""Whole numbers as indicator vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from chainrule.keras.layers.preprocessing.data_layer import DataLayer
from chainrule.keras.registry import known
from chainrule.keras.settings import to_dtype
from chainrule.tensor import Tensor, creation, fromdata
from chainrule.tensor import functions as T

MODES = ("int", "one_hot", "multi_hot", "count")


def encode(x: Tensor, mode: str, depth: int, dtype: Any, weights: Tensor | None = None) -> Tensor:
    """Numbers as they are (`int`), or as vectors of `depth` entries: one for each number
    (`one_hot`), or one for each row that says which numbers are in it (`multi_hot`) or how often
    (`count`, times `weights`). Numbers outside [0, depth) leave no trace.

    >>> encode(creation.tensor([[0, 2, 2]]), "count", 3, "float32").tolist()
    [[1.0, 0.0, 2.0]]
    """
    wanted = to_dtype(dtype)
    if mode == "int":
        return x.to(wanted)
    x = x.long()
    if x.ndim == 0:
        x = x.reshape(1)
    if mode == "one_hot":
        if x.ndim > 1 and x.shape[-1] == 1:
            x = x.squeeze(-1)
        return _one_hot(x, depth).to(wanted)
    if x.ndim > 2:
        hot = _one_hot(x, depth).to(wanted)
        return hot.amax(1) if mode == "multi_hot" else hot.sum(1)
    rows = x.reshape(-1, x.shape[-1])
    rows = T.where(
        (rows >= 0) & (rows < depth), rows, depth
    )  # one more place takes what is outside
    if weights is None:
        ones = creation.ones(rows.shape, dtype=to_dtype("float32"))
    else:
        ones = weights.reshape(rows.shape)
        wanted = weights.dtype
    zeros = creation.zeros((int(rows.shape[0]), depth + 1), dtype=ones.dtype)
    counts = zeros.scatter_add(1, rows, ones)[:, :depth]
    if mode == "multi_hot":
        counts = counts.clamp(max=1)
    return counts.reshape(*x.shape[:-1], depth).to(wanted)


def _one_hot(x: Tensor, depth: int) -> Tensor:
    return x.unsqueeze(-1) == fromdata.from_owned(np.arange(depth))


def encoded_shape(shape: Any, mode: str, depth: int | None) -> tuple[Any, ...]:
    """The shape that `encode` gives for one of `shape`."""
    shape = tuple(shape)
    if mode == "int":
        return shape
    if not shape:
        return (depth,)
    if mode == "one_hot":
        kept = shape[:-1] if len(shape) > 1 and shape[-1] == 1 else shape
    else:
        kept = (shape[0], *shape[2:]) if len(shape) > 2 else shape[:-1]
    return (*kept, depth)


@known
class CategoryEncoding(DataLayer):
    """Whole numbers as indicator vectors: one_hot, multi_hot or count.

    >>> CategoryEncoding(num_tokens=4)([[0, 1], [0, 0]]).tolist()
    [[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]]
    """

    def __init__(
        self,
        num_tokens: int | None = None,
        output_mode: str = "multi_hot",
        sparse: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        output_mode = "multi_hot" if output_mode == "binary" else output_mode
        if output_mode not in MODES[1:]:
            raise ValueError(
                f"Unknown arg for output_mode: {output_mode}; it must be one of {MODES[1:]}"
            )
        if num_tokens is None:
            raise ValueError(
                "num_tokens must be set to use this layer; where the number of tokens is not known "
                "beforehand, use the IntegerLookup layer instead"
            )
        if num_tokens < 1:
            raise ValueError(f"`num_tokens` must be >= 1. Received: num_tokens={num_tokens}.")
        refuse_sparse(sparse)
        self.num_tokens = num_tokens
        self.output_mode = output_mode
        self.sparse = sparse

    def call(self, inputs: Tensor, count_weights: Any = None) -> Tensor:
        if count_weights is not None:
            if self.output_mode != "count":
                raise ValueError(
                    "`count_weights` is not used when `output_mode` is not `'count'`. Received "
                    f"`count_weights={count_weights}`."
                )
            if not isinstance(count_weights, Tensor):
                count_weights = creation.tensor(count_weights)
            count_weights = count_weights.to(to_dtype(self.compute_dtype))
        return encode(inputs, self.output_mode, self.num_tokens, self.compute_dtype, count_weights)

    def _convert_leaf(self, leaf: Any) -> Any:
        return leaf

    def compute_output_shape(self, input_shape: Any) -> Any:
        return encoded_shape(input_shape, self.output_mode, self.num_tokens)

    def _output_dtype(self, tensor: Any) -> str:
        return self.compute_dtype


def refuse_sparse(sparse: bool) -> None:
    """Results are dense here."""
    if sparse:
        raise ValueError(
            "`sparse=True` can only be used with the TensorFlow backend of Keras: there are no "
            "sparse tensors here; leave it out and the result is a dense tensor"
        )
