"""`flex_attention`: attention whose scores a function of the user changes, and a mask function.

    score_mod(score, b, h, q, k) → score        mask_mod(b, h, q, k) → True where q may look at k

The functions are called once, with all indices as tensors that broadcast to (B, H, Q, K); the whole
is an ordinary formula, of which the compiler makes what it can.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from chainrule import dtypes, names
from chainrule.tensor import Tensor
from chainrule.tensor import functions as f
from chainrule.tensor.creation import arange, full

__getattr__ = names.later(__name__)

Score = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
Mask = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


def noop_mask(batch: Tensor, head: Tensor, token_q: Tensor, token_kv: Tensor) -> Tensor:
    """Everything may be looked at."""
    return full((), True, dtype=dtypes.bool_)


def _indices(b: int, h: int, q: int, k: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        arange(b).reshape(b, 1, 1, 1), arange(h).reshape(1, h, 1, 1),
        arange(q).reshape(1, 1, q, 1), arange(k).reshape(1, 1, 1, k),
    )  # fmt: skip


def create_mask(
    mod_fn: Any, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None
) -> Tensor:
    """A mask function as a boolean tensor (B, H, Q_LEN, KV_LEN)."""
    shape = (B or 1, H or 1, Q_LEN, KV_LEN)
    return f.broadcast_to(mod_fn(*_indices(*shape)), shape)


class BlockMask:
    """A mask function with the sizes that it is for."""

    def __init__(self, mask_mod: Mask, shape: tuple[int, int, int, int], block: Any) -> None:
        self.mask_mod, self.shape, self.BLOCK_SIZE = mask_mod, shape, block
        self.seq_lengths = shape[2:]
        self._dense: Tensor | None = None

    def dense(self) -> Tensor:
        """As a boolean tensor, computed once."""
        if self._dense is None:
            b, h, q, k = self.shape
            self._dense = create_mask(self.mask_mod, b, h, q, k)
        return self._dense

    def to_dense(self) -> Tensor:
        """1 where a block has something to look at, else 0."""
        b, h, q, k = self.shape
        rows, columns = self.BLOCK_SIZE
        padded = full((b, h, -(-q // rows) * rows, -(-k // columns) * columns), False)
        padded[:, :, :q, :k] = self.dense()
        blocks = padded.reshape(b, h, -(-q // rows), rows, -(-k // columns), columns)
        return blocks.any(5).any(3).to(dtypes.int32)

    def sparsity(self) -> float:
        """Percentage of blocks with nothing to look at."""
        return 100.0 * (1.0 - float(self.to_dense().to(dtypes.float32).mean()))


def create_block_mask(
    mask_mod: Mask, B: int | None, H: int | None, Q_LEN: int, KV_LEN: int, device: Any = None,
    BLOCK_SIZE: int | tuple[int, int] = 128, _compile: bool = False,
) -> BlockMask:  # fmt: skip
    """A mask for `flex_attention`."""
    block = (BLOCK_SIZE, BLOCK_SIZE) if isinstance(BLOCK_SIZE, int) else BLOCK_SIZE
    return BlockMask(mask_mod, (B or 1, H or 1, Q_LEN, KV_LEN), block)


def and_masks(*mask_mods: Mask) -> Mask:
    """What all allow."""

    def both(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        allowed = mask_mods[0](b, h, q, k)
        for mask in mask_mods[1:]:
            allowed = allowed & mask(b, h, q, k)
        return allowed

    return both


def or_masks(*mask_mods: Mask) -> Mask:
    """What one allows."""

    def either(b: Tensor, h: Tensor, q: Tensor, k: Tensor) -> Tensor:
        allowed = mask_mods[0](b, h, q, k)
        for mask in mask_mods[1:]:
            allowed = allowed | mask(b, h, q, k)
        return allowed

    return either


def flex_attention(
    query: Tensor, key: Tensor, value: Tensor, score_mod: Score | None = None,
    block_mask: BlockMask | None = None, scale: float | None = None, enable_gqa: bool = False,
    return_lse: bool = False, kernel_options: dict[str, Any] | None = None,
    return_aux: Any = None,
) -> Any:  # fmt: skip
    """softmax(score_mod(Q Kᵀ · scale) where the mask allows) V; rows with nothing to look at are 0.

    query (B, H, Q, d), key (B, H, K, d), value (B, H, K, e) → (B, H, Q, e); with `return_lse` also
    the logarithm of each row's sum.

    >>> import chainrule as torch
    >>> q = torch.randn(1, 2, 4, 8)
    >>> causal = create_block_mask(lambda b, h, i, j: i >= j, None, None, 4, 4)
    >>> out = flex_attention(q, q, q, block_mask=causal)
    >>> want = torch.nn.functional.scaled_dot_product_attention(q, q, q, is_causal=True)
    >>> torch.allclose(out, want, atol=1e-6)
    True
    """
    if enable_gqa and query.shape[1] != key.shape[1]:
        times = query.shape[1] // key.shape[1]
        key, value = (f.repeat_interleave(x, times, 1) for x in (key, value))
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = f.matmul(query, f.transpose(key, -2, -1)) * factor
    b, h, q, k = scores.shape
    if score_mod is not None:
        scores = score_mod(scores, *_indices(b, h, q, k))
    if block_mask is not None:
        allowed = block_mask.dense()[:, :, :q, :k]
        scores = f.where(allowed, scores, full((), -math.inf, dtype=scores.dtype))
    lse = f.logsumexp(scores, -1)
    weights = f.softmax(scores, -1)
    if block_mask is not None:
        weights = f.where(allowed.any(-1, keepdim=True), weights, 0.0)
    out = f.matmul(weights.to(value.dtype), value)
    return (out, lse) if return_lse else out
