"""The Transformer (Vaswani et al., "Attention is all you need", 2017)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from chainrule.dtypes import DType, float32
from chainrule.errors import ShapeError
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.nn.modules.activation import MultiheadAttention
from chainrule.nn.modules.container import ModuleList
from chainrule.nn.modules.dropout import Dropout
from chainrule.nn.modules.linear import Linear
from chainrule.nn.modules.module import Module
from chainrule.nn.modules.normalization import LayerNorm
from chainrule.tensor import Tensor
from chainrule.tensor.creation import full
from chainrule.tensor.functions import triu


def _activation(a: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    if a == "relu":
        return F.relu
    if a == "gelu":
        return F.gelu
    if not callable(a):
        raise RuntimeError(f"activation should be relu/gelu, not {a}")
    return a


def _clones(module: Module, n: int) -> ModuleList:
    return ModuleList([copy.deepcopy(module) for _ in range(n)])


def _is_causal(mask: Tensor | None, hint: bool | None) -> bool:
    return bool(hint) and mask is not None


class _Layer(Module):
    """What encoder and decoder layers share: feed-forward part and settings. Abstract."""

    def __init__(
        self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Any = F.relu, layer_norm_eps: float = 1e-5, batch_first: bool = False,
        norm_first: bool = False, bias: bool = True, device: Any = None, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        if not isinstance(dim_feedforward, int) or dim_feedforward < 1:
            raise TypeError(
                f"dim_feedforward must be a positive int, got {dim_feedforward!r}: the arguments "
                "in order are d_model, nhead, "
                "dim_feedforward, dropout; pass dropout by name, dropout=…"
            )
        kw: dict[str, Any] = {"device": device, "dtype": dtype}
        self._settings = {"bias": bias, "batch_first": batch_first, **kw}
        self.self_attn = MultiheadAttention(
            d_model, nhead, dropout=dropout, bias=bias, batch_first=batch_first, **kw
        )
        self._cross(d_model, nhead, dropout)
        self.linear1 = Linear(d_model, dim_feedforward, bias=bias, **kw)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias=bias, **kw)
        self.norm_first = norm_first
        for i in range(1, self.parts + 1):
            self.add_module(f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, bias=bias, **kw))
        for i in range(1, self.parts + 1):
            self.add_module(f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation)

    parts = 2

    def _cross(self, d_model: int, nhead: int, dropout: float) -> None:
        """Decoders add their second attention here, in the order of PyTorch's state dict."""

    def _feed_forward(self, x: Tensor, last: Module) -> Tensor:
        return last(self.linear2(self.dropout(self.activation(self.linear1(x)))))

    def _attend(
        self, attention: Module, q: Tensor, kv: Tensor, mask: Any, padding: Any, causal: bool
    ) -> Tensor:
        return attention(
            q,
            kv,
            kv,
            attn_mask=mask,
            key_padding_mask=padding,
            is_causal=causal,
            need_weights=False,
        )[0]


class TransformerEncoderLayer(_Layer):
    """x ← norm(x + attention(x)), x ← norm(x + W₂ act(W₁ x)); the norms come first with norm_first

    src (T, B, d_model), (B, T, d_model) with batch_first, (T, d_model) without a batch → the same
    shape. The third argument is the width of W₁, dim_feedforward (2048), and then come dropout and
    activation ("relu", "gelu", or a function). src_mask and src_key_padding_mask as in
    MultiheadAttention. Raises TypeError for a dim_feedforward that is no int, which is what passing
    dropout in its place comes to.

    Vaswani et al., "Attention is all you need" (2017); Xiong et al. (2020) for norm_first.

    >>> import chainrule as torch
    >>> torch.nn.TransformerEncoderLayer(d_model=8, nhead=2, dropout=0.0)(torch.ones(5, 1, 8)).shape
    torch.Size([5, 1, 8])
    """

    def forward(
        self, src: Tensor, src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        causal = _is_causal(src_mask, is_causal)

        def attend(x: Tensor) -> Tensor:
            return self.dropout1(
                self._attend(self.self_attn, x, x, src_mask, src_key_padding_mask, causal)
            )

        if self.norm_first:
            x = src + attend(self.norm1(src))
            return x + self._feed_forward(self.norm2(x), self.dropout2)
        x = self.norm1(src + attend(src))
        return self.norm2(x + self._feed_forward(x, self.dropout2))


class TransformerDecoderLayer(_Layer):
    """TransformerEncoderLayer with attention to the encoder's output (memory) in between."""

    parts = 3

    def _cross(self, d_model: int, nhead: int, dropout: float) -> None:
        self.multihead_attn = MultiheadAttention(d_model, nhead, dropout=dropout, **self._settings)

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        def own(x: Tensor) -> Tensor:
            causal = _is_causal(tgt_mask, tgt_is_causal)
            return self.dropout1(
                self._attend(self.self_attn, x, x, tgt_mask, tgt_key_padding_mask, causal)
            )

        def cross(x: Tensor) -> Tensor:
            causal = _is_causal(memory_mask, memory_is_causal)
            return self.dropout2(
                self._attend(
                    self.multihead_attn, x, memory, memory_mask, memory_key_padding_mask, causal
                )
            )

        if self.norm_first:
            x = tgt + own(self.norm1(tgt))
            x = x + cross(self.norm2(x))
            return x + self._feed_forward(self.norm3(x), self.dropout3)
        x = self.norm1(tgt + own(tgt))
        x = self.norm2(x + cross(x))
        return self.norm3(x + self._feed_forward(x, self.dropout3))


class TransformerEncoder(Module):
    """num_layers copies of an encoder layer, one after the other."""

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = _clones(encoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, src: Tensor, mask: Tensor | None = None, src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:  # fmt: skip
        for layer in self.layers:
            src = layer(
                src,
                src_mask=mask,
                is_causal=bool(is_causal),
                src_key_padding_mask=src_key_padding_mask,
            )
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """num_layers copies of a decoder layer, one after the other."""

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = _clones(decoder_layer, num_layers)
        self.num_layers, self.norm = num_layers, norm

    def forward(
        self, tgt: Tensor, memory: Tensor, tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        for layer in self.layers:
            tgt = layer(
                tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=bool(tgt_is_causal),
                memory_is_causal=memory_is_causal,
            )  # fmt: skip
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """Encoder and decoder: (S, B, E), (T, B, E) → (T, B, E)"""

    def __init__(
        self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
        num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
        activation: Any = F.relu, custom_encoder: Any = None, custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5, batch_first: bool = False, norm_first: bool = False,
        bias: bool = True, device: Any = None, dtype: DType | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        settings = (
            d_model,
            nhead,
            dim_feedforward,
            dropout,
            activation,
            layer_norm_eps,
            batch_first,
            norm_first,
            bias,
            device,
            dtype,
        )
        if custom_encoder is not None:
            self.encoder = custom_encoder
        else:
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
            self.encoder = TransformerEncoder(
                TransformerEncoderLayer(*settings), num_encoder_layers, norm
            )
        if custom_decoder is not None:
            self.decoder = custom_decoder
        else:
            norm = LayerNorm(d_model, eps=layer_norm_eps, bias=bias, device=device, dtype=dtype)
            self.decoder = TransformerDecoder(
                TransformerDecoderLayer(*settings), num_decoder_layers, norm
            )
        for p in self.parameters():
            if p.ndim > 1:
                init.xavier_uniform_(p)
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(
        self, src: Tensor, tgt: Tensor, src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None, memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None, tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None, src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None, memory_is_causal: bool = False,
    ) -> Tensor:  # fmt: skip
        if (
            src.ndim == 3
            and src.shape[0 if self.batch_first else 1] != tgt.shape[0 if self.batch_first else 1]
        ):
            raise ShapeError(
                f"the batch number of src and tgt must be equal, got shapes {tuple(src.shape)} and "
                f"{tuple(tgt.shape)}"
            )
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ShapeError(
                f"the feature number of src and tgt must be equal to d_model={self.d_model}, got "
                f"{tuple(src.shape)} and {tuple(tgt.shape)}"
            )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Any = None, dtype: DType | None = None
    ) -> Tensor:
        """0 on and below the diagonal, −∞ above: no position looks ahead."""
        return triu(full((sz, sz), -math.inf, dtype=dtype or float32, device=device), 1)
