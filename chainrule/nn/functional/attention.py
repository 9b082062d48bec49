"""Attention as functions: scaled dot products, and all of `nn.MultiheadAttention`."""

from __future__ import annotations

import math
from typing import Any

from chainrule import dtypes, ops
from chainrule.errors import DtypeError, ShapeError
from chainrule.ir.node import Node
from chainrule.nn.functional.conv import _linear, linear
from chainrule.nn.functional.sparse import dropout
from chainrule.tensor import Tensor, autocast
from chainrule.tensor.creation import full, zeros
from chainrule.tensor.functions import cat, masked_fill
from chainrule.tensor.record import apply


def additive(mask: Tensor, dtype: dtypes.DType, *, true_is_blocked: bool) -> Tensor:
    """A mask as numbers to add to scores: 0 or −∞."""
    if mask.dtype is dtypes.bool_:
        blocked = mask if true_is_blocked else ~mask
        return masked_fill(zeros(tuple(mask.shape), dtype=dtype), blocked, -math.inf)
    if not mask.dtype.is_floating_point:
        raise DtypeError(
            "attention mask must be bool "
            f"({'True: may not look' if true_is_blocked else 'True: may look'}) or floating point "
            f"(added to the scores), got {mask.dtype}; convert with .bool()"
        )
    return mask.to(dtype)


@autocast.lower
def scaled_dot_product_attention(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None,
    dropout_p: float = 0.0, is_causal: bool = False, scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:  # fmt: skip
    """softmax(Q Kᵀ · scale + mask) V; scale 1/√d unless given

    query (…, T, d), key (…, S, d), value (…, S, e) → (…, T, e). A boolean mask is True where a
    query MAY look (the other way round in MultiheadAttention, as in PyTorch); a floating one is
    added.

    >>> import chainrule as torch
    >>> q = torch.ones(1, 2, 4)
    >>> torch.nn.functional.scaled_dot_product_attention(q, q, torch.arange(2.0).reshape(1, 2, 1))
    tensor([[[0.5000],
             [0.5000]]])
    """
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    if is_causal and attn_mask is not None:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    if dropout_p > 0:
        w = _weights(query, key, attn_mask, is_causal, scale)
        return dropout(w, dropout_p).matmul(value)
    if attn_mask is None:
        return apply(ops.attention, query, key, value, scale=scale, causal=bool(is_causal))
    bias = additive(attn_mask, query.dtype, true_is_blocked=False)
    return apply(ops.attention_biased, query, key, value, bias, scale=scale)


def _weights(
    q: Tensor, k: Tensor, mask: Tensor | None, causal: bool, scale: float | None
) -> Tensor:
    if mask is None:
        return apply(_plain_weights, q, k, scale=scale, causal=bool(causal))
    return apply(_biased_weights, q, k, additive(mask, q.dtype, true_is_blocked=False), scale=scale)


def _plain_weights(q: Any, k: Any, *, scale: float | None, causal: bool) -> Any:
    return ops.softmax(ops.attention_scores(q, k, scale, causal), axis=-1)


def _biased_weights(q: Any, k: Any, bias: Any, *, scale: float | None) -> Any:
    return ops.attention_weights(ops.attention_scores(q, k, scale, False) + bias)


def _heads(x: Node, *, heads: int) -> Node:
    """(T, B, E) → (B, H, T, d)"""
    t, b, e = x.shape
    return ops.permute(ops.reshape(x, shape=(t, b, heads, e // heads)), order=(1, 2, 0, 3))


def _own_heads(x: Node, w: Node, b: Node | None, *, heads: int) -> tuple[Node, ...]:
    """Queries, keys and values of one input under one weight."""
    y = _linear(x, w, b)
    t, n, e = y.shape
    size = e // 3
    return tuple(
        _heads(
            ops.slice(y, start=(0, 0, i * size), stop=(t, n, (i + 1) * size), step=(1, 1, 1)),
            heads=heads,
        )
        for i in range(3)
    )


def _joined(y: Node, w: Node, b: Node | None) -> Node:
    """(B, H, T, d) → (T, B, E), and the last projection"""
    n, heads, t, d = y.shape
    joined = ops.reshape(ops.permute(y, order=(2, 0, 1, 3)), shape=(t, n, heads * d))
    return _linear(joined, w, b)


def _projections(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    e: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    separate: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    if separate is None:
        assert in_proj_weight is not None
        if query is key and key is value:
            q, k, v = linear(query, in_proj_weight, in_proj_bias).chunk(3, -1)
            return q, k, v
        weights = in_proj_weight.chunk(3)
    else:
        weights = separate
    biases = (None, None, None) if in_proj_bias is None else in_proj_bias.chunk(3)
    q, k, v = (
        linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True)
    )
    return q, k, v


@autocast.lower
def multi_head_attention_forward(
    query: Tensor, key: Tensor, value: Tensor, embed_dim_to_check: int, num_heads: int,
    in_proj_weight: Tensor | None, in_proj_bias: Tensor | None, bias_k: Tensor | None,
    bias_v: Tensor | None, add_zero_attn: bool, dropout_p: float, out_proj_weight: Tensor,
    out_proj_bias: Tensor | None, training: bool = True, key_padding_mask: Tensor | None = None,
    need_weights: bool = True, attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False, q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None, v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None, static_v: Tensor | None = None,
    average_attn_weights: bool = True, is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:  # fmt: skip
    """Concat(head₁ … headₕ) W_O, headᵢ = attention(Q Wᵢ^Q, K Wᵢ^K, V Wᵢ^V)

    Shapes (T, B, E) or (T, E): see `nn.MultiheadAttention`.
    """
    single = query.ndim == 2
    if single:
        same = query is key and key is value
        query = query.unsqueeze(1)
        key, value = (query, query) if same else (key.unsqueeze(1), value.unsqueeze(1))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    if query.ndim != 3:
        raise ShapeError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.ndim}-D query "
            "tensor"
        )
    t, b, e = query.shape
    if e != embed_dim_to_check:
        raise ShapeError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {e}")
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    separate = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    own = separate is None and query is key and key is value and in_proj_weight is not None
    own = own and bias_k is None and static_k is None and static_v is None
    q = k = v = query
    if not own:
        q, k, v = _projections(query, key, value, e, in_proj_weight, in_proj_bias, separate)
    extra = 0
    if bias_k is not None and bias_v is not None:
        k, v = cat([k, bias_k.expand(1, b, -1)]), cat([v, bias_v.expand(1, b, -1)])
        extra += 1
    d = e // num_heads

    if own:
        q, k, v = apply(_own_heads, query, in_proj_weight, in_proj_bias, heads=num_heads)
    else:
        q, k, v = (
            apply(_heads, q, heads=num_heads),
            apply(_heads, k if static_k is None else static_k.transpose(0, 1), heads=num_heads),
            apply(_heads, v if static_v is None else static_v.transpose(0, 1), heads=num_heads),
        )
    if add_zero_attn:
        k = cat([k, zeros(b, num_heads, 1, k.shape[-1], dtype=k.dtype)], 2)
        v = cat([v, zeros(b, num_heads, 1, v.shape[-1], dtype=v.dtype)], 2)
        extra += 1
    bias = _bias(attn_mask, key_padding_mask, b, num_heads, t, k.shape[2], extra, q.dtype)
    p = dropout_p if training else 0.0
    w: Tensor | None = None
    if need_weights or p > 0:
        scale = 1.0 / math.sqrt(d)
        w = (
            apply(_plain_weights, q, k, scale=scale, causal=False)
            if bias is None
            else apply(_biased_weights, q, k, bias, scale=scale)
        )
        w = dropout(w, p, training) if p > 0 else w
        y = w.matmul(v)
    elif bias is None:
        y = apply(ops.attention, q, k, v)
    else:
        y = apply(ops.attention_biased, q, k, v, bias)
    y = apply(_joined, y, out_proj_weight, out_proj_bias)
    if need_weights:
        assert w is not None
        w = w.mean(1) if average_attn_weights else w
        w = w.squeeze(0) if single else w
    return (y.squeeze(1) if single else y), (w if need_weights else None)


def _mask_repair(got: tuple[int, ...], scores: tuple[int, int], rows: tuple[int, int]) -> str:
    """What a mask of another shape may have been meant as."""
    if got == scores[::-1]:
        return "the axes are (targets, sources): attn_mask.T"
    if got == rows:
        return "one row per sample says which sources are padding: key_padding_mask=…"
    return f"the axes are (targets, sources): torch.ones({scores[0]}, {scores[1]}).triu(1).bool()"


def _bias(
    mask: Tensor | None,
    padding: Tensor | None,
    b: int,
    h: int,
    t: int,
    s: int,
    extra: int,
    dtype: dtypes.DType,
) -> Tensor | None:
    """Both masks as one number to add, (B or 1, H or 1, T or 1, S)."""
    bias: Tensor | None = None
    if mask is not None:
        bias = additive(mask, dtype, true_is_blocked=True)
        if bias.ndim == 3:
            if tuple(bias.shape) != (b * h, t, s - extra):
                raise ShapeError(
                    f"The shape of the 3D attn_mask is {tuple(bias.shape)}, but should be "
                    f"{(b * h, t, s - extra)}.",
                    repair=f"one mask for each of {b} rows and {h} heads, "
                    "mask.repeat_interleave(num_heads, 0); or one for all, of shape "
                    f"{(t, s - extra)}",
                )
            bias = bias.reshape(b, h, t, -1)
        elif tuple(bias.shape) != (t, s - extra):
            raise ShapeError(
                f"The shape of the 2D attn_mask is {tuple(bias.shape)}, but should be "
                f"{(t, s - extra)}.",
                repair=_mask_repair(tuple(bias.shape), (t, s - extra), (b, s - extra)),
            )
        else:
            bias = bias.reshape(1, 1, t, -1)
    if padding is not None:
        if tuple(padding.shape) != (b, s - extra):
            raise ShapeError(
                f"key_padding_mask should have shape {(b, s - extra)}, got {tuple(padding.shape)}",
                repair="it is (batch, sources), also without batch_first"
                + (": mask.T" if tuple(padding.shape) == (s - extra, b) else ""),
            )
        pad = additive(padding, dtype, true_is_blocked=True).reshape(b, 1, 1, -1)
        bias = pad if bias is None else bias + pad
    if bias is not None and extra:
        bias = cat([bias, full((*bias.shape[:-1], extra), 0.0, dtype=dtype)], -1)
    return bias
