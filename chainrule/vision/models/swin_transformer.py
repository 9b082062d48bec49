"""Swin Transformer (Liu et al., arXiv:2103.14030) and its version 2 (arXiv:2111.09883)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from chainrule import nn
from chainrule.nn import functional as F
from chainrule.nn import init
from chainrule.tensor import Parameter, Tensor, no_grad
from chainrule.tensor.creation import full, zeros
from chainrule.tensor.functions import cat, roll, sigmoid
from chainrule.tensor.handle import from_array
from chainrule.vision.models._family import Family
from chainrule.vision.models._initial import zero_bias
from chainrule.vision.models.vision_transformer import initialise_mlp
from chainrule.vision.ops.misc import MLP, Permute
from chainrule.vision.ops.stochastic_depth import StochasticDepth

__all__ = [
    "SwinTransformer",
    "Swin_T_Weights", "Swin_S_Weights", "Swin_B_Weights",
    "Swin_V2_T_Weights", "Swin_V2_S_Weights", "Swin_V2_B_Weights",
    "swin_t", "swin_s", "swin_b", "swin_v2_t", "swin_v2_s", "swin_v2_b",
]  # fmt: skip

Layer = Callable[..., nn.Module]


def _patch_merging_pad(x: Tensor) -> Tensor:
    """The four places of each 2×2 square side by side: (…, H, W, C) → (…, ⌈H/2⌉, ⌈W/2⌉, 4 C)."""
    height, width, _ = x.shape[-3:]
    x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
    return cat([x[..., i::2, j::2, :] for j in (0, 1) for i in (0, 1)], -1)


def _get_relative_position_bias(
    relative_position_bias_table: Tensor, relative_position_index: Tensor, window_size: list[int]
) -> Tensor:
    """The row of the table for each pair of places of a window: (1, heads, places, places)."""
    n = window_size[0] * window_size[1]
    bias = relative_position_bias_table[relative_position_index].view(n, n, -1)
    return bias.permute(2, 0, 1).unsqueeze(0)


class PatchMerging(nn.Module):
    """Half the size, twice the channels; the norm first. (…, H, W, C)."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(4 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(_patch_merging_pad(x)))


class PatchMergingV2(nn.Module):
    """Half the size, twice the channels; the norm last. (…, H, W, C)."""

    def __init__(self, dim: int, norm_layer: Layer = nn.LayerNorm) -> None:
        super().__init__()
        self.dim = dim
        self.reduction = nn.Linear(4 * dim, 2 * dim, bias=False)
        self.norm = norm_layer(2 * dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(_patch_merging_pad(x)))


def shifted_window_attention(
    input: Tensor,
    qkv_weight: Tensor,
    proj_weight: Tensor,
    relative_position_bias: Tensor,
    window_size: list[int],
    num_heads: int,
    shift_size: list[int],
    attention_dropout: float = 0.0,
    dropout: float = 0.0,
    qkv_bias: Tensor | None = None,
    proj_bias: Tensor | None = None,
    logit_scale: Tensor | None = None,
    training: bool = True,
) -> Tensor:
    """Attention within windows, which are moved by `shift_size`: (N, H, W, C).

    relative_position_bias: (1, heads, places, places), added to the scores. logit_scale: where it
    is given, scores are cosines times exp(logit_scale), and keys have no bias (version 2).
    """
    n, height, width, channels = input.shape
    wh, ww = window_size
    x = F.pad(input, (0, 0, 0, -width % ww, 0, -height % wh))
    _, padded_h, padded_w, _ = x.shape
    # one window over a side: nothing to move
    sh = 0 if wh >= padded_h else shift_size[0]
    sw = 0 if ww >= padded_w else shift_size[1]
    if sh + sw > 0:
        x = roll(x, shifts=(-sh, -sw), dims=(1, 2))
    rows, columns, places = padded_h // wh, padded_w // ww, wh * ww
    windows = rows * columns
    x = x.view(n, rows, wh, columns, ww, channels).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(n * windows, places, channels)
    if logit_scale is not None and qkv_bias is not None:
        third = qkv_bias.numel() // 3
        middle = zeros(third, dtype=qkv_bias.dtype)
        qkv_bias = cat([qkv_bias[:third], middle, qkv_bias[2 * third :]])
    qkv = F.linear(x, qkv_weight, qkv_bias)
    qkv = qkv.reshape(n * windows, places, 3, num_heads, channels // num_heads)
    q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
    if logit_scale is not None:
        scores = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1)
        scores = scores * logit_scale.clamp(max=math.log(100.0)).exp()
    else:
        scores = (q * (channels // num_heads) ** -0.5) @ k.transpose(-2, -1)
    scores = scores + relative_position_bias
    if sh + sw > 0:
        mask = from_array(_shift_mask(padded_h, padded_w, (wh, ww), (sh, sw))).to(x.dtype)
        scores = scores.view(n, windows, num_heads, places, places) + mask[None, :, None]
        scores = scores.view(-1, num_heads, places, places)
    weights = F.dropout(F.softmax(scores, dim=-1), p=attention_dropout, training=training)
    x = (weights @ v).transpose(1, 2).reshape(n * windows, places, channels)
    x = F.dropout(F.linear(x, proj_weight, proj_bias), p=dropout, training=training)
    x = x.view(n, rows, columns, wh, ww, channels).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(n, padded_h, padded_w, channels)
    if sh + sw > 0:
        x = roll(x, shifts=(sh, sw), dims=(1, 2))
    return x[:, :height, :width, :]


def _shift_mask(
    height: int, width: int, window: tuple[int, int], shift: tuple[int, int]
) -> np.ndarray:
    """(windows, places, places): -100 between places that were not neighbours before the move."""
    region = np.zeros((height, width), np.float32)
    numbers = iter(range(9))
    cuts = [
        [slice(0, -w), slice(-w, -s if s else None), slice(-s if s else size, None)]
        for size, w, s in zip((height, width), window, shift, strict=True)
    ]
    for rows in cuts[0]:
        for columns in cuts[1]:
            region[rows, columns] = next(numbers)
    wh, ww = window
    tiles = region.reshape(height // wh, wh, width // ww, ww).transpose(0, 2, 1, 3)
    flat = tiles.reshape(-1, wh * ww)
    apart = flat[:, None, :] != flat[:, :, None]
    return np.where(apart, np.float32(-100.0), np.float32(0.0))


class ShiftedWindowAttention(nn.Module):
    """`shifted_window_attention` with a learned bias for each relative position."""

    relative_position_index: Tensor

    def __init__(
        self,
        dim: int,
        window_size: list[int],
        shift_size: list[int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if len(window_size) != 2 or len(shift_size) != 2:
            raise ValueError("window_size and shift_size must be of length 2")
        self.window_size = window_size
        self.shift_size = shift_size
        self.num_heads = num_heads
        self.attention_dropout = attention_dropout
        self.dropout = dropout
        self.qkv = nn.Linear(dim, dim * 3, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim, bias=proj_bias)
        self.define_relative_position_bias_table()
        self.define_relative_position_index()

    def define_relative_position_bias_table(self) -> None:
        """A row for each of the (2 h - 1)(2 w - 1) differences of two places."""
        height, width = self.window_size
        rows = (2 * height - 1) * (2 * width - 1)
        self.relative_position_bias_table = Parameter(zeros(rows, self.num_heads))
        init.trunc_normal_(self.relative_position_bias_table, std=0.02)

    def define_relative_position_index(self) -> None:
        """Which row each pair of places reads."""
        index = relative_positions(*self.window_size).reshape(-1)
        self.register_buffer("relative_position_index", from_array(index))

    def get_relative_position_bias(self) -> Tensor:
        """(1, heads, places, places)."""
        return _get_relative_position_bias(
            self.relative_position_bias_table, self.relative_position_index, self.window_size
        )

    def _attend(self, x: Tensor, logit_scale: Tensor | None) -> Tensor:
        return shifted_window_attention(
            x,
            self.qkv.weight,
            self.proj.weight,
            self.get_relative_position_bias(),
            self.window_size,
            self.num_heads,
            shift_size=self.shift_size,
            attention_dropout=self.attention_dropout,
            dropout=self.dropout,
            qkv_bias=self.qkv.bias,
            proj_bias=self.proj.bias,
            logit_scale=logit_scale,
            training=self.training,
        )

    def forward(self, x: Tensor) -> Tensor:
        return self._attend(x, None)


def relative_positions(height: int, width: int) -> np.ndarray:
    """(places, places) int64: the number of the difference of two places of a window."""
    y, x = (c.reshape(-1) for c in np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    down = y[:, None] - y[None, :] + height - 1
    right = x[:, None] - x[None, :] + width - 1
    return (down * (2 * width - 1) + right).astype(np.int64)


class ShiftedWindowAttentionV2(ShiftedWindowAttention):
    """With cosines for scores, and the bias from a small network of the relative position."""

    relative_coords_table: Tensor

    def __init__(
        self,
        dim: int,
        window_size: list[int],
        shift_size: list[int],
        num_heads: int,
        qkv_bias: bool = True,
        proj_bias: bool = True,
        attention_dropout: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(
            dim, window_size, shift_size, num_heads, qkv_bias, proj_bias, attention_dropout,
            dropout,
        )  # fmt: skip
        self.logit_scale = Parameter(full((num_heads, 1, 1), math.log(10.0)))
        self.cpb_mlp = nn.Sequential(
            nn.Linear(2, 512, bias=True),
            nn.ReLU(inplace=True),
            nn.Linear(512, num_heads, bias=False),
        )
        if qkv_bias:
            third = self.qkv.bias.numel() // 3
            with no_grad():
                self.qkv.bias[third : 2 * third].zero_()

    def define_relative_position_bias_table(self) -> None:
        """Differences of places, scaled to ±8, then sign · log2(1 + |·|) / 3."""
        ranges = [np.arange(1 - w, w, dtype=np.float32) / (w - 1) * 8 for w in self.window_size]
        table = np.stack(np.meshgrid(*ranges, indexing="ij"), axis=-1)[None]
        table = np.sign(table) * np.log2(np.abs(table) + 1.0) / 3.0
        self.register_buffer("relative_coords_table", from_array(table.astype(np.float32)))

    def get_relative_position_bias(self) -> Tensor:
        table = self.cpb_mlp(self.relative_coords_table).view(-1, self.num_heads)
        index = self.relative_position_index
        return 16 * sigmoid(_get_relative_position_bias(table, index, self.window_size))

    def forward(self, x: Tensor) -> Tensor:
        return self._attend(x, self.logit_scale)


class SwinTransformerBlock(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): (N, H, W, C)."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: list[int],
        shift_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttention,
    ) -> None:
        super().__init__()
        self.norm1 = norm_layer(dim)
        self.attn = attn_layer(
            dim,
            window_size,
            shift_size,
            num_heads,
            attention_dropout=attention_dropout,
            dropout=dropout,
        )
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")
        self.norm2 = norm_layer(dim)
        wide = int(dim * mlp_ratio)
        self.mlp = MLP(dim, [wide, dim], activation_layer=nn.GELU, inplace=None, dropout=dropout)
        initialise_mlp(self.mlp)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.attn(self.norm1(x)))
        return x + self.stochastic_depth(self.mlp(self.norm2(x)))


class SwinTransformerBlockV2(SwinTransformerBlock):
    """x + norm(attention(x)), then x + norm(mlp(x)): (N, H, W, C)."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: list[int],
        shift_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.0,
        norm_layer: Layer = nn.LayerNorm,
        attn_layer: Layer = ShiftedWindowAttentionV2,
    ) -> None:
        super().__init__(
            dim, num_heads, window_size, shift_size, mlp_ratio, dropout, attention_dropout,
            stochastic_depth_prob, norm_layer, attn_layer,
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.stochastic_depth(self.norm1(self.attn(x)))
        return x + self.stochastic_depth(self.norm2(self.mlp(x)))


class SwinTransformer(nn.Module):
    """Windows of attention at four sizes: (N, 3, H, W) → (N, num_classes).

    depths, num_heads: blocks and heads of each stage. stochastic_depth_prob: of the last block; it
    grows linearly from the first.
    """

    def __init__(
        self,
        patch_size: list[int],
        embed_dim: int,
        depths: list[int],
        num_heads: list[int],
        window_size: list[int],
        mlp_ratio: float = 4.0,
        dropout: float = 0.0,
        attention_dropout: float = 0.0,
        stochastic_depth_prob: float = 0.1,
        num_classes: int = 1000,
        norm_layer: Layer | None = None,
        block: Layer | None = None,
        downsample_layer: Layer = PatchMerging,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        make, norm = block or SwinTransformerBlock, norm_layer or partial(nn.LayerNorm, eps=1e-5)
        size = (patch_size[0], patch_size[1])
        conv = nn.Conv2d(3, embed_dim, kernel_size=size, stride=size)
        layers: list[nn.Module] = [nn.Sequential(conv, Permute([0, 2, 3, 1]), norm(embed_dim))]
        done = 0
        for i, (depth, heads) in enumerate(zip(depths, num_heads, strict=True)):
            dim = embed_dim * 2**i
            stage: list[nn.Module] = []
            for j in range(depth):
                stage.append(
                    make(
                        dim,
                        heads,
                        window_size=window_size,
                        shift_size=[0 if j % 2 == 0 else w // 2 for w in window_size],
                        mlp_ratio=mlp_ratio,
                        dropout=dropout,
                        attention_dropout=attention_dropout,
                        stochastic_depth_prob=stochastic_depth_prob * done / (sum(depths) - 1),
                        norm_layer=norm,
                    )
                )
                done += 1
            layers.append(nn.Sequential(*stage))
            if i < len(depths) - 1:
                layers.append(downsample_layer(dim, norm))
        self.features = nn.Sequential(*layers)
        wide = embed_dim * 2 ** (len(depths) - 1)
        self.norm = norm(wide)
        self.permute = Permute([0, 3, 1, 2])
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten(1)
        self.head = nn.Linear(wide, num_classes)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                init.trunc_normal_(module.weight, std=0.02)
                zero_bias(module)

    def forward(self, x: Tensor) -> Tensor:
        x = self.permute(self.norm(self.features(x)))
        return self.head(self.flatten(self.avgpool(x)))


_V1: dict[str, Any] = {"patch_size": [4, 4], "window_size": [7, 7]}
_V2: dict[str, Any] = {
    "patch_size": [4, 4],
    "window_size": [8, 8],
    "block": SwinTransformerBlockV2,
    "downsample_layer": PatchMergingV2,
}
# width, depths, heads, stochastic depth
_SIZES = {
    "t": (96, [2, 2, 6, 2], [3, 6, 12, 24], 0.2),
    "s": (96, [2, 2, 18, 2], [3, 6, 12, 24], 0.3),
    "b": (128, [2, 2, 18, 2], [4, 8, 16, 32], 0.5),
}

_family = Family(__name__, "arXiv:2103.14030", SwinTransformer)
_family_v2 = Family(__name__, "arXiv:2111.09883", SwinTransformer)
Swin_T_Weights = _family.weights("Swin_T_Weights")
Swin_S_Weights = _family.weights("Swin_S_Weights")
Swin_B_Weights = _family.weights("Swin_B_Weights")
Swin_V2_T_Weights = _family.weights("Swin_V2_T_Weights")
Swin_V2_S_Weights = _family.weights("Swin_V2_S_Weights")
Swin_V2_B_Weights = _family.weights("Swin_V2_B_Weights")


def _row(name: str, weights: Any) -> Callable[..., SwinTransformer]:
    second = "v2" in name
    width, depths, heads, chance = _SIZES[name[-1]]
    settings: dict[str, Any] = {"embed_dim": width, "depths": depths, "num_heads": heads}
    title = f"Swin{' V2' if second else ''}-{name[-1].upper()}"
    family, rest = (_family_v2, _V2) if second else (_family, _V1)
    return family.builder(name, weights, title, stochastic_depth_prob=chance, **settings, **rest)


swin_t = _row("swin_t", Swin_T_Weights)
swin_s = _row("swin_s", Swin_S_Weights)
swin_b = _row("swin_b", Swin_B_Weights)
swin_v2_t = _row("swin_v2_t", Swin_V2_T_Weights)
swin_v2_s = _row("swin_v2_s", Swin_V2_S_Weights)
swin_v2_b = _row("swin_v2_b", Swin_V2_B_Weights)
