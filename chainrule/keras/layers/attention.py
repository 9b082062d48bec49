"""Attention: weighted means of values, the weights from queries and keys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.activation import large_negative
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.dense import EinsumDense
from chainrule.keras.layers.regularization import Dropout
from chainrule.keras.registry import known
from chainrule.keras.variables import Variable
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, creation
from chainrule.tensor import functions as T


def causal_mask(queries: int, keys: int) -> Tensor:
    """(queries, keys), True where the key is not later than the query."""
    return creation.from_owned(np.tril(np.ones((queries, keys), bool)))


@known
class MultiHeadAttention(Layer):
    """`softmax(q·kᵀ / √key_dim)·v` in `num_heads` projections, put together by one more projection.

    Shapes: query (batch, …T, c), value and key (batch, …S, c'); the result (batch, …T, output_shape
    or c). `attention_mask` (batch, T, S) is True where a query may look.
    """

    supports_masking = True
    casts_integers = True

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = int(num_heads)
        self.key_dim = int(key_dim)
        self.value_dim = int(value_dim or key_dim)
        self.dropout = dropout
        self.use_bias = use_bias
        self.attention_axes = attention_axes
        if attention_axes is not None and list(np.atleast_1d(attention_axes)) != [1]:
            raise NotImplementedError(
                "attention_axes other than 1 are not available: reshape the input so that it "
                "attends "
                "along axis 1, or leave attention_axes out to attend along all inner axes"
            )
        self._wanted_output = (output_shape,) if isinstance(output_shape, int) else output_shape
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.kernel_regularizer = kernel_regularizer
        self.bias_regularizer = bias_regularizer
        self.kernel_constraint = kernel_constraint
        self.bias_constraint = bias_constraint
        self.seed = seed
        self._dropout = Dropout(dropout, seed=seed)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = key_shape or value_shape
        options = {
            "kernel_initializer": self.kernel_initializer,
            "bias_initializer": self.bias_initializer,
            "kernel_regularizer": self.kernel_regularizer,
            "bias_regularizer": self.bias_regularizer,
            "kernel_constraint": self.kernel_constraint,
            "bias_constraint": self.bias_constraint,
            "dtype": self.dtype_policy,
        }

        def heads(name: str, shape: Any, size: int) -> EinsumDense:
            layer = EinsumDense(
                "abc,cde->abde",
                (None, self.num_heads, size),
                bias_axes="de" if self.use_bias else None,
                name=name,
                **options,
            )
            layer.build((None, None, shape[-1]))
            return layer

        self.query_dense = heads("query", query_shape, self.key_dim)
        self.key_dense = heads("key", key_shape, self.key_dim)
        self.value_dense = heads("value", value_shape, self.value_dim)
        wanted = tuple(self._wanted_output or (query_shape[-1],))
        out = "defghij"[2 : 2 + len(wanted)]
        self.output_dense = EinsumDense(
            f"abcd,cd{out}->ab{out}",
            (None, *wanted),
            bias_axes=out if self.use_bias else None,
            name="attention_output",
            **options,
        )
        self.output_dense.build((None, None, self.num_heads, self.value_dim))
        self.built = True

    def call(
        self,
        query: Tensor,
        value: Tensor,
        key: Tensor | None = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        key = value if key is None else key
        if query.ndim < 3 or value.ndim < 3:
            raise ShapeError(
                f"layer {self.name!r} (MultiHeadAttention) takes (batch, steps, features), got a "
                f"query of shape {tuple(query.shape)} and a value of shape {tuple(value.shape)}"
            )
        inner = tuple(int(n) for n in query.shape[1:-1])
        q, k, v = (x.reshape(x.shape[0], -1, x.shape[-1]) for x in (query, key, value))
        q = self.query_dense(q).transpose(1, 2)  # (B, heads, T, key_dim)
        k = self.key_dense(k).transpose(1, 2)
        v = self.value_dense(v).transpose(1, 2)
        scores = (q * (1.0 / math.sqrt(self.key_dim))) @ k.transpose(-2, -1)  # (B, heads, T, S)
        mask = self._mask(scores, query_mask, value_mask, key_mask, attention_mask, use_causal_mask)
        if mask is not None:
            scores = scores + (1.0 - mask.to(scores.dtype)) * large_negative(scores)
        weights = F.softmax(scores, dim=-1)
        mixed = (self._dropout(weights, training=training) @ v).transpose(1, 2)  # (B, T, heads, d)
        out = self.output_dense(mixed)
        out = out.reshape(out.shape[0], *inner, *out.shape[2:])
        return (out, weights) if return_attention_scores else out

    def _mask(
        self, scores: Tensor, query_mask: Any, value_mask: Any, key_mask: Any, given: Any,
        causal: bool,
    ) -> Any:  # fmt: skip
        parts = []
        if query_mask is not None:
            parts.append(query_mask.bool()[:, None, :, None])
        for mask in (value_mask, key_mask):
            if mask is not None:
                parts.append(mask.bool()[:, None, None, :])
        if causal:
            parts.append(causal_mask(int(scores.shape[-2]), int(scores.shape[-1])))
        if given is not None:
            given = given.bool()
            parts.append(given.unsqueeze(1) if given.ndim == 3 else given)
        combined = None
        for part in parts:
            combined = part if combined is None else combined & part
        return combined

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {
            "output_shape": None if self._wanted_output is None else list(self._wanted_output)
        }


class _ListAttention(Layer):
    """Takes [query, value] or [query, value, key] and masks likewise."""

    supports_masking = True
    _dropout: Dropout

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        raise NotImplementedError

    def _attend(
        self, inputs: Any, mask: Any, return_attention_scores: bool, training: bool, causal: bool
    ) -> Any:
        if not isinstance(inputs, list | tuple) or len(inputs) not in (2, 3):
            raise ValueError(f"layer {self.name!r} takes [query, value] or [query, value, key]")
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) == 3 else value
        scores = self._scores(query, key)
        allowed = None
        if mask is not None and mask[1] is not None:
            allowed = mask[1].bool().unsqueeze(-2)
        if causal:
            later = causal_mask(int(scores.shape[-2]), int(scores.shape[-1]))
            allowed = later if allowed is None else allowed & later
        if allowed is not None:
            scores = scores + (1.0 - allowed.to(scores.dtype)) * large_negative(scores)
        weights = F.softmax(scores, dim=-1)
        out = self._dropout(weights, training=training) @ value
        if mask is not None and mask[0] is not None:
            out = out * mask[0].to(out.dtype).unsqueeze(-1)
        return (out, weights) if return_attention_scores else out

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        return self._attend(inputs, mask, return_attention_scores, training, use_causal_mask)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        return previous_mask[0] if isinstance(previous_mask, list | tuple) else None


@known
class Attention(_ListAttention):
    """`softmax(q·kᵀ)·v` (Luong)."""

    def __init__(
        self,
        use_scale: bool = False,
        score_mode: str = "dot",
        dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if score_mode not in ("dot", "concat"):
            raise ValueError(f"score_mode must be 'dot' or 'concat', got {score_mode!r}")
        self.use_scale = use_scale
        self.score_mode = score_mode
        self.dropout = dropout
        self.seed = seed
        self.scale: Variable | None = None
        self.concat_score_weight: Variable | None = None
        self._dropout = Dropout(dropout, seed=seed)

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )
        self.built = True

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        if self.score_mode == "dot":
            scores = query @ key.transpose(-2, -1)
            return scores if self.scale is None else scores * self.scale
        added = query.unsqueeze(-2) + key.unsqueeze(-3)
        if self.scale is not None:
            added = added * self.scale
        scores = T.tanh(added).sum(-1)
        return scores if self.concat_score_weight is None else scores * self.concat_score_weight


@known
class AdditiveAttention(_ListAttention):
    """`softmax(Σ scale·tanh(q + k))·v` (Bahdanau)."""

    def __init__(
        self, use_scale: bool = True, dropout: float = 0.0, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.use_scale = use_scale
        self.dropout = dropout
        self.seed = seed
        self.scale: Variable | None = None
        self._dropout = Dropout(dropout, seed=seed)

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(int(input_shape[0][-1]),))
        self.built = True

    def _scores(self, query: Tensor, key: Tensor) -> Tensor:
        added = T.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
        return (added if self.scale is None else added * self.scale).sum(-1)
