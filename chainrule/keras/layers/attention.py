"""Attention: weighted means of values, the weights from queries and keys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from chainrule.keras import constraints, initializers, regularizers
from chainrule.keras.errors import ShapeError
from chainrule.keras.layers.activation import large_negative
from chainrule.keras.layers.base import Layer
from chainrule.keras.layers.dense import EinsumDense
from chainrule.keras.layers.regularization import Dropout
from chainrule.keras.registry import known
from chainrule.keras.settings import is_flash_attention_enabled
from chainrule.keras.variables import Variable
from chainrule.nn import functional as F
from chainrule.tensor import Tensor, fromdata
from chainrule.tensor import functions as T


def causal_mask(queries: int, keys: int) -> Tensor:
    """(queries, keys), True where the key is not later than the query."""
    return fromdata.from_owned(np.tril(np.ones((queries, keys), bool)))


def window_mask(queries: int, keys: int, width: int) -> Tensor:
    """(queries, keys), True where they are less than `width` apart."""
    apart = np.arange(queries)[:, None] - np.arange(keys)
    return fromdata.from_owned(np.abs(apart) < width)


def _both(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a & b


class _Heads(Layer):
    """What attention with several heads shares: projections, masks, and the weighted mean."""

    supports_masking = True
    casts_integers = True

    dropout: float
    use_bias: bool
    sliding_window: int | None
    seed: int | None

    def _prepare(self, options: dict[str, Any], sliding_window: Any, flash: Any) -> None:
        """Keep the arguments that the projections take, and check the others."""
        self.kernel_initializer = initializers.get(options["kernel_initializer"])
        self.bias_initializer = initializers.get(options["bias_initializer"])
        self.kernel_regularizer = regularizers.get(options["kernel_regularizer"])
        self.bias_regularizer = regularizers.get(options["bias_regularizer"])
        self.kernel_constraint = constraints.get(options["kernel_constraint"])
        self.bias_constraint = constraints.get(options["bias_constraint"])
        if sliding_window is not None and (
            not isinstance(sliding_window, int) or sliding_window <= 0
        ):
            raise ValueError(
                "`sliding_window` must be `None` or a positive integer. "
                f"Received: sliding_window={sliding_window}"
            )
        self.sliding_window = sliding_window
        self._flash_attention = bool(flash or is_flash_attention_enabled())
        if self._flash_attention and self.dropout > 0:
            raise ValueError(
                "Dropout is not supported when flash attention is enabled. Please set dropout to "
                "0.0 to use flash attention."
            )

    def _projection(
        self, name: str, equation: str, output: Any, bias_axes: str, shape: Any, **more: Any
    ) -> EinsumDense:
        """A projection with weights of its own, built for inputs of that shape."""
        layer = EinsumDense(
            equation,
            output,
            bias_axes=bias_axes if self.use_bias else None,
            kernel_initializer=_again(self.kernel_initializer),
            bias_initializer=_again(self.bias_initializer),
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            activity_regularizer=self.activity_regularizer,
            dtype=self.dtype_policy,
            name=name,
            **more,
        )
        layer.supports_masking = True  # masks are this layer's business
        layer.build(shape)
        return layer

    def _compute_causal_mask(self, query: Tensor, value: Tensor | None = None) -> Tensor:
        value = query if value is None else value
        return causal_mask(int(query.shape[1]), int(value.shape[1])).unsqueeze(0)

    def _check_mask(self, shape: tuple[int, ...], query: Tensor, value: Tensor) -> None:
        wanted = int(query.shape[1]), int(value.shape[1])
        if any(n not in (1, m) for n, m in zip(shape[-2:], wanted, strict=True)):
            turned = shape[-2:] == wanted[::-1]
            raise ShapeError(
                f"layer {self.name!r} ({type(self).__name__}): attention_mask has shape {shape}, "
                f"but the scores are (batch, {wanted[0]} targets, {wanted[1]} sources)",
                repair="its axes are the other way round: keras.ops.swapaxes(mask, -1, -2)"
                if turned
                else f"a mask of shape (batch, {wanted[0]}, {wanted[1]})",
            )

    def _compute_attention_mask(
        self,
        query: Tensor,
        value: Tensor,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        """(batch, T, S), True where a query may look, or None: everywhere."""
        if attention_mask is not None and query.ndim == 3 and attention_mask.ndim in (2, 3):
            self._check_mask(tuple(attention_mask.shape), query, value)
        found: Any = None
        if query_mask is not None:
            found = query_mask.bool().unsqueeze(-1)
        for mask in (value_mask, key_mask):
            if mask is not None:
                found = _both(found, mask.bool().unsqueeze(-2))
        if use_causal_mask:
            found = _both(found, self._compute_causal_mask(query, value))
        if self.sliding_window is not None:
            sizes = int(query.shape[1]), int(value.shape[1])
            found = _both(found, window_mask(*sizes, self.sliding_window).unsqueeze(0))
        return _both(found, None if attention_mask is None else attention_mask.bool())

    def _weighted(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Any, training: Any, scale: float
    ) -> tuple[Tensor, Tensor]:
        """(…, T, d) from (…, T, n), (…, S, n), (…, S, d), and the weights (…, T, S)."""
        scores = (q * scale) @ k.transpose(-2, -1)
        if mask is not None:
            while mask.ndim < scores.ndim:
                mask = mask.unsqueeze(-3)
            scores = T.where(mask, scores, large_negative(scores))
        weights = F.softmax(scores, dim=-1)
        if mask is not None:
            weights = T.where(mask, weights, 0.0)  # a query that may look nowhere sees nothing
        return self._dropout_layer(weights, training=bool(training)) @ v, weights

    def _make_dropout(self) -> None:
        self._dropout_layer = Dropout(self.dropout, seed=self.seed, dtype=self.dtype_policy)

    def compute_mask(self, inputs: Any, previous_mask: Any = None, *more: Any, **named: Any) -> Any:
        """The query's mask."""
        return named.get("query_mask", previous_mask)


def _again(initializer: Any) -> Any:
    """An initializer like this one: one object would give all projections the same values."""
    if hasattr(initializer, "get_config"):
        return type(initializer).from_config(initializer.get_config())
    return initializer


@known
class MultiHeadAttention(_Heads):
    """`softmax(q·kᵀ / √key_dim)·v` in `num_heads` projections, put together by one more projection.

    Shapes: query (batch, …T, c), value and key (batch, …S, c'); the result (batch, …T, output_shape
    or c). `attention_mask` (batch, T, S) is True where a query may look. `attention_axes`: the axes
    along which it attends (all inner axes). `use_gate` multiplies the heads by a sigmoid of the
    query's projection.

    >>> import numpy as np
    >>> MultiHeadAttention(2, 4)(np.ones((1, 5, 8)), np.ones((1, 3, 8))).shape
    torch.Size([1, 5, 8])
    """

    def __init__(
        self,
        num_heads: int,
        key_dim: int,
        value_dim: int | None = None,
        dropout: float = 0.0,
        use_bias: bool = True,
        output_shape: Any = None,
        attention_axes: Any = None,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        for name, size in (("num_heads", num_heads), ("key_dim", key_dim)):
            if not isinstance(size, int) or size <= 0:
                raise ValueError(
                    f"Received an invalid value for argument `{name}`, expected a positive "
                    f"integer. Received: {name}={size}"
                )
        if value_dim is not None and (not isinstance(value_dim, int) or value_dim <= 0):
            raise ValueError(
                "Received an invalid value for argument `value_dim`, expected a positive integer "
                f"or `None`. Received: value_dim={value_dim}"
            )
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.value_dim = value_dim or key_dim
        self.dropout = dropout
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.seed = seed
        if isinstance(output_shape, int):
            output_shape = (output_shape,)
        if output_shape and not isinstance(output_shape, list | tuple):
            raise ValueError(
                f"Invalid `output_shape`: {output_shape}. When specified, the `output_shape` "
                "should be of type tuple, list, or int."
            )
        self._output_shape = tuple(output_shape) if output_shape else None
        if isinstance(attention_axes, int):
            attention_axes = (attention_axes,)
        elif attention_axes and not isinstance(attention_axes, list | tuple):
            raise ValueError(
                "`attention_axes` must be an int, list, or tuple. "
                f"Received: attention_axes={attention_axes}"
            )
        self.attention_axes = None if attention_axes is None else tuple(attention_axes)
        options = {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        self._prepare(options, sliding_window, flash_attention)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = key_shape or value_shape
        self._check_shapes(value_shape, key_shape)

        def heads(name: str, shape: Any, size: int, **more: Any) -> EinsumDense:
            free = "abcdefghijkl"[: len(shape) - 1]
            inner = (*(None,) * (len(shape) - 2), self.num_heads, size)
            return self._projection(name, f"{free}x,xyz->{free}yz", inner, "yz", shape, **more)

        self._query_dense = heads("query", query_shape, self.key_dim)
        self._key_dense = heads("key", key_shape, self.key_dim)
        if self.use_gate:
            self._gate_dense = heads("gate", query_shape, self.value_dim, activation="sigmoid")
        self._value_dense = heads("value", value_shape, self.value_dim)
        wanted = self._output_shape or (query_shape[-1],)
        free, out = "abcdefghijkl"[: len(query_shape) - 1], "mnopqrs"[: len(wanted)]
        self._output_dense = self._projection(
            "attention_output",
            f"{free}yz,yz{out}->{free}{out}",
            (*(None,) * (len(query_shape) - 2), *wanted),
            out,
            (*query_shape[:-1], self.num_heads, self.value_dim),
        )
        self._make_dropout()
        self.built = True

    def _check_shapes(self, value_shape: Any, key_shape: Any) -> None:
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ShapeError(
                "All dimensions of `value` and `key`, except the last one, must be equal. "
                f"Received: value_shape={tuple(value_shape)} and key_shape={tuple(key_shape)}"
            )

    @property
    def query_dense(self) -> EinsumDense:
        return self._query_dense

    @property
    def key_dense(self) -> EinsumDense:
        return self._key_dense

    @property
    def value_dense(self) -> EinsumDense:
        return self._value_dense

    @property
    def output_dense(self) -> EinsumDense:
        return self._output_dense

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
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        if query.ndim < 3 or value.ndim < 3:
            raise ShapeError(
                f"layer {self.name!r} (MultiHeadAttention) takes (batch, steps, features), got a "
                f"query of shape {tuple(query.shape)} and a value of shape {tuple(value.shape)}"
            )
        if return_attention_scores and self._flash_attention:
            raise ValueError(
                "Returning attention scores is not supported when flash attention is enabled. "
                "Please disable flash attention to access attention scores."
            )
        key = value if key is None else key
        mask = self._compute_attention_mask(
            query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask
        )
        gate = self._gate_dense(query) if self.use_gate else None
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        out, scores = self._compute_attention(q, k, v, mask, training)
        out = self._output_dense(out if gate is None else out * gate)
        return (out, scores) if return_attention_scores else out

    def _compute_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Any = None,
        training: Any = None,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        """The weighted mean (batch, …T, heads, d) and the weights (batch, heads, …T, …S)."""
        if use_causal_mask:
            attention_mask = _both(attention_mask, self._compute_causal_mask(query, value))
        inner = range(1, query.ndim - 2)
        axes = [a % (query.ndim - 1) for a in self.attention_axes] if self.attention_axes else inner
        rest = [a for a in inner if a not in axes]
        order = [0, *rest, query.ndim - 2, *axes, query.ndim - 1]

        def lined_up(x: Tensor) -> Tensor:
            x = x.permute(order)
            return x.reshape(*x.shape[: len(rest) + 2], -1, x.shape[-1])

        q, k, v = lined_up(query), lined_up(key), lined_up(value)
        if attention_mask is not None and attention_mask.ndim > 4:
            sizes = attention_mask.shape[: attention_mask.ndim - 2 * len(axes)]
            attention_mask = attention_mask.reshape(*sizes, q.shape[-2], k.shape[-2])
        mixed, weights = self._weighted(
            q, k, v, attention_mask, training, 1.0 / math.sqrt(self.key_dim)
        )
        steps = [int(query.shape[a]) for a in axes]
        mixed = mixed.reshape(*mixed.shape[: len(rest) + 2], *steps, mixed.shape[-1])
        places = [int(key.shape[a]) for a in axes]
        weights = weights.reshape(*weights.shape[:-2], *steps, *places)
        return mixed.permute([order.index(a) for a in range(query.ndim)]), weights

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        self._check_shapes(value_shape, value_shape if key_shape is None else key_shape)
        return (*query_shape[:-1], *(self._output_shape or (query_shape[-1],)))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("return_attention_scores"):
            return super(Layer, self).compute_output_spec(*args, **kwargs)
        return super().compute_output_spec(*args, **kwargs)

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"output_shape": self._output_shape}


@known
class GroupedQueryAttention(_Heads):
    """Attention whose `num_query_heads` heads share `num_key_value_heads` keys and values.

    Shapes: query (batch, T, c), value and key (batch, S, c'); the result is (batch, T, c).
    Source: Ainslie et al. 2023.
    """

    def __init__(
        self,
        head_dim: int,
        num_query_heads: int,
        num_key_value_heads: int,
        dropout: float = 0.0,
        use_bias: bool = True,
        sliding_window: int | None = None,
        flash_attention: bool | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        use_gate: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.head_dim = head_dim
        self.num_query_heads = num_query_heads
        self.num_key_value_heads = num_key_value_heads
        if num_query_heads % num_key_value_heads:
            raise ValueError("`num_query_heads` must be divisible by `num_key_value_heads`.")
        self.num_repeats = num_query_heads // num_key_value_heads
        self.dropout = dropout
        self.use_bias = use_bias
        self.use_gate = use_gate
        self.seed = seed
        options = {
            "kernel_initializer": kernel_initializer, "bias_initializer": bias_initializer,
            "kernel_regularizer": kernel_regularizer, "bias_regularizer": bias_regularizer,
            "kernel_constraint": kernel_constraint, "bias_constraint": bias_constraint,
        }  # fmt: skip
        self._prepare(options, sliding_window, flash_attention)

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        key_shape = key_shape or value_shape
        of_queries = (None, self.num_query_heads, self.head_dim)
        of_keys = (None, self.num_key_value_heads, self.head_dim)
        into_heads = "bqm,muh->bquh"
        self._query_dense = self._projection("query", into_heads, of_queries, "uh", query_shape)
        self._key_dense = self._projection("key", into_heads, of_keys, "uh", key_shape)
        if self.use_gate:
            self._gate_dense = self._projection(
                "gate", into_heads, of_queries, "uh", query_shape, activation="sigmoid"
            )
        self._value_dense = self._projection("value", into_heads, of_keys, "uh", value_shape)
        self._output_dense = self._projection(
            "attention_output",
            "bquh,uhm->bqm",
            (None, query_shape[-1]),
            "m",
            (None, None, self.num_query_heads, self.head_dim),
        )
        self._make_dropout()
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
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> Any:
        if return_attention_scores and self._flash_attention:
            raise ValueError(
                "Returning attention scores is not supported when flash attention is enabled. "
                "Please disable flash attention to access attention scores."
            )
        key = value if key is None else key
        mask = self._compute_attention_mask(
            query, value, query_mask, value_mask, key_mask, attention_mask, use_causal_mask
        )
        gate = self._gate_dense(query) if self.use_gate else None
        q, k, v = self._query_dense(query), self._key_dense(key), self._value_dense(value)
        k, v = (T.repeat_interleave(x, self.num_repeats, 2) for x in (k, v))
        out, scores = self._compute_attention(q, k, v, mask, training)
        out = self._output_dense(out if gate is None else out * gate)
        return (out, scores) if return_attention_scores else out

    def _compute_attention(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Any = None,
        training: Any = None,
        use_causal_mask: bool = False,
    ) -> tuple[Tensor, Tensor]:
        if use_causal_mask:
            attention_mask = _both(attention_mask, self._compute_causal_mask(query, value))
        q, k, v = (x.transpose(1, 2) for x in (query, key, value))  # (batch, heads, steps, d)
        mixed, weights = self._weighted(
            q, k, v, attention_mask, training, 1.0 / math.sqrt(self.head_dim)
        )
        return mixed.transpose(1, 2), weights

    def compute_output_shape(
        self, query_shape: Any, value_shape: Any, key_shape: Any = None
    ) -> Any:
        key_shape = value_shape if key_shape is None else key_shape
        if tuple(value_shape[1:-1]) != tuple(key_shape[1:-1]):
            raise ShapeError(
                "All dimensions of `value` and `key`, except the last one, must be equal. "
                f"Received: value_shape={tuple(value_shape)} and key_shape={tuple(key_shape)}"
            )
        return tuple(query_shape)

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("return_attention_scores"):
            return super(Layer, self).compute_output_spec(*args, **kwargs)
        return super().compute_output_spec(*args, **kwargs)


GroupQueryAttention = GroupedQueryAttention


class _ListAttention(Layer):
    """Takes [query, value] or [query, value, key] and masks likewise."""

    supports_masking = True
    dropout: float

    def _prepare(self, use_scale: bool, dropout: float, seed: int | None) -> None:
        self.use_scale = use_scale
        self.dropout = dropout
        self.seed = seed
        self.scale: Variable | None = None
        self._dropout_layer = (
            Dropout(dropout, seed=seed, dtype=self.dtype_policy) if dropout > 0 else None
        )

    def _calculate_scores(self, query: Tensor, key: Tensor) -> Tensor:
        raise NotImplementedError

    def _calculate_score_mask(self, scores: Tensor, v_mask: Any, use_causal_mask: bool) -> Any:
        """What may be looked at: (batch, 1 or T, S), or None for everything."""
        if not use_causal_mask:
            return v_mask
        earlier = causal_mask(int(scores.shape[-2]), int(scores.shape[-1])).unsqueeze(0)
        return earlier if v_mask is None else v_mask.bool().unsqueeze(-2) & earlier

    def _apply_scores(
        self, scores: Tensor, value: Tensor, scores_mask: Any = None, training: bool = False
    ) -> tuple[Tensor, Tensor]:
        if scores_mask is not None:
            allowed = scores_mask.bool()
            if allowed.ndim < scores.ndim:
                allowed = allowed.unsqueeze(-2)
            scores = scores - (1.0 - allowed.to(scores.dtype)) * -large_negative(scores)
        weights = F.softmax(scores, dim=-1)
        if self._dropout_layer is not None:
            weights = self._dropout_layer(weights, training=training)
        return weights @ value, weights

    def _validate_inputs(self, inputs: Any, mask: Any = None) -> None:
        kind = type(self).__name__
        if not isinstance(inputs, list):
            raise ValueError(
                f"{kind} layer must be called on a list of inputs, namely [query, value] or "
                f"[query, value, key]. Received: inputs={inputs}."
            )
        if len(inputs) not in (2, 3):
            raise ValueError(
                f"{kind} layer accepts inputs list of length 2 or 3, namely [query, value] or "
                f"[query, value, key]. Received length: {len(inputs)}."
            )
        if mask is not None and not isinstance(mask, list):
            raise ValueError(
                f"{kind} layer mask must be a list, namely [query_mask, value_mask]. "
                f"Received: mask={mask}."
            )
        if mask is not None and len(mask) not in (2, 3):
            raise ValueError(
                f"{kind} layer accepts mask list of length 2 or 3. "
                f"Received: inputs={inputs}, mask={mask}."
            )

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool = False,
        return_attention_scores: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        self._validate_inputs(inputs, mask)
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) == 3 else value
        scores = self._calculate_scores(query, key)
        allowed = self._calculate_score_mask(
            scores, mask[1] if mask is not None else None, use_causal_mask
        )
        out, weights = self._apply_scores(scores, value, allowed, training)
        if mask is not None and mask[0] is not None:
            out = out * mask[0].to(out.dtype).unsqueeze(-1)
        return (out, weights) if return_attention_scores else out

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        self._validate_inputs(inputs, mask)
        return mask[0] if mask is not None else None

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape[0][:-1], input_shape[1][-1])

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return super(Layer, self).compute_output_spec(*args, **kwargs)


@known
class Attention(_ListAttention):
    """`softmax(q·kᵀ)·v` (Luong); with `score_mode="concat"` the scores are Σ tanh(q + k)."""

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
            raise ValueError(
                "Invalid value for argument score_mode. Expected one of {'dot', 'concat'}. "
                f"Received: score_mode={score_mode}"
            )
        self._prepare(use_scale, dropout, seed)
        self.score_mode = score_mode
        self.concat_score_weight: Variable | None = None

    def build(self, input_shape: Any) -> None:
        self._validate_inputs(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(), initializer="ones")
        if self.score_mode == "concat":
            self.concat_score_weight = self.add_weight(
                name="concat_score_weight", shape=(), initializer="ones"
            )
        self.built = True

    def _calculate_scores(self, query: Tensor, key: Tensor) -> Tensor:
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
        self._prepare(use_scale, dropout, seed)

    def build(self, input_shape: Any) -> None:
        self._validate_inputs(input_shape)
        if self.use_scale:
            self.scale = self.add_weight(name="scale", shape=(int(input_shape[0][-1]),))
        self.built = True

    def _calculate_scores(self, query: Tensor, key: Tensor) -> Tensor:
        added = T.tanh(query.unsqueeze(-2) + key.unsqueeze(-3))
        return (added if self.scale is None else added * self.scale).sum(-1)
