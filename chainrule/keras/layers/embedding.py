"""Embedding: a table's rows for whole numbers, and back."""

from __future__ import annotations

from typing import Any

from chainrule.keras import constraints, initializers, regularizers
from chainrule.keras.layers.lora import LowRank
from chainrule.keras.registry import known
from chainrule.keras.settings import to_dtype
from chainrule.keras.symbolic import KerasTensor
from chainrule.nn import functional as F
from chainrule.tensor import Tensor
from chainrule.tensor import functions as T


def _positive(value: Any, name: str) -> int:
    if not hasattr(value, "__index__") or isinstance(value, bool) or value <= 0:
        raise ValueError(
            f"`{name}` must be a positive integer. Received: {name}={value} (of type "
            f"{type(value).__name__})."
        )
    return int(value)


@known
class Embedding(LowRank):
    """A row of a table for each whole number: (...) → (..., output_dim).

    `mask_zero`: 0 stands for nothing, and is masked for the layers that follow.

    >>> import numpy as np
    >>> Embedding(10, 4)(np.array([[1, 2, 3]])).shape
    torch.Size([1, 3, 4])
    """

    _adapted = "embeddings"

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        weights: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ) -> None:
        rows, columns = _positive(input_dim, "input_dim"), _positive(output_dim, "output_dim")
        input_length = kwargs.pop("input_length", None)  # Keras 2; the shape says it
        if input_length is not None and "input_shape" not in kwargs:
            kwargs["input_shape"] = (input_length,)
        super().__init__(**kwargs)
        self.input_dim = rows
        self.output_dim = columns
        self.embeddings_initializer = initializers.get(embeddings_initializer)
        self.embeddings_regularizer = regularizers.get(embeddings_regularizer)
        self.embeddings_constraint = constraints.get(embeddings_constraint)
        self.mask_zero = mask_zero
        self.supports_masking = mask_zero
        self.autocast = False
        self._prepare_lora(lora_rank, lora_alpha)
        self.quantization_config = quantization_config
        if weights is not None:
            self.build()
            self.set_weights([weights] if not _is_one_weight(weights) else weights)

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        self._kernel = self.add_weight(
            name="embeddings",
            shape=(self.input_dim, self.output_dim),
            initializer=self.embeddings_initializer,
            regularizer=self.embeddings_regularizer,
            constraint=self.embeddings_constraint,
        )
        self.built = True
        if self.lora_rank:
            self.enable_lora(self.lora_rank, self.lora_alpha)

    @property
    def embeddings(self) -> Any:
        """The table (input_dim, output_dim), with what LoRA has learned."""
        return self._adapted_kernel()

    def call(self, inputs: Tensor) -> Tensor:
        return F.embedding(inputs.long(), self.embeddings).to(to_dtype(self.compute_dtype))

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return inputs != 0 if self.mask_zero else None


def _is_one_weight(weights: Any) -> bool:
    return isinstance(weights, list | tuple) and len(weights) == 1


@known
class ReversibleEmbedding(Embedding):
    """An embedding that also goes back: with `reverse=True`, (..., output_dim) → logits (...,
    input_dim), by the table's transpose or (`tie_weights=False`) a matrix of its own.

    `logit_soft_cap` c bends the logits: c · tanh(x / c).
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        tie_weights: bool = True,
        embeddings_initializer: Any = "uniform",
        embeddings_regularizer: Any = None,
        embeddings_constraint: Any = None,
        mask_zero: bool = False,
        reverse_dtype: Any = None,
        logit_soft_cap: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            input_dim, output_dim, embeddings_initializer, embeddings_regularizer,
            embeddings_constraint, mask_zero, **kwargs,
        )  # fmt: skip
        self.tie_weights = tie_weights
        self.reverse_dtype = reverse_dtype
        self.logit_soft_cap = logit_soft_cap

    def build(self, input_shape: Any = None) -> None:
        if self.built:
            return
        super().build(input_shape)
        if not self.tie_weights:
            self.reverse_embeddings = self.add_weight(
                name="reverse_embeddings",
                shape=(self.output_dim, self.input_dim),
                initializer=self.embeddings_initializer,
            )

    def call(self, inputs: Tensor, reverse: bool = False) -> Tensor:
        if not reverse:
            return super().call(inputs)
        kernel = self.embeddings.T if self.tie_weights else self.reverse_embeddings
        wanted = to_dtype(self.reverse_dtype or self.compute_dtype)
        logits = inputs.to(wanted) @ kernel.to(wanted)
        if self.logit_soft_cap is not None:
            logits = T.tanh(logits / self.logit_soft_cap) * self.logit_soft_cap
        return logits

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        is_float = "float" in str(inputs.dtype)
        return None if is_float else super().compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape: Any, reverse: bool = False) -> Any:
        if reverse:
            return (*input_shape[:-1], self.input_dim)
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, inputs: Any, reverse: bool = False) -> Any:
        dtype = self.reverse_dtype if reverse and self.reverse_dtype else self.compute_dtype
        return KerasTensor(self.compute_output_shape(inputs.shape, reverse), dtype)
